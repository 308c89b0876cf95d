/* SPDX-License-Identifier: MIT */
/* Somebody must hear of an alarm: a warning each, and the command of on_alarm. */
#include "refresh_tell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "child.h"
#include "text.h"

#define WARNINGS_MAX 1000
#define RUNS_MAX 20 /* of on_alarm in one refresh, new alarms first */
#define RUN_SECONDS 10 /* that one may take, */
#define ALL_SECONDS 60 /* and all of them: deliveries wait for the snapshot */

/* ---- warnings ------------------------------------------------------------------------- */

/* Standard error is the journal's: it reads a level in front of the line (sd-daemon(3)). */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;
	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return strcmp(own, stream) == 0;
}

void mxg_refresh_warn(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs(is_journal() ? "<4>" : "", stderr);
	fputs("mxguard refresh: warning: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

static void warn_of(const struct mxg_item *item)
{
	char name[MXG_NAME_TEXT_MAX], text[MXG_ALARM_TEXT_MAX], word[MXG_SHELL_WORD_MAX(MXG_NAME_TEXT_MAX)];
	mxg_item_name(item, name);
	mxg_item_alarm_text(item, text);
	mxg_refresh_warn("alarm: %s %s: %s; %s mxguard refresh --accept %s", name, mxg_dns_type_name(item->type), text,
			 item->keep_old ? "the old answers stay until" : "taken; if it is meant:",
			 mxg_shell_word(word, sizeof(word), name));
}

static void warn_of_all(const struct mxg_refresh *run)
{
	struct mxg_item *item = NULL;
	size_t at = 0, count = 0;
	while (mxg_store_each(&run->store, &at, &item))
		if (mxg_item_has_alarm(item) && count++ < WARNINGS_MAX)
			warn_of(item);
	if (count > WARNINGS_MAX)
		mxg_refresh_warn("… and %zu %s more; --json lists them all", count - WARNINGS_MAX,
				 mxg_noun(count - WARNINGS_MAX, "alarm", "alarms"));
}

/* ---- on_alarm ------------------------------------------------------------------------- */

static bool is_new(const struct mxg_item *item)
{
	return (item->alarms & ~item->known_alarms) != 0;
}

static void set_number(const char *name, size_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%zu", value);
	setenv(name, text, 1);
}

struct alarm {
	char name[MXG_NAME_TEXT_MAX], kinds[MXG_ALARM_NAMES_MAX];
	const char *type;
	size_t before, now;
	bool held, new;
};

static void alarm_of(const struct mxg_item *item, struct alarm *out)
{
	mxg_item_name(item, out->name);
	mxg_alarm_names(out->kinds, item->alarms, ",");
	out->type = mxg_dns_type_name(item->type);
	out->before = item->old_size;
	out->now = item->new_size;
	out->held = item->keep_old;
	out->new = is_new(item);
}

/* In the child. Names come from outside: they go into the environment, never into the command. */
static void become(const char *command, const struct alarm *alarm)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	setpgid(0, 0);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(126);
	setenv("MXGUARD_ALARM_NAME", alarm->name, 1);
	setenv("MXGUARD_ALARM_TYPE", alarm->type, 1);
	setenv("MXGUARD_ALARM_KIND", alarm->kinds, 1);
	set_number("MXGUARD_ALARM_BEFORE", alarm->before);
	set_number("MXGUARD_ALARM_NOW", alarm->now);
	setenv("MXGUARD_ALARM_HELD", alarm->held ? "1" : "0", 1);
	setenv("MXGUARD_ALARM_NEW", alarm->new ? "1" : "0", 1);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static void run_for(const char *command, const struct alarm *alarm, int64_t last)
{
	int64_t end = mxg_monotonic_ms() + RUN_SECONDS * 1000;
	int status = 0;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		become(command, alarm);
	if (pid < 0) {
		mxg_refresh_warn("on_alarm: cannot be run: %s", strerror(errno));
		return;
	}
	setpgid(pid, pid); /* whoever comes first */
	if (!mxg_child_wait(pid, end < last ? end : last, &status))
		mxg_refresh_warn("on_alarm: it took too long (%d s are allowed) and was ended", RUN_SECONDS);
	else if (WIFSIGNALED(status))
		mxg_refresh_warn("on_alarm: ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		mxg_refresh_warn("on_alarm: exit status %d", WEXITSTATUS(status));
}

/* There is no list: whatever the panel adds is nobody's. */
static void run_for_list(const struct mxg_refresh *run, int64_t last)
{
	struct alarm alarm = { .kinds = "list-kept",
			       .type = "-",
			       .before = run->domain_count - run->policy->ruleset_count,
			       .held = true,
			       .new = run->list_kept == run->now };
	snprintf(alarm.name, sizeof(alarm.name), "%s", mxg_policy_list_setting(run->policy));
	run_for(run->policy->on_alarm, &alarm, last);
}

static void run_on_alarm(const struct mxg_refresh *run)
{
	int64_t last = mxg_monotonic_ms() + ALL_SECONDS * 1000;
	size_t runs = 0, left = 0;
	struct alarm alarm;
	if (run->list == MXG_LIST_KEPT)
		run_for_list(run, last);
	for (int new = 1; new >= 0; new --) {
		struct mxg_item *item = NULL;
		size_t at = 0;
		while (mxg_store_each(&run->store, &at, &item)) {
			if (!mxg_item_has_alarm(item) || is_new(item) != (new == 1))
				continue;
			if (runs == RUNS_MAX || mxg_monotonic_ms() >= last) {
				left++;
				continue;
			}
			alarm_of(item, &alarm);
			run_for(run->policy->on_alarm, &alarm, last);
			runs++;
		}
	}
	if (left > 0)
		mxg_refresh_warn("on_alarm: it was not run for %zu %s more", left, mxg_noun(left, "alarm", "alarms"));
}

/* ---- --accept --------------------------------------------------------------------------- */

/* A name that was mistyped has accepted nothing. */
static void warn_of_unknown(const struct mxg_refresh *run, const char *text)
{
	static const uint16_t types[] = { MXG_DNS_A, MXG_DNS_AAAA, MXG_DNS_MX, MXG_DNS_TXT };
	struct mxg_question q;
	if (!mxg_name_from_text(&q.name, text, strlen(text)))
		return;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		q.type = types[i];
		if (mxg_store_find(&run->store, &q) != NULL)
			return;
	}
	mxg_refresh_warn("--accept %s: nothing leads to that name", text);
}

void mxg_refresh_tell(const struct mxg_refresh *run)
{
	warn_of_all(run);
	for (size_t i = 0; i < run->store.accept->count; i++)
		warn_of_unknown(run, run->store.accept->items[i]);
	if (run->policy->on_alarm != NULL)
		run_on_alarm(run);
}
