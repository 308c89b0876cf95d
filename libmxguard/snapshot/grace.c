/* SPDX-License-Identifier: MIT */
#include "snapshot/grace.h"

#include <string.h>

int64_t mxg_grace_end(const struct mxg_answer *version, uint32_t grace)
{
	if (version->doubtful)
		return version->superseded;
	return version->superseded + (version->ttl > grace ? version->ttl : grace);
}

static void add_moment(struct mxg_grace_moment *all, size_t *count, const struct mxg_grace_moment *new)
{
	size_t i = 0;
	while (i < *count && all[i].at > new->at)
		i++;
	if (i == MXG_GRACE_MOMENTS)
		return;
	if (i < *count && all[i].at == new->at) {
		if (all[i].until < new->until)
			all[i] = *new;
		return;
	}
	*count += *count < MXG_GRACE_MOMENTS;
	memmove(all + i + 1, all + i, (*count - i - 1) * sizeof(*new));
	all[i] = *new;
}

size_t mxg_grace_moments(const struct mxg_answers *answers, unsigned marks, uint32_t grace, int64_t now,
			 struct mxg_grace_moment out[MXG_GRACE_MOMENTS])
{
	size_t count = 0;
	for (int e = 0; e < (int)mxg_answers_count(answers); e++) {
		const struct mxg_answer *versions;
		if ((mxg_answers_flags(answers, e) & marks) != marks)
			continue;
		size_t n = mxg_answers_versions(answers, e, &versions);
		for (size_t v = 0; v < n; v++) {
			struct mxg_grace_moment new = { versions[v].superseded, mxg_grace_end(&versions[v], grace), e };
			if (new.at > 0 && new.at <= now && now < new.until)
				add_moment(out, &count, &new);
		}
	}
	return count;
}
