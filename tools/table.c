/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "text.h"

#define CELL_MAX 1024
#define GAP 2
#define BELOW 4 /* columns to the right */

struct row {
	enum mxg_colour colour;
	char *cells[MXG_TABLE_COLUMNS_MAX];
};

struct mxg_table {
	size_t columns, count, room;
	struct row *rows; /* [0]: the headings */
	size_t widths[MXG_TABLE_COLUMNS_MAX];
	bool lost;
};

struct mxg_table *mxg_table_new(const char *const *headings)
{
	struct mxg_table *t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	while (t->columns < MXG_TABLE_COLUMNS_MAX && headings[t->columns] != NULL)
		t->columns++;
	mxg_table_add(t, MXG_BOLD, headings);
	return t;
}

void mxg_table_add(struct mxg_table *t, enum mxg_colour colour, const char *const *cells)
{
	char clean[CELL_MAX];
	if (!mxg_grow(&t->rows, &t->room, t->count, sizeof(*t->rows))) {
		t->lost = true;
		return;
	}
	struct row *row = &t->rows[t->count++];
	*row = (struct row){ .colour = colour };
	for (size_t i = 0; i < t->columns; i++) {
		const char *text = cells[i] == NULL ? "" : cells[i];
		size_t columns;
		mxg_text_clean(clean, sizeof(clean), text, strlen(text), &columns);
		row->cells[i] = strdup(clean);
		t->lost |= row->cells[i] == NULL;
		if (columns > t->widths[i])
			t->widths[i] = columns;
	}
}

size_t mxg_table_rows(const struct mxg_table *t)
{
	return t->count > 0 ? t->count - 1 : 0;
}

static const char *cell(const struct row *row, size_t i)
{
	return row->cells[i] == NULL ? "" : row->cells[i];
}

static void print_plain(const struct mxg_table *t, const struct row *row, FILE *to)
{
	for (size_t i = 0; i < t->columns; i++)
		fprintf(to, "%s%s", i == 0 ? "" : "\t", cell(row, i));
	fputc('\n', to);
}

/* "12", "<= 12", "3.5 %" */
static bool is_number(const char *text)
{
	text += strncmp(text, "<= ", 3) == 0 ? 3 : 0;
	size_t digits = strspn(text, "0123456789");
	text += digits;
	if (digits > 0 && *text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	return digits > 0 && (*text == '\0' || strcmp(text, " %") == 0);
}

/* Columns of numbers stand right: their lengths can be compared then. */
static void find_numbers(const struct mxg_table *t, bool numbers[MXG_TABLE_COLUMNS_MAX])
{
	for (size_t i = 0; i < t->columns; i++) {
		numbers[i] = t->count > 1;
		for (size_t n = 1; n < t->count; n++)
			numbers[i] &= is_number(cell(&t->rows[n], i));
	}
}

static void put_blanks(FILE *to, size_t n)
{
	fprintf(to, "%*s", (int)n, "");
}

static bool is_empty(const struct mxg_table *t, size_t column)
{
	for (size_t n = 1; n < t->count; n++)
		if (cell(&t->rows[n], column)[0] != '\0')
			return false;
	return true;
}

/* A last cell that does not fit stands below its row, at words' ends: cut it would say nothing, wrapped it would
 * tear the columns. */
static void print_below(const char *text, FILE *to, size_t width)
{
	size_t room = width > 2 * BELOW ? width - BELOW : BELOW;
	char part[CELL_MAX];
	while (*text != '\0') {
		size_t len = 0, next;
		do { /* a word more, as long as it fits */
			next = len + strspn(text + len, " ");
			next += strcspn(text + next, " ");
			snprintf(part, sizeof(part), "%.*s", (int)next, text);
			if (len > 0 && mxg_text_columns(part) > room)
				break;
			len = next;
		} while (text[len] != '\0');
		fprintf(to, "\n%*s%.*s", BELOW, "", (int)len, text);
		text += len + strspn(text + len, " ");
	}
}

static void print_columns(const struct mxg_table *t, const struct row *row, FILE *to, size_t width,
			  const bool numbers[MXG_TABLE_COLUMNS_MAX])
{
	size_t used = 0;
	if (row->colour != MXG_PLAIN)
		fputs(mxg_colour_begin(to, row->colour), to);
	for (size_t i = 0; i < t->columns; i++) {
		bool last = i + 1 == t->columns;
		const char *text = cell(row, i);
		if (last && i > 0 && used + mxg_text_columns(text) > width) {
			if (row != t->rows || !is_empty(t, i))
				print_below(text, to, width);
			break;
		}
		size_t own = mxg_text_columns(text), pad = own < t->widths[i] ? t->widths[i] - own : 0;
		put_blanks(to, numbers[i] ? pad : 0);
		fputs(text, to);
		put_blanks(to, last ? 0 : (numbers[i] ? 0 : pad) + GAP);
		used += t->widths[i] + GAP;
	}
	fprintf(to, "%s\n", row->colour != MXG_PLAIN ? mxg_colour_end(to) : "");
}

int mxg_table_print(const struct mxg_table *t, FILE *to)
{
	bool people = mxg_is_terminal(to);
	size_t width = mxg_terminal_width(to);
	bool numbers[MXG_TABLE_COLUMNS_MAX];
	find_numbers(t, numbers);
	for (size_t i = 0; i < t->count; i++) {
		if (people)
			print_columns(t, &t->rows[i], to, width, numbers);
		else
			print_plain(t, &t->rows[i], to);
	}
	return t->lost ? -1 : 0;
}

void mxg_table_free(struct mxg_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		for (size_t n = 0; n < t->columns; n++)
			free(t->rows[i].cells[n]);
	free(t->rows);
	free(t);
}
