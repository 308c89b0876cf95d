/* SPDX-License-Identifier: MIT */
/* Which configuration and which snapshot are in force. */
#include "resolver/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define FLAGS \
	(MXGUARD_SESSION_FLAG_FOLLOW_CONFIG | MXGUARD_SESSION_FLAG_DEFER_WHILE_WRONG | MXGUARD_SESSION_FLAG_NO_SNAPSHOT)
#define RETRY_MS 10000 /* a configuration that is wrong is tried again, changed or not */
#define LOOK_MS 1000 /* between looks at the snapshot's file */
#define MESSAGE_MAX 1024

/* ---- notices ---------------------------------------------------------------------------- */

static void __attribute__((format(printf, 4, 5)))
note(struct mxg_notice *n, enum mxguard_level level, bool again, const char *format, ...)
{
	char text[MXG_NOTICE_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!again && strcmp(n->text, text) == 0)
		return;
	memcpy(n->text, text, sizeof(text));
	n->level = level;
	n->untold = true;
}

const char *mxguard_session_notice(struct mxguard_session *s, enum mxguard_level *level)
{
	struct mxg_notice *n = s->configuration.untold ? &s->configuration : &s->snapshot;
	enum mxguard_level unused;
	if (level == NULL)
		level = &unused;
	if (n->untold) {
		n->untold = false;
		*level = n->level;
		return n->text;
	}
	*level = MXGUARD_LEVEL_REMARK;
	return s->current == NULL ? NULL : mxg_era_remark(s->current, s->remark, sizeof(s->remark));
}

/* ---- the snapshot ------------------------------------------------------------------------ */

static void open_snapshot(struct mxguard_session *s)
{
	char message[MESSAGE_MAX] = "";
	struct mxguard_snapshot *snapshot = NULL;
	errno = 0;
	int result = mxguard_snapshot_open(&snapshot, s->current->policy, 0, message, sizeof(message));
	bool missing = result == MXGUARD_ERROR_IO && errno == ENOENT;
	if (result != MXGUARD_ERROR_NONE)
		note(&s->snapshot, missing ? MXGUARD_LEVEL_INFO : MXGUARD_LEVEL_WARNING, false,
		     "%s; DNS is asked for everything", message);
	else if (message[0] != '\0')
		note(&s->snapshot, MXGUARD_LEVEL_WARNING, false, "%s", message);
	else
		s->snapshot = (struct mxg_notice){ .untold = false };
	mxg_era_set_snapshot(s->current, snapshot);
}

/* A look costs one stat(2). */
static void follow_snapshot(struct mxguard_session *s)
{
	int64_t now = mxg_monotonic_ms();
	if ((s->flags & MXGUARD_SESSION_FLAG_NO_SNAPSHOT) != 0 || now - s->looked < LOOK_MS)
		return;
	s->looked = now;
	if (mxguard_snapshot_changed(s->current->snapshot, s->current->policy) == 1)
		open_snapshot(s);
}

/* ---- the configuration --------------------------------------------------------------------- */

void mxg_session_retire(struct mxguard_session *s)
{
	for (struct mxg_era **at = &s->eras, *era; (era = *at) != NULL;) {
		if (era == s->current || era->out != NULL) {
			at = &era->older;
			continue;
		}
		*at = era->older;
		mxg_era_free(era);
	}
}

static void begin_era(struct mxguard_session *s, struct mxg_era *era)
{
	if (s->current != NULL)
		mxg_era_drop_spares(s->current);
	s->current = era;
	if (era == NULL)
		return;
	era->older = s->eras;
	era->counts = &s->counts;
	s->eras = era;
	if ((s->flags & MXGUARD_SESSION_FLAG_NO_SNAPSHOT) == 0) {
		s->looked = mxg_monotonic_ms();
		open_snapshot(s);
	}
}

static struct stat look_at_file(const struct mxguard_session *s)
{
	struct stat st;
	memset(&st, 0, sizeof(st));
	if ((s->flags & MXGUARD_SESSION_FLAG_FOLLOW_CONFIG) != 0 && stat(s->path, &st) != 0)
		memset(&st, 0, sizeof(st));
	return st;
}

static int load(struct mxguard_session *s, const struct stat *mark, char *message, size_t size)
{
	struct mxg_era *era;
	int result = mxg_era_new(&era, s->path, message, size);
	s->mark = *mark;
	s->tried = mxg_monotonic_ms();
	s->wrong = result != MXGUARD_ERROR_NONE;
	if (era != NULL || (s->flags & MXGUARD_SESSION_FLAG_DEFER_WHILE_WRONG) != 0)
		begin_era(s, era);
	mxg_session_retire(s);
	return result;
}

