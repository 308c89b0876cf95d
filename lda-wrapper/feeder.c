/* SPDX-License-Identifier: MIT */
#include "feeder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process.h"

#define DYING_MS 200 /* between closing its files and being gone, which /proc would show; far more than it takes */
#define FELLOWS 6 /* of every OpenSMTPD so far */
#define BETWEEN_MAX 32
#define SHORT_MS 1000 /* one that has lost a process, or waits to be reaped, is gone much sooner */

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names != NULL && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

/* ---- whom the message comes from: not from a shell in between -------------------------------- */

/* What runs a command for somebody else and outlives him; the pipe goes through it unread. */
static bool is_between(const char *name)
{
	static const char *const names[] = { "sh",       "dash",    "bash", "ksh",  "zsh",  "busybox",
					     "mail.mda", "smrsh",   "env",  "nice", "sudo", "setpriv",
					     "runuser",  "timeout", "su",   "sg",   "doas", NULL };
	return is_one_of(name, names);
}

/* OpenSMTPD runs each mda as "sh, mail.mda, sh", with what it says in a file that has no name any more. */
static bool is_opensmtpds(int fd)
{
	static const char begin[] = "/tmp/smtpd.out.";
	char path[32], to[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, to, sizeof(to));
	return n >= (ssize_t)sizeof(begin) && memcmp(to, begin, sizeof(begin) - 1) == 0;
}

/* What adopts orphans where it is not PID 1: in a user's session, or in a container. */
static bool adopts(const char *name)
{
	static const char *const names[] = { "systemd",  "init",  "tini",      "dumb-init", "docker-init", "catatonit",
					     "runsvdir", "runit", "s6-svscan", "conmon",    "supervisord", NULL };
	return is_one_of(name, names);
}

struct origin {
	pid_t pid;
	bool between, mail_mda; /* there is somebody between it and us; he is OpenSMTPD's */
	bool adopted; /* whoever had started him may be gone */
	bool far; /* behind so many that nobody follows them */
	bool outside; /* he is of another PID namespace */
};

static bool is_between_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL && is_between(slash + 1);
}

/* A script that is run by its first line has its own name, and its shell's program, which only its own user may see,
 * and which may have another name than that line, or none any more; its first argument is as that line says. */
static bool is_shell_script(pid_t pid)
{
	char path[64], text[256];
	snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
	if (mxg_lda_process_file(path, text, sizeof(text)) > 0 && text[0] == '/' &&
	    is_between_path(text)) /* no title */
		return true;
	snprintf(path, sizeof(path), "/proc/%ld/exe", (long)pid);
	ssize_t n = readlink(path, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	return is_between_path(text);
}

/* Whoever reads from our standard input himself writes nothing into it, whatever his name: what he wrote into a socket
 * would come out at its other end. Other users are not seen. */
static bool reads_the_same(pid_t pid)
{
	char path[64];
	struct stat link, his, ours;
	snprintf(path, sizeof(path), "/proc/%ld/fd/0", (long)pid);
	if (lstat(path, &link) != 0 || stat(path, &his) != 0 || fstat(STDIN_FILENO, &ours) != 0)
		return false;
	bool reads =
		S_ISSOCK(ours.st_mode) || (S_ISFIFO(ours.st_mode) && (link.st_mode & (S_IRUSR | S_IWUSR)) == S_IRUSR);
	return reads && his.st_dev == ours.st_dev && his.st_ino == ours.st_ino;
}

/* One that may have adopted the shell in between says nothing; OpenSMTPD may be the first process itself. */
static bool is_behind(pid_t pid)
{
	struct mxg_lda_process p;
	bool visible = pid > 0 && mxg_lda_process_look(pid, &p);
	return (visible && strcmp(p.name, "smtpd") == 0) || (pid > 1 && !(visible && adopts(p.name)));
}

/* OpenSMTPD feeds whatever it has started: a program of any name stands in between. */
static struct origin find_origin(bool opensmtpd)
{
	struct origin found = { .pid = getppid() };
	found.outside = found.pid == 0;
	struct mxg_lda_process p;
	for (int i = 0; mxg_lda_process_look(found.pid, &p) && strcmp(p.name, "smtpd") != 0; i++) {
		if (!opensmtpd && !is_between(p.name) && !is_shell_script(found.pid) && !reads_the_same(found.pid))
			break;
		if (i == BETWEEN_MAX) {
			found.far = true;
			break;
		}
		found.mail_mda |= strcmp(p.name, "mail.mda") == 0;
		if (!is_behind(p.parent)) {
			found.adopted = true;
			found.outside = p.parent == 0;
			break;
		}
		found.between = true;
		found.pid = p.parent;
	}
	return found;
}

/* Whose parent may end while they feed: they have been put behind by it. */
static bool is_mta(const char *name)
{
	static const char *const names[] = { "pipe", "local", "exim",      "exim4",   "sendmail", "sendmail-mta",
					     "lmtp", "smtpd", "fetchmail", "getmail", NULL };
	return is_one_of(name, names);
}

/* A program that is no shell, and of which nobody sees what it reads, because it is another user's or has closed its
 * standard input, may stand in between all the same: then it is left behind by whoever feeds, when that one dies. */
static pid_t find_behind(pid_t parent)
{
	struct mxg_lda_process p;
	if (parent <= 1 || !mxg_lda_process_look(parent, &p) || is_mta(p.name) || !is_behind(p.parent))
		return 0;
	return p.parent;
}

static bool is_left_behind(const struct mxg_lda_feeder *f)
{
	struct mxg_lda_process p;
	if (f->behind == 0)
		return false;
	if (mxg_lda_process_look(f->parent, &p) && p.parent != f->behind)
		return true;
	/* it closes its files first, and its children get another parent later */
	return mxg_lda_process_look(f->behind, &p) && mxg_lda_process_is_ending(&p);
}

/* A shell that is taken to stand in between may be the one that writes: none of them may have died. */
static bool chain_holds(const struct mxg_lda_feeder *f)
{
	struct mxg_lda_process p;
	pid_t pid = getppid();
	if (f->guarded)
		pid = mxg_lda_process_look(pid, &p) ? p.parent : 0;
	for (int i = 0; i < BETWEEN_MAX && pid != f->parent; i++) {
		if (pid <= 0 || !mxg_lda_process_look(pid, &p) || mxg_lda_process_is_ending(&p))
			return false;
		pid = p.parent;
	}
	return pid == f->parent;
}

/* False: there are more than are told. */
static bool each_child(struct mxg_lda_feeder *f, pid_t parent, void (*note)(struct mxg_lda_feeder *f, pid_t pid))
{
	char path[80], text[2 * MXG_LDA_CHILDREN_MAX] /* a digit and a blank each */, *at = text, *end;
	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)parent, (long)parent);
	ssize_t n = mxg_lda_process_file(path, text, sizeof(text));
	if (n > 0)
		for (long pid = strtol(at, &end, 10); end != at; at = end, pid = strtol(at, &end, 10))
			note(f, (pid_t)pid);
	return n != (ssize_t)sizeof(text) - 1;
}

