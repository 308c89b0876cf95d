/* SPDX-License-Identifier: MIT */
#ifndef MXG_SNAPSHOT_FORMAT_H
#define MXG_SNAPSHOT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

/*
 * The bytes of a snapshot. It is a cdb (https://cr.yp.to/cdb.html: a table of 256 pairs
 * (position, slots), then records, then the hash tables; little-endian), so that any cdb tool
 * can list it. Our own numbers in it are big-endian.
 *
 * It has two parts. MXG_SNAPSHOT_FILE alone is a whole one. Beside a large one may lie MXG_SNAPSHOT_SINCE_FILE, of the
 * same form, with what is another since that was written: its header names the generation that it adds to, and
 * what it has under a key takes the place of what the whole one has. So a domain that is new, and answers that are
 * asked again, do not cost the writing of millions of others.
 *
 * Five kinds of record, told apart by the first byte of the key:
 *
 *   "H"                       the header, exactly one; MXG_SNAPSHOT_HEADER_SIZE bytes:
 *       0  magic (8)          8  version (4)        12  generation (4)
 *      16  length of the file (8)                   24  written, seconds since the epoch (8)
 *      32  configuration hash (32)                  64  number of domains (4)
 *      68  number of questions (4)                  72  CRC of the first 2,048 bytes (4)
 *      76  CRC of each of the 256 hash tables (4 each)
 *    1100  generation of the whole one that it adds to (4); 0: it is a whole one itself
 *    1104  since when domains_command fails, and its list is the one that was (8); 0: it does not
 *    1112  when the run began that was interrupted before it had asked for everything (8); 0: none was
 *    1120  CRC of all that precedes (4)
 *   "C"                       directly behind the header, exactly one; MXG_SNAPSHOT_WHOLE_SIZE bytes:
 *       0  checksum of the whole file but for these bytes (32)
 *      32  hash of the gateways that it was made for (32)
 *                             Deliveries do not read it; it is for files that were carried.
 *   "D" domain                a local domain, a lower-case A-label; value: CRC (4), and 1, or 0: it is none any more
 *   "Q" type (2) wire name    the versions of an answer, newest first; value: CRC (4), number
 *                             of versions (1), and each version:
 *       0  from (8)   8  superseded (8)   16  confirmed (8)   24  ttl (4)
 *      28  kind (1)  29  flags (1)        30  number of records (2)
 *      32  size (4)  36  alarms (1), 0 (3)
 *      40  the records as in struct mxg_rrset
 *                             The first one may be refused, by its flag: then it is no version, but
 *                             what DNS said when the one behind it was kept.
 *   "F" type (2) wire name    the question failed; value: CRC (4), when it was asked last (8), how often in a row (1),
 *                             0: it has been answered since. For refresh alone.
 *
 * Every CRC is CRC-32 (IEEE 802.3); those of values run over the key and then over the value
 * behind the CRC, so that a value cannot answer another question.
 */
#define MXG_SNAPSHOT_FILE "snapshot.cdb"
#define MXG_SNAPSHOT_SINCE_FILE "snapshot.since.cdb"
#define MXG_SNAPSHOT_MAGIC "mxguard\n"
#define MXG_SNAPSHOT_VERSION 3u

#define MXG_CDB_TABLE_SIZE 2048u

enum {
	MXG_SNAPSHOT_AT_VERSION = 8,
	MXG_SNAPSHOT_AT_GENERATION = 12,
	MXG_SNAPSHOT_AT_LENGTH = 16,
	MXG_SNAPSHOT_AT_WRITTEN = 24,
	MXG_SNAPSHOT_AT_HASH = 32,
	MXG_SNAPSHOT_AT_DOMAINS = 64,
	MXG_SNAPSHOT_AT_QUESTIONS = 68,
	MXG_SNAPSHOT_AT_TABLE_CRC = 72,
	MXG_SNAPSHOT_AT_BUCKET_CRC = 76,
	MXG_SNAPSHOT_AT_ADDS_TO = 1100,
	MXG_SNAPSHOT_AT_LIST_KEPT = 1104,
	MXG_SNAPSHOT_AT_INTERRUPTED = 1112,
	MXG_SNAPSHOT_AT_CRC = 1120,
	MXG_SNAPSHOT_HEADER_SIZE = 1124
};

