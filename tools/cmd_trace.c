/* SPDX-License-Identifier: MIT */
/* mxguard trace: who really handed this message to us, hop by hop. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands.h"
#include "json.h"
#include "load.h"
#include "mxguard.h"
#include "options.h"
#include "policy/policy.h"
#include "terminal.h"
#include "trace/hops.h"
#include "trace/mail_stream.h"

#define NAME "mxguard trace"
#define LIST_MAX 256

struct request {
	const char *config, *recipient;
	bool json;
	struct mxg_prefix internal[LIST_MAX];
	const char *by[LIST_MAX];
	size_t internal_count, by_count;
	unsigned mta;
	struct mxguard_session *session; /* NULL: --internal was given */
	const struct mxguard_policy *policy; /* the session's */
};

/* ---- options -------------------------------------------------------------------------- */

static bool take_internal(void *target, const char *text)
{
	struct request *q = target;
	if (q->internal_count == LIST_MAX)
		return false;
	struct mxg_prefix *p = &q->internal[q->internal_count];
	enum mxg_prefix_error error = mxg_prefix_parse(p, text, strlen(text));
	q->internal_count++;
	return error == MXG_PREFIX_OK || error == MXG_PREFIX_HOST_BITS;
}

static bool take_mta(void *target, const char *name)
{
	struct request *q = target;
	unsigned mta = mxg_mta_parse(name, strlen(name));
	q->mta |= mta;
	return mta != 0;
}

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct request),
	{ 'i', "internal", "CIDR",
	  "our own relays, exactly these; no configuration is needed then;\nmay be given several times",
	  .kind = MXG_OPTION_OWN, .take = take_internal,
	  .takes = "an address or a range such as 10.0.0.0/8 (256 of them at the most)" },
	{ 0, "by", "NAME", "names of our hosts, exact or .suffix; may be given several times", .kind = MXG_OPTION_LIST,
	  .field = offsetof(struct request, by), .max = LIST_MAX, .count = offsetof(struct request, by_count) },
	{ 0, "mta", "TYPE", "MTA that writes our fields, such as postfix; may be given several times",
	  .kind = MXG_OPTION_OWN, .take = take_mta,
	  .takes = "an MTA such as postfix, exim or sendmail (mxguard-trace(1) has them all)" },
	{ 'r', "rcpt", "ADDRESS", "recipient (default: the one in the boundary hop)", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, recipient) },
	{ 0, "json", NULL, "one JSON object a message, a line each", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, json) },
};

const struct mxg_usage usage_trace = {
	.synopsis = "[-c CONF | --internal CIDR…] [OPTION]… FILE…|-",
	.about = "Reads the Received fields of messages and says who handed each one to us. With a configuration\n"
		 "it also says whether that was a gateway.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Exit status: 0, 64 wrong use, 66 a file could not be read, 78 configuration.\n"
		 "Example: mxguard trace --internal 10.0.0.0/8 suspicious.eml",
	.arguments = MXG_ARGUMENTS_FILES,
};

static int read_options(struct request *q, int argc, char **argv)
{
	*q = (struct request){ .config = NULL };
	int status = mxg_read_options(&usage_trace, argc, argv, q);
	if (status != 0)
		return status;
	if (optind == argc)
		return mxg_wrong_use(NAME, "a FILE is missing (- is standard input)");
	if (q->config != NULL && q->internal_count > 0)
		return mxg_wrong_use(NAME, "--config and --internal exclude each other");
	return 0;
}

/* ---- walking ---------------------------------------------------------------------------- */

struct message {
	const struct request *request;
	const char *file;
	struct mxg_trace trace;
	struct mxg_trace_hops hops;
};

