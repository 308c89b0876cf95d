/* SPDX-License-Identifier: MIT */
#ifndef MXG_TERMS_H
#define MXG_TERMS_H

#include "base/address.h"

/* RFC 7208 §5 mechanisms. */
enum mxg_mechanism {
	MXG_MECHANISM_ALL = 1,
	MXG_MECHANISM_INCLUDE,
	MXG_MECHANISM_A,
	MXG_MECHANISM_MX,
	MXG_MECHANISM_PTR,
	MXG_MECHANISM_IP4,
	MXG_MECHANISM_IP6,
	MXG_MECHANISM_EXISTS
};

/* One term. Text is borrowed from what was parsed. */
struct mxg_term {
	enum mxg_mechanism mechanism;
	char qualifier; /* '+' '-' '~' '?' */
	struct mxg_prefix prefix; /* ip4, ip6 */
	uint8_t cidr4, cidr6; /* a, mx: 32 and 128 unless given */
	const char *target; /* domain-spec, a macro-string (§7); NULL: <domain> */
	size_t target_len;
	const char *text; /* the whole term as written */
	size_t text_len;
};

/* Whether what the term matches by is too much to be meant (docs/design.md, "Width guard"): `all`, a
 * range shorter than /12 (IPv4) or /28 (IPv6), a/… and mx/… with such a length for peers of the family. */
#define MXG_NARROW_IPV4 12
#define MXG_NARROW_IPV6 28
bool mxg_term_is_wide(const struct mxg_term *term, int family);

/* what of the error for host bits; policy.c proposes the range without them */
#define MXG_TERM_HOST_BITS "host bits are set"

struct mxg_term_error {
	const char *at; /* the offending piece, in the text given */
	size_t at_len;
	const char *what; /* a sentence for the administrator, static */
};

/*
 * One term of the configuration (`allow`): as RFC 7208 §12's grammar says, but only
 * the qualifier '+' (or none), no modifiers, and host bits in ip4/ip6 refused (that is
 * a typing error there; published records may have them). A target must end in two
 * literal labels or in %{d} (docs/design.md, "Client-chosen targets") unless `insecure_macros`.
 */
bool mxg_term_parse_configured(struct mxg_term *out, const char *text, size_t len, bool insecure_macros,
			       struct mxg_term_error *error);

/* A published record ("v=spf1 …"): its terms in order, then the modifiers. */
struct mxg_record {
	size_t count;
	struct mxg_term *terms; /* malloc'd */
	const char *redirect; /* NULL where there is none */
	size_t redirect_len;
	const char *text; /* borrowed */
	size_t text_len;
};
enum mxg_record_result {
	MXG_RECORD_OK,
	MXG_RECORD_SYNTAX, /* permerror; *error says where and what (§4.6) */
	MXG_RECORD_NOMEM
};
/* The whole record is checked first: a syntax error anywhere is a permerror (§4.6). */
enum mxg_record_result mxg_record_parse(struct mxg_record *out, const char *text, size_t len,
					struct mxg_term_error *error);
void mxg_record_clear(struct mxg_record *record);

/* Whether the client chooses whose zone is asked: behind the last of %{s} %{l} %{o} %{h} %{p}
 * stand neither two literal labels nor the whole of %{d}. */
bool mxg_target_ends_client_chosen(const char *target, size_t len);
/* The same for any macro: the rule for configured targets (two literal labels or %{d}). */
bool mxg_target_ends_in_macro(const char *target, size_t len);
/* Whether any macro of the target depends on the message (%{s} %{l} %{o} %{h} %{i}
 * %{p} %{c} %{t}…), so that a refresh cannot ask it in advance. */
bool mxg_target_per_message(const char *target, size_t len);

#endif
