/* SPDX-License-Identifier: MIT */
#ifndef MXG_RECEIVED_H
#define MXG_RECEIVED_H

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes inside the caller's field; len 0 means "does not stand there". */
struct mxg_slice {
	const char *at;
	size_t len;
};

/* Who wrote the field. A set of them is a mask; 0 as a mask: the form itself
 * must tell. OTHER is any MTA that writes the common form "from HELO (NAME
 * [ADDRESS]) by ..." and is not known by name. */
enum mxg_mta {
	MXG_MTA_POSTFIX = 1u << 0,
	MXG_MTA_EXIM = 1u << 1,
	MXG_MTA_SENDMAIL = 1u << 2,
	MXG_MTA_OPENSMTPD = 1u << 3,
	MXG_MTA_COURIER = 1u << 4,
	MXG_MTA_QMAIL = 1u << 5,
	MXG_MTA_QPSMTPD = 1u << 6,
	MXG_MTA_HARAKA = 1u << 7,
	MXG_MTA_CHASQUID = 1u << 8,
	MXG_MTA_DOVECOT = 1u << 9,
	MXG_MTA_CYRUS = 1u << 10,
	MXG_MTA_AMAVIS = 1u << 11,
	MXG_MTA_EXCHANGE = 1u << 12,
	MXG_MTA_GOOGLE = 1u << 13,
	MXG_MTA_COMMUNIGATE = 1u << 14,
	MXG_MTA_FETCHMAIL = 1u << 15,
	MXG_MTA_GETMAIL = 1u << 16,
	MXG_MTA_NULLCLIENT = 1u << 17, /* nullmailer, sSMTP, DragonFly */
	MXG_MTA_OTHER = 1u << 18
};

/* What may be read without being named: captured from the MTA itself, and no
 * word of the client's reaches the place that is read (docs/received.md,
 * "Captured or named"). */
#define MXG_MTA_CAPTURED \
	(MXG_MTA_POSTFIX | MXG_MTA_EXIM | MXG_MTA_SENDMAIL | MXG_MTA_OPENSMTPD | MXG_MTA_QMAIL | MXG_MTA_QPSMTPD | \
	 MXG_MTA_HARAKA | MXG_MTA_CHASQUID | MXG_MTA_DOVECOT | MXG_MTA_CYRUS | MXG_MTA_AMAVIS | MXG_MTA_FETCHMAIL | \
	 MXG_MTA_GETMAIL | MXG_MTA_NULLCLIENT)

/* They stand behind an MTA of ours, whichever that is. */
#define MXG_MTA_AGENTS (MXG_MTA_DOVECOT | MXG_MTA_CYRUS | MXG_MTA_AMAVIS)

/* "postfix" -> MXG_MTA_POSTFIX; 0 for a name that is not known. */
unsigned mxg_mta_parse(const char *name, size_t len);
const char *mxg_mta_name(unsigned mta); /* of one bit; "unknown" otherwise */
const char *mxg_mta_list(unsigned index); /* the names in turn; NULL after the last */

/* Zero is the safe answer. */
enum mxg_received_kind {
	MXG_RECEIVED_UNREADABLE = 0,
	MXG_RECEIVED_PEER, /* address is the host that connected; none where a login hides it */
	MXG_RECEIVED_LOCAL, /* whole-line form of a submission on the host: pickup, bounce, a filter giving back */
	MXG_RECEIVED_RETRIEVED, /* fetchmail, getmail: address is the mailbox server */
	MXG_RECEIVED_MARKER /* names no peer and says so in a known way; the next field tells */
};

enum mxg_received_reason {
	MXG_RECEIVED_READ = 0,
	MXG_RECEIVED_CONTROL_BYTES, /* CR not before LF, NUL, VT, FF, invalid UTF-8, mixed line ends */
	MXG_RECEIVED_NO_GRAMMAR, /* no MTA that we know writes this */
	MXG_RECEIVED_TWO_READINGS, /* more than one could have, and they differ */
	MXG_RECEIVED_OTHER_MTA, /* readable, but by an MTA outside of the mask */
	MXG_RECEIVED_NOT_NAMED, /* readable, but by an MTA that is read only where it is named */
	MXG_RECEIVED_NO_ADDRESS /* known MTA, but the place of the address is empty or odd */
};

struct mxg_received {
	enum mxg_received_kind kind;
	enum mxg_received_reason reason;
	unsigned mta; /* one bit; 0 when not told */
	bool authenticated; /* in the MTA's own anchored place */
	bool local_if_last; /* marker: made on this host if nothing stands below */
	struct mxg_address address;
	struct mxg_slice helo; /* the client's word */
	struct mxg_slice hostname; /* what the MTA found in DNS, perhaps unconfirmed */
	struct mxg_slice by; /* who wrote the field; "" for qmail's and Haraka's markers */
	struct mxg_slice protocol;
	struct mxg_slice id;
	struct mxg_slice recipient; /* the word behind "for"; see mxg_received_for() */
	struct mxg_slice date_text; /* behind the last semicolon; see mxg_received_date() */
};

/*
 * Reads one Received field: its name, colon and folded lines as they stand,
 * with or without the last line end. mta_mask names the MTAs that may have
 * written it. Never allocates. True if kind is not UNREADABLE. by and
 * date_text are filled in for display where they could be told, even if the field
 * is unreadable; nothing may rest on them then.
 */
bool mxg_received_parse(struct mxg_received *out, const char *field, size_t len, unsigned mta_mask);

/* Of an unreadable field, for people: whose it nearly is (a mask, 0: nobody's) and what is in the way. */
const char *mxg_received_obstacle(const char *field, size_t len, unsigned *nearly);

/* The date that the MTA wrote, in seconds since 1970; 0 if it is none. Read on
 * demand: most hops are only passed through. */
int64_t mxg_received_date(const struct mxg_received *r);

/* The address of "for <...>", where it is a simple one; else empty. On demand, too. */
struct mxg_slice mxg_received_for(const struct mxg_received *r);

#endif
