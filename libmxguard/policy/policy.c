/* SPDX-License-Identifier: MIT */
/* From the file to the policy: libconfig is asked here, and what it says is copied into one
 * arena, which is the policy. */
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/build.h"
#include "base/trusted_file.h"

#define FILE_MOST (1024u * 1024u)
#define TEXT_MOST (64u * 1024u * 1024u)

/* ---- the object --------------------------------------------------------------------------------- */

struct mxguard_policy *mxguard_policy_ref(struct mxguard_policy *policy)
{
	atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
	return policy;
}

static void free_sets(struct mxguard_policy *policy)
{
	for (size_t i = 0; i < policy->ruleset_count; i++)
		if (i == 0 || policy->rulesets[i].prefixes != policy->rulesets[0].prefixes)
			mxg_prefix_set_free(policy->rulesets[i].prefixes);
}

void mxguard_policy_unref(struct mxguard_policy *policy)
{
	if (policy == NULL || atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct mxg_arena *arena = policy->memory;
	free_sets(policy);
	mxg_arena_free(arena); /* the policy itself is in it */
	free(arena);
}

const char *mxguard_policy_warning(const struct mxguard_policy *policy, size_t index)
{
	return index < policy->warnings.count ? policy->warnings.items[index] : NULL;
}

/* ---- making it ------------------------------------------------------------------------------------- */

static struct mxguard_policy *new_policy(struct mxg_policy_build *b)
{
	struct mxg_arena *arena = calloc(1, sizeof(*arena));
	b->arena = arena;
	struct mxguard_policy *p = arena == NULL ? NULL : mxg_build_take(b, 1, sizeof(*p));
	struct mxg_ruleset *rules = p == NULL ? NULL : mxg_build_take(b, 1, sizeof(*rules));
	if (rules == NULL) {
		if (arena != NULL)
			mxg_arena_free(arena);
		free(arena);
		mxg_build_no_memory(b);
		return NULL;
	}
	rules->label = "default";
	rules->prefixes = mxg_prefix_set_new(NULL, 0);
	atomic_init(&p->refs, 1);
	p->memory = arena;
	p->rulesets = rules;
	p->ruleset_count = 1;
	b->policy = p;
	if (rules->prefixes == NULL || !mxg_settings_default(b, rules))
		mxg_build_no_memory(b);
	return p;
}

static bool list_warnings(struct mxg_policy_build *b)
{
	const char **items = mxg_build_take(b, b->warning_count, sizeof(*items));
	size_t count = 0;
	for (struct mxg_policy_warning *w = b->warnings; items != NULL && w != NULL; w = w->next)
		items[count++] = w->text;
	b->policy->warnings = (struct mxg_string_list){ items, count };
	return items != NULL;
}

/* `domains`, for quick questions. */
static bool map_domains(struct mxg_policy_build *b)
{
	struct mxguard_policy *p = b->policy;
	unsigned line = 0;
	p->domain_set = p->domains.count == 0 ? NULL : mxg_domain_map_new(b->arena, p->domains.count);
	if (p->domains.count > 0 && p->domain_set == NULL)
		return mxg_build_no_memory(b);
	for (size_t i = 0; i < p->domains.count; i++)
		mxg_domain_map_add(p->domain_set, p->domains.items[i], 0, &line); /* twice is no harm */
	return true;
}

static bool take_all(struct mxg_policy_build *b)
{
	if (!mxg_settings_take(b, &b->policy->rulesets[0], b->root, MXG_PLACE_FILE) || !mxg_rulesets_judge(b) ||
	    !mxg_network_defaults(b) || !map_domains(b) || !list_warnings(b))
		return false;
	b->policy->path = mxg_build_copy(b, b->name, strlen(b->name));
	mxg_policy_hash(b->policy);
	return b->error == MXGUARD_ERROR_NONE;
}

/* ---- the text --------------------------------------------------------------------------------------- */

static bool parse_text(struct mxg_policy_build *b, const struct mxg_policy_text *text)
{
	config_t config;
	config_init(&config);
	bool good = mxg_build_syntax(b, text, &config) && take_all(b);
	config_destroy(&config);
	return good;
}

static int build(struct mxguard_policy **policy, struct mxg_policy_build *b, const char *text, size_t len)
{
	struct mxg_policy_text read = { 0 };
	b->last_warning = &b->warnings;
	b->policy = new_policy(b);
	if (b->policy == NULL)
		return b->error;
	if (b->error == MXGUARD_ERROR_NONE && mxg_policy_text_read(b, &read, text, len) && parse_text(b, &read) &&
	    b->error == MXGUARD_ERROR_NONE)
		*policy = b->policy;
	else
		mxguard_policy_unref(b->policy);
	mxg_policy_text_clear(&read);
	return b->error;
}

int mxguard_policy_parse(struct mxguard_policy **policy, const char *text, size_t length, const char *name,
			 unsigned flags, char *message, size_t size)
{
	struct mxg_policy_build b = { .name = name, .message = message, .size = message == NULL ? 0 : size };
	if (b.size > 0)
		message[0] = '\0';
	if (policy == NULL)
		return MXGUARD_ERROR_INVALID;
	*policy = NULL;
	if (flags != 0 || name == NULL || (text == NULL && length > 0))
		return MXGUARD_ERROR_INVALID;
	if (length > TEXT_MOST) {
		mxg_build_fail(&b, NULL, "found %zu bytes; expected at most %u", length, TEXT_MOST);
		return b.error;
	}
	return build(policy, &b, text, length);
}

/* The folder of a file, for relative paths in it; malloc'd. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int load_error(struct mxg_policy_build *b, int error, const char *why)
{
	if (error == MXGUARD_ERROR_NOMEM)
		mxg_build_no_memory(b);
	else
		mxg_build_fail(b, NULL, "%s", why);
	return error;
}

int mxguard_policy_load(struct mxguard_policy **policy, const char *path, unsigned flags, char *message, size_t size)
{
	struct mxg_policy_build b = { .name = path, .message = message, .size = message == NULL ? 0 : size };
	char why[MXG_TRUSTED_WHY_MAX], *text = NULL;
	size_t len = 0;
	if (b.size > 0)
		message[0] = '\0';
	if (policy == NULL)
		return MXGUARD_ERROR_INVALID;
	*policy = NULL;
	if (flags != 0 || path == NULL)
		return MXGUARD_ERROR_INVALID;
	int result = mxg_trusted_read(path, 0, FILE_MOST, 0, &text, &len, why);
	if (result != MXGUARD_ERROR_NONE)
		return load_error(&b, result, why);
	if (len == 0) {
		/* It is being written: most programs empty a file first. Its defaults would let mail in. */
		free(text);
		return load_error(&b, MXGUARD_ERROR_CONFIG, "found an empty file; expected settings");
	}
	char *folder = folder_of(path);
	b.folder = folder;
	result = folder == NULL ? load_error(&b, MXGUARD_ERROR_NOMEM, why) : build(policy, &b, text, len);
	free(folder);
	free(text);
	return result;
}
