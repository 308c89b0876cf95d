/* SPDX-License-Identifier: MIT */
/* Words for the MTA and for the log. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#define LINE 4352

static int where = MXG_LDA_LOG_NONE;

void mxg_lda_log_open(const struct mxg_lda_options *options)
{
	where = (int)options->log;
	if (where == MXG_LDA_LOG_SYSLOG)
		openlog("mxguard-lda", LOG_PID, LOG_MAIL);
}

/* One line, printable: a control character in a reply could end it. */
static void write_line(int fd, const char *text)
{
	char line[LINE];
	size_t len = strnlen(text, sizeof(line) - 1);
	for (size_t i = 0; i < len; i++)
		line[i] = text[i] >= ' ' && text[i] != 127 ? text[i] : (text[i] < 0 ? text[i] : '?');
	line[len++] = '\n';
	ssize_t written = write(fd, line, len);
	(void)written; /* the status says the same */
}

static void put_log(int priority, const char *text)
{
	if (where == MXG_LDA_LOG_SYSLOG)
		syslog(priority, "%s", text);
	else if (where == MXG_LDA_LOG_STDERR)
		write_line(STDERR_FILENO, text);
}

void mxg_lda_log(const char *format, ...)
{
	char text[LINE];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_log(LOG_INFO, text);
}

void mxg_lda_log_warning(const char *format, ...)
{
	char text[LINE];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	put_log(LOG_WARNING, text);
}

int mxg_lda_defer(const char *status, const char *format, ...)
{
	char text[LINE], what[LINE - 64];
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(text, sizeof(text), "%s mxguard-lda: %s", status, what);
	write_line(STDOUT_FILENO, text);
	put_log(LOG_ERR, text);
	return EX_TEMPFAIL;
}

int mxg_lda_reply(int exit_status, const char *status, const char *text)
{
	char line[LINE];
	snprintf(line, sizeof(line), "%s %.400s", status, text);
	write_line(STDOUT_FILENO, line);
	return exit_status;
}
