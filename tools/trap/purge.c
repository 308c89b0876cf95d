/* SPDX-License-Identifier: MIT */
#include "purge.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "trap/quota.h"

#define UNFINISHED_FOR (36 * 3600) /* seconds; as for any Maildir's tmp */

/* A program reads it now. */
static bool is_in_use(const struct mxg_trap_folder *folder, const struct mxg_trap_entry *entry)
{
	if (entry->part != MXG_TRAP_BUSY)
		return false;
	int fd = openat(folder->parts[entry->part], entry->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
	close(fd);
	return locked;
}

static bool has_to_go(const struct mxg_trap_purge *p, const struct mxg_trap_entry *entry)
{
	if (is_in_use(p->folder, entry))
		return false;
	return p->all || entry->told.time < p->oldest || (p->fed && entry->part == MXG_TRAP_CUR);
}

static void look_at(struct mxg_trap_purge *p, const struct mxg_trap_entry *entry)
{
	if (!has_to_go(p, entry)) {
		p->left++;
	} else if (unlinkat(p->folder->parts[entry->part], entry->name, 0) == 0) {
		p->removed++;
		p->bytes += entry->told.size;
	} else if (errno != ENOENT) {
		p->failed++;
	}
}

/* What a killed writer left; their names tell no size. */
static void sweep(const struct mxg_trap_purge *p, const struct mxg_trap_entries *entries, int64_t now)
{
	for (size_t i = 0; i < entries->count; i++)
		if (p->all || entries->items[i].told.time < now - UNFINISHED_FOR)
			(void)unlinkat(p->folder->parts[MXG_TRAP_TMP], entries->items[i].name, 0);
}

bool mxg_trap_purge(struct mxg_trap_purge *p)
{
	struct mxg_trap_entries entries = { 0 }, unfinished = { 0 };
	bool read = mxg_trap_entries_add(&unfinished, p->folder, MXG_TRAP_TMP);
	for (enum mxg_trap_part part = MXG_TRAP_NEW; read && part < MXG_TRAP_PART_COUNT; part++)
		read = mxg_trap_entries_add(&entries, p->folder, part);
	for (size_t i = 0; read && i < entries.count; i++)
		look_at(p, &entries.items[i]);
	if (read)
		sweep(p, &unfinished, (int64_t)time(NULL));
	mxg_trap_recount(p->folder);
	mxg_trap_entries_free(&entries);
	mxg_trap_entries_free(&unfinished);
	return read;
}
