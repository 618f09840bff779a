/*-------------------------------------------------------------------------
 *
 * http.c
 *		The event loop: libcurl's multi interface under the Postgres latch.
 *
 * A session has one multi handle (multi.c), driven by curl_multi_socket_action, and one
 * epoll descriptor (epoll.c).  smf_http_wait is the only place that sleeps for the
 * network: on that descriptor, the latch and the postmaster's death.  A wait for one
 * request therefore moves all requests of the session on.  Asynchronous scans sleep in
 * the executor instead, on copies of that descriptor.
 *
 * Anything a caller may wait for is an event: a request has ended, a timer has fired, a
 * watch is ready, or smf_http_add_event was called.  Events are counted.  A caller that
 * has not seen the last one does not sleep, and nobody sleeps when nothing can cause
 * another.
 *
 * No error is raised inside a libcurl callback: callbacks record what went wrong, and
 * that becomes the request's result.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "http/internal.h"
#include "miscadmin.h"

/* Most socket events to take from the kernel before timers are checked. */
#define EVENTS_BATCH 32

static dlist_head timers = DLIST_STATIC_INIT(timers);	/* HttpTimer */
static int64 armed_us = 0;		/* when the timer descriptor fires; 0: not armed */
static bool event_unseen = false;	/* a caller that has not seen the last event is about to
									 * sleep: wake up at once */

/* ----- timers ----- */

/*
 * smf_http_timer_set
 *		Let the timer fire once, at or after "at_us" (of smf_http_now).
 *
 * It fires inside smf_http_wait.  Its owner cancels it before freeing the memory it lives
 * in.
 */
void
smf_http_timer_set(HttpTimer *timer, int64 at_us)
{
	smf_multi_start();
	timer->at_us = at_us;
	if (!timer->armed)
		dlist_push_tail(&timers, &timer->node);
	timer->armed = true;
}

/* Disarm a timer; does nothing if it is not armed. */
void
smf_http_timer_cancel(HttpTimer *timer)
{
	if (timer->armed)
		dlist_delete(&timer->node);
	timer->armed = false;
}

/* A timer that is due, or NULL. */
static HttpTimer *
due_timer(int64 now)
{
	dlist_iter	iter;

	dlist_foreach(iter, &timers)
	{
		HttpTimer  *timer = dlist_container(HttpTimer, node, iter.cur);

		if (now >= timer->at_us)
			return timer;
	}
	return NULL;
}

/* ----- descriptors that are not libcurl's ----- */

/*
 * smf_http_watch
 *		Call watch->ready whenever the descriptor can be read, until smf_http_unwatch,
 *		which must come before the descriptor is closed.  Raises 53000 when it cannot
 *		be watched.
 */
