/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_SKETCH_H
#define MXG_REPORT_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Sets of hashes of bounded size. What is in them depends on what was put in and not on the order, so
 * that those of many hosts add up to what one would have become.
 */

/* The smallest hashes: how many different ones there were, exactly up to MXG_LEAST_MAX, and which of the
 * smallest are in another set (Bar-Yossef et al., 2002). */
#define MXG_LEAST_MAX 64
struct mxg_least {
	union {
		uint64_t *more; /* ascending, where room > 0 */
		uint64_t one; /* most hosts of spammers come once */
	};
	uint8_t count, room;
	bool full; /* there were more */
};
static inline const uint64_t *mxg_least_items(const struct mxg_least *set)
{
	return set->room > 0 ? set->more : &set->one;
}
bool mxg_least_add(struct mxg_least *set, uint64_t hash); /* false: out of memory */
bool mxg_least_merge(struct mxg_least *into, const struct mxg_least *from);
uint64_t mxg_least_count(const struct mxg_least *set); /* an estimate where `full` */
static inline void mxg_least_expect(const struct mxg_least *set) /* one will be added soon */
{
	for (size_t at = 0; at <= set->count; at += 8)
		__builtin_prefetch(mxg_least_items(set) + at);
}
void mxg_least_free(struct mxg_least *set);

/* All hashes up to a limit, which is halved where there are too many. */
struct mxg_sample {
	uint64_t *slots; /* open addressing; 0: free */
	size_t count, room, most;
	uint64_t limit; /* UINT64_MAX: all are here */
};
void mxg_sample_init(struct mxg_sample *sample, size_t most);
bool mxg_sample_add(struct mxg_sample *sample, uint64_t hash);
void mxg_sample_expect(const struct mxg_sample *sample, uint64_t hash); /* it will be added soon */
bool mxg_sample_has(const struct mxg_sample *sample, uint64_t hash);
bool mxg_sample_limit(struct mxg_sample *sample, uint64_t limit);
void mxg_sample_free(struct mxg_sample *sample);

#endif
