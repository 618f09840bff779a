/*-------------------------------------------------------------------------
 *
 * settle.c
 *		Conditions that the table's settings decide before any call.
 *
 * Not accounted for: conditions on anything but the region and the account.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fdw/early.h"
#include "fdw/may_raise.h"
#include "fdw/settle.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"

/* Context of settle_columns. */
typedef struct SettleContext
{
	const TableRef *table;		/* whose columns are replaced */
	const SmfSettings *settings;	/* provide the columns' values */
} SettleContext;

/* The value of a column that the settings determine; NULL if they do not. */
static const char *
settled_value(const SmfColumn *column, const SmfSettings *settings)
{
	if (column->name == NULL || column->attribute == NULL)
		return NULL;
	if (column->attribute->kind == SMF_KIND_REGION)
		return settings->region;
	if (column->attribute->kind == SMF_KIND_ACCOUNT_ID)
		return settings->account_id;
	return NULL;
}

/* The expression, with the columns that the settings determine replaced by their values. */
static Node *
settle_columns(Node *node, void *context)
{
	const TableRef *table = ((SettleContext *) context)->table;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;
		const char *value = NULL;

		if (var->varno == table->varno && var->varlevelsup == 0 && var->varattno > 0 &&
			var->varattno <= table->natts && var->vartype == TEXTOID)
			value = settled_value(&table->columns[var->varattno - 1],
								  ((SettleContext *) context)->settings);
		if (value == NULL)
			return (Node *) copyObject(var);
		return (Node *) makeConst(TEXTOID, -1, var->varcollid, -1, CStringGetTextDatum(value), false, false);
	}
	return expression_tree_mutator(node, settle_columns, context);
}

/*
 * smf_settle_clause
 *		Do the table's settings decide the condition, which may be decided early?
 *
 * They do if it only compares the region or the account with values that are constant
 * during planning: the scan decides it before any call, in the same way.  A stable
 * function may return another value then, so this is only an estimate.  A condition that
 * may raise an error is left alone, because planning must not raise it.
 */
SettledClause
smf_settle_clause(PlannerInfo *root, Node *clause, const TableRef *table,
				  const SmfSettings *settings)
{
	SettleContext context = {table, settings};
	Node	   *value;

	if (smf_early_tier(clause, table, SMF_FROM_LIST) != EARLY_AT_START ||
		smf_may_raise(clause, root->glob->subplans))
		return CLAUSE_OPEN;
	value = estimate_expression_value(root, settle_columns(clause, &context));
	if (!IsA(value, Const))
		return CLAUSE_OPEN;
	return !((Const *) value)->constisnull && DatumGetBool(((Const *) value)->constvalue) ?
		CLAUSE_ALWAYS : CLAUSE_NEVER;
}
