/*-------------------------------------------------------------------------
 *
 * queue.c
 *		Requests from their start to their end: queued, in flight, begun anew.
 *
 * libcurl has as many requests as there may be connections: the rest waits here, first
 * come, first served.  After two failures a request begins anew, and whoever started it
 * hears nothing of them: the kept connection that it was given was dead, or there was no
 * descriptor for a socket, and one will be free.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "http/internal.h"

int			smf_http_max_connections = 64;

static dlist_head queue = DLIST_STATIC_INIT(queue); /* HttpRequest: waits for a connection */
static dlist_head places = DLIST_STATIC_INIT(places);	/* HttpPlace: waits until one is free */
static int	napart = 0;			/* of those in flight: they do not count */
static int	descriptor_limit = 0;	/* in flight at most, since no further descriptor was
									 * to be had; 0: no such limit */

/*
 * Let no more requests be in flight, and no more connections be open, than there are
 * descriptors for.  0: as many as the settings allow.
 */
static void
limit_descriptors(int in_flight, int connections)
{
	descriptor_limit = in_flight;
	/* libcurl closes a kept connection before it makes one too many */
	curl_multi_setopt(smf_http.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) connections);
}

/* Take the request off libcurl, or off the queue. */
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

/* May one more request that counts be in flight? */
static bool
another_may_start(void)
{
	int			limit = smf_http_max_connections;

	if (descriptor_limit > 0 && descriptor_limit < limit)
		limit = descriptor_limit;
	return smf_http.nin_flight - napart < limit;
}

/*
 * Give requests that wait to libcurl, as many as may be in flight: each takes a
 * connection of its own.
 */
static void
start_requests(void)
{
	while (!dlist_is_empty(&queue))
	{
		HttpRequest *request = dlist_container(HttpRequest, node, dlist_head_node(&queue));

		/* Those that are apart stand before all others. */
		if (!request->apart && !another_may_start())
			break;
		dlist_delete(&request->node);
		dlist_push_tail(&smf_http.in_flight, &request->node);

		/* The setting may have changed since there was nothing in flight. */
		if (smf_http.nin_flight == 0)
			curl_multi_setopt(smf_http.multi, CURLMOPT_MAXCONNECTS, (long) smf_http_max_connections);

		/* One that libcurl does not take is ended by the event loop. */
		request->in_flight = true;
		smf_http.nin_flight++;
		napart += request->apart;
		if (!smf_multi_add(request))
			request->failure = SMF_HTTP_NO_MEMORY;
	}
}

/*
 * smf_http_may_send
 *		May a request that is not apart be sent now, and be in flight at once?  Otherwise
 *		queues: place->go is called when it may be tried again.
 *
 * What is sent all the same waits for a connection, too, but what it was signed with may
 * grow old meanwhile.  Nothing is reserved for who was called; but nobody else goes first,
 * until the caller has sent its request and clears place->called.
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

/* Queue no longer; who does not is left alone.  Raises no error. */
void
smf_http_leave(HttpPlace *place)
{
	if (place->waiting)
		dlist_delete(&place->node);
	place->waiting = false;
}

/* Does somebody wait for a connection, though one is free? */
bool
smf_queue_has_call(void)
{
	return !dlist_is_empty(&places) && another_may_start();
}

/* Let those try again who wait for a connection, as long as one is free. */
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
 * The message is copied.  Returns NULL when memory or libcurl fails; any other
 * failure is the request's result, and "done" is called by a later smf_http_wait.  The
 * caller frees the request, at any time.
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
 *		Free a request; one in flight is broken off.  NULL is ignored.
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
 * There was no descriptor for a request, which libcurl has let go of: let it wait for
 * one.  False if none can be had.
 */
static bool
wait_for_descriptor(HttpRequest *request)
{
	/* Take a kept connection's: libcurl closes as many as are beyond the limit. */
	smf_socket_forget_closed();
	if (!request->replaces && smf_socket_count() > 0)
	{
		request->replaces = true;
		limit_descriptors(smf_socket_count(), Max(smf_socket_count(), smf_http.nin_flight));
	}
	/* Wait for one of those in flight to end: no more than these can be at a time. */
	else if (smf_http.nin_flight > 0)
		limit_descriptors(smf_http.nin_flight, Max(smf_socket_count(), smf_http.nin_flight));
	else
		return false;
	return true;
}

/*
 * smf_queue_end
 *		A request has ended: hand it over to whoever started it, or let it begin anew.
 *
 * It calls the request's "done", which may start and free requests, this one too.
 */
void
smf_queue_end(HttpRequest *request, HttpResult result)
{
	detach(request);

	/* If it may begin anew, it has not ended for whoever started it. */
	if (smf_http_request_use_fresh_connection(request, result) ||
		(result == SMF_HTTP_NO_DESCRIPTOR && wait_for_descriptor(request)))
	{
		smf_http_request_reset(request);
		dlist_push_head(&queue, &request->node);
		start_requests();
		return;
	}

	/* Keep nothing but the response. */
	smf_http_request_release(request);
	if (result != SMF_HTTP_OK)
		smf_socket_forget_closed();
	request->result = result;

	/* Certificates that are put right are to be read again. */
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
 *		certificates: at once, or once nothing is in flight.
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
