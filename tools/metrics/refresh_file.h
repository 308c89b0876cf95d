/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_FILE_H
#define MXG_REFRESH_FILE_H

#include "refresh_report.h"

/* What a refresh leaves for node_exporter's text files: put into place whole, or not at all. False
 * after a message. run NULL: nothing was asked. status: refresh's exit status; seconds: how long it
 * took. */
bool mxg_refresh_file_write(const char *path, const struct mxguard_policy *policy, const struct mxg_refresh *run,
			    int status, double seconds);

#endif
