/* SPDX-License-Identifier: MIT */
#ifndef MXG_TEXT_H
#define MXG_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Hostile text for a terminal: printable characters of the locale stay (UTF-8 where the
 * locale is UTF-8), controls, direction marks and broken bytes become \xHH. Cut to fit at a
 * character's end, always terminated. Returns the length; *columns (may be NULL) what it
 * takes on the screen.
 */
size_t mxg_text_clean(char *buffer, size_t size, const char *text, size_t len, size_t *columns);
size_t mxg_text_columns(const char *text); /* of text that is clean */

#define MXG_SHELL_WORD_MAX(LEN) (4 * (LEN) + 3)
/* One word of a command that a person may take over into a shell, whatever stands in it. Returns buf. */
const char *mxg_shell_word(char *buf, size_t size, const char *text);

/* What goes with that number: the words for one, or those for none and for more. */
static inline const char *mxg_noun(uint64_t number, const char *one, const char *more)
{
	return number == 1 ? one : more;
}

/* What may be wrong where no question to DNS is answered. */
#define MXG_RESOLVER_HINT "is the resolver running? (dns.servers, or /etc/resolv.conf)"

#define MXG_TIME_MAX 32
/* "2026-11-23T22:15:00Z". Returns buf. */
const char *mxg_time_format(int64_t time, char buf[MXG_TIME_MAX]);

#endif
