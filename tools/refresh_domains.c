/* SPDX-License-Identifier: MIT */
/* The local domains: `domains`, `domains_file`, what `domains_command` prints, and the names that `policies` blocks
 * list; and which of them are new. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "domain_names.h"
#include "policy/domains_file.h"
#include "refresh.h"
#include "refresh_tell.h"

static int no_memory(void)
{
	fputs("mxguard: out of memory\n", stderr);
	return EX_TEMPFAIL;
}

/* ---- what is listed -------------------------------------------------------------------------------- */

/* As the last snapshot has it. */
static int put_known(struct mxg_names *n, const struct mxguard_snapshot *before)
{
	struct mxg_snapshot_scan *scan = mxg_snapshot_scan_new(before, false);
	struct mxg_snapshot_record r;
	char name[256];
	bool good = scan != NULL;
	while (good && mxg_snapshot_scan_next_domain(scan, &r)) {
		memcpy(name, r.key + 1, r.key_len - 1);
		name[r.key_len - 1] = '\0';
		good = r.value[4] == 0 || mxg_names_put(n, name);
	}
	if (good && !mxg_snapshot_scan_is_whole(scan))
		fputs("mxguard refresh: warning: the snapshot is damaged; not all domains of it are known\n", stderr);
	mxg_snapshot_scan_free(scan);
	return good ? 0 : no_memory();
}

/* ---- domains_command, domains_file ------------------------------------------------------------------- */

/* What a program prints that has gone wrong is no list: one line that is no domain, and none of it counts. */
static bool read_output(struct mxg_names *n, int fd, char *why, size_t size, bool *nomem)
{
	struct mxg_domains_reader *reader;
	const char *name;
	size_t before = n->count;
	int more = 1;
	*nomem = !mxg_domains_open_fd(&reader, fd, "output");
	if (*nomem)
		close(fd);
	while (!*nomem && (more = mxg_domains_next(reader, &name, why, size)) == 1)
		*nomem = !mxg_names_put(n, name);
	mxg_domains_close(reader);
	if (*nomem || more != 0)
		return false;
	if (n->count == before)
		snprintf(why, size, "printed no domain");
	return n->count > before;
}

static bool has_shrunk(const struct mxg_refresh *run, struct mxg_names *n, char *why, size_t size)
{
	struct mxg_snapshot_facts facts = { 0 };
	if (run->store.before != NULL)
		mxg_snapshot_facts(run->store.before, run->policy, &facts);
	mxg_names_sort(n);
	if (!facts.own || (uint64_t)n->count * 5 >= (uint64_t)facts.domains * 4)
		return false;
	snprintf(why, size, "has lost more than a fifth of the domains: %zu, before %u; if it is meant: --force",
		 n->count, facts.domains);
	return true;
}

static bool run_command(struct mxg_refresh *run, struct mxg_names *n, bool force, char *why, size_t size, bool *nomem)
{
	int fd = mxg_list_run(run->policy->domains_command.items, run->signalled, why, size);
	return fd >= 0 && read_output(n, fd, why, size, nomem) && (force || !has_shrunk(run, n, why, size));
}

/* It is as it was, and somebody has to hear of it. */
static int keep_list(struct mxg_refresh *run, struct mxg_names *n, const char *why)
{
	struct mxg_snapshot_facts facts;
	mxg_names_free(n);
	mxg_refresh_warn("%s: %s; %s", mxg_policy_list_setting(run->policy), why,
			 run->store.before == NULL ? "there is no list from before" : "the list from before stays");
	if (run->store.before == NULL)
		return EX_TEMPFAIL;
	mxg_snapshot_facts(run->store.before, run->policy, &facts);
	run->list = MXG_LIST_KEPT;
	run->list_kept = facts.list_kept != 0 ? facts.list_kept : run->now;
	int status = mxg_domain_names_configured(n, run->policy);
	return status != 0 ? status : put_known(n, run->store.before);
}

static int take_printed(struct mxg_refresh *run, struct mxg_names *n, bool force)
{
	char why[600] = "";
	bool nomem = false;
	if (run_command(run, n, force, why, sizeof(why), &nomem))
		return 0;
	if (run->signalled != NULL && *run->signalled != 0) {
		fputs("mxguard refresh: ended by a signal; nothing was asked\n", stderr);
		return EX_TEMPFAIL;
	}
	return nomem ? no_memory() : keep_list(run, n, why);
}

/* Nothing in it yet, and there never was: what the configuration names stands. */
static bool is_begun(const struct mxg_refresh *run, const struct mxg_names *n)
{
	struct mxg_snapshot_facts facts = { 0 };
	if (run->store.before != NULL)
		mxg_snapshot_facts(run->store.before, run->policy, &facts);
	return run->wrong_lines == 0 && n->count > 0 && (!facts.own || facts.domains <= n->count);
}

/* Whoever edits a file may take out as many domains as he likes; where lines of it are none, or nothing is left, it was
 * not he. */
static int take_file(struct mxg_refresh *run, struct mxg_names *n, bool force)
{
	char why[600] = MXG_NO_LIST;
	int status = mxg_domain_names_file(n, run->policy->domains_file, &run->wrong_lines);
	bool good = status == 0 && (run->wrong_lines == 0 || force || !has_shrunk(run, n, why, sizeof(why)));
	if (good || (status == EX_DATAERR && is_begun(run, n)))
		return 0;
	return status == 0 || status == EX_DATAERR ? keep_list(run, n, why) : status;
}

