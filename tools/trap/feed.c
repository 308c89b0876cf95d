/* SPDX-License-Identifier: MIT */
#include "feed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAILURES_MOST 5 /* in a row */

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	stopped = 1;
}

/* What is being learned is learned to its end. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = stop };
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGCHLD, SIG_DFL); /* whoever started us may have ignored it: then there is no status */
}

/* Whether the message would be trapped today as well: who has become a gateway since then sent
 * honest mail. 1, 0, or -1 where nobody can tell now. */
static int is_trapped_today(struct mxguard_session *session, const struct mxg_trap_told *told)
{
	char recipient[300];
	struct mxguard_check *check;
	if (mxguard_session_check(session, &check, 0) != MXGUARD_ERROR_NONE)
		return -1;
	snprintf(recipient, sizeof(recipient), "mxguard-trap@%s", told->domain);
	mxguard_check_set_peer_text(check, told->peer);
	mxguard_check_set_sender(check, recipient);
	mxguard_check_add_recipient(check, recipient, NULL);
	int progress = mxguard_session_decide(session, check, NULL, NULL, -1);
	int result = progress != MXGUARD_PROGRESS_DONE                            ? -1
		     : mxguard_check_trap(check, 0, NULL, 0) == 1                 ? 1
		     : mxguard_check_verdict(check, 0) == MXGUARD_VERDICT_UNKNOWN ? -1
										  : 0;
	mxguard_session_release(session, check);
	return result;
}

/* The file under that name, locked; -1: somebody else has it, or had it. */
static int lock_copy(const struct mxg_trap_feed *feed, const struct mxg_trap_entry *entry)
{
	struct stat file, named;
	int part = feed->folder->parts[entry->part];
	int fd = openat(part, entry->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode) &&
	    fstatat(part, entry->name, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == file.st_ino &&
	    named.st_dev == file.st_dev)
		return fd;
	close(fd);
	return -1;
}

/* Nobody works at it, and it is not known whether it was learned. */
static bool give_up_doubtful(const struct mxg_trap_feed *feed, const struct mxg_trap_entry *entry)
{
	if (entry->part != MXG_TRAP_BUSY || feed->again || feed->teacher.forgives)
		return false;
	(void)renameat(feed->folder->parts[MXG_TRAP_BUSY], entry->name, feed->folder->parts[MXG_TRAP_CUR], entry->name);
	return true;
}

static size_t *feed_locked(struct mxg_trap_feed *feed, const struct mxg_trap_entry *entry, int fd)
{
	struct mxg_trap_told told;
	if (give_up_doubtful(feed, entry))
		return &feed->doubtful;
	if (!mxg_trap_told_read(&told, fd) || lseek(fd, told.message, SEEK_SET) != told.message)
		return &feed->unreadable;
	int today = is_trapped_today(feed->session, &told);
	if (today <= 0)
		return today == 0 ? &feed->held : &feed->later;
	switch (mxg_trap_teach(&feed->teacher, feed->folder, entry, fd)) {
	case MXG_TRAP_FED:
		return &feed->fed;
	case MXG_TRAP_FAILED:
		return &feed->failed;
	case MXG_TRAP_ELSEWHERE:
		return &feed->elsewhere;
	case MXG_TRAP_UNREADABLE:
		return &feed->unreadable;
	case MXG_TRAP_DOUBTFUL:
		break;
	}
	return &feed->doubtful;
}

static size_t *feed_one(struct mxg_trap_feed *feed, const struct mxg_trap_entry *entry)
{
	int fd = lock_copy(feed, entry);
	if (fd < 0)
		return &feed->elsewhere;
	size_t *what = feed_locked(feed, entry, fd);
	close(fd);
	return what;
}

static void feed_entries(struct mxg_trap_feed *feed, const struct mxg_trap_entries *entries)
{
	size_t failures = 0;
	for (size_t i = 0; i < entries->count && stopped == 0; i++) {
		if (feed->limit > 0 && feed->fed + feed->failed >= (size_t)feed->limit)
			break;
		if (entries->items[i].told.time < feed->oldest)
			continue;
		size_t *what = feed_one(feed, &entries->items[i]);
		++*what;
		failures = what == &feed->failed ? failures + 1 : what == &feed->fed ? 0 : failures;
		feed->broken = failures >= FAILURES_MOST;
		if (feed->broken)
			break;
	}
}

bool mxg_trap_feed_all(struct mxg_trap_feed *feed)
{
	struct mxg_trap_entries entries = { 0 };
	catch_signals();
	bool read = mxg_trap_entries_add(&entries, feed->folder, MXG_TRAP_BUSY) &&
		    mxg_trap_entries_add(&entries, feed->folder, MXG_TRAP_NEW) && !entries.lost;
	mxg_trap_entries_sort(&entries);
	if (read)
		feed_entries(feed, &entries);
	mxg_trap_entries_free(&entries);
	return read;
}
