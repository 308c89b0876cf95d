/* SPDX-License-Identifier: MIT */
/*
 * The driver that asks DNS for checks, over c-ares 1.18 to 1.34. The only file that knows
 * c-ares. Replies are taken in c-ares' callback, but nothing is decided there: checks run
 * after it has returned, so that no callback ever calls back into the channel.
 *
 * c-ares itself tries again and at the next server when nothing comes, asks over TCP where a
 * reply is truncated, and drops replies that do not belong to a question. After SERVFAIL and
 * REFUSED it would go on by itself, but then does not say what the servers said (1.18): so
 * those replies are taken (NOCHECKRESP), and where there are several servers the question goes
 * out once more through a second channel that skips such servers.
 *
 * Its process-wide initialisation (ares_library_init) does something on Windows only and is
 * left out here. A resolver must not be used on both sides of a fork.
 */
#include <ares.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "policy.h"

#define QUERY_MAX 512
#define BUCKETS 256
#define TRIES 3
#define EDNS_PAYLOAD 1232
#define ROUNDS_MAX 1000 /* runs of one check in one turn; each one answers a question */
#define SOCKET_QUERIES 64 /* a new port after so many questions, where c-ares can */

struct job;

/* One question that is out; several checks may wait for it. */
struct query {
	struct query *next; /* in the bucket */
	struct mxguard_resolver *resolver;
	struct waiter *waiters;
	uint8_t *refusal; /* the first server's SERVFAIL or REFUSED, while others are asked */
	size_t refusal_len;
	size_t len;
	uint8_t bytes[QUERY_MAX];
};

enum { FIRST_CHANNEL, SECOND_CHANNEL, CHANNELS };

struct channel {
	struct mxguard_resolver *resolver;
	ares_channel ares;
	bool open;
};

struct watched {
	int fd;
	short events;
	struct channel *channel;
};

struct waiter {
	struct waiter *next;
	struct job *job;
	unsigned number;
};

struct job {
	struct job *next;
	struct mxguard_check *check;
	int64_t deadline; /* monotonic, milliseconds */
	bool dirty; /* a reply came: run it */
	bool finished;
};

struct mxguard_resolver {
	struct mxguard_policy *policy;
	struct channel channels[CHANNELS];
	size_t servers;
	struct job *jobs;
	struct query *buckets[BUCKETS];
	struct watched *fds;
	size_t fd_count, fd_room;
	bool closing;
};

/* ---- clocks ---------------------------------------------------------------------------- */

static int64_t monotonic_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t wall_clock(void)
{
	return (int64_t)time(NULL);
}

/* ---- the channel ----------------------------------------------------------------------- */

static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct channel *channel = data;
	struct mxguard_resolver *r = channel->resolver;
	short events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
	size_t i = 0;
	while (i < r->fd_count && r->fds[i].fd != fd)
		i++;
	if (events == 0) {
		if (i < r->fd_count)
			r->fds[i] = r->fds[--r->fd_count];
		return;
	}
	if (i == r->fd_room) {
		struct watched *fds = reallocarray(r->fds, r->fd_room * 2 + 8, sizeof(*fds));
		if (fds == NULL)
			return; /* its questions then end by their time limit */
		r->fds = fds;
		r->fd_room = r->fd_room * 2 + 8;
	}
	if (i == r->fd_count)
		r->fd_count++;
	r->fds[i] = (struct watched){ .fd = fd, .events = events, .channel = channel };
}

/* So that a second and a third server, or try, still fit into the whole. */
static int try_timeout(int whole)
{
	int each = whole / 4;
	return each < 200 ? 200 : each > 2000 ? 2000 : each;
}

