/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRAP_FOLDER_H
#define MXG_TRAP_FOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "trap/store.h"

enum mxg_trap_part {
	MXG_TRAP_TMP, /* copies in the making, where the system knows no files without a name */
	MXG_TRAP_NEW, /* copies that no filter has learned */
	MXG_TRAP_BUSY, /* handed to a filter, which has not said that it is done */
	MXG_TRAP_CUR, /* learned */
	MXG_TRAP_PART_COUNT
};
extern const char *const mxg_trap_part_names[MXG_TRAP_PART_COUNT];

/* Descriptors of the trap and what is in it; -1: not open. */
struct mxg_trap_folder {
	int self, parts[MXG_TRAP_PART_COUNT];
	uid_t owner;
	gid_t group;
};

/*
 * Opens it: a folder that nobody but its owner can look into, and that belongs to the process's user
 * (root may use anybody's). create: one that is missing is made, in a folder that is there. False
 * with a result.
 */
bool mxg_trap_folder_open(struct mxg_trap_folder *folder, const char *path, bool create,
			  struct mxg_trap_result *result);
void mxg_trap_folder_close(struct mxg_trap_folder *folder);

/* Makes a file the owner's. */
bool mxg_trap_folder_give(const struct mxg_trap_folder *folder, int fd);

/* errno in words, as part of a sentence; false always. */
bool mxg_trap_broken(struct mxg_trap_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
