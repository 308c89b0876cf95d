/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_ROOM_H
#define MXG_REPORT_ROOM_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory for tables. Large ones lie on large pages where the kernel has them: a look-up somewhere in a
 * table otherwise costs one in the page tables as well, and each page its own fault. */
void *mxg_room_new(size_t size); /* NULL: out of memory */
/* Room for twice as many items of that size; false: out of memory. */
bool mxg_room_wider(void **items, size_t *room, size_t size);
void mxg_room_free(void *room, size_t size);

#endif
