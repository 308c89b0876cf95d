/* SPDX-License-Identifier: MIT */
#include "trap/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/error_text.h"
#include "system/folder_handle.h"

#define PATH_MOST 4096u
#define FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

const char *const mxg_trap_part_names[MXG_TRAP_PART_COUNT] = { "tmp", "new", "busy", "cur" };

/* What backup programs that know it leave out (https://bford.info/cachedir/). */
static const char tag_name[] = "CACHEDIR.TAG";
static const char tag_text[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
			       "# Copies of refused mail, kept by mxguard for a short time: not for backups.\n";

bool mxg_trap_broken(struct mxg_trap_result *result, const char *format, ...)
{
	va_list args;
	int error = errno;
	result->trouble = MXG_TRAP_BROKEN;
	va_start(args, format);
	int n = vsnprintf(result->why, sizeof(result->why), format, args);
	va_end(args);
	if (error != 0 && n >= 0 && (size_t)n < sizeof(result->why))
		snprintf(result->why + n, sizeof(result->why) - (size_t)n, ": %s", mxg_error_text(error));
	return false;
}

bool mxg_trap_folder_give(const struct mxg_trap_folder *folder, int fd)
{
	return geteuid() != 0 || fchown(fd, folder->owner, folder->group) == 0;
}

static bool judge(const struct stat *st, const char *path, struct mxg_trap_result *result)
{
	errno = 0;
	if ((st->st_mode & 077) != 0)
		return mxg_trap_broken(result, "%s has mode %04o, and nobody but its owner may look into it (0700)",
				       path, (unsigned)st->st_mode & 07777);
	if (geteuid() != 0 && st->st_uid != geteuid())
		return mxg_trap_broken(result, "%s belongs to uid %u, not to uid %u", path, (unsigned)st->st_uid,
				       (unsigned)geteuid());
	return true;
}

/* Nobody else can put another folder in its place. */
static bool judge_parent(const struct stat *st, const char *path, struct mxg_trap_result *result)
{
	errno = 0;
	if ((st->st_mode & 022) == 0 || (st->st_mode & S_ISVTX) != 0)
		return true;
	return mxg_trap_broken(result, "the folder that %s is in has mode %04o: others may write to it", path,
			       (unsigned)st->st_mode & 07777);
}

static void write_tag(const struct mxg_trap_folder *folder)
{
	int fd = openat(folder->self, tag_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	bool whole = write(fd, tag_text, sizeof(tag_text) - 1) == (ssize_t)sizeof(tag_text) - 1;
	if (!whole || !mxg_trap_folder_give(folder, fd))
		(void)unlinkat(folder->self, tag_name, 0);
	close(fd);
}

/* Somebody else may make it at the same time: then it is there, too. */
static int open_or_make(struct mxg_trap_folder *folder, int parent, const char *name, bool create, bool *made)
{
	int fd = openat(parent, name, FOLDER);
	*made = false;
	if (fd >= 0 || errno != ENOENT || !create)
		return fd;
	*made = mkdirat(parent, name, 0700) == 0;
	if (!*made && errno != EEXIST)
		return -1;
	fd = openat(parent, name, FOLDER);
	if (fd >= 0 && *made && !mxg_trap_folder_give(folder, fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool open_self(struct mxg_trap_folder *folder, const char *path, bool create, struct mxg_trap_result *result)
{
	char parent[PATH_MOST];
	struct stat above, st;
	bool made = false;
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path);
	if (slash == NULL || len >= sizeof(parent)) {
		errno = ENAMETOOLONG;
		return mxg_trap_broken(result, "%s cannot be opened", path);
	}
	memcpy(parent, path, len);
	parent[len] = '\0';
	int fd = open(len == 0 ? "/" : parent, MXG_FOLDER_HANDLE);
	if (fd < 0 || fstat(fd, &above) != 0) {
		mxg_trap_broken(result, "the folder that %s is in cannot be opened", path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	folder->owner = above.st_uid;
	folder->group = above.st_gid;
	folder->self = open_or_make(folder, fd, slash + 1, create, &made);
	if (folder->self < 0 || fstat(folder->self, &st) != 0)
		mxg_trap_broken(result, "%s cannot be opened", path);
	else if (judge_parent(&above, path, result) && judge(&st, path, result)) {
		folder->owner = st.st_uid;
		folder->group = st.st_gid;
		result->trouble = MXG_TRAP_NO_TROUBLE;
	}
	close(fd);
	if (made && result->trouble == MXG_TRAP_NO_TROUBLE)
		write_tag(folder);
	return result->trouble == MXG_TRAP_NO_TROUBLE;
}

static bool open_part(struct mxg_trap_folder *folder, enum mxg_trap_part part, const char *path,
		      struct mxg_trap_result *result)
{
	struct stat st;
	bool made;
	const char *name = mxg_trap_part_names[part];
	folder->parts[part] = open_or_make(folder, folder->self, name, true, &made);
	if (folder->parts[part] < 0 || fstat(folder->parts[part], &st) != 0)
		return mxg_trap_broken(result, "%s/%s cannot be opened", path, name);
	errno = 0;
	if (st.st_uid != folder->owner || (st.st_mode & 077) != 0)
		return mxg_trap_broken(result, "%s/%s must have the owner of the trap and mode 0700", path, name);
	return true;
}

bool mxg_trap_folder_open(struct mxg_trap_folder *folder, const char *path, bool create, struct mxg_trap_result *result)
{
	folder->self = -1;
	for (int i = 0; i < MXG_TRAP_PART_COUNT; i++)
		folder->parts[i] = -1;
	*result = (struct mxg_trap_result){ .trouble = MXG_TRAP_BROKEN };
	bool good = open_self(folder, path, create, result);
	for (int i = 0; good && i < MXG_TRAP_PART_COUNT; i++)
		good = open_part(folder, (enum mxg_trap_part)i, path, result);
	if (!good)
		mxg_trap_folder_close(folder);
	return good;
}

void mxg_trap_folder_close(struct mxg_trap_folder *folder)
{
	for (int i = 0; i < MXG_TRAP_PART_COUNT; i++)
		if (folder->parts[i] >= 0)
			close(folder->parts[i]);
	if (folder->self >= 0)
		close(folder->self);
	folder->self = -1;
	for (int i = 0; i < MXG_TRAP_PART_COUNT; i++)
		folder->parts[i] = -1;
}