static bool init_channel(struct mxguard_resolver *r, struct channel *channel, int flags)
{
	struct ares_options options = { .flags = ARES_FLAG_EDNS | flags,
					.timeout = try_timeout(r->policy->timeout_ms),
					.tries = TRIES,
					.ednspsz = EDNS_PAYLOAD,
					.sock_state_cb = on_socket,
					.sock_state_cb_data = channel };
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_FLAG_DNS0x20
	options.flags |= ARES_FLAG_DNS0x20;
#endif
#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE; /* qcache_max_ttl 0: off; the snapshot is our memory */
#endif
#ifdef ARES_OPT_UDP_MAX_QUERIES
	mask |= ARES_OPT_UDP_MAX_QUERIES;
	options.udp_max_queries = SOCKET_QUERIES;
#endif
	channel->resolver = r;
	return ares_init_options(&channel->ares, &options, mask) == ARES_SUCCESS;
}

static void count_servers(struct mxguard_resolver *r, struct channel *channel)
{
	struct ares_addr_port_node *servers = NULL;
	r->servers = 0;
	if (ares_get_servers_ports(channel->ares, &servers) == ARES_SUCCESS)
		for (const struct ares_addr_port_node *s = servers; s != NULL; s = s->next)
			r->servers++;
	ares_free_data(servers);
}

static bool open_channel(struct mxguard_resolver *r, unsigned which)
{
	struct channel *channel = &r->channels[which];
	if (channel->open)
		return true;
	if (!init_channel(r, channel, which == FIRST_CHANNEL ? ARES_FLAG_NOCHECKRESP : 0))
		return false;
	if (r->policy->dns_servers != NULL &&
	    ares_set_servers_ports_csv(channel->ares, r->policy->dns_servers) != ARES_SUCCESS) {
		ares_destroy(channel->ares);
		return false;
	}
	channel->open = true;
	count_servers(r, channel);
	return true;
}

/* ---- questions ------------------------------------------------------------------------- */

static struct query **bucket_of(struct mxguard_resolver *r, const uint8_t *bytes, size_t len)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 2; i < len; i++) /* behind the id */
		hash = (hash ^ bytes[i]) * 16777619u;
	return &r->buckets[hash % BUCKETS];
}

static void forget_query(struct query *query)
{
	struct query **at = bucket_of(query->resolver, query->bytes, query->len);
	while (*at != NULL && *at != query)
		at = &(*at)->next;
	if (*at == query)
		*at = query->next;
	for (struct waiter *w = query->waiters, *next; w != NULL; w = next) {
		next = w->next;
		free(w);
	}
	free(query->refusal);
	free(query);
}

static enum mxguard_dns_failure failure_of(int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
	case ARES_ECONNREFUSED: /* c-ares says so when no server took the question */
		return MXGUARD_DNS_TIMEOUT;
	case ARES_ESERVFAIL:
	case ARES_ENOTIMP:
	case ARES_EFORMERR:
		return MXGUARD_DNS_SERVFAIL;
	case ARES_EREFUSED:
		return MXGUARD_DNS_REFUSED;
	case ARES_EBADRESP:
	case ARES_EBADNAME:
		return MXGUARD_DNS_BROKEN;
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return MXGUARD_DNS_CANCELLED;
	default:
		return MXGUARD_DNS_LOCAL;
	}
}

/* Ends the question: the reply, or what came instead of one, goes to all who wait. */
static void settle(struct query *query, int status, const uint8_t *reply, size_t len)
{
	int64_t now = wall_clock();
	for (struct waiter *w = query->waiters; w != NULL; w = w->next) {
		if (reply != NULL)
			mxguard_check_reply(w->job->check, w->number, reply, len, now);
		else
			mxguard_check_no_reply(w->job->check, w->number, failure_of(status), now);
		w->job->dirty = true;
	}
	forget_query(query);
}

static void on_second_reply(void *argument, int status, int timeouts, unsigned char *reply, int len)
{
	struct query *query = argument;
	(void)timeouts;
	if (status == ARES_SUCCESS && reply != NULL && len > 0)
		settle(query, status, reply, (size_t)len);
	else
		settle(query, status, query->refusal, query->refusal_len);
}

