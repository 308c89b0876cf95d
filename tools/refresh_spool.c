/* SPDX-License-Identifier: MIT */
#include "refresh_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/grow.h"
#include "base/neuter.h"
#include "policy/domains_file.h"
#include "refresh_tell.h"

#define FILES_MOST 10000 /* in one pass; the next one takes the rest */
#define SIZE_MOST (1024 * 1024)
#define BYTES_MOST (16 * 1024 * 1024) /* of all files in one pass */
#define TOLD_MOST 20 /* wrong lines in one pass */

struct mxg_spooled {
	char *name;
	struct stat as; /* … it was before it was read */
};

static int open_file(struct mxg_spool *s, int folder, const char *name, bool *empty)
{
	struct stat st;
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= SIZE_MOST) {
		*empty = st.st_size == 0;
		s->bytes += (uint64_t)st.st_size;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	char shown[512];
	mxg_neuter(shown, sizeof(shown), name, strlen(name), "");
	mxg_refresh_warn("spool/%s: not a regular file of at most 1 MiB that can be read; it is passed over", shown);
	return -1;
}

static bool put_name(struct mxg_spool *s, const char *name)
{
	char domain[256];
	const char *error;
	if (mxg_domains_line(domain, name, strlen(name), &error))
		return mxg_names_put(&s->domains, domain);
	mxg_refresh_warn("spool: an empty file must have the name of a domain");
	return true;
}

static bool read_lines(struct mxg_spool *s, int fd)
{
	struct mxg_domains_reader *reader;
	char message[512];
	const char *domain;
	int more;
	bool good = mxg_domains_open_fd(&reader, fd, MXG_SPOOL_FOLDER);
	while (good && (more = mxg_domains_next(reader, &domain, message, sizeof(message))) != 0) {
		if (more == 1)
			good = mxg_names_put(&s->domains, domain);
		else if (s->wrong++ < TOLD_MOST)
			mxg_refresh_warn("%s", message);
		if (more == MXGUARD_ERROR_IO)
			break;
	}
	if (reader == NULL)
		close(fd);
	mxg_domains_close(reader);
	return good;
}

static bool remember(struct mxg_spool *s, int folder, const char *name)
{
	struct stat as;
	if (fstatat(folder, name, &as, AT_SYMLINK_NOFOLLOW) != 0)
		return true; /* it has just gone */
	if (!mxg_grow(&s->files, &s->file_room, s->file_count, sizeof(*s->files)))
		return false;
	struct mxg_spooled *file = &s->files[s->file_count];
	*file = (struct mxg_spooled){ strdup(name), as };
	s->file_count += file->name != NULL;
	return file->name != NULL;
}

static bool read_one(struct mxg_spool *s, int folder, const char *name)
{
	bool empty;
	if (!remember(s, folder, name))
		return false;
	int fd = open_file(s, folder, name, &empty);
	if (fd < 0)
		return true;
	if (!empty)
		return read_lines(s, fd);
	close(fd);
	return put_name(s, name);
}

static bool list_domains(struct mxg_spool *s)
{
	mxg_names_sort(&s->domains);
	s->items = calloc(s->domains.count + 1, sizeof(*s->items));
	for (size_t i = 0; s->items != NULL && i < s->domains.count; i++)
		s->items[i] = mxg_names_get(&s->domains, i);
	return s->items != NULL;
}

bool mxg_spool_read(struct mxg_spool *s, int state_dir)
{
	int fd = openat(state_dir, MXG_SPOOL_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool good = true;
	*s = (struct mxg_spool){ 0 };
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return list_domains(s);
	}
	for (struct dirent *e;
	     good && s->file_count < FILES_MOST && s->bytes < BYTES_MOST && (e = readdir(dir)) != NULL;)
		if (e->d_name[0] != '.')
			good = read_one(s, fd, e->d_name);
	closedir(dir);
	return list_domains(s) && good;
}

struct mxg_string_list mxg_spool_list(const struct mxg_spool *s)
{
	return (struct mxg_string_list){ s->items, s->domains.count };
}

static bool is_another(int fd, const struct mxg_spooled *file)
{
	struct stat now;
	return fstatat(fd, file->name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (now.st_ino != file->as.st_ino || now.st_dev != file->as.st_dev || now.st_size != file->as.st_size ||
		now.st_mtim.tv_sec != file->as.st_mtim.tv_sec || now.st_mtim.tv_nsec != file->as.st_mtim.tv_nsec ||
		now.st_ctim.tv_sec != file->as.st_ctim.tv_sec || now.st_ctim.tv_nsec != file->as.st_ctim.tv_nsec);
}

/* A folder that stayed would begin a pass after each one. */
static void remove_entry(int fd, const char *name)
{
	char shown[512];
	if (unlinkat(fd, name, 0) == 0 || errno == ENOENT || (errno == EISDIR && unlinkat(fd, name, AT_REMOVEDIR) == 0))
		return;
	mxg_neuter(shown, sizeof(shown), name, strlen(name), "");
	mxg_refresh_warn("spool/%s cannot be removed: %s", shown, strerror(errno));
}

void mxg_spool_done(const struct mxg_spool *s, int state_dir)
{
	int fd = openat(state_dir, MXG_SPOOL_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; fd >= 0 && i < s->file_count; i++)
		if (!is_another(fd, &s->files[i]))
			remove_entry(fd, s->files[i].name);
	if (fd >= 0)
		close(fd);
}

void mxg_spool_free(struct mxg_spool *s)
{
	mxg_names_free(&s->domains);
	for (size_t i = 0; i < s->file_count; i++)
		free(s->files[i].name);
	free(s->files);
	free(s->items);
}
