/* SPDX-License-Identifier: MIT */
#ifndef MXG_TEXT_FILE_H
#define MXG_TEXT_FILE_H

/* A whole regular file of at most a mebibyte, ended by NUL; free(3) it. NULL, with errno. */
char *mxg_text_file(const char *path);

#endif
