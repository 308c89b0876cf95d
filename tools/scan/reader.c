/* SPDX-License-Identifier: MIT */
#include "scan/reader.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "scan/folder.h"
#include "scan/packed.h"
#include "terminal.h"
#include "text.h"

#define PIECE 8192 /* most headers are shorter */
#define HEADER_MAX (512 * 1024) /* the library gives up before */

struct mxg_scan_reader {
	struct mxg_scan_judge *judge;
	struct mxg_tally *tally;
	atomic_bool *stop;
	int64_t since;
	struct mxg_scan_folder folder;
	size_t used;
	char buffer[HEADER_MAX];
};

struct mxg_scan_reader *mxg_scan_reader_new(const struct mxg_scan_rules *rules, struct mxg_tally *tally)
{
	struct mxg_scan_reader *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->tally = tally;
	r->stop = rules->stop;
	r->since = rules->since;
	mxg_scan_folder_init(&r->folder);
	r->judge = mxg_scan_judge_new(rules, tally);
	if (r->judge != NULL)
		return r;
	mxg_scan_reader_free(r);
	return NULL;
}

void mxg_scan_reader_free(struct mxg_scan_reader *r)
{
	if (r == NULL)
		return;
	mxg_scan_folder_leave(&r->folder);
	mxg_scan_judge_free(r->judge);
	free(r);
}

static void complain(struct mxg_scan_reader *r, const char *path, const char *what)
{
	char clean[1024];
	mxg_text_clean(clean, sizeof(clean), path, strlen(path), NULL);
	mxg_progress_aside();
	fprintf(stderr, "mxguard scan: %s: %s\n", clean, what);
	r->tally->failed++;
}

/* What stands in the buffer. */
static void judge(struct mxg_scan_reader *r, const char *path, unsigned long number, int fd, int64_t date)
{
	struct mxg_scan_header header = { r->buffer, r->used, fd, r->buffer + r->used, HEADER_MAX - r->used };
	mxg_scan_judge(r->judge, &header, path, number, date);
}

void mxg_scan_reader_header(struct mxg_scan_reader *r, const char *name, const char *header, size_t len, int64_t date)
{
	struct mxg_scan_header whole = { header, len, -1, NULL, 0 };
	mxg_scan_judge(r->judge, &whole, name, 0, date);
}

/* ---- mbox ------------------------------------------------------------------------------------- */

/* "From a@example Mon Nov 23 22:15:00 2026": its last 24 characters. */
static int64_t from_line_date(const char *line, size_t len)
{
	struct tm tm = { 0 };
	char date[25];
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (len < 24)
		return 0;
	memcpy(date, line + len - 24, 24);
	date[24] = '\0';
	return strptime(date, "%a %b %d %H:%M:%S %Y", &tm) == NULL ? 0 : (int64_t)timegm(&tm);
}

struct mbox {
	bool in_header, after_blank, skip;
	unsigned long number;
	int64_t date;
};

/* Lines of a file through a buffer of fixed size: a longer line comes in pieces, of which only
 * the first begins it. */
struct lines {
	int fd;
	size_t start, end;
	bool inside; /* the next piece continues a line */
	char buffer[65536];
};

/* False at the end of the file. */
static bool fill_lines(struct lines *l)
{
	if (l->start > 0)
		memmove(l->buffer, l->buffer + l->start, l->end - l->start);
	l->end -= l->start;
	l->start = 0;
	ssize_t n = read(l->fd, l->buffer + l->end, sizeof(l->buffer) - l->end);
	l->end += n > 0 ? (size_t)n : 0;
	return n > 0;
}

static bool next_piece(struct lines *l, const char **piece, size_t *len, bool *begins)
{
	const char *stop = memchr(l->buffer + l->start, '\n', l->end - l->start);
	while (stop == NULL && l->end - l->start < sizeof(l->buffer) && fill_lines(l))
		stop = memchr(l->buffer + l->start, '\n', l->end - l->start);
	*piece = l->buffer + l->start;
	*len = stop == NULL ? l->end - l->start : (size_t)(stop + 1 - *piece);
	*begins = !l->inside;
	l->inside = stop == NULL;
	l->start += *len;
	return *len > 0;
}

static void finish_message(struct mxg_scan_reader *r, struct mbox *m, const char *path)
{
	if (r->used > 0 && !m->skip)
		judge(r, path, m->number, -1, m->date);
	r->used = 0;
	m->in_header = false;
}

static void keep_line(struct mxg_scan_reader *r, const char *line, size_t len)
{
	if (len > HEADER_MAX - r->used)
		len = HEADER_MAX - r->used; /* the library calls it too long and says `unknown` */
	memcpy(r->buffer + r->used, line, len);
	r->used += len;
}

