/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOOR_NAMES_H
#define MXG_DOOR_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name_list.h"

/* The names of a message's fields in their order: the number of each among those of its name, without
 * regard to case, is how an MTA finds it. */
struct mxg_door_names {
	struct mxg_names list; /* in lower case */
	uint32_t *hashes; /* they only save comparisons */
	size_t room;
};

#define MXG_DOOR_FIELDS_MAX 100000
#define MXG_DOOR_NAMES_MAX (8 * 1024 * 1024) /* bytes */

/* False: no memory, or more than that. */
bool mxg_door_names_add(struct mxg_door_names *names, const char *name);
/* Of the field at `index`, counted from 1. */
unsigned mxg_door_names_number(const struct mxg_door_names *names, size_t index);
void mxg_door_names_free(struct mxg_door_names *names);

#endif
