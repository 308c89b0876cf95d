/* SPDX-License-Identifier: MIT */
#ifndef MXG_MACRO_H
#define MXG_MACRO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "dns/name.h"

/* RFC 7208 §7: the syntax of macro-strings and their expansion. */

/* NULL where text is a domain-spec / a macro-string (§7.1), else a sentence that says what is
 * wrong. %{c} %{r} %{t} are refused: they belong to explanations only. */
const char *mxg_macro_check_domain_spec(const char *text, size_t len);
const char *mxg_macro_check_string(const char *text, size_t len);

/* The length of NAME where text is NAME=…, a modifier (§12); 0 where it is none. */
size_t mxg_macro_modifier_name(const char *text, size_t len);

struct mxg_macro_values {
	struct mxg_address peer; /* %{i} %{c} %{v} */
	const char *sender_local, *sender_domain; /* %{l} %{o}; never empty */
	const char *domain; /* %{d}: <domain> */
	const char *helo; /* %{h} */
	const char *validated; /* %{p}; "unknown" where there is none */
};

/* Expands a checked domain-spec; longer than 253 bytes: labels are cut from the left (§7.3).
 * False where its last label alone is longer. The result is terminated and may hold any byte. */
bool mxg_macro_expand(char out[254], size_t *out_len, const char *text, size_t len,
		      const struct mxg_macro_values *values);

/* Where the PTR records of an address stand (RFC 1035 §3.5, RFC 3596 §2.5). */
bool mxg_macro_reverse_name(struct mxg_name *out, const struct mxg_address *address);

/* How many bits of the peer's address the expansion depends on: by trying. */
unsigned mxg_macro_peer_bits(const char *text, size_t len, const struct mxg_macro_values *values);

bool mxg_macro_uses(const char *text, size_t len, const char *letters); /* any of these macros, lower case */

#endif
