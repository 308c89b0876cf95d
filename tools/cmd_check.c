/* SPDX-License-Identifier: MIT */
/* mxguard check: what would be decided about this peer and recipient, and why. */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands.h"
#include "load.h"
#include "mxguard.h"
#include "options.h"
#include "terminal.h"

#define NAME "mxguard check"
#define RECIPIENTS_MAX 1000
#define HEADER_PIECE 16384
#define HEADER_MAX (1 << 20) /* what is read of a message at the most; the library stops far earlier */

struct request {
	const char *config, *peer, *helo, *from, *login, *message;
	const char *cert_subject, *cert_fingerprint;
	const char *recipients[RECIPIENTS_MAX];
	size_t recipient_count;
	enum mxguard_place place;
	bool json, no_snapshot, cert_verified;
	int trouble; /* the exit status, where the message cannot be read */
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct request),
	{ 'p', "peer", "ADDRESS", "the host that connects; '' where there is none (socket, pipe)",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, peer) },
	{ 'r', "rcpt", "ADDRESS", "a recipient; may be given several times", .kind = MXG_OPTION_LIST,
	  .field = offsetof(struct request, recipients), .max = RECIPIENTS_MAX,
	  .count = offsetof(struct request, recipient_count) },
	{ 0, "helo", "NAME", "what the client says in HELO or EHLO", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, helo) },
	{ 'f', "from", "ADDRESS", "envelope sender; '' for the null sender (default)", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, from) },
	{ 0, "login", "NAME", "the login that the MTA vouches for", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, login) },
	{ 0, "cert-subject", "NAME",
	  "the common name in the client's TLS certificate; '' where it has shown\n"
	  "none. Without this option and the next nothing is known of a certificate",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, cert_subject) },
	{ 0, "cert-fingerprint", "SHA256", "of the certificate or its public key; '' where there is none",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, cert_fingerprint) },
	{ 0, "cert-verified", NULL, "the MTA has verified the certificate", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, cert_verified) },
	{ 0, "place", "PLACE", "door (default) or queued", .kind = MXG_OPTION_WORD,
	  .field = offsetof(struct request, place), .words = mxg_option_places },
	{ 'm', "message", "FILE", "the message, for its Received fields; - is standard input", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, message) },
	{ 0, "no-snapshot", NULL, "ask DNS for everything", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, no_snapshot) },
	{ 0, "json", NULL, "one JSON object a recipient, for scripts", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, json) },
};

const struct mxg_usage usage_check = {
	.synopsis = "[-c CONF] --peer ADDRESS --rcpt ADDRESS [OPTION]…",
	.about = "Says what would be decided about a message from this peer to this recipient, and why.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Exit status: 0 accept or tag, 1 quarantine or reject, 75 defer or cannot tell,\n"
		 "64 wrong use, 66 or 74 the message cannot be read, 78 wrong configuration.\n"
		 "Example: mxguard check --peer 203.0.113.66 --rcpt alice@example.com",
};

static int read_options(struct request *q, int argc, char **argv)
{
	*q = (struct request){ .config = MXG_DEFAULT_CONFIG, .from = "", .place = MXGUARD_PLACE_DOOR };
	int status = mxg_read_options(&usage_check, argc, argv, q);
	if (status != 0)
		return status;
	if (q->recipient_count == 0)
		return mxg_wrong_use(NAME, "--rcpt is missing");
	if (q->peer == NULL)
		return mxg_wrong_use(NAME, "--peer is missing ('' means: no peer)");
	if (q->message != NULL && strcmp(q->message, "-") != 0 && access(q->message, R_OK) != 0) {
		fprintf(stderr, "mxguard check: %s: %s\n", q->message, strerror(errno));
		return EX_NOINPUT;
	}
	return 0;
}

/* ---- deciding ------------------------------------------------------------------- */

static int feed_message(struct mxguard_check *check, FILE *file)
{
	char piece[HEADER_PIECE];
	size_t n, total = 0;
	int more = 1;
	while (more == 1 && total < HEADER_MAX && (n = fread(piece, 1, sizeof(piece), file)) > 0) {
		more = mxguard_check_header(check, piece, n);
		total += n;
	}
	return ferror(file) ? MXGUARD_ERROR_IO : more < 0 ? more : MXGUARD_ERROR_NONE;
}

static int feed_header(void *context, struct mxguard_check *check)
{
	struct request *q = context;
	FILE *file = strcmp(q->message, "-") == 0 ? stdin : fopen(q->message, "rb");
	if (file == NULL) {
		fprintf(stderr, "mxguard check: %s: %s\n", q->message, strerror(errno));
		q->trouble = EX_NOINPUT;
		return MXGUARD_ERROR_IO;
	}
	int result = feed_message(check, file);
	if (result != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "mxguard check: %s: cannot be read: %s\n", q->message, strerror(errno));
		q->trouble = EX_IOERR;
	}
	if (file != stdin)
		fclose(file);
	return result;
}

