/* SPDX-License-Identifier: MIT */
#include "report/room.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE ((size_t)2 << 20)
#define LARGE ((size_t)1 << 18)

static size_t whole_pages(size_t size)
{
	return (size + PAGE - 1) & ~(PAGE - 1);
}

/* A page more than asked for, so that what begins at a large one can be cut out. */
static void *map(size_t size)
{
	char *all = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return NULL;
	size_t before = (PAGE - ((uintptr_t)all & (PAGE - 1))) & (PAGE - 1);
	if (before > 0)
		munmap(all, before);
	munmap(all + before + size, PAGE - before);
#ifdef MADV_HUGEPAGE
	madvise(all + before, size, MADV_HUGEPAGE); /* only faster */
#endif
	return all + before;
}

void *mxg_room_new(size_t size)
{
	return size < LARGE ? calloc(1, size) : size > SIZE_MAX / 2 ? NULL : map(whole_pages(size));
}

void mxg_room_free(void *room, size_t size)
{
	if (size < LARGE)
		free(room);
	else if (room != NULL)
		munmap(room, whole_pages(size));
}

bool mxg_room_wider(void **items, size_t *room, size_t size)
{
	size_t more = *room == 0 ? 64 : *room * 2;
	void *wider = more > SIZE_MAX / size ? NULL : mxg_room_new(more * size);
	if (wider == NULL)
		return false;
	if (*room > 0)
		memcpy(wider, *items, *room * size);
	mxg_room_free(*items, *room * size);
	*items = wider;
	*room = more;
	return true;
}
