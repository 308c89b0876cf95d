/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_PEEK_H
#define MXG_LDA_PEEK_H

#include <stddef.h>
#include <sys/types.h>

#define MXG_LDA_PEEK_MAX 65536 /* what a pipe holds */

/* Copies what stands in the pipe or socket `fd` now, and leaves it there. How many bytes there
 * are, 0 at its end; -1 with errno where nothing stands there yet, or where that cannot be done. */
ssize_t mxg_lda_peek(int fd, char *bytes, size_t room);

#endif
