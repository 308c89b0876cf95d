/* SPDX-License-Identifier: MIT */
#ifndef FIELDS_WORDS_H
#define FIELDS_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#define WORD_MAX 2048

struct words {
	uint64_t state;
};

unsigned pick(struct words *w, unsigned below);
bool is_host_char(char c);
bool is_host_name(const char *text);

/* A word that a client chooses in order to be read as something else; never a line feed. */
void hostile_word(struct words *w, char *out);

/* A first line of a message that begins with a blank, line feed and all. */
void hostile_line(struct words *w, char *out);

#endif
