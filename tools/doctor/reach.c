/* SPDX-License-Identifier: MIT */
/* By which domains Postfix, Exim and Dovecot let the same mailboxes be reached. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mta_domains.h"
#include "names.h"
#include "program.h"

/* ---- Postfix, Exim ------------------------------------------------------------------------- */

static void add_name(void *to, const char *name)
{
	mxg_other_names_add(to, name);
}

static void tell_unread(void *to, const char *table)
{
	struct mxg_other_names *names = to;
	mxg_finding_add(&names->doctor->findings, MXG_FINDING_NOTE, "postfix-other-names",
			"postmap -s lists hash, btree, cdb, lmdb and texthash tables; look through it yourself",
			"the domains in %.200s are not known here", table);
}

static void check_postfix(struct mxg_doctor *d, const char *setting)
{
	struct mxg_other_names names = { .doctor = d };
	const struct mxg_domain_sink sink = { add_name, tell_unread, &names };
	char where[64];
	mxg_postfix_domains(d->postfix, setting, &sink);
	snprintf(where, sizeof(where), "Postfix (%s)", setting);
	mxg_other_names_tell(&names, "postfix-other-names", where);
}

static void check_exim(struct mxg_doctor *d)
{
	struct mxg_other_names names = { .doctor = d };
	const struct mxg_domain_sink sink = { add_name, NULL, &names };
	mxg_exim_domains(d->exim, &sink);
	mxg_other_names_tell(&names, "exim-other-names", "Exim (local_domains)");
}

/* ---- Dovecot ------------------------------------------------------------------------------- */

/* "user | lower" (2.4): what stands in front is the variable, then come its filters. */
static bool braced_keeps_domain(const char *inner, size_t len)
{
	char text[128];
	if (len >= sizeof(text))
		return true; /* nobody's mailbox is told by such a thing */
	memcpy(text, inner, len);
	text[len] = '\0';
	if (strstr(text, "domain") != NULL)
		return true;
	return strstr(text, "user") != NULL && strstr(text, "username") == NULL;
}

/* Dovecot 2.3: %u, %Lu, %{user}; %n and %{username} are the local part alone. */
static bool keeps_domain(const char *format)
{
	for (const char *at = format; (at = strchr(at, '%')) != NULL;) {
		at++;
		if (*at == '{') {
			size_t len = strcspn(++at, "}");
			if (braced_keeps_domain(at, len))
				return true;
			at += len;
			continue;
		}
		at += strspn(at, "LUEXRHNMDT0123456789.-");
		if (*at == 'u' || *at == 'd')
			return true;
	}
	return false;
}

static void tell_username_format(struct mxg_doctor *d, const char *format)
{
	const struct mxguard_policy *policy = d->policy;
	const char *stricter = mxg_other_names_stricter(policy, policy->rulesets[0].mode);
	const char *keep = d->dovecot_version >= 204
				   ? "let mode be the strictest one and give single domains a milder one, or keep the "
				     "domain: auth_username_format = %{user | lower}"
				   : "let mode be the strictest one and give single domains a milder one, or keep the "
				     "domain: auth_username_format = %Lu";
	if (stricter != NULL)
		mxg_finding_add(
			&d->findings, MXG_FINDING_ERROR, "dovecot-username-format", keep,
			"Dovecot's auth_username_format (%.60s) leaves the domain out: alice@ any domain is the "
			"mailbox of alice@%s too, and takes the mode of the whole, %s",
			format, stricter, mxguard_mode_name(policy->rulesets[0].mode));
	else if (!mxg_policy_has_domains(policy))
		mxg_finding_add(
			&d->findings, MXG_FINDING_WARNING, "dovecot-username-format",
			"list them: domains = [ … ]; others are then nobody's",
			"Dovecot's auth_username_format (%.60s) leaves the domain out: every domain is the same "
			"mailbox, and domains does not say which are yours",
			format);
	else
		mxg_finding_add(
			&d->findings, MXG_FINDING_NOTE, "dovecot-username-format", NULL,
			"Dovecot's auth_username_format (%.60s) leaves the domain out: every domain is the same "
			"mailbox",
			format);
}

static void check_dovecot(struct mxg_doctor *d)
{
	const char *format = d->dovecot_settings[MXG_DOVECOT_USERNAME];
	if (format != NULL && format[0] != '\0' && !keeps_domain(format))
		tell_username_format(d, format);
}

void mxg_doctor_reach(struct mxg_doctor *d)
{
	check_postfix(d, "mydestination");
	check_postfix(d, "virtual_alias_domains");
	check_exim(d);
	check_dovecot(d);
}
