/* SPDX-License-Identifier: MIT */
/* mxguard setup: a first configuration for what is here, and the lines that go with it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands.h"
#include "doctor/program.h"
#include "json.h"
#include "load.h"
#include "options.h"
#include "setup/setup.h"

struct request {
	struct mxg_setup_options options;
	bool write, json;
};

/* What is printed: the configuration, and what is to be added where ("" where nothing is). */
struct parts {
	char *conf, *postfix, *exim, *exim_macro, *dovecot, *next;
};

/* It becomes a string of the configuration. */
static bool is_server(void *target, const char *text)
{
	return text[0] != '\0' && strspn(text, "0123456789abcdefABCDEF.:[]") == strlen(text);
}

/* It becomes a line of Dovecot's configuration. */
static bool is_path(void *target, const char *text)
{
	((struct request *)target)->options.config = text;
	const char *end = text;
	while ((unsigned char)*end >= ' ' && *end != '\177')
		end++;
	return *end == '\0' && text[0] == '/';
}

static const struct mxg_option options[] = {
	{ 'c', "config", "FILE", "the configuration that is to be (/etc/mxguard/mxguard.conf)", .kind = MXG_OPTION_OWN,
	  .take = is_path, .takes = "a whole path without control characters" },
	{ 0, "write", NULL, "write it, if there is none", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, write) },
	{ 0, "postfix", "FOLDER", "the folder of main.cf and master.cf, as postconf -c takes it",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, options.postfix) },
	{ 0, "exim", "FILE", "Exim's configuration, as exim -C takes it", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, options.exim) },
	{ 0, "dovecot", "FILE", "dovecot.conf, as doveconf -c takes it", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, options.dovecot) },
	{ 0, "server", "ADDRESS", "ask this DNS server, and write it down; may be repeated", .kind = MXG_OPTION_LIST,
	  .field = offsetof(struct request, options.servers), .max = MXG_SETUP_SERVERS,
	  .count = offsetof(struct request, options.server_count), .take = is_server,
	  .takes = "an address, such as 127.0.0.1 or [::1]:5353" },
	{ 0, "no-dns", NULL, "do not ask for the domains' MX", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, options.no_dns) },
	{ 0, "catalogue", "FILE", "another catalogue of vendors than the installed one", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, options.catalogue) },
	{ 0, "json", NULL, "one JSON object with all parts, for scripts", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, json) },
};

const struct mxg_usage usage_setup = {
	.synopsis = "[-c CONF] [--write] [OPTION]…",
	.about = "Looks at Postfix, Exim, Dovecot, the interfaces and DNS, and prints a whole mxguard.conf in\n"
		 "monitor, each setting with its reason; then, as comments, what the MTA and Dovecot need.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Exit status: 0; 64 wrong use; 73 --write, and the file is there or cannot be made;\n"
		 "75 out of memory, or a program that was asked gave no answer in time.\n"
		 "Example: mxguard setup --write",
};

/* ---- parts -------------------------------------------------------------------------------------- */

