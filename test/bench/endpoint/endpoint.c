/*-------------------------------------------------------------------------
 *
 * endpoint.c
 *		A SageMaker-compatible endpoint that is fast enough to measure others with.
 *
 *	endpoint TEMPLATES READY_FILE ANCHOR CERTIFICATES KEY [poll]
 *
 * One process, one epoll loop, HTTP/1.1 with kept connections, on 127.0.0.1, on one port as
 * it is and on another over TLS: 1.3 with who knows it, with tickets to resume a session by.
 * CERTIFICATES is a file with its own certificate and those between it and a root.  It serves
 * ListTrainingJobs, DescribeTrainingJob, Search and ListTags for any number of jobs, made
 * from templates when they are asked for (templates.py), each region having the same ones:
 * job 1 is the newest, created a minute before ANCHOR (epoch seconds), and a minute lies between
 * two jobs.  All have ended; where ANCHOR is a day ago, hours ago.  READY_FILE is written with two
 * lines, the http and the https URL.  With "poll" it never sleeps: on a processor of its own it
 * answers at once, and no client has to wake it, which would be time of the client's.
 *
 *	POST /_control/config?latency_ms=20&jobs=10000		before each answer; how many there are
 *	POST /_control/config?calls_per_s=5		that each operation bears, as many being saved up; 0: any number
 *	POST /_control/change?jobs=50		so many, evenly spread, are modified a second later
 *	GET /_control/calls		the calls since this was last asked: "Search=3", or "none"
 *	POST /_control/close	ends all TLS connections, as a service does with idle ones
 *	GET /_control/handshakes	those of TLS since this was last asked, and how many of them
 *							resumed a session: "all=16 resumed=0"
 *
 * Not accounted for: signatures are not verified (the tests' own endpoint does that; the
 * region is taken from their scope), there are no faults but throttling, requests are not
 * pipelined, and what a request may hold beside the page, its order, the bounds on creation
 * time and the names that Search is asked for is refused rather than overlooked.  A handshake
 * that the socket has no room for ends the connection.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX (64 * 1024)
#define JOBS_MAX 1000000
#define TEMPLATES_MAX 64
#define REGION_MAX 32
#define DEFAULT_PAGE 10
#define LARGEST_PAGE 100
#define VALUE_MAX 1024			/* of a filter */
#define FILTERS_MAX 20
#define NAMES_MAX 256
#define SECONDS_BETWEEN_JOBS 60
/* every job is created that far into its second */
#define CREATED_MS 123
#define NAME_PREFIX "bulk-"
#define NAME_DIGITS 6
#define EVENTS_MAX 256
#define DESCRIPTORS_MAX 4096

/* What stands for a hole in a template. */
#define HOLE_INDEX 0x01
#define HOLE_REGION 0x02
#define HOLE_TIME 0x03
#define HOLE_MODIFIED 0x04

typedef enum Operation
{
	OP_LIST,
	OP_DESCRIBE,
	OP_SEARCH,
	OP_LIST_TAGS,
	OP_NONE						/* also their number */
} Operation;

static const char *const operation_names[] = {
	"ListTrainingJobs", "DescribeTrainingJob", "Search", "ListTags"
};

/* The texts about one job. */
typedef enum Text
{
	TEXT_DOCUMENT,
	TEXT_SUMMARY,
	TEXT_RECORD,
	TEXTS
} Text;

/* A stretch of a template, and the hole behind it. */
typedef struct Piece
{
	const char *text;
	size_t		len;
	char		hole;			/* 0: none, it is the last */
	int64_t		offset_ms;		/* HOLE_TIME, HOLE_MODIFIED: after the creation */
} Piece;

typedef struct Template
{
	Piece	   *pieces;
	int			npieces;
} Template;

typedef struct Buffer
{
	char	   *data;
	size_t		len;
	size_t		size;
} Buffer;

/* A request, as far as it was understood. */
typedef struct Request
{
	Operation	operation;
	bool		close;			/* the client wants no further one */
	char		region[REGION_MAX];
	int			max_results;
	long		next;			/* NextToken: the job that the page begins with; 0: none */
	double		after;			/* bounds on creation time, epoch seconds */
	double		before;
	bool		ascending;
	char		name[512];		/* TrainingJobName, or the end of ResourceArn */
	bool		by_name;		/* Search: only these jobs, those that exist of the names in the filters */
	long		wanted[NAMES_MAX];
	int			nwanted;
} Request;

