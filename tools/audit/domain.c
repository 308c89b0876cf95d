/* SPDX-License-Identifier: MIT */
/* What is asked about one domain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "audit/audit.h"
#include "audit/past.h"
#include "audit/sts.h"

/* Names that spammers try, and clients. */
static const char *const guesses[] = {
	"mail",       "mail0",    "mail1",   "mail2",   "mail3",        "mx",         "mx0",    "mx1",
	"mx2",        "mx3",      "mxs",     "smtp",    "smtp1",        "smtp2",      "smtps",  "smtp-in",
	"mail-in",    "mailin",   "inbound", "in",      "relay",        "relay1",     "gate",   "gateway",
	"gw",         "mailgate", "mailgw",  "mta",     "mta1",         "mailhost",   "server", "host",
	"mailserver", "exchange", "post",    "webmail", "imap",         "pop",        "pop3",   "email",
	"backup",     "old",      "oldmail", "www",     "autodiscover", "autoconfig",
};

/* RFC 6186, RFC 8314, and what clients of Exchange look for. */
static const char *const services[] = {
	"_submission._tcp", "_submissions._tcp", "_imap._tcp",  "_imaps._tcp",        "_pop3._tcp",
	"_pop3s._tcp",      "_smtp._tcp",        "_smtps._tcp", "_autodiscover._tcp", "_sieve._tcp",
};

/* ---- records ------------------------------------------------------------------------------------- */

/* RFC 7208 §4.6.4 allows 10; a record that includes itself many times would cost a power of that. */
#define RECORDS_MOST 100

/* A question for records that name others. */
struct record {
	struct mxg_asking asking; /* first: the one is the other */
	struct mxg_audit_job *job;
	unsigned depth; /* of redirects and includes */
};

static bool target_of(struct mxg_name *out, const uint8_t *item, size_t len, size_t before)
{
	return len > before && mxg_name_from_wire(out, item + before, len - before);
}

static void take_targets(struct mxg_audit_job *job, const struct mxg_reply *reply, size_t before, enum mxg_leak leak)
{
	struct mxg_name target;
	const uint8_t *item;
	size_t at = 0, len;
	while (mxg_rrset_next(reply->records.data, reply->records.size, &at, &item, &len))
		if (target_of(&target, item, len, before))
			mxg_audit_name_add(job, &target, leak);
}

/* depth: above 0 an SPF record asks for it. */
static void take_mx(struct mxg_audit_job *job, const struct mxg_reply *reply, unsigned depth)
{
	if (reply->kind == MXG_ANSWER_RECORDS)
		take_targets(job, reply, 2, depth > 0 ? MXG_LEAK_SPF : MXG_LEAK_MX);
	else if (reply->kind != MXG_ANSWER_FAILED && depth == 0)
		mxg_audit_name_add(job, &job->name, MXG_LEAK_MX); /* RFC 5321 §5.1 */
}

static void want_policy(struct mxg_audit_job *job)
{
	if (!job->wants_policy)
		mxg_policies_want(job->audit->policies, job);
	job->wants_policy = true;
}

static void take_texts(struct mxg_audit_job *job, const struct mxg_question *q, const struct mxg_reply *reply,
		       unsigned depth)
{
	const uint8_t *item;
	size_t at = 0, len;
	while (mxg_rrset_next(reply->records.data, reply->records.size, &at, &item, &len)) {
		if (len >= 7 && memcmp(item, "v=STSv1", 7) == 0)
			want_policy(job);
		else
			mxg_audit_spf(job, &q->name, (const char *)item, len, depth);
	}
}