static void fill_rules(const struct request *q, struct message *m, struct mxg_trace_rules *rules)
{
	const struct mxguard_policy *p = q->policy;
	*rules = (struct mxg_trace_rules){
		.internal = p != NULL ? p->internal.items : q->internal,
		.internal_count = p != NULL ? p->internal.count : q->internal_count,
		.belief = MXG_TRACE_ANY,
		.by = q->by,
		.by_count = q->by_count,
		.mta_mask = q->mta != 0 || p == NULL ? q->mta : p->trace_mta,
		.captured_only = p != NULL,
		.all_hops = true,
		.context = m,
	};
	if (q->by_count > 0) {
		rules->belief = MXG_TRACE_NAMED;
	} else if (p != NULL) {
		rules->belief = p->by_configured ? MXG_TRACE_NAMED : MXG_TRACE_FIRST_OR_NAMED;
		rules->by = p->by.items;
		rules->by_count = p->by.count;
	}
	if (p != NULL) {
		rules->origins = p->origins.items;
		rules->origins_count = p->origins.count;
	}
}

static void on_hop(void *context, const struct mxg_trace_hop *hop)
{
	struct message *m = context;
	mxg_trace_hops_add(&m->hops, hop);
}

/* Feeds the header to the walk and, where a configuration is at hand, to a check;
 * of an mbox the body is passed over, up to the next message. */
static void read_message(struct message *m, struct mxg_mail_stream *s, struct mxguard_check *check)
{
	const char *line;
	bool check_wants = check != NULL, first = true;
	enum mxg_trace_feed fed = MXG_TRACE_MORE;
	while ((s->mbox || fed == MXG_TRACE_MORE || check_wants) && (first || !mxg_mail_stream_next(s))) {
		size_t n = mxg_mail_stream_line(s, &line);
		if (n == 0)
			break;
		first = false;
		if (fed == MXG_TRACE_MORE)
			fed = mxg_trace_feed(&m->trace, line, n);
		if (check_wants)
			check_wants = mxguard_check_header(check, line, n) == 1;
	}
	mxg_trace_end(&m->trace);
}

/* ---- telling ------------------------------------------------------------------------------ */

static const char *kind(const struct mxg_trace *t)
{
	switch (t->outcome) {
	case MXG_TRACE_EXTERNAL:
	case MXG_TRACE_ORIGIN:
		return "external";
	case MXG_TRACE_AUTHENTICATED:
		return "authenticated";
	case MXG_TRACE_LOCAL:
	case MXG_TRACE_ENDED: /* what to make of it is the policy's matter */
		return "local";
	case MXG_TRACE_NONE:
		return "none";
	default:
		return "unreadable";
	}
}

static json_t *origin(const struct mxguard_check *check)
{
	const char *key, *value, *host = "", *helo = "", *hop = "";
	for (size_t n = 0; check != NULL && (value = mxguard_check_log_field(check, 0, n, &key)) != NULL; n++) {
		host = strcmp(key, "origin") == 0 ? value : host;
		helo = strcmp(key, "origin_helo") == 0 ? value : helo;
		hop = strcmp(key, "origin_hop") == 0 ? value : hop;
	}
	if (host[0] == '\0')
		return json_null();
	return json_pack("{s:s, s:o, s:I}", "address", host, "helo", mxg_json_text(helo), "hop",
			 (json_int_t)strtoll(hop, NULL, 10));
}

static void print_json(struct message *m, const struct mxguard_check *check)
{
	const struct mxg_trace *t = &m->trace;
	bool peer = t->outcome == MXG_TRACE_EXTERNAL || t->outcome == MXG_TRACE_ORIGIN ||
		    t->outcome == MXG_TRACE_AUTHENTICATED;
	json_t *o = json_object(), *b = json_object();
	json_object_set_new(b, "kind", json_string(kind(t)));
	json_object_set_new(b, "address", peer ? mxg_trace_address(&t->address) : json_null());
	json_object_set_new(b, "helo", mxg_trace_text(t->helo, strlen(t->helo)));
	json_object_set_new(b, "hostname", mxg_trace_text(t->hostname, strlen(t->hostname)));
	json_object_set_new(b, "by", mxg_trace_text(t->by, strlen(t->by)));
	json_object_set_new(b, "protocol", mxg_trace_text(t->protocol, strlen(t->protocol)));
	json_object_set_new(b, "hop", t->hop == 0 ? json_null() : json_integer((json_int_t)t->hop));
	json_object_set_new(o, "file", mxg_json_text(m->file));
	json_object_set_new(o, "boundary", b);
	json_object_set_new(o, "origin", origin(check));
	json_object_set(o, "hops", m->hops.json);
	mxg_json_print(o);
}