/* What an operation may be called still: tokens, a call taking one. */
typedef struct Bucket
{
	double		tokens;
	int64_t		filled_us;		/* when they were counted */
} Bucket;

typedef struct Connection
{
	int			fd;
	SSL		   *tls;			/* NULL: without */
	bool		writing;		/* out has more than the socket took */
	char		in[REQUEST_MAX];
	size_t		in_len;
	Buffer		out;
	size_t		out_sent;
	Request		request;		/* that waits for its time */
	const char *refused;		/* why it cannot be served, or NULL */
	bool		throttled;		/* that is one call too many */
	int64_t		due_us;
	struct Connection *next;	/* in the queue of those that wait */
} Connection;

/* All answers wait equally long, so that they leave in the order of arrival: a queue will do. */
static Connection *queue_head;
static Connection *queue_tail;

static Template templates[TEXTS][TEMPLATES_MAX];
static int	ntemplates;
static int64_t anchor_s;
static long njobs;
static int64_t latency_us;
static long calls_per_s;		/* that each operation bears; 0: any number */
static Bucket buckets[OP_NONE];
static uint8_t changes[JOBS_MAX + 1];	/* how often each job was modified */
static long calls[OP_NONE];
static int	epoll_fd;
static int	timer_fd;
static SSL_CTX *tls_context;
static bool speaks_tls[DESCRIPTORS_MAX];	/* is the descriptor a connection's with TLS? */
static long handshakes_told;	/* in the counts that the context keeps */
static long resumed_told;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ----- buffers ----- */

static char *
room(Buffer *buffer, size_t len)
{
	if (buffer->len + len > buffer->size)
	{
		buffer->size = 2 * (buffer->len + len);
		buffer->data = realloc(buffer->data, buffer->size);
		if (buffer->data == NULL)
			die("memory");
	}
	return buffer->data + buffer->len;
}

static void
put(Buffer *buffer, const char *text, size_t len)
{
	memcpy(room(buffer, len), text, len);
	buffer->len += len;
}

static void
put_string(Buffer *buffer, const char *text)
{
	put(buffer, text, strlen(text));
}

/* Append what fits into 512 bytes. */
static void
put_format(Buffer *buffer, const char *format,...)
{
	char		text[512];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	put_string(buffer, text);
}

/* Exactly so many digits. */
static void
put_digits(Buffer *buffer, int64_t number, int digits)
{
	char	   *at = room(buffer, digits);

	for (int i = digits - 1; i >= 0; i--, number /= 10)
		at[i] = '0' + number % 10;
	buffer->len += digits;
}

/* ----- jobs ----- */

static void
add_piece(Template *template, const char *text, size_t len, char hole, int64_t offset_ms)
{
	template->pieces = realloc(template->pieces, (template->npieces + 1) * sizeof(Piece));
	if (template->pieces == NULL)
		die("memory");
	template->pieces[template->npieces++] = (Piece) {text, len, hole, offset_ms};
}

/* Cut a text at its holes. */
static void
cut(Template *template, char *text, size_t len)
{
	char	   *begin = text;
	char	   *end = text + len;

	for (char *at = text; at < end; at++)
	{
		char		hole = *at;
		char	   *behind = at + 1;
		int64_t		offset_ms = 0;

		if (hole < HOLE_INDEX || hole > HOLE_MODIFIED)
			continue;
		if (hole >= HOLE_TIME)
		{
			offset_ms = strtoll(at + 1, &behind, 10);
			behind++;
		}
		add_piece(template, begin, at - begin, hole, offset_ms);
		begin = behind;
		at = behind - 1;
	}
	add_piece(template, begin, end - begin, 0, 0);
}

static void
read_templates(const char *path)
{
	FILE	   *file = fopen(path, "r");

	if (file == NULL)
		die(path);
	if (fscanf(file, "%d%*c", &ntemplates) != 1 || ntemplates < 1 || ntemplates > TEMPLATES_MAX)
		die("number of templates");
	for (int i = 0; i < ntemplates; i++)
	{
		for (int text = 0; text < TEXTS; text++)
		{
			size_t		len;
			char	   *data;

			if (fscanf(file, "%zu%*c", &len) != 1)
				die("length of a template");
			data = calloc(len + 1, 1);
			if (data == NULL || fread(data, 1, len, file) != len)
				die("template");
			cut(&templates[text][i], data, len);
		}
	}
	fclose(file);
}

