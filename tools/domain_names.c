/* SPDX-License-Identifier: MIT */
#include "domain_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/grow.h"
#include "policy/domains_file.h"
#include "snapshot/snapshot.h"

#define MESSAGES_MAX 20 /* about wrong lines */

bool mxg_domain_names_add(struct mxg_domain_names *n, const char *name)
{
	if (!mxg_grow(&n->items, &n->room, n->count, sizeof(*n->items)))
		return false;
	char *copy = strdup(name);
	if (copy != NULL)
		n->items[n->count++] = copy;
	return copy != NULL;
}

static int no_memory(void)
{
	fputs("mxguard: out of memory\n", stderr);
	return EX_TEMPFAIL;
}

/* Deliveries pass over a line that is wrong, and one of them must not cost the others their
 * answers: it is told, counted, and shows in the exit status. */
static int read_file(struct mxg_domain_names *n, const char *path, size_t *wrong)
{
	struct mxg_domains_reader *reader;
	char message[512] = "";
	const char *name;
	int more, status = 0;
	if (mxg_domains_open(&reader, path, message, sizeof(message)) != MXGUARD_ERROR_NONE)
		return EX_CONFIG; /* said when the configuration was read */
	while (status == 0 && (more = mxg_domains_next(reader, &name, message, sizeof(message))) != 0) {
		if (more == 1 && !mxg_domain_names_add(n, name))
			status = no_memory();
		if (more == 1)
			continue;
		if ((*wrong)++ < MESSAGES_MAX)
			fprintf(stderr, "mxguard: %s\n", message);
		if (more != MXGUARD_ERROR_CONFIG)
			status = EX_CONFIG;
	}
	mxg_domains_close(reader);
	return status;
}

/* What domains_command has printed; refresh alone runs it. */
static int read_snapshot(struct mxg_domain_names *n, const struct mxguard_policy *policy)
{
	struct mxguard_snapshot *snapshot;
	char message[512], domain[256];
	uint64_t at = 0;
	bool good = true;
	if (mxg_snapshot_open_any(&snapshot, policy, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "mxguard: domains_command: its list stands in the snapshot: %s\n", message);
		return EX_TEMPFAIL;
	}
	while (good && mxg_snapshot_next_domain(snapshot, &at, domain))
		good = mxg_domain_names_add(n, domain);
	mxguard_snapshot_unref(snapshot);
	return good ? 0 : no_memory();
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void free_name(const char *name)
{
	free((void *)(uintptr_t)name);
}

void mxg_domain_names_sort(struct mxg_domain_names *n)
{
	size_t kept = 0;
	if (n->count > 0)
		qsort(n->items, n->count, sizeof(*n->items), by_text);
	for (size_t i = 0; i < n->count; i++) {
		if (kept > 0 && strcmp(n->items[kept - 1], n->items[i]) == 0)
			free_name(n->items[i]);
		else
			n->items[kept++] = n->items[i];
	}
	n->count = kept;
}

bool mxg_domain_names_find(const struct mxg_domain_names *n, const char *name, size_t *index)
{
	const char **found = n->count == 0 ? NULL : bsearch(&name, n->items, n->count, sizeof(*n->items), by_text);
	if (found != NULL)
		*index = (size_t)(found - n->items);
	return found != NULL;
}

void mxg_domain_names_clear(struct mxg_domain_names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free_name(n->items[i]);
	free(n->items);
	*n = (struct mxg_domain_names){ 0 };
}

static int collect(struct mxg_domain_names *n, const struct mxguard_policy *policy, size_t *wrong)
{
	const char *name;
	for (size_t i = 0; i < policy->domains.count; i++)
		if (!mxg_domain_names_add(n, policy->domains.items[i]))
			return no_memory();
	for (size_t i = 0; (name = mxg_policy_listed_domain(policy, i)) != NULL; i++)
		if (!mxg_domain_names_add(n, name))
			return no_memory();
	if (policy->domains_command.count > 0)
		return read_snapshot(n, policy);
	return policy->domains_file == NULL ? 0 : read_file(n, policy->domains_file, wrong);
}

int mxg_domain_names(struct mxg_domain_names *out, const struct mxguard_policy *policy, size_t *wrong)
{
	*out = (struct mxg_domain_names){ 0 };
	int status = collect(out, policy, wrong);
	if (status == 0)
		mxg_domain_names_sort(out);
	else
		mxg_domain_names_clear(out);
	return status;
}
