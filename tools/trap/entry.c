/* SPDX-License-Identifier: MIT */
#include "entry.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "base/neuter.h"

#define ENTRIES_MOST 1000000u
#define FIELD_MOST 1024u
#define FIELD "X-Mxguard-Trap:"

static bool add(struct mxg_trap_entries *e, const char *name, enum mxg_trap_part part)
{
	struct mxg_trap_entry entry = { .part = part };
	if (!mxg_trap_name_read(name, &entry.told))
		return true; /* not ours */
	if (e->count >= ENTRIES_MOST || !mxg_grow(&e->items, &e->room, e->count, sizeof(*e->items)))
		return false;
	memcpy(entry.name, name, strlen(name) + 1); /* it is short enough to be ours */
	e->items[e->count++] = entry;
	return true;
}

bool mxg_trap_entries_add(struct mxg_trap_entries *e, const struct mxg_trap_folder *folder, enum mxg_trap_part part)
{
	int fd = openat(folder->parts[part], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (struct dirent *one; !e->lost && (one = readdir(dir)) != NULL;)
		e->lost = !add(e, one->d_name, part);
	closedir(dir);
	return true;
}

static int by_age(const void *a, const void *b)
{
	const struct mxg_trap_entry *x = a, *y = b;
	if (x->told.time != y->told.time)
		return x->told.time < y->told.time ? -1 : 1;
	return strcmp(x->name, y->name);
}

void mxg_trap_entries_sort(struct mxg_trap_entries *e)
{
	if (e->count > 0)
		qsort(e->items, e->count, sizeof(*e->items), by_age);
}

void mxg_trap_entries_free(struct mxg_trap_entries *e)
{
	free(e->items);
	*e = (struct mxg_trap_entries){ 0 };
}

/* ---- the field ------------------------------------------------------------------------------------ */

/* Behind the line end that no blank follows; NULL: it does not end here. */
static const char *end_of_field(const char *text, const char *end)
{
	for (const char *p = text; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		if (p + 1 == end || (p[1] != ' ' && p[1] != '\t'))
			return p + 1;
	return NULL;
}

static void take(char *out, size_t size, const char *field, const char *end, const char *key)
{
	const char *at = memmem(field, (size_t)(end - field), key, strlen(key));
	if (at == NULL)
		return;
	at += strlen(key);
	size_t len = 0;
	while (at + len < end && strchr(" ;\r\n\t", at[len]) == NULL)
		len++;
	mxg_neuter(out, size, at, len, "");
}

bool mxg_trap_told_read(struct mxg_trap_told *told, int fd)
{
	char text[FIELD_MOST];
	*told = (struct mxg_trap_told){ .message = 0 };
	ssize_t n = pread(fd, text, sizeof(text), 0);
	if (n < (ssize_t)strlen(FIELD) || memcmp(text, FIELD, strlen(FIELD)) != 0)
		return false;
	const char *end = end_of_field(text, text + n);
	if (end == NULL)
		return false;
	take(told->peer, sizeof(told->peer), text, end, " peer=");
	take(told->domain, sizeof(told->domain), text, end, " domain=");
	take(told->reason, sizeof(told->reason), text, end, " reason=");
	told->message = end - text;
	return told->peer[0] != '\0' && told->domain[0] != '\0';
}

const char *mxg_trap_state(enum mxg_trap_part part)
{
	static const char *const states[MXG_TRAP_PART_COUNT] = { "unfinished", "new", "busy", "fed" };
	return states[part];
}
