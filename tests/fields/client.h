/* SPDX-License-Identifier: MIT */
#ifndef FIELDS_CLIENT_H
#define FIELDS_CLIENT_H

#include "printers.h"
#include "words.h"

#define FIELD_DATE "; Mon, 23 Nov 2026 12:35:31 +0000"

/* Who connects, and what he says. */
struct client {
	char address[64];
	bool v6, bad;
	char helo[WORD_MAX], ptr[WORD_MAX], ident[WORD_MAX], login[WORD_MAX], certificate[WORD_MAX], sender[WORD_MAX];
	char more[WORD_MAX]; /* the first line of the message, where it begins with a blank */
	bool tls;
};

/* False where the MTA refuses the client. */
typedef bool printer(struct made *m, const struct client *c);

void put(struct made *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "ESMTP", or what is longer where there was TLS or a login */
const char *with(const struct client *c, bool login);

/* What MTAs make of a word: only letters, digits, ".-_" and ALSO; without BAD and control bytes;
 * the first word; parentheses only where they add up. */
char *only(char *out, const char *word, const char *also, char instead);
char *without(char *out, const char *word, const char *bad, char instead);
char *first_word(char *out, const char *word, const char *blanks);
char *balanced(char *out, const char *word);
bool is_checked_helo(const char *helo);

/* agents.c: what stands behind an MTA, what fetches mail, and servers of which no capture exists. */
printer print_amavis, print_fetchmail, print_getmail, print_exchange, print_exchange_inner, print_iis, print_google,
	print_google_inner, print_communigate, print_communigate_verified;

#endif
