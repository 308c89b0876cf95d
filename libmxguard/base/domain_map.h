/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOMAIN_MAP_H
#define MXG_DOMAIN_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* Domain names and ".suffix"es, each with a number, in an arena. A lookup costs a hash for
 * each label at most, whatever the number of names. */
struct mxg_domain_map;

/* Room for `most` names; NULL: no memory. */
struct mxg_domain_map *mxg_domain_map_new(struct mxg_arena *arena, size_t most);

/* The name is borrowed; it is normalized already. False where it is in the map: *line is
 * then that of the first. */
bool mxg_domain_map_add(struct mxg_domain_map *map, const char *name, uint32_t value, unsigned *line);

/* Exact, then the longest .suffix. False: neither. map may be NULL. */
bool mxg_domain_map_find(const struct mxg_domain_map *map, const char *name, size_t len, uint32_t *value);
bool mxg_domain_map_has(const struct mxg_domain_map *map, const char *name, size_t len); /* exact only */

/* Name number `index` in the order of adding; NULL past the last. */
const char *mxg_domain_map_name(const struct mxg_domain_map *map, size_t index, uint32_t *value);

#endif