const struct mxg_dns_counts *mxg_session_dns_counts(const struct mxguard_session *s)
{
	return &s->counts;
}

/* again: also where it was said before. */
static int reload(struct mxguard_session *s, const struct stat *mark, bool again)
{
	char message[MESSAGE_MAX] = "";
	int result = load(s, mark, message, sizeof(message));
	if (result == MXGUARD_ERROR_NONE)
		note(&s->configuration, MXGUARD_LEVEL_INFO, true, "the configuration was reloaded");
	else if (s->current != NULL)
		note(&s->configuration, MXGUARD_LEVEL_ERROR, again,
		     "the configuration was not reloaded, the old one stays in force: %s", message);
	else
		note(&s->configuration, MXGUARD_LEVEL_ERROR, again, "%s", message);
	return result;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

static void follow_configuration(struct mxguard_session *s)
{
	if ((s->flags & MXGUARD_SESSION_FLAG_FOLLOW_CONFIG) == 0)
		return;
	struct stat mark = look_at_file(s);
	if (!same_file(&mark, &s->mark) || (s->wrong && mxg_monotonic_ms() - s->tried >= RETRY_MS))
		reload(s, &mark, false);
}

void mxg_session_follow(struct mxguard_session *s)
{
	follow_configuration(s);
	if (s->current != NULL)
		follow_snapshot(s);
}

int mxguard_session_reload(struct mxguard_session *s)
{
	struct stat mark = look_at_file(s);
	return reload(s, &mark, true);
}

/* ---- its life --------------------------------------------------------------------------------- */

static int begin(struct mxguard_session *s, char *message, size_t size)
{
	struct stat mark = look_at_file(s);
	int result = load(s, &mark, message, size);
	if (result == MXGUARD_ERROR_NONE || (s->flags & MXGUARD_SESSION_FLAG_DEFER_WHILE_WRONG) == 0)
		return result;
	note(&s->configuration, MXGUARD_LEVEL_ERROR, true, "%s", message);
	return MXGUARD_ERROR_NONE;
}

int mxguard_session_open(struct mxguard_session **session, const char *config, unsigned flags, char *message,
			 size_t size)
{
	char own[MESSAGE_MAX] = "";
	if (message != NULL && size > 0)
		message[0] = '\0';
	if (session == NULL)
		return MXGUARD_ERROR_INVALID;
	*session = NULL;
	if (config == NULL || (flags & ~(unsigned)FLAGS) != 0 || (message == NULL && size > 0))
		return MXGUARD_ERROR_INVALID;
	size_t len = strlen(config) + 1;
	struct mxguard_session *s = calloc(1, sizeof(*s) + len);
	int result = MXGUARD_ERROR_NOMEM;
	if (s != NULL) {
		s->flags = flags;
		memcpy(s->path, config, len);
		result = begin(s, own, sizeof(own));
	} else {
		snprintf(own, sizeof(own), "out of memory");
	}
	if (result == MXGUARD_ERROR_NONE) {
		*session = s;
		return result;
	}
	mxguard_session_free(s);
	if (size > 0)
		snprintf(message, size, "%s", own);
	return result;
}

int mxg_session_beside(struct mxguard_session **session, const struct mxguard_session *other)
{
	struct mxguard_session *s = calloc(1, sizeof(*s) + 1);
	const struct mxg_era *with = other->current;
	*session = s;
	if (s == NULL)
		return MXGUARD_ERROR_NOMEM;
	s->flags = MXGUARD_SESSION_FLAG_NO_SNAPSHOT; /* none that is newer is looked for */
	if (with == NULL)
		return MXGUARD_ERROR_NONE;
	struct mxguard_snapshot *snapshot = with->snapshot == NULL ? NULL : mxguard_snapshot_ref(with->snapshot);
	struct mxg_era *era = mxg_era_of(mxguard_policy_ref(with->policy), snapshot);
	begin_era(s, era);
	if (era != NULL)
		return MXGUARD_ERROR_NONE;
	mxguard_session_free(s);
	*session = NULL;
	return MXGUARD_ERROR_NOMEM;
}

void mxguard_session_free(struct mxguard_session *s)
{
	if (s == NULL)
		return;
	while (s->eras != NULL) {
		struct mxg_era *era = s->eras;
		s->eras = era->older;
		mxg_era_free(era);
	}
	free(s);
}

struct mxguard_policy *mxguard_session_policy(const struct mxguard_session *s)
{
	return s->current == NULL ? NULL : s->current->policy;
}

struct mxguard_snapshot *mxguard_session_snapshot(const struct mxguard_session *s)
{
	return s->current == NULL ? NULL : s->current->snapshot;
}
