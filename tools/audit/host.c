/* SPDX-License-Identifier: MIT */
/* Names that are not a domain's but the host's: what it calls itself, what its addresses are called, what
 * its certificates say. */
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/certificate.h"
#include "audit/guard.h"
#include "base/host.h"

struct naming {
	struct mxg_audit_job *job;
	enum mxg_leak leak;
};

/* "localhost" and the like lead to loopback everywhere. */
static void add_text(void *to, const char *text)
{
	const struct naming *naming = to;
	struct mxg_name name;
	if (strchr(text, '.') != NULL && text[0] != '.' && mxg_name_from_text(&name, text, strlen(text)))
		mxg_audit_name_add(naming->job, &name, naming->leak);
}

static void add_hostnames(struct mxg_audit_job *job)
{
	struct naming naming = { job, MXG_LEAK_HOSTNAME };
	const struct mxg_string_list *by = &job->audit->policy->by;
	struct mxg_host_names names;
	mxg_host_names(&names);
	for (unsigned i = 0; i < names.count; i++)
		add_text(&naming, names.names[i]);
	for (size_t i = 0; i < by->count; i++)
		add_text(&naming, by->items[i]);
	mxg_guards_names(job->audit->guards, add_text, &naming);
}

/* in-addr.arpa and ip6.arpa (RFC 1035 §3.5, RFC 3596 §2.5) */
static bool reverse_name(struct mxg_name *out, const struct mxg_address *a)
{
	static const char digits[] = "0123456789abcdef";
	char text[80], *at = text;
	if (a->family == 4)
		snprintf(text, sizeof(text), "%u.%u.%u.%u.in-addr.arpa", a->bytes[3], a->bytes[2], a->bytes[1],
			 a->bytes[0]);
	for (size_t i = 16; a->family == 6 && i-- > 0;) {
		*at++ = digits[a->bytes[i] & 15];
		*at++ = '.';
		*at++ = digits[a->bytes[i] >> 4];
		*at++ = '.';
	}
	if (a->family == 6)
		memcpy(at, "ip6.arpa", 9);
	return mxg_name_from_text(out, text, strlen(text));
}

static void ask_pointers(struct mxg_audit_job *job)
{
	struct mxg_address a;
	struct mxg_name name;
	for (size_t i = 0; i < mxg_self_each(&job->audit->self, i, &a); i++)
		if (reverse_name(&name, &a))
			mxg_audit_ask_record(job, &name, MXG_DNS_PTR, 0);
}

static void read_certificate(void *to, const char *path)
{
	struct mxg_audit *audit = ((struct naming *)to)->job->audit;
	char why[200];
	if (!mxg_certificate_names(path, add_text, to, why, sizeof(why)))
		mxg_audit_failed_text(audit, "the names in the certificate %s: %s", path, why);
}

void mxg_audit_host_begin(struct mxg_audit_job *job)
{
	struct naming naming = { job, MXG_LEAK_CERTIFICATE };
	const struct mxg_names *labels = &job->audit->labels;
	struct naming guesses = { job, MXG_LEAK_GUESSABLE };
	job->pending++; /* until all is asked */
	ask_pointers(job);
	add_hostnames(job);
	mxg_guards_certificates(job->audit->guards, read_certificate, &naming);
	for (size_t i = 0; i < labels->count; i++)
		if (mxg_names_get(labels, i)[strlen(mxg_names_get(labels, i)) - 1] == '.')
			add_text(&guesses, mxg_names_get(labels, i));
	mxg_audit_names_ask(job);
	job->pending--;
}
