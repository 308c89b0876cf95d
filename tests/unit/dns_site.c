/* SPDX-License-Identifier: MIT */
#include "dns_site.h"
#include "resolver/resolver.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MESSAGE_MAX 700
#define SERVFAIL 2
#define FORMERR 1
#define REFUSED 5

/* ---- sockets ----------------------------------------------------------------------------- */

static int bound_socket(int type, unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && (type != SOCK_STREAM || listen(fd, 16) == 0))
		return fd;
	close(fd);
	return -1;
}

static unsigned port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

void site_server_start(struct site_server *s)
{
	for (int i = 0; i < 50; i++) { /* a port that is free for both */
		s->udp = bound_socket(SOCK_DGRAM, s->port);
		assert_true(s->udp >= 0);
		unsigned port = port_of(s->udp);
		s->tcp = bound_socket(SOCK_STREAM, port);
		if (s->tcp >= 0) {
			s->port = port;
			return;
		}
		close(s->udp);
	}
	fail_msg("no port to be had");
}

void site_server_stop(struct site_server *s)
{
	close(s->udp);
	close(s->tcp);
	for (size_t i = 0; i < s->connection_count; i++)
		close(s->connections[i]);
	s->connection_count = 0;
	s->count = 0;
	s->udp = s->tcp = -1;
}

/* ---- replies ----------------------------------------------------------------------------- */

static size_t question_end(const uint8_t *query)
{
	return 12 + strlen((const char *)query + 12) + 1 + 4;
}

static size_t add_answer(uint8_t *reply, size_t len, bool mx, enum site_manner manner)
{
	static const uint8_t a[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 10 };
	static const uint8_t short_a[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 3, 192, 0, 2 };
	static const uint8_t short_mx[] = { 0xc0, 12, 0, 15, 0, 1, 0, 0, 1, 44, 0, 1, 0 };
	static const uint8_t m[] = { 0xc0, 12, 0, 15, 0, 1, 0, 0, 1, 44, 0, 7, 0, 10, 2, 'g', 'w', 0xc0, 12 };
	static const uint8_t ns[] = { 0xc0, 12, 0, 2, 0, 1, 0, 0, 1, 44, 0, 5, 2, 'n', 's', 0xc0, 12 };
	const uint8_t *from = mx ? m : a;
	size_t size = mx ? sizeof(m) : sizeof(a);
	reply[manner == SITE_REFERRAL ? 9 : 7] = 1;
	if (manner == SITE_REFERRAL) {
		from = ns;
		size = sizeof(ns);
	} else if (manner == SITE_BROKEN) {
		from = mx ? short_mx : short_a;
		size = mx ? sizeof(short_mx) : sizeof(short_a);
	}
	memcpy(reply + len, from, size);
	return len + size;
}

static size_t make_reply(uint8_t reply[MESSAGE_MAX], const struct site_query *q, unsigned rcode,
			 enum site_manner manner)
{
	size_t len = question_end(q->bytes);
	memcpy(reply, q->bytes, len);
	reply[2] = 0x81;
	reply[3] = (uint8_t)(0x80 | rcode);
	memset(reply + 6, 0, 6);
	return rcode == 0 ? add_answer(reply, len, q->bytes[len - 3] == 15, manner) : len;
}

static void send_udp(const struct site_server *s, const struct site_query *q, const uint8_t *reply, size_t len)
{
	sendto(s->udp, reply, len, 0, (const struct sockaddr *)&q->from, sizeof(q->from));
}

static void answer(const struct site_server *s, const struct site_query *q, unsigned rcode, enum site_manner manner)
{
	uint8_t reply[MESSAGE_MAX];
	send_udp(s, q, reply, make_reply(reply, q, rcode, manner));
}

void site_answer_all(struct site_server *s, unsigned rcode)
{
	for (size_t i = 0; i < s->count; i++)
		answer(s, &s->queries[i], rcode, SITE_ANSWERS);
	s->count = 0;
}

/* The right id and name in other letters than were sent, where c-ares mixes them: a guess, by who knows nothing of
 * them. */
static void forge_letters(const struct site_server *s, const struct site_query *q)
{
	static const uint8_t lie[] = { 203, 0, 113, 66 };
	uint8_t reply[MESSAGE_MAX];
	size_t end = question_end(q->bytes), len = make_reply(reply, q, 0, SITE_ANSWERS);
	bool mixed = false;
	memcpy(reply + len - 4, lie, 4);
	for (size_t i = 12; i < end - 4; i++) {
		mixed |= isupper(reply[i]) != 0;
		reply[i] ^= isalpha(reply[i]) ? 0x20 : 0;
	}
	if (mixed)
		send_udp(s, q, reply, len);
}

/* Another id, another name, another type, none or two questions by the header, another opcode, no reply, no question,
 * half a header, nothing. */
