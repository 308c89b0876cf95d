/* SPDX-License-Identifier: MIT */
/* One line of a log. */
#include <jansson.h>

#include "date.h"
#include "mxguard.h"
#include "report/decision.h"

/* The last bytes of a text, fewer than 16, as two words that are filled with zeros. */
static void load_rest(uint64_t word[2], const char *at, size_t len)
{
	const uint8_t *b = (const uint8_t *)at;
	uint32_t low, high;
	word[0] = word[1] = 0;
	if (len >= 8) {
		word[0] = mxg_eight(at);
		word[1] = len > 8 ? mxg_eight(at + len - 8) >> (128 - 8 * len) : 0;
	} else if (len >= 4) {
		memcpy(&low, at, 4);
		memcpy(&high, at + len - 4, 4);
		word[0] = le32toh(low) | (uint64_t)le32toh(high) << (8 * len - 32);
	} else if (len > 0) {
		word[0] = b[0] | (uint64_t)b[len / 2] << (8 * (len / 2)) | (uint64_t)b[len - 1] << (8 * (len - 1));
	}
}

/* Two lanes, so that one multiplication need not wait for the other. Not against an enemy who seeks
 * collisions: the worst that he gains is that a line of his own counts as one seen already. */
uint64_t mxg_line_hash(const char *bytes, size_t len)
{
	const uint64_t k = UINT64_C(0x9e3779b97f4a7c15), m = UINT64_C(0xff51afd7ed558ccd);
	uint64_t a = len * k, b = ~(uint64_t)len, word[2];
	for (; len >= 16; bytes += 16, len -= 16) {
		a = (a ^ mxg_eight(bytes)) * k;
		b = (b ^ mxg_eight(bytes + 8)) * m;
		a ^= a >> 29;
		b ^= b >> 32;
	}
	load_rest(word, bytes, len);
	a = (a ^ word[0]) * k;
	b = (b ^ word[1]) * m;
	a ^= (b ^ b >> 31) * k;
	a ^= a >> 32;
	a *= m;
	return a ^ a >> 29;
}

#define DOMAIN_MOST 253

/* Whether it is all of what stands in our lines; anything else was damaged on its way, or is not ours. */
static bool is_plain(struct mxg_slice s, bool *capitals)
{
	enum { OTHER = 1, CAPITAL = 2 };
	static const uint8_t kinds[256] = {
		[0 ... ' '] = OTHER,
		['A' ... 'Z'] = CAPITAL,
		['~' + 1 ... 255] = OTHER,
	};
	unsigned seen = 0;
	for (size_t i = 0; i < s.len; i++)
		seen |= kinds[(uint8_t)s.at[i]];
	*capitals = (seen & CAPITAL) != 0;
	return (seen & OTHER) == 0;
}

static uint64_t hash_in_lower_case(struct mxg_slice s)
{
	char lower[DOMAIN_MOST];
	for (size_t i = 0; i < s.len; i++)
		lower[i] = (char)(s.at[i] | (s.at[i] >= 'A' && s.at[i] <= 'Z' ? 0x20 : 0));
	return mxg_line_hash(lower, s.len);
}

/* The domain behind the last @; "(none)" where there is none. */
static void set_domain(struct mxg_decision *d)
{
	const char *at = memrchr(d->rcpt.at, '@', d->rcpt.len);
	size_t len = at == NULL ? 0 : d->rcpt.len - (size_t)(at + 1 - d->rcpt.at);
	struct mxg_slice domain = { at == NULL ? "" : at + 1, len };
	bool capitals = false;
	if (len == 0 || len > DOMAIN_MOST || !is_plain(domain, &capitals))
		domain = (struct mxg_slice){ "(none)", 6 };
	d->domain = domain;
	d->domain_hash = capitals ? hash_in_lower_case(domain) : mxg_line_hash(domain.at, domain.len);
}

void mxg_line_prepare(struct mxg_decision *d)
{
	set_domain(d);
	d->sender_hash = d->from.len == 0 ? 0 : mxg_line_hash(d->from.at, d->from.len);
	d->reason_hash = mxg_line_hash(d->reason.at, d->reason.len);
	d->rcpt_hash = mxg_line_hash(d->rcpt.at, d->rcpt.len);
	d->peer.family = 0;
	if (d->verdict == MXGUARD_VERDICT_DIRECT)
		mxg_address_parse(&d->peer, d->boundary.at, d->boundary.len, MXG_ADDRESS_BARE);
}

/* ---- JSON in JSON: journalctl -o json, and what shippers write --------------------------------------------- */

