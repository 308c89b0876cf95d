/* SPDX-License-Identifier: MIT */
#ifndef MXG_SNAPSHOT_FILE_H
#define MXG_SNAPSHOT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checksum.h"

/* A snapshot as a file that is carried from host to host: what it says of itself, and whether it is
 * whole. What it holds is believed by no one here. */
struct mxg_snapshot_file {
	uint64_t size;
	int64_t written;
	uint32_t generation, domains, questions;
	uint8_t hash[MXG_CHECKSUM_BYTES]; /* struct mxguard_policy's */
	uint8_t gateways[MXG_CHECKSUM_BYTES]; /* mxg_policy_gateways_hash() */
	uint8_t sum[MXG_CHECKSUM_BYTES];
};
#define MXG_SNAPSHOT_FILE_MOST 0xffffffffu /* bytes: a cdb has no larger ones */

/* What the header says, whatever else has become of the file. False with a reason. */
bool mxg_snapshot_file_head(int fd, struct mxg_snapshot_file *out, char *why, size_t size);
/* The same, and every byte is as it was written. */
bool mxg_snapshot_file_read(int fd, struct mxg_snapshot_file *out, char *why, size_t size);

/* Over all bytes but those of the checksum itself. False with errno, 0 where the file has become shorter. */
bool mxg_snapshot_file_sum(int fd, uint64_t size, uint8_t sum[MXG_CHECKSUM_BYTES]);

#endif
