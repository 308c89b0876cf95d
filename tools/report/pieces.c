/* SPDX-License-Identifier: MIT */
#include "report/pieces.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "report/piece.h"

#define PIECES 4
#define THREADS_MOST 4
#define PATIENCE_MS 200 /* until a pipe that says nothing is asked whether it is to be stopped */

struct mxg_pieces {
	struct mxg_report_input *in;
	int fd, error;
	bool whole;
	char *left; /* behind the last line feed; room for MXG_LINE_MOST */
	size_t left_len;
	bool skipping; /* inside a line that is too long */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct mxg_piece pieces[PIECES];
	size_t taken, counted; /* pieces, counted from the beginning of the stream */
	bool reading, counting, ended; /* some thread is at it; no more is to be read */
	struct mxg_line_clock clock; /* behind the last piece that was counted */
	struct mxg_line_clock guess; /* behind the furthest that was parsed */
	size_t guessed;
	pthread_t helpers[THREADS_MOST - 1];
	size_t helper_count, helpers_wanted;
};

static size_t processors(void)
{
#if defined(CPU_COUNT) && !defined(MXG_PORTABLE)
	cpu_set_t set;
	long n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
#else
	long n = sysconf(_SC_NPROCESSORS_ONLN);
#endif
	return n < 1 ? 1 : n > THREADS_MOST ? THREADS_MOST : (size_t)n;
}

struct mxg_pieces *mxg_pieces_new(struct mxg_report_input *in, int fd, int64_t latest)
{
	struct mxg_pieces *r = calloc(1, sizeof(*r));
	char *left = r == NULL ? NULL : malloc(MXG_LINE_MOST);
	if (left == NULL) {
		free(r);
		in->state->nomem = true;
		return NULL;
	}
	r->in = in;
	r->fd = fd;
	r->left = left;
	r->clock.latest = r->guess.latest = latest;
	r->helpers_wanted = processors() - 1;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	return r;
}

void mxg_pieces_free(struct mxg_pieces *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < PIECES; i++)
		mxg_piece_clear(&r->pieces[i]);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r->left);
	free(r);
}

void mxg_pieces_begin(struct mxg_pieces *r, const char *bytes, size_t len)
{
	r->left_len = len < MXG_LINE_MOST ? len : MXG_LINE_MOST;
	memcpy(r->left, bytes, r->left_len);
}

/* ---- reading: one thread at a time --------------------------------------------------------------------------- */

/* Something to read, or the end; false: it is to be stopped. */
static bool wait_for_more(const struct mxg_pieces *r)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	while (!atomic_load(r->in->stop)) {
		int n = poll(&p, 1, PATIENCE_MS);
		if (n > 0 || (n < 0 && errno != EINTR))
			return true; /* or an error, which read(2) tells */
	}
	return false;
}

/* Until the piece is full; false: that was all. */
static bool fill(struct mxg_pieces *r, struct mxg_piece *p)
{
	size_t begun = p->len;
	while (p->len - begun < MXG_PIECE_BYTES) {
		if (!wait_for_more(r))
			return false;
		ssize_t n = read(r->fd, p->text + p->len, MXG_PIECE_BYTES - (p->len - begun));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		r->error = n < 0 ? errno : r->error;
		if (n <= 0)
			return false;
		p->len += (size_t)n;
		atomic_fetch_add_explicit(&r->in->bytes, (unsigned long long)n, memory_order_relaxed);
	}
	return true;
}

/* The end of a line that was too long. */
static void skip(struct mxg_pieces *r, struct mxg_piece *p)
{
	const char *stop = memchr(p->text, '\n', p->len);
	size_t len = stop == NULL ? p->len : (size_t)(stop + 1 - p->text);
	p->skipped += stop != NULL;
	r->skipping = stop == NULL;
	p->len -= len;
	memmove(p->text, p->text + len, p->len);
}

