/* SPDX-License-Identifier: MIT */
#include "scan/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check/past.h"
#include "child.h"
#include "load.h"
#include "scan/memo.h"
#include "scan/packed.h"
#include "scan/recipient.h"
#include "terminal.h"
#include "text.h"

#define PIECE 8192 /* most headers are shorter */
#define DONE_STEP 64
#define HEADER_MAX (512 * 1024) /* the library gives up before */

struct mxg_scan_reader {
	struct mxg_scan_rules rules;
	struct mxg_tally *tally;
	struct mxguard_check *check;
	struct mxguard_resolver *resolver;
	struct mxg_memo *memo;
	unsigned done; /* not told yet */
	int folder_fd; /* AT_FDCWD: none is open */
	size_t folder_len;
	char folder[4096]; /* with the slash */
	size_t used;
	char buffer[HEADER_MAX];
};

struct mxg_scan_reader *mxg_scan_reader_new(const struct mxg_scan_rules *rules, struct mxg_tally *tally)
{
	struct mxg_scan_reader *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->rules = *rules;
	r->tally = tally;
	r->folder_fd = AT_FDCWD;
	mxguard_check_new(&r->check, rules->policy, rules->snapshot, 0);
	mxguard_resolver_new(&r->resolver, rules->policy, 0);
	r->memo = mxg_memo_new();
	if (r->check == NULL || r->resolver == NULL || r->memo == NULL) {
		mxg_scan_reader_free(r);
		return NULL;
	}
	return r;
}

static void leave_folder(struct mxg_scan_reader *r)
{
	if (r->folder_fd >= 0)
		close(r->folder_fd);
	r->folder_fd = AT_FDCWD;
	r->folder_len = 0;
}

