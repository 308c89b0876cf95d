/* SPDX-License-Identifier: MIT */
/* Requests in, replies out. */
#include "decider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "log.h"
#include "mxguard.h"
#include "tagged.h"

#define MESSAGE_MAX 1024
#define LOG_LINE_MAX 4096
#define TAG_MAX 2048
#define SPARE_MAX 64 /* checks that are kept for the next request */
#define SNAPSHOT_EVERY 1 /* seconds between looks at the file */

struct era;

struct mxg_pending {
	struct mxg_pending *next;
	struct mxguard_check *check;
	struct era *era;
	void *owner;
	char *instance;
};

/* What belongs to one reading of the configuration. */
struct era {
	struct era *next; /* an older one, with requests still under way */
	struct mxguard_policy *policy;
	struct mxguard_snapshot *snapshot;
	struct mxguard_resolver *resolver;
	struct mxg_pending *pending, *spare;
	size_t spare_count;
	time_t looked; /* when the snapshot's file was looked at */
};

struct mxg_decider {
	const char *config;
	struct era *eras; /* the current one first */
	struct mxg_tagged tagged;
	bool state_told; /* that it is asked at the wrong stage */
};

/* ---- an era ---------------------------------------------------------------------------- */

static void free_pending(struct mxg_pending *p)
{
	mxguard_check_free(p->check);
	free(p->instance);
	free(p);
}

static void drop_spares(struct era *era)
{
	while (era->spare != NULL) {
		struct mxg_pending *p = era->spare;
		era->spare = p->next;
		free_pending(p);
	}
	era->spare_count = 0;
}

static void free_era(struct era *era)
{
	if (era == NULL)
		return;
	while (era->pending != NULL) {
		struct mxg_pending *p = era->pending;
		era->pending = p->next;
		mxguard_resolver_cancel(era->resolver, p->check);
		free_pending(p);
	}
	drop_spares(era);
	mxguard_resolver_free(era->resolver);
	mxguard_snapshot_unref(era->snapshot);
	mxguard_policy_unref(era->policy);
	free(era);
}