static int decide(struct request *q, struct mxguard_session *session, struct mxguard_check *check)
{
	mxguard_read_header read_header = q->message == NULL ? NULL : feed_header;
	int result = mxguard_session_decide(session, check, read_header, q, -1);
	if (result == MXGUARD_PROGRESS_DONE)
		return 0;
	if (result == MXGUARD_ERROR_IO)
		return q->trouble;
	fputs("mxguard check: out of memory\n", stderr);
	return EX_TEMPFAIL;
}

/* ---- telling --------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
	return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *steps_array(const struct mxguard_check *check, size_t i)
{
	json_t *steps = json_array();
	const char *step;
	for (size_t n = 0; (step = mxguard_check_step(check, i, n)) != NULL; n++)
		json_array_append_new(steps, json_string(step));
	return steps;
}

/* What the log line has, by its key. */
static const char *log_value(const struct mxguard_check *check, size_t i, const char *wanted)
{
	const char *key, *value;
	for (size_t n = 0; (value = mxguard_check_log_field(check, i, n, &key)) != NULL; n++)
		if (strcmp(key, wanted) == 0)
			return value;
	return "";
}

static const char *would_name(const struct mxguard_check *check, size_t i)
{
	return mxguard_check_mode(check, i) == MXGUARD_MODE_MONITOR ? mxguard_action_name(mxguard_check_would(check, i))
								    : "";
}

static json_t *origin_object(const struct mxguard_check *c, size_t i)
{
	char address[64];
	snprintf(address, sizeof(address), "%s", log_value(c, i, "origin"));
	if (address[0] == '\0')
		return json_null();
	return json_pack("{s:s, s:o, s:I}", "address", address, "helo", text_or_null(log_value(c, i, "origin_helo")),
			 "hop", (json_int_t)strtoll(log_value(c, i, "origin_hop"), NULL, 10));
}

static int print_json(const struct request *q, const struct mxguard_check *c, size_t i)
{
	json_t *o = json_object();
	json_object_set_new(o, "verdict", json_string(mxguard_verdict_name(mxguard_check_verdict(c, i))));
	json_object_set_new(o, "action", json_string(mxguard_action_name(mxguard_check_action(c, i))));
	json_object_set_new(o, "would", text_or_null(would_name(c, i)));
	json_object_set_new(o, "mode", json_string(mxguard_mode_name(mxguard_check_mode(c, i))));
	json_object_set_new(o, "place", json_string(mxguard_place_name(q->place)));
	json_object_set_new(o, "reason", json_string(mxguard_check_text(c, i, MXGUARD_TEXT_REASON)));
	json_object_set_new(o, "text", json_string(mxguard_check_text(c, i, MXGUARD_TEXT_EXPLANATION)));
	json_object_set_new(o, "peer", text_or_null(mxguard_check_text(c, i, MXGUARD_TEXT_PEER)));
	json_object_set_new(o, "boundary_peer", text_or_null(mxguard_check_text(c, i, MXGUARD_TEXT_BOUNDARY_PEER)));
	json_object_set_new(o, "hop", json_integer(mxguard_check_hop(c, i)));
	json_object_set_new(o, "gateway", text_or_null(mxguard_check_text(c, i, MXGUARD_TEXT_GATEWAY)));
	json_object_set_new(o, "term", text_or_null(mxguard_check_text(c, i, MXGUARD_TEXT_TERM)));
	const char *gen = log_value(c, i, "gen");
	json_object_set_new(o, "helo", text_or_null(log_value(c, i, "helo")));
	json_object_set_new(o, "gen", gen[0] == '\0' ? json_null() : json_integer(strtoll(gen, NULL, 10)));
	json_object_set_new(o, "origin", origin_object(c, i));
	json_object_set_new(o, "recipient", json_string(mxguard_check_text(c, i, MXGUARD_TEXT_RECIPIENT)));
	json_object_set_new(o, "steps", steps_array(c, i));
	int failed = json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(o);
	putchar('\n');
	return failed;
}

static enum mxg_colour verdict_colour(enum mxguard_verdict verdict)
{
	switch (verdict) {
	case MXGUARD_VERDICT_DIRECT:
		return MXG_RED;
	case MXGUARD_VERDICT_UNKNOWN:
	case MXGUARD_VERDICT_UNDECIDED:
		return MXG_YELLOW;
	default:
		return MXG_GREEN;
	}
}

static void print_row(const char *label, const char *value)
{
	if (value[0] != '\0')
		printf("  %-14s %s\n", label, value);
}

