/* SPDX-License-Identifier: MIT */
/* One SMTP connection: recipients one by one, then the message by its header. */
#include "door.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../service/desk.h"
#include "../service/log.h"
#include "base/address.h"
#include "base/clock.h"
#include "header.h"
#include "metrics/metrics.h"

#define TAG_MAX 2048
#define TRAP_MAX 1024
#define FAMILY_4 4

/* Where a recipient stands; its number is the check's. */
enum standing {
	REFUSED = 0, /* at RCPT: it gets nothing */
	LET_IN,
	HELD /* let in only to be refused with its message */
};

enum stage { NOT_WAITING = 0, AT_RCPT, AT_HEADER };

struct mxg_door {
	struct mxg_desk *desk;
	enum mxguard_place relayed;
	unsigned flags; /* of its checks */
	void *owner;
	char *facts[MXG_DOOR_FACTS];
	bool hold_next, hold; /* from the next transaction on; in this one */
	bool no_memory, abandoned;
	struct mxguard_check *check; /* from the first RCPT on */
	struct mxguard_policy *policy; /* the check's */
	unsigned char *standings; /* enum standing */
	size_t count, room; /* of them */
	enum stage waits;
	int64_t began; /* of the step, mxg_monotonic_us() */
	struct mxg_door_header *header;
	struct mxg_door_reply reply;
	struct mxg_door_message message;
	char field[TAG_MAX], trap[TRAP_MAX];
};

static const struct mxg_door_reply accepted = { 250, "2.0.0", "Ok" };
static const struct mxg_door_reply our_trouble = { 451, "4.3.0", "Temporary internal failure" };
static const struct mxg_door_reply excessive = { 550, "5.6.0", "Header fields that only this host may write" };
static const struct mxg_door_reply one_at_a_time = { 451, "4.5.3", "Try again later: with fewer recipients" };

static struct mxguard_session *session(const struct mxg_door *d)
{
	return mxg_desk_session(d->desk);
}

struct mxg_door *mxg_door_new(struct mxg_desk *desk, enum mxguard_place relayed, void *owner)
{
	struct mxg_door *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->desk = desk;
	d->relayed = relayed;
	d->flags = MXGUARD_CHECK_FLAG_NO_OWN_FIELD;
	d->owner = owner;
	mxg_door_reset(d);
	return d;
}

void mxg_door_expect_own_field(struct mxg_door *d)
{
	d->flags &= ~(unsigned)MXGUARD_CHECK_FLAG_NO_OWN_FIELD;
}

void *mxg_door_owner(const struct mxg_door *d)
{
	return d->owner;
}

void mxg_door_free(struct mxg_door *d)
{
	if (d == NULL)
		return;
	mxg_door_connect(d);
	free(d->standings);
	free(d);
}

/* ---- what is told ---------------------------------------------------------------------------- */

void mxg_door_connect(struct mxg_door *d)
{
	mxg_door_reset(d);
	for (size_t i = 0; i < MXG_DOOR_FACTS; i++) {
		free(d->facts[i]);
		d->facts[i] = NULL;
	}
	d->no_memory = d->hold_next = false;
}

void mxg_door_tell(struct mxg_door *d, enum mxg_door_fact fact, const char *text)
{
	char *known = d->facts[fact];
	if (text == NULL || (known != NULL && strcmp(known, text) == 0)) {
		if (text == NULL) {
			free(known);
			d->facts[fact] = NULL;
		}
		return;
	}
	free(known);
	d->facts[fact] = strdup(text);
	d->no_memory |= d->facts[fact] == NULL;
	if (fact == MXG_DOOR_ID && d->check != NULL && d->facts[fact] != NULL)
		(void)mxguard_check_set_ids(d->check, text, NULL);
}

static bool peer_is_internal(const struct mxg_door *d)
{
	struct mxg_address peer = { .family = 0 };
	const char *text = d->facts[MXG_DOOR_PEER];
	if (text != NULL && text[0] != '\0' && !mxg_address_parse(&peer, text, strlen(text), MXG_ADDRESS_ANY))
		return false;
	size_t length = peer.family == 0 ? 0 : peer.family == FAMILY_4 ? 4 : 16;
	return mxguard_session_is_internal(session(d), length == 0 ? NULL : peer.bytes, length) == 1;
}

