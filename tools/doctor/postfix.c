/* SPDX-License-Identifier: MIT */
/* What Postfix's configuration does to the guard. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "mta_domains.h"
#include "program.h"

struct postfix {
	struct mxg_doctor *doctor;
	char *main, *master; /* postconf; postconf -M */
	const char *setting; /* whose words are looked at */
};

/* "SUBJECT rest of the sentence" */
static void add(struct postfix *p, enum mxg_finding_level level, const char *check, const char *advice,
		const char *subject, const char *rest)
{
	mxg_finding_add(&p->doctor->findings, level, check, advice, "%s %s", subject, rest);
}

/* ---- mxguard-lda in master.cf --------------------------------------------------------- */

static void check_macros(struct postfix *p, const char *line, const char *service)
{
	static const struct {
		const char *macro, *rest;
		enum mxg_finding_level level;
	} macros[] = {
		{ "{client_address}", "does not pass ${client_address}: only the Received fields can tell",
		  MXG_FINDING_WARNING },
		{ "{recipient}", "does not pass ${recipient}: every message is deferred", MXG_FINDING_ERROR },
		{ "{sender}", "does not pass ${sender}: terms with <sender> and the log lack it", MXG_FINDING_WARNING },
		{ "{sasl_username}", "does not pass ${sasl_username}: roaming users count as strangers",
		  MXG_FINDING_WARNING },
		{ "{original_recipient}", "does not pass ${original_recipient}: domains before aliases are not tried",
		  MXG_FINDING_NOTE },
		{ "{client_helo}", "does not pass ${client_helo}", MXG_FINDING_NOTE },
	};
	for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
		if (strstr(line, macros[i].macro) == NULL)
			add(p, macros[i].level, "postfix-macro", "the complete line is in mxguard-lda(8)", service,
			    macros[i].rest);
}

static void check_recipient_limit(struct postfix *p, const char *service)
{
	char name[128];
	snprintf(name, sizeof(name), "%.80s_destination_recipient_limit", service);
	char *value = mxg_program_setting(p->main, name);
	if (value == NULL || strcmp(value, "1") != 0)
		add(p, MXG_FINDING_WARNING, "postfix-recipient-limit",
		    "in main.cf: TRANSPORT_destination_recipient_limit = 1", service,
		    "gets several recipients at once: they share one verdict");
	free(value);
}

static void check_pipe(struct postfix *p, const char *line)
{
	char service[81] = "";
	if (sscanf(line, "%80s", service) != 1)
		return;
	check_macros(p, line, service);
	check_recipient_limit(p, service);
	if (strstr(line, "null_sender=") == NULL)
		add(p, MXG_FINDING_WARNING, "postfix-null-sender", "write null_sender= in the pipe's line of master.cf",
		    service, "has no null_sender=: bounces seem to come from MAILER-DAEMON");
	if (strstr(line, "%{mailbox}") == NULL && strstr(line, "--quarantine-command") == NULL)
		add(p, MXG_FINDING_ERROR, "postfix-quarantine", "dovecot-lda -m %{mailbox}", service,
		    "has no way to put a message aside: every message is deferred");
}

static void check_master(struct postfix *p)
{
	char *copy = strdup(p->master), *rest = copy, *line;
	while (copy != NULL && (line = strsep(&rest, "\n")) != NULL)
		if (strstr(line, "mxguard-lda") != NULL && line[0] != '#')
			check_pipe(p, line);
	free(copy);
}

/* ---- trust ------------------------------------------------------------------------------- */

static void check_forwarder(void *to, const char *word)
{
	struct postfix *p = to;
	struct mxg_prefix network;
	char what[200];
	snprintf(what, sizeof(what), "%.60s in %.60s", word, p->setting);
	if (word[0] == '!')
		return;
	if (!mxg_postfix_network(word, &network))
		add(p, MXG_FINDING_NOTE, "postfix-xforward", "make sure that all of it is internal", what,
		    "is not an address: what it holds is not known here");
	else if (!mxg_doctor_covers(&p->doctor->policy->internal, &network))
		add(p, MXG_FINDING_WARNING, "postfix-xforward", "trust relays of ours alone, and list them in internal",
		    what, "may claim any client address, and is not internal");
}

static void check_mynetwork(void *to, const char *word)
{
	struct postfix *p = to;
	struct mxg_prefix network;
	if (word[0] == '!')
		return;
	if (!mxg_postfix_network(word, &network)) {
		add(p, MXG_FINDING_NOTE, "postfix-mynetworks", NULL, word,
		    "in mynetworks is not an address: it is not looked into");
		return;
	}
	if (mxg_doctor_covers(&p->doctor->policy->internal, &network) ||
	    mxg_doctor_covers(&p->doctor->policy->origins, &network))
		return;
	add(p, MXG_FINDING_WARNING, "postfix-mynetworks",
	    "hosts that send their own mail belong into origins, relays into internal, others out of mynetworks", word,
	    "is in mynetworks, but neither in origins nor in internal: its mail is judged like a stranger's");
}

