/* SPDX-License-Identifier: MIT */
/* Options, and the variables that local(8), Exim and others set. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONFIG "/etc/mxguard/mxguard.conf"
#define DEFAULT_TIMEOUT 60

static const char usage[] =
	"Usage: mxguard-lda [OPTION]… -- COMMAND ARG…\n"
	"Decides whether the message on standard input skipped the filters; delivers it with COMMAND,\n"
	"puts it aside, or tells the MTA to refuse or to try again later.\n"
	"\n"
	"  -p, --peer ADDRESS         the client that the MTA saw; '' where there was none\n"
	"  -r, --rcpt ADDRESS         the recipient; may be given several times\n"
	"      --original-rcpt ADDR   the same before aliases, one for each --rcpt\n"
	"  -f, --from ADDRESS         the sender\n"
	"      --helo NAME            what the client said in HELO or EHLO\n"
	"      --login NAME           the login that the MTA vouches for\n"
	"      --id ID                queue id, for the log\n"
	"      --place PLACE          queued (default) or door\n"
	"  -c, --config FILE          configuration (/etc/mxguard/mxguard.conf)\n"
	"      --quarantine-command C what to run instead of COMMAND to put a message aside; words\n"
	"                             are parted by blanks, no shell is used\n"
	"      --timeout SECONDS      for deciding (60)\n"
	"      --signal-exit STATUS   end with it where COMMAND dies by a signal (Exim: 75)\n"
	"      --spool-dir FOLDER     for messages over 1 MiB (/var/tmp, /tmp)\n"
	"      --init WHAT            feeds or adopts: what an MTA that is PID 1 of a container does\n"
	"                             (default: what can be seen)\n"
	"      --log WHERE            syslog (default), stderr or none\n"
	"\n"
	"In COMMAND: %{mailbox} %{verdict} %{rcpt}, each as part of one argument.\n"
	"Example (Postfix, master.cf): argv=/usr/bin/mxguard-lda --peer=${client_address}\n"
	"  --rcpt=${recipient} --from=${sender} -- /usr/lib/dovecot/dovecot-lda -d ${recipient}\n"
	"  -m %{mailbox}\n";

enum {
	OPTION_HELO = 256,
	OPTION_ORIGINAL,
	OPTION_LOGIN,
	OPTION_ID,
	OPTION_PLACE,
	OPTION_QUARANTINE,
	OPTION_TIMEOUT,
	OPTION_SIGNAL_EXIT,
	OPTION_SPOOL_DIR,
	OPTION_INIT,
	OPTION_LOG,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "peer", required_argument, NULL, 'p' },
	{ "rcpt", required_argument, NULL, 'r' },
	{ "from", required_argument, NULL, 'f' },
	{ "helo", required_argument, NULL, OPTION_HELO },
	{ "original-rcpt", required_argument, NULL, OPTION_ORIGINAL },
	{ "login", required_argument, NULL, OPTION_LOGIN },
	{ "id", required_argument, NULL, OPTION_ID },
	{ "place", required_argument, NULL, OPTION_PLACE },
	{ "quarantine-command", required_argument, NULL, OPTION_QUARANTINE },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "signal-exit", required_argument, NULL, OPTION_SIGNAL_EXIT },
	{ "spool-dir", required_argument, NULL, OPTION_SPOOL_DIR },
	{ "init", required_argument, NULL, OPTION_INIT },
	{ "log", required_argument, NULL, OPTION_LOG },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

struct reading {
	struct mxg_lda_options *options;
	char *message;
	size_t size;
};

static enum mxg_lda_next wrong(struct reading *r, const char *text)
{
	snprintf(r->message, r->size, "%s", text);
	return MXG_LDA_WRONG;
}

static bool read_number(const char *text, long min, long max, long *out)
{
	char *end;
	if (text[0] < '0' || text[0] > '9')
		return false;
	*out = strtol(text, &end, 10);
	return *end == '\0' && *out >= min && *out <= max;
}

static enum mxg_lda_next add_address(struct reading *r, const char **list, size_t *count, const char *address)
{
	if (*count == MXG_LDA_RECIPIENTS_MAX)
		return wrong(r, "there are more than 1,000 recipients");
	list[(*count)++] = address;
	return MXG_LDA_GO_ON;
}

static enum mxg_lda_next set_place(struct reading *r, const char *word)
{
	if (strcmp(word, "door") == 0)
		r->options->place = MXGUARD_PLACE_DOOR;
	else if (strcmp(word, "queued") != 0)
		return wrong(r, "--place takes queued or door");
	return MXG_LDA_GO_ON;
}

static enum mxg_lda_next set_log(struct reading *r, const char *word)
{
	if (strcmp(word, "stderr") == 0)
		r->options->log = MXG_LDA_LOG_STDERR;
	else if (strcmp(word, "none") == 0)
		r->options->log = MXG_LDA_LOG_NONE;
	else if (strcmp(word, "syslog") != 0)
		return wrong(r, "--log takes syslog, stderr or none");
	return MXG_LDA_GO_ON;
}

static enum mxg_lda_next set_init(struct reading *r, const char *word)
{
	if (strcmp(word, "feeds") == 0)
		r->options->init = MXG_LDA_INIT_FEEDS;
	else if (strcmp(word, "adopts") == 0)
		r->options->init = MXG_LDA_INIT_ADOPTS;
	else
		return wrong(r, "--init takes feeds or adopts");
	return MXG_LDA_GO_ON;
}

/* Options that are plain text. */
static const char **text_of(struct mxg_lda_options *o, int option)
{
	switch (option) {
	case 'c':
		return &o->config;
	case 'p':
		return &o->peer;
	case 'f':
		return &o->from;
	case OPTION_HELO:
		return &o->helo;
	case OPTION_LOGIN:
		return &o->login;
	case OPTION_ID:
		return &o->id;
	case OPTION_QUARANTINE:
		return &o->quarantine;
	case OPTION_SPOOL_DIR:
		return &o->spool_dir;
	default:
		return NULL;
	}
}

