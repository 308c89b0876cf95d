/* SPDX-License-Identifier: MIT */
/* Names that are not a domain's but the host's: what it calls itself, what its addresses are called, what
 * its certificates say. */
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/certificate.h"
#include "audit/guard.h"
#include "base/host.h"
#include "spf/macro.h"

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

static void ask_pointers(struct mxg_audit_job *job)
{
	struct mxg_address a;
	struct mxg_name name;
	for (size_t i = 0; i < mxg_self_each(&job->audit->self, i, &a); i++)
		if (mxg_macro_reverse_name(&name, &a))
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
