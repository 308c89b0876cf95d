/* SPDX-License-Identifier: MIT */
#include "report/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report/partial.h"
#include "text.h"

extern char **environ;

#define BLOCK (1u << 20)
#define LINE_MOST 65536u /* a longer one is none of ours */
#define BLOCKS 4
#define SCRATCH 8192u

static void complain(struct mxg_report_input *in, const char *path, const char *what)
{
	char clean[1024];
	mxg_text_clean(clean, sizeof(clean), path, strlen(path), NULL);
	fprintf(stderr, "mxguard report: %s: %s\n", clean, what);
	in->failed = true;
}

/* ---- counting -------------------------------------------------------------------------------------------- */

static bool is_wanted(const struct mxg_report_input *in, const struct mxg_decision *d)
{
	if (in->since != 0 && d->time != 0 && d->time < in->since)
		return false;
	const char *at = in->domain_count == 0 ? NULL : memrchr(d->rcpt.at, '@', d->rcpt.len);
	for (size_t i = 0; i < in->domain_count; i++) {
		size_t len = strlen(in->domains[i]);
		if (at != NULL && (size_t)(d->rcpt.at + d->rcpt.len - at - 1) == len &&
		    strncasecmp(at + 1, in->domains[i], len) == 0)
			return true;
	}
	return in->domain_count == 0;
}

static void count(struct mxg_report_input *in, const struct mxg_decision *d)
{
	if (!is_wanted(in, d))
		return;
	if (mxg_seen_line(in->seen, d->time, d->hash))
		in->state->duplicates += d->repeat;
	else if (!mxg_report_count(in->state, d))
		in->state->unread++;
}

/* ---- blocks, from the thread that reads to the one that counts ---------------------------------------------- */

struct block {
	char *text; /* BLOCK + LINE_MOST: what the block before left stands in front */
	size_t len;
	struct mxg_decision *items;
	size_t count, room;
	uint64_t lines, unread;
	char *scratch; /* of lines that are JSON in JSON */
	size_t scratch_used, scratch_room;
	bool last;
};