static int collect(struct mxg_refresh *run, struct mxg_names *n, const struct mxg_domains_wanted *wanted)
{
	const struct mxguard_policy *policy = run->policy;
	int status = mxg_domain_names_configured(n, policy);
	if (status == 0 && wanted->remember)
		status = put_known(n, run->store.before);
	else if (status == 0 && policy->domains_file != NULL)
		status = take_file(run, n, wanted->force);
	else if (status == 0 && policy->domains_command.count > 0)
		status = take_printed(run, n, wanted->force);
	for (size_t i = 0; status == 0 && i < wanted->named->count; i++)
		if (!mxg_names_put(n, wanted->named->items[i]))
			status = no_memory();
	if (wanted->remember)
		run->list = MXG_LIST_REMEMBERED;
	mxg_names_sort(n);
	return status;
}

/* ---- which are new ----------------------------------------------------------------------------------- */

static int by_name(const void *name, const void *domain)
{
	return strcmp(name, ((const struct mxg_local_domain *)domain)->name);
}

struct mxg_local_domain *mxg_refresh_find_domain(const struct mxg_refresh *run, const char *name)
{
	size_t shared = run->policy->ruleset_count;
	return run->domain_count == shared ? NULL
					   : bsearch(name, run->domains + shared, run->domain_count - shared,
						     sizeof(*run->domains), by_name);
}

/* Both are sorted, nearly: the next one is the one behind the last. */
static struct mxg_local_domain *find_near(const struct mxg_refresh *run, const char *name, size_t *near)
{
	size_t next = *near + 1;
	struct mxg_local_domain *d = next < run->domain_count ? &run->domains[next] : NULL;
	if (d == NULL || d->shared || strcmp(d->name, name) != 0)
		d = mxg_refresh_find_domain(run, name);
	if (d != NULL)
		*near = (size_t)(d - run->domains);
	return d;
}

static bool compare_with_known(struct mxg_refresh *run)
{
	struct mxg_snapshot_scan *scan = mxg_snapshot_scan_new(run->store.before, false);
	struct mxg_snapshot_record r;
	size_t near = run->policy->ruleset_count - 1;
	char name[256];
	bool good = scan != NULL;
	while (good && mxg_snapshot_scan_next_domain(scan, &r)) {
		memcpy(name, r.key + 1, r.key_len - 1);
		name[r.key_len - 1] = '\0';
		struct mxg_local_domain *d = find_near(run, name, &near);
		if (d != NULL && r.value[4] != 0 && d->added) {
			d->added = false;
			run->added_count--;
		} else if (d == NULL) {
			good = mxg_names_put(&run->removed, name);
			run->removed_count += r.value[4] != 0;
		}
	}
	mxg_names_sort(&run->removed);
	mxg_snapshot_scan_free(scan);
	return good;
}

static bool make_domains(struct mxg_refresh *run)
{
	const struct mxguard_policy *policy = run->policy;
	size_t rulesets = policy->ruleset_count, count = run->names.count;
	run->domains = calloc(rulesets + count, sizeof(*run->domains));
	if (run->domains == NULL)
		return false;
	for (size_t i = 0; i < rulesets; i++)
		run->domains[i] =
			(struct mxg_local_domain){ .name = "", .ruleset = &policy->rulesets[i], .shared = true };
	for (size_t i = 0; i < count; i++) {
		const char *name = mxg_names_get(&run->names, i);
		run->domains[rulesets + i] = (struct mxg_local_domain){
			.name = name, .ruleset = mxg_policy_ruleset(policy, name, strlen(name)), .added = true
		};
	}
	run->domain_count = rulesets + count;
	run->added_count = count;
	return true;
}

static size_t force(struct mxg_refresh *run, const struct mxg_string_list *names)
{
	size_t unknown = 0;
	for (size_t i = 0; i < names->count; i++) {
		struct mxg_local_domain *d = mxg_refresh_find_domain(run, names->items[i]);
		if (d != NULL)
			d->forced = true;
		else
			unknown++;
	}
	return unknown;
}

int mxg_refresh_domains(struct mxg_refresh *run, struct mxg_domains_wanted *wanted)
{
	int status = collect(run, &run->names, wanted);
	if (status != 0)
		return status;
	if (!make_domains(run) || (run->store.before != NULL && !compare_with_known(run)))
		return no_memory();
	force(run, wanted->named);
	wanted->unknown = force(run, wanted->spooled);
	return 0;
}

int mxg_refresh_domains_known(struct mxg_refresh *run, const struct mxguard_snapshot *snapshot)
{
	static const struct mxg_string_list none;
	struct mxg_domains_wanted wanted = { .named = &none, .spooled = &none };
	wanted.remember = run->policy->domains_command.count > 0;
	run->store.before = snapshot;
	return mxg_refresh_domains(run, &wanted);
}

void mxg_refresh_domains_clear(struct mxg_refresh *run)
{
	free(run->domains);
	run->domains = NULL;
	mxg_names_free(&run->names);
	mxg_names_free(&run->removed);
}
