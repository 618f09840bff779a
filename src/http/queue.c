/*-------------------------------------------------------------------------
 *
 * queue.c
 *		Requests from start to end: queued, in flight, started again.
 *
 * libcurl is given as many requests as there may be connections.  The others wait here,
 * first come, first served.  A request is started again after two kinds of failure, and
 * its owner does not hear of them: the kept connection it was given was dead, or there
 * was no descriptor for a socket, but one will become free.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "http/internal.h"

int			smf_http_max_connections = 64;

static dlist_head queue = DLIST_STATIC_INIT(queue); /* HttpRequest: each waits for a
													 * connection */
static dlist_head places = DLIST_STATIC_INIT(places);	/* HttpPlace: each waits until a
														 * connection is free */
static int	napart = 0;			/* of those in flight: they are not counted */
static int	descriptor_limit = 0;	/* most requests in flight, since there were no more
									 * descriptors; 0: no such limit */

/*
 * Limit requests in flight and open connections to the descriptors there are.  0: as many
 * as the settings allow.
 */
static void
limit_descriptors(int in_flight, int connections)
{
	descriptor_limit = in_flight;
	/* libcurl closes a kept connection before it opens one too many */
	curl_multi_setopt(smf_http.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) connections);
}

/* Take the request away from libcurl, or out of the queue. */
static void
detach(HttpRequest *request)
{
	dlist_delete(&request->node);
	if (!request->in_flight)
		return;
	smf_multi_remove(request);
	request->in_flight = false;
	smf_http.nin_flight--;
	napart -= request->apart;
	if (smf_http.nin_flight == 0 && descriptor_limit != 0)
		limit_descriptors(0, 0);
}

/* May one more request that is counted be in flight? */
static bool
another_may_start(void)
{
	int			limit = smf_http_max_connections;

	if (descriptor_limit > 0 && descriptor_limit < limit)
		limit = descriptor_limit;
	return smf_http.nin_flight - napart < limit;
}

/*
 * Give waiting requests to libcurl, as many as may be in flight: each takes a connection
 * of its own.
 */
static void
start_requests(void)
{
	while (!dlist_is_empty(&queue))
	{
		HttpRequest *request = dlist_container(HttpRequest, node, dlist_head_node(&queue));

		/* Those that are apart come before all others. */
		if (!request->apart && !another_may_start())
			break;
		dlist_delete(&request->node);
		dlist_push_tail(&smf_http.in_flight, &request->node);

		/* The setting may have changed while nothing was in flight. */
		if (smf_http.nin_flight == 0)
			curl_multi_setopt(smf_http.multi, CURLMOPT_MAXCONNECTS, (long) smf_http_max_connections);

		/* The event loop ends a request that libcurl does not take. */
		request->in_flight = true;
		smf_http.nin_flight++;
		napart += request->apart;
		if (!smf_multi_add(request))
			request->failure = SMF_HTTP_NO_MEMORY;
	}
}

/*
 * smf_http_may_send
 *		May a request that is not apart be sent now, and be in flight at once?  If not,
 *		it is queued, and place->go is called when the caller may try again.
 *
 * A request that is sent anyway also waits for a connection, but its signature may expire
 * in the meantime.  Nothing is reserved for a caller whose turn has come; but nobody else
 * goes first until it has sent its request and cleared place->called.
 */
bool
smf_http_may_send(HttpPlace *place)
{
	if (another_may_start() && (place->called || dlist_is_empty(&places)))
		return true;
	if (place->called)
		dlist_push_head(&places, &place->node);
	else
		dlist_push_tail(&places, &place->node);
	place->waiting = true;
	return false;
}

/* Leave the queue; does nothing to a place that is not in it.  Raises no error. */
void
smf_http_leave(HttpPlace *place)
{
	if (place->waiting)
		dlist_delete(&place->node);
	place->waiting = false;
}

/* Is somebody waiting for a connection although one is free? */
bool
smf_queue_has_call(void)
{
	return !dlist_is_empty(&places) && another_may_start();
}

