/* SPDX-License-Identifier: MIT */
#ifndef MXG_PROCESSES_H
#define MXG_PROCESSES_H

#include <sys/types.h>

#define MXG_PROCESS_ARGUMENTS 32

/* What runs here, as /proc shows it; in other network namespaces runs somebody else's. */
struct mxg_process {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	const char *program; /* the file that is executed; "" where that cannot be seen */
	const char *argv[MXG_PROCESS_ARGUMENTS + 1]; /* as many as there is room for; then NULL */
};

void mxg_processes_each(void (*one)(void *to, const struct mxg_process *process), void *to);

#endif
