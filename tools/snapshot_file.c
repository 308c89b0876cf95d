/* SPDX-License-Identifier: MIT */
#include "snapshot_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/format.h"
#include "snapshot/snapshot.h"
#include "system/error_text.h"

static bool add_range(int fd, struct mxg_checksum *sum, uint64_t at, uint64_t end)
{
	uint8_t piece[65536];
	while (at < end) {
		size_t n = end - at < sizeof(piece) ? (size_t)(end - at) : sizeof(piece);
		if (!mxg_snapshot_read_fd(fd, piece, n, at))
			return false;
		mxg_checksum_bytes(sum, piece, n);
		at += n;
	}
	return true;
}

bool mxg_snapshot_file_sum(int fd, uint64_t size, uint8_t out[MXG_CHECKSUM_BYTES])
{
	struct mxg_checksum sum;
	mxg_checksum_begin(&sum);
	if (!add_range(fd, &sum, 0, MXG_SNAPSHOT_WHOLE_AT) ||
	    !add_range(fd, &sum, MXG_SNAPSHOT_WHOLE_AT + MXG_CHECKSUM_BYTES, size))
		return false;
	mxg_checksum_end(&sum, out);
	return true;
}

static bool refuse(char *why, size_t size, const char *text)
{
	snprintf(why, size, "%s", text);
	return false;
}

static bool refuse_errno(char *why, size_t size)
{
	int error = errno;
	return refuse(why, size, error == 0 ? "is torn: it ends too early" : mxg_error_text(error));
}

static void take_header(struct mxg_snapshot_file *out, const uint8_t *h)
{
	out->generation = mxg_get32(h + MXG_SNAPSHOT_AT_GENERATION);
	out->written = (int64_t)mxg_get64(h + MXG_SNAPSHOT_AT_WRITTEN);
	out->domains = mxg_get32(h + MXG_SNAPSHOT_AT_DOMAINS);
	out->questions = mxg_get32(h + MXG_SNAPSHOT_AT_QUESTIONS);
	memcpy(out->hash, h + MXG_SNAPSHOT_AT_HASH, sizeof(out->hash));
}

bool mxg_snapshot_file_head(int fd, struct mxg_snapshot_file *out, char *why, size_t size)
{
	uint8_t h[MXG_SNAPSHOT_HEADER_SIZE];
	struct stat st;
	*out = (struct mxg_snapshot_file){ 0 };
	if (fstat(fd, &st) != 0 || !mxg_snapshot_read_fd(fd, h, sizeof(h), MXG_SNAPSHOT_HEADER_AT))
		return refuse_errno(why, size);
	if (memcmp(h, MXG_SNAPSHOT_MAGIC, 8) != 0)
		return refuse(why, size, "is not a snapshot, or damaged");
	if (mxg_get32(h + MXG_SNAPSHOT_AT_VERSION) != MXG_SNAPSHOT_VERSION)
		return refuse(why, size, "was written by another version of mxguard, or is damaged");
	if (mxg_get32(h + MXG_SNAPSHOT_AT_CRC) != mxg_crc32(0, h, MXG_SNAPSHOT_AT_CRC))
		return refuse(why, size, "is damaged: its header's checksum does not hold");
	out->size = mxg_get64(h + MXG_SNAPSHOT_AT_LENGTH);
	if (out->size == (uint64_t)st.st_size && out->size <= MXG_SNAPSHOT_FILE_MOST) {
		take_header(out, h);
		return true;
	}
	snprintf(why, size, "is torn: it has %llu bytes of %llu", (unsigned long long)st.st_size,
		 (unsigned long long)out->size);
	return false;
}

bool mxg_snapshot_file_read(int fd, struct mxg_snapshot_file *out, char *why, size_t size)
{
	uint8_t record[1 + MXG_SNAPSHOT_WHOLE_SIZE], sum[MXG_CHECKSUM_BYTES];
	if (!mxg_snapshot_file_head(fd, out, why, size))
		return false;
	if (!mxg_snapshot_read_fd(fd, record, sizeof(record), MXG_SNAPSHOT_WHOLE_AT - 1))
		return refuse_errno(why, size);
	if (record[0] != 'C')
		return refuse(why, size, "has no checksum: it is damaged, or of an earlier version of mxguard");
	memcpy(out->sum, record + 1, sizeof(out->sum));
	memcpy(out->gateways, record + 1 + MXG_SNAPSHOT_WHOLE_GATEWAYS, sizeof(out->gateways));
	if (!mxg_snapshot_file_sum(fd, out->size, sum))
		return refuse_errno(why, size);
	return memcmp(sum, out->sum, sizeof(sum)) == 0 || refuse(why, size, "is damaged: its checksum does not hold");
}
