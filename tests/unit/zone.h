/* SPDX-License-Identifier: MIT */
#ifndef TEST_ZONE_H
#define TEST_ZONE_H

#include "base/address.h"
#include "dns/message.h"

/*
 * A little DNS for the tests, written as text, a record a line:
 *   NAME A 192.0.2.1            NAME MX 10 host.example    NAME PTR host.example
 *   NAME AAAA 2001:db8::1       NAME CNAME other.example
 *   NAME TXT v=spf1 -all        the rest of the line is one text
 *   NAME TXT "v=spf1 " "-all"   several strings; \xHH is a byte
 *   NAME A !timeout             also !servfail !refused; type * is every type
 * Lines are separated by newlines; blank lines are skipped.
 */
enum { ZONE_RECORDS_MAX = 400, ZONE_TEXT_MAX = 9000 };

struct zone_record {
	char name[256]; /* lower case */
	uint16_t type; /* 0: every type (a failure) */
	enum mxg_dns_failure failure;
	struct mxg_address address;
	unsigned preference;
	char target[256]; /* MX, PTR, CNAME; "" is the root */
	char *text; /* TXT, concatenated */
	size_t text_len;
	uint8_t *strings; /* TXT as on the wire */
	size_t strings_len;
	uint32_t ttl;
};

struct zone {
	size_t count;
	struct zone_record records[ZONE_RECORDS_MAX];
};

struct zone *zone_new(void);
void zone_add(struct zone *z, const char *lines); /* aborts on what it cannot read */
void zone_free(struct zone *z);

enum zone_status { ZONE_RECORDS, ZONE_NODATA, ZONE_NXDOMAIN, ZONE_FAILURE };

struct zone_set {
	enum zone_status status;
	enum mxg_dns_failure failure;
	size_t count;
	const struct zone_record *records[ZONE_RECORDS_MAX];
	size_t alias_count;
	const struct zone_record *aliases[9];
};

/* Follows aliases; more than 8 of them are a failure. */
void zone_query(const struct zone *z, const char *name, uint16_t type, struct zone_set *out);

/* The raw reply to a question; 0 where there is none (timeout). */
size_t zone_reply(const struct zone *z, const struct mxg_question *q, uint8_t *buf, size_t room);

/* What a driver would feed: by way of zone_reply() and mxg_dns_reply_parse(). */
void zone_answer(const struct zone *z, const struct mxg_question *q, struct mxg_reply *out);

const char *zone_type_name(uint16_t type);

#endif
