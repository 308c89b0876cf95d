/* SPDX-License-Identifier: MIT */
#include "report/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "check/reasons.h"
#include "report/room.h"

struct mxg_report_state *mxg_report_state_new(void)
{
	struct mxg_report_state *s = calloc(1, sizeof(*s));
	if (s != NULL)
		mxg_sample_init(&s->senders, MXG_REPORT_SENDERS);
	return s;
}

void mxg_report_state_free(struct mxg_report_state *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->domain_count; i++) {
		struct mxg_domain_state *d = &s->domains[i];
		for (struct mxg_count_by_reason *c = d->held_up, *next; c != NULL; c = next) {
			next = c->next;
			free(c);
		}
		mxg_least_free(&d->recipients);
	}
	mxg_state_clear_peers(s);
	mxg_sample_free(&s->senders);
	mxg_texts_clear(&s->names);
	mxg_room_free(s->domains, s->domain_room * sizeof(*s->domains));
	mxg_room_free(s->pairs, s->pair_room * sizeof(*s->pairs));
	mxg_room_free(s->days, s->day_room * sizeof(*s->days));
	mxg_room_free(s->dates, s->date_room * sizeof(*s->dates));
	mxg_index_free(&s->domain_index);
	mxg_index_free(&s->pair_index);
	mxg_index_free(&s->day_index);
	free(s);
}

/* ---- one decision --------------------------------------------------------------------------------------------- */

/* A code that a known one goes on from was cut in the middle. */
static bool is_cut(struct mxg_slice reason)
{
	bool begins = false;
	for (int r = 0;; r++) {
		const char *code = mxg_reason_code((enum mxg_reason)r);
		size_t len = strlen(code);
		if (len == reason.len && memcmp(code, reason.at, len) == 0)
			return false;
		begins |= len > reason.len && memcmp(code, reason.at, reason.len) == 0;
		if (r == MXG_REASON_OUT_OF_MEMORY)
			return begins;
	}
}

static bool reason_of(struct mxg_report_state *s, const struct mxg_decision *d, uint16_t *out)
{
	for (size_t i = 0; i < s->reason_count; i++)
		if (s->reasons[i].hash == d->reason_hash) {
			*out = (uint16_t)i;
			return true;
		}
	if (is_cut(d->reason))
		return false;
	*out = mxg_state_reason(s, d->reason.at, d->reason.len);
	return true;
}

/* What is of a damaged line, JSON would not take. */
static size_t append(char *to, size_t at, const char *word, struct mxg_slice value, size_t most)
{
	size_t len = strlen(word);
	memcpy(to + at, word, len);
	at += len;
	for (size_t i = 0; i < value.len && i < most; i++)
		to[at++] = value.at[i] < ' ' || value.at[i] > '~' ? '?' : value.at[i];
	return at;
}

static bool set_sample(struct mxg_report_state *s, struct mxg_peer_state *p, const struct mxg_decision *d)
{
	char text[MXG_SAMPLE_MAX];
	if (d->hash >= p->sample_rank)
		return true;
	size_t at = append(text, 0, "from=<", d->from, 44);
	at = append(text, at, "> rcpt=<", d->rcpt, 44);
	at = append(text, at, "> id=<", d->id.len > 0 ? d->id : d->msgid, 40);
	text[at++] = '>';
	p->sample_rank = d->hash;
	return mxg_state_sample(s, p, text, at);
}

static void count_watched(struct mxg_report_state *s, const struct mxg_decision *d, uint32_t domain,
			  const struct mxg_address *host, bool direct)
{
	uint32_t number = mxg_state_pair(s, domain, host);
	if (number != UINT32_MAX) {
		struct mxg_pair_state *p = &s->pairs[number];
		p->direct += direct ? d->repeat : 0;
		p->via += direct ? 0 : d->repeat;
		if (direct)
			mxg_state_widen(&p->first_direct, &p->last_direct, d->time, d->time);
		else if (d->time != 0 && (p->first_via == 0 || d->time < p->first_via))
			p->first_via = d->time;
	}
	number = direct && d->time > 0 ? mxg_state_day(s, domain, (int32_t)(d->time / 86400)) : UINT32_MAX;
	if (number != UINT32_MAX) {
		s->days[number].direct += d->repeat;
		s->days[number].seconds += (uint64_t)(d->time % 86400) * d->repeat;
	}
}