static const char *place(const struct mxg_trace *t)
{
	return t->by[0] == '\0' ? "this host" : t->by;
}

static void conclude_without_policy(const struct mxg_trace *t)
{
	char buf[MXG_ADDRESS_TEXT_MAX];
	mxg_address_format(&t->address, buf);
	switch (t->outcome) {
	case MXG_TRACE_EXTERNAL:
	case MXG_TRACE_ORIGIN:
		printf("%s handed this message to %s (hop %u).\n", buf, place(t), t->hop);
		break;
	case MXG_TRACE_AUTHENTICATED:
		printf("a user who had logged in handed this message to %s (hop %u), from %s.\n", place(t), t->hop,
		       buf[0] == '\0' ? "an address that is not written down" : buf);
		break;
	case MXG_TRACE_LOCAL:
		printf("this message was made on %s (hop %u).\n", place(t), t->hop);
		break;
	case MXG_TRACE_RESUBMITTED:
		printf("this message was submitted again on %s (hop %u), and nothing tells where it came from.\n",
		       place(t), t->hop);
		break;
	case MXG_TRACE_RETRIEVED:
		printf("%s fetched this message from a mailbox at %s.\n", place(t), buf);
		break;
	case MXG_TRACE_ENDED:
		printf("the trace ends below %s, an internal host: it made the message, or hides who did.\n",
		       buf[0] == '\0' ? "a local socket" : buf);
		break;
	case MXG_TRACE_NONE:
		puts("there is no Received field: nobody can tell.");
		break;
	default:
		printf("who handed this message to us cannot be told: hop %u, %s.\n", t->hop,
		       t->reason == MXG_TRACE_FIELD_UNREADABLE ? mxg_received_reason_name(t->field_reason)
							       : mxg_trace_reason_name(t->reason));
	}
}

static void tell_origin(const struct mxguard_check *c)
{
	const char *key, *value;
	for (size_t n = 0; (value = mxguard_check_log_field(c, 0, n, &key)) != NULL; n++)
		if (strcmp(key, "origin") == 0 && value[0] != '\0')
			printf("the gateway got it from %s.\n", value);
}

static void conclude_with_policy(const struct message *m, const struct mxguard_check *c)
{
	const char *peer = mxguard_check_text(c, 0, MXGUARD_TEXT_BOUNDARY_PEER);
	switch (mxguard_check_verdict(c, 0)) {
	case MXGUARD_VERDICT_AUTHORIZED:
		printf("this message came through the gateway %s: %s handed it to %s.\n",
		       mxguard_check_text(c, 0, MXGUARD_TEXT_GATEWAY), peer, place(&m->trace));
		tell_origin(c);
		break;
	case MXGUARD_VERDICT_DIRECT:
		printf("this message never passed a gateway: %s delivered it straight to %s.\n", peer,
		       place(&m->trace));
		break;
	default:
		printf("%s: %s.\n", mxguard_verdict_name(mxguard_check_verdict(c, 0)),
		       mxguard_check_text(c, 0, MXGUARD_TEXT_EXPLANATION));
	}
}

/* ---- one message ----------------------------------------------------------------------------- */

static struct mxguard_check *make_check(const struct request *q)
{
	struct mxguard_check *check = NULL;
	if (q->session != NULL && (!q->json || q->policy->any_origin))
		mxguard_session_check(q->session, &check, 0);
	return check;
}

