/* SPDX-License-Identifier: MIT */
#ifndef MXG_EXPORT_WRITE_H
#define MXG_EXPORT_WRITE_H

#include "export_zone.h"

/* To standard output, or in place of a file; a zone gets a serial, newer than that of the file, which stays as it is
 * where it says the same. An exit status, with a message where it is not 0. */
int mxg_export_print(const struct mxg_export_format *format, struct mxg_export *what, const char *command);
int mxg_export_replace(const struct mxg_export_format *format, struct mxg_export *what, const char *command,
		       const char *path);

#endif
