/* SPDX-License-Identifier: MIT */
/* A process that turns a death by signal into an exit status. */
#include "guard.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"

static volatile sig_atomic_t child;

/* Exim ends the whole process group; others only the process that they started. */
static void pass_on(int number)
{
	if (child > 0)
		kill((pid_t)child, number);
}

static const int changed[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
#define CHANGED (sizeof(changed) / sizeof(changed[0]))

static void catch_signals(struct sigaction *old)
{
	struct sigaction action = { .sa_handler = pass_on };
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < CHANGED; i++)
		sigaction(changed[i], &action, &old[i]);
}

static int wait_for_child(int signal_status)
{
	int status;
	while (waitpid((pid_t)child, &status, 0) < 0)
		if (errno != EINTR)
			return signal_status;
	return WIFEXITED(status) ? WEXITSTATUS(status) : signal_status;
}

bool mxg_lda_guard(int signal_status, int *status)
{
	struct sigaction old[CHANGED];
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before); /* none may come between fork and knowing the child */
	catch_signals(old);
	pid_t pid = fork();
	child = pid;
	if (pid == 0)
		for (size_t i = 0; i < CHANGED; i++)
			sigaction(changed[i], &old[i], NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid == 0)
		return true;
	*status = pid < 0 ? mxg_lda_defer("4.3.0", "fork: %s", strerror(errno)) : wait_for_child(signal_status);
	return false;
}