static char *take(const struct mxg_setup *s, bool (*print)(const struct mxg_setup *, FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	if (file != NULL)
		print(s, file);
	return file != NULL && fclose(file) == 0 ? text : NULL;
}

static bool print_conf(const struct mxg_setup *s, FILE *to)
{
	mxg_setup_conf(s, to);
	return true;
}

static bool print_next(const struct mxg_setup *s, FILE *to)
{
	mxg_setup_next(s, false, to);
	return true;
}

static bool print_next_written(const struct mxg_setup *s, FILE *to)
{
	mxg_setup_next(s, true, to);
	return true;
}

static bool make(struct parts *p, const struct mxg_setup *s, bool written)
{
	p->conf = take(s, print_conf);
	p->postfix = take(s, mxg_setup_postfix_lines);
	p->exim = take(s, mxg_setup_exim_lines);
	p->exim_macro = take(s, mxg_setup_exim_macro);
	p->dovecot = take(s, mxg_setup_dovecot_lines);
	p->next = take(s, written ? print_next_written : print_next);
	return p->conf != NULL && p->postfix != NULL && p->exim != NULL && p->exim_macro != NULL &&
	       p->dovecot != NULL && p->next != NULL;
}

static void drop(struct parts *p)
{
	free(p->conf);
	free(p->postfix);
	free(p->exim);
	free(p->exim_macro);
	free(p->dovecot);
	free(p->next);
}

/* ---- what is printed -------------------------------------------------------------------------------- */

/* Comments all of them: the whole output is a configuration. */
static void print_part(const char *title, const char *text)
{
	if (text[0] == '\0')
		return;
	printf("\n# ---- %s\n", title);
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		printf("#%s%.*s\n", len == 0 ? "" : " ", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void print_people(const struct request *q, const struct mxg_setup *s, const struct parts *p)
{
	char title[200];
	if (!q->write)
		fputs(p->conf, stdout);
	snprintf(title, sizeof(title), "Postfix %.60s: in main.cf, then postfix reload",
		 s->postfix_version == NULL ? "" : s->postfix_version);
	print_part(title, p->postfix);
	print_part(
		p->exim_macro[0] == '\0'
			? "Exim: in the ACL that acl_smtp_rcpt names, before recipients are accepted; then restart it"
			: "Exim: a new file, /etc/exim4/mxguard.acl",
		p->exim);
	print_part(s->exim_place == MXG_EXIM_PLACE_DEBIAN_SPLIT ? "Exim: in /etc/exim4/conf.d/main/000_mxguard, then "
								  "update-exim4.conf && systemctl restart exim4"
								: "Exim: in /etc/exim4/exim4.conf.localmacros, then "
								  "update-exim4.conf && systemctl restart exim4",
		   p->exim_macro);
	snprintf(title, sizeof(title), "Dovecot %.60s: in dovecot.conf, then doveadm reload",
		 s->dovecot_version == NULL ? "" : s->dovecot_version);
	print_part(title, p->dovecot);
	print_part("and then", p->next);
}

static json_t *list_of(const struct mxg_setup_list *list)
{
	json_t *array = json_array();
	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(array, mxg_json_text(list->items[i]));
	return array;
}

static int print_json(const struct request *q, const struct mxg_setup *s, const struct parts *p)
{
	json_t *object = json_object(), *mta = json_array(), *suggestions = json_array();
	if (s->has_postfix)
		json_array_append_new(mta, json_string("postfix"));
	if (s->has_exim)
		json_array_append_new(mta, json_string("exim"));
	for (size_t i = 0; i < s->suggestion_count; i++)
		json_array_append_new(suggestions, mxg_suggestion_json(&s->suggestions[i]));
	json_object_set_new(object, "path", mxg_json_text(q->options.config));
	json_object_set_new(object, "written", json_boolean(q->write));
	json_object_set_new(object, "config", mxg_json_text(p->conf));
	json_object_set_new(object, "mta", mta);
	json_object_set_new(object, "dovecot", mxg_json_text(s->dovecot_version));
	json_object_set_new(object, "domains", list_of(&s->domains));
	json_object_set_new(object, "internal", list_of(&s->internal));
	json_object_set_new(object, "origins", list_of(&s->origins));
	json_object_set_new(object, "by", list_of(&s->by));
	json_object_set_new(object, "suggestions", suggestions);
	json_object_set_new(object, "postfix_lines", mxg_json_text(p->postfix));
	json_object_set_new(object, "exim_lines", mxg_json_text(p->exim));
	json_object_set_new(object, "exim_macro", mxg_json_text(p->exim_macro));
	json_object_set_new(object, "dovecot_lines", mxg_json_text(p->dovecot));
	json_object_set_new(object, "next", mxg_json_text(p->next));
	return mxg_json_print(object) == 0 ? 0 : EX_TEMPFAIL;
}

static int write_file(const struct request *q, const struct parts *p)
{
	bool exists;
	const char *why = mxg_setup_write(q->options.config, p->conf, strlen(p->conf), &exists);
	if (why == NULL) {
		fprintf(stderr, "mxguard setup: %s is written\n", q->options.config);
		return 0;
	}
	if (exists) {
		fprintf(stderr, "mxguard setup: %s is there already, and stays as it is: first move it away (",
			q->options.config);
		mxg_setup_move_away(q->options.config, stderr, "), or see the new one without --write\n");
	} else {
		fprintf(stderr, "mxguard setup: %s cannot be written: %s\n", q->options.config, why);
	}
	return EX_CANTCREAT;
}

static int run(const struct request *q, struct mxg_setup *s)
{
	struct parts parts = { 0 };
	int status = EX_TEMPFAIL;
	if (make(&parts, s, q->write) && !s->nomem)
		status = q->write ? write_file(q, &parts) : 0;
	if (status == 0 && q->json)
		status = print_json(q, s, &parts);
	else if (status == 0)
		print_people(q, s, &parts);
	drop(&parts);
	return status;
}

static void tell_missing(const char *option, const char *path)
{
	if (path != NULL && access(path, F_OK) != 0)
		fprintf(stderr, "mxguard setup: %s %s: %s; nothing is read from there\n", option, path,
			strerror(errno));
}

int cmd_setup(int argc, char **argv)
{
	struct request q = { .options.config = MXG_DEFAULT_CONFIG };
	struct mxg_setup setup;
	int status = mxg_read_options(&usage_setup, argc, argv, &q);
	if (status != 0)
		return status < 0 ? 0 : status;
	tell_missing("--postfix", q.options.postfix);
	tell_missing("--exim", q.options.exim);
	tell_missing("--dovecot", q.options.dovecot);
	mxg_setup_find(&setup, &q.options);
	status = mxg_program_tell_silent("mxguard setup") ? EX_TEMPFAIL : run(&q, &setup);
	mxg_setup_clear(&setup);
	return status;
}
