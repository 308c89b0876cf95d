/* SPDX-License-Identifier: MIT */
/* One field. The oracle knows no grammar; it holds what every MTA has in
 * common: the address that is reported stands in the field, whole, before the
 * "by" that is reported, on the first physical line (the second where the first
 * is one word, or where Exchange folds), and no second line begins with "by". */
#include "received/received.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
	if (!truth)
		abort();
}

static bool is_address_byte(char c)
{
	return c != '\0' && strchr("0123456789abcdefABCDEF:.", c) != NULL;
}

/* Whether the address stands in [at, end) between bytes that are no part of one. */
static bool stands_in(const char *at, const char *end, const struct mxg_address *address)
{
	while (at < end) {
		if (!is_address_byte(*at)) {
			at++;
			continue;
		}
		const char *start = at;
		while (at < end && is_address_byte(*at))
			at++;
		/* a port, a tag or a mapped prefix may cling to it */
		for (const char *from = start; from < at; from++) {
			for (const char *to = at; to > from; to--) {
				struct mxg_address found;
				if (mxg_address_parse(&found, from, (size_t)(to - from), MXG_ADDRESS_BARE) &&
				    mxg_address_equal(&found, address))
					return true;
			}
		}
	}
	return false;
}

static unsigned lines_that_begin_with_by(const char *s, size_t len)
{
	unsigned n = 0;
	for (size_t i = 0; i < len; i++) {
		if (s[i] != '\n')
			continue;
		for (i++; i < len && (s[i] == ' ' || s[i] == '\t'); i++)
			;
		n += len - i > 3 && memcmp(s + i, "by ", 3) == 0;
		i--;
	}
	return n;
}

static void inside(struct mxg_slice s, const char *field, size_t len)
{
	require(s.len == 0 || (s.at >= field && s.at + s.len <= field + len));
}

static void check(const char *field, size_t len, unsigned mask)
{
	struct mxg_received r;
	bool readable = mxg_received_parse(&r, field, len, mask);
	inside(r.helo, field, len);
	inside(r.hostname, field, len);
	inside(r.by, field, len);
	inside(r.protocol, field, len);
	inside(r.id, field, len);
	inside(mxg_received_for(&r), field, len);
	inside(r.date_text, field, len);
	require(readable == (r.kind != MXG_RECEIVED_UNREADABLE));
	require(readable || (!r.authenticated && r.address.family == 0));
	if (!readable)
		return;
	require(r.reason == MXG_RECEIVED_READ && r.mta != 0 && (mask == 0 || (r.mta & (mask | MXG_MTA_AGENTS)) != 0));
	require(memchr(field, '\0', len) == NULL && memchr(field, '\v', len) == NULL);
	require(lines_that_begin_with_by(field, len) <= 1);
	bool hidden = r.kind == MXG_RECEIVED_PEER && r.mta == MXG_MTA_EXIM && r.authenticated && r.address.family == 0;
	bool shows = (r.kind == MXG_RECEIVED_PEER && !hidden) || r.kind == MXG_RECEIVED_RETRIEVED;
	require(shows == (r.address.family != 0));
	require(!r.authenticated || r.kind == MXG_RECEIVED_PEER);
	require(!r.local_if_last || r.kind == MXG_RECEIVED_MARKER);
	if (!shows)
		return;
	const char *end = r.by.len > 0 && r.mta != MXG_MTA_AMAVIS ? r.by.at : field + len;
	const char *lf = memchr(field, '\n', (size_t)(end - field));
	const char *second = lf == NULL ? NULL : memchr(lf + 1, '\n', (size_t)(end - lf - 1));
	const unsigned second_line = MXG_MTA_EXIM | MXG_MTA_GETMAIL | MXG_MTA_FETCHMAIL;
	const unsigned any_line = MXG_MTA_EXCHANGE | MXG_MTA_OTHER; /* one address, one comment */
	if (lf != NULL && (r.mta & (second_line | any_line)) == 0)
		end = lf;
	else if (second != NULL && (r.mta & second_line) != 0)
		end = second;
	require(stands_in(field, end, &r.address));
	/* where HELO is raw, an address on a later line may be the true one, pushed down there */
	if (lf != NULL && r.by.len > 0 && lf < r.by.at &&
	    (r.mta & (MXG_MTA_CYRUS | MXG_MTA_SENDMAIL | MXG_MTA_COURIER)) != 0)
		require(memchr(lf, '[', (size_t)(r.by.at - lf)) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char name[] = "Received: ";
	static const unsigned masks[] = { 0, MXG_MTA_POSTFIX, MXG_MTA_EXIM, MXG_MTA_COURIER | MXG_MTA_DOVECOT };
	if (size > 4096)
		return 0;
	char *field = malloc(sizeof(name) - 1 + size);
	if (field == NULL)
		return 0;
	memcpy(field, name, sizeof(name) - 1);
	if (size > 0)
		memcpy(field + sizeof(name) - 1, data, size);
	for (unsigned i = 0; i < sizeof(masks) / sizeof(masks[0]); i++)
		check(field, sizeof(name) - 1 + size, masks[i]);
	free(field);
	return 0;
}
