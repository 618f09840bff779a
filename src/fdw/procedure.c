/*-------------------------------------------------------------------------
 *
 * procedure.c
 *		Functions that the PL/pgSQL procedures need beyond SQL: errors without the
 *		context of statements that the user did not write, a check of the caller's
 *		privileges on a target, and locks that only a refresh takes.
 *
 * A function that calls another finds it by name: the body of "f" is "f_body" with the
 * same arguments, in the same schema.  Both are in sagemaker_fdw_internal, as are the
 * functions of this file, which have no prefix there: refresh_lock, lock_table.
 *
 * A function with its owner's privileges (SECURITY DEFINER) cannot tell who called it,
 * and a GRANT on all functions of a schema lets anybody call it.  So the caller's
 * privileges on the target are checked here, and only then is the body called with the
 * owner's privileges.  The body itself is not SECURITY DEFINER: called directly, it has
 * only its caller's privileges.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* before version 16, PG_FUNCTION_INFO_V1 alone leaves the function itself hidden */
extern PGDLLEXPORT Datum sagemaker_fdw_call(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_call_for_target(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_refuse_transaction(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_refresh_lock(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_refresh_lock_name(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_refresh_lock_tables(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_lock_table(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_refresh_hold(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum sagemaker_fdw_refresh_resume(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(sagemaker_fdw_call);
PG_FUNCTION_INFO_V1(sagemaker_fdw_call_for_target);
PG_FUNCTION_INFO_V1(sagemaker_fdw_refuse_transaction);
PG_FUNCTION_INFO_V1(sagemaker_fdw_refresh_lock);
PG_FUNCTION_INFO_V1(sagemaker_fdw_refresh_lock_name);
PG_FUNCTION_INFO_V1(sagemaker_fdw_refresh_lock_tables);
PG_FUNCTION_INFO_V1(sagemaker_fdw_lock_table);
PG_FUNCTION_INFO_V1(sagemaker_fdw_refresh_hold);
PG_FUNCTION_INFO_V1(sagemaker_fdw_refresh_resume);

/*
 * Classes of advisory locks.  SQL's own functions use only classes 1 and 2; the view
 * sagemaker_fdw_refresh_status looks for class 3.
 */
typedef enum RefreshLockClass
{
	/* on a target, with a number for server and region */
	REFRESH_LOCK_PARTITION = 3,
	/* on a schema, with a number for a table's name */
	REFRESH_LOCK_NAME
} RefreshLockClass;

/* The locks of the session's current refresh; in TopMemoryContext. */
static LOCKTAG *locks = NULL;
static int	nlocks = 0;
static int	max_locks = 0;

/* Are they held by the session, between two transactions? */
static bool locks_held = false;

/*
 * Keep the extension of a function until the transaction ends; raise 42704 where it is gone.
 * What runs finds the other functions by name, in a schema that goes with the extension
 * and that any role with CREATE on the database may make anew.
 */
static void
lock_extension(Oid function)
{
	Oid			extension = getExtensionOfObject(ProcedureRelationId, function);

	if (OidIsValid(extension))
		LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	if (!SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(function)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension sagemaker_fdw was dropped meanwhile")));
}

/* Look up the body of the function that is called, once for a call site. */
static FmgrInfo *
body_of(FunctionCallInfo fcinfo)
{
	FmgrInfo   *body = fcinfo->flinfo->fn_extra;
	HeapTuple	tuple;
	Form_pg_proc form;
	char	   *name;
	Oid			oid;

	if (body != NULL)
		return body;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	name = psprintf("%s_body", NameStr(form->proname));
	oid = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
						  PointerGetDatum(&form->proargtypes), ObjectIdGetDatum(form->pronamespace));
	if (!OidIsValid(oid))
		elog(ERROR, "cache lookup failed for function \"%s\"", name);
	ReleaseSysCache(tuple);
	body = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(FmgrInfo));
	fmgr_info_cxt(oid, body, fcinfo->flinfo->fn_mcxt);
	fcinfo->flinfo->fn_extra = body;
	return body;
}

/*
 * Call the body with the same arguments.
 *
 * Errors are raised again without their context and without the statement in which they
 * were found: both show functions and statements that the user did not write, and are
 * pages long.  To help find the cause, the context is logged at level DEBUG1, and
 * internal errors keep it.
 */
static Datum
call_body(FunctionCallInfo fcinfo)
{
	LOCAL_FCINFO(call, FUNC_MAX_ARGS);
	MemoryContext caller = CurrentMemoryContext;
	Datum volatile result = (Datum) 0;

	PG_TRY();
	{
		/* The same arguments, without copying them. */
		lock_extension(fcinfo->flinfo->fn_oid);
		InitFunctionCallInfoData(*call, body_of(fcinfo), fcinfo->nargs, fcinfo->fncollation, NULL, NULL);
		memcpy(call->args, fcinfo->args, fcinfo->nargs * sizeof(NullableDatum));
		result = FunctionCallInvoke(call);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* Remove the context from the error, and raise it again. */
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_INTERNAL_ERROR)
		{
			if (error->context != NULL)
				ereport(DEBUG1, errmsg_internal("context of an error: %s", error->context));
			error->context = NULL;
			error->internalquery = NULL;
			error->internalpos = 0;
		}
		ReThrowError(error);
	}
	PG_END_TRY();
	fcinfo->isnull = call->isnull;
	return result;
}

/*
 * sagemaker_fdw_call(...)
 *		Call the body of the SQL function that this one implements; its errors have no
 *		context.
 */
Datum
sagemaker_fdw_call(PG_FUNCTION_ARGS)
{
	return call_body(fcinfo);
}

/* Raise 42501 unless the current role may insert into and update the table. */
static void
check_target(Oid target)
{
	const AclMode needed = ACL_INSERT | ACL_UPDATE;
	const char *name;

	if (superuser() || pg_class_aclmask(target, GetUserId(), needed, ACLMASK_ALL) == needed)
		return;
	name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(target)), get_rel_name(target));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for target %s", name),
			 errhint("GRANT INSERT, UPDATE ON %s TO %s.", name,
					 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}

/* The role that owns a function. */
static Oid
owner_of_function(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * sagemaker_fdw_call_for_target(target regclass, ...)
 *		The same, if the current role may write the target, and with the privileges of
 *		this function's owner, that is, of the extension.
 */
Datum
sagemaker_fdw_call_for_target(PG_FUNCTION_ARGS)
{
	Oid			role;
	int			security;
	Datum		result;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("target must not be NULL")));
	check_target(PG_GETARG_OID(0));
	/* after an error, the end of its transaction or subtransaction restores the role */
	GetUserIdAndSecContext(&role, &security);
	SetUserIdAndSecContext(owner_of_function(fcinfo->flinfo->fn_oid), security | SECURITY_LOCAL_USERID_CHANGE);
	result = call_body(fcinfo);
	SetUserIdAndSecContext(role, security);
	return result;
}

/*
 * sagemaker_fdw_refuse_transaction(command text)
 *		Raise 25001 if the procedure that calls this cannot commit, because it is in a
 *		transaction block or in a function.
 */
Datum
sagemaker_fdw_refuse_transaction(PG_FUNCTION_ARGS)
{
	char	   *command = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		in_block = IsTransactionBlock() || IsSubTransaction();

	if (!in_block && SPI_inside_nonatomic_context())
		PG_RETURN_VOID();

	/*
	 * the context would show the procedure itself, or the function that the message
	 * mentions
	 */
	error_context_stack = NULL;
	if (in_block)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", command),
				 errdetail("It commits what it has done, step by step."),
				 errhint("Send the CALL as a statement of its own, without BEGIN. Drivers that begin transactions themselves, such as psycopg, need autocommit.")));
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("%s cannot run inside a function", command),
			 errdetail("It commits what it has done, step by step."),
			 errhint("Send the CALL as a statement of its own, or from a procedure or a DO block.")));
}

/*
 * At the end of a transaction: a commit without sagemaker_fdw_refresh_hold ends the run,
 * and its locks are released with it.  An abort releases only the transaction's locks, so
 * the session's locks are released here.
 */
static void
end_of_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && !locks_held)
		nlocks = 0;
	if (event != XACT_EVENT_ABORT)
		return;
	while (nlocks > 0)
	{
		nlocks--;
		if (locks_held)
			LockRelease(&locks[nlocks], ExclusiveLock, true);
	}
	locks_held = false;
}

