/* SPDX-License-Identifier: MIT */
/* The log of a service. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4352 /* a decision's line, and what stands in front */

static bool use_syslog;

void mxg_log_open(bool to_syslog)
{
	use_syslog = to_syslog;
	if (to_syslog)
		openlog("mxguard", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

/* One write(2) a line, so that lines of several processes do not mix. */
__attribute__((format(printf, 1, 0))) static void put_stderr(const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];
	int n = vsnprintf(line, sizeof(line) - 1, format, args);
	if (n < 0)
		return;
	size_t len = (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
	line[len++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, len);
	(void)written; /* a log that is gone is no reason to refuse mail */
}

__attribute__((format(printf, 2, 0))) static void put(int priority, const char *format, va_list args)
{
	if (use_syslog)
		vsyslog(priority, format, args);
	else
		put_stderr(format, args);
}

#define LOG_FUNCTION(NAME, PRIORITY) \
	void mxg_log_##NAME(const char *format, ...) \
	{ \
		va_list args; \
		va_start(args, format); \
		put(PRIORITY, format, args); \
		va_end(args); \
	}

LOG_FUNCTION(info, LOG_INFO)
LOG_FUNCTION(warning, LOG_WARNING)
LOG_FUNCTION(error, LOG_ERR)
