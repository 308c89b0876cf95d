/* SPDX-License-Identifier: MIT */
#ifndef MXG_SETTING_H
#define MXG_SETTING_H

#include "base/arena.h"
#include "policy/override_names.h"
#include "policy/policy.h"

/*
 * The table of settings: one row for each that mxguard.conf(5) names. The file is read by it,
 * overrides are, defaults come from it, and a test holds the manual to it.
 */

struct config_setting_t;
struct mxg_policy_build;

enum mxg_setting_place {
	MXG_PLACE_FILE = 1 << 0,
	MXG_PLACE_BLOCK = 1 << 1, /* of `policies` */
	MXG_PLACE_TRACE = 1 << 2,
	MXG_PLACE_DNS = 1 << 3,
	MXG_PLACE_GATEWAY = 1 << 4, /* an entry of `gateways` */
	MXG_PLACE_HEADER = 1 << 5, /* `header` of such an entry */
	MXG_PLACE_CERTIFICATE = 1 << 6, /* … and `certificate` */
	MXG_PLACE_ORIGIN = 1 << 7,
	MXG_PLACE_TRAP = 1 << 8,
	MXG_PLACE_GATEWAY_ORIGIN = 1 << 9 /* `origin` of an entry */
};

/* What several of them expect. */
#define MXG_EXPECTED_BY "a domain name or .suffix"
#define MXG_EXPECTED_MTA "an MTA's name, such as \"postfix\" or \"exim\"; mxguard.conf(5) lists them"

enum mxg_override_number {
#define X(UPPER, lower) MXG_OVERRIDE_NUMBER_##UPPER,
	MXG_OVERRIDES(X)
#undef X
		MXG_OVERRIDE_COUNT
};
enum mxg_override_bit {
#define X(UPPER, lower) MXG_OVERRIDE_##UPPER = 1 << MXG_OVERRIDE_NUMBER_##UPPER,
	MXG_OVERRIDES(X)
#undef X
};

struct mxg_setting {
	const char *name;
	unsigned places; /* enum mxg_setting_place */
	unsigned override; /* enum mxg_override_bit; 0: for the file only */
	size_t field; /* in struct mxg_ruleset where a block may have it, else in struct mxguard_policy */
	const char *expected; /* "found …; expected …" */
	const char *fallback; /* the default, as it would be written; NULL: `otherwise` says what holds */
	const char *otherwise; /* both NULL: a group, whose settings have their own */
	/* One string: MXGUARD_ERROR_NONE, _INVALID (it is not what is expected) or _NOMEM. */
	int (*read)(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena);
	const void *detail; /* for `read` */
	/* From the file; NULL: a string, for `read`. */
	bool (*take)(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		     const struct config_setting_t *setting);
};

extern const struct mxg_setting mxg_settings[];
extern const size_t mxg_setting_count;

/* The value of a front end's own configuration. MXGUARD_ERROR_INVALID with what is expected, NULL
 * where no setting of this name can be overridden; else its bit. */
int mxg_setting_override(struct mxg_ruleset *rules, struct mxg_arena *arena, const char *name, const char *text,
			 unsigned *bit, const char **expected);

/* ---- read.c: values of one string ------------------------------------------------------------- */

struct mxg_word {
	const char *text; /* NULL: the end */
	unsigned value;
};

/* `detail`: the words, of which the field, an enum, gets one's value */
int mxg_read_word(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena);
/* two such fields, one behind the other */
int mxg_read_word_twice(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena);
/* bool detail(const char *): whether the text is one */
int mxg_read_text(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena);
int mxg_read_seconds(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena);
int mxg_read_milliseconds(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena);
/* uint64_t; "10%" of 1 to 100, and "2G" as bytes */
int mxg_read_percent(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena);
int mxg_read_bytes(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena);
/* struct mxg_exempt, of addresses between blanks and commas */
int mxg_read_exempt(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena);
/* One of them, in lower case; NULL and *error: it is none, or there is no memory. */
const char *mxg_read_exempt_address(const char *text, size_t len, struct mxg_arena *arena, int *error);

bool mxg_is_reply_text(const char *text);
bool mxg_is_mailbox(const char *text);
bool mxg_is_command(const char *text);
bool mxg_is_authserv_id(const char *text);

#endif
