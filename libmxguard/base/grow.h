/* SPDX-License-Identifier: MIT */
#ifndef MXG_BASE_GROW_H
#define MXG_BASE_GROW_H

#include <stdbool.h>
#include <stddef.h>

/* Room for one more item of an array. `items` is the address of the pointer to it; it and `*room` change where
 * the array, which holds `count` items of `size` bytes, has to grow. False: no memory, and nothing has changed. */
bool mxg_grow(void *items, size_t *room, size_t count, size_t size);

#endif