/* RFC 1035 §4.1.1: SERVFAIL 2, NOTIMP 4, REFUSED 5: what another server may do better. */
static bool is_refusal(const uint8_t *reply, size_t len)
{
	unsigned rcode = len < 12 ? 0 : reply[3] & 15u;
	return rcode == 2 || rcode == 4 || rcode == 5;
}

static bool ask_others(struct query *query, const uint8_t *reply, size_t len)
{
	struct mxguard_resolver *r = query->resolver;
	if (r->closing || r->servers < 2 || !open_channel(r, SECOND_CHANNEL))
		return false;
	query->refusal = malloc(len);
	if (query->refusal == NULL)
		return false;
	memcpy(query->refusal, reply, len);
	query->refusal_len = len;
	ares_send(r->channels[SECOND_CHANNEL].ares, query->bytes, (int)query->len, on_second_reply, query);
	return true;
}

static void on_reply(void *argument, int status, int timeouts, unsigned char *reply, int len)
{
	struct query *query = argument;
	(void)timeouts;
	if (status != ARES_SUCCESS || reply == NULL || len <= 0)
		settle(query, status, NULL, 0);
	else if (!is_refusal(reply, (size_t)len) || !ask_others(query, reply, (size_t)len))
		settle(query, status, reply, (size_t)len);
}

static bool join(struct query *query, struct job *job, unsigned number)
{
	struct waiter *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return false;
	*w = (struct waiter){ .next = query->waiters, .job = job, .number = number };
	query->waiters = w;
	return true;
}

static struct query *find_query(struct mxguard_resolver *r, const uint8_t *bytes, size_t len)
{
	struct query *q = *bucket_of(r, bytes, len);
	while (q != NULL && (q->len != len || memcmp(q->bytes + 2, bytes + 2, len - 2) != 0))
		q = q->next;
	return q;
}

static struct query *new_query(struct mxguard_resolver *r, const uint8_t *bytes, size_t len)
{
	struct query **bucket = bucket_of(r, bytes, len), *q = calloc(1, sizeof(*q));
	if (q == NULL || getrandom(q->bytes, 2, 0) != 2) {
		free(q);
		return NULL;
	}
	memcpy(q->bytes + 2, bytes + 2, len - 2);
	q->len = len;
	q->resolver = r;
	q->next = *bucket;
	*bucket = q;
	return q;
}

static bool ask(struct mxguard_resolver *r, struct job *job, unsigned number, const uint8_t *bytes, size_t len)
{
	struct query *query = find_query(r, bytes, len);
	if (query != NULL)
		return join(query, job, number);
	if (!open_channel(r, FIRST_CHANNEL) || (query = new_query(r, bytes, len)) == NULL)
		return false;
	if (!join(query, job, number)) {
		forget_query(query);
		return false;
	}
	/* may answer at once, with an error; it then only marks the job */
	ares_send(r->channels[FIRST_CHANNEL].ares, query->bytes, (int)len, on_reply, query);
	return true;
}

/* Takes the job off everything it waits for; `why` is told to the check unless it is 0. */
static void detach(struct mxguard_resolver *r, const struct job *job, int why)
{
	for (size_t b = 0; b < BUCKETS; b++) {
		for (struct query *q = r->buckets[b]; q != NULL; q = q->next) {
			for (struct waiter **at = &q->waiters, *w; (w = *at) != NULL;) {
				if (w->job != job) {
					at = &w->next;
					continue;
				}
				if (why != 0)
					mxguard_check_no_reply(job->check, w->number, (enum mxguard_dns_failure)why,
							       wall_clock());
				*at = w->next;
				free(w);
			}
		}
	}
}

/* ---- jobs ------------------------------------------------------------------------------ */

