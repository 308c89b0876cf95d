/* SPDX-License-Identifier: MIT */
#ifndef MXG_ERROR_TEXT_H
#define MXG_ERROR_TEXT_H

#include <stdio.h>
#include <string.h>

/* In English and from any thread, as far as the system can. */
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32) && !defined(MXG_PORTABLE)
static inline const char *mxg_error_text(int error)
{
	const char *text = strerrordesc_np(error);
	return text != NULL ? text : "unknown error";
}
#else
/* strerror_r(3) gives a number by POSIX and a text by GNU. */
static inline const char *mxg_error_text_posix(int failed, const char *buffer)
{
	return failed == 0 ? buffer : "unknown error";
}

static inline const char *mxg_error_text_gnu(const char *text, const char *buffer)
{
	(void)buffer;
	return text;
}

static inline const char *mxg_error_text(int error)
{
	static _Thread_local char buffer[128];
#define MXG_ASK strerror_r(error, buffer, sizeof(buffer))
	return _Generic(MXG_ASK, char * : mxg_error_text_gnu, int : mxg_error_text_posix)(MXG_ASK, buffer);
#undef MXG_ASK
}
#endif

#endif