/* A text about a job. */
static void
put_job(Buffer *buffer, Text text, long index, const char *region)
{
	const Template *template = &templates[text][index % ntemplates];
	int64_t		created_ms = (anchor_s - index * SECONDS_BETWEEN_JOBS) * 1000 + CREATED_MS;

	for (int i = 0; i < template->npieces; i++)
	{
		const Piece *piece = &template->pieces[i];
		int64_t		ms = created_ms + piece->offset_ms;

		put(buffer, piece->text, piece->len);
		switch (piece->hole)
		{
			case HOLE_INDEX:
				put_digits(buffer, index, NAME_DIGITS);
				break;
			case HOLE_REGION:
				put_string(buffer, region);
				break;
			case HOLE_MODIFIED:
				ms += changes[index] * 1000;
				/* FALLTHROUGH */
			case HOLE_TIME:
				put_digits(buffer, ms / 1000, 10);
				put(buffer, ".", 1);
				put_digits(buffer, ms % 1000, 3);
				break;
		}
	}
}

/* The number of the job with the name; 0 when there is none. */
static long
job_index(const char *name)
{
	long		index = 0;

	if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
		return 0;
	name += strlen(NAME_PREFIX);
	if (strlen(name) != NAME_DIGITS)
		return 0;
	for (; *name; name++)
	{
		if (*name < '0' || *name > '9')
			return 0;
		index = index * 10 + (*name - '0');
	}
	return index <= njobs ? index : 0;
}

static double
created_s(long index)
{
	return anchor_s - index * SECONDS_BETWEEN_JOBS + CREATED_MS / 1000.0;
}