/* Take a lock for the transaction, unless another session holds it. */
static bool
take_lock(Oid object, uint32 number, RefreshLockClass class)
{
	static bool registered = false;
	LOCKTAG		tag;

	if (!registered)
		RegisterXactCallback(end_of_transaction, NULL);
	registered = true;
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, object, number, class);
	if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	if (class != REFRESH_LOCK_PARTITION)
		return true;

	/* remember a partition's lock: it is held until the run ends */
	if (nlocks == max_locks)
	{
		int			wanted = Max(16, 2 * max_locks);

		locks = locks == NULL ? MemoryContextAlloc(TopMemoryContext, wanted * sizeof(LOCKTAG)) :
			repalloc(locks, wanted * sizeof(LOCKTAG));
		max_locks = wanted;
	}
	locks[nlocks++] = tag;
	return true;
}

/*
 * sagemaker_fdw_refresh_lock(target regclass, number oid)
 *		Take the lock on a target's partition for the transaction; false if another
 *		session holds it.  The current role must be allowed to write the target;
 *		otherwise anybody could prevent others from refreshing it.
 */
Datum
sagemaker_fdw_refresh_lock(PG_FUNCTION_ARGS)
{
	check_target(PG_GETARG_OID(0));
	PG_RETURN_BOOL(take_lock(PG_GETARG_OID(0), PG_GETARG_OID(1), REFRESH_LOCK_PARTITION));
}

