/*-------------------------------------------------------------------------
 *
 * stats.c
 *		What calls have cost, totalled by server, role, region and operation.
 *
 * The totals count from the start of the cluster, or for this session only: see shared.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "aws/stats.h"
#include "port/atomics.h"

/* The payload of a key. */
typedef struct StatsPayload
{
	pg_atomic_uint64 figures[SMF_FIGURES];
} StatsPayload;

/* Where smf_stats_read puts its results. */
typedef struct StatsCopy
{
	CallFigures *rows;			/* has room for all */
	int			nrows;
} StatsCopy;

static void
init_stats(void *payload)
{
	for (int i = 0; i < SMF_FIGURES; i++)
		pg_atomic_init_u64(&((StatsPayload *) payload)->figures[i], 0);
}

static SharedTable stats = {
	.part.name = "sagemaker_fdw stats 3",
	.payload_size = sizeof(StatsPayload),
	.init_payload = init_stats
};

/* Request the shared memory when the library is loaded. */
void
smf_stats_reserve(void)
{
	smf_shared_table_reserve(&stats);
}

/* Call this before the first use of the functions below; may raise an error. */
void
smf_stats_attach(void)
{
	smf_shared_table_attach(&stats);
}

/* Add to a figure.  Raises no error. */
void
smf_stats_add(const SharedKey *key, CallFigure figure, int64 n)
{
	StatsPayload *payload;

	if (n == 0)
		return;
	payload = smf_shared_table_lock(&stats, key);
	pg_atomic_fetch_add_u64(&payload->figures[figure], n);
	smf_shared_table_unlock(&stats);
}

static bool
copy_row(void *arg, const SharedKey *key, void *payload)
{
	StatsCopy  *copy = arg;
	CallFigures *row = &copy->rows[copy->nrows++];

	row->key = *key;
	for (int i = 0; i < SMF_FIGURES; i++)
		row->figures[i] = (int64) pg_atomic_read_u64(&((StatsPayload *) payload)->figures[i]);
	return false;
}

/* What calls have cost in this database: palloc'ed, with their number. */
CallFigures *
smf_stats_read(int *n)
{
	StatsCopy	copy = {0};

	copy.rows = palloc(smf_shared_table_capacity(&stats) * sizeof(CallFigures));
	smf_shared_table_visit(&stats, LW_SHARED, copy_row, &copy);
	*n = copy.nrows;
	return copy.rows;
}

static bool
forget_row(void *arg, const SharedKey *key, void *payload)
{
	return true;
}

/* Reset the figures of all roles in this database. */
void
smf_stats_reset(void)
{
	smf_shared_table_visit(&stats, LW_EXCLUSIVE, forget_row, NULL);
}
