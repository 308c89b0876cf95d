/* SPDX-License-Identifier: MIT */
#include "audit/past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/history.h"
#include "text.h"

#define HOSTS_MOST 200 /* of one domain */

/* A host that was an MX of the domain. */
struct host {
	struct host *next;
	int64_t since, until; /* until 0: the last that is known */
	bool stood; /* in the line that is being read */
	uint8_t len;
	uint8_t wire[];
};

struct mxg_past {
	struct mxg_history *history;
	const struct mxg_names *domains;
	struct host **hosts; /* by the domains' numbers */
	struct mxg_answers *answers;
	bool nomem;
};

void mxg_past_free(struct mxg_past *past)
{
	if (past == NULL)
		return;
	for (size_t i = 0; past->hosts != NULL && i < past->domains->count; i++) {
		for (struct host *host = past->hosts[i], *next; host != NULL; host = next) {
			next = host->next;
			free(host);
		}
	}
	mxg_history_free(past->history);
	mxg_answers_free(past->answers);
	free(past->hosts);
	free(past);
}

static struct host *find_host(struct mxg_past *past, size_t domain, const uint8_t *wire, size_t len)
{
	size_t count = 0;
	struct host **at = &past->hosts[domain];
	for (; *at != NULL && count < HOSTS_MOST; at = &(*at)->next, count++)
		if ((*at)->len == len && memcmp((*at)->wire, wire, len) == 0)
			return *at;
	if (count == HOSTS_MOST || (*at = calloc(1, sizeof(**at) + len)) == NULL) {
		past->nomem |= count < HOSTS_MOST;
		return NULL;
	}
	(*at)->len = (uint8_t)len;
	memcpy((*at)->wire, wire, len);
	return *at;
}

/* One state of the MX records, and with it the end of those that stand there no more. */
static void take_state(struct mxg_past *past, size_t domain, const struct mxg_history_line *line)
{
	const uint8_t *item;
	size_t at = 0, len;
	while (line->kind == MXG_ANSWER_RECORDS && mxg_rrset_next(line->data, line->size, &at, &item, &len)) {
		struct host *host = len > 2 && len <= 257 ? find_host(past, domain, item + 2, len - 2) : NULL;
		if (host == NULL)
			continue;
		if (host->since == 0)
			host->since = line->time;
		host->until = 0;
		host->stood = true;
	}
	for (struct host *host = past->hosts[domain]; host != NULL; host = host->next) {
		if (!host->stood && host->until == 0)
			host->until = line->time;
		host->stood = false;
	}
}

static void read_states(struct mxg_past *past)
{
	char name[MXG_NAME_TEXT_MAX];
	struct mxg_history_line *line = malloc(sizeof(*line));
	size_t domain;
	past->nomem = line == NULL;
	for (size_t at = 0; !past->nomem && mxg_history_next_by_time(past->history, &at, line);)
		if (line->question.type == MXG_DNS_MX && mxg_name_format(&line->question.name, name) != NULL &&
		    mxg_names_find(past->domains, name, strlen(name), &domain))
			take_state(past, domain, line);
	free(line);
}

struct mxg_past *mxg_past_read(struct mxg_audit *audit)
{
	struct mxg_past *past = calloc(1, sizeof(*past));
	char message[512];
	if (past == NULL)
		return NULL;
	past->domains = &audit->domains;
	past->hosts = calloc(audit->domains.count + 1, sizeof(struct host *));
	past->answers = mxg_answers_new();
	past->nomem = past->hosts == NULL || past->answers == NULL;
	if (mxg_history_open(&past->history, audit->policy->state_dir, message, sizeof(message)) !=
	    MXGUARD_ERROR_NONE) {
		past->history = NULL;
		mxg_audit_failed_text(audit, "old MX records: %s", message);
	} else if (mxg_history_damaged(past->history) > 0) {
		mxg_audit_failed_text(audit, "old MX records: %zu %s of the history damaged",
				      mxg_history_damaged(past->history),
				      mxg_noun(mxg_history_damaged(past->history), "line", "lines"));
		read_states(past);
	} else if (mxg_history_is_empty(past->history)) {
		fprintf(stderr,
			"mxguard audit: note: there is no history in %s yet, so old MX records are not known; mxguard "
			"refresh begins it\n",
			audit->policy->state_dir);
	} else {
		read_states(past);
	}
	if (!past->nomem)
		return past;
	mxg_past_free(past);
	return NULL;
}

void mxg_past_names(const struct mxg_past *past, struct mxg_audit_job *job)
{
	size_t domain;
	if (!mxg_names_find(past->domains, job->domain, strlen(job->domain), &domain))
		return;
	for (const struct host *host = past->hosts[domain]; host != NULL; host = host->next) {
		struct mxg_name name;
		struct mxg_audit_name *n = mxg_name_from_wire(&name, host->wire, host->len)
						   ? mxg_audit_name_add(job, &name, MXG_LEAK_OLD_MX)
						   : NULL;
		if (n == NULL)
			continue;
		n->since = host->since;
		n->until = host->until;
	}
}

static void take_past(struct mxg_audit_name *n, const struct mxg_answer *answer)
{
	const uint8_t *item;
	size_t at = 0, len;
	while (answer->kind == MXG_ANSWER_RECORDS && n->count < MXG_OURS_MOST &&
	       mxg_rrset_next(answer->data, answer->size, &at, &item, &len)) {
		struct mxg_address a;
		mxg_address_from_bytes(&a, len == 4 ? 4 : 6, item);
		if (!mxg_self_has(&n->job->audit->self, &a))
			continue;
		n->ours[n->count++] = a;
		n->gone = true;
	}
}

void mxg_past_addresses(const struct mxg_past *past, struct mxg_audit_name *n)
{
	static const uint16_t types[] = { MXG_DNS_A, MXG_DNS_AAAA };
	for (size_t i = 0; i < 2 && past->history != NULL && n->until != 0; i++) {
		const struct mxg_answer *versions;
		mxg_answers_clear(past->answers);
		int entry = mxg_answers_entry(past->answers, &n->name, types[i]);
		if (entry >= 0 &&
		    mxg_history_load(past->history, past->answers, entry, n->until - 1, 0) == MXG_HISTORY_COVERED &&
		    mxg_answers_versions(past->answers, entry, &versions) > 0)
			take_past(n, &versions[0]);
	}
}
