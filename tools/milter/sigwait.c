/* SPDX-License-Identifier: MIT */
/*
 * In place of the C library's, for libmilter: a thread of its own waits for the main thread's signals. When it begins,
 * it takes one that lies there already, and the milter would end without its answers, by SIGHUP as by SIGTERM. Nobody
 * else here calls sigwait(3); this one never has anything.
 */
#include <signal.h>
#include <unistd.h>

__attribute__((visibility("default"))) int sigwait(const sigset_t *set, int *number)
{
	(void)set;
	(void)number;
	for (;;)
		pause();
}
