/* SPDX-License-Identifier: MIT */
#include "base/checksum.h"

#include <string.h>

void mxg_checksum_begin(struct mxg_checksum *sum)
{
	*sum = (struct mxg_checksum){ { 0xcbf29ce484222325u, 0x9ae16a3b2f90404fu, 0xc3a5c85c97cb3127u,
					0xb492b66fbe98f273u } };
}

void mxg_checksum_bytes(struct mxg_checksum *sum, const void *bytes, size_t len)
{
	static const uint64_t primes[4] = { 0x100000001b3u, 0x100000001cfu, 0x10000000233u, 0x100000002a5u };
	const unsigned char *p = bytes;
	for (size_t i = 0; i < len; i++)
		for (size_t lane = 0; lane < 4; lane++)
			sum->lanes[lane] = (sum->lanes[lane] ^ p[i]) * primes[lane];
}

void mxg_checksum_number(struct mxg_checksum *sum, uint64_t number)
{
	unsigned char bytes[8];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(number >> (8 * i));
	mxg_checksum_bytes(sum, bytes, sizeof(bytes));
}

void mxg_checksum_text(struct mxg_checksum *sum, const char *text, size_t len)
{
	mxg_checksum_number(sum, len);
	mxg_checksum_bytes(sum, text, len);
}

void mxg_checksum_string(struct mxg_checksum *sum, const char *text)
{
	mxg_checksum_text(sum, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

void mxg_checksum_join(struct mxg_checksum *set, const struct mxg_checksum *one)
{
	for (size_t lane = 0; lane < 4; lane++)
		set->lanes[lane] += one->lanes[lane];
}

void mxg_checksum_set(struct mxg_checksum *sum, const struct mxg_checksum *set)
{
	for (size_t lane = 0; lane < 4; lane++)
		mxg_checksum_number(sum, set->lanes[lane]);
}

void mxg_checksum_end(const struct mxg_checksum *sum, uint8_t out[MXG_CHECKSUM_BYTES])
{
	for (size_t i = 0; i < MXG_CHECKSUM_BYTES; i++)
		out[i] = (uint8_t)(sum->lanes[i / 8] >> (8 * (i % 8)));
}
