/* SPDX-License-Identifier: MIT */
#include "base/domain_map.h"

#include <string.h>

struct entry {
	const char *name;
	size_t len;
	uint32_t value;
	unsigned line;
};

struct mxg_domain_map {
	struct entry *entries;
	uint32_t *table; /* entry + 1 by name, open addressing; 0: free */
	size_t count, most, table_size; /* a power of two, at least twice `most` */
	bool suffixes; /* there are some */
};

struct mxg_domain_map *mxg_domain_map_new(struct mxg_arena *arena, size_t most)
{
	size_t size = 8;
	while (size < most * 2)
		size *= 2;
	struct mxg_domain_map *map = mxg_arena_take(arena, sizeof(*map));
	struct entry *entries = mxg_arena_take(arena, (most + 1) * sizeof(*entries));
	uint32_t *table = mxg_arena_take(arena, size * sizeof(*table));
	if (map == NULL || entries == NULL || table == NULL)
		return NULL;
	memset(table, 0, size * sizeof(*table));
	*map = (struct mxg_domain_map){ .entries = entries, .table = table, .most = most, .table_size = size };
	return map;
}

/* Eight bytes a step: most domains are two steps long. The table is the administrator's:
 * nobody can choose names that collide in it. */
static uint32_t hash_of(const char *name, size_t len)
{
	const uint64_t prime = 0x9e3779b97f4a7c15u;
	uint64_t hash = len, word = 0;
	for (; len >= sizeof(word); name += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, name, sizeof(word));
		hash = (hash ^ word) * prime;
		hash ^= hash >> 32;
	}
	word = 0;
	for (size_t i = 0; i < len; i++)
		word = word << 8 | (unsigned char)name[i];
	hash = (hash ^ word) * prime;
	return (uint32_t)(hash >> 32);
}

static size_t find_slot(const struct mxg_domain_map *map, const char *name, size_t len)
{
	size_t at = hash_of(name, len) & (map->table_size - 1);
	while (map->table[at] != 0) {
		const struct entry *e = &map->entries[map->table[at] - 1];
		if (e->len == len && memcmp(e->name, name, len) == 0)
			break;
		at = (at + 1) & (map->table_size - 1);
	}
	return at;
}

bool mxg_domain_map_add(struct mxg_domain_map *map, const char *name, uint32_t value, unsigned *line)
{
	size_t len = strlen(name), slot = find_slot(map, name, len);
	if (map->table[slot] != 0) {
		*line = map->entries[map->table[slot] - 1].line;
		return false;
	}
	if (map->count == map->most)
		return true; /* cannot be: the caller counted */
	map->entries[map->count] = (struct entry){ name, len, value, *line };
	map->table[slot] = (uint32_t)++map->count;
	map->suffixes = map->suffixes || name[0] == '.';
	return true;
}

static const struct entry *find(const struct mxg_domain_map *map, const char *name, size_t len)
{
	uint32_t found = map->table[find_slot(map, name, len)];
	return found == 0 ? NULL : &map->entries[found - 1];
}

bool mxg_domain_map_find(const struct mxg_domain_map *map, const char *name, size_t len, uint32_t *value)
{
	if (map == NULL || map->count == 0 || len == 0)
		return false;
	const struct entry *e = name[0] == '.' ? NULL : find(map, name, len);
	/* longest first: the first one found is it */
	for (size_t i = 1; e == NULL && map->suffixes && i < len; i++)
		if (name[i] == '.')
			e = find(map, name + i, len - i);
	if (e != NULL)
		*value = e->value;
	return e != NULL;
}

bool mxg_domain_map_has(const struct mxg_domain_map *map, const char *name, size_t len)
{
	return map != NULL && map->count > 0 && find(map, name, len) != NULL;
}

const char *mxg_domain_map_name(const struct mxg_domain_map *map, size_t index, uint32_t *value)
{
	if (map == NULL || index >= map->count)
		return NULL;
	*value = map->entries[index].value;
	return map->entries[index].name;
}
