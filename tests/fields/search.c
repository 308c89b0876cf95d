/* SPDX-License-Identifier: MIT */
/*
 * search COUNT [SEED]: made-up Received fields of every MTA by the hundred
 * thousand, with whatever a client can put into HELO, PTR, ident, login,
 * certificate, sender and the first line of the message, and of writers that nobody
 * knows. Each is read as that MTA's, as every other's, and with nobody named. The
 * printer knows where the MTA put the address: another one that comes out, or a
 * login or a local origin that was none, is wrong. SEED: the day, if not given.
 */
#include "printers.h"
#include "received/received.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *fault(const struct mxg_received *r, const struct made *made)
{
	if (r->kind == MXG_RECEIVED_LOCAL)
		return made->local ? NULL : "taken for local";
	if (r->kind == MXG_RECEIVED_MARKER)
		return made->marker ? NULL : "taken for a marker";
	if (r->kind == MXG_RECEIVED_RETRIEVED)
		return !made->fetched                                   ? "taken for fetched"
		       : mxg_address_equal(&r->address, &made->address) ? NULL
									: "another server";
	if (made->fetched)
		return "fetched, and taken for a peer";
	if (r->authenticated && !made->login)
		return "taken for a login";
	if (r->address.family == 0)
		return r->authenticated ? NULL : "a peer without an address";
	return mxg_address_equal(&r->address, &made->address) ? NULL : "another address";
}

/* How many of the readings are wrong; *right counts those with nobody named that gave the peer. */
static unsigned judge(const struct made *made, unsigned long *right)
{
	unsigned wrong = 0;
	for (unsigned i = 0; i == 0 || mxg_mta_list(i - 1) != NULL; i++) {
		unsigned mask = i == 0 ? 0 : 1u << (i - 1);
		struct mxg_received r;
		char address[MXG_ADDRESS_TEXT_MAX];
		/* these two can be told to write another name or text: who names them for an MTA that they
		 * are not, of which nobody knows where it puts what, is on his own */
		if (made->unknown && (mask & (MXG_MTA_POSTFIX | MXG_MTA_EXIM)) != 0)
			continue;
		if (!mxg_received_parse(&r, made->field, made->len, mask))
			continue;
		const char *what = fault(&r, made);
		*right += what == NULL && i == 0;
		if (what == NULL)
			continue;
		wrong++;
		printf("WRONG: %s (%s), of %s, read as %s:\n%.*s\n", what, mxg_address_format(&r.address, address),
		       made->name, i == 0 ? "anybody's" : mxg_mta_name(mask), (int)made->len, made->field);
	}
	return wrong;
}

int main(int argc, char **argv)
{
	static struct made made;
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0, right = 0, wrong = 0, plain = 0,
		      plain_right = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL) / 86400;
	if (count == 0) {
		fputs("usage: search COUNT [SEED]\n", stderr);
		return 2;
	}
	printf("seed %llu\n", (unsigned long long)seed);
	unsigned long i = 0;
	for (; i < count && wrong < 20; i++) {
		unsigned long before = right;
		make_field(&made, seed * 1000003 + i);
		wrong += judge(&made, &right);
		plain += made.plain;
		plain_right += made.plain && right > before;
	}
	printf("%lu fields, %lu readable with nobody named, %lu wrong; plain: %lu of %lu readable\n", i, right, wrong,
	       plain_right, plain);
	/* a reader that reads nothing is never wrong */
	return wrong != 0 || plain_right * 100 < plain * 97;
}
