/* SPDX-License-Identifier: MIT */
#include "scan/memo.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 8192
#define KEY_MAX 320

struct slot {
	char key[KEY_MAX];
	struct mxg_memo_outcome outcome;
};

struct mxg_memo {
	struct slot slots[SLOTS];
};

struct mxg_memo *mxg_memo_new(void)
{
	return calloc(1, sizeof(struct mxg_memo));
}

void mxg_memo_free(struct mxg_memo *memo)
{
	free(memo);
}

static bool make_key(char key[KEY_MAX], const char *peer, const char *domain, size_t stretch, size_t *slot)
{
	int n = snprintf(key, KEY_MAX, "%s %s %zu", peer, domain, stretch);
	uint32_t hash = 2166136261u;
	if (n < 0 || n >= KEY_MAX)
		return false;
	for (int i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)key[i]) * 16777619u;
	*slot = hash % SLOTS;
	return true;
}

bool mxg_memo_get(const struct mxg_memo *memo, const char *peer, const char *domain, size_t stretch,
		  struct mxg_memo_outcome *out)
{
	char key[KEY_MAX];
	size_t slot;
	if (!make_key(key, peer, domain, stretch, &slot) || strcmp(memo->slots[slot].key, key) != 0)
		return false;
	*out = memo->slots[slot].outcome;
	return true;
}

void mxg_memo_put(struct mxg_memo *memo, const char *peer, const char *domain, size_t stretch,
		  const struct mxg_memo_outcome *outcome)
{
	char key[KEY_MAX];
	size_t slot;
	if (!make_key(key, peer, domain, stretch, &slot))
		return;
	memcpy(memo->slots[slot].key, key, sizeof(key));
	memo->slots[slot].outcome = *outcome;
}
