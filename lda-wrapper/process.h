/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_PROCESS_H
#define MXG_LDA_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* What proc(5) shows of a process. */
struct mxg_lda_process {
	char name[32];
	char state;
	pid_t pid, parent;
	unsigned flags;
	int signal; /* that it has died of; 0: none, or it is not ours to know */
};

/* A file of /proc, as text. Its length, or -1. */
ssize_t mxg_lda_process_file(const char *path, char *text, size_t size);
/* False where there is no such process, or no /proc. */
bool mxg_lda_process_look(pid_t pid, struct mxg_lda_process *process);
/* All of its threads: the first one may end before the others, and is then kept as if the process were dead. */
bool mxg_lda_process_is_ending(const struct mxg_lda_process *process);

#endif