enum {
	MXG_SNAPSHOT_HEADER_AT = MXG_CDB_TABLE_SIZE + 8 + 1, /* its value, in the file */
	MXG_SNAPSHOT_WHOLE_AT = MXG_SNAPSHOT_HEADER_AT + MXG_SNAPSHOT_HEADER_SIZE + 8 + 1, /* the value of "C" */
	MXG_SNAPSHOT_WHOLE_GATEWAYS = 32,
	MXG_SNAPSHOT_WHOLE_SIZE = 64
};

enum {
	MXG_VERSION_AT_FROM = 0,
	MXG_VERSION_AT_SUPERSEDED = 8,
	MXG_VERSION_AT_CONFIRMED = 16,
	MXG_VERSION_AT_TTL = 24,
	MXG_VERSION_AT_KIND = 28,
	MXG_VERSION_AT_FLAGS = 29,
	MXG_VERSION_AT_COUNT = 30,
	MXG_VERSION_AT_SIZE = 32,
	MXG_VERSION_AT_ALARMS = 36,
	MXG_VERSION_HEAD_SIZE = 40
};
#define MXG_VERSION_FLAG_AD 1u
#define MXG_VERSION_FLAG_REFUSED 2u
#define MXG_VERSION_FLAG_ACCEPTED 4u
#define MXG_VERSIONS_MAX 8u

#define MXG_SNAPSHOT_DOMAIN_SIZE 5u
#define MXG_SNAPSHOT_FAILED_SIZE 13u
#define MXG_SNAPSHOT_KEY_MAX 258u /* "Q", type, name */
#define MXG_SNAPSHOT_VALUE_MAX (5u + MXG_VERSIONS_MAX * (MXG_VERSION_HEAD_SIZE + 8192u))

/* What is odd about an answer, seen against the one before it (docs/design.md, "Alarms"). */
enum mxg_alarm {
	MXG_ALARM_EMPTIED = 1 << 0, /* there were records, now there are none */
	MXG_ALARM_GONE = 1 << 1, /* … and the name does not exist any more */
	MXG_ALARM_DOUBLED = 1 << 2, /* more than twice as many as before */
	MXG_ALARM_WIDE = 1 << 3, /* it covers everybody, or nearly so ("Width guard") */
	MXG_ALARM_BROKEN = 1 << 4, /* a record that cannot be used */
	MXG_ALARM_NEAR_LIMIT = 1 << 5, /* 8 or more of the 10 lookups (RFC 7208 §4.6.4) */
	MXG_ALARM_MX_HOSTS = 1 << 6 /* more than 10 MX hosts under mx: an error (RFC 7208 §4.6.4) */
};
#define MXG_ALARM_KINDS 7
/* Near its limit, a record still says what it said: that takes nothing from it. */
#define MXG_ALARMS_DOUBTFUL 0x5fu
const char *mxg_alarm_name(unsigned alarm); /* one bit: "emptied", … */
#define MXG_ALARM_NAMES_MAX 100
/* All of them, with the separator between; returns the length. */
size_t mxg_alarm_names(char text[MXG_ALARM_NAMES_MAX], unsigned alarms, const char *separator);

uint32_t mxg_crc32(uint32_t crc, const void *bytes, size_t len); /* starts with 0 */
uint32_t mxg_cdb_hash(const uint8_t *key, size_t len);

static inline uint16_t mxg_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t mxg_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t mxg_get64(const uint8_t *p)
{
	return (uint64_t)mxg_get32(p) << 32 | mxg_get32(p + 4);
}

static inline uint32_t mxg_get32le(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline void mxg_put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void mxg_put32(uint8_t *p, uint32_t v)
{
	mxg_put16(p, v >> 16);
	mxg_put16(p + 2, v & 0xffff);
}

static inline void mxg_put64(uint8_t *p, uint64_t v)
{
	mxg_put32(p, (uint32_t)(v >> 32));
	mxg_put32(p + 4, (uint32_t)v);
}

#endif
