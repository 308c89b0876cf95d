/* SPDX-License-Identifier: MIT */
#ifndef MXG_DNS_MESSAGE_H
#define MXG_DNS_MESSAGE_H

#include "dns/name.h"

enum mxg_dns_type {
	MXG_DNS_A = 1,
	MXG_DNS_CNAME = 5,
	MXG_DNS_SOA = 6,
	MXG_DNS_PTR = 12,
	MXG_DNS_MX = 15,
	MXG_DNS_TXT = 16,
	MXG_DNS_AAAA = 28,
	MXG_DNS_SRV = 33,
	MXG_DNS_TLSA = 52
};

struct mxg_question {
	struct mxg_name name;
	uint16_t type; /* enum mxg_dns_type */
};

/* What one question brought. */
enum mxg_answer_kind {
	MXG_ANSWER_NONE = 0, /* not asked, or no reply yet */
	MXG_ANSWER_RECORDS,
	MXG_ANSWER_NODATA, /* the name exists, nothing of this type */
	MXG_ANSWER_NXDOMAIN,
	MXG_ANSWER_FAILED /* see enum mxg_dns_failure; always temporary */
};

enum mxg_dns_failure {
	MXG_DNS_OK = 0,
	MXG_DNS_TIMEOUT,
	MXG_DNS_SERVFAIL, /* any RCODE but NOERROR, NXDOMAIN, REFUSED */
	MXG_DNS_REFUSED,
	MXG_DNS_BROKEN, /* a reply that is not to be believed, or truncated, or too large to keep */
	MXG_DNS_INSECURE, /* require_dnssec, and no AD bit */
	MXG_DNS_CANCELLED,
	MXG_DNS_LOCAL, /* no socket, no memory: our own trouble */
	MXG_DNS_NOT_RECORDED /* of the past, and the snapshot does not say */
};

/*
 * The records of an answer, in one piece of memory: `count` items, each a
 * big-endian 16-bit length and that many bytes:
 *   A 4 bytes; AAAA 16; MX preference (2 bytes) and the exchange as a folded
 *   uncompressed wire name; PTR such a name; TXT the record's character-strings
 *   concatenated (RFC 7208 §3.3), and only records that begin "v=spf1" in any
 *   case followed by a space or the end (§4.5): the others prove nothing to us.
 *   Below the label _mta-sts also those that begin "v=STSv1" (RFC 8461 §3.1);
 *   SRV priority, weight, port (2 bytes each) and the target; TLSA as it came.
 * Order is the reply's. The same form stands in the snapshot.
 */
struct mxg_rrset {
	uint16_t count;
	uint32_t size; /* of data, in bytes; at most MXG_RRSET_MAX */
	uint8_t *data;
};
#define MXG_RRSET_MAX 8192

/* One item at a time: *at starts at 0 and is moved on. False at the end, and
 * for damaged data (a snapshot is hostile too). */
bool mxg_rrset_next(const uint8_t *data, size_t size, size_t *at, const uint8_t **item, size_t *len);

struct mxg_reply {
	enum mxg_answer_kind kind;
	enum mxg_dns_failure failure; /* where kind is FAILED */
	uint8_t rcode;
	bool ad;
	uint32_t ttl; /* seconds; least along the CNAME chain and the records; negative
		       * answers: min(SOA TTL, MINIMUM) (RFC 2308 §5), 0 without a SOA */
	struct mxg_rrset records; /* data allocated with malloc, the caller's */
};

/* What a configuration makes of what a server says. */
struct mxg_reply_rules {
	bool need_ad; /* dns.require_dnssec: an answer without AD is FAILED/INSECURE */
	uint32_t max_ttl; /* dns.max_ttl, seconds (RFC 8767 §4) */
};
#define MXG_MAX_NEGATIVE_TTL 10800u /* RFC 2308 §5: one to three hours */
void mxg_reply_restrict(struct mxg_reply *reply, const struct mxg_reply_rules *rules);
/* The TTL of an answer of this kind, as far as it counts. */
uint32_t mxg_capped_ttl(enum mxg_answer_kind kind, uint32_t ttl, uint32_t max_ttl);

/* A query with RD, AD and EDNS (payload 1232), for a transport that matches
 * replies by id. Returns its length, 0 if room is too small (512 always do). */
const char *mxg_dns_type_name(uint16_t type); /* "A", …; "?" where we never ask for it */

size_t mxg_dns_query(uint8_t *buf, size_t room, const struct mxg_question *question, uint16_t id);

/* Reads a raw reply to `question`. Everything is checked: QR, opcode, exactly one
 * question that is ours, class IN, RDLENGTH consumed exactly, A = 4 and AAAA = 16
 * bytes, CNAME chain of at most 8 from the question's name without loops, TTL over
 * 2^31-1 counts as 0, TC means BROKEN. What cannot be believed is FAILED/BROKEN.
 * False only when out of memory. */
bool mxg_dns_reply_parse(struct mxg_reply *out, const struct mxg_question *question, const uint8_t *reply, size_t len);

#endif
