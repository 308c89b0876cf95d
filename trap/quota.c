/* SPDX-License-Identifier: MIT */
#include "trap/quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "system/range_lock.h"
#include "trap/name.h"

#define MINUTES 60
#define LOCK_TRIES 20 /* a delivery waits for others no longer than 100 ms */
#define LOCK_PAUSE_NS 5000000
#define RECOUNT_AFTER 3600 /* seconds */
#define COUNT_MOST 1000000u /* copies; with more of them the trap is full */
#define SLOTS 128 /* copies in the making at one time */
#define SLOT_LOCKS (1 << 20) /* behind the file's bytes */

static const char usage_name[] = "usage";

/* The file, as this host's memory has it: nobody else reads it. */
struct usage {
	char magic[8];
	uint64_t total; /* bytes, reserved ones included */
	int64_t counted; /* when they were counted */
	int64_t minute; /* the last one in which a copy was begun */
	uint32_t begun[MINUTES]; /* copies, by minute modulo 60 */
	uint64_t reserved[SLOTS]; /* by whoever holds the lock of the slot */
	uint64_t sum; /* of all before it */
};
static const char magic[8] = { 'm', 'x', 'g', 't', 'r', 'a', 'p', '2' };

struct ledger {
	const struct mxg_trap_folder *folder;
	int fd;
	struct usage usage;
	int64_t now;
};

