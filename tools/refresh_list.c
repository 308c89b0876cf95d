/* SPDX-License-Identifier: MIT */
/* domains_command: a program that prints our domains, under a time limit and without a shell. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "refresh.h"
#include "base/clock.h"
#include "child.h"
#include "system/nameless.h"

#define OUTPUT_MOST (UINT64_C(256) * 1024 * 1024)
#define LOOK_AGAIN_MS 200
#define FOLDERS "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct running {
	pid_t pid;
	int from, to; /* the pipe; the file */
	int64_t end;
	const volatile sig_atomic_t *signalled;
	char *why;
	size_t size;
};

static bool fail(struct running *r, const char *why)
{
	snprintf(r->why, r->size, "%s", why);
	return false;
}

/* In the child. */
static void become(const char *const *command, int out)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	setpgid(0, 0);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || setenv("PATH", FOLDERS, 1) != 0)
		_exit(126);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	execvp(command[0], (char *const *)(uintptr_t)command);
	fprintf(stderr, "mxguard refresh: domains_command: %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

/* In memory, or where that cannot be a file on disk that has lost its name. */
static int open_store(void)
{
	int fd = mxg_nameless_memory("domains");
	FILE *file = fd < 0 ? tmpfile() : NULL;
	if (file != NULL) {
		fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
		fclose(file);
	}
	return fd;
}

static bool start(struct running *r, const char *const *command)
{
	int pipes[2];
	r->to = open_store();
	if (r->to < 0 || pipe2(pipes, O_CLOEXEC) != 0)
		return fail(r, strerror(errno));
	r->from = pipes[0];
	fflush(NULL);
	r->pid = fork();
	if (r->pid == 0)
		become(command, pipes[1]);
	close(pipes[1]);
	if (r->pid < 0)
		return fail(r, strerror(errno));
	setpgid(r->pid, r->pid); /* whoever comes first */
	return true;
}

static bool put(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* Whether there is still time; of what is left of it, a piece. */
static bool has_time(struct running *r, int *wait)
{
	int64_t left = r->end - mxg_monotonic_ms();
	*wait = left < LOOK_AGAIN_MS ? (int)(left > 0 ? left : 0) : LOOK_AGAIN_MS;
	if (r->signalled != NULL && *r->signalled != 0)
		return fail(r, "was ended by a signal");
	if (left > 0)
		return true;
	snprintf(r->why, r->size, "took longer than %d s and was ended", MXG_LIST_SECONDS);
	return false;
}

static bool take_output(struct running *r)
{
	char bytes[65536];
	uint64_t all = 0;
	int wait;
	while (has_time(r, &wait)) {
		struct pollfd fd = { .fd = r->from, .events = POLLIN };
		if (poll(&fd, 1, wait) <= 0)
			continue;
		ssize_t n = read(r->from, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 || fail(r, strerror(errno));
		all += (uint64_t)n;
		if (all > OUTPUT_MOST)
			return fail(r, "printed more than 256 MiB");
		if (!put(r->to, bytes, (size_t)n))
			return fail(r, strerror(errno));
	}
	return false;
}

/* It may close its output and go on. */
static bool take_status(struct running *r)
{
	int status = 0, wait;
	pid_t ended;
	while ((ended = waitpid(r->pid, &status, WNOHANG)) == 0 && has_time(r, &wait))
		poll(NULL, 0, wait < 10 ? wait : 10);
	if (ended == 0)
		return false;
	r->pid = -1;
	if (WIFSIGNALED(status))
		snprintf(r->why, r->size, "was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		snprintf(r->why, r->size, "ended with exit status %d", WEXITSTATUS(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void end(struct running *r)
{
	if (r->pid > 0)
		mxg_child_kill(r->pid);
	if (r->from >= 0)
		close(r->from);
}

int mxg_list_run(const char *const *command, const volatile sig_atomic_t *signalled, char *why, size_t size)
{
	struct running r = { .pid = -1, .from = -1, .to = -1, .signalled = signalled, .why = why, .size = size };
	r.end = mxg_monotonic_ms() + MXG_LIST_SECONDS * 1000;
	bool good = start(&r, command) && take_output(&r) && take_status(&r);
	if (good && lseek(r.to, 0, SEEK_SET) != 0)
		good = fail(&r, strerror(errno));
	end(&r);
	if (good)
		return r.to;
	if (r.to >= 0)
		close(r.to);
	return -1;
}
