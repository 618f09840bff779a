/*-------------------------------------------------------------------------
 *
 * floor.c
 *		The least that the calls of a scan can take: libcurl alone.
 *
 *	floor URL JOBS CONCURRENCY all|list|search|names|cold|fresh
 *
 * A bare multi loop makes the calls that a scan of so many jobs makes (pages one after
 * another, a job's Describe once the page with it has come), and throws the bodies away.
 * It knows names and tokens beforehand, reads nothing, and signs nothing.  Prints one line:
 * calls, seconds, seconds to the first job, seconds of CPU in user mode and in the kernel, peak
 * resident memory in kB.
 *
 * "names" makes the Describe calls alone; so does "fresh", each on a connection of its own.
 * The clock runs once the loop is set up and has made one call, as the others have; with
 * "cold", which is "names" otherwise, from the program's first line on.
 *
 * Over TLS, the certificates are those that libcurl was built to trust, read once and kept,
 * and connections share sessions that may be resumed.
 *
 *-------------------------------------------------------------------------
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define PAGE 100

/* One connection's worth of calls. */
typedef struct Slot
{
	CURL	   *easy;
	struct curl_slist *headers[3];	/* by what is asked for */
	bool		page;			/* the call in flight is for a page */
	char		body[256];
} Slot;

typedef enum Call
{
	CALL_LIST,
	CALL_DESCRIBE,
	CALL_SEARCH
} Call;

static const char *const targets[] = {
	"X-Amz-Target: SageMaker.ListTrainingJobs",
	"X-Amz-Target: SageMaker.DescribeTrainingJob",
	"X-Amz-Target: SageMaker.Search"
};

static long jobs;
static bool describe;			/* each job, too */
static bool search;
static long listed;				/* by pages that have come */
static long asked;				/* jobs whose Describe has begun */
static bool page_in_flight;
static bool fresh;				/* connections are not kept */
static CURLSH *tls_sessions;	/* shared by all slots */
static long calls;

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static size_t
throw_away(char *data, size_t size, size_t n, void *arg)
{
	return size * n;
}

/* Begin the slot's next call; false when there is none to make now. */
static bool
begin(CURLM *multi, Slot *slot)
{
	Call		call;

	/* a page is asked for before the jobs of the one before are through, as a scan does */
	if (!page_in_flight && listed < jobs && (!describe || listed - asked < PAGE))
	{
		char		token[64] = "";

		if (listed > 0)
			snprintf(token, sizeof(token), ", \"NextToken\": \"%ld\"", listed + 1);
		snprintf(slot->body, sizeof(slot->body),
				 "{\"MaxResults\": %d%s, \"SortBy\": \"CreationTime\", \"SortOrder\": \"Descending\"%s}",
				 PAGE, search ? ", \"Resource\": \"TrainingJob\"" : "", token);
		slot->page = page_in_flight = true;
		call = search ? CALL_SEARCH : CALL_LIST;
	}
	else if (describe && asked < listed)
	{
		snprintf(slot->body, sizeof(slot->body), "{\"TrainingJobName\": \"bulk-%06ld\"}", ++asked);
		slot->page = false;
		call = CALL_DESCRIBE;
	}
	else
		return false;
	curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers[call]);
	curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, slot->body);
	curl_multi_add_handle(multi, slot->easy);
	calls++;
	return true;
}

static struct curl_slist *
make_headers(const char *target)
{
	struct curl_slist *headers = curl_slist_append(NULL, target);

	headers = curl_slist_append(headers, "Content-Type: application/x-amz-json-1.1");
	return curl_slist_append(headers, "Expect:");
}

