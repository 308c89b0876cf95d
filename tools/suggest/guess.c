/* SPDX-License-Identifier: MIT */
/* What published records make likely where nobody documents it: never more than a comment. */
#include <stdlib.h>
#include <string.h>

#include "dns_ask.h"
#include "spf/terms.h"
#include "suggest.h"

/* The last `labels` labels of a name; all of it where it has fewer. */
static const char *tail(const char *name, unsigned labels)
{
	const char *at = name + strlen(name);
	while (at > name && (at[-1] != '.' || --labels > 0))
		at--;
	return at;
}

/* Whether the name is of the house of one of the MX hosts that need a guess. */
static bool is_related(const struct mxg_suggestion *out, const char *target, size_t len)
{
	for (size_t i = 0; i < out->host_count; i++) {
		const char *house = tail(out->hosts[i].name, 2);
		size_t own = strlen(house);
		bool open = out->hosts[i].vendor == NULL || out->hosts[i].vendor->allow == NULL;
		if (open && !out->hosts[i].self && len >= own && strncasecmp(target + len - own, house, own) == 0 &&
		    (len == own || target[len - own - 1] == '.'))
			return true;
	}
	return false;
}

static void add_guess(struct mxg_suggestion *out, const char *text, size_t len)
{
	struct mxg_term term;
	struct mxg_term_error error;
	if (out->guess_count == MXG_SUGGEST_GUESSES || len >= sizeof(out->guesses[0]))
		return;
	for (size_t i = 0; i < len; i++) /* it becomes a comment, and perhaps somebody's setting */
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-/%{}", text[i]) == NULL)
			return;
	char *guess = out->guesses[out->guess_count];
	snprintf(guess, sizeof(out->guesses[0]), "%.*s", (int)len, text);
	if (!mxg_term_parse_configured(&term, guess, len, false, &error))
		return;
	for (size_t i = 0; i < out->guess_count; i++)
		if (strcmp(out->guesses[i], guess) == 0)
			return;
	out->guess_count++;
}

/* Terms of the domain's own record that lead into the filter's house: whoever sends through it, too,
 * has been told them. */
static void read_own_record(struct mxg_suggestion *out, const char *text, size_t len)
{
	struct mxg_record record;
	struct mxg_term_error error;
	if (mxg_record_parse(&record, text, len, &error) != MXG_RECORD_OK)
		return;
	for (size_t i = 0; i < record.count; i++) {
		const struct mxg_term *term = &record.terms[i];
		bool names = term->mechanism == MXG_MECHANISM_INCLUDE || term->mechanism == MXG_MECHANISM_A ||
			     term->mechanism == MXG_MECHANISM_EXISTS;
		if (names && term->qualifier == '+' && term->target != NULL &&
		    is_related(out, term->target, term->target_len)) {
			bool sign = term->text_len > 0 && term->text[0] == '+';
			add_guess(out, term->text + sign, term->text_len - sign);
		}
	}
	mxg_record_clear(&record);
}

static size_t ask_record(struct mxg_suggest *s, const char *name, char *text, size_t size)
{
	struct mxg_reply reply = { 0 };
	struct mxg_name wire;
	const uint8_t *item;
	size_t at = 0, len, found = 0;
	if (!mxg_name_from_text(&wire, name, strlen(name)))
		return 0;
	mxg_dns_ask(s->driver, &wire, MXG_DNS_TXT, &reply);
	if (reply.kind == MXG_ANSWER_RECORDS && reply.records.count == 1 &&
	    mxg_rrset_next(reply.records.data, reply.records.size, &at, &item, &len) && len < size) {
		memcpy(text, item, len);
		found = len;
	}
	free(reply.records.data);
	return found;
}

/* A record under one of the names that vendors use. */
static void look_beside(struct mxg_suggest *s, struct mxg_suggestion *out, const char *house)
{
	static const char *const labels[] = { "_spf.", "spf.", "_netblocks." };
	char name[300], term[320], text[MXG_RRSET_MAX];
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", labels[i], house);
		int n = snprintf(term, sizeof(term), "include:%s", name);
		if (ask_record(s, name, text, sizeof(text)) > 0)
			add_guess(out, term, (size_t)n);
	}
}

void mxg_suggest_guess(struct mxg_suggest *s, struct mxg_suggestion *out)
{
	char text[MXG_RRSET_MAX];
	const char *done = "", *own = tail(out->domain, 2);
	bool open = false;
	for (size_t i = 0; i < out->host_count; i++)
		open |= !out->hosts[i].self && (out->hosts[i].vendor == NULL || out->hosts[i].vendor->allow == NULL);
	if (!open)
		return;
	size_t len = ask_record(s, out->domain, text, sizeof(text));
	if (len > 0)
		read_own_record(out, text, len);
	for (size_t i = 0; i < out->host_count; i++) {
		const char *house = tail(out->hosts[i].name, 2);
		if (out->hosts[i].vendor != NULL || out->hosts[i].self || strcmp(house, done) == 0 ||
		    strcmp(house, own) == 0)
			continue;
		look_beside(s, out, house);
		done = house;
	}
}
