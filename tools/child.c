/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define PAUSE_MS 50 /* at the most, between two looks */

extern char **environ;

/* Where SIGPIPE is ignored, as in systemd's units, programs would complain of a reader who has had enough. */
static int spawn(pid_t *pid, char *const *arguments, const posix_spawn_file_actions_t *actions)
{
	posix_spawnattr_t attributes;
	sigset_t restored;
	int error = posix_spawnattr_init(&attributes);
	if (error != 0)
		return error;
	sigemptyset(&restored);
	sigaddset(&restored, SIGPIPE);
	posix_spawnattr_setsigdefault(&attributes, &restored);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	error = posix_spawnp(pid, arguments[0], actions, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	return error;
}

int mxg_child_start(char *const *arguments, int fd, pid_t *pid)
{
	int ends[2];
	posix_spawn_file_actions_t actions;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
#ifdef F_SETPIPE_SZ
	fcntl(ends[0], F_SETPIPE_SZ, 1 << 20); /* only faster */
#endif
	posix_spawn_file_actions_init(&actions);
	if (fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	else
		posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	int error = spawn(pid, arguments, &actions);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (error == 0)
		return ends[0];
	close(ends[0]);
	errno = error;
	return -1;
}

int mxg_child_end(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void mxg_child_kill(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

bool mxg_child_wait(pid_t pid, int64_t end, int *status)
{
	int pause = 1;
	pid_t ended;
	while ((ended = waitpid(pid, status, WNOHANG)) == 0 && mxg_monotonic_ms() < end) {
		poll(NULL, 0, pause);
		pause = pause * 2 < PAUSE_MS ? pause * 2 : PAUSE_MS;
	}
	if (ended == 0)
		mxg_child_kill(pid);
	return ended == pid;
}
