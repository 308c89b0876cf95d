/* SPDX-License-Identifier: MIT */
#include "refresh_publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "output_file.h"
#include "snapshot/format.h"

static int failed(struct mxg_published *p, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int failed(struct mxg_published *p, int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(p->error, sizeof(p->error), format, args);
	va_end(args);
	fprintf(stderr, "mxguard refresh: %s\n", p->error);
	return status;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

bool mxg_snapshot_file_copy(int from, int to, bool *reading)
{
	char piece[65536];
	uint64_t all = 0;
	for (;;) {
		ssize_t n = pread(from, piece, sizeof(piece), (off_t)all);
		*reading = true;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		all += (uint64_t)n;
		errno = EFBIG;
		if (all > MXG_SNAPSHOT_FILE_MOST)
			return false;
		*reading = false;
		if (!write_all(to, piece, (size_t)n))
			return false;
	}
}

const char *mxg_checksum_text_of(const struct mxg_snapshot_file *facts, char text[MXG_CHECKSUM_TEXT_MAX])
{
	for (size_t i = 0; i < MXG_CHECKSUM_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", facts->sum[i]);
	return text;
}

/* The copy is what is looked at: it is what others get. */
static int check_copy(const struct mxguard_policy *policy, int fd, struct mxg_published *p)
{
	char why[256];
	uint8_t gateways[MXG_CHECKSUM_BYTES];
	if (!mxg_snapshot_file_read(fd, &p->facts, why, sizeof(why)))
		return failed(p, EX_DATAERR, "%s/%s %s; it is not published", policy->state_dir, MXG_SNAPSHOT_FILE,
			      why);
	mxg_policy_gateways_hash(policy, gateways);
	if (memcmp(p->facts.hash, policy->hash, sizeof(policy->hash)) == 0 &&
	    memcmp(p->facts.gateways, gateways, sizeof(gateways)) == 0)
		return 0;
	return failed(p, EX_CONFIG, "%s/%s was written for another configuration; it is not published",
		      policy->state_dir, MXG_SNAPSHOT_FILE);
}

static int copy_out(const struct mxguard_policy *policy, int fd, struct mxg_published *p)
{
	struct mxg_output_file out;
	bool reading;
	if (!mxg_output_open(&out, p->file))
		return failed(p, EX_CANTCREAT, "%s cannot be written: %s", p->file, out.why);
	int status = 0;
	if (!mxg_snapshot_file_copy(fd, fileno(out.file), &reading))
		status = failed(p, EX_IOERR, "%s cannot be %s: %s", reading ? MXG_SNAPSHOT_FILE : p->file,
				reading ? "read" : "written", strerror(errno));
	if (status == 0)
		status = check_copy(policy, fileno(out.file), p);
	if (status != 0)
		mxg_output_drop(&out);
	else if (!mxg_output_finish(&out))
		status = failed(p, EX_IOERR, "%s cannot be written: %s", p->file, out.why);
	return status;
}

int mxg_refresh_publish(const struct mxguard_policy *policy, int folder, struct mxg_published *p)
{
	int fd = openat(folder, MXG_SNAPSHOT_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return failed(p, EX_TEMPFAIL, "%s/%s: %s; nothing is published", policy->state_dir, MXG_SNAPSHOT_FILE,
			      errno == ENOENT ? "there is no snapshot" : strerror(errno));
	int status = copy_out(policy, fd, p);
	close(fd);
	return status;
}