static const char *text_of(const json_t *o, const char *const *names)
{
	for (; *names != NULL; names++)
		if (json_is_string(json_object_get(o, *names)))
			return json_string_value(json_object_get(o, *names));
	return NULL;
}

static int64_t time_of(const json_t *o, struct mxg_line_clock *c)
{
	static const char *const stamps[] = { "__REALTIME_TIMESTAMP", NULL };
	static const char *const times[] = { "timestamp", "@timestamp", "time", "ts", "timereported", NULL };
	const char *text = text_of(o, stamps);
	int64_t t = 0;
	if (text != NULL)
		return mxg_date_read(text, &t) ? t / 1000000 : 0; /* microseconds */
	text = text_of(o, times);
	if (text == NULL)
		return 0;
	size_t len = strlen(text);
	return mxg_line_time(&t, text, text + len, c) != NULL ? t : 0;
}

static enum mxg_line_kind read_wrapped(struct mxg_decision *out, const char *line, size_t len, struct mxg_line_clock *c,
				       char *scratch, size_t size)
{
	static const char *const messages[] = { "MESSAGE", "message", "msg", "log", NULL };
	static const char *const programs[] = { "SYSLOG_IDENTIFIER", "appname", "app-name", "programname",
						"program",           "_COMM",   NULL };
	json_error_t error;
	enum mxg_line_kind kind = MXG_LINE_OTHER;
	json_t *o = json_loadb(line, len, 0, &error);
	const char *message = o == NULL ? NULL : text_of(o, messages), *program = text_of(o, programs);
	size_t n = message == NULL ? 0 : strlen(message);
	struct mxg_prefix_found found = { .message = NULL };
	if (n > 0 && n < size) {
		n -= message[n - 1] == '\n';
		memcpy(scratch, message, n);
		if (program != NULL)
			found.message = mxg_line_behind_tag(program, strlen(program), scratch, scratch + n);
		else if (json_is_string(json_object_get(o, "stream"))) /* Docker's: a line as the container wrote it */
			mxg_line_prefix(&found, scratch, n, c);
	}
	if (found.message != NULL) {
		kind = mxg_line_fields(out, mxg_line_message(found.message, scratch + n, &out->repeat), scratch + n);
		out->time = time_of(o, c);
	}
	json_decref(o);
	return kind;
}

#define LATEST INT64_C(253402300800) /* the year 10000 */
#define BEGINNING 64 /* time, host, program, and the first words */

static uint64_t mix(uint64_t a, uint64_t b)
{
	a = (a ^ b) * UINT64_C(0x9e3779b97f4a7c15);
	return a ^ a >> 32;
}

/* Of all that two lines of two decisions can differ in; most of it has a hash already. */
static uint64_t identity(const struct mxg_decision *d, const char *line, size_t len)
{
	uint64_t hash = mxg_line_hash(line, len < BEGINNING ? len : BEGINNING);
	hash = mix(hash, d->rcpt_hash ^ len);
	hash = mix(hash,
		   d->sender_hash ^ (uint64_t)d->verdict << 8 ^ (uint64_t)d->action << 16 ^ (uint64_t)d->would << 24);
	hash = mix(hash, mxg_line_hash(d->id.at, d->id.len));
	hash = mix(hash, mxg_line_hash(d->boundary.at, d->boundary.len));
	return mix(hash, mxg_line_hash(d->msgid.at, d->msgid.len));
}

static bool is_wrapped(const char *line, size_t len)
{
	return len > 20 && line[0] == '{' && memcmp(line, "{\"verdict\":", 11) != 0 &&
	       memmem(line, len, "verdict", 7) != NULL;
}

enum mxg_line_kind mxg_line_read(struct mxg_decision *out, const char *line, size_t len, struct mxg_line_clock *clock,
				 char *scratch, size_t scratch_size)
{
	struct mxg_prefix_found found;
	enum mxg_line_kind kind;
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	if (is_wrapped(line, len)) {
		kind = read_wrapped(out, line, len, clock, scratch, scratch_size);
	} else {
		if (!mxg_line_prefix(&found, line, len, clock))
			return MXG_LINE_OTHER;
		const char *at = mxg_line_message(found.message, line + len, &out->repeat);
		kind = mxg_line_fields(out, at, line + len);
		out->time = found.time;
	}
	if (kind == MXG_LINE_DECISION) {
		out->time = out->time < 0 || out->time >= LATEST ? 0 : out->time;
		mxg_line_prepare(out);
		out->hash = identity(out, line, len);
	}
	return kind;
}
