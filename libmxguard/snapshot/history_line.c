/* SPDX-License-Identifier: MIT */
/* One line of the history, written and read. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/neuter.h"
#include "snapshot/format.h"
#include "snapshot/history.h"

static const struct {
	const char *name;
	uint16_t type;
} types[] = { { "A", MXG_DNS_A }, { "AAAA", MXG_DNS_AAAA }, { "MX", MXG_DNS_MX }, { "TXT", MXG_DNS_TXT } };

uint16_t mxg_history_type(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i].name) == len && memcmp(types[i].name, text, len) == 0)
			return types[i].type;
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------------- */

struct text {
	char *at;
	size_t size, used;
	bool full;
};

static void put(struct text *t, const char *bytes, size_t len)
{
	if (len >= t->size - t->used) {
		t->full = true;
		return;
	}
	memcpy(t->at + t->used, bytes, len);
	t->used += len;
}

static void put_address(struct text *t, const uint8_t *item, size_t len)
{
	char buf[MXG_ADDRESS_TEXT_MAX];
	struct mxg_address a = { .family = len == 4 ? 4 : 6 }; /* not folded: ::ffff:0:0/96 in AAAA is what was said */
	if (len != 4 && len != 16)
		return;
	memcpy(a.bytes, item, len);
	mxg_address_format(&a, buf);
	put(t, buf, strlen(buf));
}

static void put_exchange(struct text *t, const uint8_t *item, size_t len)
{
	char buf[MXG_NAME_TEXT_MAX + 8], host[MXG_NAME_TEXT_MAX];
	struct mxg_name name;
	if (len < 3 || !mxg_name_from_wire(&name, item + 2, len - 2))
		return;
	int n = snprintf(buf, sizeof(buf), "%u:%s", (unsigned)mxg_get16(item), mxg_name_format(&name, host));
	put(t, buf, (size_t)n);
}

static void put_record(struct text *t, const uint8_t *item, size_t len)
{
	char buf[4 * MXG_RRSET_MAX + 1];
	size_t n = mxg_neuter(buf, sizeof(buf), (const char *)item, len, " \\");
	put(t, buf, n);
}

static void put_value(struct text *t, uint16_t type, const uint8_t *item, size_t len)
{
	put(t, " ", 1);
	if (type == MXG_DNS_MX)
		put_exchange(t, item, len);
	else if (type == MXG_DNS_TXT)
		put_record(t, item, len);
	else
		put_address(t, item, len);
}

static void put_values(struct text *t, const struct mxg_history_line *line)
{
	const uint8_t *item;
	size_t at = 0, len;
	switch (line->kind) {
	case MXG_ANSWER_RECORDS:
		while (mxg_rrset_next(line->data, line->size, &at, &item, &len))
			put_value(t, line->question.type, item, len);
		break;
	case MXG_ANSWER_NODATA:
		put(t, " -", 2);
		break;
	case MXG_ANSWER_NXDOMAIN:
		put(t, " !", 2);
		break;
	default:
		put(t, " ?", 2);
	}
}

size_t mxg_history_line_write(char *buffer, size_t size, const struct mxg_history_line *line)
{
	char head[64], name[MXG_NAME_TEXT_MAX], crc[10];
	struct text t = { .at = buffer, .size = size, .used = 9 };
	if (size < 128)
		return 0;
	int n = snprintf(head, sizeof(head), "%" PRId64 " %c%s %s ", line->time, line->imported ? 'i' : 'r',
			 line->doubtful ? "d" : "", mxg_dns_type_name(line->question.type));
	put(&t, head, (size_t)n);
	mxg_name_format(&line->question.name, name);
	put(&t, name, strlen(name));
	n = snprintf(head, sizeof(head), " %" PRIu32, line->ttl);
	put(&t, head, (size_t)n);
	put_values(&t, line);
	if (t.full)
		return 0;
	snprintf(crc, sizeof(crc), "%08" PRIx32 " ", mxg_crc32(0, buffer + 9, t.used - 9));
	memcpy(buffer, crc, 9);
	put(&t, "\n", 1);
	return t.full ? 0 : t.used;
}

/* ---- reading --------------------------------------------------------------------------------------- */

static int digit(char c, unsigned base)
{
	int n = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
	return n < (int)base ? n : -1;
}

/* Digits alone, all of them, at most `most`. */
static bool number(const char *text, size_t len, unsigned base, uint64_t most, uint64_t *out)
{
	*out = 0;
	if (len == 0 || len > 19)
		return false;
	for (size_t i = 0; i < len; i++) {
		int n = digit(text[i], base);
		if (n < 0)
			return false;
		*out = *out * base + (uint64_t)n;
	}
	return *out <= most;
}

bool mxg_history_name_read(struct mxg_name *out, const char *text, size_t len)
{
	uint8_t wire[255];
	size_t at = 1, label = 0;
	uint64_t byte;
	if (len == 1 && text[0] == '.')
		return mxg_name_from_wire(out, (const uint8_t *)"", 1);
	for (size_t i = 0; i < len && at < sizeof(wire);) {
		if (text[i] == '.') {
			wire[label] = (uint8_t)(at - label - 1);
			label = at++;
			i++;
		} else if (text[i] != '\\') {
			wire[at++] = (uint8_t)text[i++];
		} else if (len - i >= 4 && number(text + i + 1, 3, 10, 255, &byte)) {
			wire[at++] = (uint8_t)byte;
			i += 4;
		} else {
			return false;
		}
		if (at - label > 64)
			return false;
	}
	if (len == 0 || at >= sizeof(wire))
		return false;
	wire[label] = (uint8_t)(at - label - 1);
	wire[at++] = 0;
	return mxg_name_from_wire(out, wire, at);
}

