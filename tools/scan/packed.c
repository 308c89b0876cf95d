/* SPDX-License-Identifier: MIT */
#include "scan/packed.h"

#include <string.h>

/* RFC 1952, RFC 8878, the formats of xz, bzip2 and lz4; the last is Dovecot's own frame around LZ4 blocks
 * (istream-lz4), which no other program reads. No message begins so: these bytes begin no field. */
static const struct {
	const char *magic;
	size_t len;
	const char *program;
} forms[] = {
	{ "\x1f\x8b", 2, "gzip" },
	{ "\x28\xb5\x2f\xfd", 4, "zstd" },
	{ "\xfd"
	  "7zXZ\0",
	  6, "xz" },
	{ "BZh91AY&SY", 10, "bzip2" }, /* as Dovecot writes it */
	{ "\x04\x22\x4d\x18", 4, "lz4" },
	{ "Dovecot-LZ4\x0d\x2a\x9b\xc5", 15, NULL },
};

const char *mxg_packed_program(const char *start, size_t len, const char **why)
{
	*why = NULL;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (len > forms[i].len && memcmp(start, forms[i].magic, forms[i].len) == 0) {
			*why = forms[i].program != NULL ? NULL : "is compressed by Dovecot's lz4: --doveadm reads it";
			return forms[i].program;
		}
	return NULL;
}
