/* SPDX-License-Identifier: MIT */
#include "base/nearest.h"

#include <string.h>

#define NAME_ROOM 40u /* longer ones are near to nothing */

/* Levenshtein's distance. */
static unsigned distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned row[NAME_ROOM];
	for (unsigned j = 0; j <= lb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);
			unsigned drop = row[j] + 1, insert = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = drop < insert ? drop : insert;
			if (change < row[j])
				row[j] = change;
		}
	}
	return row[lb];
}

const char *mxg_nearest(const char *written, const char *const *known, size_t count)
{
	const char *nearest = NULL;
	size_t len = strlen(written);
	unsigned best = (unsigned)len / 3 + 2;
	for (size_t i = 0; i < count && len < NAME_ROOM; i++) {
		size_t known_len = strlen(known[i]);
		unsigned d = known_len < NAME_ROOM ? distance(written, len, known[i], known_len) : best;
		if (d < best && d < known_len) {
			best = d;
			nearest = known[i];
		}
	}
	return nearest;
}
