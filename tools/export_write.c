/* SPDX-License-Identifier: MIT */
/* Where an export goes. */
#include "export_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "output_file.h"
#include "zone_serial.h"

#define OLD_MOST (64L << 20) /* sets of a whole administration have some thousand lines */

struct text {
	char *bytes;
	size_t len;
};

static int cannot_write(const char *command, const char *path, const char *why, int status)
{
	fprintf(stderr, "%s: %s: %s; it is as it was\n", command, path, why);
	return status;
}

int mxg_export_print(const struct mxg_export_format *format, struct mxg_export *e, const char *command)
{
	if (e->zone != NULL)
		e->zone->serial = mxg_zone_serial_next(0, e->now);
	if (format->write(e, stdout) && fflush(stdout) == 0)
		return 0;
	fprintf(stderr, "%s: %s\n", command, strerror(errno));
	return EX_IOERR;
}

static int replace(const struct mxg_export_format *format, const struct mxg_export *e, const char *command,
		   const char *path)
{
	struct mxg_output_file output;
	if (!mxg_output_open(&output, path))
		return cannot_write(command, path, output.why, EX_CANTCREAT);
	output.later = e->zone != NULL;
	if (!format->write(e, output.file)) {
		int error = errno;
		mxg_output_drop(&output);
		return cannot_write(command, path, strerror(error), EX_IOERR);
	}
	return mxg_output_finish(&output) ? 0 : cannot_write(command, path, output.why, EX_IOERR);
}

/* ---- zones ------------------------------------------------------------------------------------ */

static bool read_all(int fd, size_t size, struct text *out)
{
	out->bytes = malloc(size + 1);
	while (out->bytes != NULL && out->len < size) {
		ssize_t n = read(fd, out->bytes + out->len, size - out->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		out->len += (size_t)n;
	}
	return out->bytes != NULL;
}

/* What stands there; empty where nothing does. What is no file of ours is refused when it is to be replaced. */
static bool read_old(const char *path, struct text *out)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP;
	bool good = fstat(fd, &st) == 0;
	if (good && S_ISREG(st.st_mode)) {
		errno = EFBIG;
		good = st.st_size <= OLD_MOST && read_all(fd, (size_t)st.st_size, out);
	}
	int error = errno;
	close(fd);
	errno = error;
	return good;
}

/* Its first line tells when it was made. */
static bool is_same(const struct text *a, const struct text *b)
{
	const char *p = a->len > 0 ? memchr(a->bytes, '\n', a->len) : NULL;
	const char *q = b->len > 0 ? memchr(b->bytes, '\n', b->len) : NULL;
	if (p == NULL || q == NULL)
		return false;
	size_t len = (size_t)(a->bytes + a->len - p);
	return len == (size_t)(b->bytes + b->len - q) && memcmp(p, q, len) == 0;
}

/* Whether the file would say the same with its old serial. */
static bool is_current(const struct mxg_export_format *format, struct mxg_export *e, const struct text *old)
{
	struct text new = { .len = 0 };
	FILE *to = open_memstream(&new.bytes, &new.len);
	if (to == NULL)
		return false;
	bool same = format->write(e, to);
	same = fclose(to) == 0 && same && is_same(old, &new);
	free(new.bytes);
	return same;
}

static int replace_zone(const struct mxg_export_format *format, struct mxg_export *e, const char *command,
			const char *path, const struct text *old)
{
	uint32_t serial = 0;
	if (old->len > 0 && !mxg_zone_serial_read(old->bytes, old->len, &serial))
		return cannot_write(command, path, "it has no SOA record with a serial that could go on", EX_CANTCREAT);
	e->zone->serial = serial;
	if (old->len > 0 && is_current(format, e, old))
		return 0;
	e->zone->serial = mxg_zone_serial_next(serial, e->now);
	return replace(format, e, command, path);
}

int mxg_export_replace(const struct mxg_export_format *format, struct mxg_export *e, const char *command,
		       const char *path)
{
	struct text old = { .len = 0 };
	if (e->zone == NULL)
		return replace(format, e, command, path);
	int status = read_old(path, &old) ? replace_zone(format, e, command, path, &old)
					  : cannot_write(command, path, strerror(errno), EX_CANTCREAT);
	free(old.bytes);
	return status;
}
