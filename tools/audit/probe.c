/* SPDX-License-Identifier: MIT */
/* As much of an SMTP client (RFC 5321) as it takes to hear what RCPT gets. DATA is never said. */
#include "audit/probe.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/host.h"

#define SECONDS 60 /* for all of it: postscreen and greet pauses take their time */
#define LINES_MOST 100 /* of one reply */

struct talk {
	struct mxg_probe *probe;
	int fd;
	int64_t end; /* milliseconds */
	char buffer[2048];
	size_t len;
};

bool mxg_probe_target(struct mxg_probe *out, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - text);
	bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
	if (len == 0 || (!bracketed && memchr(text, ':', len) != NULL))
		return false;
	*out = (struct mxg_probe){ .reply_text = NULL };
	snprintf(out->host, sizeof(out->host), "%.*s", (int)(bracketed ? len - 2 : len), text + bracketed);
	snprintf(out->port, sizeof(out->port), "%.7s", colon + 1);
	char *end;
	unsigned long port = strtoul(out->port, &end, 10);
	return isdigit((unsigned char)colon[1]) && *end == '\0' && port > 0 && port < 65536;
}

static bool wait_for(struct talk *t, short events)
{
	struct pollfd fd = { .fd = t->fd, .events = events };
	int64_t left = t->end - mxg_monotonic_ms();
	int n = left <= 0 ? 0 : poll(&fd, 1, (int)left);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0;
}

static bool say(struct talk *t, const char *line)
{
	for (size_t len = strlen(line); len > 0;) {
		ssize_t n = wait_for(t, POLLOUT) ? send(t->fd, line, len, MSG_NOSIGNAL) : -1;
		if (n < 0)
			return false;
		line += n;
		len -= (size_t)n;
	}
	return true;
}

/* One line, without its end, into `line`. */
static bool hear_line(struct talk *t, char *line, size_t size)
{
	for (;;) {
		char *end = memchr(t->buffer, '\n', t->len);
		if (end != NULL) {
			size_t used = (size_t)(end - t->buffer) + 1;
			snprintf(line, size, "%.*s", (int)strcspn(t->buffer, "\r\n"), t->buffer);
			memmove(t->buffer, end + 1, t->len -= used);
			return true;
		}
		if (t->len == sizeof(t->buffer)) {
			errno = EMSGSIZE;
			return false;
		}
		ssize_t n = wait_for(t, POLLIN) ? recv(t->fd, t->buffer + t->len, sizeof(t->buffer) - t->len, 0) : -1;
		if (n <= 0) {
			errno = n == 0 ? ECONNRESET : errno;
			return false;
		}
		t->len += (size_t)n;
	}
}

/* The code of a whole reply, whose first line is kept: behind it may stand what a server says of all its refusals. 0:
 * there is none. */
static int hear(struct talk *t)
{
	char line[sizeof(t->buffer)];
	for (unsigned i = 0; i < LINES_MOST && hear_line(t, line, sizeof(line)); i++) {
		if (strlen(line) < 3 || !isdigit((unsigned char)line[0]) || !isdigit((unsigned char)line[1]) ||
		    !isdigit((unsigned char)line[2]))
			break;
		if (i == 0)
			snprintf(t->probe->reply, sizeof(t->probe->reply), "%.511s", line);
		if (line[3] != '-')
			return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
	}
	snprintf(t->probe->reply, sizeof(t->probe->reply), "no reply: %s", strerror(errno));
	return 0;
}

static int ask(struct talk *t, const char *line)
{
	if (say(t, line))
		return hear(t);
	snprintf(t->probe->reply, sizeof(t->probe->reply), "no reply: %s", strerror(errno));
	return 0;
}

#define TELLING 8 /* a shorter reply_text may stand in anybody's reply */

/* Many refuse with 550 5.7.1, and most of them do not ask where a message comes from. */
static bool is_ours(const struct mxg_probe *probe)
{
	static const char own[] = "is not an authorized gateway for ";
	const char *reply = probe->reply;
	return strlen(reply) > 4 && strncmp(reply + 4, "5.7.1 ", 6) == 0 &&
	       (strstr(reply, own) != NULL || (probe->reply_text != NULL && strlen(probe->reply_text) >= TELLING &&
					       strstr(reply, probe->reply_text) != NULL));
}

static enum mxg_probe_result outcome(int code, const struct mxg_probe *probe)
{
	if (code == 0)
		return MXG_PROBE_FAILED;
	if (code == 250 || code == 251)
		return MXG_PROBE_ACCEPTED;
	return code == 550 && is_ours(probe) ? MXG_PROBE_REFUSED : MXG_PROBE_OTHER;
}

static enum mxg_probe_result offer(struct talk *t, const char *recipient)
{
	struct mxg_host_names names;
	char line[700];
	int code = hear(t);
	mxg_host_names(&names);
	snprintf(line, sizeof(line), "EHLO %s\r\n", names.names[0]);
	if (code == 220)
		code = ask(t, line);
	if (code == 250)
		code = ask(t, "MAIL FROM:<>\r\n");
	enum mxg_probe_result result = code == 0 ? MXG_PROBE_FAILED : MXG_PROBE_OTHER;
	if (code == 250) {
		snprintf(line, sizeof(line), "RCPT TO:<%.600s>\r\n", recipient);
		code = ask(t, line);
		result = outcome(code, t->probe);
	}
	if (code != 0)
		say(t, "RSET\r\nQUIT\r\n");
	return result;
}

static bool reach(struct talk *t, const struct addrinfo *to)
{
	int error = 0;
	socklen_t size = sizeof(error);
	t->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return false;
	if (connect(t->fd, to->ai_addr, to->ai_addrlen) == 0 ||
	    (errno == EINPROGRESS && wait_for(t, POLLOUT) &&
	     getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0))
		return true;
	error = error != 0 ? error : errno;
	close(t->fd);
	errno = error;
	return false;
}

enum mxg_probe_result mxg_probe_run(struct mxg_probe *probe, const char *recipient)
{
	struct talk t = { .probe = probe, .end = mxg_monotonic_ms() + SECONDS * 1000 };
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all;
	int error = getaddrinfo(probe->host, probe->port, &hints, &all);
	enum mxg_probe_result result = MXG_PROBE_FAILED;
	if (error != 0) {
		snprintf(probe->reply, sizeof(probe->reply), "no address: %s", gai_strerror(error));
		return MXG_PROBE_FAILED;
	}
	const struct addrinfo *to = all;
	while (to != NULL && !reach(&t, to))
		to = to->ai_next;
	if (to == NULL) {
		snprintf(probe->reply, sizeof(probe->reply), "no connection: %s", strerror(errno));
	} else {
		mxg_address_from_sockaddr(&probe->address, to->ai_addr);
		result = offer(&t, recipient);
		close(t.fd);
	}
	freeaddrinfo(all);
	return result;
}
