/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRAP_ENTRY_H
#define MXG_TRAP_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "trap/folder.h"
#include "trap/name.h"

/* The copies in a trap, and what their first field says of them. */
struct mxg_trap_entry {
	char name[MXG_TRAP_NAME_MAX];
	struct mxg_trap_name told; /* by the name */
	enum mxg_trap_part part;
};

struct mxg_trap_entries {
	struct mxg_trap_entry *items; /* the oldest first */
	size_t count, room;
	bool lost; /* memory ran out, or there are more than anybody keeps */
};

/* Adds those of one part. False: it cannot be read. */
bool mxg_trap_entries_add(struct mxg_trap_entries *entries, const struct mxg_trap_folder *folder,
			  enum mxg_trap_part part);
void mxg_trap_entries_sort(struct mxg_trap_entries *entries);
void mxg_trap_entries_free(struct mxg_trap_entries *entries);

struct mxg_trap_told {
	char peer[64], domain[256], reason[64]; /* printable */
	off_t message; /* where it begins: behind our field */
};
/* False: no field of ours is on top. Where the file is read afterwards is where it was. */
bool mxg_trap_told_read(struct mxg_trap_told *told, int fd);

const char *mxg_trap_state(enum mxg_trap_part part); /* "new", "busy", "fed"; of tmp: "unfinished" */

#endif