static void ask_all(struct mxguard_resolver *r, struct job *job, bool late)
{
	uint8_t bytes[QUERY_MAX];
	unsigned number;
	size_t len;
	while (mxguard_check_next_question(job->check, &number, bytes, sizeof(bytes), &len) == 1) {
		if (!late && ask(r, job, number, bytes, len))
			continue;
		mxguard_check_no_reply(job->check, number, late ? MXGUARD_DNS_TIMEOUT : MXGUARD_DNS_LOCAL,
				       wall_clock());
		job->dirty = true;
	}
}

/* Runs the check as far as it goes now. Past its deadline every question counts as timed out,
 * so that it comes to an end. */
static int run_job(struct mxguard_resolver *r, struct job *job)
{
	int progress = MXGUARD_NEED_DNS;
	bool late = monotonic_ms() >= job->deadline;
	if (late)
		detach(r, job, MXGUARD_DNS_TIMEOUT);
	job->dirty = true;
	for (int round = 0; job->dirty && round < ROUNDS_MAX; round++) {
		job->dirty = false;
		progress = mxguard_check_run(job->check, wall_clock());
		if (progress == MXGUARD_NEED_DNS)
			ask_all(r, job, late);
	}
	if (progress == MXGUARD_NEED_DNS && late)
		progress = mxguard_check_give_up(job->check, wall_clock());
	if (progress != MXGUARD_NEED_DNS) {
		detach(r, job, 0);
		job->finished = true;
	}
	return progress;
}

static struct job **find_job(struct mxguard_resolver *r, const struct mxguard_check *check)
{
	struct job **at = &r->jobs;
	while (*at != NULL && (*at)->check != check)
		at = &(*at)->next;
	return at;
}

static void remove_job(struct job **at)
{
	struct job *job = *at;
	*at = job->next;
	free(job);
}

int mxguard_resolver_start(struct mxguard_resolver *r, struct mxguard_check *check, int timeout_ms)
{
	struct job **at = find_job(r, check), *job = *at;
	if (check == NULL || timeout_ms < -1)
		return MXGUARD_ERROR_INVALID;
	if (job == NULL) {
		job = calloc(1, sizeof(*job));
		if (job == NULL)
			return MXGUARD_ERROR_NOMEM;
		*at = job;
		job->check = check;
	}
	job->finished = false;
	job->deadline = monotonic_ms() + (timeout_ms < 0 ? r->policy->timeout_ms : timeout_ms);
	int progress = run_job(r, job);
	if (job->finished)
		remove_job(find_job(r, check));
	return progress;
}

void mxguard_resolver_cancel(struct mxguard_resolver *r, struct mxguard_check *check)
{
	struct job **at = find_job(r, check);
	if (*at == NULL)
		return;
	detach(r, *at, 0);
	remove_job(at);
}

struct mxguard_check *mxguard_resolver_next(struct mxguard_resolver *r)
{
	for (struct job **at = &r->jobs; *at != NULL; at = &(*at)->next) {
		if (!(*at)->finished)
			continue;
		struct mxguard_check *check = (*at)->check;
		remove_job(at);
		return check;
	}
	return NULL;
}

static void run_jobs(struct mxguard_resolver *r)
{
	int64_t now = monotonic_ms();
	for (struct job *job = r->jobs; job != NULL; job = job->next)
		if (!job->finished && (job->dirty || now >= job->deadline))
			run_job(r, job);
}

/* ---- polling ----------------------------------------------------------------------------- */

size_t mxguard_resolver_pollfds(const struct mxguard_resolver *r, struct pollfd *fds, size_t count)
{
	for (size_t i = 0; i < r->fd_count && i < count; i++)
		fds[i] = (struct pollfd){ .fd = r->fds[i].fd, .events = r->fds[i].events };
	return r->fd_count;
}

