/* SPDX-License-Identifier: MIT */
#include "history_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_MAX 128
#define LOST_FILE "history.lost" /* lines of refresh may be missing: it is to put everything */

static void note(struct mxg_history_writer *w)
{
	if (w->error == 0)
		w->error = errno != 0 ? errno : EIO;
}

void mxg_history_begin(struct mxg_history_writer *w, int folder, int64_t now)
{
	struct stat st;
	w->folder = folder;
	w->now = now;
	w->new = false;
	w->file = NULL;
	w->lines = 0;
	w->error = 0;
	w->whole = fstatat(folder, MXG_HISTORY_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_size == 0 ||
		   fstatat(folder, LOST_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A line that was torn by a crash must not take the next one with it. */
static bool end_torn_line(int fd)
{
	char last;
	off_t size = lseek(fd, 0, SEEK_END);
	if (size <= 0)
		return size == 0;
	return pread(fd, &last, 1, size - 1) == 1 && (last == '\n' || write(fd, "\n", 1) == 1);
}

/* Of the last compaction, from the first line: "# mxguard history, compacted TIME, SIZE bytes". */
static void read_head(int folder, int64_t *when, int64_t *size)
{
	char head[HEAD_MAX] = "";
	long long t = 0, n = 0;
	int fd = openat(folder, MXG_HISTORY_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && read(fd, head, sizeof(head) - 1) > 0 &&
	    sscanf(head, "# mxguard history, compacted %19lld, %19lld bytes", &t, &n) != 2)
		t = n = 0;
	if (fd >= 0)
		close(fd);
	*when = t;
	*size = n;
}

static bool write_head(FILE *to, int64_t now)
{
	long size = ftell(to);
	if (size < 0 || fseek(to, 0, SEEK_SET) != 0)
		return false;
	return fprintf(to, "# mxguard history, compacted %019lld, %019ld bytes\n", (long long)now, size) > 0;
}

/* A file that begins holds nothing twice: it says so, or the next refresh would put it in order for nothing. */
static bool begin_file(struct mxg_history_writer *w)
{
	int fd = fileno(w->file);
	w->new = lseek(fd, 0, SEEK_END) == 0;
	return !w->new || (fcntl(fd, F_SETFL, 0) == 0 && write_head(w->file, 0));
}

static bool open_file(struct mxg_history_writer *w)
{
	errno = 0;
	int fd = openat(w->folder, MXG_HISTORY_FILE,
			O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0 || !end_torn_line(fd) || (w->file = fdopen(fd, "r+")) == NULL) {
		note(w);
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (!begin_file(w))
		note(w);
	return w->error == 0;
}

void mxg_history_put_line(struct mxg_history_writer *w, const struct mxg_history_line *line)
{
	if (w->error != 0 || (w->file == NULL && !open_file(w)))
		return;
	size_t len = mxg_history_line_write(w->text, sizeof(w->text), line);
	errno = 0;
	if (len == 0 || fwrite(w->text, 1, len, w->file) != len)
		note(w);
	w->lines++;
}

void mxg_history_put(struct mxg_history_writer *w, const struct mxg_question *question, const struct mxg_answer *a,
		     int64_t time)
{
	struct mxg_history_line line = { .time = time,
					 .question = *question,
					 .kind = a->kind,
					 .doubtful = a->doubtful,
					 .ttl = a->ttl,
					 .count = a->count,
					 .size = a->size };
	if (a->kind == MXG_ANSWER_FAILED || a->size > sizeof(line.data))
		return;
	if (a->size > 0)
		memcpy(line.data, a->data, a->size);
	mxg_history_put_line(w, &line);
}

void mxg_history_put_end(struct mxg_history_writer *w, const struct mxg_question *question, int64_t time)
{
	static const struct mxg_answer nothing = { .kind = MXG_ANSWER_NONE };
	mxg_history_put(w, question, &nothing, time);
}

void mxg_history_want_all(int folder)
{
	int fd = openat(folder, LOST_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd >= 0)
		close(fd);
}

bool mxg_history_commit(struct mxg_history_writer *w)
{
	errno = 0;
	if (w->file != NULL) {
		if ((w->new && w->error == 0 && !write_head(w->file, w->now)) || fflush(w->file) != 0 ||
		    fdatasync(fileno(w->file)) != 0)
			note(w);
		if (fclose(w->file) != 0)
			note(w);
		w->file = NULL;
	}
	if (w->error != 0)
		mxg_history_want_all(w->folder);
	else if (w->whole)
		unlinkat(w->folder, LOST_FILE, 0);
	return w->error == 0;
}

/* ---- compaction ---------------------------------------------------------------------------------- */

#define TEMPORARY ".history.new"
#define MONTH (INT64_C(31) * 86400)
#define SMALL 65536
#define PART (64 * 1024 * 1024) /* bytes of lines whose index is in memory at a time */

static bool is_due(int folder, int64_t now)
{
	struct stat st;
	int64_t when, size;
	if (fstatat(folder, MXG_HISTORY_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	read_head(folder, &when, &size);
	return st.st_size > 2 * size + SMALL || (when != 0 && when < now - MONTH);
}

/* What is known of a question while the lines go by. */
struct seen {
	uint64_t key;
	size_t first_kept, lines; /* number of the line that stood at the edge; how many are behind it */
	uint64_t last; /* hash of what the last line said */
	bool used;
};

struct table {
	struct seen *slots;
	size_t count, room; /* room: a power of two */
};

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(1099511628211);
	return hash;
}

static uint64_t seed; /* nobody outside can choose names that are taken for one another */

static uint64_t question_hash(const struct mxg_question *q)
{
	return mix(mix(UINT64_C(14695981039346656037) ^ seed, &q->type, sizeof(q->type)), q->name.wire, q->name.len);
}

static uint64_t content_hash(const struct mxg_history_line *line)
{
	uint64_t hash = mix(UINT64_C(14695981039346656037), &line->kind, sizeof(line->kind));
	return mix(hash, line->data, line->size) | 1;
}

static bool widen(struct table *t)
{
	struct table wider = { .room = t->room == 0 ? 1024 : t->room * 2 };
	wider.slots = calloc(wider.room, sizeof(*wider.slots));
	if (wider.slots == NULL)
		return false;
	for (size_t i = 0; i < t->room; i++) {
		if (!t->slots[i].used)
			continue;
		size_t at = t->slots[i].key & (wider.room - 1);
		while (wider.slots[at].used)
			at = (at + 1) & (wider.room - 1);
		wider.slots[at] = t->slots[i];
	}
	wider.count = t->count;
	free(t->slots);
	*t = wider;
	return true;
}

static struct seen *find(struct table *t, uint64_t key)
{
	if (t->count * 2 >= t->room && !widen(t))
		return NULL;
	size_t at = key & (t->room - 1);
	while (t->slots[at].used && t->slots[at].key != key)
		at = (at + 1) & (t->room - 1);
	if (!t->slots[at].used) {
		t->slots[at] = (struct seen){ .key = key, .used = true };
		t->count++;
	}
	return &t->slots[at];
}

/* Lines in the order of their times, so that "the last before" means what it says. */
struct pass {
	const struct mxg_history *history;
	struct table table;
	int64_t edge;
	struct mxg_history_line line;
};

static bool look(struct pass *p)
{
	for (size_t at = 0, number = 1; mxg_history_next_by_time(p->history, &at, &p->line); number++) {
		struct seen *s = find(&p->table, question_hash(&p->line.question));
		if (s == NULL)
			return false;
		uint64_t content = content_hash(&p->line);
		if (p->line.time <= p->edge)
			s->first_kept = number;
		else if (s->last != content)
			s->lines++;
		s->last = content;
	}
	return true;
}

/* A question that changes at every turn keeps the newest of its lines. */
static bool is_kept(const struct pass *p, struct seen *s, size_t number)
{
	uint64_t content = content_hash(&p->line);
	if (p->line.time <= p->edge) {
		bool stood = s->first_kept == number && p->line.kind != MXG_ANSWER_NONE;
		s->last = stood ? content : 0;
		return stood;
	}
	if (s->last == content)
		return false;
	s->last = content;
	return s->lines-- <= MXG_HISTORY_NAME_LINES;
}

static bool copy(struct pass *p, FILE *to)
{
	char *text = malloc(MXG_HISTORY_LINE_MAX);
	bool ok = text != NULL;
	for (size_t i = 0; i < p->table.room; i++)
		p->table.slots[i].last = 0;
	for (size_t at = 0, number = 1; ok && mxg_history_next_by_time(p->history, &at, &p->line); number++) {
		struct seen *s = find(&p->table, question_hash(&p->line.question));
		if (s == NULL || !is_kept(p, s, number)) {
			ok = s != NULL;
			continue;
		}
		size_t len = mxg_history_line_write(text, MXG_HISTORY_LINE_MAX, &p->line);
		ok = len > 0 && fwrite(text, 1, len, to) == len;
	}
	free(text);
	return ok;
}

static bool rewrite_part(struct pass *p, FILE *to)
{
	bool ok = look(p) && copy(p, to);
	free(p->table.slots);
	p->table = (struct table){ 0 };
	return ok;
}

/* A part of the questions at a time: the index of millions of lines is large. */
static bool rewrite_parts(struct pass *p, const char *state_dir, unsigned parts, FILE *to, size_t *lines)
{
	bool ok = true;
	for (unsigned part = 0; ok && part < parts; part++) {
		char message[512];
		struct mxg_history *history;
		errno = 0;
		if (mxg_history_open_part(&history, state_dir, part, parts, message, sizeof(message)) != 0)
			return false;
		p->history = history;
		*lines += mxg_history_lines(history);
		ok = rewrite_part(p, to);
		mxg_history_free(history);
	}
	return ok;
}

static bool rewrite(struct pass *p, int folder, const char *state_dir, unsigned parts, int64_t now)
{
	size_t lines = 0;
	unlinkat(folder, TEMPORARY, 0);
	int fd = openat(folder, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
	if (to == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool ok = write_head(to, now) && rewrite_parts(p, state_dir, parts, to, &lines) && write_head(to, now);
	ok = ok && fflush(to) == 0 && fsync(fd) == 0;
	int error = errno;
	ok = fclose(to) == 0 && ok;
	if (ok && lines > 0 && renameat(folder, TEMPORARY, folder, MXG_HISTORY_FILE) == 0) {
		fsync(folder);
		return true;
	}
	unlinkat(folder, TEMPORARY, 0);
	errno = error != 0 ? error : EIO;
	return ok && lines == 0;
}

bool mxg_history_compact(int folder, const char *state_dir, int64_t now, bool force)
{
	struct stat st;
	if (!force && !is_due(folder, now))
		return true;
	if (fstatat(folder, MXG_HISTORY_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	struct pass *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return false;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint64_t)now;
	p->edge = now - MXG_HISTORY_KEPT;
	bool ok = rewrite(p, folder, state_dir, (unsigned)(st.st_size / PART + 1), now);
	free(p);
	return ok;
}
