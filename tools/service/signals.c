/* SPDX-License-Identifier: MIT */
/* signalfd(2), or a pipe that the handlers write to. */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#if defined(__linux__) && !defined(MXG_PORTABLE)
#include <sys/signalfd.h>

int mxg_signals_open(const sigset_t *wanted)
{
	return signalfd(-1, wanted, SFD_NONBLOCK | SFD_CLOEXEC);
}

int mxg_signals_next(int fd)
{
	struct signalfd_siginfo info;
	return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

void mxg_signals_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
#else
#define NUMBERS 64

static int to_write = -1; /* the handlers' end */

static void on_signal(int number)
{
	int saved = errno;
	unsigned char byte = (unsigned char)number;
	ssize_t written = write(to_write, &byte, 1);
	(void)written; /* full: thousands of them wait already */
	errno = saved;
}

int mxg_signals_open(const sigset_t *wanted)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int ends[2];
	if (to_write >= 0 || pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
		return -1;
	to_write = ends[1];
	action.sa_mask = *wanted;
	for (int number = 1; number < NUMBERS; number++)
		if (sigismember(wanted, number) == 1)
			sigaction(number, &action, NULL);
	sigprocmask(SIG_UNBLOCK, wanted, NULL);
	return ends[0];
}

int mxg_signals_next(int fd)
{
	unsigned char byte;
	return read(fd, &byte, 1) == 1 ? byte : 0;
}

/* The handlers stay, and write to nobody. */
void mxg_signals_close(int fd)
{
	if (fd < 0)
		return;
	close(fd);
	close(to_write);
	to_write = -1;
}
#endif