static int64_t channel_timeout(const struct channel *channel)
{
	struct timeval tv;
	if (!channel->open || ares_timeout(channel->ares, NULL, &tv) == NULL)
		return INT64_MAX;
	return (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
}

int mxguard_resolver_timeout(const struct mxguard_resolver *r)
{
	int64_t now = monotonic_ms(), least = INT64_MAX;
	for (const struct job *job = r->jobs; job != NULL; job = job->next) {
		if (job->finished || job->dirty)
			return 0;
		if (job->deadline - now < least)
			least = job->deadline - now;
	}
	for (unsigned i = 0; r->jobs != NULL && i < CHANNELS; i++) {
		int64_t channel = channel_timeout(&r->channels[i]);
		least = channel < least ? channel : least;
	}
	return least == INT64_MAX ? -1 : least < 0 ? 0 : (int)least;
}

static struct channel *channel_of(struct mxguard_resolver *r, int fd)
{
	for (size_t i = 0; i < r->fd_count; i++)
		if (r->fds[i].fd == fd)
			return r->fds[i].channel;
	return NULL; /* closed while another one was worked on */
}

static void process_events(struct mxguard_resolver *r, const struct pollfd *p)
{
	bool in = (p->revents & (POLLIN | POLLERR | POLLHUP)) != 0;
	bool out = (p->revents & (POLLOUT | POLLERR)) != 0;
	struct channel *channel = in || out ? channel_of(r, p->fd) : NULL;
	if (channel != NULL)
		ares_process_fd(channel->ares, in ? p->fd : ARES_SOCKET_BAD, out ? p->fd : ARES_SOCKET_BAD);
}

int mxguard_resolver_process(struct mxguard_resolver *r, const struct pollfd *fds, size_t count)
{
	if (fds == NULL && count > 0)
		return MXGUARD_ERROR_INVALID;
	for (size_t i = 0; i < count; i++)
		process_events(r, &fds[i]);
	for (unsigned i = 0; i < CHANNELS; i++) /* what has timed out */
		if (r->channels[i].open)
			ares_process_fd(r->channels[i].ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	run_jobs(r);
	return MXGUARD_OK;
}

/* ---- blocking ------------------------------------------------------------------------------ */

#define POLL_MAX 64 /* c-ares holds one or two sockets a server */

int mxguard_resolver_run(struct mxguard_resolver *r, struct mxguard_check *check, int timeout_ms)
{
	struct pollfd fds[POLL_MAX];
	int progress = mxguard_resolver_start(r, check, timeout_ms);
	while (progress == MXGUARD_NEED_DNS) {
		size_t count = mxguard_resolver_pollfds(r, fds, POLL_MAX);
		if (count > POLL_MAX)
			count = POLL_MAX;
		if (poll(fds, (nfds_t)count, mxguard_resolver_timeout(r)) <= 0)
			count = 0;
		mxguard_resolver_process(r, fds, count);
		struct job *job = *find_job(r, check);
		if (job == NULL || !job->finished)
			continue;
		remove_job(find_job(r, check));
		progress = mxguard_check_run(check, wall_clock());
		if (progress == MXGUARD_NEED_DNS)
			progress = mxguard_check_give_up(check, wall_clock());
	}
	return progress;
}

/* ---- its life ------------------------------------------------------------------------------- */

struct mxguard_resolver *mxguard_resolver_new(struct mxguard_policy *policy)
{
	struct mxguard_resolver *r = policy == NULL ? NULL : calloc(1, sizeof(*r));
	if (r != NULL)
		r->policy = mxguard_policy_ref(policy);
	return r;
}

void mxguard_resolver_free(struct mxguard_resolver *r)
{
	if (r == NULL)
		return;
	while (r->jobs != NULL)
		mxguard_resolver_cancel(r, r->jobs->check);
	r->closing = true;
	for (unsigned i = 0; i < CHANNELS; i++)
		if (r->channels[i].open)
			ares_destroy(r->channels[i].ares); /* ends every query, which frees it */
	free(r->fds);
	mxguard_policy_unref(r->policy);
	free(r);
}
