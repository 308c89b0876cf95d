/* SPDX-License-Identifier: MIT */
#ifndef MXG_CATALOGUE_FILE_H
#define MXG_CATALOGUE_FILE_H

#include "policy/catalogue.h"

/* The catalogue in this file; NULL: the installed one, or where there is none, the one that was built
 * in. NULL after a message on stderr. */
struct mxg_catalogue *mxg_catalogue_open(const char *path);

#endif
