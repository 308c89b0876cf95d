/* SPDX-License-Identifier: MIT */
#include "zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	uint16_t type;
} types[] = {
	{ "A", MXG_DNS_A },     { "AAAA", MXG_DNS_AAAA },   { "MX", MXG_DNS_MX }, { "PTR", MXG_DNS_PTR },
	{ "TXT", MXG_DNS_TXT }, { "CNAME", MXG_DNS_CNAME }, { "*", 0 },
};

const char *zone_type_name(uint16_t type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return types[i].name;
	return "?";
}

static void die(const char *what, const char *line)
{
	fprintf(stderr, "zone: %s: %s\n", what, line);
	abort();
}

static uint16_t type_number(const char *word, const char *line)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, word) == 0)
			return types[i].type;
	die("unknown type", line);
	return 0;
}

static void set_name(char out[256], const char *text)
{
	size_t len = strlen(text);
	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len > 253)
		die("name too long", text);
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
	out[len] = '\0';
}

static void put_string(struct zone_record *r, const char *bytes, size_t len)
{
	r->text = realloc(r->text, r->text_len + len + 1);
	r->strings = realloc(r->strings, r->strings_len + len + len / 255 + 2);
	memcpy(r->text + r->text_len, bytes, len);
	r->text_len += len;
	r->text[r->text_len] = '\0';
	do {
		size_t n = len > 255 ? 255 : len;
		r->strings[r->strings_len++] = (uint8_t)n;
		memcpy(r->strings + r->strings_len, bytes, n);
		r->strings_len += n;
		bytes += n;
		len -= n;
	} while (len > 0);
}

static void set_text(struct zone_record *r, const char *p, const char *line)
{
	char buf[ZONE_TEXT_MAX];
	if (*p != '"') {
		put_string(r, p, strlen(p));
		return;
	}
	while (*p == '"') {
		size_t n = 0;
		for (p++; *p != '"'; p++) {
			if (*p == '\0' || n >= sizeof(buf))
				die("unterminated string", line);
			if (p[0] == '\\' && p[1] == 'x') {
				char hex[3] = { p[2], p[3], '\0' };
				buf[n++] = (char)strtoul(hex, NULL, 16);
				p += 3;
			} else {
				buf[n++] = *p;
			}
		}
		put_string(r, buf, n);
		for (p++; *p == ' '; p++)
			;
	}
}

static void set_failure(struct zone_record *r, const char *word, const char *line)
{
	if (strcmp(word, "!timeout") == 0)
		r->failure = MXG_DNS_TIMEOUT;
	else if (strcmp(word, "!servfail") == 0)
		r->failure = MXG_DNS_SERVFAIL;
	else if (strcmp(word, "!refused") == 0)
		r->failure = MXG_DNS_REFUSED;
	else
		die("unknown failure", line);
}

static void add_line(struct zone *z, const char *line)
{
	char name[300], type[10], target[300];
	int at = 0;
	if (z->count == ZONE_RECORDS_MAX)
		die("too many records", line);
	struct zone_record *r = &z->records[z->count];
	*r = (struct zone_record){ .ttl = 300 };
	if (sscanf(line, " %299s %9s %n", name, type, &at) != 2 || at == 0)
		die("not a record", line);
	z->count++;
	set_name(r->name, name);
	r->type = type_number(type, line);
	const char *value = line + at;
	if (value[0] == '!') {
		set_failure(r, value, line);
		return;
	}
	switch (r->type) {
	case MXG_DNS_A:
	case MXG_DNS_AAAA:
		/* not folded: the wire has 16 bytes for an AAAA, whatever they say */
		if (!mxg_address_parse(&r->address, value, strlen(value), MXG_ADDRESS_BARE))
			die("not an address", line);
		return;
	case MXG_DNS_MX:
		if (sscanf(value, "%u %299s", &r->preference, target) != 2)
			die("not an MX", line);
		set_name(r->target, target);
		return;
	case MXG_DNS_TXT:
		set_text(r, value, line);
		return;
	default:
		set_name(r->target, value);
	}
}

struct zone *zone_new(void)
{
	return calloc(1, sizeof(struct zone));
}

void zone_add(struct zone *z, const char *lines)
{
	while (*lines != '\0') {
		char line[ZONE_TEXT_MAX];
		size_t n = strcspn(lines, "\n");
		if (n >= sizeof(line))
			die("line too long", "");
		memcpy(line, lines, n);
		line[n] = '\0';
		if (strspn(line, " \t") != n)
			add_line(z, line);
		lines += n + (lines[n] == '\n');
	}
}

void zone_free(struct zone *z)
{
	for (size_t i = 0; z != NULL && i < z->count; i++) {
		free(z->records[i].text);
		free(z->records[i].strings);
	}
	free(z);
}

/* ---- answering ---------------------------------------------------------------------- */

/* The name itself, or something below it, which makes it exist (RFC 8020). */
static bool exists(const struct zone *z, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < z->count; i++) {
		size_t n = strlen(z->records[i].name);
		if (n < len || strcmp(z->records[i].name + n - len, name) != 0)
			continue;
		if (n == len || z->records[i].name[n - len - 1] == '.')
			return true;
	}
	return false;
}