static void make_noise(const struct site_server *s, const struct site_query *q)
{
	static const uint8_t lie[] = { 203, 0, 113, 66 };
	uint8_t reply[MESSAGE_MAX];
	size_t end = question_end(q->bytes), len = make_reply(reply, q, 0, SITE_ANSWERS);
	memcpy(reply + len - 4, lie, 4); /* whoever believes one of them shall be seen to */
	reply[0] ^= 0x55;
	send_udp(s, q, reply, len);
	reply[0] ^= 0x55;
	reply[13] ^= 1;
	send_udp(s, q, reply, len);
	reply[13] ^= 1;
	reply[end - 3] ^= 0x10;
	send_udp(s, q, reply, len);
	reply[end - 3] ^= 0x10;
	for (reply[5] = 0; reply[5] <= 2; reply[5] += 2)
		send_udp(s, q, reply, len);
	reply[5] = 1;
	reply[2] |= 0x20;
	send_udp(s, q, reply, len);
	reply[2] &= 0x01;
	send_udp(s, q, reply, len);
	reply[5] = 0;
	send_udp(s, q, reply, 12);
	send_udp(s, q, reply, 7);
	send_udp(s, q, reply, 0);
}

static void truncate_reply(const struct site_server *s, const struct site_query *q)
{
	uint8_t reply[MESSAGE_MAX];
	size_t len = question_end(q->bytes);
	make_reply(reply, q, SERVFAIL, SITE_ANSWERS);
	reply[2] |= 0x02;
	reply[3] &= 0xf0;
	send_udp(s, q, reply, len);
}

static void handle_udp(struct site_server *s, const struct site_query *q)
{
	switch (s->manner) {
	case SITE_WAITS:
		s->queries[s->count++] = *q;
		return;
	case SITE_SILENT:
		return;
	case SITE_SERVFAIL:
		answer(s, q, SERVFAIL, SITE_ANSWERS);
		return;
	case SITE_REFUSED:
		answer(s, q, REFUSED, SITE_ANSWERS);
		return;
	case SITE_NOISY:
		make_noise(s, q);
		forge_letters(s, q);
		answer(s, q, 0, SITE_ANSWERS);
		forge_letters(s, q); /* perhaps read in one go with the true one */
		return;
	case SITE_TRUNCATES:
	case SITE_TRUNCATES_SILENT:
	case SITE_TRUNCATES_CLOSES:
		truncate_reply(s, q);
		return;
	case SITE_KNOWS_NO_EDNS:
		answer(s, q, q->bytes[11] != 0 ? FORMERR : 0, SITE_ANSWERS);
		return;
	case SITE_ANSWERS:
	case SITE_BROKEN:
	case SITE_REFERRAL:
		break;
	}
	answer(s, q, 0, s->manner);
}

static void serve_udp(struct site_server *s)
{
	struct site_query q;
	while (s->udp >= 0 && s->count < SITE_QUERIES) {
		socklen_t len = sizeof(q.from);
		ssize_t n = recvfrom(s->udp, q.bytes, sizeof(q.bytes), 0, (struct sockaddr *)&q.from, &len);
		if (n < 12)
			return;
		q.len = (size_t)n;
		s->seen++;
		handle_udp(s, &q);
	}
}

/* One message a read: on loopback c-ares writes a query in one piece. False: it is over. */
static bool serve_connection(struct site_server *s, int fd)
{
	uint8_t in[2 + sizeof(((struct site_query *)0)->bytes)], out[2 + MESSAGE_MAX];
	struct site_query q;
	ssize_t n = recv(fd, in, sizeof(in), 0);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	for (size_t at = 0, got = (size_t)n; at + 2 < got;) {
		q.len = (size_t)in[at] << 8 | in[at + 1];
		assert_true(at + 2 + q.len <= got);
		memcpy(q.bytes, in + at + 2, q.len);
		at += 2 + q.len;
		s->seen_tcp++;
		size_t len = make_reply(out + 2, &q, 0, SITE_ANSWERS);
		out[0] = (uint8_t)(len >> 8);
		out[1] = (uint8_t)len;
		if (s->manner != SITE_TRUNCATES_SILENT && send(fd, out, len + 2, MSG_NOSIGNAL) < 0)
			return false;
	}
	return true;
}

static void serve_tcp(struct site_server *s)
{
	for (size_t i = 0; i < s->connection_count;) {
		if (serve_connection(s, s->connections[i])) {
			i++;
			continue;
		}
		close(s->connections[i]);
		s->connections[i] = s->connections[--s->connection_count];
	}
	int fd =
		s->tcp < 0 || s->connection_count == SITE_CONNECTIONS ? -1 : accept4(s->tcp, NULL, NULL, SOCK_NONBLOCK);
	if (fd >= 0 && s->manner == SITE_TRUNCATES_CLOSES)
		close(fd);
	else if (fd >= 0)
		s->connections[s->connection_count++] = fd;
}

/* ---- the site ---------------------------------------------------------------------------- */

