/* SPDX-License-Identifier: MIT */
#include "teacher.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "child.h"

#define EXIT_FED 0
#define EXIT_FAILED 1
#define EXIT_ELSEWHERE 2

void mxg_trap_teacher_choose(struct mxg_trap_teacher *teacher, const char *to, const char *line[4])
{
	static const char *const rspamc[] = { "rspamc", "learn_spam", NULL };
	static const char *const sa_learn[] = { "sa-learn", "--spam", NULL };
	static const char *const bogofilter[] = { "bogofilter", "-s", NULL };
	teacher->forgives = strcmp(to, "rspamc") == 0 || strcmp(to, "sa-learn") == 0;
	if (strcmp(to, "rspamc") == 0) {
		teacher->argv = rspamc;
	} else if (strcmp(to, "sa-learn") == 0) {
		teacher->argv = sa_learn;
	} else if (strcmp(to, "bogofilter") == 0) {
		teacher->argv = bogofilter;
	} else {
		line[0] = "/bin/sh";
		line[1] = "-c";
		line[2] = to;
		line[3] = NULL;
		teacher->argv = line;
	}
}

/* ---- the process that stays ------------------------------------------------------------------------- */

/* On disk before the next step, so that a power failure does not undo it. */
static bool move(const struct mxg_trap_folder *folder, const char *name, enum mxg_trap_part from, enum mxg_trap_part to)
{
	return renameat(folder->parts[from], name, folder->parts[to], name) == 0 && fsync(folder->parts[to]) == 0 &&
	       fsync(folder->parts[from]) == 0;
}

static _Noreturn void become_program(const struct mxg_trap_teacher *teacher, int fd)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	/* what it prints is no output of ours */
	if (dup2(fd, STDIN_FILENO) >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
		execvp(teacher->argv[0], (char *const *)(uintptr_t)teacher->argv);
	perror(teacher->argv[0]);
	_exit(127);
}

static int supervise(const struct mxg_trap_teacher *teacher, const struct mxg_trap_folder *folder,
		     const struct mxg_trap_entry *entry, int fd)
{
	int status = 0;
	sigset_t all;
	sigfillset(&all); /* a terminal's signals are for the parent, which waits for us */
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	setsid();
	if (entry->part != MXG_TRAP_BUSY && !move(folder, entry->name, entry->part, MXG_TRAP_BUSY))
		return errno == ENOENT ? EXIT_ELSEWHERE : EXIT_FAILED;
	pid_t pid = fork();
	if (pid == 0)
		become_program(teacher, fd);
	int64_t end = mxg_monotonic_ms() + teacher->timeout * 1000;
	bool learned = pid > 0 && mxg_child_wait(pid, end, &status) && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	(void)move(folder, entry->name, MXG_TRAP_BUSY, learned ? MXG_TRAP_CUR : MXG_TRAP_NEW);
	return learned ? EXIT_FED : EXIT_FAILED;
}

enum mxg_trap_taught mxg_trap_teach(const struct mxg_trap_teacher *teacher, const struct mxg_trap_folder *folder,
				    const struct mxg_trap_entry *entry, int fd)
{
	int status = 0;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(supervise(teacher, folder, entry, fd));
	if (pid < 0)
		return MXG_TRAP_FAILED;
	pid_t ended;
	while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (ended < 0 || !WIFEXITED(status))
		return MXG_TRAP_DOUBTFUL;
	return WEXITSTATUS(status) == EXIT_FED         ? MXG_TRAP_FED
	       : WEXITSTATUS(status) == EXIT_ELSEWHERE ? MXG_TRAP_ELSEWHERE
						       : MXG_TRAP_FAILED;
}
