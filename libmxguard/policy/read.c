/* SPDX-License-Identifier: MIT */
/* Values of one string, wherever it comes from: the file, a default, a front end. */
#include <string.h>
#include <strings.h>

#include "base/domain_text.h"
#include "base/duration.h"
#include "policy/setting.h"

#define TIMEOUT_MOST_MS 300000
#define REPLY_MOST 450u /* with code and status it stays within RFC 5321 §4.5.3.1.5's 512 */
#define MAILBOX_MOST 255u
#define COMMAND_MOST 4000u
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_Static_assert(sizeof(enum mxguard_mode) == sizeof(unsigned) && sizeof(enum mxguard_action) == sizeof(unsigned) &&
		       sizeof(enum mxguard_verdict) == sizeof(unsigned) && sizeof(enum mxg_tag) == sizeof(unsigned),
	       "a word's value is written as an unsigned");

int mxg_read_word(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena)
{
	for (const struct mxg_word *word = row->detail; word->text != NULL; word++) {
		if (strcmp(word->text, text) != 0)
			continue;
		memcpy(field, &word->value, sizeof(word->value));
		return MXGUARD_ERROR_NONE;
	}
	return MXGUARD_ERROR_INVALID;
}

int mxg_read_word_twice(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena)
{
	int error = mxg_read_word(row, text, field, arena);
	if (error == MXGUARD_ERROR_NONE)
		memcpy((char *)field + sizeof(unsigned), field, sizeof(unsigned));
	return error;
}

/* ---- times ------------------------------------------------------------------------------------- */

int mxg_read_seconds(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena)
{
	uint64_t milliseconds;
	if (!mxg_duration_parse(text, &milliseconds) || milliseconds % 1000 != 0)
		return MXGUARD_ERROR_INVALID;
	*(uint32_t *)field = (uint32_t)(milliseconds / 1000);
	return MXGUARD_ERROR_NONE;
}

int mxg_read_milliseconds(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena)
{
	uint64_t milliseconds;
	if (!mxg_duration_parse(text, &milliseconds) || milliseconds == 0 || milliseconds > TIMEOUT_MOST_MS)
		return MXGUARD_ERROR_INVALID;
	*(int *)field = (int)milliseconds;
	return MXGUARD_ERROR_NONE;
}

/* ---- amounts ----------------------------------------------------------------------------------- */

/* A number of at most six digits, not 0; what stands behind it goes to *unit. */
static bool read_number(const char *text, uint64_t *number, const char **unit)
{
	size_t digits = strspn(text, "0123456789");
	*number = 0;
	for (size_t i = 0; i < digits && digits <= 6; i++)
		*number = *number * 10 + (uint64_t)(text[i] - '0');
	*unit = text + digits;
	return *number > 0;
}

int mxg_read_percent(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena)
{
	const char *unit;
	uint64_t number;
	if (!read_number(text, &number, &unit) || number > 100 || strcmp(unit, "%") != 0)
		return MXGUARD_ERROR_INVALID;
	*(uint64_t *)field = number;
	return MXGUARD_ERROR_NONE;
}

int mxg_read_bytes(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena)
{
	const char *unit;
	uint64_t number;
	if (!read_number(text, &number, &unit) || (strcmp(unit, "M") != 0 && strcmp(unit, "G") != 0))
		return MXGUARD_ERROR_INVALID;
	number <<= unit[0] == 'G' ? 30 : 20;
	if (number > UINT64_C(1) << 40)
		return MXGUARD_ERROR_INVALID;
	*(uint64_t *)field = number;
	return MXGUARD_ERROR_NONE;
}

/* ---- texts --------------------------------------------------------------------------------------- */

int mxg_read_text(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena)
{
	bool (*const *is_good)(const char *) = row->detail;
	if (!(*is_good)(text))
		return MXGUARD_ERROR_INVALID;
	const char *copy = mxg_arena_text(arena, text, strlen(text));
	if (copy == NULL)
		return MXGUARD_ERROR_NOMEM;
	*(const char **)field = copy;
	return MXGUARD_ERROR_NONE;
}