static bool add_item(struct mxg_history_line *line, const uint8_t *bytes, size_t len)
{
	if (len > 0xffff || line->size + 2 + len > sizeof(line->data) || line->count == UINT16_MAX)
		return false;
	mxg_put16(line->data + line->size, (unsigned)len);
	memcpy(line->data + line->size + 2, bytes, len);
	line->size += 2 + (uint32_t)len;
	line->count++;
	line->kind = MXG_ANSWER_RECORDS;
	return true;
}

/* An AAAA record may hold a mapped address, which mxg_address_parse() folds. */
static bool read_address(struct mxg_history_line *line, const char *text, size_t len)
{
	struct mxg_address a;
	uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };
	bool six = line->question.type == MXG_DNS_AAAA;
	if (!mxg_address_parse(&a, text, len, MXG_ADDRESS_BARE))
		return false;
	if (six && a.family == 4 && memchr(text, ':', len) != NULL) {
		memcpy(mapped + 12, a.bytes, 4);
		return add_item(line, mapped, 16);
	}
	return a.family == (six ? 6 : 4) && add_item(line, a.bytes, six ? 16 : 4);
}

static bool read_exchange(struct mxg_history_line *line, const char *text, size_t len)
{
	uint8_t item[2 + 255];
	struct mxg_name name;
	uint64_t preference;
	const char *colon = memchr(text, ':', len);
	if (colon == NULL || !number(text, (size_t)(colon - text), 10, 0xffff, &preference) ||
	    !mxg_history_name_read(&name, colon + 1, len - (size_t)(colon + 1 - text)))
		return false;
	mxg_put16(item, (unsigned)preference);
	memcpy(item + 2, name.wire, name.len);
	return add_item(line, item, 2u + name.len);
}

static bool read_record(struct mxg_history_line *line, const char *text, size_t len)
{
	uint8_t item[MXG_RRSET_MAX];
	size_t n = 0;
	uint64_t byte;
	for (size_t i = 0; i < len; n++) {
		if (n == sizeof(item))
			return false;
		if (text[i] != '\\') {
			item[n] = (uint8_t)text[i++];
		} else if (len - i >= 4 && text[i + 1] == 'x' && number(text + i + 2, 2, 16, 255, &byte)) {
			item[n] = (uint8_t)byte;
			i += 4;
		} else {
			return false;
		}
	}
	return add_item(line, item, n);
}

bool mxg_history_value_read(struct mxg_history_line *line, const char *text, size_t len)
{
	switch (line->question.type) {
	case MXG_DNS_MX:
		return read_exchange(line, text, len);
	case MXG_DNS_TXT:
		return read_record(line, text, len);
	default:
		return read_address(line, text, len);
	}
}

/* The next word; false at the end. */
static bool next_word(const char **at, const char *end, const char **word, size_t *len)
{
	if (*at >= end)
		return false;
	const char *blank = memchr(*at, ' ', (size_t)(end - *at));
	*word = *at;
	*len = (size_t)((blank == NULL ? end : blank) - *at);
	*at = blank == NULL ? end : blank + 1;
	return true;
}

static bool read_values(struct mxg_history_line *out, const char *at, const char *end)
{
	const char *word;
	size_t n;
	if (!next_word(&at, end, &word, &n))
		return false;
	if (n == 1 && at == end && strchr("-!?", word[0]) != NULL) {
		out->kind = word[0] == '-' ? MXG_ANSWER_NODATA : word[0] == '!' ? MXG_ANSWER_NXDOMAIN : MXG_ANSWER_NONE;
		return true;
	}
	do
		if (!mxg_history_value_read(out, word, n))
			return false;
	while (next_word(&at, end, &word, &n));
	return true;
}

bool mxg_history_line_read(struct mxg_history_line *out, const char *text, size_t len)
{
	const char *at = text + 9, *end = text + len, *word;
	size_t n;
	uint64_t crc, time, ttl;
	if (len < 10 || text[8] != ' ' || !number(text, 8, 16, UINT32_MAX, &crc) ||
	    crc != mxg_crc32(0, text + 9, len - 9))
		return false;
	out->kind = MXG_ANSWER_NONE;
	out->count = 0;
	out->size = 0;
	if (!next_word(&at, end, &word, &n) || !number(word, n, 10, INT64_MAX, &time) ||
	    !next_word(&at, end, &word, &n) || n < 1 || n > 2)
		return false;
	out->time = (int64_t)time;
	out->imported = word[0] == 'i';
	out->doubtful = n == 2 && word[1] == 'd';
	if (!next_word(&at, end, &word, &n) || (out->question.type = mxg_history_type(word, n)) == 0 ||
	    !next_word(&at, end, &word, &n) || !mxg_history_name_read(&out->question.name, word, n) ||
	    !next_word(&at, end, &word, &n) || !number(word, n, 10, UINT32_MAX, &ttl))
		return false;
	out->ttl = (uint32_t)ttl;
	return read_values(out, at, end);
}

struct mxg_answer mxg_history_answer(const struct mxg_history_line *line)
{
	return (struct mxg_answer){ .kind = line->kind,
				    .doubtful = line->doubtful,
				    .from = line->time,
				    .confirmed = line->time,
				    .ttl = line->ttl,
				    .count = line->count,
				    .size = line->size,
				    .data = line->data };
}
