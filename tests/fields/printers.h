/* SPDX-License-Identifier: MIT */
#ifndef FIELDS_PRINTERS_H
#define FIELDS_PRINTERS_H

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A field, and what is true of it. */
struct made {
	const char *name; /* of the printer */
	struct mxg_address address; /* of the client */
	bool login, local, marker; /* what the field says with right */
	bool fetched; /* address is the mailbox server's */
	bool unknown; /* nobody knows its writer */
	bool plain; /* nothing hostile in it, and an MTA that is read without being named */
	size_t len;
	char field[16384];
};

/* The same number makes the same field. */
void make_field(struct made *made, uint64_t number);

#endif
