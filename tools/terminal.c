/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR_WIDTH 24
#define REDRAW_MS 100

static enum { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } colour_when = COLOUR_AUTO;

bool mxg_is_terminal(FILE *stream)
{
	return isatty(fileno(stream)) == 1;
}

size_t mxg_terminal_width(FILE *stream)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");
	if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	long n = columns == NULL ? 0 : strtol(columns, NULL, 10);
	return n >= 20 && n <= 10000 ? (size_t)n : 80;
}

bool mxg_colour_when(const char *word)
{
	if (strcmp(word, "auto") == 0)
		colour_when = COLOUR_AUTO;
	else if (strcmp(word, "always") == 0)
		colour_when = COLOUR_ALWAYS;
	else if (strcmp(word, "never") == 0)
		colour_when = COLOUR_NEVER;
	else
		return false;
	return true;
}

/* https://no-color.org: any value but the empty one */
static bool coloured(FILE *stream)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	if (colour_when != COLOUR_AUTO)
		return colour_when == COLOUR_ALWAYS;
	if (no_color != NULL && no_color[0] != '\0')
		return false;
	return mxg_is_terminal(stream) && (term == NULL || strcmp(term, "dumb") != 0);
}

const char *mxg_colour_begin(FILE *stream, enum mxg_colour colour)
{
	static const char *const sequences[] = {
		[MXG_PLAIN] = "",          [MXG_RED] = "\033[31m", [MXG_GREEN] = "\033[32m",
		[MXG_YELLOW] = "\033[33m", [MXG_BOLD] = "\033[1m", [MXG_FAINT] = "\033[2m",
	};
	return coloured(stream) ? sequences[colour] : "";
}

const char *mxg_colour_end(FILE *stream)
{
	return coloured(stream) ? "\033[0m" : "";
}

/* ---- progress -------------------------------------------------------------------- */

static atomic_bool drawn;

void mxg_progress_begin(struct mxg_progress *p, const char *label, const char *unit, size_t total)
{
	*p = (struct mxg_progress){ .label = label, .unit = unit, .total = total, .on = mxg_is_terminal(stderr) };
	p->started = mxg_monotonic_ms();
}

static void draw(const struct mxg_progress *p, size_t done, int64_t elapsed)
{
	static const char full[] = "========================", empty[] = "                        ";
	size_t total = p->total > done ? p->total : done;
	int filled = total == 0 ? BAR_WIDTH : (int)(done * BAR_WIDTH / total);
	double rate = elapsed > 0 ? (double)done * 1000 / (double)elapsed : 0;
	fprintf(stderr, "\r\033[K%s [%.*s%.*s] %zu/%zu %s, %.0f/s", p->label, filled, full, BAR_WIDTH - filled, empty,
		done, total, p->unit, rate);
	if (rate > 0 && elapsed > 1000)
		fprintf(stderr, ", %.0f s left", (double)(total - done) / rate);
	fflush(stderr);
	atomic_store(&drawn, true);
}

void mxg_progress_show(struct mxg_progress *p, size_t done)
{
	if (!p->on)
		return;
	int64_t now = mxg_monotonic_ms();
	if (now - p->drawn < REDRAW_MS && done < p->total)
		return;
	p->drawn = now;
	draw(p, done, now - p->started);
}

void mxg_progress_clear(struct mxg_progress *p)
{
	if (p->on)
		mxg_progress_aside();
	p->drawn = 0;
}

void mxg_progress_aside(void)
{
	if (atomic_exchange(&drawn, false))
		fputs("\r\033[K", stderr);
}
