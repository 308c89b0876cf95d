/* SPDX-License-Identifier: MIT */
/* Whoever scrapes: a thread of its own, few clients at a time, and little time for each. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "metrics/counters.h"
#include "base/clock.h"
#include "metrics/http.h"
#include "metrics/metrics.h"
#include "service/listener.h"
#include "service/wake.h"

#define CLIENTS 8
#define CLIENT_MS 5000 /* from its connection to the last byte of its answer */
#define PAUSE_MS 100 /* where accept(2) fails for want of descriptors or memory */
#define HEAD_MAX 256

enum { AT_STOP, AT_LISTENER, AT_CLIENTS };

struct client {
	int fd; /* -1: nobody */
	int64_t until; /* mxg_monotonic_us() */
	size_t len;
	char request[MXG_HTTP_REQUEST_MAX];
	char *answer; /* NULL: it is not asked yet */
	size_t answer_len, sent;
	bool answered; /* what still comes is read, so that closing does not take the answer back */
};

struct mxg_metrics_server {
	struct mxg_metrics *metrics;
	struct mxg_listener listener;
	struct mxg_wake stop;
	int64_t paused_until; /* the listener; mxg_monotonic_us() */
	pthread_t thread;
	struct client clients[CLIENTS];
};

/* ---- one client -------------------------------------------------------------------------- */

static void drop(struct client *c)
{
	close(c->fd);
	free(c->answer);
	*c = (struct client){ .fd = -1 };
}

/* The body, in memory of its own; NULL: no memory. */
static char *make_body(struct mxg_metrics *m, const struct mxg_http_request *request, size_t *len)
{
	char *body = NULL;
	struct mxg_exposition out = { .file = open_memstream(&body, len), .openmetrics = request->openmetrics };
	if (out.file == NULL)
		return NULL;
	if (request->status == 200)
		mxg_metrics_tell(m, &out);
	else
		fputs("The metrics are at /metrics.\n", out.file);
	bool good = !ferror(out.file);
	if (fclose(out.file) != 0 || !good) {
		free(body);
		return NULL;
	}
	return body;
}

static size_t write_head(char head[HEAD_MAX], const struct mxg_http_request *request, size_t body_len)
{
	const char *type = request->status != 200 ? "text/plain; charset=utf-8"
			   : request->openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
						  : "text/plain; version=0.0.4; charset=utf-8";
	return (size_t)snprintf(
		head, HEAD_MAX,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
		request->status, mxg_http_status_text(request->status), type, body_len,
		request->status == 405 ? "Allow: GET, HEAD\r\n" : "");
}

static void answer(struct mxg_metrics *m, struct client *c)
{
	struct mxg_http_request request;
	char head[HEAD_MAX];
	size_t body_len = 0;
	mxg_http_read(&request, c->request, c->len);
	char *body = make_body(m, &request, &body_len);
	if (body == NULL)
		request.status = 503;
	size_t head_len = write_head(head, &request, body_len), wanted = request.head ? 0 : body_len;
	c->answer = malloc(head_len + wanted);
	if (c->answer == NULL) {
		free(body);
		drop(c);
		return;
	}
	memcpy(c->answer, head, head_len);
	if (wanted > 0)
		memcpy(c->answer + head_len, body, wanted);
	c->answer_len = head_len + wanted;
	free(body);
}