/* ---- OpenSMTPD: one process starts us, another one writes ---------------------------------- */

static void note_fellow(struct mxg_lda_feeder *f, pid_t pid)
{
	struct mxg_lda_process p;
	if (mxg_lda_process_look(pid, &p) && strcmp(p.name, "smtpd") == 0 && f->fellow_count < MXG_LDA_FELLOWS_MAX)
		f->fellows[f->fellow_count++] = pid;
}

static void note_fellows(struct mxg_lda_feeder *f)
{
	each_child(f, f->parent, note_fellow);
	f->short_handed = f->fellow_count < FELLOWS;
}

/* Where its first process cannot be seen, because it has died or because /proc hides others', only its end tells. */
static void look_for_opensmtpd(struct mxg_lda_feeder *f, bool told)
{
	struct mxg_lda_process p;
	bool visible = mxg_lda_process_look(f->parent, &p), first = visible && strcmp(p.name, "smtpd") == 0;
	f->opensmtpd = first || told;
	if (first)
		note_fellows(f);
	else if (f->opensmtpd)
		f->short_handed = true;
	f->lost |= f->opensmtpd && !first && visible;
}

static bool fellows_live(const struct mxg_lda_feeder *f)
{
	struct mxg_lda_process p;
	for (size_t i = 0; i < f->fellow_count; i++)
		if (!mxg_lda_process_look(f->fellows[i], &p) || p.parent != f->parent || mxg_lda_process_is_ending(&p))
			return false;
	return true;
}

/* ---- a parent that may have adopted us ------------------------------------------------------ */

static bool hung_up(int fd, short what)
{
	struct pollfd p = { .fd = fd, .events = 0 };
	return poll(&p, 1, 0) == 1 && (p.revents & what) != 0;
}

/* MTAs read what we say; where nobody does any more, whoever started us is gone. */
static bool nobody_listens(void)
{
	return hung_up(STDOUT_FILENO, POLLERR) || hung_up(STDERR_FILENO, POLLERR);
}

static bool may_have_adopted(const struct mxg_lda_feeder *f)
{
	struct mxg_lda_process p;
	return f->parent <= 1 /* 0: in another PID namespace */ ||
	       (mxg_lda_process_look(f->parent, &p) && adopts(p.name));
}

/*
 * The kernel does not tell an orphan who its parent was. A pipe that somebody still holds has not
 * been left by a dead feeder. One that is closed was left so either by a feeder that is done, or by
 * one that has died, and only of OpenSMTPD it is known that its first process starts commands
 * itself: in any other case nobody guesses.
 */
static bool feeds_itself(const struct mxg_lda_feeder *f)
{
	struct mxg_lda_process p;
	if (nobody_listens())
		return false;
	return !hung_up(STDIN_FILENO, POLLHUP) || (mxg_lda_process_look(f->parent, &p) && strcmp(p.name, "smtpd") == 0);
}