/* What stands behind the last line feed belongs to the next piece. */
static void keep_rest(struct mxg_pieces *r, struct mxg_piece *p)
{
	const char *stop = memrchr(p->text, '\n', p->len);
	size_t whole = stop == NULL ? 0 : (size_t)(stop + 1 - p->text), rest = p->len - whole;
	p->len = whole;
	r->skipping |= rest > MXG_LINE_MOST;
	r->left_len = rest > MXG_LINE_MOST ? 0 : rest;
	memcpy(r->left, p->text + whole, r->left_len);
}

static void read_piece(struct mxg_pieces *r, struct mxg_piece *p)
{
	p->len = p->skipped = 0;
	p->last = true;
	if (!mxg_piece_room(p)) {
		p->nomem = true;
		return;
	}
	memcpy(p->text, r->left, r->left_len);
	p->len = r->left_len;
	r->left_len = 0;
	p->last = !fill(r, p);
	if (r->skipping)
		skip(r, p);
	if (!p->last || !r->whole)
		keep_rest(r, p);
}

/* ---- threads -------------------------------------------------------------------------------------------------- */

/* The clock that it was parsed with was guessed; where it was not right, that is done again. */
static void count_piece(struct mxg_pieces *r, struct mxg_piece *p)
{
	if (p->clock.stepped && !mxg_line_clock_agrees(&r->clock, &p->clock)) {
		p->clock = r->clock;
		mxg_piece_parse(p, r->in);
	}
	if (p->clock.stepped)
		r->clock = p->clock;
	r->clock.stepped = false;
	mxg_piece_count(p, r->in);
	if (r->in->progress != NULL)
		mxg_progress_show(r->in->progress, (size_t)(atomic_load(&r->in->bytes) >> 20));
}

/* The locked one begins and ends with the lock held. */
static void count_locked(struct mxg_pieces *r)
{
	struct mxg_piece *p = &r->pieces[r->counted % PIECES];
	r->counting = true;
	pthread_mutex_unlock(&r->lock);
	count_piece(r, p);
	pthread_mutex_lock(&r->lock);
	p->parsed = false;
	r->counting = false;
	r->counted++;
	pthread_cond_broadcast(&r->changed);
}

static void *work(void *argument);

/* Not before there is more than one piece: most of what is reported about is short. */
static void call_helpers(struct mxg_pieces *r)
{
	while (r->helper_count < r->helpers_wanted)
		if (pthread_create(&r->helpers[r->helper_count], NULL, work, r) == 0)
			r->helper_count++;
		else
			r->helpers_wanted = r->helper_count; /* so those that are there do it */
}

static void take_locked(struct mxg_pieces *r)
{
	size_t number = r->taken++;
	struct mxg_piece *p = &r->pieces[number % PIECES];
	r->reading = true;
	pthread_mutex_unlock(&r->lock);
	read_piece(r, p);
	pthread_mutex_lock(&r->lock);
	r->reading = false;
	r->ended = p->last;
	p->clock = r->guess;
	p->clock.stepped = false;
	if (!r->ended)
		call_helpers(r);
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	mxg_piece_parse(p, r->in);
	pthread_mutex_lock(&r->lock);
	p->parsed = true;
	if (p->clock.stepped && number >= r->guessed) {
		r->guess = p->clock;
		r->guessed = number;
	}
}

static void *work(void *argument)
{
	struct mxg_pieces *r = argument;
	pthread_mutex_lock(&r->lock);
	while (!r->ended || r->counted < r->taken) {
		if (!r->counting && r->pieces[r->counted % PIECES].parsed)
			count_locked(r);
		else if (!r->reading && !r->ended && r->taken - r->counted < PIECES)
			take_locked(r);
		else
			pthread_cond_wait(&r->changed, &r->lock);
	}
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

int mxg_pieces_read(struct mxg_pieces *r, bool whole)
{
	r->whole = whole;
	r->ended = false;
	r->error = 0;
	work(r);
	for (size_t i = 0; i < r->helper_count; i++)
		pthread_join(r->helpers[i], NULL);
	r->helper_count = 0;
	return r->error;
}
