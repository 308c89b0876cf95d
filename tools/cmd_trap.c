/* SPDX-License-Identifier: MIT */
/* mxguard trap: what is in the trap, handing it to a filter, and removing it. */
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
#include "options.h"
#include "policy/policy.h"
#include "table.h"
#include "text.h"
#include "trap/feed.h"
#include "trap/purge.h"

#define NAME "mxguard trap"
#define TIMEOUT 60

struct settings {
	const char *config, *to;
	long limit, timeout;
	bool json, again, fed, all;
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct settings),
	{ 't', "to", "PROGRAM", "feed: rspamc, sa-learn, bogofilter, or a line for sh(1)", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct settings, to) },
	{ 0, "limit", "N", "feed: so many copies at the most", .kind = MXG_OPTION_NUMBER,
	  .field = offsetof(struct settings, limit), .min = 1, .max = 1000000 },
	{ 0, "timeout", "SECONDS", "feed: how long the program may take for a copy (60)", .kind = MXG_OPTION_NUMBER,
	  .field = offsetof(struct settings, timeout), .min = 1, .max = 86400 },
	{ 0, "again", NULL, "feed: also what was handed over once without a result", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct settings, again) },
	{ 0, "fed", NULL, "purge: also what was fed", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct settings, fed) },
	{ 0, "all", NULL, "purge: everything", .kind = MXG_OPTION_FLAG, .field = offsetof(struct settings, all) },
	{ 0, "json", NULL, "one JSON object a line, for scripts", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct settings, json) },
};

static const char *const *actions(void)
{
	static const char *const words[] = { "list", "feed", "purge", NULL };
	return words;
}

const struct mxg_usage usage_trap = {
	.synopsis = "[-c CONF] list | feed --to PROGRAM | purge [OPTION]…",
	.about = "Lists the copies of refused mail in the trap, hands each of them once to a program that learns\n"
		 "from it, or removes those that are older than trap.keep.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Exit status: 0 done, 64 wrong use, 75 some could not be fed or removed, 78 wrong\n"
		 "configuration, or no trap in it.\n"
		 "Example: mxguard trap feed --to rspamc",
	.arguments = MXG_ARGUMENTS_OTHER,
	.first = actions,
};

/* ---- list ------------------------------------------------------------------------------------------ */