static struct mxguard_policy *make_policy(const char *servers, const char *timeout)
{
	char text[800], message[300];
	struct mxguard_policy *policy;
	int n = snprintf(
		text, sizeof(text),
		"mode = \"enforce\"; self = [ \"198.51.100.1\" ]; gateways = ( { name = \"mx\"; allow = \"mx\"; } );"
		"dns = { servers = [ %s ]; timeout = \"%s\"; };",
		servers, timeout);
	if (mxguard_policy_parse(&policy, text, (size_t)n, "test.conf", 0, message, sizeof(message)) !=
	    MXGUARD_ERROR_NONE)
		fail_msg("%s", message);
	return policy;
}

void site_open(struct site *site, const char *timeout, const enum site_manner *manners, size_t count)
{
	char servers[SITE_SERVERS * 32] = "";
	size_t at = 0;
	*site = (struct site){ .server_count = count };
	assert_true(count <= SITE_SERVERS);
	for (size_t i = 0; i < count; i++) {
		site->servers[i].manner = manners[i];
		site_server_start(&site->servers[i]);
		at += (size_t)snprintf(servers + at, sizeof(servers) - at, "%s\"127.0.0.1:%u\"", i == 0 ? "" : ", ",
				       site->servers[i].port);
	}
	site->policy = make_policy(servers, timeout);
	mxguard_resolver_new(&site->resolver, site->policy, 0);
	assert_non_null(site->resolver);
}

void site_close(struct site *site)
{
	mxguard_resolver_free(site->resolver);
	mxguard_policy_unref(site->policy);
	for (size_t i = 0; i < site->server_count; i++)
		site_server_stop(&site->servers[i]);
}

struct mxguard_check *site_check(struct site *site, const char *peer, const char *recipient)
{
	struct mxguard_check *c = NULL;
	mxguard_check_new(&c, site->policy, NULL, 0);
	assert_non_null(c);
	assert_int_equal(mxguard_check_set_peer_text(c, peer), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_add_recipient(c, recipient, NULL), 0);
	return c;
}

static size_t add_servers(const struct site *site, struct pollfd *fds)
{
	size_t n = 0;
	for (size_t i = 0; i < site->server_count; i++) {
		const struct site_server *s = &site->servers[i];
		fds[n++] = (struct pollfd){ .fd = s->udp, .events = s->count < SITE_QUERIES ? POLLIN : 0 };
		fds[n++] = (struct pollfd){ .fd = s->tcp, .events = POLLIN };
		for (size_t c = 0; c < s->connection_count; c++)
			fds[n++] = (struct pollfd){ .fd = s->connections[c], .events = POLLIN };
	}
	return n;
}

void site_turn(struct site *site)
{
	enum { OWN = 64 };
	struct pollfd fds[OWN + SITE_SERVERS * (2 + SITE_CONNECTIONS)];
	size_t own = mxg_resolver_pollfds(site->resolver, fds, OWN);
	assert_true(own <= OWN);
	size_t all = own + add_servers(site, fds + own);
	int wait = mxg_resolver_timeout(site->resolver);
	poll(fds, (nfds_t)all, wait < 0 || wait > 50 ? 50 : wait);
	for (size_t i = 0; i < site->server_count; i++) {
		serve_udp(&site->servers[i]);
		serve_tcp(&site->servers[i]);
	}
	assert_int_equal(mxg_resolver_process(site->resolver, fds, own), MXGUARD_ERROR_NONE);
}

void site_wait_for_queries(struct site *site, size_t count)
{
	for (int i = 0; i < 200 && site->servers[0].count < count; i++)
		site_turn(site);
	assert_int_equal(site->servers[0].count, count);
}

double site_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct mxguard_check *site_wait_for_check(struct site *site)
{
	struct mxguard_check *c = NULL;
	double end = site_seconds() + 60;
	while ((c = mxg_resolver_next(site->resolver)) == NULL && site_seconds() < end)
		site_turn(site);
	assert_non_null(c);
	return c;
}

enum mxguard_verdict site_decide(struct site *site, const char *domain, int timeout_ms, char reason[64])
{
	char recipient[100];
	snprintf(recipient, sizeof(recipient), "alice@%s", domain);
	struct mxguard_check *c = site_check(site, "192.0.2.10", recipient);
	int progress = mxg_resolver_start(site->resolver, c, timeout_ms);
	if (progress == MXGUARD_PROGRESS_NEED_DNS) {
		assert_ptr_equal(site_wait_for_check(site), c);
		progress = mxguard_check_run(c, (int64_t)time(NULL));
	}
	assert_int_equal(progress, MXGUARD_PROGRESS_DONE);
	enum mxguard_verdict verdict = mxguard_check_verdict(c, 0);
	snprintf(reason, 64, "%s", mxguard_check_text(c, 0, MXGUARD_TEXT_REASON));
	mxguard_check_free(c);
	return verdict;
}
