/* SPDX-License-Identifier: MIT */
#ifndef MXG_POLICY_BUILD_H
#define MXG_POLICY_BUILD_H

#include <libconfig.h>

#include "base/arena.h"
#include "base/domain_map.h"
#include "mxguard.h"
#include "policy/setting.h"

/* A policy in the making; shared by policy*.c only. */

#define MXG_DOMAINS_MOST 1000 /* inline; more belong into a file */

struct mxg_policy_warning {
	struct mxg_policy_warning *next;
	const char *text;
};

struct mxg_policy_build {
	struct mxguard_policy *policy;
	struct mxg_arena *arena;
	const char *name; /* of the file, for messages */
	const char *folder; /* where relative paths start; NULL: they are refused */
	const char *text; /* the whole file, for messages about its syntax */
	const config_setting_t *root;
	struct mxg_policy_warning *warnings, **last_warning;
	size_t warning_count;
	int error; /* the first one; MXGUARD_ERROR_NONE: none */
	char *message; /* NULL: nobody wants to know */
	size_t size;
};

/* ---- error.c: all return false ---------------------------------------------------- */

/* "file:line: setting: " and the text, on one line, neutered. setting NULL: only the file. */
bool mxg_build_fail(struct mxg_policy_build *b, const config_setting_t *setting, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool mxg_build_fail_line(struct mxg_policy_build *b, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* found what stands there; expected `expected` */
bool mxg_build_unexpected(struct mxg_policy_build *b, const config_setting_t *setting, const char *expected);
bool mxg_build_no_memory(struct mxg_policy_build *b);
void mxg_build_warn(struct mxg_policy_build *b, const config_setting_t *setting, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
unsigned mxg_build_line(const config_setting_t *setting);

/* ---- text.c: what libconfig would take wrongly ------------------------------------- */

struct mxg_policy_text {
	char *text; /* with a NUL, a line end before it, and no byte order mark; malloc'd */
	unsigned *lines; /* where string number 0, 1, 2 … begins; malloc'd */
	size_t line_count, line_room;
};
bool mxg_policy_text_read(struct mxg_policy_build *b, struct mxg_policy_text *out, const char *text, size_t len);
void mxg_policy_text_clear(struct mxg_policy_text *text);

/* ---- syntax.c: libconfig itself, and the root it found -------------------------------- */

bool mxg_build_syntax(struct mxg_policy_build *b, const struct mxg_policy_text *text, config_t *config);

/* ---- values.c: one setting's value ------------------------------------------------- */

/* Zeroed memory of the policy; NULL (and no memory noted) where there is none. */
void *mxg_build_take(struct mxg_policy_build *b, size_t count, size_t size);
const char *mxg_build_copy(struct mxg_policy_build *b, const char *text, size_t len);
/* The string, borrowed from libconfig; NULL (and the error noted) for other types. */
const char *mxg_build_string(struct mxg_policy_build *b, const config_setting_t *setting, const char *expected);
bool mxg_build_is_list(const config_setting_t *setting);
/* Rows' ways of taking a value: a bool, a name, an absolute path (a relative one is joined to the
 * file's folder), ranges. */
bool mxg_take_bool(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		   const config_setting_t *setting);
bool mxg_take_domain(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		     const config_setting_t *setting);
bool mxg_take_path(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		   const config_setting_t *setting);
bool mxg_take_prefixes(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		       const config_setting_t *setting);
/* The words of a command, of a line or of a list (struct mxg_string_list, NULL behind the last). */
bool mxg_take_command(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		      const config_setting_t *setting);
/* Names; with ".suffix"es where allowed. */
bool mxg_build_domains(struct mxg_policy_build *b, const config_setting_t *setting, bool suffixes,
		       struct mxg_string_list *out);
/* MTAs by name, into the mask; `names` may be NULL. */
bool mxg_build_mtas(struct mxg_policy_build *b, const config_setting_t *setting, const char *expected, unsigned *mask,
		    struct mxg_string_list *names);
/* Ranges, behind those of `first`. */
bool mxg_build_prefixes(struct mxg_policy_build *b, const config_setting_t *setting, const struct mxg_prefix *first,
			size_t first_count, struct mxg_prefix_list *out);

/* ---- settings.c -------------------------------------------------------------------------------- */

/* All of a group by the table, in the table's order; rules: of the file or the block. */
bool mxg_settings_take(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *group,
		       unsigned place);
/* Whether the group holds nothing but settings of this place. */
bool mxg_settings_know(struct mxg_policy_build *b, const config_setting_t *group, unsigned place);
bool mxg_settings_default(struct mxg_policy_build *b, struct mxg_ruleset *rules);

/* ---- network.c ------------------------------------------------------------------------------- */

bool mxg_take_internal(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		       const config_setting_t *setting);
bool mxg_take_servers(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		      const config_setting_t *setting);
bool mxg_network_defaults(struct mxg_policy_build *b);
bool mxg_own_names(struct mxg_policy_build *b); /* own_names.c; behind the defaults */

/* ---- origin.c: `origin`, of the file or of an entry of `gateways` --------------------------------- */

bool mxg_take_origin(struct mxg_policy_build *b, struct mxg_origin_rules *out, const config_setting_t *group,
		     unsigned place);

/* ---- gateways.c, token_value.c, certificate_value.c, blocks.c, hash.c ------------------------- */

bool mxg_take_gateways(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		       const config_setting_t *setting);
bool mxg_take_token(struct mxg_policy_build *b, struct mxg_token *token, const config_setting_t *setting);
bool mxg_take_certificate(struct mxg_policy_build *b, struct mxg_certificate_rule *rule,
			  const config_setting_t *setting);
/* Makes the rulesets: the blocks' are copies of the default, changed. */
bool mxg_take_policies(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		       const config_setting_t *setting);
/* What only the whole tells: no gateways in enforce mode. */
bool mxg_rulesets_judge(struct mxg_policy_build *b);
void mxg_policy_hash(struct mxguard_policy *policy);

#endif
