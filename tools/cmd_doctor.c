/* SPDX-License-Identifier: MIT */
/* mxguard doctor: what on this host breaks the guard. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "commands.h"
#include "doctor/doctor.h"
#include "json.h"
#include "load.h"
#include "options.h"
#include "table.h"

#define NAME "mxguard doctor"
#define MESSAGE_MAX 1024

static const char usage[] =
	"Usage: mxguard doctor [-c CONF] [OPTION]…\n"
	"Reads the configurations of mxguard, Postfix, Exim and Dovecot, the host's interfaces, DNS and\n"
	"the snapshot, and says what breaks the guard and what to do about it.\n"
	"\n"
	"  -c, --config FILE     configuration (/etc/mxguard/mxguard.conf)\n"
	"      --postfix FOLDER  the folder of main.cf and master.cf, as postconf -c takes it\n"
	"      --dovecot FILE    dovecot.conf, as doveconf -c takes it\n"
	"      --exim FILE       Exim's configuration, as exim -C takes it\n"
	"      --no-dns          do not ask for the local domains' MX\n"
	"  -v, --verbose         also what is well\n"
	"      --json            one JSON object a finding, for scripts\n"
	"\n"
	"Exit status: 0 nothing worse than notes, 1 warnings or errors, 64 wrong use, 78 wrong\n"
	"configuration.\n";

struct settings {
	const char *config;
	bool json, verbose;
};

enum { OPTION_POSTFIX = 256, OPTION_DOVECOT, OPTION_EXIM, OPTION_NO_DNS, OPTION_JSON };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "postfix", required_argument, NULL, OPTION_POSTFIX },
	{ "dovecot", required_argument, NULL, OPTION_DOVECOT },
	{ "exim", required_argument, NULL, OPTION_EXIM },
	{ "no-dns", no_argument, NULL, OPTION_NO_DNS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* 0: go on; else an exit status, or -1 after --help. */
static int take_option(struct settings *s, struct mxg_doctor *d, int option, const char *value)
{
	switch (option) {
	case 'c':
		s->config = value;
		return 0;
	case OPTION_POSTFIX:
		d->postfix = value;
		return 0;
	case OPTION_DOVECOT:
		d->dovecot = value;
		return 0;
	case OPTION_EXIM:
		d->exim = value;
		return 0;
	case OPTION_NO_DNS:
		d->no_dns = true;
		return 0;
	case OPTION_JSON:
		s->json = true;
		return 0;
	case 'v':
		s->verbose = true;
		return 0;
	case 'h':
		fputs(usage, stdout);
		return -1;
	default:
		return EX_USAGE;
	}
}

static int print_json(const struct mxg_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct mxg_finding *f = &findings->items[i];
		json_t *object = json_object();
		json_object_set_new(object, "level", json_string(mxg_finding_level_name(f->level)));
		json_object_set_new(object, "check", json_string(f->check));
		json_object_set_new(object, "text", mxg_json_text(f->text));
		json_object_set_new(object, "advice", mxg_json_text(f->advice));
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

static int examine(struct settings *s, struct mxg_doctor *d)
{
	int status = load(s, d);
	if (status == 0) {
		mxg_doctor_policy(d);
		mxg_doctor_host(d);
		mxg_doctor_domains(d);
		mxg_doctor_postfix(d);
		mxg_doctor_dovecot(d);
		mxg_doctor_reach(d);
		status = mxg_findings_worst(&d->findings) > MXG_FINDING_NOTE ? 1 : 0;
	}
	if (!s->json)
		print_people(&d->findings, s->verbose);
	else if (print_json(&d->findings) != 0)
		status = EX_TEMPFAIL;
	return status;
}

int cmd_doctor(int argc, char **argv)
{
	struct settings s = { .config = MXG_DEFAULT_CONFIG };
	struct mxg_doctor doctor = { .policy = NULL };
	int option, status = 0;
	while (status == 0 && (option = mxg_next_option(argc, argv, ":c:vh", long_options)) != -1)
		status = take_option(&s, &doctor, option, optarg);
	if (status != 0)
		return status < 0 ? 0 : status;
	if (optind < argc)
		return mxg_wrong_use(NAME, "there is an argument too many");
	status = examine(&s, &doctor);
	mxg_findings_clear(&doctor.findings);
	mxguard_session_free(doctor.session);
	return status;
}