static void open_snapshot(struct era *era)
{
	char message[MESSAGE_MAX] = "";
	struct mxguard_snapshot *snapshot = NULL;
	if (mxguard_snapshot_open(&snapshot, era->policy, 0, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		snapshot = NULL;
		mxg_log_warning("mxguard: policy: %s; DNS is asked for everything", message);
	} else if (message[0] != '\0') {
		mxg_log_warning("mxguard: policy: %s", message);
	}
	mxguard_snapshot_unref(era->snapshot);
	era->snapshot = snapshot;
	drop_spares(era); /* they hold the old one */
}

/* A new snapshot counts within a second; a look costs one stat(2). */
static void refresh_snapshot(struct era *era)
{
	time_t now = time(NULL);
	if (now - era->looked < SNAPSHOT_EVERY && now >= era->looked)
		return;
	era->looked = now;
	if (mxguard_snapshot_changed(era->snapshot, era->policy) == 1)
		open_snapshot(era);
}

static void tell_warnings(const struct mxguard_policy *policy)
{
	const char *warning;
	for (size_t i = 0; (warning = mxguard_policy_warning(policy, i)) != NULL; i++)
		mxg_log_warning("mxguard: policy: %s", warning);
}

static struct era *new_era(const char *config, char *message, size_t size, int *status)
{
	struct era *era = calloc(1, sizeof(*era));
	int result = era == NULL ? MXGUARD_ERROR_NOMEM : mxguard_policy_load(&era->policy, config, 0, message, size);
	if (result == MXGUARD_ERROR_NONE) {
		mxguard_resolver_new(&era->resolver, era->policy);
		if (era->resolver == NULL)
			result = MXGUARD_ERROR_NOMEM;
	}
	if (result == MXGUARD_ERROR_NONE) {
		tell_warnings(era->policy);
		era->looked = time(NULL);
		open_snapshot(era);
		return era;
	}
	if (message[0] == '\0')
		snprintf(message, size, "%s: %s", config,
			 result == MXGUARD_ERROR_NOMEM ? "out of memory" : "it cannot be read");
	*status = result == MXGUARD_ERROR_NOMEM ? EX_TEMPFAIL : EX_CONFIG;
	free_era(era);
	return NULL;
}

/* Older ones go when their last request has. */
static void retire(struct mxg_decider *d)
{
	for (struct era **at = &d->eras->next, *era; (era = *at) != NULL;) {
		if (era->pending != NULL) {
			at = &era->next;
			continue;
		}
		*at = era->next;
		free_era(era);
	}
}

struct mxg_decider *mxg_decider_new(const char *config, int *status)
{
	char message[MESSAGE_MAX] = "";
	struct mxg_decider *d = calloc(1, sizeof(*d));
	*status = EX_TEMPFAIL;
	if (d == NULL)
		return NULL;
	d->config = config;
	mxg_tagged_init(&d->tagged);
	d->eras = new_era(config, message, sizeof(message), status);
	if (d->eras != NULL)
		return d;
	mxg_log_error("mxguard: policy: %s", message);
	free(d);
	return NULL;
}

void mxg_decider_free(struct mxg_decider *d)
{
	if (d == NULL)
		return;
	while (d->eras != NULL) {
		struct era *era = d->eras;
		d->eras = era->next;
		free_era(era);
	}
	free(d);
}

void mxg_decider_reload(struct mxg_decider *d)
{
	char message[MESSAGE_MAX] = "";
	int status;
	struct era *era = new_era(d->config, message, sizeof(message), &status);
	if (era == NULL) {
		mxg_log_error("mxguard: policy: the configuration was not reloaded, the old one stays in force: %s",
			      message);
		return;
	}
	drop_spares(d->eras);
	era->next = d->eras;
	d->eras = era;
	retire(d);
	mxg_log_info("mxguard: policy: the configuration was reloaded");
}

/* ---- one request ------------------------------------------------------------------------- */

static struct mxg_pending *new_pending(struct era *era)
{
	struct mxg_pending *p = era->spare;
	if (p != NULL) {
		era->spare = p->next;
		era->spare_count--;
		p->next = NULL;
		return p;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->era = era;
	mxguard_check_new(&p->check, era->policy, era->snapshot, 0);
	if (p->check != NULL)
		return p;
	free(p);
	return NULL;
}

/* Kept for the next, unless the configuration is an older one. */
static void recycle(struct mxg_decider *d, struct mxg_pending *p)
{
	free(p->instance);
	p->instance = NULL;
	p->owner = NULL;
	if (p->era != d->eras || p->era->spare_count >= SPARE_MAX) {
		free_pending(p);
		return;
	}
	mxguard_check_reset(p->check);
	p->next = p->era->spare;
	p->era->spare = p;
	p->era->spare_count++;
}

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

/* An address that cannot be read ("unknown") is the check's to judge: it answers `unknown`. */
static int fill(struct mxguard_check *check, const struct mxg_request *q)
{
	const char *id = q->queue_id != NULL && q->queue_id[0] != '\0' ? q->queue_id : or_empty(q->instance);
	int result = mxguard_check_set_peer_text(check, q->client_address);
	if (result == MXGUARD_ERROR_NONE || result == MXGUARD_ERROR_INVALID)
		result = mxguard_check_set_helo(check, or_empty(q->helo_name));
	if (result == MXGUARD_ERROR_NONE)
		result = mxguard_check_set_login(check, or_empty(q->sasl_username));
	if (result == MXGUARD_ERROR_NONE)
		result = mxguard_check_set_sender(check, or_empty(q->sender));
	if (result == MXGUARD_ERROR_NONE)
		result = mxguard_check_set_place(check, MXGUARD_PLACE_DOOR);
	if (result == MXGUARD_ERROR_NONE)
		result = mxguard_check_set_ids(check, id, NULL);
	if (result == MXGUARD_ERROR_NONE)
		result = mxguard_check_add_recipient(check, q->recipient, NULL);
	return result < 0 ? result : MXGUARD_ERROR_NONE;
}

static void reply_trouble(struct mxg_response *reply, const char *what)
{
	reply->kind = MXG_RESPONSE_NOTHING;
	mxg_log_error("mxguard: policy: %s: no reply is given, so that the MTA defers", what);
}

/* Something of ours stands between the client and us: who the boundary peer is, only the
 * header tells, and the plugin or the wrapper will read it. */
static void reply_internal(struct mxg_response *reply, const struct mxguard_check *check)
{
	const char *peer = mxguard_check_text(check, 0, MXGUARD_TEXT_PEER);
	bool judged = mxguard_check_text(check, 0, MXGUARD_TEXT_BOUNDARY_PEER)[0] != '\0';
	reply->kind = MXG_RESPONSE_PASS;
	mxg_log_info("mxguard: policy: peer=%s is %s: rcpt=<%s> is decided after the header",
		     peer[0] == '\0' ? "-" : peer, judged ? "a gateway if its header says so" : "internal",
		     mxguard_check_text(check, 0, MXGUARD_TEXT_RECIPIENT));
}

static void reply_decided(struct mxg_decider *d, struct mxg_response *reply, const struct mxguard_check *check,
			  const char *instance)
{
	char line[LOG_LINE_MAX], tag[TAG_MAX];
	enum mxguard_action action = mxguard_check_action(check, 0);
	mxguard_check_log_line(check, 0, line, sizeof(line));
	mxg_log_info("%s", line);
	reply->kind = MXG_RESPONSE_PASS;
	if (action == MXGUARD_ACTION_REJECT || action == MXGUARD_ACTION_DEFER)
		mxg_response_refuse(reply, mxguard_check_reply_code(check, 0),
				    mxguard_check_text(check, 0, MXGUARD_TEXT_STATUS),
				    mxguard_check_text(check, 0, MXGUARD_TEXT_REPLY));
	else if (mxguard_check_tag(check, 0, tag, sizeof(tag)) == 1 && mxg_tagged_first(&d->tagged, instance, tag))
		mxg_response_add(reply, tag);
}

static void make_reply(struct mxg_decider *d, struct mxg_response *reply, const struct mxguard_check *check,
		       int progress, const char *instance)
{
	if (progress == MXGUARD_PROGRESS_DONE)
		reply_decided(d, reply, check, instance);
	else if (progress == MXGUARD_PROGRESS_NEED_HEADER)
		reply_internal(reply, check);
	else
		reply_trouble(reply, progress == MXGUARD_ERROR_NOMEM ? "out of memory" : "the check cannot go on");
}

/* Before RCPT, and after it with several recipients, there is none to decide about. */
static bool nothing_to_decide(struct mxg_decider *d, const struct mxg_request *q, struct mxg_response *reply)
{
	if (q->recipient != NULL && q->recipient[0] != '\0')
		return false;
	reply->kind = MXG_RESPONSE_PASS;
	if (!d->state_told)
		mxg_log_warning("mxguard: policy: a request without a recipient was answered DUNNO: "
				"check_policy_service belongs into smtpd_recipient_restrictions");
	d->state_told = true;
	return true;
}

struct mxg_pending *mxg_decider_ask(struct mxg_decider *d, const struct mxg_request *q, void *owner,
				    struct mxg_response *reply)
{
	struct era *era = d->eras;
	if (nothing_to_decide(d, q, reply))
		return NULL;
	refresh_snapshot(era);
	struct mxg_pending *p = new_pending(era);
	if (p == NULL || fill(p->check, q) != MXGUARD_ERROR_NONE) {
		reply_trouble(reply, "out of memory");
		if (p != NULL)
			recycle(d, p);
		return NULL;
	}
	int progress = mxguard_resolver_start(era->resolver, p->check, -1);
	if (progress == MXGUARD_PROGRESS_NEED_DNS && q->instance != NULL) {
		p->instance = strdup(q->instance);
		if (p->instance == NULL) {
			mxguard_resolver_cancel(era->resolver, p->check);
			progress = MXGUARD_ERROR_NOMEM;
		}
	}
	if (progress != MXGUARD_PROGRESS_NEED_DNS) {
		make_reply(d, reply, p->check, progress, q->instance);
		recycle(d, p);
		return NULL;
	}
	p->owner = owner;
	p->next = era->pending;
	era->pending = p;
	return p;
}

/* ---- those that wait ----------------------------------------------------------------------- */

static struct mxg_pending *unlink_pending(struct era *era, const struct mxguard_check *check)
{
	struct mxg_pending **at = &era->pending, *p;
	while ((p = *at) != NULL && p->check != check)
		at = &p->next;
	if (p != NULL)
		*at = p->next;
	return p;
}

void mxg_decider_cancel(struct mxg_decider *d, struct mxg_pending *pending)
{
	struct era *era = pending->era;
	mxguard_resolver_cancel(era->resolver, pending->check);
	unlink_pending(era, pending->check);
	recycle(d, pending);
	retire(d);
}

void *mxg_decider_next(struct mxg_decider *d, struct mxg_response *reply)
{
	for (struct era *era = d->eras; era != NULL; era = era->next) {
		struct mxguard_check *check = mxguard_resolver_next(era->resolver);
		struct mxg_pending *p = check == NULL ? NULL : unlink_pending(era, check);
		if (p == NULL)
			continue;
		void *owner = p->owner;
		/* it has come to its end: this only says which */
		make_reply(d, reply, check, mxguard_check_run(check, (int64_t)time(NULL)), p->instance);
		recycle(d, p);
		retire(d);
		return owner;
	}
	return NULL;
}

/* ---- polling ---------------------------------------------------------------------------------- */

size_t mxg_decider_pollfds(struct mxg_decider *d, struct pollfd *fds, size_t count)
{
	size_t used = 0;
	for (const struct era *era = d->eras; era != NULL; era = era->next) {
		size_t at = used < count ? used : count;
		used += mxguard_resolver_pollfds(era->resolver, fds == NULL ? NULL : fds + at, count - at);
	}
	return used;
}

int mxg_decider_timeout(struct mxg_decider *d)
{
	int least = -1;
	for (const struct era *era = d->eras; era != NULL; era = era->next) {
		int own = mxguard_resolver_timeout(era->resolver);
		if (own >= 0 && (least < 0 || own < least))
			least = own;
	}
	return least;
}

/* Each resolver knows its own sockets and passes over the others'. One that waits for nothing
 * still has to take late replies off its sockets. */
void mxg_decider_process(struct mxg_decider *d, const struct pollfd *fds, size_t count)
{
	for (struct era *era = d->eras; era != NULL; era = era->next)
		mxguard_resolver_process(era->resolver, fds, count);
}

int mxg_decider_limit(const struct mxg_decider *d)
{
	int most = 0;
	for (const struct era *era = d->eras; era != NULL; era = era->next) {
		int own = mxguard_policy_timeout(era->policy);
		most = own > most ? own : most;
	}
	return most;
}