static void on_record(struct mxg_asking *asking, const struct mxg_question *q, const struct mxg_reply *reply)
{
	struct record *r = (struct record *)asking;
	struct mxg_audit_job *job = r->job;
	if (reply->kind == MXG_ANSWER_FAILED)
		mxg_audit_failed(job->audit, q, reply);
	if (q->type == MXG_DNS_MX)
		take_mx(job, reply, r->depth);
	else if (reply->kind == MXG_ANSWER_RECORDS && q->type == MXG_DNS_SRV)
		take_targets(job, reply, 6, MXG_LEAK_SRV);
	else if (reply->kind == MXG_ANSWER_RECORDS && q->type == MXG_DNS_PTR)
		take_targets(job, reply, 0, MXG_LEAK_PTR);
	else if (reply->kind == MXG_ANSWER_RECORDS && q->type == MXG_DNS_TXT)
		take_texts(job, q, reply, r->depth);
	mxg_audit_names_ask(job);
	job->pending--;
	free(r);
}

void mxg_audit_ask_record(struct mxg_audit_job *job, const struct mxg_name *name, uint16_t type, unsigned depth)
{
	struct mxg_question q = { .name = *name, .type = type };
	if (depth > 0 && ++job->records > RECORDS_MOST) {
		if (!job->cut)
			mxg_audit_failed_text(job->audit, "the SPF record of %s: it leads to too many others",
					      job->domain == NULL ? "this host" : job->domain);
		job->cut = true;
		return;
	}
	struct record *r = calloc(1, sizeof(*r));
	if (r == NULL) {
		job->audit->nomem = true;
		return;
	}
	*r = (struct record){ .asking.done = on_record, .job = job, .depth = depth };
	job->pending++;
	/* an SPF record of a provider's is that of many domains */
	mxg_asker_ask(job->audit->asker, &q, depth > 0 ? MXG_ASKER_KEEP : MXG_ASKER_DROP, &r->asking);
}

/* ---- guesses -------------------------------------------------------------------------------------- */

static void guess(struct mxg_audit_job *job, const char *labels)
{
	struct mxg_name name;
	size_t len = strlen(labels);
	bool whole = len > 1 && labels[len - 1] == '.';
	if (whole && job->domain != NULL)
		return; /* once, with the host's own */
	if (whole ? mxg_name_from_text(&name, labels, len) : mxg_audit_name_below(&name, labels, &job->name))
		mxg_audit_name_add(job, &name, MXG_LEAK_GUESSABLE);
}

/* A label that nobody has: what it leads to, every other name does. */
static void guess_nobody(struct mxg_audit_job *job)
{
	uint8_t random[8] = { 0 };
	char label[24] = "mxg-";
	struct mxg_name name;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		job->audit->nomem = true;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(label + 4 + 2 * i, 3, "%02x", random[i]);
	if (mxg_audit_name_below(&name, label, &job->name))
		mxg_audit_name_add(job, &name, MXG_LEAK_WILDCARD);
}

void mxg_audit_domain_begin(struct mxg_audit_job *job)
{
	const struct mxg_names *labels = &job->audit->labels;
	struct mxg_name name;
	job->pending++; /* until all is asked */
	guess_nobody(job);
	mxg_audit_names_ask(job);
	mxg_audit_ask_record(job, &job->name, MXG_DNS_MX, 0);
	mxg_audit_ask_record(job, &job->name, MXG_DNS_TXT, 0);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (mxg_audit_name_below(&name, services[i], &job->name))
			mxg_audit_ask_record(job, &name, MXG_DNS_SRV, 0);
	if (mxg_audit_name_below(&name, "_mta-sts", &job->name))
		mxg_audit_ask_record(job, &name, MXG_DNS_TXT, 0);
	if (mxg_audit_name_below(&name, "mta-sts", &job->name))
		mxg_audit_name_add(job, &name, MXG_LEAK_MTA_STS);
	mxg_past_names(job->audit->past, job);
	mxg_audit_name_add(job, &job->name, MXG_LEAK_GUESSABLE);
	for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++)
		guess(job, guesses[i]);
	for (size_t i = 0; i < labels->count; i++)
		guess(job, mxg_names_get(labels, i));
	mxg_audit_names_ask(job);
	job->pending--;
}