/* Let those who wait for a connection try again, as long as one is free. */
void
smf_queue_call(void)
{
	while (smf_queue_has_call())
	{
		HttpPlace  *place = dlist_container(HttpPlace, node, dlist_pop_head_node(&places));

		place->waiting = false;
		place->called = true;
		smf_http.events++;
		place->go(place);
	}
}

/*
 * smf_http_send
 *		Start a request.
 *
 * The message is copied.  Returns NULL when memory or libcurl fails; any other failure is
 * the request's result, and "done" is called by a later smf_http_wait.  The caller may
 * free the request at any time.
 */
HttpRequest *
smf_http_send(const HttpTarget *target, const HttpMessage *message, HttpDone done, void *arg)
{
	HttpRequest *request;

	smf_multi_start();
	request = smf_http_request_make(target, message, done, arg);
	if (request == NULL)
		return NULL;
	if (request->apart)
		dlist_push_head(&queue, &request->node);
	else
		dlist_push_tail(&queue, &request->node);
	start_requests();
	return request;
}

/*
 * smf_http_free
 *		Free a request; one in flight is aborted.  NULL is ignored.
 *
 * Raises no error, so that memory context callbacks may call it.
 */
void
smf_http_free(HttpRequest *request)
{
	if (request == NULL)
		return;
	if (request->easy != NULL)
	{
		bool		broken_off = request->in_flight;

		detach(request);
		smf_http_request_release(request);
		if (broken_off && smf_http.nin_flight == 0)
			smf_socket_forget_closed();
		start_requests();
	}
	smf_http_request_delete(request);
	if (smf_http.disconnect)
		smf_http_disconnect();
}

/*
 * There was no descriptor for a request, and libcurl has let go of it: let the request
 * wait for one.  False if none will become free.
 */
static bool
wait_for_descriptor(HttpRequest *request)
{
	/*
	 * Take over a kept connection's descriptor: libcurl closes the connections that
	 * exceed the limit.
	 */
	smf_socket_forget_closed();
	if (!request->replaces && smf_socket_count() > 0)
	{
		request->replaces = true;
		limit_descriptors(smf_socket_count(), Max(smf_socket_count(), smf_http.nin_flight));
	}
	/* Wait until one of those in flight ends: there cannot be more of them at a time. */
	else if (smf_http.nin_flight > 0)
		limit_descriptors(smf_http.nin_flight, Max(smf_socket_count(), smf_http.nin_flight));
	else
		return false;
	return true;
}

/*
 * smf_queue_end
 *		A request has ended: hand it to its owner, or start it again.
 *
 * It calls the request's "done", which may start and free requests, this one too.
 */
void
smf_queue_end(HttpRequest *request, HttpResult result)
{
	detach(request);

	/* If it can be started again, it has not ended for its owner. */
	if (smf_http_request_use_fresh_connection(request, result) ||
		(result == SMF_HTTP_NO_DESCRIPTOR && wait_for_descriptor(request)))
	{
		smf_http_request_reset(request);
		dlist_push_head(&queue, &request->node);
		start_requests();
		return;
	}

	/* Keep only the response. */
	smf_http_request_release(request);
	if (result != SMF_HTTP_OK)
		smf_socket_forget_closed();
	request->result = result;

	/* The certificates may be corrected: read them again. */
	if (result == SMF_HTTP_TLS_REFUSED)
		smf_http.disconnect = true;

	/* Its connection is free: start the next request before the owner reads this response. */
	smf_http.events++;
	start_requests();
	request->done(request, request->arg);
	if (smf_http.disconnect)
		smf_http_disconnect();
}

/*
 * smf_http_disconnect
 *		Close the kept connections, and forget TLS sessions and the system's
 *		certificates: now, or as soon as nothing is in flight.
 */
void
smf_http_disconnect(void)
{
	if (!smf_http.started)
		return;
	smf_http.disconnect = true;
	if (smf_http.nin_flight > 0)
		return;
	smf_multi_close();
	smf_http.disconnect = false;
}
