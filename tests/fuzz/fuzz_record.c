/* SPDX-License-Identifier: MIT */
/* The input is what stands behind "v=spf1", and a term of the configuration. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spf/macro.h"
#include "spf/terms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool inside(const char *piece, size_t len, const char *text, size_t text_len)
{
	return piece >= text && piece + len <= text + text_len;
}

static void check_target(const char *target, size_t len)
{
	static const struct mxg_macro_values v = { .sender_local = "l.o-c",
						   .sender_domain = "s.test",
						   .domain = "d.test",
						   .helo = "[helo]",
						   .validated = "p.test" };
	char out[254];
	size_t out_len;
	mxg_target_ends_client_chosen(target, len);
	mxg_target_per_message(target, len);
	if (mxg_macro_expand(out, &out_len, target, len, &v))
		check(out_len <= 253 && out[out_len] == '\0');
}

static void check_term(const struct mxg_term *t, const char *text, size_t len)
{
	check(t->mechanism >= MXG_MECHANISM_ALL && t->mechanism <= MXG_MECHANISM_EXISTS);
	check(inside(t->text, t->text_len, text, len));
	check(t->cidr4 <= 32 && t->cidr6 <= 128);
	if (t->target != NULL) {
		check(inside(t->target, t->target_len, text, len) && t->target_len > 0);
		check_target(t->target, t->target_len);
	}
	if (t->prefix.base.family != 0)
		check(t->prefix.bits <= (t->prefix.base.family == 4 ? 32 : 128));
}

static void try_record(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 6);
	struct mxg_record r;
	struct mxg_term_error error = { 0 };
	memcpy(text, "v=spf1", 6);
	memcpy(text + 6, data, size);
	enum mxg_record_result result = mxg_record_parse(&r, text, size + 6, &error);
	if (result == MXG_RECORD_SYNTAX)
		check(error.what != NULL && inside(error.at, error.at_len, text, size + 6));
	for (size_t i = 0; result == MXG_RECORD_OK && i < r.count; i++)
		check_term(&r.terms[i], text, size + 6);
	if (result == MXG_RECORD_OK && r.redirect != NULL)
		check_target(r.redirect, r.redirect_len);
	mxg_record_clear(&r);
	free(text);
}

static void try_configured(const uint8_t *data, size_t size, bool insecure)
{
	char *text = malloc(size + 1); /* never read as a C string: the end is poisoned, not a NUL */
	struct mxg_term t;
	struct mxg_term_error error = { 0 };
	memcpy(text, data, size);
	text[size] = 'x';
	if (mxg_term_parse_configured(&t, text, size, insecure, &error)) {
		check(t.qualifier == '+');
		check_term(&t, text, size);
	} else {
		check(error.what != NULL && inside(error.at, error.at_len, text, size));
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 8192)
		return 0;
	try_record(data, size);
	try_configured(data, size, false);
	try_configured(data, size, true);
	return 0;
}
