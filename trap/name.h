/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRAP_NAME_H
#define MXG_TRAP_NAME_H

#include <stdbool.h>
#include <stdint.h>

/* A copy's name, as in a Maildir: when it came, by whom it was written, and its size. So nobody has
 * to open the copies to count them. */
#define MXG_TRAP_NAME_MAX 160

void mxg_trap_name_make(char name[MXG_TRAP_NAME_MAX], uint64_t size);

struct mxg_trap_name {
	int64_t time;
	uint64_t size;
};
/* False: another file. */
bool mxg_trap_name_read(const char *name, struct mxg_trap_name *out);

#endif
