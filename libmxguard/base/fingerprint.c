/* SPDX-License-Identifier: MIT */
/* Fingerprints, as many ways to write them as there are programs. */
#include "base/fingerprint.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/ascii.h"

#define LONGEST 64u /* bytes: SHA-512 */

static const char *skip_word(const char *text, const char *word)
{
	size_t len = strlen(word);
	return strnlen(text, len) == len && mxg_ascii_is(text, len, word) ? text + len : NULL;
}

static const char *skip_algorithm(const char *text)
{
	const char *rest = skip_word(text, "sha256");
	if (rest == NULL)
		rest = skip_word(text, "sha-256");
	if (rest == NULL)
		return text;
	const char *more = skip_word(rest, " fingerprint");
	if (more != NULL)
		rest = more;
	return *rest == ':' || *rest == '=' ? rest + 1 : text;
}

/* How many bytes the text is; 0: it is none. */
static unsigned read_bytes(const char *text, uint8_t bytes[LONGEST])
{
	unsigned count = 0;
	bool parted = text[0] != '\0' && text[1] != '\0' && text[2] == ':';
	while (*text != '\0') {
		int high = mxg_ascii_hex(text[0]), low = high < 0 ? -1 : mxg_ascii_hex(text[1]);
		if (low < 0 || count == LONGEST)
			return 0;
		bytes[count++] = (uint8_t)(high << 4 | low);
		text += 2;
		if (parted && *text == ':' && text[1] != '\0')
			text++;
		else if (parted && *text != '\0')
			return 0;
	}
	return count;
}

static bool is_of_nothing(const uint8_t bytes[MXG_FINGERPRINT_BYTES])
{
	static const uint8_t empty[MXG_FINGERPRINT_BYTES] = {
		0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
		0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
	};
	return memcmp(bytes, empty, sizeof(empty)) == 0;
}

void mxg_fingerprint_read(struct mxg_fingerprint *out, const char *text)
{
	uint8_t bytes[LONGEST];
	*out = (struct mxg_fingerprint){ .kind = text == NULL ? MXG_FINGERPRINT_NOT_TOLD : MXG_FINGERPRINT_NONE };
	if (text == NULL || text[0] == '\0')
		return;
	out->length = read_bytes(skip_algorithm(text), bytes);
	if (out->length == 0) {
		out->kind = MXG_FINGERPRINT_UNREADABLE;
	} else if (out->length != MXG_FINGERPRINT_BYTES) {
		out->kind = MXG_FINGERPRINT_OTHER;
	} else if (!is_of_nothing(bytes)) {
		out->kind = MXG_FINGERPRINT_SHA256;
		memcpy(out->bytes, bytes, sizeof(out->bytes));
	}
}
