/* SPDX-License-Identifier: MIT */
#ifndef MXG_ROUTE_H
#define MXG_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where an MTA may take an address (docs/design.md, "Routed addresses"):
 * user%inner@outer, inner!user@outer, "user@inner"@outer, @outer:user@inner, user@inner@. They
 * differ in what they make of which, so that this names every domain in which it may end.
 */
#define MXG_ROUTE_MOST 9 /* the outer domain and eight inner ones */

struct mxg_route_piece {
	const char *at;
	size_t len;
};

struct mxg_route {
	size_t count;
	struct mxg_route_piece domains[MXG_ROUTE_MOST]; /* outermost first; "": none is named there */
	struct mxg_route_piece user; /* at == NULL where it is in doubt who that is */
	bool unreadable; /* deeper, or not wholly understood: there may be other domains in it */
};

/* Whether the address, from which its angle brackets are taken already, has to be read by
 * mxg_route_read(); false where it is local@domain, or local alone, and no MTA sees more in it.
 * at: of the last @; len where there is none. */
bool mxg_route_is_needed(const char *path, size_t at, size_t len);

/* Postfix looks domains up by full case folding, in which some letters become ASCII (straße: strasse).
 * True, and the folded name, where that makes all of it ASCII. */
bool mxg_route_fold(char out[256], const char *domain, size_t len);

/* The pieces lie in buffer, which has room for len bytes. */
void mxg_route_read(struct mxg_route *out, char *buffer, const char *path, size_t len);

#endif