static void describe_certificate(const struct mxg_door *d)
{
	const char *const *facts = (const char *const *)d->facts;
	const char *subject = facts[MXG_DOOR_CERTIFICATE_SUBJECT], *issuer = facts[MXG_DOOR_CERTIFICATE_ISSUER];
	const char *own = facts[MXG_DOOR_CERTIFICATE_FINGERPRINT], *key = facts[MXG_DOOR_CERTIFICATE_KEY_FINGERPRINT];
	if (subject != NULL || issuer != NULL || own != NULL || key != NULL)
		(void)mxguard_check_set_certificate(
			d->check, subject, issuer, own, key,
			facts[MXG_DOOR_CERTIFICATE_VERIFIED] != NULL ? MXGUARD_CERTIFICATE_FLAG_VERIFIED : 0);
}

/* What fails here comes back from the start; a peer that cannot be read is the check's to judge. */
static void describe(struct mxg_door *d)
{
	bool internal = d->relayed != MXGUARD_PLACE_DOOR && peer_is_internal(d);
	(void)mxguard_check_set_peer_text(d->check, d->facts[MXG_DOOR_PEER]);
	(void)mxguard_check_set_helo(d->check, d->facts[MXG_DOOR_HELO]);
	(void)mxguard_check_set_login(d->check, d->facts[MXG_DOOR_LOGIN]);
	(void)mxguard_check_set_sender(d->check, d->facts[MXG_DOOR_SENDER]);
	(void)mxguard_check_set_place(d->check, internal ? d->relayed : MXGUARD_PLACE_DOOR);
	(void)mxguard_check_set_ids(d->check, d->facts[MXG_DOOR_ID], NULL);
	describe_certificate(d);
}

static bool begin(struct mxg_door *d)
{
	if (d->check != NULL)
		return true;
	if (d->no_memory || d->abandoned || mxg_desk_check(d->desk, &d->check, d->flags) != MXGUARD_ERROR_NONE)
		return false;
	d->policy = mxguard_policy_ref(mxguard_session_policy(session(d)));
	describe(d);
	return true;
}

void mxg_door_mail(struct mxg_door *d, const char *sender)
{
	mxg_door_reset(d);
	d->hold = d->hold_next;
	mxg_door_tell(d, MXG_DOOR_SENDER, sender);
}

void mxg_door_hold(struct mxg_door *d, bool hold)
{
	d->hold_next = hold;
}

void mxg_door_reset(struct mxg_door *d)
{
	mxg_door_header_free(d->header);
	d->header = NULL;
	mxguard_session_release(session(d), d->check);
	mxguard_policy_unref(d->policy);
	d->check = NULL;
	d->policy = NULL;
	d->count = 0;
	d->abandoned = false;
	d->waits = NOT_WAITING;
	d->reply = our_trouble;
	d->message = (struct mxg_door_message){ .reply = our_trouble, .field = "", .trap = "" };
}

void mxg_door_abandon(struct mxg_door *d)
{
	mxg_door_reset(d);
	d->abandoned = true;
}

/* ---- RCPT -------------------------------------------------------------------------------------- */

static bool is_decided(const struct mxg_door *d, size_t i)
{
	return mxguard_check_verdict(d->check, i) != MXGUARD_VERDICT_UNDECIDED;
}

static bool is_refusal(enum mxguard_action action)
{
	return action == MXGUARD_ACTION_REJECT || action == MXGUARD_ACTION_DEFER;
}

static struct mxg_door_reply reply_of(const struct mxg_door *d, size_t i)
{
	return (struct mxg_door_reply){ mxguard_check_reply_code(d->check, i),
					mxguard_check_text(d->check, i, MXGUARD_TEXT_STATUS),
					mxguard_check_text(d->check, i, MXGUARD_TEXT_REPLY) };
}

static void log_decision(const struct mxg_door *d, size_t i)
{
	mxg_desk_decided(d->desk, d->check, i, d->began);
}

