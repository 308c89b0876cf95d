/* SPDX-License-Identifier: MIT */
/* Requests in, replies out. */
#include "decider.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/clock.h"
#include "desk.h"
#include "log.h"
#include "metrics/metrics.h"
#include "mxguard.h"
#include "tagged.h"

#define LOG_LINE_MAX 4096
#define TAG_MAX 2048

/* A request on its way. */
struct mxg_pending {
	struct mxguard_check *check;
	void *owner;
	int64_t began; /* mxg_monotonic_us() */
	char instance[]; /* "": none */
};

struct mxg_decider {
	struct mxg_desk *desk;
	struct mxguard_session *session; /* the desk's */
	struct mxg_tagged tagged;
	bool state_told; /* that it is asked at the wrong stage */
};

struct mxg_decider *mxg_decider_new(const char *config, int *status)
{
	struct mxg_decider *d = calloc(1, sizeof(*d));
	if (d != NULL)
		d->desk = mxg_desk_new(config, "policy", status);
	else
		mxg_log_error("mxguard: policy: out of memory");
	if (d != NULL && d->desk != NULL) {
		d->session = mxg_desk_session(d->desk);
		mxg_tagged_init(&d->tagged);
		return d;
	}
	if (d == NULL)
		*status = EX_TEMPFAIL;
	free(d);
	return NULL;
}

void mxg_decider_free(struct mxg_decider *d)
{
	if (d == NULL)
		return;
	mxg_desk_free(d->desk);
	free(d);
}

struct mxg_desk *mxg_decider_desk(const struct mxg_decider *d)
{
	return d->desk;
}

void mxg_decider_reload(struct mxg_decider *d)
{
	mxg_desk_reload(d->desk);
}

/* ---- one request ------------------------------------------------------------------------- */

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

static bool says_yes(const char *text)
{
	return text != NULL && (strcmp(text, "1") == 0 || strcmp(text, "yes") == 0);
}

/* Postfix names subject and issuer of a certificate that it has verified, and of no other. Exim says
 * by itself whether it has, and has the whole name. Who says it is believed. */
static void fill_certificate(struct mxguard_check *check, const struct mxg_request *q)
{
	bool is_dn = q->ccert_subject == NULL && q->tls_peerdn != NULL;
	const char *subject = is_dn ? q->tls_peerdn : q->ccert_subject;
	bool verified = q->form == MXG_REQUEST_POSTFIX && q->tls_certificate_verified == NULL
				? or_empty(q->ccert_subject)[0] != '\0' || or_empty(q->ccert_issuer)[0] != '\0'
				: says_yes(q->tls_certificate_verified);
	if (q->encryption_protocol != NULL && q->encryption_protocol[0] == '\0')
		mxguard_check_set_certificate(check, "", "", "", "", 0); /* without TLS there is none */
	else if (subject != NULL || q->ccert_fingerprint != NULL || q->ccert_pubkey_fingerprint != NULL)
		mxguard_check_set_certificate(check, subject, q->ccert_issuer, q->ccert_fingerprint,
					      q->ccert_pubkey_fingerprint,
					      (verified ? MXGUARD_CERTIFICATE_FLAG_VERIFIED : 0) |
						      (is_dn ? MXGUARD_CERTIFICATE_FLAG_SUBJECT_DN : 0));
}

/* An address that cannot be read ("unknown") is the check's to judge: it answers `unknown`. Any other
 * failure comes back from the start. */
static void fill(struct mxguard_check *check, const struct mxg_request *q)
{
	const char *id = q->queue_id != NULL && q->queue_id[0] != '\0' ? q->queue_id : or_empty(q->instance);
	mxguard_check_set_peer_text(check, q->client_address);
	mxguard_check_set_helo(check, or_empty(q->helo_name));
	mxguard_check_set_login(check, or_empty(q->sasl_username));
	mxguard_check_set_sender(check, or_empty(q->sender));
	mxguard_check_set_place(check, MXGUARD_PLACE_DOOR);
	fill_certificate(check, q);
	mxguard_check_set_ids(check, id, NULL);
	mxguard_check_add_recipient(check, q->recipient, NULL);
}

static void reply_trouble(const struct mxg_decider *d, struct mxg_response *reply, const char *what)
{
	reply->kind = MXG_RESPONSE_NOTHING;
	mxg_metrics_trouble(mxg_desk_metrics(d->desk));
	mxg_log_error("mxguard: policy: %s: no reply is given, so that the MTA defers", what);
}

/* Something of ours stands between the client and us: who the boundary peer is, only the
 * header tells, and the plugin or the wrapper will read it. */
