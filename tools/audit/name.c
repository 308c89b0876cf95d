/* SPDX-License-Identifier: MIT */
/* Names, and where they lead. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/past.h"

static const char *failure_word(enum mxg_dns_failure failure)
{
	static const char *const words[] = {
		[MXG_DNS_OK] = "no answer",
		[MXG_DNS_TIMEOUT] = "no answer in time",
		[MXG_DNS_SERVFAIL] = "SERVFAIL",
		[MXG_DNS_REFUSED] = "REFUSED",
		[MXG_DNS_BROKEN] = "a reply that is not to be believed",
		[MXG_DNS_INSECURE] = "not validated",
		[MXG_DNS_CANCELLED] = "DNS does not answer at all",
		[MXG_DNS_LOCAL] = "no socket or no memory",
		[MXG_DNS_NOT_RECORDED] = "not recorded",
	};
	return words[failure];
}

static void tell(struct mxg_audit *audit, enum mxg_audit_trouble trouble, const char *text)
{
	audit->failures++;
	audit->failure(audit->to, trouble, text);
}

void mxg_audit_failed_text(struct mxg_audit *audit, const char *format, ...)
{
	char text[1400];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tell(audit, MXG_TROUBLE_HERE, text);
}

void mxg_audit_failed(struct mxg_audit *audit, const struct mxg_question *q, const struct mxg_reply *reply)
{
	char name[MXG_NAME_TEXT_MAX], text[MXG_NAME_TEXT_MAX + 100];
	snprintf(text, sizeof(text), "%s %s: %s", mxg_name_format(&q->name, name), mxg_dns_type_name(q->type),
		 failure_word(reply->failure));
	tell(audit, mxg_asker_is_silence(reply->failure) ? MXG_TROUBLE_SILENCE : MXG_TROUBLE_QUESTION, text);
}

bool mxg_audit_name_below(struct mxg_name *out, const char *labels, const struct mxg_name *parent)
{
	struct mxg_name front;
	if (!mxg_name_from_text(&front, labels, strlen(labels)) || (size_t)front.len + parent->len - 1 > 255)
		return false;
	*out = (struct mxg_name){ .len = (uint8_t)(front.len + parent->len - 1) };
	memcpy(out->wire, front.wire, front.len - 1u);
	memcpy(out->wire + front.len - 1, parent->wire, parent->len);
	return true;
}

struct mxg_audit_name *mxg_audit_name_add(struct mxg_audit_job *job, const struct mxg_name *name, enum mxg_leak leak)
{
	struct mxg_audit_name *n = job->names;
	while (n != NULL && !mxg_name_equal(&n->name, name))
		n = n->next;
	if (n == NULL && name->len > 1) { /* the root is nobody's (RFC 2782, RFC 7505) */
		n = calloc(1, sizeof(*n));
		if (n == NULL) {
			job->audit->nomem = true;
			return NULL;
		}
		n->job = job;
		n->name = *name;
		n->next = job->names;
		job->names = n;
	}
	if (n != NULL)
		n->leaks |= 1u << leak;
	return n;
}

/* ---- addresses --------------------------------------------------------------------------------- */

static void take_address(struct mxg_audit_name *n, const uint8_t *bytes, size_t len)
{
	struct mxg_address a;
	uint64_t sum = UINT64_C(1469598103934665603);
	mxg_address_from_bytes(&a, len == 4 ? 4 : 6, bytes);
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
	n->print += sum | 1;
	if (n->count < MXG_OURS_MOST && mxg_self_has(&n->job->audit->self, &a))
		n->ours[n->count++] = a;
}

static void ask(struct mxg_audit_name *n, uint16_t type)
{
	static const unsigned guesses = MXG_LEAK(GUESSABLE) | MXG_LEAK(WILDCARD);
	struct mxg_question q = { .name = n->name, .type = type };
	bool guessed = (n->leaks & ~guesses) == 0;
	n->job->pending++;
	mxg_asker_ask(n->job->audit->asker, &q, guessed ? MXG_ASKER_KEEP_RECORDS : MXG_ASKER_KEEP, &n->asking);
}

static struct mxg_audit_name *by_asking(struct mxg_asking *asking)
{
	return (struct mxg_audit_name *)(void *)((char *)asking - offsetof(struct mxg_audit_name, asking));
}

static void on_addresses(struct mxg_asking *asking, const struct mxg_question *q, const struct mxg_reply *reply)
{
	struct mxg_audit_name *n = by_asking(asking);
	const uint8_t *item;
	size_t at = 0, len;
	if (reply->kind == MXG_ANSWER_FAILED)
		mxg_audit_failed(n->job->audit, q, reply);
	while (reply->kind == MXG_ANSWER_RECORDS &&
	       mxg_rrset_next(reply->records.data, reply->records.size, &at, &item, &len))
		take_address(n, item, len);
	/* RFC 8020: a name that is not there has no other records either */
	if (q->type == MXG_DNS_A && n->job->audit->self.v6 && reply->kind != MXG_ANSWER_NXDOMAIN)
		ask(n, MXG_DNS_AAAA);
	n->job->pending--;
}

void mxg_audit_names_ask(struct mxg_audit_job *job)
{
	for (struct mxg_audit_name *n = job->names; n != NULL; n = n->next) {
		if (n->asking.done != NULL || n->literal)
			continue;
		n->asking.done = on_addresses;
		ask(n, job->audit->self.v4 ? MXG_DNS_A : MXG_DNS_AAAA);
	}
}

/* ---- TLSA ---------------------------------------------------------------------------------------- */

static void on_tlsa(struct mxg_asking *asking, const struct mxg_question *q, const struct mxg_reply *reply)
{
	struct mxg_audit_name *n =
		(struct mxg_audit_name *)(void *)((char *)asking - offsetof(struct mxg_audit_name, tlsa));
	if (reply->kind == MXG_ANSWER_FAILED)
		mxg_audit_failed(n->job->audit, q, reply);
	if (reply->kind == MXG_ANSWER_RECORDS && reply->records.count > 0)
		n->leaks |= MXG_LEAK(TLSA);
	n->job->pending--;
}

/* Of names that lead here: whoever says which certificate stands at port 25 says that a server does. */
void mxg_audit_names_ask_tlsa(struct mxg_audit_job *job)
{
	struct mxg_question q = { .type = MXG_DNS_TLSA };
	for (struct mxg_audit_name *n = job->names; n != NULL; n = n->next) {
		if (n->count == 0 || n->gone || n->literal || (n->leaks & MXG_LEAK(WILDCARD)) != 0 ||
		    !mxg_audit_name_below(&q.name, "_25._tcp", &n->name))
			continue;
		n->tlsa.done = on_tlsa;
		job->pending++;
		mxg_asker_ask(job->audit->asker, &q, MXG_ASKER_KEEP, &n->tlsa);
	}
}