/* The first job, in descending order, that was created at that time or before. */
static long
first_created_by(double time_s)
{
	long		low = 1;
	long		high = njobs + 1;

	while (low < high)
	{
		long		middle = (low + high) / 2;

		if (created_s(middle) <= time_s)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* ----- requests ----- */

static void
skip_space(const char **at)
{
	while (**at == ' ' || **at == '\n' || **at == '\t' || **at == '\r')
		(*at)++;
}

/* A string without escapes; false when there is none, or too long a one. */
static bool
read_string(const char **at, char *string, size_t size)
{
	size_t		len = 0;

	if (**at != '"')
		return false;
	for ((*at)++; **at != '"'; (*at)++)
	{
		if (**at == '\0' || **at == '\\' || len + 1 >= size)
			return false;
		string[len++] = **at;
	}
	(*at)++;
	string[len] = '\0';
	return true;
}

/* Skip the character if it comes next, and space around it; false when another does. */
static bool
skip(const char **at, char character)
{
	skip_space(at);
	if (**at != character)
		return false;
	(*at)++;
	skip_space(at);
	return true;
}

/* Want the jobs that exist of those in a list of names; what is wrong with it, or NULL. */
static const char *
want_names(Request *request, char *list)
{
	char	   *rest = NULL;

	for (char *name = strtok_r(list, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest))
	{
		long		index = job_index(name);

		if (index == 0)
			continue;
		if (request->nwanted == NAMES_MAX)
			return "Too many names";
		request->wanted[request->nwanted++] = index;
	}
	return NULL;
}

/* A filter of Search: names in a list, and no other; returns what is wrong with it, or NULL. */
static const char *
read_filter(Request *request, const char **at)
{
	char		key[64];
	char		text[VALUE_MAX + 1];
	char		list[VALUE_MAX + 1] = "";

	if (!skip(at, '{'))
		return "A filter is expected";
	do
	{
		if (!read_string(at, key, sizeof(key)) || !skip(at, ':') || !read_string(at, text, sizeof(text)))
			return "Not a member of a filter, or too long a value";
		if (strcmp(key, "Value") == 0)
			strcpy(list, text);
		else if (!(strcmp(key, "Name") == 0 && strcmp(text, "TrainingJobName") == 0) &&
				 !(strcmp(key, "Operator") == 0 && strcmp(text, "In") == 0))
			return "Not served here";
	} while (skip(at, ','));
	return skip(at, '}') ? want_names(request, list) : "A filter is not closed";
}

/* Newest first. */
static int
compare_wanted(const void *a, const void *b)
{
	long		first = *(const long *) a;
	long		second = *(const long *) b;

	return (first > second) - (first < second);
}

/* The expression of Search: filters joined by Or; returns what is wrong with it, or NULL. */
static const char *
read_expression(Request *request, const char **at)
{
	char		key[64];
	char		text[64] = "";
	bool		joined_by_or = false;
	int			nfilters = 0;

	request->by_name = true;
	if (!skip(at, '{'))
		return "An expression is expected";
	do
	{
		if (!read_string(at, key, sizeof(key)) || !skip(at, ':'))
			return "A member of the expression is expected";
		if (strcmp(key, "Operator") == 0 && read_string(at, text, sizeof(text)))
		{
			joined_by_or = strcmp(text, "Or") == 0;
			continue;
		}
		if (strcmp(key, "Filters") != 0 || !skip(at, '['))
			return "Not served here";
		do
		{
			const char *problem = read_filter(request, at);

			if (problem != NULL)
				return problem;
			nfilters++;
		} while (skip(at, ','));
		if (!skip(at, ']'))
			return "The filters are not closed";
	} while (skip(at, ','));
	if (!skip(at, '}') || nfilters > FILTERS_MAX || (nfilters > 1 && !joined_by_or))
		return "Not served here";
	qsort(request->wanted, request->nwanted, sizeof(long), compare_wanted);
	return NULL;
}

/* A member of the request; returns what is wrong with it, or NULL. */
static const char *
read_member(Request *request, const char *key, const char **at)
{
	char		text[512];
	char	   *end;

	if (strcmp(key, "SearchExpression") == 0)
		return read_expression(request, at);
	if (**at == '{' || **at == '[')
		return "Not served here";
	if (**at != '"')
	{
		double		number = strtod(*at, &end);

		if (end == *at)
			return "A number or a string is expected";
		*at = end;
		if (strcmp(key, "MaxResults") == 0 && number >= 1 && number <= LARGEST_PAGE)
			request->max_results = number;
		else if (strcmp(key, "CreationTimeAfter") == 0)
			request->after = number;
		else if (strcmp(key, "CreationTimeBefore") == 0)
			request->before = number;
		else
			return "Not served here";
		return NULL;
	}
	if (!read_string(at, text, sizeof(text)))
		return "Too long a string";
	if (strcmp(key, "NextToken") == 0)
	{
		request->next = atol(text);
		return request->next > 0 ? NULL : "Invalid NextToken.";
	}
	if (strcmp(key, "TrainingJobName") == 0 || strcmp(key, "ResourceArn") == 0)
	{
		const char *slash = strrchr(text, '/');

		snprintf(request->name, sizeof(request->name), "%s", slash ? slash + 1 : text);
		return NULL;
	}
	if (strcmp(key, "SortOrder") == 0)
	{
		request->ascending = strcmp(text, "Ascending") == 0;
		return NULL;
	}
	if ((strcmp(key, "SortBy") == 0 && strcmp(text, "CreationTime") == 0) ||
		(strcmp(key, "Resource") == 0 && strcmp(text, "TrainingJob") == 0))
		return NULL;
	return "Not served here";
}

/* The body, a JSON object; returns what is wrong with it, or NULL. */
static const char *
read_body(Request *request, const char *at)
{
	char		key[64];
	const char *problem;

	skip_space(&at);
	if (*at++ != '{')
		return "An object is expected";
	for (skip_space(&at); *at != '}'; skip_space(&at))
	{
		if (!read_string(&at, key, sizeof(key)))
			return "A member is expected";
		skip_space(&at);
		if (*at++ != ':')
			return "A colon is expected";
		skip_space(&at);
		problem = read_member(request, key, &at);
		if (problem != NULL)
			return problem;
		skip_space(&at);
		if (*at == ',')
			at++;
		skip_space(&at);
	}
	return NULL;
}

/* The value of a header, up to its line's end; NULL when it is not there. */
static const char *
header(const char *head, const char *name)
{
	size_t		len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n"))
	{
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
		{
			line += len + 1;
			skip_space(&line);
			return line;
		}
	}
	return NULL;
}

/* Which operation is asked for, and in which region. */
static void
read_head(Request *request, const char *head)
{
	const char *target = header(head, "X-Amz-Target");
	const char *scope = header(head, "Authorization");
	const char *connection = header(head, "Connection");

	memset(request, 0, sizeof(Request));
	request->operation = OP_NONE;
	request->max_results = DEFAULT_PAGE;
	request->after = -1e18;
	request->before = 1e18;
	request->close = connection != NULL && strncasecmp(connection, "close", 5) == 0;
	strcpy(request->region, "us-east-1");
	/* Credential=KEY/DATE/REGION/... */
	if (scope != NULL)
	{
		const char *line_end = strstr(scope, "\r\n");
		const char *begin = strchr(scope, '/');
		const char *end;

		begin = begin != NULL ? strchr(begin + 1, '/') : NULL;
		end = begin != NULL ? strchr(begin + 1, '/') : NULL;
		if (end != NULL && end < line_end && end - begin - 1 < REGION_MAX)
		{
			memcpy(request->region, begin + 1, end - begin - 1);
			request->region[end - begin - 1] = '\0';
		}
	}
	target = target != NULL ? strchr(target, '.') : NULL;
	for (int i = 0; target != NULL && i < OP_NONE; i++)
	{
		size_t		len = strlen(operation_names[i]);

		if (strncmp(target + 1, operation_names[i], len) == 0 && target[1 + len] == '\r')
			request->operation = i;
	}
}

/* ----- answers ----- */

/* What a page tells of a job; "first" of the page's. */
static void
put_listed(Buffer *body, const Request *request, Text text, long index, bool first)
{
	if (!first)
		put(body, ",", 1);
	if (text == TEXT_RECORD)
		put_string(body, "{\"TrainingJob\":");
	put_job(body, text, index, request->region);
	if (text == TEXT_RECORD)
		put(body, "}", 1);
}

/* The page ends, and with "next" another one follows that begins with it. */
static void
put_page_end(Buffer *body, long next)
{
	put(body, "]", 1);
	if (next != 0)
		put_format(body, ",\"NextToken\":\"%ld\"", next);
	put(body, "}", 1);
}

/* A page of jobs; "text" is what is told of each. */
static void
put_page(Buffer *body, const Request *request, Text text)
{
	long		low = first_created_by(request->before);
	long		high = first_created_by(request->after);	/* the one behind the last */
	long		step = request->ascending ? -1 : 1;
	long		at;
	long		behind;

	/* the bounds are inclusive, and a job is never created at a whole second */
	at = request->ascending ? high - 1 : low;
	behind = request->ascending ? low - 1 : high;
	if (request->next != 0)
		at = request->next;
	put_string(body, text == TEXT_SUMMARY ? "{\"TrainingJobSummaries\":[" : "{\"Results\":[");
	for (int i = 0; i < request->max_results && (behind - at) * step > 0; i++, at += step)
		put_listed(body, request, text, at, i == 0);
	put_page_end(body, (behind - at) * step > 0 ? at : 0);
}

/* A page of the jobs that Search is asked for by name. */
static void
put_wanted(Buffer *body, const Request *request)
{
	long		step = request->ascending ? -1 : 1;
	int			at = request->ascending ? request->nwanted - 1 : 0;
	int			n = 0;

	put_string(body, "{\"Results\":[");
	for (; at >= 0 && at < request->nwanted && n < request->max_results; at += step)
	{
		long		index = request->wanted[at];

		if (request->next == 0 || (index - request->next) * step >= 0)
			put_listed(body, request, TEXT_RECORD, index, n++ == 0);
	}
	put_page_end(body, at >= 0 && at < request->nwanted ? request->wanted[at] : 0);
}

/* The answer's status. */
static int
put_answer(Buffer *body, const Request *request, const char *refused, bool throttled)
{
	long		index = job_index(request->name);

	if (throttled)
	{
		put_string(body, "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}");
		return 400;
	}

	if (refused == NULL && index == 0 &&
		(request->operation == OP_DESCRIBE || request->operation == OP_LIST_TAGS))
		refused = "Requested resource not found.";
	if (refused != NULL || request->operation == OP_NONE)
	{
		put_format(body, "{\"__type\":\"ValidationException\",\"message\":\"%s\"}",
				   refused ? refused : "No such operation");
		return 400;
	}
	switch (request->operation)
	{
		case OP_LIST:
			put_page(body, request, TEXT_SUMMARY);
			break;
		case OP_SEARCH:
			if (request->by_name)
				put_wanted(body, request);
			else
				put_page(body, request, TEXT_RECORD);
			break;
		case OP_DESCRIBE:
			put_job(body, TEXT_DOCUMENT, index, request->region);
			break;
		case OP_LIST_TAGS:
			put_string(body, "{\"Tags\":[{\"Key\":\"team\",\"Value\":\"bulk\"}]}");
			break;
		case OP_NONE:
			break;
	}
	return 200;
}

static void
watch(Connection *connection, bool writing)
{
	struct epoll_event event = {.events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = connection};

	if (connection->writing == writing)
		return;
	connection->writing = writing;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) != 0)
		die("epoll_ctl");
}