void
smf_http_watch(HttpWatch *watch, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	smf_multi_start();
	if (epoll_ctl(smf_http.epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not watch a descriptor: %m")));
	watch->fd = fd;
	watch->active = true;
	dlist_push_tail(&smf_http.watches, &watch->node);
}

/* Stop watching the descriptor; does nothing to an idle watch.  Raises no error. */
void
smf_http_unwatch(HttpWatch *watch)
{
	if (!watch->active)
		return;
	(void) epoll_ctl(smf_http.epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	dlist_delete(&watch->node);
	watch->active = false;
}

/* ----- the loop ----- */

/* End the requests that libcurl has finished. */
static void
end_done_requests(void)
{
	CURLMsg    *message;
	int			left;

	/* ending a request may close the multi handle */
	while (smf_http.multi != NULL && (message = curl_multi_info_read(smf_http.multi, &left)) != NULL)
	{
		CURLcode	code = message->data.result;
		long		status = 0;
		HttpRequest *request;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		request = smf_multi_request_of(message->easy_handle);
		request->status = (int) status;
		smf_queue_end(request, smf_http_request_result(request, code));
	}
}

/* Call the owner of a watch on this descriptor; false if there is none. */
static bool
take_watched(int fd)
{
	HttpWatch  *watch = smf_epoll_watch_of(fd);

	if (watch == NULL)
		return false;
	smf_http.events++;
	watch->ready(watch);
	return true;
}

/* Handle one descriptor that is ready; false if none is. */
static bool
take_event(void)
{
	struct epoll_event event;
	int			mask = 0;

	/* One at a time: a descriptor that is ready again goes behind all the others. */
	if (epoll_wait(smf_http.epoll_fd, &event, 1, 0) != 1)
		return false;

	/* The timer: pump() checks the deadlines anyway. */
	if (event.data.fd == smf_http.timer_fd)
	{
		uint64		expirations;

		(void) !read(smf_http.timer_fd, &expirations, sizeof(expirations));
		armed_us = 0;
		return true;
	}

	/* A descriptor that somebody else reads from. */
	if (take_watched(event.data.fd))
		return true;

	/* One of libcurl's sockets. */
	if (event.events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (event.events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (event.events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	if (smf_http.multi != NULL)
		smf_multi_act(event.data.fd, mask);
	end_done_requests();
	return true;
}

/* Call libcurl if its timer is due. */
static bool
take_curl_timeout(void)
{
	if (smf_http.multi == NULL || smf_http.curl_due_us == 0 || smf_http_now() < smf_http.curl_due_us)
		return false;
	smf_http.curl_due_us = 0;
	smf_multi_act(CURL_SOCKET_TIMEOUT, 0);
	end_done_requests();
	return true;
}

/* When the request's response must be complete; 0: not sent yet, or libcurl checks it. */
static int64
read_deadline(const HttpRequest *request)
{
	return request->sent_us == 0 ? 0 : request->sent_us + request->read_timeout_us;
}

/*
 * A request that libcurl would never end, because it is overdue, libcurl did not take it,
 * or its socket is not watched; or NULL.
 */
static HttpRequest *
stuck_request(int64 now)
{
	dlist_iter	iter;

	dlist_foreach(iter, &smf_http.in_flight)
	{
		HttpRequest *request = dlist_container(HttpRequest, node, iter.cur);

		if (request->failure == SMF_HTTP_NO_MEMORY || request->unwatched ||
			(request->sent_us != 0 && now >= read_deadline(request)))
			return request;
	}
	return NULL;
}

/* How a stuck request ends. */
static HttpResult
stuck_result(const HttpRequest *request)
{
	if (request->failure == SMF_HTTP_NO_MEMORY)
		return SMF_HTTP_NO_MEMORY;
	return request->unwatched ? SMF_HTTP_NO_DESCRIPTOR : SMF_HTTP_READ_TIMEOUT;
}

/*
 * Do what can be done without waiting, until there is an event; true when there was one.
 *
 * Stopping at an event lets its owner send the next request before the answers behind
 * this one are read.  So the service is not idle while a batch of answers is processed.
 */
static bool
pump(void)
{
	int64		now;
	HttpTimer  *timer;
	HttpRequest *request;
	uint64		events_before = smf_http.events;

	/* Descriptors that are ready, and libcurl's timer. */
	event_unseen = false;
	for (int i = 0; i < EVENTS_BATCH && smf_http.events == events_before && take_event(); i++)
		continue;
	(void) take_curl_timeout();

	/*
	 * Requests that are overdue.  Their answers may have arrived while nobody was
	 * reading, so everything that has arrived is read before they are ended.
	 */
	now = smf_http_now();
	for (int i = 0; i < EVENTS_BATCH * (smf_socket_count() + 1) && stuck_request(now) != NULL; i++)
	{
		if (!take_event() && !take_curl_timeout())
			break;
	}
	while ((request = stuck_request(now)) != NULL)
		smf_queue_end(request, stuck_result(request));

	/* Connections that have become free, for the requests that wait for one. */
	smf_queue_call();

	/* Timers that are due. */
	while ((timer = due_timer(now)) != NULL)
	{
		smf_http_timer_cancel(timer);
		smf_http.events++;
		timer->fire(timer);
	}
	return smf_http.events != events_before;
}

/* ----- before a sleep ----- */

static void
consider(int64 at_us, int64 *earliest_us)
{
	if (at_us != 0 && (*earliest_us == 0 || at_us < *earliest_us))
		*earliest_us = at_us;
}

/* The earliest of all deadlines; 0: there is none. */
static int64
earliest_deadline(void)
{
	dlist_iter	iter;
	int64		earliest_us = 0;

	consider(smf_http.curl_due_us, &earliest_us);
	dlist_foreach(iter, &smf_http.in_flight)
		consider(read_deadline(dlist_container(HttpRequest, node, iter.cur)), &earliest_us);
	dlist_foreach(iter, &timers)
		consider(dlist_container(HttpTimer, node, iter.cur)->at_us, &earliest_us);
	return earliest_us;
}

/*
 * Let the timer descriptor fire at the earliest deadline, or at once.  Raises 53000 when
 * it cannot be set.
 */
static void
arm_timer(void)
{
	int64		at_us = event_unseen || smf_queue_has_call() ? 1 : earliest_deadline();
	struct itimerspec when = {0};

	if (at_us == armed_us)
		return;
	when.it_value.tv_sec = at_us / 1000000;
	when.it_value.tv_nsec = (at_us % 1000000) * 1000;
	if (timerfd_settime(smf_http.timer_fd, TFD_TIMER_ABSTIME, &when, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not watch a network connection: %m")));
	armed_us = at_us;
}

/*
 * Is there anything that will end a sleep?  libcurl's own timer and reminders do not
 * count: nobody waits for what they bring.
 */
static bool
anything_to_wait_for(void)
{
	dlist_iter	iter;

	if (smf_http.nin_flight > 0 || !dlist_is_empty(&smf_http.watches) || smf_queue_has_call())
		return true;
	dlist_foreach(iter, &timers)
	{
		if (!dlist_container(HttpTimer, node, iter.cur)->reminder)
			return true;
	}
	return false;
}

/*
 * A caller with nothing to wait for would sleep for ever.  No query should get here; one
 * that does had better fail than hang.
 */
static void
check_reason_to_sleep(void)
{
	if (!anything_to_wait_for())
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("sagemaker_fdw has nothing to wait for"),
				 errdetail("No request is under way, and no timer is set."),
				 errhint("This is a bug in sagemaker_fdw. Please report it, with the statement.")));
}

/* ----- for callers that wait ----- */

/*
 * smf_http_events
 *		The number of the session's events so far: while it stays the same, nobody has
 *		anything new to look at.
 */
uint64
smf_http_events(void)
{
	return smf_http.events;
}

/*
 * smf_http_add_event
 *		Count an event that did not come from the network, so that every waiting caller
 *		looks again.  Raises no error.
 */
void
smf_http_add_event(void)
{
	smf_http.events++;
}

/*
 * smf_http_poll
 *		Move every request of the session as far as it goes without waiting.
 *
 * Raises an error on a query cancel, as smf_http_wait does.
 */
void
smf_http_poll(void)
{
	CHECK_FOR_INTERRUPTS();
	if (smf_http.started)
		pump();
}

/*
 * smf_http_wait
 *		Move every request of the session on; sleep only when none can move.
 *
 * "events" is what smf_http_events() returned before the caller looked at what it waits
 * for.  If there has been an event since, even within another wait, it may be the
 * caller's, and this returns at once.  Otherwise it returns once there may have been one;
 * the caller looks, and calls again if it has to.
 *
 * Raises an error on a query cancel, a termination or a statement timeout, so requests
 * must be owned by something that frees them then.  Raises XX000 where nothing would end
 * the sleep.
 */
void
smf_http_wait(uint64 events)
{
	WaitEvent	occurred[3];
	int			noccurred;

	/* Move what can move; an event is a reason not to sleep. */
	smf_multi_start();
	CHECK_FOR_INTERRUPTS();
	if (smf_http.events != events || pump())
		return;

	/* Sleep. */
	check_reason_to_sleep();
	arm_timer();
	noccurred = WaitEventSetWait(smf_http.wait_set, -1, occurred, lengthof(occurred),
								 smf_http.wait_event);

	/* Reset the latch, or the next sleep would end at once; pump() reads the rest. */
	for (int i = 0; i < noccurred; i++)
	{
		if (occurred[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
	}
	CHECK_FOR_INTERRUPTS();
	pump();
}

/*
 * smf_http_descriptor
 *		The descriptor that is readable when a request of the session can move.
 *
 * For callers that wait elsewhere, for several things.  The descriptor belongs to the
 * session: a caller registers a dup() of it.  It is good for one sleep after
 * smf_http_arm; smf_http_poll then moves the requests.
 */
int
smf_http_descriptor(void)
{
	smf_multi_start();
	return smf_http.epoll_fd;
}

/*
 * smf_http_arm
 *		Call this before sleeping on the descriptor: it makes it readable at the next
 *		deadline of any request or timer.
 *
 * "events" is as for smf_http_wait: if there has been an event since, the descriptor is
 * readable at once and stays so until smf_http_poll, whoever else arms it.  Raises XX000
 * where nothing would end the sleep.
 */
void
smf_http_arm(uint64 events)
{
	smf_multi_start();
	if (smf_http.events != events)
		event_unseen = true;
	if (!event_unseen)
		check_reason_to_sleep();
	arm_timer();
}