static void send_some(struct client *c)
{
	ssize_t n = send(c->fd, c->answer + c->sent, c->answer_len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->sent += n > 0 ? (size_t)n : 0;
	c->answered = c->sent == c->answer_len;
	if (n < 0 || (c->answered && shutdown(c->fd, SHUT_WR) != 0))
		drop(c);
}

static void read_away(struct client *c)
{
	ssize_t n = recv(c->fd, c->request, sizeof(c->request), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		drop(c);
}

static void receive_some(struct mxg_metrics *m, struct client *c)
{
	ssize_t n = recv(c->fd, c->request + c->len, sizeof(c->request) - c->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->len += (size_t)n;
	if (mxg_http_is_whole(c->request, c->len))
		answer(m, c);
	else if (c->len == sizeof(c->request))
		drop(c);
}

static void serve_one(struct mxg_metrics *m, struct client *c)
{
	if (c->answer == NULL)
		receive_some(m, c);
	else if (c->answered)
		read_away(c);
	else
		send_some(c);
}

/* ---- all of them --------------------------------------------------------------------------- */

static struct client *free_place(struct mxg_metrics_server *s)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (s->clients[i].fd < 0)
			return &s->clients[i];
	return NULL;
}

static void admit(struct mxg_metrics_server *s)
{
	struct client *c = free_place(s);
	int fd = c == NULL ? -1 : accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		s->paused_until = mxg_monotonic_us() + PAUSE_MS * 1000;
		return;
	}
	c->fd = fd;
	c->until = mxg_monotonic_us() + CLIENT_MS * 1000;
}

/* In milliseconds; -1: nobody is here. */
static int fill(struct mxg_metrics_server *s, struct pollfd fds[AT_CLIENTS + CLIENTS])
{
	int64_t now = mxg_monotonic_us(), first = s->paused_until > now ? s->paused_until : -1;
	bool closed = first >= 0;
	fds[AT_STOP] = (struct pollfd){ .fd = s->stop.fd, .events = POLLIN };
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &s->clients[i];
		if (c->fd >= 0 && c->until <= now)
			drop(c);
		if (c->fd >= 0 && (first < 0 || c->until < first))
			first = c->until;
		fds[AT_CLIENTS + i] =
			(struct pollfd){ .fd = c->fd,
					 .events = (short)(c->answer != NULL && !c->answered ? POLLOUT : POLLIN) };
	}
	closed = closed || free_place(s) == NULL;
	fds[AT_LISTENER] = (struct pollfd){ .fd = closed ? -1 : s->listener.fd, .events = POLLIN };
	return first < 0 ? -1 : (int)((first - now) / 1000) + 1;
}

static void *serve(void *argument)
{
	struct mxg_metrics_server *s = argument;
	struct pollfd fds[AT_CLIENTS + CLIENTS];
	for (;;) {
		int timeout = fill(s, fds);
		if (poll(fds, AT_CLIENTS + CLIENTS, timeout) <= 0)
			continue;
		if (fds[AT_STOP].revents != 0)
			return NULL;
		for (size_t i = 0; i < CLIENTS; i++) {
			if (fds[AT_CLIENTS + i].revents == 0)
				continue;
			serve_one(s->metrics, &s->clients[i]);
		}
		if (fds[AT_LISTENER].revents != 0)
			admit(s);
	}
}

/* ---- its life ------------------------------------------------------------------------------- */

static int listen_at(struct mxg_metrics_server *s, const char *spec, char *message, size_t size)
{
	static const char theirs[] = "--listen ";
	char text[400];
	if (mxg_listener_open(&s->listener, spec, text, sizeof(text)) == 0)
		return 0;
	snprintf(message, size, "--metrics %s", text + sizeof(theirs) - 1);
	return -1;
}

/* No signal is for this thread, whenever the service gets to block its own. */
static bool start_thread(struct mxg_metrics_server *s)
{
	sigset_t all, before;
	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return false;
	bool started = pthread_create(&s->thread, NULL, serve, s) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

int mxg_metrics_serve(struct mxg_metrics *metrics, const char *spec, char *message, size_t size)
{
	struct mxg_metrics_server *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		snprintf(message, size, "out of memory");
		return -1;
	}
	s->metrics = metrics;
	for (size_t i = 0; i < CLIENTS; i++)
		s->clients[i].fd = -1;
	s->listener.fd = -1;
	bool opened = mxg_wake_open(&s->stop);
	int error = opened ? listen_at(s, spec, message, size) : -1;
	if (!opened)
		snprintf(message, size, "--metrics %s: %s", spec, strerror(errno));
	if (error == 0 && start_thread(s)) {
		metrics->server = s;
		return 0;
	}
	if (error == 0)
		snprintf(message, size, "--metrics %s: no thread can be started", spec);
	mxg_listener_close(&s->listener);
	mxg_wake_close(&s->stop);
	free(s);
	return -1;
}

void mxg_metrics_stop(struct mxg_metrics_server *s)
{
	if (s == NULL)
		return;
	mxg_wake_ring(&s->stop);
	pthread_join(s->thread, NULL);
	for (size_t i = 0; i < CLIENTS; i++)
		if (s->clients[i].fd >= 0)
			drop(&s->clients[i]);
	mxg_listener_close(&s->listener);
	mxg_wake_close(&s->stop);
	free(s);
}
