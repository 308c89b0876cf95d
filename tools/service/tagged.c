/* SPDX-License-Identifier: MIT */
/* The memory of fields that messages have got. */
#include "tagged.h"

#include <string.h>
#include <sys/random.h>

void mxg_tagged_init(struct mxg_tagged *tagged)
{
	memset(tagged, 0, sizeof(*tagged));
	/* a seed nobody knows: no client can choose what crowds out what. Without it all still works. */
	if (getrandom(&tagged->seed, sizeof(tagged->seed), GRND_NONBLOCK) < 0)
		tagged->seed = 0x9e3779b97f4a7c15;
}

static uint64_t mix(uint64_t hash, const char *text)
{
	do { /* the closing NUL counts, too: it parts the texts */
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3;
		hash ^= hash >> 29;
	} while (*text++ != '\0');
	return hash;
}

bool mxg_tagged_first(struct mxg_tagged *tagged, const char *instance, const char *field)
{
	if (instance == NULL || instance[0] == '\0')
		return true;
	uint64_t hash = mix(mix(tagged->seed, instance), field) | 1;
	uint64_t *slot = &tagged->slots[(hash >> 32) % MXG_TAGGED_SLOTS];
	bool first = *slot != hash;
	*slot = hash;
	return first;
}