static uint64_t sum_of(const struct usage *usage)
{
	const unsigned char *p = (const unsigned char *)usage;
	uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	for (size_t i = 0; i < offsetof(struct usage, sum); i++)
		sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* ---- counting ------------------------------------------------------------------------------------ */

/* Files of other names take room as well, but nobody put them there for us to judge. */
static uint64_t count_part(int part, unsigned *seen)
{
	uint64_t total = 0;
	struct mxg_trap_name name;
	struct stat st;
	int fd = openat(part, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return UINT64_MAX / 8;
	}
	for (struct dirent *e; (e = readdir(dir)) != NULL && *seen < COUNT_MOST;) {
		if (e->d_name[0] == '.')
			continue;
		++*seen;
		if (mxg_trap_name_read(e->d_name, &name))
			total += name.size;
		else if (fstatat(part, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			total += (uint64_t)st.st_size;
	}
	closedir(dir);
	return *seen < COUNT_MOST ? total : UINT64_MAX / 8;
}

/* A copy in the making has no name, or one that tells no size: it counts by what is reserved. */
static void count(struct ledger *l)
{
	unsigned seen = 0;
	struct usage *u = &l->usage;
	u->total = 0;
	for (int i = 0; i < MXG_TRAP_PART_COUNT; i++)
		u->total += count_part(l->folder->parts[i], &seen);
	for (unsigned i = 0; i < SLOTS; i++) {
		if (u->reserved[i] != 0 && !mxg_range_is_locked(l->fd, SLOT_LOCKS + (off_t)i))
			u->reserved[i] = 0;
		u->total += u->reserved[i];
	}
	u->counted = l->now;
}

/* ---- the file ------------------------------------------------------------------------------------ */

static bool lock(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void load(struct ledger *l)
{
	struct usage *u = &l->usage;
	ssize_t n = pread(l->fd, u, sizeof(*u), 0);
	if (n == (ssize_t)sizeof(*u) && memcmp(u->magic, magic, sizeof(magic)) == 0 && u->sum == sum_of(u))
		return;
	memset(u, 0, sizeof(*u));
	memcpy(u->magic, magic, sizeof(magic));
	count(l);
}

static bool store(struct ledger *l)
{
	l->usage.sum = sum_of(&l->usage);
	return pwrite(l->fd, &l->usage, sizeof(l->usage), 0) == (ssize_t)sizeof(l->usage);
}

static bool is_ours(const struct ledger *l, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 && (st->st_mode & 077) == 0 &&
	       (st->st_uid == l->folder->owner || geteuid() == 0);
}

static bool open_ledger(struct ledger *l, const struct mxg_trap_folder *folder, struct mxg_trap_result *result)
{
	struct stat st;
	*l = (struct ledger){ .folder = folder, .now = (int64_t)time(NULL) };
	l->fd = openat(folder->self, usage_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (l->fd < 0 || fstat(l->fd, &st) != 0 || (st.st_size == 0 && !mxg_trap_folder_give(folder, l->fd))) {
		mxg_trap_broken(result, "its file %s cannot be opened", usage_name);
	} else if (!is_ours(l, &st)) {
		errno = 0;
		mxg_trap_broken(result, "its file %s is not a plain file of its owner", usage_name);
	} else if (!lock(l->fd)) {
		result->trouble = MXG_TRAP_FULL;
		snprintf(result->why, sizeof(result->why), "its file %s is locked by others", usage_name);
	} else {
		load(l);
		return true;
	}
	if (l->fd >= 0)
		close(l->fd);
	return false;
}

static void close_ledger(struct ledger *l)
{
	close(l->fd); /* and unlocks */
}

/* ---- quotas -------------------------------------------------------------------------------------- */

/* Minutes that have passed are free again. A clock that was set back does not make room. */
static uint64_t begun_in_hour(struct usage *u, int64_t now)
{
	int64_t minute = now / 60;
	uint64_t all = 0;
	if (minute - u->minute >= MINUTES)
		memset(u->begun, 0, sizeof(u->begun));
	else
		for (int64_t m = u->minute + 1; m <= minute; m++)
			u->begun[m % MINUTES] = 0;
	if (minute > u->minute)
		u->minute = minute;
	for (size_t i = 0; i < MINUTES; i++)
		all += u->begun[i];
	return all;
}

/* The share of what would be free without the copies. */
static uint64_t share_of_room(const struct ledger *l, const struct mxg_trap_quota *quota)
{
	struct statvfs fs;
	if (fstatvfs(l->folder->self, &fs) != 0)
		return 0;
	uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize + l->usage.total;
	return room / 100 * quota->share;
}

static bool fits(struct ledger *l, const struct mxg_trap_quota *quota, uint64_t bytes, struct mxg_trap_result *result)
{
	const char *setting = NULL;
	uint64_t wanted = l->usage.total + bytes;
	if (wanted > quota->max_total)
		setting = "max_total";
	else if (wanted > share_of_room(l, quota))
		setting = "share";
	if (setting == NULL)
		return true;
	result->trouble = MXG_TRAP_FULL;
	snprintf(result->why, sizeof(result->why), "trap.%s is reached", setting);
	return false;
}

static bool has_room(struct ledger *l, const struct mxg_trap_quota *quota, uint64_t bytes,
		     struct mxg_trap_result *result)
{
	if (fits(l, quota, bytes, result))
		return true;
	if (l->now - l->usage.counted < RECOUNT_AFTER && l->usage.counted <= l->now)
		return false;
	count(l);
	return fits(l, quota, bytes, result);
}

static bool may_begin(struct ledger *l, const struct mxg_trap_quota *quota, struct mxg_trap_result *result)
{
	if (begun_in_hour(&l->usage, l->now) < quota->per_hour)
		return true;
	result->trouble = MXG_TRAP_FULL;
	snprintf(result->why, sizeof(result->why), "trap.per_hour is reached");
	return false;
}

/* A slot that a dead writer has left may stand for a copy that he has kept: only a count tells. */
static bool claim_slot(struct ledger *l, struct mxg_trap_reservation *r, struct mxg_trap_result *result)
{
	for (int turn = 0; turn < 2; turn++) {
		for (r->slot = 0; r->slot < SLOTS; r->slot++)
			if (l->usage.reserved[r->slot] == 0 && mxg_range_lock(l->fd, SLOT_LOCKS + (off_t)r->slot))
				return true;
		if (turn == 0)
			count(l);
	}
	result->trouble = MXG_TRAP_FULL;
	snprintf(result->why, sizeof(result->why), "%d copies in the making are the most", SLOTS);
	return false;
}

static bool take(struct ledger *l, struct mxg_trap_reservation *r, uint64_t bytes, struct mxg_trap_result *result)
{
	l->usage.total += bytes;
	l->usage.reserved[r->slot] += bytes;
	if (r->fd < 0)
		l->usage.begun[l->usage.minute % MINUTES]++;
	if (!store(l))
		return mxg_trap_broken(result, "its file %s cannot be written", usage_name);
	r->bytes += bytes;
	return true;
}

bool mxg_trap_reserve(const struct mxg_trap_folder *folder, const struct mxg_trap_quota *quota, uint64_t bytes,
		      struct mxg_trap_reservation *r, struct mxg_trap_result *result)
{
	struct ledger l;
	bool first = r->fd < 0;
	if (!open_ledger(&l, folder, result))
		return false;
	bool good = (!first || may_begin(&l, quota, result)) && has_room(&l, quota, bytes, result) &&
		    (!first || claim_slot(&l, r, result)) && take(&l, r, bytes, result);
	if (good && first) {
		r->fd = l.fd; /* with the slot's lock */
		(void)flock(l.fd, LOCK_UN);
	} else {
		close_ledger(&l);
	}
	return good;
}

bool mxg_trap_settle(const struct mxg_trap_folder *folder, struct mxg_trap_reservation *r, uint64_t bytes,
		     bool (*keep)(void *copy), void *copy)
{
	struct ledger l;
	struct mxg_trap_result result;
	bool counted = r->fd >= 0 && open_ledger(&l, folder, &result);
	bool kept = keep != NULL && keep(copy);
	int error = errno; /* why it is not */
	if (counted) {
		uint64_t reserved = l.usage.reserved[r->slot];
		l.usage.total -= reserved < l.usage.total ? reserved : l.usage.total;
		l.usage.total += kept ? bytes : 0;
		l.usage.reserved[r->slot] = 0;
		(void)store(&l);
		close_ledger(&l);
	}
	if (r->fd >= 0)
		close(r->fd);
	*r = (struct mxg_trap_reservation){ .fd = -1 };
	errno = error;
	return kept;
}

void mxg_trap_recount(const struct mxg_trap_folder *folder)
{
	struct ledger l;
	struct mxg_trap_result result;
	if (!open_ledger(&l, folder, &result))
		return;
	count(&l);
	(void)store(&l);
	close_ledger(&l);
}
