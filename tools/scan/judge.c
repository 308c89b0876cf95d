/* SPDX-License-Identifier: MIT */
#include "scan/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/past.h"
#include "resolver/deciding.h"
#include "scan/memo.h"
#include "scan/recipient.h"

#define PIECE 8192
#define DONE_STEP 64

struct mxg_scan_judge {
	struct mxg_scan_rules rules;
	struct mxg_tally *tally;
	struct mxguard_session *session;
	struct mxguard_check *check; /* the session's */
	struct mxg_memo *memo;
	unsigned done; /* not told yet */
};

struct mxg_scan_judge *mxg_scan_judge_new(const struct mxg_scan_rules *rules, struct mxg_tally *tally)
{
	struct mxg_scan_judge *j = calloc(1, sizeof(*j));
	if (j == NULL)
		return NULL;
	j->rules = *rules;
	j->tally = tally;
	j->memo = mxg_memo_new();
	if (j->memo != NULL && mxg_session_beside(&j->session, rules->session) == MXGUARD_ERROR_NONE &&
	    mxguard_session_check(j->session, &j->check, 0) == MXGUARD_ERROR_NONE)
		return j;
	mxg_scan_judge_free(j);
	return NULL;
}

void mxg_scan_judge_free(struct mxg_scan_judge *j)
{
	if (j == NULL)
		return;
	mxguard_session_free(j->session);
	mxg_memo_free(j->memo);
	free(j);
}

static const char *domain_of(const char *recipient)
{
	const char *at = strrchr(recipient, '@');
	return at == NULL ? "" : at + 1;
}

static void current_outcome(const struct mxg_scan_judge *j, struct mxg_memo_outcome *out)
{
	out->verdict = mxguard_check_verdict(j->check, 0);
	out->would = mxguard_check_would(j->check, 0);
	out->reason = mxguard_check_text(j->check, 0, MXGUARD_TEXT_REASON);
	out->today = mxg_check_past(j->check) > MXG_PAST_KNOWN;
	const char *gateway = mxguard_check_text(j->check, 0, MXGUARD_TEXT_GATEWAY);
	size_t n = strnlen(gateway, sizeof(out->gateway) - 1);
	memcpy(out->gateway, gateway, n); /* once a message: printf would be seen */
	out->gateway[n] = '\0';
}

/* The message that is being judged. */
struct judged {
	struct mxg_scan_judge *judge;
	struct mxg_scan_header *header;
	int64_t when; /* as of then; 0: as of today */
	bool told; /* its recipient */
	bool asked; /* DNS */
	char recipient[MXG_SCAN_RECIPIENT_MAX];
	struct mxg_memo_outcome outcome;
};

/* What ends a decision before DNS is asked. */
enum { KNOWN = -1000, ANOTHER_QUESTION = -1001 };

static int feed(void *context, struct mxguard_check *check)
{
	struct mxg_scan_header *h = ((struct judged *)context)->header;
	int more = mxguard_check_header(check, h->bytes, h->len);
	while (more == 1 && h->fd >= 0 && h->left > 0) {
		ssize_t n = read(h->fd, h->room, h->left < PIECE ? h->left : PIECE);
		if (n <= 0)
			break;
		more = mxguard_check_header(check, h->room, (size_t)n);
		h->room += n;
		h->left -= (size_t)n;
		h->len += (size_t)n;
	}
	return more < 0 ? more : MXGUARD_ERROR_NONE;
}

/* Where no field tells the recipient, our own MTA's `for` may, which only the walk finds. What the history
 * does not know of that time is judged as of today: states of two times are not mixed. */
static bool another_question(struct judged *m)
{
	const struct mxguard_check *check = m->judge->check;
	if (!m->told && mxg_check_for(check)[0] != '\0') {
		snprintf(m->recipient, sizeof(m->recipient), "%s", mxg_check_for(check));
		m->told = true;
		return true;
	}
	bool uncovered = m->when != 0 && mxg_check_past(check) == MXG_PAST_UNCOVERED;
	if (uncovered)
		m->when = 0;
	return uncovered;
}

static size_t stretch_of(const struct judged *m)
{
	const struct mxg_scan_rules *rules = &m->judge->rules;
	return m->when == 0 ? 0 : 1 + mxg_history_stretch(rules->history, m->when, rules->after, rules->settle);
}