static void
drop(Connection *connection)
{
	Connection *before = NULL;

	/* it may still wait for its time */
	for (Connection *at = queue_head; at != NULL; before = at, at = at->next)
	{
		if (at != connection)
			continue;
		if (before != NULL)
			before->next = at->next;
		else
			queue_head = at->next;
		if (queue_tail == at)
			queue_tail = before;
		break;
	}
	if (connection->tls != NULL)
		speaks_tls[connection->fd] = false;
	SSL_free(connection->tls);
	close(connection->fd);
	free(connection->out.data);
	free(connection);
}

/* What came of TLS, as recv and send say it: errno is EAGAIN where the socket must be waited for. */
static ssize_t
tls_result(Connection *connection, int done, int may_wait_for)
{
	int			error = SSL_get_error(connection->tls, done);

	if (done > 0)
		return done;
	errno = error == may_wait_for ? EAGAIN : EPROTO;
	return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t
receive_some(Connection *connection, char *data, size_t size)
{
	if (connection->tls == NULL)
		return recv(connection->fd, data, size, 0);
	ERR_clear_error();
	return tls_result(connection, SSL_read(connection->tls, data, size), SSL_ERROR_WANT_READ);
}

static ssize_t
send_some(Connection *connection, const char *data, size_t len)
{
	if (connection->tls == NULL)
		return send(connection->fd, data, len, MSG_NOSIGNAL);
	ERR_clear_error();
	return tls_result(connection, SSL_write(connection->tls, data, len), SSL_ERROR_WANT_WRITE);
}

/* Send what the socket takes; the connection may be gone afterwards. */
static void
flush(Connection *connection)
{
	while (connection->out_sent < connection->out.len)
	{
		ssize_t		sent = send_some(connection, connection->out.data + connection->out_sent,
									 connection->out.len - connection->out_sent);

		if (sent < 0 && errno == EAGAIN)
		{
			watch(connection, true);
			return;
		}
		if (sent < 0)
		{
			drop(connection);
			return;
		}
		connection->out_sent += sent;
	}
	if (connection->request.close)
		drop(connection);
	else
		watch(connection, false);
}

/* The head needs the body's length: room is left for it, and what is not needed skipped. */
#define HEAD_ROOM 320

/* The time of day, as a header has it; it changes once a second. */
static const char *
date_header(void)
{
	static char text[64];
	static time_t written_s;
	time_t		now_s = time(NULL);

	if (now_s != written_s)
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now_s));
	written_s = now_s;
	return text;
}

