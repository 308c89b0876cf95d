/* SPDX-License-Identifier: MIT */
/* Which version a zone is. */
#include "zone_serial.h"

#include <string.h>

#include "base/ascii.h"

struct words {
	const char *at, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '(' || c == ')';
}

/* The next word: neither a comment nor a bracket. */
static bool take_word(struct words *w, const char **word, size_t *len)
{
	while (w->at < w->end && (is_blank(*w->at) || *w->at == ';' || *w->at == '#')) {
		if (!is_blank(*w->at))
			while (w->at < w->end && *w->at != '\n')
				w->at++;
		else
			w->at++;
	}
	*word = w->at;
	while (w->at < w->end && !is_blank(*w->at) && *w->at != ';')
		w->at++;
	*len = (size_t)(w->at - *word);
	return *len > 0;
}

static bool read_number(const char *word, size_t len, uint32_t *number)
{
	uint64_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if (!mxg_ascii_is_digit(word[i]) || len > 10)
			return false;
		n = n * 10 + (uint64_t)(word[i] - '0');
	}
	*number = (uint32_t)n;
	return len > 0 && n <= UINT32_MAX;
}

bool mxg_zone_serial_read(const char *text, size_t len, uint32_t *serial)
{
	struct words w = { .at = text, .end = text + len };
	const char *word;
	size_t n;
	while (take_word(&w, &word, &n)) {
		bool own = mxg_ascii_is(word, n, "$soa"); /* with a TTL before the names */
		if (!own && !mxg_ascii_is(word, n, "soa"))
			continue;
		for (int i = own ? 0 : 1; i < 4; i++)
			if (!take_word(&w, &word, &n))
				return false;
		return read_number(word, n, serial);
	}
	return false;
}

/* 0 is left out: rbldnsd takes it for "the file's time". */
uint32_t mxg_zone_serial_next(uint32_t serial, int64_t now)
{
	uint32_t time = (uint32_t)now, ahead = time - serial;
	if (ahead == 0 || ahead >= UINT32_C(1) << 31)
		time = serial + 1;
	return time == 0 ? 1 : time;
}
