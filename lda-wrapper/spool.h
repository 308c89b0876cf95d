/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_SPOOL_H
#define MXG_LDA_SPOOL_H

#include <stddef.h>
#include <sys/types.h>

#define MXG_LDA_MEMORY_MAX (1024 * 1024)

/* Where the message is taken to: memory, and above 1 MiB a file that has no name. Either goes
 * when the last process that has it open ends, however it ends. */
struct mxg_lda_spool {
	int fd; /* -1: nothing yet */
	size_t len;
	int in_memory;
	const char *folder; /* NULL: /var/tmp, else /tmp */
};

/* 0, or -1 with errno. */
int mxg_lda_spool_write(struct mxg_lda_spool *spool, const char *bytes, size_t len);
/* Makes it standard input, from its beginning. */
int mxg_lda_spool_to_stdin(struct mxg_lda_spool *spool);

#endif
