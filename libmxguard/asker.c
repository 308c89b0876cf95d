/* SPDX-License-Identifier: MIT */
/*
 * Questions and replies over c-ares, without a check behind them. Beside resolver.c the only
 * file that knows c-ares: a refresh has thousands of questions and no deadline, and tries the
 * other servers in turn (ROTATE) where one refuses.
 */
#include "asker.h"

#include <ares.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TRY_MS 2500
#define TRIES 2 /* of c-ares, for lost packets */
#define ROUNDS 2 /* of ours, for servers that refuse or fail */
#define PER_SOCKET 64 /* questions from one source port, then another is taken */
#define EDNS_PAYLOAD 1232 /* as mxg_dns_query() says; else c-ares takes over 512 bytes for a fault */
#define SOCKETS_MAX 256

struct pending {
	struct mxg_asker *asker;
	struct pending *next; /* among those that are done */
	void *cookie;
	struct mxg_question question;
	struct mxg_reply reply;
	unsigned rounds;
};

struct mxg_asker {
	ares_channel channel;
	const struct mxguard_policy *policy;
	struct pending *done, **done_end;
	size_t open;
	uint64_t sent;
	struct pollfd fds[SOCKETS_MAX];
	size_t fd_count;
};

static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct mxg_asker *a = data;
	size_t i = 0;
	while (i < a->fd_count && a->fds[i].fd != fd)
		i++;
	if (!readable && !writable) {
		if (i < a->fd_count)
			a->fds[i] = a->fds[--a->fd_count];
		return;
	}
	if (i == SOCKETS_MAX)
		return; /* c-ares' own timeouts end what is asked there */
	if (i == a->fd_count)
		a->fd_count++;
	a->fds[i] = (struct pollfd){ .fd = fd };
	a->fds[i].events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
}

struct mxg_asker *mxg_asker_new(const struct mxguard_policy *policy)
{
	struct mxg_asker *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	a->policy = policy;
	a->done_end = &a->done;
	struct ares_options options = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP |
						 ARES_FLAG_STAYOPEN | ARES_FLAG_EDNS,
					.timeout = TRY_MS,
					.tries = TRIES,
					.ednspsz = EDNS_PAYLOAD,
					.sock_state_cb = on_socket,
					.sock_state_cb_data = a };
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
		   ARES_OPT_SOCK_STATE_CB | ARES_OPT_ROTATE;
#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE; /* its lifetime is 0: off */
#endif
#ifdef ARES_OPT_UDP_MAX_QUERIES
	options.udp_max_queries = PER_SOCKET;
	mask |= ARES_OPT_UDP_MAX_QUERIES;
#endif
	if (ares_init_options(&a->channel, &options, mask) != ARES_SUCCESS) {
		free(a);
		return NULL;
	}
	if (policy->dns_servers != NULL && ares_set_servers_ports_csv(a->channel, policy->dns_servers) != ARES_SUCCESS) {
		mxg_asker_free(a);
		return NULL;
	}
	return a;
}

static void finish(struct pending *p)
{
	p->asker->open--;
	p->next = NULL;
	*p->asker->done_end = p;
	p->asker->done_end = &p->next;
}

static void fail(struct pending *p, enum mxg_dns_failure why)
{
	p->reply = (struct mxg_reply){ .kind = MXG_ANSWER_FAILED, .failure = why };
	finish(p);
}

static enum mxg_dns_failure failure_of(int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
	case ARES_ECONNREFUSED:
		return MXG_DNS_TIMEOUT;
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return MXG_DNS_CANCELLED;
	case ARES_ENOMEM:
		return MXG_DNS_LOCAL;
	default:
		return MXG_DNS_BROKEN;
	}
}

static void send_question(struct pending *p);

static void on_reply(void *data, int status, int timeouts, unsigned char *bytes, int len)
{
	struct pending *p = data;
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED || bytes == NULL || len <= 0) {
		fail(p, failure_of(status));
		return;
	}
	if (!mxg_dns_reply_parse(&p->reply, &p->question, bytes, (size_t)len)) {
		fail(p, MXG_DNS_LOCAL);
		return;
	}
	bool elsewhere = p->reply.kind == MXG_ANSWER_FAILED && p->reply.failure != MXG_DNS_BROKEN;
	if (elsewhere && p->rounds < ROUNDS) {
		send_question(p); /* NOCHECKRESP: the next server is ours to try */
		return;
	}
	if (p->asker->policy->require_dnssec && p->reply.kind != MXG_ANSWER_FAILED && !p->reply.ad) {
		free(p->reply.records.data);
		fail(p, MXG_DNS_INSECURE);
		return;
	}
	finish(p);
}

static void send_question(struct pending *p)
{
	uint8_t query[512];
	uint16_t id;
	p->rounds++;
	p->asker->sent++;
	if (getrandom(&id, sizeof(id), 0) != sizeof(id)) {
		fail(p, MXG_DNS_LOCAL);
		return;
	}
	size_t len = mxg_dns_query(query, sizeof(query), &p->question, id);
	ares_send(p->asker->channel, query, (int)len, on_reply, p);
}

bool mxg_asker_ask(struct mxg_asker *a, const struct mxg_question *question, void *cookie)
{
	struct pending *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return false;
	p->asker = a;
	p->cookie = cookie;
	p->question = *question;
	a->open++;
	send_question(p);
	return true;
}

size_t mxg_asker_open(const struct mxg_asker *a)
{
	return a->open;
}

uint64_t mxg_asker_sent(const struct mxg_asker *a)
{
	return a->sent;
}

static int wait_ms(struct mxg_asker *a, int most)
{
	struct timeval limit = { .tv_sec = most / 1000, .tv_usec = most % 1000 * 1000 }, tv;
	const struct timeval *t = ares_timeout(a->channel, &limit, &tv);
	return t == NULL ? most : (int)(t->tv_sec * 1000 + (t->tv_usec + 999) / 1000);
}

void mxg_asker_wait(struct mxg_asker *a, int timeout_ms)
{
	struct pollfd fds[SOCKETS_MAX];
	size_t n = a->fd_count;
	if (a->done != NULL)
		timeout_ms = 0;
	memcpy(fds, a->fds, n * sizeof(fds[0]));
	int ready = poll(fds, (nfds_t)n, wait_ms(a, timeout_ms));
	for (size_t i = 0; ready > 0 && i < n; i++)
		if (fds[i].revents != 0)
			ares_process_fd(a->channel,
					(fds[i].revents & ~POLLOUT) != 0 ? fds[i].fd : ARES_SOCKET_BAD,
					(fds[i].revents & POLLOUT) != 0 ? fds[i].fd : ARES_SOCKET_BAD);
	ares_process_fd(a->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* timeouts */
}

bool mxg_asker_next(struct mxg_asker *a, struct mxg_asked *out)
{
	struct pending *p = a->done;
	if (p == NULL)
		return false;
	a->done = p->next;
	if (a->done == NULL)
		a->done_end = &a->done;
	*out = (struct mxg_asked){ .cookie = p->cookie, .reply = p->reply };
	free(p);
	return true;
}

void mxg_asker_free(struct mxg_asker *a)
{
	struct mxg_asked left;
	if (a == NULL)
		return;
	ares_destroy(a->channel); /* every question that is open comes to on_reply() as cancelled */
	while (mxg_asker_next(a, &left))
		free(left.reply.records.data);
	free(a);
}