void mxg_scan_reader_free(struct mxg_scan_reader *r)
{
	if (r == NULL)
		return;
	leave_folder(r);
	mxguard_resolver_free(r->resolver);
	mxguard_check_free(r->check);
	mxg_memo_free(r->memo);
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

static const char *domain_of(const char *recipient)
{
	const char *at = strrchr(recipient, '@');
	return at == NULL ? "" : at + 1;
}

/* ---- deciding ------------------------------------------------------------------------------ */

static void current_outcome(const struct mxg_scan_reader *r, struct mxg_memo_outcome *out)
{
	out->verdict = mxguard_check_verdict(r->check, 0);
	out->would = mxguard_check_would(r->check, 0);
	out->reason = mxguard_check_text(r->check, 0, MXGUARD_TEXT_REASON);
	out->today = mxg_check_past(r->check) > MXG_PAST_KNOWN;
	const char *gateway = mxguard_check_text(r->check, 0, MXGUARD_TEXT_GATEWAY);
	size_t n = strnlen(gateway, sizeof(out->gateway) - 1);
	memcpy(out->gateway, gateway, n); /* once a message: printf would be seen */
	out->gateway[n] = '\0';
}

/* when 0: as of today. */
static void decide_by_dns(struct mxg_scan_reader *r, const char *recipient, int64_t when, struct mxg_memo_outcome *out)
{
	const char *peer = mxguard_check_text(r->check, 0, MXGUARD_TEXT_BOUNDARY_PEER);
	const char *domain = domain_of(recipient);
	size_t stretch = 0;
	if (when != 0)
		stretch = 1 + mxg_history_stretch(r->rules.history, when, r->rules.after, r->rules.settle);
	if (mxg_memo_get(r->memo, peer, domain, stretch, out))
		return;
	if (mxguard_resolver_run(r->resolver, r->check, -1) == MXGUARD_PROGRESS_NEED_HEADER)
		mxguard_check_give_up(r->check, mxg_wall_clock());
	current_outcome(r, out);
	mxg_memo_put(r->memo, peer, domain, stretch, out);
}

/* Feeds the header that is in memory; reads more from fd (-1: there is no more) while wanted. */
static void feed(struct mxg_scan_reader *r, const char *header, size_t len, int fd)
{
	int more = mxguard_check_header(r->check, header, len);
	while (more == 1 && fd >= 0 && r->used < HEADER_MAX) {
		size_t room = HEADER_MAX - r->used < PIECE ? HEADER_MAX - r->used : PIECE;
		ssize_t n = read(fd, r->buffer + r->used, room);
		if (n <= 0)
			break;
		more = mxguard_check_header(r->check, r->buffer + r->used, (size_t)n);
		r->used += (size_t)n;
	}
	mxguard_check_header_end(r->check);
}

static enum mxg_path path_of(enum mxguard_verdict verdict)
{
	switch (verdict) {
	case MXGUARD_VERDICT_AUTHORIZED:
		return MXG_PATH_GATEWAY;
	case MXGUARD_VERDICT_DIRECT:
		return MXG_PATH_DIRECT;
	case MXGUARD_VERDICT_INTERNAL:
		return MXG_PATH_LOCAL;
	case MXGUARD_VERDICT_AUTHENTICATED:
		return MXG_PATH_AUTHENTICATED;
	case MXGUARD_VERDICT_EXEMPT:
		return MXG_PATH_EXEMPT;
	default:
		return MXG_PATH_UNKNOWN;
	}
}

/* Not for every message: the workers would take the counter out of each other's caches. */
static void tell_done(struct mxg_scan_reader *r)
{
	atomic_fetch_add_explicit(r->rules.done, r->done, memory_order_relaxed);
	r->done = 0;
}

/* The message that is being judged. */
struct judged {
	const char *path, *header;
	size_t len;
	int fd; /* -1: the header is whole */
	int64_t date;
	char domain[256]; /* the recipient's */
};

/* As far as it comes without DNS. */
static int begin(struct mxg_scan_reader *r, const struct judged *m, const char *recipient, int64_t when, int fd)
{
	mxg_check_set_past(r->check, when == 0 ? NULL : r->rules.history, when);
	mxguard_check_reset(r->check);
	mxguard_check_set_place(r->check, r->rules.place);
	if (mxguard_check_add_recipient(r->check, recipient, NULL) < 0)
		return MXGUARD_ERROR_NOMEM;
	int progress = mxguard_check_run(r->check, r->rules.now);
	if (progress != MXGUARD_PROGRESS_NEED_HEADER)
		return progress;
	feed(r, m->header, m->len, fd);
	return mxguard_check_run(r->check, r->rules.now);
}

/* Where no field tells the recipient, our own MTA's `for` may, which only the walk finds. */
static int begin_for(struct mxg_scan_reader *r, struct judged *m, const char **recipient, char buf[320], int64_t when)
{
	const char *fallback = r->rules.recipient == NULL ? "" : r->rules.recipient;
	*recipient = mxg_scan_recipient(m->header, m->len, buf);
	int progress = begin(r, m, *recipient != NULL ? *recipient : fallback, when, m->fd);
	if (m->fd >= 0)
		m->len = r->used; /* what was read for it stays in the buffer */
	if (*recipient != NULL || mxg_check_for(r->check)[0] == '\0') {
		*recipient = *recipient != NULL ? *recipient : fallback;
		return progress;
	}
	snprintf(buf, 320, "%s", mxg_check_for(r->check));
	*recipient = buf;
	return begin(r, m, buf, when, -1);
}

static void decide(struct mxg_scan_reader *r, struct judged *m, struct mxg_memo_outcome *out)
{
	char buf[320];
	const char *recipient;
	bool past = r->rules.history != NULL && m->date > 0 && m->date < r->rules.now;
	int64_t when = past ? m->date : 0;
	int progress = begin_for(r, m, &recipient, buf, when);
	snprintf(m->domain, sizeof(m->domain), "%s", domain_of(recipient));
	if (past && mxg_check_past(r->check) == MXG_PAST_UNCOVERED) { /* states of two times are not mixed */
		when = 0;
		progress = begin(r, m, recipient, when, -1);
	}
	if (progress == MXGUARD_PROGRESS_NEED_DNS)
		decide_by_dns(r, recipient, when, out);
	else
		current_outcome(r, out);
}

#define OF_TODAY 86400 /* seconds */

static void judge(struct mxg_scan_reader *r, const char *path, unsigned long number, const char *header, size_t len,
		  int fd, int64_t date)
{
	struct mxg_memo_outcome outcome = { .verdict = MXGUARD_VERDICT_UNKNOWN };
	struct judged m = { .path = path, .header = header, .len = len, .fd = fd, .date = date };
	decide(r, &m, &outcome);
	struct mxg_tally_message message = { .path = path_of(outcome.verdict),
					     .enforce = outcome.would,
					     .gateway = outcome.gateway,
					     .peer = mxguard_check_text(r->check, 0, MXGUARD_TEXT_BOUNDARY_PEER),
					     .domain = m.domain,
					     .file = path,
					     .number = number,
					     .reason = outcome.reason == NULL ? "undecided" : outcome.reason,
					     .today = outcome.today && date > 0 && date < r->rules.now - OF_TODAY,
					     .date = date };
	mxg_tally_add(r->tally, &message);
	mxg_scan_domains_add(r->rules.domains, &message);
	mxg_listing_add(r->rules.listing, &message);
	if (++r->done == DONE_STEP)
		tell_done(r);
}

/* ---- single messages ------------------------------------------------------------------------- */

/* A Maildir name begins with the seconds of its delivery; else the file's own time. */
static int64_t file_date(int fd, const char *path)
{
	struct stat st;
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	char *end;
	long long stamp = strtoll(name, &end, 10);
	if (end != name && *end == '.' && stamp > 100000000 && stamp < 100000000000)
		return stamp;
	return fstat(fd, &st) == 0 ? st.st_mtime : 0;
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
		judge(r, path, m->number, r->buffer, r->used, -1, m->date);
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
		m->skip = m->date > 0 && m->date < r->rules.since;
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
	while (!atomic_load(r->rules.stop) && next_piece(lines, &piece, &len, &begins))
		take_piece(r, &m, path, piece, len, begins);
	if (m.in_header)
		finish_message(r, &m, path);
	free(lines);
}

/* Most names are of the folder of the one before: the system need not look for it again. */
static const char *enter_folder(struct mxg_scan_reader *r, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash + 1 - path);
	if (n == r->folder_len && memcmp(path, r->folder, n) == 0)
		return path + n;
	leave_folder(r);
	if (n == 0 || n >= sizeof(r->folder))
		return path;
	memcpy(r->folder, path, n);
	r->folder[n] = '\0';
	r->folder_fd = open(r->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->folder_fd < 0) {
		r->folder_fd = AT_FDCWD;
		return path;
	}
	r->folder_len = n;
	return path + n;
}