static void each_word(struct postfix *p, const char *setting, void (*word)(void *, const char *))
{
	char *value = mxg_program_setting(p->main, setting);
	p->setting = setting;
	if (value != NULL)
		mxg_program_words(value, word, p);
	free(value);
}

/* ---- Received fields ------------------------------------------------------------------------ */

static bool strips_received(const char *line)
{
	char lower[1024];
	size_t i = 0;
	for (; line[i] != '\0' && i < sizeof(lower) - 1; i++)
		lower[i] = (char)tolower((unsigned char)line[i]);
	lower[i] = '\0';
	if (lower[0] == '#' || strstr(lower, "received") == NULL)
		return false;
	const char *action = strrchr(lower, '/');
	return action != NULL && (strstr(action, "ignore") != NULL || strstr(action, "strip") != NULL ||
				  strstr(action, "replace") != NULL);
}

static void check_header_table(void *to, const char *word)
{
	struct postfix *p = to;
	char line[1024], what[200];
	const char *path = strchr(word, ':');
	FILE *file = path == NULL ? NULL : fopen(path + 1, "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (!strips_received(line))
			continue;
		snprintf(what, sizeof(what), "%.60s (%.120s)", p->setting, path + 1);
		add(p, MXG_FINDING_ERROR, "postfix-received-stripped",
		    "keep Received fields on mail that comes in; strip them in smtp_header_checks or for submission "
		    "only",
		    what, "removes or changes Received fields: the trace is lost");
		break;
	}
	fclose(file);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static bool is_ours(const struct mxg_string_list *by, const char *name)
{
	for (size_t i = 0; i < by->count; i++) {
		size_t len = strlen(name), own = strlen(by->items[i]);
		if (strcasecmp(by->items[i], name) == 0 ||
		    (by->items[i][0] == '.' && len > own && strcasecmp(name + len - own, by->items[i]) == 0))
			return true;
	}
	return false;
}

static void check_name(struct postfix *p)
{
	char *name = mxg_program_setting(p->main, "myhostname");
	if (name != NULL && !is_ours(&p->doctor->policy->by, name))
		add(p, MXG_FINDING_WARNING, "postfix-myhostname", "add it: trace = { by = [ … ]; }", name,
		    "is the name in Postfix's Received fields, and trace.by does not have it");
	free(name);
}

static void check_door(struct postfix *p)
{
	char *restrictions = mxg_program_setting(p->main, "smtpd_recipient_restrictions");
	if (restrictions != NULL && strstr(restrictions, "check_policy_service") != NULL &&
	    (strstr(restrictions, ":10033") != NULL || strstr(restrictions, "mxguard") != NULL))
		add(p, MXG_FINDING_OK, "postfix-door", NULL, "Postfix", "asks mxguard-policy(8) at RCPT");
	else
		add(p, MXG_FINDING_NOTE, "postfix-door", "mxguard-policy(8): refuse before anything is queued",
		    "Postfix", "does not ask mxguard-policy(8) in smtpd_recipient_restrictions");
	free(restrictions);
}

static void check_proxy_interfaces(void *to, const char *word)
{
	struct postfix *p = to;
	struct mxg_prefix address;
	if (mxg_postfix_network(word, &address) && !mxg_doctor_covers(&p->doctor->policy->self, &address))
		add(p, MXG_FINDING_WARNING, "postfix-nat",
		    "add it to self, and make sure that NAT keeps clients' addresses", word,
		    "(proxy_interfaces) is this server's address outside a NAT, and is not in self");
}

void mxg_doctor_postfix(struct mxg_doctor *d)
{
	static const char *const header_checks[] = { "header_checks", "nested_header_checks", "milter_header_checks" };
	struct postfix p = { .doctor = d, .main = mxg_program_postconf(d->postfix, NULL, NULL) };
	p.master = p.main == NULL ? NULL : mxg_program_postconf(d->postfix, "-M", NULL);
	if (p.main == NULL || p.master == NULL) {
		mxg_finding_add(&d->findings, d->postfix != NULL ? MXG_FINDING_WARNING : MXG_FINDING_NOTE, "postfix",
				NULL, "Postfix's configuration cannot be read, or it is not installed");
	} else {
		check_master(&p);
		each_word(&p, "smtpd_authorized_xforward_hosts", check_forwarder);
		each_word(&p, "smtpd_authorized_xclient_hosts", check_forwarder);
		each_word(&p, "mynetworks", check_mynetwork);
		each_word(&p, "proxy_interfaces", check_proxy_interfaces);
		for (size_t i = 0; i < sizeof(header_checks) / sizeof(header_checks[0]); i++)
			each_word(&p, header_checks[i], check_header_table);
		mxg_doctor_postfix_resubmission(d, p.main, p.master);
		mxg_doctor_postfix_certificates(d, p.main, p.master);
		check_name(&p);
		check_door(&p);
	}
	free(p.main);
	free(p.master);
}
