/* SPDX-License-Identifier: MIT */
/* Gateways that are known by their client certificate, and who is told it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "program.h"

struct wanted {
	const char *entry; /* the first one that is bound to a certificate; NULL: none */
	bool fingerprint, verified;
};

static void look_at(struct wanted *wanted, const struct mxg_gateway *gateway)
{
	if (!gateway->certificate.set)
		return;
	if (wanted->entry == NULL)
		wanted->entry = gateway->name;
	wanted->fingerprint |= gateway->certificate.has_fingerprint;
	wanted->verified |= gateway->certificate.verified;
}

static struct wanted look(const struct mxguard_policy *policy)
{
	struct wanted wanted = { .entry = NULL };
	for (size_t r = 0; r < policy->ruleset_count; r++)
		for (size_t i = 0; i < policy->rulesets[r].gateway_count; i++)
			look_at(&wanted, &policy->rulesets[r].gateways[i]);
	return wanted;
}

static void warn(struct mxg_doctor *d, const char *check, const char *advice, const struct wanted *wanted,
		 const char *rest)
{
	mxg_finding_add(&d->findings, MXG_FINDING_WARNING, check, advice,
			"gateway \"%s\" is bound to a certificate, %s", wanted->entry, rest);
}

/* The setting has one of the values somewhere, for all of Postfix or for one of its services. */
static bool is_on(const char *main, const char *master, const char *name, const char *value)
{
	char option[80];
	char *found = mxg_program_setting(main, name);
	bool on = found != NULL && strcmp(found, value) == 0;
	free(found);
	snprintf(option, sizeof(option), "%s=%s", name, value);
	return on || strstr(master, option) != NULL;
}

static bool is_empty(const char *main, const char *name)
{
	char *found = mxg_program_setting(main, name);
	bool empty = found == NULL || found[0] == '\0';
	free(found);
	return empty;
}

static void check_digest(struct mxg_doctor *d, const struct wanted *wanted)
{
	/* as Postfix itself makes it of compatibility_level */
	char *digest = mxg_program_postfix_value(d->postfix, "smtpd_tls_fingerprint_digest");
	if (digest != NULL && strcasecmp(digest, "sha256") != 0)
		warn(d, "certificate-digest", "in main.cf: smtpd_tls_fingerprint_digest = sha256", wanted,
		     "and Postfix tells fingerprints that are no SHA-256: the entry matches nothing");
	free(digest);
}

static bool asks_nobody(const char *main)
{
	char *restrictions = mxg_program_setting(main, "smtpd_recipient_restrictions");
	bool asks = restrictions != NULL && strstr(restrictions, "check_policy_service") != NULL;
	free(restrictions);
	return !asks && is_empty(main, "smtpd_milters");
}

void mxg_doctor_postfix_certificates(struct mxg_doctor *d, const char *main, const char *master)
{
	struct wanted wanted = look(d->policy);
	if (wanted.entry == NULL)
		return;
	if (asks_nobody(main))
		warn(d, "certificate-not-told", "mxguard-policy(8): Postfix tells it the certificate", &wanted,
		     "and Postfix asks no policy service and no milter that it could tell it");
	if (!is_on(main, master, "smtpd_tls_ask_ccert", "yes") && !is_on(main, master, "smtpd_tls_req_ccert", "yes"))
		warn(d, "certificate-not-asked", "in main.cf: smtpd_tls_ask_ccert = yes", &wanted,
		     "and Postfix asks no client for one");
	if (wanted.fingerprint)
		check_digest(d, &wanted);
	if (wanted.verified && is_empty(main, "smtpd_tls_CAfile") && is_empty(main, "smtpd_tls_CApath"))
		warn(d, "certificate-authorities", "in main.cf: smtpd_tls_CAfile, the authority that issues them",
		     &wanted, "and Postfix trusts no authority by which it could verify it");
	if (strstr(master, "mxguard-lda") != NULL)
		mxg_doctor_certificate_queued(d, "the wrapper in Postfix's master.cf");
}

void mxg_doctor_certificate_queued(struct mxg_doctor *d, const char *who)
{
	char rest[200];
	struct wanted wanted = look(d->policy);
	if (wanted.entry == NULL)
		return;
	snprintf(rest, sizeof(rest), "and %.80s, which judges the same mail once more, is not told it", who);
	warn(d, "certificate-queued",
	     "give the mail another entry by which it is known there, or let the door alone decide", &wanted, rest);
}
