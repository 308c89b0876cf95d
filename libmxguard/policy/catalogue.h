/* SPDX-License-Identifier: MIT */
#ifndef MXG_CATALOGUE_H
#define MXG_CATALOGUE_H

#include "policy/policy.h"

/* Filter services: how their MX hosts are called, and from where they deliver (data/vendors.conf). */

enum mxg_documented {
	MXG_DOCUMENTED_NOT = 0, /* no terms: the source says where they are to be had */
	MXG_DOCUMENTED_SENDING, /* for mail that they send to the world */
	MXG_DOCUMENTED_DELIVERY /* for mail that they hand over to their customers */
};

struct mxg_vendor {
	const char *name;
	struct mxg_string_list mx; /* lower case; names, or ".suffix"es */
	const char *allow; /* terms; NULL: none. MXG_VENDOR_MX: see mxg_vendor_allow() */
	const char *certificate; /* common name of the client certificate; NULL: not known */
	const char *notes; /* NULL: none */
	const char *source, *date; /* where and when it was read: https://…, 2026-11-29 */
	enum mxg_documented documented;
	bool shared; /* its addresses deliver for all of its customers */
};

struct mxg_catalogue {
	struct mxg_vendor *items;
	size_t count;
	void *memory;
};

/* NULL, and the message says why: a syntax error, a setting too many or missing, a term that is none,
 * an MX pattern that two vendors have. */
struct mxg_catalogue *mxg_catalogue_parse(const char *text, size_t len, const char *name, char *message, size_t size);
void mxg_catalogue_free(struct mxg_catalogue *catalogue); /* NULL is allowed */

/* Whose MX host it is; lower case, no trailing dot. NULL: nobody's that is known. */
const struct mxg_vendor *mxg_catalogue_find(const struct mxg_catalogue *catalogue, const char *host);

/* In `allow`: what stands in the MX host's name between its first label and the pattern. */
#define MXG_VENDOR_MX "{mx}"
#define MXG_VENDOR_ALLOW_MAX 1024
/* The vendor's terms for this host of his. False: it has none, or the host's name gives none. */
bool mxg_vendor_allow(const struct mxg_vendor *vendor, const char *host, char out[MXG_VENDOR_ALLOW_MAX]);

#endif
