/* SPDX-License-Identifier: MIT */
#ifndef MXG_FINGERPRINT_H
#define MXG_FINGERPRINT_H

#include <stdint.h>

/* A certificate's or public key's fingerprint in the forms in which MTAs and openssl(1) write it. */
#define MXG_FINGERPRINT_BYTES 32 /* SHA-256 */

enum mxg_fingerprint_kind {
	MXG_FINGERPRINT_NOT_TOLD = 0,
	MXG_FINGERPRINT_NONE, /* there is nothing to take one of */
	MXG_FINGERPRINT_SHA256,
	MXG_FINGERPRINT_OTHER, /* of another length: MD5, SHA-1 … */
	MXG_FINGERPRINT_UNREADABLE
};

struct mxg_fingerprint {
	enum mxg_fingerprint_kind kind;
	unsigned length; /* bytes, of an OTHER */
	uint8_t bytes[MXG_FINGERPRINT_BYTES]; /* of a SHA256 */
};

/* Hexadecimal digits of either case, all pairs parted by colons or none; in front of them perhaps
 * the algorithm: "SHA256:", "sha256=", "sha256 Fingerprint=". NULL is "not told", "" is "none". So is
 * the SHA-256 of no bytes at all: that is what an MTA makes of a certificate that is not there. */
void mxg_fingerprint_read(struct mxg_fingerprint *out, const char *text);

#endif