struct reading {
	struct mxg_report_input *in;
	int fd;
	struct mxg_line_clock clock;
	struct block blocks[BLOCKS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t filled, taken; /* counters of blocks */
	bool nomem, end_read; /* end_read: what stands behind the last line feed is a line */
	int error;
	const char *left; /* behind the last line feed */
	size_t left_len;
	bool skipping; /* inside a line that is too long */
};

static struct mxg_decision *new_item(struct reading *r, struct block *b)
{
	if (b->count == b->room) {
		size_t room = b->room == 0 ? 4096 : b->room * 2;
		struct mxg_decision *items = reallocarray(b->items, room, sizeof(*items));
		if (items == NULL) {
			r->nomem = true;
			return NULL;
		}
		b->items = items;
		b->room = room;
	}
	return &b->items[b->count];
}

/* Each wrapped message needs a place of its own until the block is counted. */
static char *scratch_of(struct block *b)
{
	if (b->scratch == NULL) {
		b->scratch_room = BLOCK + LINE_MOST + SCRATCH;
		b->scratch = malloc(b->scratch_room);
	}
	return b->scratch == NULL ? NULL : b->scratch + b->scratch_used;
}

static void read_line(struct reading *r, struct block *b, const char *line, size_t len)
{
	struct mxg_decision *d = new_item(r, b);
	b->lines++;
	if (d == NULL || len < 40)
		return;
	char *scratch = line[0] == '{' ? scratch_of(b) : NULL;
	size_t room = scratch == NULL ? 0 : b->scratch_room - b->scratch_used;
	switch (mxg_line_read(d, line, len, &r->clock, scratch, room)) {
	case MXG_LINE_DECISION:
		b->count++;
		b->scratch_used += scratch != NULL ? (len < room ? len : room) : 0;
		break;
	case MXG_LINE_UNREAD:
		b->unread++;
		break;
	case MXG_LINE_OTHER:
		break;
	}
}

static void read_lines(struct reading *r, struct block *b)
{
	size_t at = 0;
	for (const char *stop; (stop = memchr(b->text + at, '\n', b->len - at)) != NULL;) {
		size_t len = (size_t)(stop - b->text) - at;
		if (!r->skipping)
			read_line(r, b, b->text + at, len);
		else
			b->lines++;
		r->skipping = false;
		at += len + 1;
	}
	r->left = b->text + at;
	r->left_len = b->len - at;
	if (r->left_len > LINE_MOST) {
		r->left_len = 0;
		r->skipping = true;
	}
}

/* The last line may lack its line feed: it is still being written, or it is whole. */
static void read_end(struct reading *r, struct block *b)
{
	if (r->end_read && r->left_len > 0)
		read_line(r, b, r->left, r->left_len);
}

static bool fill(struct reading *r, struct block *b)
{
	if (b->text == NULL)
		b->text = malloc(BLOCK + LINE_MOST);
	b->len = b->count = 0;
	b->lines = b->unread = b->scratch_used = 0;
	b->last = true;
	if (b->text == NULL) {
		r->nomem = true;
		return false;
	}
	if (r->left_len > 0)
		memmove(b->text, r->left, r->left_len);
	b->len = r->left_len;
	r->left_len = 0;
	size_t begun = b->len;
	ssize_t n = 0;
	while (b->len - begun < BLOCK && !atomic_load(r->in->stop)) {
		n = read(r->fd, b->text + b->len, BLOCK - (b->len - begun));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		b->len += (size_t)n;
		atomic_fetch_add_explicit(&r->in->bytes, (unsigned long long)n, memory_order_relaxed);
	}
	r->error = n < 0 ? errno : 0;
	b->last = n <= 0 || atomic_load(r->in->stop);
	read_lines(r, b);
	if (b->last)
		read_end(r, b);
	return !b->last;
}

static void *read_all(void *argument)
{
	struct reading *r = argument;
	bool more = true;
	while (more) {
		pthread_mutex_lock(&r->lock);
		/* one block stays with the counter, and one holds what the next begins with */
		while (r->filled - r->taken >= BLOCKS - 1)
			pthread_cond_wait(&r->changed, &r->lock);
		pthread_mutex_unlock(&r->lock);
		more = fill(r, &r->blocks[r->filled % BLOCKS]);
		pthread_mutex_lock(&r->lock);
		r->filled++;
		pthread_cond_signal(&r->changed);
		pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}

static bool count_block(struct reading *r)
{
	pthread_mutex_lock(&r->lock);
	while (r->filled == r->taken)
		pthread_cond_wait(&r->changed, &r->lock);
	pthread_mutex_unlock(&r->lock);
	struct block *b = &r->blocks[r->taken % BLOCKS];
	r->in->state->lines += b->lines;
	r->in->state->unread += b->unread;
	for (size_t i = 0; i < b->count; i++)
		count(r->in, &b->items[i]);
	bool last = b->last;
	if (r->in->progress != NULL)
		mxg_progress_show(r->in->progress, (size_t)(atomic_load(&r->in->bytes) >> 20));
	pthread_mutex_lock(&r->lock);
	r->taken++;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return !last;
}

static struct reading *reading_new(struct mxg_report_input *in, int fd, int64_t latest)
{
	struct reading *r = calloc(1, sizeof(*r));
	if (r == NULL) {
		in->state->nomem = true;
		return NULL;
	}
	r->in = in;
	r->fd = fd;
	r->clock.latest = latest;
	r->end_read = true;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	return r;
}

static void reading_free(struct reading *r)
{
	if (r == NULL)
		return;
	r->in->state->nomem |= r->nomem;
	for (size_t i = 0; i < BLOCKS; i++) {
		free(r->blocks[i].text);
		free(r->blocks[i].items);
		free(r->blocks[i].scratch);
	}
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* From where the descriptor stands to its end. */
static void run(struct reading *r)
{
	pthread_t thread;
	r->filled = r->taken = 0;
	if (pthread_create(&thread, NULL, read_all, r) != 0) {
		r->in->state->nomem = true;
		return;
	}
	while (count_block(r))
		;
	pthread_join(thread, NULL);
}

static void read_log(struct mxg_report_input *in, const struct mxg_beginning *b, const char *path, int64_t latest)
{
	struct reading *r = reading_new(in, b->fd, latest);
	mxg_seen_stretch(in->seen);
	if (r != NULL) {
		r->left = b->bytes;
		r->left_len = b->len;
		run(r);
		if (r->error != 0)
			complain(in, path, strerror(r->error));
	}
	reading_free(r);
}

static void read_stream(struct mxg_report_input *in, int fd, const char *path, int64_t latest)
{
	struct mxg_beginning b = { .fd = fd };
	const char *why;
	if (!mxg_partial_is_next(&b))
		read_log(in, &b, path, latest);
	else if (!mxg_partial_read_all(in->state, &b, &why))
		complain(in, path, why);
}

/* ---- where it comes from -------------------------------------------------------------------------------------- */

/* Its standard output to read from; its standard input is fd, or nothing (-1). */
static int start(char *const *arguments, int fd, pid_t *pid)
{
	int ends[2];
	posix_spawn_file_actions_t actions;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
	posix_spawn_file_actions_init(&actions);
	if (fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	else
		posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	int error = posix_spawnp(pid, arguments[0], &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (error == 0)
		return ends[0];
	close(ends[0]);
	errno = error;
	return -1;
}

static void read_through(struct mxg_report_input *in, char *const *arguments, int fd, const char *path, int64_t latest)
{
	pid_t pid;
	int status, from = start(arguments, fd, &pid);
	char why[128];
	if (from < 0) {
		snprintf(why, sizeof(why), "%s cannot be run: %s", arguments[0], strerror(errno));
		complain(in, path, why);
		return;
	}
	read_stream(in, from, path, latest);
	close(from);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (atomic_load(in->stop) || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return;
	snprintf(why, sizeof(why), "%s could not read all of it", arguments[0]);
	complain(in, path, why);
}

static bool ends_in(const char *path, const char *with)
{
	size_t n = strlen(path), m = strlen(with);
	return n > m && strcmp(path + n - m, with) == 0;
}

static char *program_of(const char *path)
{
	static char gzip[] = "gzip", xz[] = "xz", zstd[] = "zstd";
	return ends_in(path, ".gz") ? gzip : ends_in(path, ".xz") ? xz : ends_in(path, ".zst") ? zstd : NULL;
}

static void read_open(struct mxg_report_input *in, int fd, const char *path)
{
	struct stat st;
	char *program = program_of(path), flags[] = "-dc", *arguments[] = { program, flags, NULL };
	bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	int64_t latest = regular && st.st_mtime < in->now ? (int64_t)st.st_mtime : in->now;
	if (program != NULL)
		read_through(in, arguments, fd, path, latest);
	else
		read_stream(in, fd, path, latest);
}

void mxg_report_file(struct mxg_report_input *in, const char *path)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)))
		complain(in, path, fd < 0 ? strerror(errno) : "is a folder");
	else
		read_open(in, fd, path);
	if (fd > STDIN_FILENO)
		close(fd);
}

void mxg_report_journal(struct mxg_report_input *in)
{
	char program[] = "journalctl", quiet[] = "-q", all[] = "--no-pager", utc[] = "--utc",
	     form[] = "--output=short-iso";
	char t1[] = "-tmxguard", t2[] = "-tmxguard-lda", t3[] = "-tdovecot", since[64];
	char *arguments[] = { program, quiet, all, utc, form, t1, t2, t3, NULL, NULL };
	if (in->since != 0) {
		snprintf(since, sizeof(since), "--since=@%lld", (long long)in->since);
		arguments[8] = since;
	}
	read_through(in, arguments, -1, "the journal", in->now);
}

uint64_t mxg_report_size(char **paths, int count)
{
	struct stat st;
	uint64_t all = 0;
	for (int i = 0; i < count; i++)
		if (stat(paths[i], &st) == 0 && S_ISREG(st.st_mode))
			all += (uint64_t)st.st_size;
	return all;
}

/* ---- files that grow --------------------------------------------------------------------------------------------- */

struct followed {
	struct reading *reading;
	const char *path;
	ino_t inode;
	off_t at;
};

static void open_followed(struct mxg_report_input *in, struct followed *f)
{
	struct stat st;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (fd >= 0)
			close(fd);
		return; /* between a rotation and the first line after it */
	}
	f->inode = st.st_ino;
	mxg_seen_stretch(in->seen);
	f->reading = reading_new(in, fd, in->now);
	if (f->reading == NULL)
		close(fd);
	else
		f->reading->end_read = false;
}

static void close_followed(struct followed *f)
{
	if (f->reading == NULL)
		return;
	close(f->reading->fd);
	reading_free(f->reading);
	f->reading = NULL;
}

/* A file that was put in its place, or has become shorter, begins anew. */
static void go_on(struct mxg_report_input *in, struct followed *f)
{
	struct stat st;
	if (f->reading == NULL)
		open_followed(in, f);
	if (f->reading == NULL)
		return;
	run(f->reading);
	off_t at = lseek(f->reading->fd, 0, SEEK_CUR);
	if (stat(f->path, &st) == 0 && (st.st_ino != f->inode || (S_ISREG(st.st_mode) && st.st_size < at)))
		close_followed(f);
}

void mxg_report_follow(struct mxg_report_input *in, char **paths, int count, void (*told)(void *), void *context)
{
	struct followed followed[MXG_REPORT_FOLLOWED_MAX] = { 0 };
	count = count > MXG_REPORT_FOLLOWED_MAX ? MXG_REPORT_FOLLOWED_MAX : count; /* its caller has refused more */
	for (int i = 0; i < count; i++)
		followed[i].path = paths[i];
	while (!atomic_load(in->stop)) {
		for (int i = 0; i < count; i++)
			go_on(in, &followed[i]);
		told(context);
		poll(NULL, 0, 1000);
	}
	for (int i = 0; i < count; i++)
		close_followed(&followed[i]);
}
