/* SPDX-License-Identifier: MIT */
/* Questions and replies without a check behind them: a refresh has thousands of questions and
 * no deadline, and tries the other servers in turn where one refuses. */
#include "resolver/asker.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>

#include "resolver/channel.h"

#define ALL_MS 5000 /* for one try at every server, */
#define TRY_MS 2500 /* … but no more than that for one */
#define TRY_LEAST_MS 300
#define TRIES 2 /* for lost packets */
#define ROUNDS 2 /* of ours, for servers that refuse or fail */
#define SOCKETS_MAX 256

struct pending {
	struct mxg_call call; /* first: the one is the other */
	struct mxg_asker *asker;
	struct pending *next; /* among those that are done */
	void *cookie;
	struct mxg_question question;
	struct mxg_reply reply;
	unsigned rounds;
};

struct mxg_asker {
	struct mxg_channel *channel;
	const struct mxguard_policy *policy;
	struct pending *done, **done_end;
	size_t open;
	uint64_t sent;
};

/* Eight servers that say nothing must not take four times as long as two. */
static int try_ms(const char *servers)
{
	int count = 1;
	for (; servers != NULL && *servers != '\0'; servers++)
		count += *servers == ',';
	int each = ALL_MS / count;
	return each > TRY_MS ? TRY_MS : each < TRY_LEAST_MS ? TRY_LEAST_MS : each;
}

struct mxg_asker *mxg_asker_new(const struct mxguard_policy *policy)
{
	struct mxg_channel_options options = { .servers = policy->dns_servers,
					       .try_ms = try_ms(policy->dns_servers),
					       .tries = TRIES,
					       .refusals = true,
					       .rotate = true };
	struct mxg_asker *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	a->policy = policy;
	a->done_end = &a->done;
	a->channel = mxg_channel_new(&options);
	if (a->channel != NULL)
		return a;
	free(a);
	return NULL;
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

static void send_question(struct pending *p);

static void on_reply(struct mxg_call *call, const uint8_t *bytes, size_t len, enum mxg_dns_failure why)
{
	struct pending *p = (struct pending *)call;
	if (bytes == NULL) {
		fail(p, why);
		return;
	}
	if (!mxg_dns_reply_parse(&p->reply, &p->question, bytes, len)) {
		fail(p, MXG_DNS_LOCAL);
		return;
	}
	bool elsewhere = p->reply.kind == MXG_ANSWER_FAILED && p->reply.failure != MXG_DNS_BROKEN;
	if (elsewhere && p->rounds < ROUNDS) {
		send_question(p); /* refusals come to us: the next server is ours to try */
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
	mxg_channel_send(p->asker->channel, query, len, &p->call);
}

bool mxg_asker_ask(struct mxg_asker *a, const struct mxg_question *question, void *cookie)
{
	struct pending *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return false;
	p->call.done = on_reply;
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

void mxg_asker_wait(struct mxg_asker *a, int timeout_ms)
{
	struct pollfd fds[SOCKETS_MAX];
	size_t count = mxg_channel_pollfds(a->channel, fds, SOCKETS_MAX);
	int limit = a->done != NULL ? 0 : mxg_channel_timeout(a->channel);
	if (count > SOCKETS_MAX)
		count = SOCKETS_MAX; /* time limits end what is asked on the rest */
	if (poll(fds, (nfds_t)count, limit < 0 || limit > timeout_ms ? timeout_ms : limit) > 0)
		mxg_channel_process(a->channel, fds, count);
	mxg_channel_expire(a->channel);
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
	mxg_channel_free(a->channel); /* every question that is open comes to on_reply() as cancelled */
	while (mxg_asker_next(a, &left))
		free(left.reply.records.data);
	free(a);
}
