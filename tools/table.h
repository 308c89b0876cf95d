/* SPDX-License-Identifier: MIT */
#ifndef MXG_TABLE_H
#define MXG_TABLE_H

#include <stdio.h>

#include "terminal.h"

/*
 * Rows of text: on a terminal aligned columns (to the right where all are numbers) under bold
 * headings, a last cell that is too long for the line below its row; in a pipe one row a line with
 * tabs between the cells, headings first. Every cell is neutered.
 */
struct mxg_table;

#define MXG_TABLE_COLUMNS_MAX 16

/* headings ends with NULL. NULL: out of memory. */
struct mxg_table *mxg_table_new(const char *const *headings);
/* One cell for each heading (NULL: empty); colour is that of the row. Memory that ran out
 * is remembered and told by _print. */
void mxg_table_add(struct mxg_table *table, enum mxg_colour colour, const char *const *cells);
size_t mxg_table_rows(const struct mxg_table *table);
int mxg_table_print(const struct mxg_table *table, FILE *to); /* 0, or -1: rows were lost */
void mxg_table_free(struct mxg_table *table); /* NULL is allowed */

#endif