static const struct zone_record *look(const struct zone *z, const char *name, uint16_t type, struct zone_set *out)
{
	const struct zone_record *alias = NULL;
	out->count = 0;
	for (size_t i = 0; i < z->count; i++) {
		const struct zone_record *r = &z->records[i];
		if (strcmp(r->name, name) != 0)
			continue;
		if (r->failure != MXG_DNS_OK && (r->type == type || r->type == 0)) {
			out->status = ZONE_FAILURE;
			out->failure = r->failure;
			return NULL;
		}
		if (r->failure == MXG_DNS_OK && r->type == MXG_DNS_CNAME)
			alias = r;
		if (r->failure == MXG_DNS_OK && r->type == type)
			out->records[out->count++] = r;
	}
	out->status = out->count > 0 ? ZONE_RECORDS : exists(z, name) ? ZONE_NODATA : ZONE_NXDOMAIN;
	return alias;
}

void zone_query(const struct zone *z, const char *name, uint16_t type, struct zone_set *out)
{
	char lower[256];
	set_name(lower, name);
	out->alias_count = 0;
	out->failure = MXG_DNS_OK;
	const struct zone_record *alias = look(z, lower, type, out);
	while (alias != NULL && out->alias_count < 8) {
		out->aliases[out->alias_count++] = alias;
		alias = look(z, alias->target, type, out);
	}
	if (alias != NULL) {
		out->aliases[out->alias_count++] = alias;
		out->status = ZONE_FAILURE;
		out->failure = MXG_DNS_BROKEN;
	}
}

/* ---- on the wire -------------------------------------------------------------------- */

struct writer {
	uint8_t *at, *end;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	if ((size_t)(w->end - w->at) < len)
		die("reply too large", "");
	memcpy(w->at, bytes, len);
	w->at += len;
}

static void put_number(struct writer *w, uint32_t v, unsigned bytes)
{
	uint8_t b[4];
	for (unsigned i = bytes; i-- > 0; v >>= 8)
		b[i] = (uint8_t)v;
	put(w, b, bytes);
}

static void put_name(struct writer *w, const char *text)
{
	struct mxg_name name;
	if (text[0] == '\0') {
		put_number(w, 0, 1);
		return;
	}
	if (!mxg_name_from_text(&name, text, strlen(text)))
		die("not a name", text);
	put(w, name.wire, name.len);
}

static void put_record(struct writer *w, const struct zone_record *r)
{
	put_name(w, r->name);
	put_number(w, r->type, 2);
	put_number(w, 1, 2);
	put_number(w, r->ttl, 4);
	uint8_t *length = w->at;
	put_number(w, 0, 2);
	if (r->type == MXG_DNS_MX)
		put_number(w, r->preference, 2);
	if (r->type == MXG_DNS_A)
		put(w, r->address.bytes, 4);
	else if (r->type == MXG_DNS_AAAA)
		put(w, r->address.bytes, 16);
	else if (r->type == MXG_DNS_TXT)
		put(w, r->strings, r->strings_len);
	else
		put_name(w, r->target);
	size_t len = (size_t)(w->at - length) - 2;
	length[0] = (uint8_t)(len >> 8);
	length[1] = (uint8_t)len;
}

static void put_soa(struct writer *w)
{
	put_name(w, "test");
	put_number(w, MXG_DNS_SOA, 2);
	put_number(w, 1, 2);
	put_number(w, 600, 4);
	put_number(w, 9 + 6 + 20, 2);
	put_name(w, "ns.test");
	put_name(w, "test");
	for (uint32_t i = 1; i <= 5; i++)
		put_number(w, i * 60, 4);
}

size_t zone_reply(const struct zone *z, const struct mxg_question *q, uint8_t *buf, size_t room)
{
	struct zone_set set;
	struct writer w = { buf, buf + room };
	char name[256];
	size_t n = 0;
	for (size_t at = 0; q->name.wire[at] != 0; at += 1u + q->name.wire[at]) {
		if (n > 0)
			name[n++] = '.';
		memcpy(name + n, q->name.wire + at + 1, q->name.wire[at]);
		n += q->name.wire[at];
	}
	name[n] = '\0';
	zone_query(z, name, q->type, &set);
	if (set.status == ZONE_FAILURE && set.failure == MXG_DNS_TIMEOUT)
		return 0;
	unsigned rcode = set.status == ZONE_NXDOMAIN       ? 3
			 : set.failure == MXG_DNS_SERVFAIL ? 2
			 : set.failure == MXG_DNS_REFUSED  ? 5
							   : 0;
	bool failed = set.status == ZONE_FAILURE && set.failure != MXG_DNS_BROKEN;
	bool negative = set.status == ZONE_NXDOMAIN || set.status == ZONE_NODATA;
	size_t answers = failed ? 0 : set.alias_count + (set.status == ZONE_RECORDS ? set.count : 0);
	put_number(&w, 0, 2);
	put_number(&w, 0x8180 | rcode, 2);
	put_number(&w, 1, 2);
	put_number(&w, (uint32_t)answers, 2);
	put_number(&w, negative, 2);
	put_number(&w, 0, 2);
	put(&w, q->name.wire, q->name.len);
	put_number(&w, q->type, 2);
	put_number(&w, 1, 2);
	for (size_t i = 0; i < answers; i++)
		put_record(&w, i < set.alias_count ? set.aliases[i] : set.records[i - set.alias_count]);
	if (negative)
		put_soa(&w);
	return (size_t)(w.at - buf);
}

void zone_answer(const struct zone *z, const struct mxg_question *q, struct mxg_reply *out)
{
	static _Thread_local uint8_t buf[65535];
	size_t len = zone_reply(z, q, buf, sizeof(buf));
	if (len == 0) {
		*out = (struct mxg_reply){ .kind = MXG_ANSWER_FAILED, .failure = MXG_DNS_TIMEOUT };
		return;
	}
	if (!mxg_dns_reply_parse(out, q, buf, len))
		die("out of memory", "");
}
