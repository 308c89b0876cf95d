/* SPDX-License-Identifier: MIT */
#include "report/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "report/journal_export.h"
#include "report/partial.h"
#include "report/pieces.h"
#include "text.h"

static void complain(struct mxg_report_input *in, const char *path, const char *what)
{
	char clean[1024];
	mxg_text_clean(clean, sizeof(clean), path, strlen(path), NULL);
	fprintf(stderr, "mxguard report: %s: %s\n", clean, what);
	in->failed = true;
}

static void read_log(struct mxg_report_input *in, const struct mxg_beginning *b, const char *path, int64_t latest)
{
	struct mxg_pieces *r = mxg_pieces_new(in, b->fd, latest);
	if (r == NULL)
		return;
	mxg_seen_stretch(in->seen);
	mxg_pieces_begin(r, b->bytes, b->len);
	int error = mxg_pieces_read(r, true);
	if (error != 0)
		complain(in, path, strerror(error));
	mxg_pieces_free(r);
}

/* They hold sums, of which nothing can be left out any more. */
static void tell_whole(struct mxg_report_input *in)
{
	if (in->whole_told || (in->since == 0 && in->domain_count == 0))
		return;
	fputs("mxguard report: note: partial results are taken whole: --since and --domain count where they are made\n",
	      stderr);
	in->whole_told = true;
}

static noreturn void write_lines(struct mxg_beginning *b, int out)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	FILE *from = mxg_beginning_open(b), *to = fdopen(out, "w");
	_exit(from != NULL && to != NULL && mxg_journal_export_lines(from, to) ? 0 : 1);
}

/* Its entries are no lines: a process of its own makes lines of them. */
static void read_export(struct mxg_report_input *in, struct mxg_beginning *b, const char *path, int64_t latest)
{
	int ends[2];
	bool piped = pipe2(ends, O_CLOEXEC) == 0;
	fflush(NULL);
	pid_t pid = piped ? fork() : -1;
	if (pid == 0)
		write_lines(b, ends[1]);
	if (pid < 0)
		complain(in, path, strerror(errno));
	if (piped)
		close(ends[1]);
	if (pid > 0)
		read_log(in, &(struct mxg_beginning){ .fd = ends[0] }, path, latest);
	if (piped)
		close(ends[0]);
	if (pid > 0 && atomic_load(in->stop))
		mxg_child_kill(pid);
	else if (pid > 0 && mxg_child_end(pid) != 0)
		complain(in, path, "is cut or damaged");
}

static void read_stream(struct mxg_report_input *in, int fd, const char *path, int64_t latest)
{
	struct mxg_beginning b = { .fd = fd };
	const char *why;
	if (mxg_beginning_is(&b, MXG_JOURNAL_EXPORT_BEGINS))
		read_export(in, &b, path, latest);
	else if (!mxg_beginning_is(&b, MXG_PARTIAL_BEGINS))
		read_log(in, &b, path, latest);
	else if (mxg_partial_read_all(in->state, &b, &why))
		tell_whole(in);
	else
		complain(in, path, why);
}

/* ---- where it comes from -------------------------------------------------------------------------------------- */

static void read_through(struct mxg_report_input *in, char *const *arguments, int fd, const char *path, int64_t latest)
{
	pid_t pid;
	int from = mxg_child_start(arguments, fd, &pid);
	char why[128];
	if (from < 0) {
		snprintf(why, sizeof(why), "%s cannot be run: %s", arguments[0], strerror(errno));
		complain(in, path, why);
		return;
	}
	read_stream(in, from, path, latest);
	close(from);
	if (mxg_child_end(pid) == 0 || atomic_load(in->stop))
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

/* One that is not there yet may come. */
const char *mxg_report_cannot_follow(const char *path)
{
	struct stat st;
	const char *why = NULL;
	if (strcmp(path, "-") == 0)
		return "is standard input";
	if (program_of(path) != NULL)
		return "is packed";
	if (stat(path, &st) != 0 || S_ISFIFO(st.st_mode))
		return NULL;
	if (S_ISDIR(st.st_mode))
		return "is a folder";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct mxg_beginning partial = { .fd = fd }, journal = { .fd = fd };
	if (fd < 0 || !S_ISREG(st.st_mode))
		why = NULL;
	else if (mxg_beginning_is(&partial, MXG_PARTIAL_BEGINS))
		why = "is what --partial has written";
	else if (lseek(fd, 0, SEEK_SET) == 0 && mxg_beginning_is(&journal, MXG_JOURNAL_EXPORT_BEGINS))
		why = "is an export of the journal";
	if (fd >= 0)
		close(fd);
	return why;
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

#define TURNS_MORE 10 /* that whoever writes a log has, to notice that it was put away */

struct open_log {
	struct mxg_pieces *pieces; /* NULL: it is not there */
	int fd;
	ino_t inode;
};

struct followed {
	const char *path;
	struct open_log log, before; /* what stood there before, and may still grow */
	unsigned turns; /* of that one */
};

static void open_followed(struct mxg_report_input *in, const char *path, struct open_log *f)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (fd >= 0)
			close(fd);
		return; /* between a rotation and the first line after it */
	}
	f->inode = st.st_ino;
	f->fd = fd;
	mxg_seen_stretch(in->seen);
	f->pieces = mxg_pieces_new(in, fd, in->now);
	if (f->pieces == NULL)
		close(fd);
}

static void close_followed(struct open_log *f)
{
	if (f->pieces == NULL)
		return;
	mxg_pieces_free(f->pieces);
	close(f->fd);
	f->pieces = NULL;
}

static void read_before(struct followed *f)
{
	if (f->before.pieces == NULL)
		return;
	mxg_pieces_read(f->before.pieces, false);
	if (++f->turns >= TURNS_MORE)
		close_followed(&f->before);
}

static void put_away(struct followed *f)
{
	close_followed(&f->before);
	f->before = f->log;
	f->log.pieces = NULL;
	f->turns = 0;
}

/* A file that was put in its place, or has become shorter, begins anew. */
static void go_on(struct mxg_report_input *in, struct followed *f)
{
	struct stat st;
	read_before(f);
	if (f->log.pieces == NULL)
		open_followed(in, f->path, &f->log);
	if (f->log.pieces == NULL)
		return;
	mxg_pieces_read(f->log.pieces, false);
	off_t at = lseek(f->log.fd, 0, SEEK_CUR);
	if (stat(f->path, &st) != 0)
		return;
	if (st.st_ino != f->log.inode)
		put_away(f);
	else if (S_ISREG(st.st_mode) && st.st_size < at)
		close_followed(&f->log);
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
	for (int i = 0; i < count; i++) {
		close_followed(&followed[i].log);
		close_followed(&followed[i].before);
	}
}