static void reply_internal(const struct mxg_decider *d, struct mxg_response *reply, const struct mxguard_check *check)
{
	const char *peer = mxguard_check_text(check, 0, MXGUARD_TEXT_PEER);
	bool judged = mxguard_check_text(check, 0, MXGUARD_TEXT_BOUNDARY_PEER)[0] != '\0';
	reply->kind = MXG_RESPONSE_PASS;
	mxg_metrics_left(mxg_desk_metrics(d->desk));
	mxg_log_info("mxguard: policy: peer=%s is %s: rcpt=<%s> is decided after the header",
		     peer[0] == '\0' ? "-" : peer, judged ? "a gateway if its header says so" : "internal",
		     mxguard_check_text(check, 0, MXGUARD_TEXT_RECIPIENT));
}

static void reply_decided(struct mxg_decider *d, struct mxg_response *reply, const struct mxg_pending *p)
{
	const struct mxguard_check *check = p->check;
	char tag[TAG_MAX];
	enum mxguard_action action = mxguard_check_action(check, 0);
	mxg_desk_decided(d->desk, check, 0, p->began);
	reply->kind = MXG_RESPONSE_PASS;
	if (action == MXGUARD_ACTION_REJECT || action == MXGUARD_ACTION_DEFER)
		mxg_response_refuse(reply, mxguard_check_reply_code(check, 0),
				    mxguard_check_text(check, 0, MXGUARD_TEXT_STATUS),
				    mxguard_check_text(check, 0, MXGUARD_TEXT_REPLY));
	else if (mxguard_check_tag(check, 0, tag, sizeof(tag)) == 1 && mxg_tagged_first(&d->tagged, p->instance, tag))
		mxg_response_add(reply, tag);
}

static void make_reply(struct mxg_decider *d, struct mxg_response *reply, const struct mxg_pending *p, int progress)
{
	if (progress == MXGUARD_PROGRESS_DONE)
		reply_decided(d, reply, p);
	else if (progress == MXGUARD_PROGRESS_NEED_HEADER)
		reply_internal(d, reply, p->check);
	else
		reply_trouble(d, reply, progress == MXGUARD_ERROR_NOMEM ? "out of memory" : "the check cannot go on");
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

static struct mxg_pending *new_pending(const char *instance, void *owner)
{
	size_t len = strlen(instance) + 1;
	struct mxg_pending *p = malloc(sizeof(*p) + len);
	if (p == NULL)
		return NULL;
	p->check = NULL;
	p->began = mxg_monotonic_us();
	p->owner = owner;
	memcpy(p->instance, instance, len);
	return p;
}

static void end(struct mxg_decider *d, struct mxg_pending *p)
{
	mxguard_session_release(d->session, p->check);
	free(p);
}

static int start(struct mxg_decider *d, const struct mxg_request *q, struct mxg_pending *p)
{
	int result = mxg_desk_check(d->desk, &p->check, 0);
	if (result != MXGUARD_ERROR_NONE)
		return result;
	fill(p->check, q);
	return mxguard_session_start(d->session, p->check, -1, p);
}

struct mxg_pending *mxg_decider_ask(struct mxg_decider *d, const struct mxg_request *q, void *owner,
				    struct mxg_response *reply)
{
	if (nothing_to_decide(d, q, reply))
		return NULL;
	struct mxg_pending *p = new_pending(or_empty(q->instance), owner);
	if (p == NULL) {
		reply_trouble(d, reply, "out of memory");
		return NULL;
	}
	int progress = start(d, q, p);
	if (progress == MXGUARD_PROGRESS_NEED_DNS)
		return p;
	make_reply(d, reply, p, progress);
	end(d, p);
	return NULL;
}

/* ---- those that wait ----------------------------------------------------------------------- */

void mxg_decider_cancel(struct mxg_decider *d, struct mxg_pending *pending)
{
	end(d, pending);
}

void *mxg_decider_next(struct mxg_decider *d, struct mxg_response *reply)
{
	void *user;
	struct mxguard_check *check = mxguard_session_next(d->session, &user);
	if (check == NULL)
		return NULL;
	struct mxg_pending *p = user;
	void *owner = p->owner;
	/* it has come to its end: this only says which */
	make_reply(d, reply, p, mxguard_check_run(check, (int64_t)time(NULL)));
	end(d, p);
	return owner;
}

size_t mxg_decider_pollfds(struct mxg_decider *d, struct pollfd *fds, size_t count)
{
	return mxguard_session_pollfds(d->session, fds, count);
}

int mxg_decider_timeout(struct mxg_decider *d)
{
	return mxguard_session_timeout(d->session);
}

void mxg_decider_process(struct mxg_decider *d, const struct pollfd *fds, size_t count)
{
	mxguard_session_process(d->session, fds, count);
}

int mxg_decider_limit(const struct mxg_decider *d)
{
	return mxguard_session_limit(d->session);
}