static bool decide(const struct message *m, struct mxguard_check *check)
{
	const struct request *q = m->request;
	const char *recipient = q->recipient != NULL ? q->recipient : m->trace.for_address;
	mxguard_check_header_end(check);
	mxguard_check_add_recipient(check, recipient, NULL);
	if (mxguard_session_decide(q->session, check, NULL, NULL, -1) == MXGUARD_PROGRESS_DONE)
		return true;
	fputs(NAME ": out of memory\n", stderr);
	return false;
}

static void tell(struct message *m, struct mxguard_check *check, bool several)
{
	bool decided = check != NULL && decide(m, check);
	if (m->request->json) {
		print_json(m, decided ? check : NULL);
		return;
	}
	if (several)
		printf("%s%s%s\n", mxg_colour_begin(stdout, MXG_BOLD), m->file, mxg_colour_end(stdout));
	if (mxg_table_rows(m->hops.table) > 0)
		mxg_table_print(m->hops.table, stdout);
	if (decided)
		conclude_with_policy(m, check);
	else if (check == NULL)
		conclude_without_policy(&m->trace);
	if (several)
		putchar('\n');
}

static int trace_message(const struct request *q, struct message *m, struct mxg_mail_stream *s, const char *file,
			 bool several)
{
	struct mxg_trace_rules rules;
	*m = (struct message){ .request = q, .file = file };
	if (!mxg_trace_hops_init(&m->hops, q->json)) {
		fputs(NAME ": out of memory\n", stderr);
		return EX_TEMPFAIL;
	}
	fill_rules(q, m, &rules);
	rules.on_hop = on_hop;
	mxg_trace_init(&m->trace, &rules);
	struct mxguard_check *check = make_check(q);
	read_message(m, s, check);
	tell(m, check, several || s->mbox);
	mxguard_session_release(q->session, check);
	mxg_trace_hops_clear(&m->hops);
	return 0;
}

static int trace_file(const struct request *q, const char *file, bool several)
{
	struct message *m = calloc(1, sizeof(*m));
	struct mxg_mail_stream *s = calloc(1, sizeof(*s));
	int fd = strcmp(file, "-") == 0 ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC), status = 0;
	if (m == NULL || s == NULL || fd < 0) {
		fprintf(stderr, NAME ": %s: %s\n", file, strerror(m == NULL || s == NULL ? ENOMEM : errno));
		status = m == NULL || s == NULL ? EX_TEMPFAIL : EX_NOINPUT;
	} else {
		mxg_mail_stream_open(s, fd);
		while (status == 0 && s->error == 0) {
			status = trace_message(q, m, s, file, several);
			if (!s->mbox || mxg_mail_stream_left(s, 1) == 0)
				break;
		}
		if (s->error != 0) {
			fprintf(stderr, NAME ": %s: %s\n", file, strerror(s->error));
			status = EX_NOINPUT;
		}
	}
	if (fd > STDIN_FILENO)
		close(fd);
	free(s);
	free(m);
	return status;
}

int cmd_trace(int argc, char **argv)
{
	static struct request q;
	int status = read_options(&q, argc, argv);
	if (status != 0)
		return status < 0 ? 0 : status;
	/* a machine without mxguard can still read a message: then no host is internal */
	bool nothing = q.config == NULL && access(MXG_DEFAULT_CONFIG, F_OK) != 0;
	if (q.internal_count == 0 && !nothing) {
		status = mxg_open_session(&q.session, q.config == NULL ? MXG_DEFAULT_CONFIG : q.config,
					  MXGUARD_SESSION_FLAG_NO_SNAPSHOT);
		if (status != 0)
			return status;
		q.policy = mxguard_session_policy(q.session);
	}
	for (int i = optind; i < argc; i++) {
		int own = trace_file(&q, argv[i], argc - optind > 1);
		status = own != 0 ? own : status;
	}
	mxguard_session_free(q.session);
	return status;
}