static enum mxg_lda_next take_option(struct reading *r, int option, const char *value)
{
	struct mxg_lda_options *o = r->options;
	const char **text = text_of(o, option);
	if (text != NULL) {
		*text = value;
		return MXG_LDA_GO_ON;
	}
	switch (option) {
	case 'r':
		return add_address(r, o->rcpts, &o->rcpt_count, value);
	case OPTION_ORIGINAL:
		return add_address(r, o->originals, &o->original_count, value);
	case OPTION_PLACE:
		return set_place(r, value);
	case OPTION_INIT:
		return set_init(r, value);
	case OPTION_LOG:
		return set_log(r, value);
	case OPTION_TIMEOUT:
		return read_number(value, 1, 600, &o->timeout) ? MXG_LDA_GO_ON
							       : wrong(r, "--timeout takes 1 to 600 seconds");
	case OPTION_SIGNAL_EXIT:
		return read_number(value, 1, 255, &o->signal_exit) ? MXG_LDA_GO_ON
								   : wrong(r, "--signal-exit takes 1 to 255");
	default:
		return wrong(r, "an option is not known or has no value; mxguard-lda --help names them all");
	}
}

static bool mentions_mailbox(char *const *command)
{
	for (; *command != NULL; command++)
		if (strstr(*command, "%{mailbox}") != NULL)
			return true;
	return false;
}

/* A macro that the MTA has left as it was: "${client_address}", or sendmail's own codes, which are
 * no UTF-8. As a login it would let everybody in. */
static bool is_macro(const char *text)
{
	if (text == NULL)
		return false;
	if (text[0] == '$' || strncmp(text, "%{", 2) == 0)
		return true;
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
		unsigned char first = *p++;
		if (first < 0x20 || first == 0x7f ||
		    (first >= 0x80 && (first < 0xc2 || first > 0xf4 || (*p & 0xc0) != 0x80)))
			return true;
		while (first >= 0xc2 && (*p & 0xc0) == 0x80)
			p++;
	}
	return false;
}

/* Found now, with the first message, and not when the first spam comes. */
static enum mxg_lda_next validate(struct reading *r)
{
	const struct mxg_lda_options *o = r->options;
	if (is_macro(o->peer))
		return wrong(r,
			     "--peer holds a macro that the MTA does not know here; mxguard-lda(8) has the MTA's own");
	if (is_macro(o->login))
		return wrong(r,
			     "--login holds a macro that the MTA does not know here; mxguard-lda(8) has the MTA's own");
	if (o->command[0] == NULL)
		return wrong(r, "COMMAND is missing: mxguard-lda [OPTION]… -- COMMAND ARG…");
	if (o->rcpt_count == 0)
		return wrong(r, "--rcpt is missing, and the environment has no RECIPIENT");
	if (o->original_count > 0 && o->original_count != o->rcpt_count)
		return wrong(r, "there must be one --original-rcpt for each --rcpt, or none");
	if (o->quarantine == NULL && !mentions_mailbox(o->command))
		return wrong(r, "there is no way to put a message aside: write %{mailbox} in COMMAND's arguments "
				"(dovecot-lda -m %{mailbox}), or give --quarantine-command");
	return MXG_LDA_GO_ON;
}

/* A variable that is there, even if empty: local(8) sets CLIENT_ADDRESS only for mail by SMTP. */
static void from_environment(const char **field, const char *name)
{
	if (*field == NULL)
		*field = getenv(name);
}

static void read_environment(struct mxg_lda_options *o)
{
	from_environment(&o->peer, "CLIENT_ADDRESS");
	from_environment(&o->helo, "CLIENT_HELO");
	from_environment(&o->login, "SASL_USERNAME");
	from_environment(&o->from, "SENDER");
	from_environment(&o->id, "MESSAGE_ID"); /* Exim's queue id */
	const char *rcpt = getenv("RECIPIENT"), *original = getenv("ORIGINAL_RECIPIENT");
	if (o->rcpt_count > 0 || rcpt == NULL || rcpt[0] == '\0')
		return;
	o->rcpts[o->rcpt_count++] = rcpt;
	if (o->original_count == 0 && original != NULL && original[0] != '\0')
		o->originals[o->original_count++] = original;
}

enum mxg_lda_next mxg_lda_options_read(struct mxg_lda_options *o, int argc, char **argv, char *message, size_t size)
{
	struct reading reading = { o, message, size };
	int option;
	*o = (struct mxg_lda_options){ .config = DEFAULT_CONFIG,
				       .place = MXGUARD_PLACE_QUEUED,
				       .timeout = DEFAULT_TIMEOUT };
	opterr = 0; /* the MTA takes the first bytes for a status code */
	while ((option = getopt_long(argc, argv, "+:c:p:r:f:h", long_options, NULL)) != -1) {
		if (option == 'h' || option == OPTION_VERSION) {
			if (option == 'h')
				fputs(usage, stdout);
			else
				printf("mxguard-lda %s\n", mxguard_version());
			return MXG_LDA_DONE;
		}
		enum mxg_lda_next next = take_option(&reading, option, optarg);
		if (next != MXG_LDA_GO_ON)
			return next;
	}
	o->command = argv + optind;
	read_environment(o);
	return validate(&reading);
}
