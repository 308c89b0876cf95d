/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_DOVEADM_H
#define MXG_SCAN_DOVEADM_H

#include "scan/reader.h"

/* Mail as Dovecot reads it, from doveadm(1): for what only Dovecot can read, sdbox, mdbox and compressed mail. */
struct mxg_doveadm_rules {
	const char *user; /* NULL: all that Dovecot's user database lists */
	bool all_folders; /* also those of one's own mail */
	int64_t since; /* older messages are left out; 0: none */
	atomic_bool *stop;
	void (*done)(void *context); /* after each message */
	void *context;
};

/* False: not all of it could be read; told on stderr. */
bool mxg_scan_doveadm(struct mxg_scan_reader *reader, struct mxg_tally *tally, const struct mxg_doveadm_rules *rules);

#endif