static enum mxg_door_step trouble(struct mxg_door *d, const char *what)
{
	mxg_log_error("mxguard: %s: %s: the client is to try again later", mxg_desk_who(d->desk), what);
	mxg_metrics_trouble(mxg_desk_metrics(d->desk));
	d->reply = our_trouble;
	return MXG_DOOR_READY;
}

static bool add_recipient(struct mxg_door *d, const char *recipient)
{
	if (d->count == d->room) {
		size_t bigger = d->room == 0 ? 16 : d->room * 2;
		unsigned char *grown = realloc(d->standings, bigger);
		if (grown == NULL)
			return false;
		d->standings = grown;
		d->room = bigger;
	}
	if (mxguard_check_add_recipient(d->check, recipient, NULL) != MXGUARD_ERROR_NONE)
		return false;
	d->standings[d->count++] = REFUSED;
	return true;
}

static bool any(const struct mxg_door *d, enum standing standing)
{
	return d->count > 0 && memchr(d->standings, standing, d->count) != NULL;
}

static bool is_to_be_held(const struct mxg_door *d, size_t i)
{
	return d->hold && !any(d, LET_IN) && mxguard_check_trap(d->check, i, NULL, 0) == 1;
}

/* It shall not show in the field of a message that it does not get. */
static void refuse(struct mxg_door *d, size_t i, struct mxg_door_reply reply)
{
	d->reply = reply;
	log_decision(d, i);
	(void)mxguard_check_override(d->check, i, "tag", "never", NULL, 0);
}

static enum mxg_door_step conclude_rcpt(struct mxg_door *d, int progress)
{
	size_t i = d->count - 1;
	if (progress < 0)
		return trouble(d, progress == MXGUARD_ERROR_NOMEM ? "out of memory" : "the check cannot go on");
	if (!is_decided(d, i) || !is_refusal(mxguard_check_action(d->check, i))) {
		d->reply = any(d, HELD) ? one_at_a_time : accepted;
		d->standings[i] = any(d, HELD) ? REFUSED : LET_IN;
	} else if (is_to_be_held(d, i)) {
		d->reply = accepted;
		d->standings[i] = HELD;
	} else {
		refuse(d, i, reply_of(d, i));
	}
	return MXG_DOOR_READY;
}

enum mxg_door_step mxg_door_rcpt(struct mxg_door *d, const char *recipient)
{
	d->began = mxg_monotonic_us();
	if (!begin(d) || !add_recipient(d, recipient))
		return trouble(d, d->abandoned ? "an answer did not come in time" : "out of memory");
	int progress = mxguard_session_start(session(d), d->check, -1, d);
	if (progress != MXGUARD_PROGRESS_NEED_DNS)
		return conclude_rcpt(d, progress);
	d->waits = AT_RCPT;
	return MXG_DOOR_WAIT;
}

void mxg_door_withdraw(struct mxg_door *d)
{
	if (d->count > 0)
		d->standings[d->count - 1] = REFUSED;
}

bool mxg_door_is_holding(const struct mxg_door *d)
{
	return any(d, HELD);
}

struct mxguard_policy *mxg_door_policy(const struct mxg_door *d)
{
	return d->policy;
}

/* ---- the header --------------------------------------------------------------------------------- */

static struct mxg_door_header *header(struct mxg_door *d)
{
	if (d->header == NULL && d->check != NULL)
		d->header = mxg_door_header_new(d->policy, d->check, mxg_desk_keeps_secrets(d->desk));
	d->no_memory |= d->check != NULL && d->header == NULL;
	return d->header;
}

void mxg_door_field(struct mxg_door *d, const char *name, const char *value)
{
	if (header(d) != NULL)
		mxg_door_header_field(d->header, name, value);
}

void mxg_door_bytes(struct mxg_door *d, const char *bytes, size_t length)
{
	if (header(d) != NULL)
		mxg_door_header_feed(d->header, bytes, length);
}

static bool all_decided(const struct mxg_door *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->standings[i] != REFUSED && !is_decided(d, i))
			return false;
	return true;
}

/* How many recipients of the message want what. */
struct wishes {
	size_t all, refused, quarantined;
	size_t speaker; /* whose reply is the message's, where all of them refuse */
	bool deferred;
};

