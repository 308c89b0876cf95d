/* SPDX-License-Identifier: MIT */
#ifndef MXG_PROBE_H
#define MXG_PROBE_H

#include "audit/audit.h"

/* From a host that is no gateway: offers a message by SMTP as far as RCPT, and takes it back. */
enum mxg_probe_result {
	MXG_PROBE_ACCEPTED, /* nothing guards the port for this recipient */
	MXG_PROBE_REFUSED, /* 550 5.7.1, in mxguard's words */
	MXG_PROBE_OTHER, /* another reply: it says nothing of a guard */
	MXG_PROBE_FAILED /* no reply */
};

struct mxg_probe {
	char host[256];
	char port[8];
	struct mxg_address address; /* that answered; family 0: none did */
	char reply[512]; /* the first line of the last reply, or what went wrong */
	const char *reply_text; /* of the configuration; NULL: none */
};

/* "mail.example.com:25", "[2001:db8::1]:25"; false: neither. */
bool mxg_probe_target(struct mxg_probe *out, const char *text);
enum mxg_probe_result mxg_probe_run(struct mxg_probe *probe, const char *recipient);

#endif
