/* SPDX-License-Identifier: MIT */
/* mxguard doctor: what on this host breaks the guard. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "commands.h"
#include "doctor/doctor.h"
#include "doctor/facts.h"
#include "doctor/fleet.h"
#include "doctor/program.h"
#include "json.h"
#include "load.h"
#include "options.h"
#include "table.h"

#define NAME "mxguard doctor"
#define MESSAGE_MAX 1024

struct settings {
	const char *config;
	bool json, verbose, fleet;
	struct mxg_doctor doctor;
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct settings),
	{ 0, "postfix", "FOLDER", "the folder of main.cf and master.cf, as postconf -c takes it",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct settings, doctor.postfix) },
	{ 0, "dovecot", "FILE", "dovecot.conf, as doveconf -c takes it", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct settings, doctor.dovecot) },
	{ 0, "exim", "FILE", "Exim's configuration, as exim -C takes it", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct settings, doctor.exim) },
	{ 0, "no-dns", NULL, "do not ask for the local domains' MX", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct settings, doctor.no_dns) },
	{ 0, "fleet", NULL, "compare what `doctor --json` said on several hosts", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct settings, fleet) },
	{ 'v', "verbose", NULL, "also what is well", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct settings, verbose) },
	{ 0, "json", NULL, "one JSON object a finding, for scripts", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct settings, json) },
};

const struct mxg_usage usage_doctor = {
	.synopsis = "[-c CONF] [OPTION]…\n       mxguard doctor --fleet [-v] [--json] FILE…",
	.about = "Reads the configurations of mxguard, Postfix, Exim and Dovecot, the host's interfaces, DNS and\n"
		 "the snapshot, and says what breaks the guard and what to do about it.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.arguments = MXG_ARGUMENTS_FILES,
	.after = "Exit status: 0 nothing worse than notes, 1 warnings or errors, 64 wrong use, 78 wrong\n"
		 "configuration.",
};

static int print_json(const struct mxg_findings *findings, json_t *facts)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct mxg_finding *f = &findings->items[i];
		json_t *object = json_object();
		json_object_set_new(object, "level", json_string(mxg_finding_level_name(f->level)));
		json_object_set_new(object, "check", json_string(f->check));
		json_object_set_new(object, "text", mxg_json_text(f->text));
		json_object_set_new(object, "advice", mxg_json_text(f->advice));
		if (strcmp(f->check, "host") == 0)
			json_object_set(object, "host", facts);
		if (mxg_json_print(object) != 0)
			return EX_TEMPFAIL;
	}
	return 0;
}

static enum mxg_colour colour_of(enum mxg_finding_level level)
{
	static const enum mxg_colour colours[] = { MXG_GREEN, MXG_PLAIN, MXG_YELLOW, MXG_RED };
	return colours[level];
}

/* The worst first. The table would cut a sentence at the terminal's width: a finding is told in
 * lines. */
static void print_people(const struct mxg_findings *findings, bool verbose)
{
	size_t shown = 0;
	for (int level = MXG_FINDING_ERROR; level >= (verbose ? MXG_FINDING_OK : MXG_FINDING_NOTE); level--) {
		for (size_t i = 0; i < findings->count; i++) {
			const struct mxg_finding *f = &findings->items[i];
			if ((int)f->level != level)
				continue;
			printf("%s%-8s%s %s: %s\n", mxg_colour_begin(stdout, colour_of(f->level)),
			       mxg_finding_level_name(f->level), mxg_colour_end(stdout), f->check, f->text);
			if (f->advice[0] != '\0')
				printf("%-8s %s\n", "", f->advice);
			shown++;
		}
	}
	if (shown == 0)
		puts("Nothing was found that breaks the guard.");
}

/* A configuration that cannot be read is a finding, too, and there are no others then. */
static int load(struct settings *s, struct mxg_doctor *d)
{
	char message[MESSAGE_MAX];
	int result = mxguard_session_open(&d->session, s->config, 0, message, sizeof(message));
	if (result == MXGUARD_ERROR_NONE) {
		d->policy = mxguard_session_policy(d->session);
		return 0;
	}
	mxg_finding_add(&d->findings, MXG_FINDING_ERROR, "configuration", NULL, "%s", message);
	return result == MXGUARD_ERROR_NOMEM ? EX_TEMPFAIL : EX_CONFIG;
}

static int show(const struct settings *s, const struct mxg_doctor *d, int status)
{
	if (!s->json)
		print_people(&d->findings, s->verbose);
	else if (print_json(&d->findings, d->facts) != 0)
		status = EX_TEMPFAIL;
	return status;
}

static void tell_silent(struct mxg_doctor *d)
{
	for (size_t n = 0; mxg_program_silent(n) != NULL; n++)
		mxg_finding_add(
			&d->findings, MXG_FINDING_WARNING, "program",
			"See what it waits for, such as a table on a server or a disk that hangs, and run this again.",
			MXG_PROGRAM_SILENT, mxg_program_silent(n));
}

static int examine(struct settings *s, struct mxg_doctor *d)
{
	int status = load(s, d);
	if (status == 0) {
		mxg_doctor_policy(d);
		mxg_doctor_host(d);
		mxg_doctor_domains(d);
		mxg_doctor_vendors(d);
		mxg_doctor_postfix(d);
		mxg_doctor_resubmission(d);
		mxg_doctor_exim(d);
		mxg_doctor_dovecot(d);
		mxg_doctor_dovecot_abi(d);
		mxg_doctor_secrets(d);
		mxg_doctor_trap(d);
		mxg_doctor_reach(d);
		mxg_doctor_facts(d);
		tell_silent(d);
		status = mxg_findings_worst(&d->findings) > MXG_FINDING_NOTE ? 1 : 0;
	}
	return show(s, d, status);
}

static int compare_fleet(struct settings *s, int argc, char **argv)
{
	struct mxg_doctor *d = &s->doctor;
	if (optind == argc)
		return mxg_wrong_use(NAME, "--fleet takes files: what `mxguard doctor --json` said on each host");
	mxg_doctor_fleet(&d->findings, argv + optind, (size_t)(argc - optind));
	return show(s, d, mxg_findings_worst(&d->findings) > MXG_FINDING_NOTE ? 1 : 0);
}

int cmd_doctor(int argc, char **argv)
{
	struct settings s = { .config = MXG_DEFAULT_CONFIG };
	int status = mxg_read_options(&usage_doctor, argc, argv, &s);
	if (status != 0)
		return status < 0 ? 0 : status;
	if (optind < argc && !s.fleet)
		return mxg_wrong_use(NAME, "'%s' is an argument too many", argv[optind]);
	status = s.fleet ? compare_fleet(&s, argc, argv) : examine(&s, &s.doctor);
	for (size_t i = 0; i < MXG_DOVECOT_SETTINGS; i++)
		free(s.doctor.dovecot_settings[i]);
	json_decref(s.doctor.facts);
	mxg_findings_clear(&s.doctor.findings);
	mxguard_session_free(s.doctor.session);
	return status;
}