/* What one of them puts off, the others' client must not take for final. */
static struct wishes ask(const struct mxg_door *d)
{
	struct wishes w = { .speaker = MXGUARD_ALL };
	for (size_t i = 0; i < d->count; i++) {
		if (d->standings[i] == REFUSED)
			continue;
		enum mxguard_action action = mxguard_check_action(d->check, i);
		log_decision(d, i);
		w.all++;
		w.quarantined += action == MXGUARD_ACTION_QUARANTINE;
		w.refused += is_refusal(action);
		if (is_refusal(action) && (w.speaker == MXGUARD_ALL || (!w.deferred && action == MXGUARD_ACTION_DEFER)))
			w.speaker = i;
		w.deferred |= action == MXGUARD_ACTION_DEFER;
	}
	return w;
}

static void judge(struct mxg_door *d)
{
	struct mxg_door_message *m = &d->message;
	struct wishes w = ask(d);
	m->reply = w.all > 0 && w.refused == w.all ? reply_of(d, w.speaker) : accepted;
	m->held = m->reply.code == 550 && any(d, HELD);
	if (m->held && mxguard_check_trap(d->check, MXGUARD_ALL, d->trap, sizeof(d->trap)) == 1)
		m->trap = d->trap;
	m->quarantine = w.all > 0 && w.quarantined == w.all;
	m->differ = (w.refused > 0 && w.refused < w.all) || (w.quarantined > 0 && w.quarantined < w.all);
	if (m->reply.code == 250 && mxg_door_header_is_excessive(d->header))
		m->reply = excessive;
	if (mxguard_check_tag(d->check, MXGUARD_ALL, d->field, sizeof(d->field)) == 1)
		m->field = d->field;
}

static enum mxg_door_step conclude_message(struct mxg_door *d, int progress)
{
	if (progress == MXGUARD_PROGRESS_NEED_HEADER)
		progress = mxguard_check_give_up(d->check, (int64_t)time(NULL));
	if (progress < 0 || d->no_memory || mxg_door_header_is_short_of_memory(d->header))
		return trouble(d, "out of memory");
	if (!any(d, LET_IN) && !any(d, HELD)) /* whoever gets it, nobody has looked at him */
		return trouble(d, "a message without a recipient");
	d->message.header = d->header;
	judge(d);
	d->reply = d->message.reply;
	return MXG_DOOR_READY;
}

enum mxg_door_step mxg_door_header_end(struct mxg_door *d)
{
	if (header(d) == NULL)
		return trouble(d, d->check == NULL ? "a message without a recipient" : "out of memory");
	d->began = mxg_monotonic_us();
	mxg_door_header_close(d->header);
	const char *message_id = mxg_door_header_message_id(d->header);
	if (message_id != NULL)
		(void)mxguard_check_set_ids(d->check, NULL, message_id);
	bool over = all_decided(d) && mxguard_check_wants_header(d->check) == 0;
	int progress = mxguard_check_header_end(d->check);
	if (progress == MXGUARD_ERROR_NONE)
		progress = over ? MXGUARD_PROGRESS_DONE : mxguard_session_start(session(d), d->check, -1, d);
	if (progress != MXGUARD_PROGRESS_NEED_DNS)
		return conclude_message(d, progress);
	d->waits = AT_HEADER;
	return MXG_DOOR_WAIT;
}

/* ---- those that wait ------------------------------------------------------------------------------ */

struct mxg_door *mxg_door_next(struct mxg_desk *desk)
{
	void *user;
	struct mxguard_check *check = mxguard_session_next(mxg_desk_session(desk), &user);
	if (check == NULL)
		return NULL;
	struct mxg_door *d = user;
	enum stage stage = d->waits;
	d->waits = NOT_WAITING;
	/* it has come to its end: this only says which */
	int progress = mxguard_check_run(check, (int64_t)time(NULL));
	if (stage == AT_RCPT)
		conclude_rcpt(d, progress);
	else
		conclude_message(d, progress);
	return d;
}

bool mxg_door_is_waiting(const struct mxg_door *d)
{
	return d->waits != NOT_WAITING;
}

const struct mxg_door_reply *mxg_door_reply(const struct mxg_door *d)
{
	return &d->reply;
}

const struct mxg_door_message *mxg_door_message(const struct mxg_door *d)
{
	return &d->message;
}
