/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/nameless.h"
#include "trap/name.h"
#include "trap/quota.h"
#include "trap/store.h"

#define FIELD_MOST 1024u
#define STEP (256u * 1024) /* reserved at a time */
#define NAME_TRIES 16

struct mxg_trap_copy {
	struct mxg_trap_folder folder;
	struct mxg_trap_quota quota;
	struct mxg_trap_result result; /* the first trouble */
	char field[FIELD_MOST];
	char temporary[MXG_TRAP_NAME_MAX]; /* in tmp; "": the file has no name yet */
	char name[MXG_TRAP_NAME_MAX]; /* under which it is kept */
	int fd;
	uint64_t written;
	struct mxg_trap_reservation reservation;
	bool begun; /* the field stands there */
};

/* ---- the file ------------------------------------------------------------------------------------ */

/* A file without a name is gone when its writer is; where there are none such, one in tmp. */
static bool open_file(struct mxg_trap_copy *c)
{
	int tmp = c->folder.parts[MXG_TRAP_TMP];
	if (mxg_nameless_can_be_named())
		c->fd = mxg_nameless_file(c->folder.parts[MXG_TRAP_NEW], ".", O_WRONLY);
	for (int i = 0; c->fd < 0 && i < NAME_TRIES; i++) {
		mxg_trap_name_make(c->temporary, 0);
		c->fd = openat(tmp, c->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (c->fd < 0 && errno != EEXIST)
			break;
	}
	if (c->fd < 0)
		c->temporary[0] = '\0';
	if (c->fd < 0 || !mxg_trap_folder_give(&c->folder, c->fd))
		return mxg_trap_broken(&c->result, "a file cannot be made");
	return true;
}

static bool reserve(struct mxg_trap_copy *c, uint64_t more)
{
	while (c->written + more > c->reservation.bytes)
		if (!mxg_trap_reserve(&c->folder, &c->quota, STEP, &c->reservation, &c->result))
			return false;
	return true;
}

static bool write_all(struct mxg_trap_copy *c, const char *bytes, size_t length)
{
	if (!reserve(c, length))
		return false;
	while (length > 0) {
		ssize_t n = write(c->fd, bytes, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return mxg_trap_broken(&c->result, "a copy cannot be written");
		bytes += n;
		length -= (size_t)n;
		c->written += (uint64_t)n;
	}
	return true;
}

/* With the line ends that the message has. */
static bool write_field(struct mxg_trap_copy *c, const char *bytes, size_t length)
{
	const char *end = memchr(bytes, '\n', length);
	char *to = c->field;
	if (end != NULL && (end == bytes || end[-1] != '\r')) {
		for (const char *from = c->field; *from != '\0'; from++)
			if (*from != '\r')
				*to++ = *from;
		*to = '\0';
	}
	c->begun = true;
	return write_all(c, c->field, strlen(c->field));
}

/* ---- a copy -------------------------------------------------------------------------------------- */

static void read_quota(struct mxg_trap_quota *quota, const struct mxguard_policy *policy)
{
	quota->share = mxguard_policy_trap_limit(policy, MXGUARD_TRAP_LIMIT_SHARE);
	quota->max_total = mxguard_policy_trap_limit(policy, MXGUARD_TRAP_LIMIT_MAX_TOTAL);
	quota->per_hour = mxguard_policy_trap_limit(policy, MXGUARD_TRAP_LIMIT_PER_HOUR);
}

static void free_copy(struct mxg_trap_copy *c)
{
	if (c->fd >= 0)
		close(c->fd);
	mxg_trap_folder_close(&c->folder);
	free(c);
}

struct mxg_trap_copy *mxg_trap_begin(const struct mxguard_policy *policy, const char *field,
				     struct mxg_trap_result *result)
{
	const char *directory = mxguard_policy_trap(policy);
	struct mxg_trap_copy *c = calloc(1, sizeof(*c));
	*result = (struct mxg_trap_result){ .trouble = MXG_TRAP_BROKEN };
	if (c == NULL || directory == NULL || strlen(field) >= sizeof(c->field)) {
		errno = c == NULL ? ENOMEM : EINVAL;
		mxg_trap_broken(result, "no copy can be begun");
		free(c);
		return NULL;
	}
	c->fd = c->reservation.fd = -1;
	strcpy(c->field, field);
	read_quota(&c->quota, policy);
	if (!mxg_trap_folder_open(&c->folder, directory, true, &c->result) || !reserve(c, 1) || !open_file(c)) {
		*result = c->result;
		mxg_trap_discard(c);
		return NULL;
	}
	return c;
}

bool mxg_trap_write(struct mxg_trap_copy *c, const void *bytes, size_t length)
{
	if (c->result.trouble != MXG_TRAP_NO_TROUBLE)
		return false;
	if (length > MXG_TRAP_COPY_MOST || c->written + length > MXG_TRAP_COPY_MOST) {
		c->result.trouble = MXG_TRAP_FULL;
		snprintf(c->result.why, sizeof(c->result.why), "the message is larger than %u bytes",
			 MXG_TRAP_COPY_MOST);
		return false;
	}
	return (c->begun || write_field(c, bytes, length)) && write_all(c, bytes, length);
}

void mxg_trap_discard(struct mxg_trap_copy *c)
{
	if (c == NULL)
		return;
	if (c->temporary[0] != '\0')
		(void)unlinkat(c->folder.parts[MXG_TRAP_TMP], c->temporary, 0);
	(void)mxg_trap_settle(&c->folder, &c->reservation, 0, NULL, NULL);
	free_copy(c);
}

/* Under its own name, which nobody has yet. */
static bool give_name(void *copy)
{
	struct mxg_trap_copy *c = copy;
	int to = c->folder.parts[MXG_TRAP_NEW], tmp = c->folder.parts[MXG_TRAP_TMP];
	for (int i = 0; i < NAME_TRIES; i++) {
		mxg_trap_name_make(c->name, c->written);
		int linked = c->temporary[0] != '\0' ? linkat(tmp, c->temporary, to, c->name, 0)
						     : mxg_nameless_name(c->fd, to, c->name);
		if (linked == 0 || errno != EEXIST)
			return linked == 0;
	}
	return false;
}

static bool finish(struct mxg_trap_copy *c)
{
	if (c->result.trouble != MXG_TRAP_NO_TROUBLE || (!c->begun && !write_field(c, "", 0)))
		return false;
	if (fdatasync(c->fd) != 0 || !mxg_trap_settle(&c->folder, &c->reservation, c->written, give_name, c))
		return mxg_trap_broken(&c->result, "a copy cannot be kept");
	return true;
}

void mxg_trap_finish(struct mxg_trap_copy *c, struct mxg_trap_result *result)
{
	if (finish(c))
		snprintf(c->result.why, sizeof(c->result.why), "%s", c->name);
	*result = c->result;
	mxg_trap_discard(c);
}
