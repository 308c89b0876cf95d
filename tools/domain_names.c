/* SPDX-License-Identifier: MIT */
#include "domain_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "policy/domains_file.h"
#include "snapshot/snapshot.h"

#define MESSAGES_MAX 20 /* about wrong lines */

static int no_memory(void)
{
	fputs("mxguard: out of memory\n", stderr);
	return EX_TEMPFAIL;
}

/* Deliveries pass over a line that is wrong, and one of them must not cost the others their
 * answers: it is told, counted, and shows in the exit status. */
int mxg_domain_names_file(struct mxg_names *n, const char *path, size_t *wrong)
{
	struct mxg_domains_reader *reader;
	char message[512] = "";
	const char *name;
	size_t before = n->count, wrong_before = *wrong;
	int more, status = 0;
	if (mxg_domains_open(&reader, path, message, sizeof(message)) != MXGUARD_ERROR_NONE)
		return EX_CONFIG; /* said when the configuration was read */
	while (status == 0 && (more = mxg_domains_next(reader, &name, message, sizeof(message))) != 0) {
		if (more == 1 && !mxg_names_put(n, name))
			status = no_memory();
		if (more == 1)
			continue;
		if ((*wrong)++ < MESSAGES_MAX)
			fprintf(stderr, "mxguard: %s\n", message);
		if (more != MXGUARD_ERROR_CONFIG)
			status = EX_CONFIG;
	}
	mxg_domains_close(reader);
	if (status == 0 && !mxg_domains_is_list(n->count - before, *wrong - wrong_before))
		status = EX_DATAERR;
	return status;
}

/* What domains_command has printed; refresh alone runs it. */
static int read_snapshot(struct mxg_names *n, const struct mxguard_policy *policy)
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
		good = mxg_names_put(n, domain);
	mxguard_snapshot_unref(snapshot);
	return good ? 0 : no_memory();
}

/* A file without any line is a list that nobody has begun. */
static int read_file(struct mxg_names *n, const char *path, size_t *wrong)
{
	int status = mxg_domain_names_file(n, path, wrong);
	if (status != EX_DATAERR)
		return status;
	if (*wrong == 0)
		return 0;
	fprintf(stderr, "mxguard: domains_file: %s: " MXG_NO_LIST "\n", path);
	return EX_CONFIG;
}

int mxg_domain_names_configured(struct mxg_names *n, const struct mxguard_policy *policy)
{
	const char *name;
	for (size_t i = 0; i < policy->domains.count; i++)
		if (!mxg_names_put(n, policy->domains.items[i]))
			return no_memory();
	for (size_t i = 0; (name = mxg_policy_listed_domain(policy, i)) != NULL; i++)
		if (!mxg_names_put(n, name))
			return no_memory();
	return 0;
}

static int collect(struct mxg_names *n, const struct mxguard_policy *policy, size_t *wrong)
{
	int status = mxg_domain_names_configured(n, policy);
	if (status != 0)
		return status;
	if (policy->domains_command.count > 0)
		return read_snapshot(n, policy);
	return policy->domains_file == NULL ? 0 : read_file(n, policy->domains_file, wrong);
}

int mxg_domain_names(struct mxg_names *out, const struct mxguard_policy *policy, size_t *wrong)
{
	*out = (struct mxg_names){ 0 };
	int status = collect(out, policy, wrong);
	if (status == 0)
		mxg_names_sort(out);
	else
		mxg_names_free(out);
	return status;
}
