/* SPDX-License-Identifier: MIT */
/* Programs that take a message out of the MTA and hand it back: a field of this host's stands on top
 * then, and what stands below decides (docs/design.md, "Local forms"). */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "program.h"

#define LINE_MAX_BYTES 1024

static void add_filter(struct mxg_doctor *d, const char *who, const char *what)
{
	mxg_finding_add(
		&d->findings, MXG_FINDING_NOTE, "resubmission",
		"it must leave Received fields as they are; where it cannot, let it give mail back by SMTP",
		"%s hands mail to a filter (%.120s): if it comes back by sendmail(1), the field below tells where it "
		"came from",
		who, what);
}

/* "accept" is for hosts whose filters take our own field away: there nobody can tell. */
static void check_setting(struct mxg_doctor *d)
{
	for (size_t i = 0; i < d->policy->ruleset_count; i++) {
		if (d->policy->rulesets[i].resubmitted != MXGUARD_VERDICT_INTERNAL)
			continue;
		mxg_finding_add(
			&d->findings, MXG_FINDING_WARNING, "resubmitted", "resubmitted = \"unknown\"",
			"resubmitted is \"accept\": what a filter, or a user of this host, submits again is accepted, "
			"wherever it came from");
		return;
	}
}

/* ---- Postfix ------------------------------------------------------------------------------ */

/* The value of "-o name=value" in a line of postconf -M, cut at the blank behind it; false if it is not there. */
static bool option_of(const char *line, const char *name, char value[LINE_MAX_BYTES])
{
	size_t len = strlen(name);
	for (const char *at = strstr(line, "-o"); at != NULL; at = strstr(at, "-o")) {
		at += strspn(at + 2, " {") + 2;
		if (strncmp(at, name, len) != 0 || strcspn(at + len, "=") != strspn(at + len, " "))
			continue;
		at += len + strcspn(at + len, "=");
		at += strspn(at, "= ");
		snprintf(value, LINE_MAX_BYTES, "%.*s", (int)strcspn(at, " \t}"), at);
		return true;
	}
	return false;
}

static bool is_port_25(const char *line)
{
	char service[81] = "", type[81] = "";
	if (sscanf(line, "%80s %80s", service, type) != 2 || strcmp(type, "inet") != 0 || strstr(line, "smtpd") == NULL)
		return false;
	const char *colon = strrchr(service, ':');
	const char *port = colon == NULL ? service : colon + 1;
	return strcmp(port, "smtp") == 0 || strcmp(port, "25") == 0;
}

static void check_line(struct mxg_doctor *d, const char *line, bool hide)
{
	char value[LINE_MAX_BYTES];
	if (option_of(line, "content_filter", value) && value[0] != '\0')
		add_filter(d, "Postfix", value);
	if (!is_port_25(line))
		return;
	if (option_of(line, "smtpd_hide_client_session", value))
		hide = strcmp(value, "yes") == 0;
	if (hide)
		mxg_finding_add(
			&d->findings, MXG_FINDING_ERROR, "postfix-hidden",
			"set smtpd_hide_client_session for the submission services alone",
			"smtpd_hide_client_session is on at port 25: Postfix writes no client address there, and no "
			"trace can be read");
}

void mxg_doctor_postfix_resubmission(struct mxg_doctor *d, const char *main, const char *master)
{
	char *filter = mxg_program_setting(main, "content_filter");
	char *hide = mxg_program_setting(main, "smtpd_hide_client_session");
	char *copy = strdup(master), *rest = copy, *line;
	if (filter != NULL && filter[0] != '\0')
		add_filter(d, "Postfix", filter);
	while (copy != NULL && (line = strsep(&rest, "\n")) != NULL)
		if (line[0] != '#')
			check_line(d, line, hide != NULL && strcmp(hide, "yes") == 0);
	free(copy);
	free(hide);
	free(filter);
}

/* ---- Exim, qmail ---------------------------------------------------------------------------- */

/* Pipes to a program that gives mail back, and filters on the way out. */
static bool is_filter(const char *line)
{
	static const char *const programs[] = { "spamc", "sendmail", "exim", "-bS" };
	if (strncmp(line, "transport_filter = ", 19) == 0)
		return line[19] != '\0';
	if (strncmp(line, "command = ", 10) != 0)
		return false;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (strstr(line + 10, programs[i]) != NULL)
			return true;
	return false;
}

static void check_exim(struct mxg_doctor *d)
{
	char *output = mxg_program_exim(d->exim, "transports"), *rest = output, *line;
	if (output == NULL && d->exim != NULL)
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "exim", NULL,
				"Exim's configuration cannot be read, or it is not installed");
	while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
		line += strspn(line, " \t");
		if (is_filter(line))
			add_filter(d, "Exim", line);
	}
	free(output);
}

static void check_qmail_file(struct mxg_doctor *d, const char *path)
{
	char line[LINE_MAX_BYTES];
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || strstr(line, "QMAILQUEUE=") == NULL)
			continue;
		add_filter(d, "qmail", strstr(line, "QMAILQUEUE="));
		break;
	}
	fclose(file);
}

static void check_qmail(struct mxg_doctor *d)
{
	static const char *const places[] = { "/etc/tcp.smtp",
					      "/etc/tcprules.d/tcp.smtp",
					      "/etc/qmail/tcp.smtp",
					      "/home/vpopmail/etc/tcp.smtp",
					      "/var/qmail/supervise/*/run",
					      "/service/*/run" };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		glob_t found;
		if (glob(places[i], 0, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			check_qmail_file(d, found.gl_pathv[k]);
		globfree(&found);
	}
}

void mxg_doctor_resubmission(struct mxg_doctor *d)
{
	check_setting(d);
	check_exim(d);
	check_qmail(d);
}