static void
make_slot(Slot *slot, const char *url)
{
	const char *bundle = curl_version_info(CURLVERSION_NOW)->cainfo;

	slot->easy = curl_easy_init();
	for (int call = 0; call < 3; call++)
		slot->headers[call] = make_headers(targets[call]);
	curl_easy_setopt(slot->easy, CURLOPT_URL, url);
	curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, throw_away);
	curl_easy_setopt(slot->easy, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(slot->easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(slot->easy, CURLOPT_SHARE, tls_sessions);
	curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
	curl_easy_setopt(slot->easy, CURLOPT_FORBID_REUSE, (long) fresh);
	/* with a directory beside it, libcurl would read the file for each connection */
	if (bundle != NULL)
		curl_easy_setopt(slot->easy, CURLOPT_CAPATH, NULL);
}

/* Take back the slots whose calls are done; false when there are none. */
static bool
finish(CURLM *multi, Slot **idle, int *nidle, double started, double *first)
{
	CURLMsg    *message;
	int			left;
	bool		ended = false;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		Slot	   *slot;

		if (message->data.result != CURLE_OK)
		{
			fprintf(stderr, "floor: %s\n", curl_easy_strerror(message->data.result));
			exit(1);
		}
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
		curl_multi_remove_handle(multi, slot->easy);
		idle[(*nidle)++] = slot;
		ended = true;
		if (slot->page)
		{
			page_in_flight = false;
			listed = listed + PAGE < jobs ? listed + PAGE : jobs;
		}
		if (*first == 0 && slot->page != describe)
			*first = now_s() - started;
	}
	return ended;
}

/* Make all calls, as many at once as there are slots; returns the seconds to the first job. */
static double
make_calls(CURLM *multi, Slot **idle, int concurrency, double started)
{
	int			nidle = concurrency;
	double		first = 0;

	do
	{
		int			running;

		while (nidle > 0 && begin(multi, idle[nidle - 1]))
			nidle--;
		if (curl_multi_perform(multi, &running) != CURLM_OK)
			exit(1);
		/* slots that have become free are not to wait */
		if (!finish(multi, idle, &nidle, started, &first) && nidle < concurrency)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	} while (nidle < concurrency || listed < jobs || (describe && asked < jobs));
	return first;
}

static double
seconds_of(const struct timeval *time)
{
	return time->tv_sec + time->tv_usec / 1e6;
}

int
main(int argc, char **argv)
{
	CURLM	   *multi;
	Slot	   *slots;
	Slot	  **idle;
	const char *mode;
	int			concurrency;
	long		all_jobs;
	double		started = now_s();
	double		first;
	struct rusage before = {0};
	struct rusage after;

	if (argc != 5 || (all_jobs = atol(argv[2])) < 1 || (concurrency = atoi(argv[3])) < 1)
	{
		fprintf(stderr, "usage: floor URL JOBS CONCURRENCY all|list|search|names|cold|fresh\n");
		return 2;
	}
	mode = argv[4];
	search = strcmp(mode, "search") == 0;
	fresh = strcmp(mode, "fresh") == 0;
	describe = !search && strcmp(mode, "list") != 0;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) concurrency);
	tls_sessions = curl_share_init();
	curl_share_setopt(tls_sessions, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	slots = calloc(concurrency, sizeof(Slot));
	idle = calloc(concurrency, sizeof(Slot *));
	for (int i = 0; i < concurrency; i++)
	{
		make_slot(&slots[i], argv[1]);
		idle[i] = &slots[i];
	}

	if (strcmp(mode, "cold") != 0)
	{
		bool		describe_all = describe;

		describe = true;
		jobs = listed = 1;
		make_calls(multi, idle, concurrency, started);
		describe = describe_all;
		listed = asked = calls = 0;
		getrusage(RUSAGE_SELF, &before);
		started = now_s();
	}
	jobs = all_jobs;
	if (describe && strcmp(mode, "all") != 0)
		listed = jobs;
	first = make_calls(multi, idle, concurrency, started);

	getrusage(RUSAGE_SELF, &after);
	printf("%ld %.6f %.6f %.6f %.6f %ld\n", calls, now_s() - started, first,
		   seconds_of(&after.ru_utime) - seconds_of(&before.ru_utime),
		   seconds_of(&after.ru_stime) - seconds_of(&before.ru_stime), after.ru_maxrss);
	return 0;
}