static int before_dns(void *context, struct mxguard_check *check)
{
	struct judged *m = context;
	const char *peer = mxguard_check_text(check, 0, MXGUARD_TEXT_BOUNDARY_PEER);
	if (m->asked)
		return MXGUARD_ERROR_NONE;
	if (another_question(m))
		return ANOTHER_QUESTION;
	if (mxg_memo_get(m->judge->memo, peer, domain_of(m->recipient), stretch_of(m), &m->outcome))
		return KNOWN;
	m->asked = true;
	return MXGUARD_ERROR_NONE;
}

static int ask(struct mxg_scan_judge *j, struct judged *m)
{
	const struct mxg_deciding deciding = { feed, before_dns, m, -1 };
	mxg_check_set_past(j->check, m->when == 0 ? NULL : j->rules.history, m->when);
	mxguard_check_reset(j->check);
	mxguard_check_set_place(j->check, j->rules.place);
	if (mxguard_check_add_recipient(j->check, m->recipient, NULL) < 0)
		return MXGUARD_ERROR_NOMEM;
	int progress = mxg_session_decide(j->session, j->check, &deciding);
	return progress == MXGUARD_PROGRESS_DONE && !m->asked && another_question(m) ? ANOTHER_QUESTION : progress;
}

static void decide(struct mxg_scan_judge *j, struct judged *m, int64_t date)
{
	const char *fallback = j->rules.recipient == NULL ? "" : j->rules.recipient;
	int progress;
	m->told = mxg_scan_recipient(m->header->bytes, m->header->len, m->recipient) != NULL;
	if (!m->told)
		snprintf(m->recipient, sizeof(m->recipient), "%s", fallback);
	m->when = j->rules.history != NULL && date > 0 && date < j->rules.now ? date : 0;
	do
		progress = ask(j, m);
	while (progress == ANOTHER_QUESTION); /* which it is twice at the most */
	if (progress == KNOWN)
		return;
	current_outcome(j, &m->outcome);
	if (m->asked)
		mxg_memo_put(j->memo, mxguard_check_text(j->check, 0, MXGUARD_TEXT_BOUNDARY_PEER),
			     domain_of(m->recipient), stretch_of(m), &m->outcome);
}

static enum mxg_path path_of(enum mxguard_verdict verdict)
{
	switch (verdict) {
	case MXGUARD_VERDICT_AUTHORIZED:
		return MXG_PATH_GATEWAY;
	case MXGUARD_VERDICT_DIRECT:
		return MXG_PATH_DIRECT;
	case MXGUARD_VERDICT_INTERNAL:
		return MXG_PATH_LOCAL;
	case MXGUARD_VERDICT_AUTHENTICATED:
		return MXG_PATH_AUTHENTICATED;
	case MXGUARD_VERDICT_EXEMPT:
		return MXG_PATH_EXEMPT;
	default:
		return MXG_PATH_UNKNOWN;
	}
}

/* Not for every message: the workers would take the counter out of each other's caches. */
static void tell_done(struct mxg_scan_judge *j)
{
	atomic_fetch_add_explicit(j->rules.done, j->done, memory_order_relaxed);
	j->done = 0;
}

#define OF_TODAY 86400 /* seconds */

void mxg_scan_judge(struct mxg_scan_judge *j, struct mxg_scan_header *header, const char *file, unsigned long number,
		    int64_t date)
{
	struct judged m;
	m.judge = j;
	m.header = header;
	m.asked = false;
	decide(j, &m, date);
	struct mxg_tally_message message = { .path = path_of(m.outcome.verdict),
					     .enforce = m.outcome.would,
					     .gateway = m.outcome.gateway,
					     .peer = mxguard_check_text(j->check, 0, MXGUARD_TEXT_BOUNDARY_PEER),
					     .domain = domain_of(m.recipient),
					     .file = file,
					     .number = number,
					     .reason = m.outcome.reason == NULL ? "undecided" : m.outcome.reason,
					     .today = m.outcome.today && date > 0 && date < j->rules.now - OF_TODAY,
					     .date = date };
	mxg_tally_add(j->tally, &message);
	mxg_scan_domains_add(j->rules.domains, &message);
	mxg_listing_add(j->rules.listing, &message);
	if (++j->done == DONE_STEP)
		tell_done(j);
}