static void
send_answer(Connection *connection, int (*fill) (Buffer *, Connection *))
{
	Buffer	   *out = &connection->out;
	char		head[HEAD_ROOM];
	int			status;
	int			len;

	out->len = 0;
	room(out, HEAD_ROOM);
	out->len = HEAD_ROOM;
	status = fill(out, connection);
	len = snprintf(head, sizeof(head),
				   "HTTP/1.1 %d %s\r\nContent-Type: application/x-amz-json-1.1\r\nDate: %s\r\n"
				   "x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n"
				   "Content-Length: %zu\r\n\r\n",
				   status, status == 200 ? "OK" : "Bad Request", date_header(), out->len - HEAD_ROOM);
	connection->out_sent = HEAD_ROOM - len;
	memcpy(out->data + connection->out_sent, head, len);
	flush(connection);
}

static int
fill_answer(Buffer *body, Connection *connection)
{
	return put_answer(body, &connection->request, connection->refused, connection->throttled);
}

/* ----- control ----- */

/* What is saved up at first is a second's calls. */
static void
fill_buckets(void)
{
	for (int i = 0; i < OP_NONE; i++)
		buckets[i] = (Bucket) {calls_per_s, now_us()};
}

/* Is another call of the operation one too many? */
static bool
too_many(Operation operation)
{
	Bucket	   *bucket = &buckets[operation];
	int64_t		now = now_us();

	if (calls_per_s == 0)
		return false;
	bucket->tokens += (now - bucket->filled_us) / 1e6 * calls_per_s;
	if (bucket->tokens > calls_per_s)
		bucket->tokens = calls_per_s;
	bucket->filled_us = now;
	if (bucket->tokens < 1)
		return true;
	bucket->tokens--;
	return false;
}