static void take_piece(struct mxg_scan_reader *r, struct mbox *m, const char *path, const char *line, size_t len,
		       bool begins)
{
	bool blank = begins && (len == 1 || (len == 2 && line[0] == '\r'));
	if (begins && m->after_blank && len > 5 && memcmp(line, "From ", 5) == 0) {
		finish_message(r, m, path);
		m->number++;
		m->date = from_line_date(line, len);
		m->skip = m->date > 0 && m->date < r->since;
		m->in_header = true;
	} else if (m->in_header && blank) {
		finish_message(r, m, path);
	} else if (m->in_header) {
		keep_line(r, line, len);
	}
	m->after_blank = blank;
}

/* What was read of it already stands in the reader's buffer. */
static void read_mbox(struct mxg_scan_reader *r, int fd, const char *path, size_t begun)
{
	struct mbox m = { .after_blank = true };
	struct lines *lines = calloc(1, sizeof(*lines));
	const char *piece;
	size_t len;
	bool begins;
	if (lines == NULL) {
		complain(r, path, "out of memory");
		return;
	}
	lines->fd = fd;
	lines->end = begun;
	memcpy(lines->buffer, r->buffer, begun);
	r->used = 0;
	while (!atomic_load(r->stop) && next_piece(lines, &piece, &len, &begins))
		take_piece(r, &m, path, piece, len, begins);
	if (m.in_header)
		finish_message(r, &m, path);
	free(lines);
}

/* ---- files ------------------------------------------------------------------------------------ */

/* A Maildir name begins with the seconds of its delivery; else the file's own time. */
static int64_t file_date(const struct mxg_scan_reader *r, int fd)
{
	struct stat st;
	const char *digit = r->folder.path + r->folder.len;
	int64_t stamp = 0;
	for (; *digit >= '0' && *digit <= '9' && stamp < 100000000000; digit++)
		stamp = stamp * 10 + (*digit - '0');
	if (*digit == '.' && stamp > 100000000 && stamp < 100000000000)
		return stamp;
	return fstat(fd, &st) == 0 ? st.st_mtime : 0;
}

/* From its beginning, which stands in the buffer. */
static void read_begun(struct mxg_scan_reader *r, int fd, const char *path, size_t len, int64_t date)
{
	if (len > 5 && memcmp(r->buffer, "From ", 5) == 0) {
		read_mbox(r, fd, path, len);
	} else {
		r->used = len;
		judge(r, path, 0, fd, date);
	}
}

/* A pipe gives as much as it has. */
static size_t read_piece(int fd, char *to)
{
	size_t len = 0;
	for (ssize_t n; len < PIECE && (n = read(fd, to + len, PIECE - len)) != 0;)
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			break;
	return len;
}

#define STOPPED (128 + SIGPIPE) /* more than its header was not wanted */

static void read_packed(struct mxg_scan_reader *r, int fd, const char *path, const char *name)
{
	char program[16], flags[] = "-dc", *arguments[] = { program, flags, NULL }, why[128];
	pid_t pid;
	snprintf(program, sizeof(program), "%s", name);
	int from = lseek(fd, 0, SEEK_SET) != 0 ? -1 : mxg_child_start(arguments, fd, &pid);
	if (from < 0) {
		snprintf(why, sizeof(why), "%s cannot be run: %s", program, strerror(errno));
		complain(r, path, why);
		return;
	}
	size_t len = read_piece(from, r->buffer);
	if (len > 0)
		read_begun(r, from, path, len, file_date(r, fd));
	close(from);
	int status = mxg_child_end(pid);
	if ((status == 0 || status == STOPPED) && len > 0)
		return;
	snprintf(why, sizeof(why), "%s could not read all of it", program);
	complain(r, path, why);
}

static void read_open(struct mxg_scan_reader *r, int fd, const char *path, size_t len)
{
	const char *why, *program = mxg_packed_program(r->buffer, len, &why);
	if (why != NULL)
		complain(r, path, why);
	else if (program != NULL)
		read_packed(r, fd, path, program);
	else
		read_begun(r, fd, path, len, file_date(r, fd));
}

static void read_file(struct mxg_scan_reader *r, const char *name)
{
	int fd = mxg_scan_folder_open(&r->folder, name);
	ssize_t n = fd < 0 ? -1 : read(fd, r->buffer, PIECE);
	if (n >= 0)
		read_open(r, fd, r->folder.path, (size_t)n);
	else if (errno != ENOENT) /* a Maildir lives: its files are moved while we read */
		complain(r, r->folder.path, strerror(errno));
	if (fd >= 0)
		mxg_scan_folder_close(&r->folder, fd);
}

void mxg_scan_reader_batch(struct mxg_scan_reader *r, const struct mxg_batch *batch)
{
	const char *name = batch->text + batch->folder_len;
	mxg_scan_folder_enter(&r->folder, batch->text, batch->folder_len);
	for (size_t i = 0; i < batch->count && !atomic_load(r->stop); i++, name += strlen(name) + 1)
		read_file(r, name);
}