static void count_direct(struct mxg_report_state *s, const struct mxg_decision *d, uint32_t domain, bool refused)
{
	s->domains[domain].refused += refused ? d->repeat : 0;
	if (d->peer.family == 0)
		return;
	uint32_t number = mxg_state_peer(s, &d->peer);
	if (number == UINT32_MAX)
		return;
	struct mxg_peer_state *p = &s->peers[number];
	p->messages += d->repeat;
	mxg_state_widen(&p->first, &p->last, d->time, d->time);
	mxg_state_peer_domain(s, p, domain);
	s->nomem |=
		(d->sender_hash != 0 && !mxg_least_add(&p->senders, d->sender_hash)) ||
		!mxg_least_add(&p->recipients, d->rcpt_hash) ||
		(d->time > 0 && !mxg_least_add(&p->days, (uint64_t)(d->time / 86400) * UINT64_C(0x9e3779b97f4a7c15)));
	s->nomem |= !set_sample(s, p, d);
	if (s->domains[domain].watched)
		count_watched(s, d, domain, &d->peer, true);
}

static void count_authorized(struct mxg_report_state *s, const struct mxg_decision *d, uint32_t domain)
{
	struct mxg_address origin;
	s->nomem |= (d->sender_hash != 0 && !mxg_sample_add(&s->senders, d->sender_hash)) ||
		    !mxg_least_add(&s->domains[domain].recipients, d->rcpt_hash);
	if (s->domains[domain].watched && d->origin.len > 1 &&
	    mxg_address_parse(&origin, d->origin.at, d->origin.len, MXG_ADDRESS_BARE))
		count_watched(s, d, domain, &origin, false);
}

static void count_domain(struct mxg_report_state *s, const struct mxg_decision *d, uint16_t reason)
{
	uint32_t domain = mxg_state_domain(s, d->domain.at, d->domain.len, d->domain_hash);
	if (domain == UINT32_MAX)
		return;
	unsigned enforced = d->would == MXG_NO_WOULD ? d->action : d->would;
	bool refused = enforced != MXGUARD_ACTION_ACCEPT && enforced != MXGUARD_ACTION_TAG;
	s->domains[domain].verdicts[d->verdict] += d->repeat;
	if (d->verdict == MXGUARD_VERDICT_DIRECT)
		count_direct(s, d, domain, refused);
	else if (d->verdict == MXGUARD_VERDICT_AUTHORIZED)
		count_authorized(s, d, domain);
	else if (refused)
		s->nomem |= !mxg_state_held_up(&s->domains[domain], reason, d->repeat);
}

/* The tables are larger than what a core keeps at hand. */
void mxg_report_expect(const struct mxg_report_state *s, const struct mxg_decision *d)
{
	mxg_index_expect(&s->domain_index, d->domain_hash);
	if (d->peer.family != 0)
		mxg_index_expect(&s->peer_index, mxg_state_address_hash(&d->peer));
	else if (d->verdict == MXGUARD_VERDICT_AUTHORIZED)
		mxg_sample_expect(&s->senders, d->sender_hash);
}

void mxg_report_expect_soon(const struct mxg_report_state *s, const struct mxg_decision *d)
{
	uint32_t number = mxg_index_first(&s->domain_index, d->domain_hash);
	if (number >= s->domain_count)
		return;
	const struct mxg_domain_state *domain = &s->domains[number];
	for (size_t at = 0; at < sizeof(*domain); at += 64)
		__builtin_prefetch((const char *)domain + at);
}

void mxg_report_expect_next(const struct mxg_report_state *s, const struct mxg_decision *d)
{
	uint32_t number = mxg_index_first(&s->domain_index, d->domain_hash);
	if (number >= s->domain_count)
		return;
	__builtin_prefetch(s->domains[number].name);
	if (d->verdict == MXGUARD_VERDICT_AUTHORIZED)
		mxg_least_expect(&s->domains[number].recipients);
}

void mxg_report_leave_out(struct mxg_report_state *s, const struct mxg_decision *d)
{
	s->left_out += d->repeat;
	if (d->verdict == MXGUARD_VERDICT_AUTHORIZED)
		return;
	uint32_t domain = mxg_state_domain(s, d->domain.at, d->domain.len, d->domain_hash);
	if (domain != UINT32_MAX)
		s->domains[domain].left_out += d->repeat;
}

bool mxg_report_count(struct mxg_report_state *s, const struct mxg_decision *d)
{
	uint16_t reason;
	if (!reason_of(s, d, &reason))
		return false;
	s->decisions += d->repeat;
	s->verdicts[d->verdict] += d->repeat;
	s->actions[d->action] += d->repeat;
	if (d->would != MXG_NO_WOULD)
		s->would[d->would] += d->repeat;
	s->reasons[reason].count += d->repeat;
	s->undated += d->time == 0 ? d->repeat : 0;
	mxg_state_widen(&s->from, &s->to, d->time, d->time);
	struct mxg_date_state *date = d->time > 0 ? mxg_state_date(s, (int32_t)(d->time / 86400)) : NULL;
	if (date != NULL)
		date->verdicts[d->verdict] += d->repeat;
	count_domain(s, d, reason);
	return true;
}