static void print_answer(const struct mxguard_check *c, size_t i)
{
	enum mxguard_verdict verdict = mxguard_check_verdict(c, i);
	const char *would = would_name(c, i);
	printf("%s: %s%s%s, %s", mxguard_check_text(c, i, MXGUARD_TEXT_RECIPIENT),
	       mxg_colour_begin(stdout, verdict_colour(verdict)), mxguard_verdict_name(verdict), mxg_colour_end(stdout),
	       mxguard_action_name(mxguard_check_action(c, i)));
	if (would[0] != '\0' && mxguard_check_would(c, i) != mxguard_check_action(c, i))
		printf(" (monitor mode; enforce would %s)", would);
	printf("\n  %s\n", mxguard_check_text(c, i, MXGUARD_TEXT_EXPLANATION));
}

static void print_people(const struct mxguard_check *c, size_t i)
{
	char hop[32];
	const char *step;
	print_answer(c, i);
	print_row("reason", mxguard_check_text(c, i, MXGUARD_TEXT_REASON));
	print_row("mode", mxguard_mode_name(mxguard_check_mode(c, i)));
	print_row("peer", mxguard_check_text(c, i, MXGUARD_TEXT_PEER));
	print_row("boundary peer", mxguard_check_text(c, i, MXGUARD_TEXT_BOUNDARY_PEER));
	snprintf(hop, sizeof(hop), "%d", mxguard_check_hop(c, i));
	print_row("hop", hop);
	print_row("helo", log_value(c, i, "helo"));
	print_row("gateway", mxguard_check_text(c, i, MXGUARD_TEXT_GATEWAY));
	print_row("term", mxguard_check_text(c, i, MXGUARD_TEXT_TERM));
	print_row("origin", log_value(c, i, "origin"));
	print_row("origin helo", log_value(c, i, "origin_helo"));
	if (mxguard_check_reply_code(c, i) != 250)
		printf("  %-14s %d %s %s\n", "reply", mxguard_check_reply_code(c, i),
		       mxguard_check_text(c, i, MXGUARD_TEXT_STATUS), mxguard_check_text(c, i, MXGUARD_TEXT_REPLY));
	for (size_t n = 0; (step = mxguard_check_step(c, i, n)) != NULL; n++)
		printf("  %-14s %s\n", n == 0 ? "steps" : "", step);
}

static int exit_status(enum mxguard_action action)
{
	switch (action) {
	case MXGUARD_ACTION_ACCEPT:
	case MXGUARD_ACTION_TAG:
		return 0;
	case MXGUARD_ACTION_QUARANTINE:
	case MXGUARD_ACTION_REJECT:
		return 1;
	case MXGUARD_ACTION_DEFER:
		break;
	}
	return EX_TEMPFAIL;
}

/* With several recipients the worst one tells: cannot tell, then refused, then accepted. */
static int tell(const struct request *q, const struct mxguard_check *check)
{
	int status = 0;
	for (size_t i = 0; i < q->recipient_count; i++) {
		int own = exit_status(mxguard_check_action(check, i));
		if (own > status)
			status = own;
		if (q->json)
			print_json(q, check, i);
		else
			print_people(check, i);
	}
	return status;
}

/* A fingerprint may be either's. */
static void fill_certificate(const struct request *q, struct mxguard_check *check)
{
	if (q->cert_subject != NULL || q->cert_fingerprint != NULL || q->cert_verified)
		mxguard_check_set_certificate(check, q->cert_subject, NULL, q->cert_fingerprint, q->cert_fingerprint,
					      q->cert_verified ? MXGUARD_CERTIFICATE_FLAG_VERIFIED : 0);
}

static int fill(const struct request *q, struct mxguard_check *check)
{
	if (mxguard_check_set_peer_text(check, q->peer) == MXGUARD_ERROR_INVALID)
		return mxg_wrong_use(NAME, "--peer takes an IPv4 or IPv6 address, not '%s'", q->peer);
	mxguard_check_set_sender(check, q->from);
	mxguard_check_set_place(check, q->place);
	if (q->helo != NULL)
		mxguard_check_set_helo(check, q->helo);
	if (q->login != NULL)
		mxguard_check_set_login(check, q->login);
	fill_certificate(q, check);
	for (size_t i = 0; i < q->recipient_count; i++)
		if (mxguard_check_add_recipient(check, q->recipients[i], NULL) < 0)
			return EX_TEMPFAIL;
	return 0;
}

static int run(struct request *q, struct mxguard_session *session)
{
	struct mxguard_check *check;
	int status = EX_TEMPFAIL;
	if (mxguard_session_check(session, &check, MXGUARD_CHECK_FLAG_STEPS) == MXGUARD_ERROR_NONE)
		status = fill(q, check);
	if (status == 0)
		status = decide(q, session, check);
	return status == 0 ? tell(q, check) : status;
}

int cmd_check(int argc, char **argv)
{
	struct request q;
	struct mxguard_session *session;
	int status = read_options(&q, argc, argv);
	if (status != 0)
		return status < 0 ? 0 : status;
	status = mxg_open_session(&session, q.config, q.no_snapshot ? MXGUARD_SESSION_FLAG_NO_SNAPSHOT : 0);
	if (status != 0)
		return status;
	status = run(&q, session);
	mxguard_session_free(session);
	return status;
}
