/* SPDX-License-Identifier: MIT */
#ifndef MXG_LOG_H
#define MXG_LOG_H

#include <stdbool.h>

/* Where a service says what it does: a line on stderr (systemd keeps those), or syslog(3),
 * facility mail. Under spawn(8) stderr is the MTA's connection: syslog, then. */
void mxg_log_open(bool to_syslog);
void mxg_log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mxg_log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mxg_log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