static void read_told(const struct mxg_trap_folder *folder, const struct mxg_trap_entry *entry,
		      struct mxg_trap_told *told)
{
	int fd = openat(folder->parts[entry->part], entry->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	*told = (struct mxg_trap_told){ .message = 0 };
	if (fd < 0)
		return;
	(void)mxg_trap_told_read(told, fd);
	close(fd);
}

static int print_entry_json(const struct mxg_trap_entry *e, const struct mxg_trap_told *told)
{
	json_t *object = json_object();
	json_object_set_new(object, "name", mxg_json_text(e->name));
	json_object_set_new(object, "state", json_string(mxg_trap_state(e->part)));
	json_object_set_new(object, "time", mxg_json_time(e->told.time));
	json_object_set_new(object, "size", json_integer((json_int_t)e->told.size));
	json_object_set_new(object, "peer", mxg_json_text(told->peer));
	json_object_set_new(object, "domain", mxg_json_text(told->domain));
	json_object_set_new(object, "reason", mxg_json_text(told->reason));
	return mxg_json_print(object);
}

static void add_row(struct mxg_table *table, const struct mxg_trap_entry *e, const struct mxg_trap_told *told)
{
	char time[MXG_TIME_MAX], size[32];
	snprintf(size, sizeof(size), "%llu", (unsigned long long)e->told.size);
	const char *cells[] = { mxg_time_format(e->told.time, time), mxg_trap_state(e->part), size, told->peer,
				told->domain };
	mxg_table_add(table, e->part == MXG_TRAP_CUR ? MXG_FAINT : MXG_PLAIN, cells);
}

static int print_entries(const struct settings *s, const struct mxg_trap_folder *folder,
			 const struct mxg_trap_entries *entries)
{
	static const char *const headings[] = { "TIME", "STATE", "BYTES", "PEER", "DOMAIN", NULL };
	struct mxg_table *table = s->json ? NULL : mxg_table_new(headings);
	struct mxg_trap_told told;
	int result = 0;
	for (size_t i = 0; i < entries->count && result == 0; i++) {
		read_told(folder, &entries->items[i], &told);
		if (s->json)
			result = print_entry_json(&entries->items[i], &told);
		else if (table != NULL)
			add_row(table, &entries->items[i], &told);
	}
	if (!s->json)
		result = table == NULL ? -1 : mxg_table_print(table, stdout);
	mxg_table_free(table);
	return result == 0 && !entries->lost ? 0 : EX_TEMPFAIL;
}

static int list(const struct settings *s, const struct mxg_trap_folder *folder)
{
	struct mxg_trap_entries entries = { 0 };
	bool read = true;
	for (enum mxg_trap_part part = MXG_TRAP_NEW; read && part < MXG_TRAP_PART_COUNT; part++)
		read = mxg_trap_entries_add(&entries, folder, part);
	mxg_trap_entries_sort(&entries);
	int status = read ? print_entries(s, folder, &entries) : EX_TEMPFAIL;
	mxg_trap_entries_free(&entries);
	return status;
}

/* ---- feed and purge -------------------------------------------------------------------------------- */

struct count {
	const char *name;
	size_t number;
};

/* An object, or a line of what is not zero: "2 fed, 1 held". */
static int print_counts(bool as_json, const struct count *counts, size_t count, const char *nothing)
{
	json_t *object = json_object();
	bool any = false;
	for (size_t i = 0; i < count; i++) {
		json_object_set_new(object, counts[i].name, json_integer((json_int_t)counts[i].number));
		if (as_json || counts[i].number == 0)
			continue;
		printf("%s%zu %s", any ? ", " : "", counts[i].number, counts[i].name);
		any = true;
	}
	if (as_json)
		return mxg_json_print(object);
	json_decref(object);
	puts(any ? "" : nothing);
	return 0;
}

static int feed(const struct settings *s, const struct mxg_trap_folder *folder, struct mxguard_session *session)
{
	const char *line[4];
	uint64_t keep = mxguard_policy_trap_limit(mxguard_session_policy(session), MXGUARD_TRAP_LIMIT_KEEP);
	struct mxg_trap_feed f = { .session = session,
				   .folder = folder,
				   .teacher.timeout = s->timeout,
				   .again = s->again,
				   .limit = s->limit,
				   .oldest = mxg_wall_clock() - (int64_t)keep };
	mxg_trap_teacher_choose(&f.teacher, s->to, line);
	if (!mxg_trap_feed_all(&f)) {
		fprintf(stderr, "%s: the trap cannot be read\n", NAME);
		return EX_TEMPFAIL;
	}
	const struct count counts[] = { { "fed", f.fed },
					{ "failed", f.failed },
					{ "held", f.held },
					{ "later", f.later },
					{ "doubtful", f.doubtful },
					{ "elsewhere", f.elsewhere },
					{ "unreadable", f.unreadable } };
	if (f.broken)
		fprintf(stderr, "%s: %s failed time after time; the rest is left for later\n", NAME, s->to);
	if (print_counts(s->json, counts, sizeof(counts) / sizeof(counts[0]), "Nothing to feed.") != 0)
		return EX_TEMPFAIL;
	return f.failed + f.later + f.unreadable > 0 ? EX_TEMPFAIL : 0;
}

static int purge(const struct settings *s, const struct mxg_trap_folder *folder, struct mxguard_session *session)
{
	uint64_t keep = mxguard_policy_trap_limit(mxguard_session_policy(session), MXGUARD_TRAP_LIMIT_KEEP);
	struct mxg_trap_purge p = {
		.folder = folder, .oldest = mxg_wall_clock() - (int64_t)keep, .fed = s->fed, .all = s->all
	};
	bool read = mxg_trap_purge(&p);
	const struct count counts[] = {
		{ "removed", p.removed }, { "bytes", p.bytes }, { "left", p.left }, { "failed", p.failed }
	};
	if (!read)
		fprintf(stderr, "%s: the trap cannot be read\n", NAME);
	if (read && print_counts(s->json, counts, sizeof(counts) / sizeof(counts[0]), "The trap is empty.") != 0)
		return EX_TEMPFAIL;
	return read && p.failed == 0 ? 0 : EX_TEMPFAIL;
}

/* ---- the command ------------------------------------------------------------------------------------- */

static int work(const struct settings *s, const char *action, struct mxguard_session *session)
{
	struct mxg_trap_folder folder;
	struct mxg_trap_result result;
	const char *directory = mxguard_policy_trap(mxguard_session_policy(session));
	if (directory == NULL) {
		fprintf(stderr, "%s: %s has no trap { }: nothing is kept\n", NAME, s->config);
		return EX_CONFIG;
	}
	if (!mxg_trap_folder_open(&folder, directory, false, &result)) {
		if (errno == ENOENT && access(directory, F_OK) != 0) {
			fprintf(stderr, "%s: %s is not there yet: nothing was kept so far\n", NAME, directory);
			return 0;
		}
		fprintf(stderr, "%s: %s\n", NAME, result.why);
		return EX_TEMPFAIL;
	}
	int status = action[0] == 'l'   ? list(s, &folder)
		     : action[0] == 'f' ? feed(s, &folder, session)
					: purge(s, &folder, session);
	mxg_trap_folder_close(&folder);
	return status;
}

static int read_action(const struct settings *s, int argc, char **argv)
{
	if (optind >= argc)
		return mxg_wrong_use(NAME, "what to do is missing: list, feed or purge");
	if (optind + 1 < argc)
		return mxg_wrong_use(NAME, "'%s' is an argument too many", argv[optind + 1]);
	const char *action = argv[optind];
	size_t known = 0;
	for (; actions()[known] != NULL && strcmp(actions()[known], action) != 0; known++)
		;
	if (actions()[known] == NULL)
		return mxg_wrong_use(NAME, "it takes list, feed or purge, not '%s'", action);
	if (strcmp(action, "feed") == 0 && (s->to == NULL || s->to[0] == '\0'))
		return mxg_wrong_use(NAME, "feed needs --to");
	return 0;
}

int cmd_trap(int argc, char **argv)
{
	struct settings s = { .config = MXG_DEFAULT_CONFIG, .timeout = TIMEOUT };
	struct mxguard_session *session;
	int status = mxg_read_options(&usage_trap, argc, argv, &s);
	if (status != 0)
		return status < 0 ? 0 : status;
	status = read_action(&s, argc, argv);
	if (status == 0)
		status = mxg_open_session(&session, s.config, 0);
	if (status != 0)
		return status;
	status = work(&s, argv[optind], session);
	mxguard_session_free(session);
	return status;
}