/*
 * sagemaker_fdw_refresh_lock_name(schema_name name, table_name name)
 *		Take the lock on the name of a table that is to be created; false if another
 *		session holds it.  A role that may not create it gets no lock, and no error
 *		yet: creating the table will raise that.
 */
Datum
sagemaker_fdw_refresh_lock_name(PG_FUNCTION_ARGS)
{
	const char *table_name = NameStr(*PG_GETARG_NAME(1));
	Oid			schema = get_namespace_oid(NameStr(*PG_GETARG_NAME(0)), false);

	if (!DatumGetBool(DirectFunctionCall2(has_schema_privilege_id, ObjectIdGetDatum(schema),
										  PointerGetDatum(cstring_to_text("CREATE")))))
		PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(take_lock(schema, hash_bytes((const unsigned char *) table_name, strlen(table_name)),
							 REFRESH_LOCK_NAME));
}

/* Lock a table by its OID until the transaction ends; raise 42P01 if it no longer exists. */
static void
lock_table(Oid table, LOCKMODE mode)
{
	LockRelationOid(table, mode);
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", table)));
}

/*
 * sagemaker_fdw_refresh_lock_tables(target regclass, leaf regclass)
 *		Lock both tables as statements do that write the target and read the leaf, for
 *		a role that may do so.  Such statements find the tables by name later: by then
 *		they need not wait, and neither table can be dropped, renamed or altered.
 */
Datum
sagemaker_fdw_refresh_lock_tables(PG_FUNCTION_ARGS)
{
	Oid			target = PG_GETARG_OID(0);
	Oid			leaf = PG_GETARG_OID(1);

	check_target(target);
	if (pg_class_aclcheck(leaf, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(leaf, GetUserId(), ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_TABLE, get_rel_name(leaf));
	lock_table(leaf, AccessShareLock);
	lock_table(target, RowExclusiveLock);
	PG_RETURN_VOID();
}

/*
 * sagemaker_fdw_lock_table(target regclass)
 *		Lock a table by its OID until the transaction ends, so that only one
 *		transaction at a time changes it, for a role that may write it.  Locking by
 *		name is not safe: after waiting, the lock may be on another table that has
 *		taken that name in the meantime.  Look up the table's name and owner only after
 *		locking it.
 */
Datum
sagemaker_fdw_lock_table(PG_FUNCTION_ARGS)
{
	check_target(PG_GETARG_OID(0));
	lock_table(PG_GETARG_OID(0), ShareUpdateExclusiveLock);
	PG_RETURN_VOID();
}

/*
 * sagemaker_fdw_refresh_hold()
 *		Keep the run's locks past the end of the transaction, if that is a commit,
 *		until sagemaker_fdw_refresh_resume transfers them to the next one.
 */
Datum
sagemaker_fdw_refresh_hold(PG_FUNCTION_ARGS)
{
	if (locks_held)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("locks of a refresh are already held"),
				 errdetail("The locks held at the last commit have not been taken over by this transaction."),
				 errhint("This function is part of sagemaker_fdw_refresh: call that instead.")));
	for (int i = 0; i < nlocks; i++)
	{
		/*
		 * drop a lock that was released by a rollback to a savepoint and taken by another
		 * session
		 */
		if (LockAcquire(&locks[i], ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
			locks[i--] = locks[--nlocks];
	}
	locks_held = nlocks > 0;
	PG_RETURN_VOID();
}

/*
 * sagemaker_fdw_refresh_resume()
 *		Transfer the locks that are held to the current transaction.
 */
Datum
sagemaker_fdw_refresh_resume(PG_FUNCTION_ARGS)
{
	if (!locks_held)
		PG_RETURN_VOID();
	for (int i = 0; i < nlocks; i++)
	{
		(void) LockAcquire(&locks[i], ExclusiveLock, false, false);
		LockRelease(&locks[i], ExclusiveLock, true);
	}
	locks_held = false;
	PG_RETURN_VOID();
}