/* The number that a parameter of the path has, or "otherwise". */
static long
parameter(const char *path, const char *name, long otherwise)
{
	const char *line_end = strstr(path, "\r\n");
	const char *at = strstr(path, name);

	return at != NULL && at < line_end ? atol(at + strlen(name)) : otherwise;
}

static int
fill_control(Buffer *body, Connection *connection)
{
	const char *path = strchr(connection->in, ' ') + strlen(" /_control/");

	if (strncmp(path, "config", 6) == 0)
	{
		latency_us = parameter(path, "latency_ms=", latency_us / 1000) * 1000;
		njobs = parameter(path, "jobs=", njobs);
		calls_per_s = parameter(path, "calls_per_s=", calls_per_s);
		if (njobs < 0 || njobs >= JOBS_MAX || latency_us < 0 || calls_per_s < 0)
			return 400;
		fill_buckets();
	}
	else if (strncmp(path, "change", 6) == 0)
	{
		long		n = parameter(path, "jobs=", 0);

		if (n < 1 || n > njobs)
			return 400;
		for (long i = 0; i < n; i++)
			changes[1 + i * (njobs / n)]++;
	}
	else if (strncmp(path, "calls", 5) == 0)
	{
		for (int i = 0; i < OP_NONE; i++)
		{
			if (calls[i] > 0)
				put_format(body, "%s%s=%ld", body->len > HEAD_ROOM ? " " : "", operation_names[i], calls[i]);
		}
		if (body->len == HEAD_ROOM)
			put_string(body, "none");
		memset(calls, 0, sizeof(calls));
	}
	else if (strncmp(path, "close", 5) == 0)
	{
		/* each is dropped when its end has been read */
		for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
		{
			if (speaks_tls[fd])
				shutdown(fd, SHUT_RDWR);
		}
	}
	else if (strncmp(path, "handshakes", 10) == 0)
	{
		long		all = SSL_CTX_sess_accept_good(tls_context);
		long		resumed = SSL_CTX_sess_hits(tls_context);

		put_format(body, "all=%ld resumed=%ld", all - handshakes_told, resumed - resumed_told);
		handshakes_told = all;
		resumed_told = resumed;
	}
	else
		return 400;
	return 200;
}

/* ----- the loop ----- */

static void
arm_timer(void)
{
	struct itimerspec when = {0};

	/* at zero it would be disarmed */
	if (queue_head != NULL)
	{
		when.it_value.tv_sec = queue_head->due_us / 1000000;
		when.it_value.tv_nsec = queue_head->due_us % 1000000 * 1000;
	}
	timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void
enqueue(Connection *connection)
{
	connection->due_us = now_us() + latency_us;
	connection->next = NULL;
	if (queue_tail != NULL)
		queue_tail->next = connection;
	else
		queue_head = connection;
	queue_tail = connection;
	if (queue_head == connection)
		arm_timer();
}

static void
send_due(void)
{
	uint64_t	expired;
	int64_t		now = now_us();

	(void) !read(timer_fd, &expired, sizeof(expired));
	while (queue_head != NULL && queue_head->due_us <= now)
	{
		Connection *connection = queue_head;

		queue_head = connection->next;
		if (queue_head == NULL)
			queue_tail = NULL;
		connection->next = NULL;
		send_answer(connection, fill_answer);
	}
	arm_timer();
}

/* A request has come in whole. */
static void
serve(Connection *connection, char *body)
{
	Request    *request = &connection->request;

	connection->refused = NULL;
	connection->throttled = false;
	read_head(request, connection->in);
	if (strstr(connection->in, " /_control/") == strchr(connection->in, ' '))
	{
		send_answer(connection, fill_control);
		return;
	}
	if (request->operation != OP_NONE)
	{
		calls[request->operation]++;
		connection->throttled = too_many(request->operation);
		connection->refused = read_body(request, body);
	}
	if (latency_us > 0)
		enqueue(connection);
	else
		send_answer(connection, fill_answer);
}

static void
receive(Connection *connection)
{
	/* requests are short, so that there is room for a whole TLS record: a rest would be no news */
	ssize_t		got = receive_some(connection, connection->in + connection->in_len,
								   REQUEST_MAX - 1 - connection->in_len);
	char	   *body;
	const char *length;
	size_t		body_len;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
	{
		drop(connection);
		return;
	}
	connection->in_len += got;
	connection->in[connection->in_len] = '\0';
	body = strstr(connection->in, "\r\n\r\n");
	if (body == NULL)
	{
		if (connection->in_len >= REQUEST_MAX - 1)
			drop(connection);
		return;
	}
	body += 4;
	length = header(connection->in, "Content-Length");
	body_len = length != NULL && length < body ? strtoul(length, NULL, 10) : 0;
	if (body_len >= REQUEST_MAX)
		drop(connection);
	else if (connection->in_len >= body - connection->in + body_len)
	{
		connection->in_len = 0;
		serve(connection, body);
	}
}

/* "about" is what an event will point to. */
static void
watch_for_input(int fd, void *about)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = about};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
}

