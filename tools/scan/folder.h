/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_FOLDER_H
#define MXG_SCAN_FOLDER_H

#include <stddef.h>

#include "scan/source.h"

/* The files of one folder after the other. The folder is looked for once, and not for each of its files; files
 * are closed several at a time, where the system can. */
struct mxg_scan_folder {
	int fd; /* AT_FDCWD: none is open */
	int closing; /* the first of the files that are to be closed, of numbers that follow each other */
	int closing_count;
	size_t len;
	char path[2 * MXG_PATH_MAX]; /* with the slash, and behind it the name of the file that is read */
};

void mxg_scan_folder_init(struct mxg_scan_folder *folder);
void mxg_scan_folder_enter(struct mxg_scan_folder *folder, const char *path, size_t len);
/* Read-only in every respect: the time of last access stays where the system lets us. As open(2). */
int mxg_scan_folder_open(struct mxg_scan_folder *folder, const char *name);
/* Sooner or later. */
void mxg_scan_folder_close(struct mxg_scan_folder *folder, int fd);
void mxg_scan_folder_leave(struct mxg_scan_folder *folder);

#endif