/* ---- children from before: who has become us had started them -------------------------------- */

/* A script may have ended another one before it became us. */
static bool was_asked_to_end(int number)
{
	return number == SIGTERM || number == SIGINT || number == SIGHUP;
}

/* One whose status can be had has closed its files: if the pipe is open still, that is another one's. One that is about
 * to end closes them later. */
static void note_child(struct mxg_lda_feeder *f, pid_t pid)
{
	struct mxg_lda_process p;
	if (!mxg_lda_process_look(pid, &p))
		return;
	bool ending = mxg_lda_process_is_ending(&p);
	if (!ending || !(was_asked_to_end(p.signal) || (p.state == 'Z' && !hung_up(STDIN_FILENO, POLLHUP))))
		f->children[f->child_count++] = pid;
}

/* spamc -e, and bash for exec and <(…), have a child write, and become the one that reads. */
static void note_children(struct mxg_lda_feeder *f)
{
	f->self = getpid();
	if (!each_child(f, f->self, note_child))
		f->lost = true;
}

/* Nobody but us takes its status away. Who dies of SIGPIPE wrote to one that had heard enough: that was not us. */
static bool has_lost_child(const struct mxg_lda_feeder *f)
{
	struct mxg_lda_process p;
	for (size_t i = 0; i < f->child_count; i++)
		if (mxg_lda_process_look(f->children[i], &p) && p.parent == f->self && mxg_lda_process_is_ending(&p) &&
		    p.signal != 0 && p.signal != SIGPIPE)
			return true;
	return false;
}

/* ---- its life -------------------------------------------------------------------------------- */

void mxg_lda_feeder_open(struct mxg_lda_feeder *f)
{
	bool told = is_opensmtpds(STDOUT_FILENO) || is_opensmtpds(STDERR_FILENO);
	struct origin origin = find_origin(told);
	*f = (struct mxg_lda_feeder){ .parent = origin.pid,
				      .pidfd = -1,
				      .between = origin.between,
				      .adopted = origin.adopted,
				      .far = origin.far,
				      .outside = origin.outside };
#if defined(SYS_pidfd_open) && !defined(MXG_PORTABLE)
	if (f->parent > 0)
		f->pidfd = (int)syscall(SYS_pidfd_open, f->parent, 0);
#endif
	f->lost = f->far || find_origin(told).pid != f->parent;
	look_for_opensmtpd(f, told || origin.mail_mda);
	f->behind = f->opensmtpd ? 0 : find_behind(f->parent);
	note_children(f);
}

void mxg_lda_feeder_judge(struct mxg_lda_feeder *f, enum mxg_lda_init init)
{
	struct stat st;
	struct mxg_lda_process p;
	bool file = fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode);
	if (f->lost || file || init == MXG_LDA_INIT_FEEDS)
		return;
	if (!f->adopted && !may_have_adopted(f)) {
		/* one that is hidden may have adopted us, whatever its name */
		f->lost = !mxg_lda_process_look(f->parent, &p) && nobody_listens();
		return;
	}
	/* of one in another PID namespace nobody sees the end: to its children its number is 0 before and after */
	f->lost = init == MXG_LDA_INIT_ADOPTS || f->outside || !feeds_itself(f);
}

/* A kernel without pidfds (before 5.3), or a filter that forbids them: our own parent is another one as soon as it has
 * ended, and of anybody else it is known when he has been reaped. */
static bool is_gone(const struct mxg_lda_feeder *f)
{
	return f->guarded || f->between ? kill(f->parent, 0) != 0 && errno == ESRCH : getppid() != f->parent;
}

static bool is_gone_within(const struct mxg_lda_feeder *f, int ms)
{
	bool gone;
	while (!(gone = is_gone(f)) && ms-- > 0)
		poll(NULL, 0, 1);
	return gone;
}

/* Where /proc does not show that it is ending, it is given the time. */
static bool has_ended(const struct mxg_lda_feeder *f, bool visible)
{
	struct pollfd p = { .fd = f->pidfd, .events = POLLIN };
	if (f->pidfd >= 0 && poll(&p, 1, f->short_handed ? SHORT_MS : visible ? 0 : DYING_MS) > 0)
		return true;
	if (f->pidfd >= 0)
		return !f->guarded && !f->between && is_gone(f);
	bool reaped = !visible && (f->guarded || f->between);
	return is_gone_within(f, f->short_handed || reaped ? SHORT_MS : visible ? 0 : DYING_MS);
}

bool mxg_lda_feeder_lives(const struct mxg_lda_feeder *f)
{
	struct mxg_lda_process p;
	if (f->lost)
		return false;
	bool visible = f->parent > 0 && mxg_lda_process_look(f->parent, &p);
	if ((visible && mxg_lda_process_is_ending(&p)) || is_left_behind(f) || has_lost_child(f))
		return false;
	return !has_ended(f, visible) && fellows_live(f) && (!f->between || chain_holds(f));
}
