/* SPDX-License-Identifier: MIT */
#ifndef MXG_OUTPUT_FILE_H
#define MXG_OUTPUT_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

/* A file that is replaced in one step, or stays as it was. Only a regular file of that very name
 * is: what a symbolic link points to could be somebody else's choice. */
struct mxg_output_file {
	FILE *file;
	const char *target, *why; /* what went wrong */
	bool later; /* in whole seconds later than the file that it replaces: there are servers that look at no more */
	char path[PATH_MAX];
};

bool mxg_output_open(struct mxg_output_file *output, const char *target);
/* Written, readable by all, on disk and under its name; else nothing is left of it. */
bool mxg_output_finish(struct mxg_output_file *output);
void mxg_output_drop(struct mxg_output_file *output);
/* What put() writes, replaced in one step; false after a message of the command's. */
bool mxg_output_write(const char *command, const char *target, void (*put)(const void *what, FILE *to),
		      const void *what);

#endif
