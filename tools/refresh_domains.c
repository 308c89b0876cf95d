/* SPDX-License-Identifier: MIT */
/* The local domains: `domains`, `domains_file`, and the names that `policies` blocks list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "policy/domains_file.h"
#include "base/grow.h"
#include "refresh.h"

#define MESSAGES_MAX 20 /* about wrong lines */

struct names {
	const char **items; /* each malloc'd */
	size_t count, room;
};

static bool add_name(struct names *n, const char *name)
{
	if (!mxg_grow(&n->items, &n->room, n->count, sizeof(*n->items)))
		return false;
	n->items[n->count] = strdup(name);
	return n->items[n->count++] != NULL;
}

static int no_memory(void)
{
	fputs("mxguard: out of memory\n", stderr);
	return EX_TEMPFAIL;
}

/* Deliveries pass over a line that is wrong, and one of them must not cost the others their
 * answers: it is told, counted, and shows in the exit status. */
static int read_file(struct names *n, const char *path, size_t *wrong)
{
	struct mxg_domains_reader *reader;
	char message[512] = "";
	const char *name;
	int more, status = 0;
	if (mxg_domains_open(&reader, path, message, sizeof(message)) != MXGUARD_ERROR_NONE)
		return EX_CONFIG; /* said when the configuration was read */
	while (status == 0 && (more = mxg_domains_next(reader, &name, message, sizeof(message))) != 0) {
		if (more == 1 && !add_name(n, name))
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

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_unique(struct names *n)
{
	size_t kept = 0;
	if (n->count > 0)
		qsort(n->items, n->count, sizeof(*n->items), by_text);
	for (size_t i = 0; i < n->count; i++) {
		if (kept > 0 && strcmp(n->items[kept - 1], n->items[i]) == 0)
			free((void *)(uintptr_t)n->items[i]);
		else
			n->items[kept++] = n->items[i];
	}
	n->count = kept;
}

static int collect(struct names *n, const struct mxguard_policy *policy, size_t *wrong)
{
	const char *name;
	for (size_t i = 0; i < policy->domains.count; i++)
		if (!add_name(n, policy->domains.items[i]))
			return no_memory();
	for (size_t i = 0; (name = mxg_policy_listed_domain(policy, i)) != NULL; i++)
		if (!add_name(n, name))
			return no_memory();
	return policy->domains_file == NULL ? 0 : read_file(n, policy->domains_file, wrong);
}

int mxg_refresh_domains(struct mxg_refresh *run)
{
	struct names n = { 0 };
	size_t rulesets = run->policy->ruleset_count;
	int status = collect(&n, run->policy, &run->wrong_lines);
	if (status != 0) {
		free(n.items);
		return status;
	}
	sort_unique(&n);
	run->domains = calloc(rulesets + n.count, sizeof(*run->domains));
	if (run->domains == NULL) {
		free(n.items);
		return no_memory();
	}
	for (size_t i = 0; i < rulesets; i++)
		run->domains[i] =
			(struct mxg_local_domain){ .name = "", .ruleset = &run->policy->rulesets[i], .shared = true };
	for (size_t i = 0; i < n.count; i++)
		run->domains[rulesets + i] = (struct mxg_local_domain){
			.name = n.items[i], .ruleset = mxg_policy_ruleset(run->policy, n.items[i], strlen(n.items[i]))
		};
	run->domain_count = rulesets + n.count;
	free(n.items);
	return 0;
}
