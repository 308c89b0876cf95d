/* SPDX-License-Identifier: MIT */
/* Options, and the variables that local(8), Exim and others set. */
#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/completion.h"

#define DEFAULT_CONFIG "/etc/mxguard/mxguard.conf"
#define DEFAULT_TIMEOUT 60

static const struct mxg_option_word logs[] = {
	{ "syslog", MXG_LDA_LOG_SYSLOG },
	{ "stderr", MXG_LDA_LOG_STDERR },
	{ "none", MXG_LDA_LOG_NONE },
	{ NULL, 0 },
};

static const struct mxg_option_word inits[] = {
	{ "feeds", MXG_LDA_INIT_FEEDS },
	{ "adopts", MXG_LDA_INIT_ADOPTS },
	{ NULL, 0 },
};

#define FIELD(member) offsetof(struct mxg_lda_options, member)
static const struct mxg_option options[] = {
	{ 'p', "peer", "ADDRESS", "the client that the MTA saw; '' where there was none", .kind = MXG_OPTION_TEXT,
	  .field = FIELD(peer) },
	{ 'r', "rcpt", "ADDRESS", "the recipient; may be given several times", .kind = MXG_OPTION_LIST,
	  .field = FIELD(rcpts), .max = MXG_LDA_RECIPIENTS_MAX, .count = FIELD(rcpt_count) },
	{ 0, "original-rcpt", "ADDRESS", "the same before aliases, one for each --rcpt", .kind = MXG_OPTION_LIST,
	  .field = FIELD(originals), .max = MXG_LDA_RECIPIENTS_MAX, .count = FIELD(original_count) },
	{ 'f', "from", "ADDRESS", "the sender", .kind = MXG_OPTION_TEXT, .field = FIELD(from) },
	{ 0, "helo", "NAME", "what the client said in HELO or EHLO", .kind = MXG_OPTION_TEXT, .field = FIELD(helo) },
	{ 0, "login", "NAME", "the login that the MTA vouches for", .kind = MXG_OPTION_TEXT, .field = FIELD(login) },
	{ 0, "id", "ID", "queue id, for the log", .kind = MXG_OPTION_TEXT, .field = FIELD(id) },
	{ 0, "place", "PLACE", "queued (default) or door", .kind = MXG_OPTION_WORD, .field = FIELD(place),
	  .words = mxg_option_places },
	MXG_OPTION_CONFIG(struct mxg_lda_options),
	{ 0, "quarantine-command", "WORDS",
	  "what to run instead of COMMAND to put a message aside; words\nare parted by blanks, no shell is used",
	  .kind = MXG_OPTION_TEXT, .field = FIELD(quarantine) },
	{ 0, "timeout", "SECONDS", "for deciding (60)", .kind = MXG_OPTION_NUMBER, .field = FIELD(timeout), .min = 1,
	  .max = 600 },
	{ 0, "signal-exit", "STATUS", "end with it where COMMAND dies by a signal (Exim: 75)",
	  .kind = MXG_OPTION_NUMBER, .field = FIELD(signal_exit), .min = 1, .max = 255 },
	{ 0, "spool-dir", "FOLDER", "for messages over 1 MiB (/var/tmp, /tmp)", .kind = MXG_OPTION_TEXT,
	  .field = FIELD(spool_dir) },
	{ 0, "init", "WHAT",
	  "feeds or adopts: what an init process does that is our parent\n(default: what can be seen)",
	  .kind = MXG_OPTION_WORD, .field = FIELD(init), .words = inits },
	{ 0, "log", "WHERE", "syslog (default), stderr or none", .kind = MXG_OPTION_WORD, .field = FIELD(log),
	  .words = logs },
	{ 0, "version", NULL, "which mxguard this is", .kind = MXG_OPTION_FLAG, .field = FIELD(version) },
};

const struct mxg_usage mxg_lda_usage = {
	.synopsis = "[OPTION]… -- COMMAND ARG…",
	.about = "Decides whether the message on standard input skipped the filters; delivers it with COMMAND,\n"
		 "puts it aside, or tells the MTA to refuse or to try again later.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "In COMMAND: %{mailbox} %{verdict} %{rcpt}, each as part of one argument.\n"
		 "Example (Postfix, master.cf): argv=/usr/bin/mxguard-lda --peer=${client_address}\n"
		 "  --rcpt=${recipient} --from=${sender} -- /usr/lib/dovecot/dovecot-lda -d ${recipient}\n"
		 "  -m %{mailbox}",
	.stops = true,
	.arguments = MXG_ARGUMENTS_COMMAND,
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

static const struct mxg_completed itself = { NULL, NULL, &mxg_lda_usage };

enum mxg_lda_next mxg_lda_options_read(struct mxg_lda_options *o, int argc, char **argv, char *message, size_t size)
{
	struct reading reading = { o, message, size };
	*o = (struct mxg_lda_options){ .config = DEFAULT_CONFIG,
				       .place = MXGUARD_PLACE_QUEUED,
				       .timeout = DEFAULT_TIMEOUT };
	if (argc == 3 && strcmp(argv[1], "--completion") == 0) /* for the build, which installs what comes out */
		return mxg_completion_print(argv[2], "mxguard-lda", &itself, 1, stdout)
			       ? MXG_LDA_DONE
			       : wrong(&reading, "--completion takes bash or zsh");
	enum mxg_options_next next = mxg_options_take(&mxg_lda_usage, argc, argv, o, message, size);
	if (next == MXG_OPTIONS_WRONG)
		return MXG_LDA_WRONG;
	if (next == MXG_OPTIONS_HELP)
		mxg_usage_print(&mxg_lda_usage, "mxguard-lda", stdout);
	else if (o->version)
		printf("mxguard-lda %s\n", mxguard_version());
	if (next == MXG_OPTIONS_HELP || o->version)
		return MXG_LDA_DONE;
	o->command = argv + optind;
	read_environment(o);
	return validate(&reading);
}
