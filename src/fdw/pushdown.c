/*-------------------------------------------------------------------------
 *
 * pushdown.c
 *		Which conditions the service can be asked to decide.
 *
 * So far one: a job's name equal to something that is known when the scan
 * starts.  The condition is checked again on the row, like all others, so that
 * asking the service only ever narrows what is fetched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "fdw/pushdown.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"

/*
 * smf_is_name_column
 *		Is the expression the table's column of job names, as text?
 */
bool
smf_is_name_column(const SmfColumn *columns, RelOptInfo *rel, Node *node)
{
	Var		   *var = (Var *) node;
	const SmfAttribute *attribute;

	if (!IsA(node, Var) || var->varno != rel->relid || var->varlevelsup != 0 ||
		var->varattno <= 0 || var->vartype != TEXTOID)
		return false;
	attribute = columns[var->varattno - 1].attribute;
	return attribute != NULL && strcmp(attribute->attribute, "TrainingJobName") == 0;
}

/*
 * smf_name_lookup
 *		If the clause is "training_job_name = X", X; else NULL.
 *
 * X is computed without the table's own row, does not change while the scan
 * runs, and equality means equal bytes.  It may hold columns of other tables:
 * the path that uses it is then parameterised by them.
 */
Expr *
smf_name_lookup(PlannerInfo *root, RelOptInfo *rel, const SmfColumn *columns,
				RestrictInfo *clause)
{
	OpExpr	   *op = (OpExpr *) clause->clause;
	Node	   *left;
	Node	   *right;
	Node	   *value;

	if (!IsA(op, OpExpr) || op->opno != TextEqualOperator)
		return NULL;
	if (!get_collation_isdeterministic(op->inputcollid))
		return NULL;

	left = linitial(op->args);
	right = lsecond(op->args);
	if (smf_is_name_column(columns, rel, left))
		value = right;
	else if (smf_is_name_column(columns, rel, right))
		value = left;
	else
		return NULL;

	if (bms_is_member(rel->relid, pull_varnos(root, value)) ||
		contain_volatile_functions(value) || contain_subplans(value))
		return NULL;
	return (Expr *) value;
}