/* What comes in over TLS is encrypted from the first byte on. */
static void
begin_tls(Connection *connection)
{
	connection->tls = SSL_new(tls_context);
	if (connection->fd >= DESCRIPTORS_MAX)
	{
		fprintf(stderr, "too many connections\n");
		exit(1);
	}
	speaks_tls[connection->fd] = true;
	if (connection->tls == NULL || SSL_set_fd(connection->tls, connection->fd) != 1)
		die("TLS");
	SSL_set_accept_state(connection->tls);
}

static void
accept_all(int listener, bool tls)
{
	int			fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
	{
		Connection *connection = calloc(1, sizeof(Connection));
		int			on = 1;

		if (connection == NULL)
			die("memory");
		connection->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (tls)
			begin_tls(connection);
		watch_for_input(fd, connection);
	}
}

static void
prepare_tls(const char *certificates, const char *key)
{
	tls_context = SSL_CTX_new(TLS_server_method());
	if (tls_context == NULL ||
		SSL_CTX_set_min_proto_version(tls_context, TLS1_2_VERSION) != 1 ||
		SSL_CTX_use_certificate_chain_file(tls_context, certificates) != 1 ||
		SSL_CTX_use_PrivateKey_file(tls_context, key, SSL_FILETYPE_PEM) != 1)
	{
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	/* an answer that waits for room may be moved, and goes out in parts */
	SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

/* Listen on any port, which is told. */
static int
listen_somewhere(int *port)
{
	int			listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		listen(listener, 1024) != 0 ||
		getsockname(listener, (struct sockaddr *) &address, &len) != 0)
		die("listen");
	*port = ntohs(address.sin_port);
	return listener;
}

static void
write_ready_file(const char *ready_file, int port, int tls_port)
{
	char		temporary[PATH_MAX];
	FILE	   *file;

	/* it must not be seen half written */
	snprintf(temporary, sizeof(temporary), "%s.new", ready_file);
	file = fopen(temporary, "w");
	if (file == NULL)
		die(temporary);
	fprintf(file, "http://127.0.0.1:%d\nhttps://127.0.0.1:%d\n", port, tls_port);
	if (fclose(file) != 0 || rename(temporary, ready_file) != 0)
		die(ready_file);
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS_MAX];
	int			listener;
	int			tls_listener;
	int			port;
	int			tls_port;
	bool		poll = argc == 7 && strcmp(argv[6], "poll") == 0;

	if (argc != 6 && !poll)
	{
		fprintf(stderr, "usage: endpoint TEMPLATES READY_FILE ANCHOR CERTIFICATES KEY [poll]\n");
		return 2;
	}
	read_templates(argv[1]);
	anchor_s = atoll(argv[3]);
	prepare_tls(argv[4], argv[5]);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (epoll_fd < 0 || timer_fd < 0)
		die("epoll");
	/* TLS writes without MSG_NOSIGNAL */
	signal(SIGPIPE, SIG_IGN);
	listener = listen_somewhere(&port);
	tls_listener = listen_somewhere(&tls_port);
	/* these are told from connections by where they point */
	watch_for_input(listener, &listener);
	watch_for_input(tls_listener, &tls_listener);
	watch_for_input(timer_fd, &timer_fd);
	write_ready_file(argv[2], port, tls_port);

	for (;;)
	{
		int			n = epoll_wait(epoll_fd, events, EVENTS_MAX, poll ? 0 : -1);
		bool		due = false;

		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++)
		{
			void	   *about = events[i].data.ptr;

			if (about == &listener || about == &tls_listener)
				accept_all(*(int *) about, about == &tls_listener);
			else if (about == &timer_fd)
				due = true;
			else if (((Connection *) about)->writing)
				flush(about);
			else
				receive(about);
		}
		/* what this drops must not be among the events of this round */
		if (due)
			send_due();
	}
}