/* Read-only in every respect: the time of last access stays where the system lets us. */
static int open_quietly(struct mxg_scan_reader *r, const char *path)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
	const char *name = enter_folder(r, path);
	int fd = openat(r->folder_fd, name, flags | O_NOATIME);
	return fd < 0 && errno == EPERM ? openat(r->folder_fd, name, flags) : fd;
}

/* From its beginning, which stands in the buffer. */
static void read_begun(struct mxg_scan_reader *r, int fd, const char *path, size_t len, int64_t date)
{
	if (len > 5 && memcmp(r->buffer, "From ", 5) == 0) {
		read_mbox(r, fd, path, len);
	} else {
		r->used = len;
		judge(r, path, 0, r->buffer, r->used, fd, date);
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
		read_begun(r, from, path, len, file_date(fd, path));
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
		read_begun(r, fd, path, len, file_date(fd, path));
}

void mxg_scan_reader_file(struct mxg_scan_reader *r, const char *path)
{
	int fd = open_quietly(r, path);
	ssize_t n = fd < 0 ? -1 : read(fd, r->buffer, PIECE);
	if (n >= 0)
		read_open(r, fd, path, (size_t)n);
	else if (errno != ENOENT) /* a Maildir lives: its files are moved while we read */
		complain(r, path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void mxg_scan_reader_header(struct mxg_scan_reader *r, const char *name, const char *header, size_t len, int64_t date)
{
	judge(r, name, 0, header, len, -1, date);
}