/* RFC 3629, without control characters; false for anything else. */
static bool is_printable_utf8(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	while (*p != '\0') {
		unsigned more = *p < 0x80                 ? 0
				: *p >= 0xc2 && *p < 0xe0 ? 1
				: *p >= 0xe0 && *p < 0xf0 ? 2
				: *p >= 0xf0 && *p < 0xf5 ? 3
							  : 9;
		uint32_t c = more == 0 ? *p : *p & (0x3fu >> more);
		if (more == 9)
			return false;
		for (unsigned i = 1; i <= more; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (p[i] & 0x3fu);
		}
		if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (more == 2 && c < 0x800) || (more == 3 && c < 0x10000) ||
		    (c >= 0xd800 && c < 0xe000) || c > 0x10ffff || c == 0x2028 || c == 0x2029)
			return false;
		p += more + 1;
	}
	return true;
}

/* "550 …" or "5.7.1 …": mxguard puts these in front, to suit the verdict. */
static bool begins_with_status(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 3 && (text[3] == ' ' || text[3] == '-' || text[3] == '\0'))
		return true;
	return digits == 1 && text[1] == '.' && text[2] >= '0' && text[2] <= '9';
}

bool mxg_is_reply_text(const char *text)
{
	return text[0] != '\0' && strlen(text) <= REPLY_MOST && is_printable_utf8(text) && !begins_with_status(text);
}

/* INBOX, in any case, is where mail goes that is not put aside. */
bool mxg_is_mailbox(const char *text)
{
	return text[0] != '\0' && strlen(text) <= MAILBOX_MOST && is_printable_utf8(text) &&
	       strcasecmp(text, "INBOX") != 0;
}

/* A line for sh(1). */
bool mxg_is_command(const char *text)
{
	return text[0] != '\0' && strlen(text) <= COMMAND_MOST;
}

/* RFC 8601 §2.2: it must do without quotes. */
bool mxg_is_authserv_id(const char *text)
{
	size_t len = strlen(text);
	return len > 0 && len <= 253 && strspn(text, LETTERS "0123456789.-_") == len;
}

/* ---- exempt -------------------------------------------------------------------------------------- */

static char folded(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

const char *mxg_read_exempt_address(const char *text, size_t len, struct mxg_arena *arena, int *error)
{
	char address[64 + 1 + 256] = "";
	const char *at = len == 0 ? NULL : memrchr(text, '@', len);
	size_t local = at == NULL ? 0 : (size_t)(at - text), domain = len - local - 1;
	*error = MXGUARD_ERROR_INVALID;
	if (local == 0 || local > 64)
		return NULL;
	if (domain > 0 && mxg_domain_text(address + local + 1, at + 1, domain) != NULL)
		return NULL;
	for (size_t i = 0; i <= local; i++) {
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return NULL;
		address[i] = folded(text[i]);
	}
	const char *copy = mxg_arena_text(arena, address, strlen(address));
	*error = copy == NULL ? MXGUARD_ERROR_NOMEM : MXGUARD_ERROR_NONE;
	return copy;
}

#define BETWEEN " ,\t"

static size_t count_words(const char *text)
{
	size_t count = 0;
	for (text += strspn(text, BETWEEN); *text != '\0'; text += strspn(text, BETWEEN), count++)
		text += strcspn(text, BETWEEN);
	return count;
}

int mxg_read_exempt(const struct mxg_setting *row, const char *text, void *field, struct mxg_arena *arena)
{
	size_t count = count_words(text);
	const char **addresses = mxg_arena_take(arena, (count + 1) * sizeof(*addresses));
	int error = addresses == NULL ? MXGUARD_ERROR_NOMEM : MXGUARD_ERROR_NONE;
	for (size_t i = 0; i < count && error == MXGUARD_ERROR_NONE; i++) {
		text += strspn(text, BETWEEN);
		size_t len = strcspn(text, BETWEEN);
		addresses[i] = mxg_read_exempt_address(text, len, arena, &error);
		text += len;
	}
	if (error == MXGUARD_ERROR_NONE)
		*(struct mxg_exempt *)field = (struct mxg_exempt){ addresses, count };
	return error;
}
