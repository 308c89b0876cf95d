/* SPDX-License-Identifier: MIT */
#include "output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool failed(struct mxg_output_file *o, int error)
{
	o->why = strerror(error);
	return false;
}

/* Root's rename(2) would make a regular file of /dev/null. */
static bool may_replace(struct mxg_output_file *o)
{
	struct stat st;
	if (lstat(o->target, &st) != 0)
		return errno == ENOENT || failed(o, errno);
	if (S_ISREG(st.st_mode))
		return true;
	o->why = S_ISLNK(st.st_mode) ? "it is a symbolic link; name the file itself" : "it is not a regular file";
	return false;
}

bool mxg_output_open(struct mxg_output_file *o, const char *target)
{
	*o = (struct mxg_output_file){ .target = target };
	if (!may_replace(o))
		return false;
	int n = snprintf(o->path, sizeof(o->path), "%s.XXXXXX", target);
	int fd = n < 0 || (size_t)n >= sizeof(o->path) ? -1 : mkostemp(o->path, O_CLOEXEC);
	o->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (o->file != NULL)
		return true;
	int error = n < 0 || (size_t)n >= sizeof(o->path) ? ENAMETOOLONG : errno;
	if (fd >= 0) {
		close(fd);
		unlink(o->path);
	}
	return failed(o, error);
}

/* Older files keep the time that they have got, those from the same second or from the future are outdone by one. */
static bool set_time(const struct mxg_output_file *o, int fd)
{
	struct stat old, new;
	if (!o->later || lstat(o->target, &old) != 0)
		return true;
	if (fstat(fd, &new) != 0)
		return false;
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = old.st_mtim.tv_sec + 1 } };
	return new.st_mtim.tv_sec > old.st_mtim.tv_sec || futimens(fd, times) == 0;
}

bool mxg_output_finish(struct mxg_output_file *o)
{
	int fd = fileno(o->file);
	bool good =
		fflush(o->file) == 0 && !ferror(o->file) && fchmod(fd, 0644) == 0 && set_time(o, fd) && fsync(fd) == 0;
	int error = errno;
	good &= fclose(o->file) == 0;
	if (good && may_replace(o) && rename(o->path, o->target) == 0)
		return true;
	if (good)
		error = errno;
	unlink(o->path);
	return o->why != NULL ? false : failed(o, error);
}

void mxg_output_drop(struct mxg_output_file *o)
{
	fclose(o->file);
	unlink(o->path);
}

bool mxg_output_write(const char *command, const char *target, void (*put)(const void *what, FILE *to),
		      const void *what)
{
	struct mxg_output_file o;
	if (mxg_output_open(&o, target)) {
		put(what, o.file);
		if (mxg_output_finish(&o))
			return true;
	}
	fprintf(stderr, "%s: %s: %s\n", command, target, o.why);
	return false;
}
