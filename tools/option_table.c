/* SPDX-License-Identifier: MIT */
#include "option_table.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "mxguard.h"

#define OPTIONS_MOST 32
#define LONG_BASE 256 /* getopt_long()'s values of long options: behind those of all letters */

const struct mxg_option_word mxg_option_places[] = {
	{ "door", MXGUARD_PLACE_DOOR },
	{ "queued", MXGUARD_PLACE_QUEUED },
	{ NULL, 0 },
};

struct reading {
	const struct mxg_usage *usage;
	void *target;
	char *message;
	size_t size;
	struct option longs[OPTIONS_MOST + 2];
	char shorts[2 * OPTIONS_MOST + 4];
};

static enum mxg_options_next wrong(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum mxg_options_next wrong(struct reading *r, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(r->message, r->size, format, args);
	va_end(args);
	return MXG_OPTIONS_WRONG;
}

/* ---- for getopt_long() ---------------------------------------------------------------------------- */

static void make_options(struct reading *r)
{
	size_t at = 0;
	if (r->usage->stops)
		r->shorts[at++] = '+';
	r->shorts[at++] = ':'; /* messages are ours */
	for (size_t i = 0; i < r->usage->count && i < OPTIONS_MOST; i++) {
		const struct mxg_option *o = &r->usage->options[i];
		int has = o->argument != NULL ? required_argument : no_argument;
		r->longs[i] = (struct option){ o->name, has, NULL, LONG_BASE + (int)i };
		if (o->letter != 0)
			r->shorts[at++] = o->letter;
		if (o->letter != 0 && o->argument != NULL)
			r->shorts[at++] = ':';
	}
	r->longs[r->usage->count] = (struct option){ "help", no_argument, NULL, 'h' };
	r->shorts[at] = 'h';
}

static const struct mxg_option *find(const struct mxg_usage *usage, int value)
{
	if (value >= LONG_BASE)
		return &usage->options[value - LONG_BASE];
	for (size_t i = 0; i < usage->count; i++)
		if (usage->options[i].letter == value)
			return &usage->options[i];
	return NULL;
}

static enum mxg_options_next unknown(struct reading *r, const char *typed)
{
	const char *names[OPTIONS_MOST + 1];
	char name[64];
	if (strncmp(typed, "--", 2) != 0)
		return wrong(r, "there is no option '-%c'", optopt);
	for (size_t i = 0; i <= r->usage->count; i++)
		names[i] = r->longs[i].name;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
	const char *near = mxg_nearest(name, names, r->usage->count + 1);
	if (near == NULL)
		return wrong(r, "there is no option '%s'", typed);
	if (strcmp(near, name) == 0)
		return wrong(r, "'--%s' takes no value", name);
	return wrong(r, "there is no option '%s'; did you mean '--%s'?", typed, near);
}

/* ---- values ------------------------------------------------------------------------------------------ */

static enum mxg_options_next take_number(struct reading *r, const struct mxg_option *o, long *out, const char *text)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || n < o->min || n > o->max)
		return wrong(r, "--%s takes a number from %ld to %ld, not '%s'", o->name, o->min, o->max, text);
	*out = n;
	return MXG_OPTIONS_GO_ON;
}

static enum mxg_options_next refuse_word(struct reading *r, const struct mxg_option *o, const char *text)
{
	char words[200] = "";
	size_t at = 0;
	for (const struct mxg_option_word *w = o->words; w->text != NULL && at < sizeof(words); w++)
		at += (size_t)snprintf(words + at, sizeof(words) - at, "%s%s",
				       w == o->words       ? ""
				       : w[1].text == NULL ? " or "
							   : ", ",
				       w->text);
	return wrong(r, "--%s takes %s, not '%s'", o->name, words, text);
}

static enum mxg_options_next take_word(struct reading *r, const struct mxg_option *o, void *field, const char *text)
{
	for (const struct mxg_option_word *w = o->words; w->text != NULL; w++) {
		if (strcmp(w->text, text) != 0)
			continue;
		memcpy(field, &w->value, sizeof(w->value));
		return MXG_OPTIONS_GO_ON;
	}
	return refuse_word(r, o, text);
}

static enum mxg_options_next take_entry(struct reading *r, const struct mxg_option *o, const char **list,
					const char *text)
{
	size_t *count = (size_t *)(void *)((char *)r->target + o->count);
	if (*count == (size_t)o->max)
		return wrong(r, "--%s is given more than %ld times", o->name, o->max);
	list[(*count)++] = text;
	return MXG_OPTIONS_GO_ON;
}

static enum mxg_options_next take_value(struct reading *r, const struct mxg_option *o, const char *text)
{
	void *field = (char *)r->target + o->field;
	if (o->take != NULL && !o->take(r->target, text))
		return wrong(r, "--%s takes %s, not '%s'", o->name, o->takes, text);
	switch (o->kind) {
	case MXG_OPTION_FLAG:
		*(bool *)field = true;
		return MXG_OPTIONS_GO_ON;
	case MXG_OPTION_TEXT:
		*(const char **)field = text;
		return MXG_OPTIONS_GO_ON;
	case MXG_OPTION_NUMBER:
		return take_number(r, o, field, text);
	case MXG_OPTION_WORD:
		return take_word(r, o, field, text);
	case MXG_OPTION_LIST:
		return take_entry(r, o, field, text);
	case MXG_OPTION_OWN:
		break;
	}
	return MXG_OPTIONS_GO_ON;
}

static enum mxg_options_next take_next(struct reading *r, int value, const char *typed)
{
	if (value == 'h')
		return MXG_OPTIONS_HELP;
	if (value == ':')
		return wrong(r, "%s needs a value", typed);
	const struct mxg_option *o = value == '?' ? NULL : find(r->usage, value);
	return o == NULL ? unknown(r, typed) : take_value(r, o, optarg);
}

enum mxg_options_next mxg_options_take(const struct mxg_usage *usage, int argc, char **argv, void *target,
				       char *message, size_t size)
{
	struct reading r = { .usage = usage, .target = target, .message = message, .size = size };
	enum mxg_options_next next = MXG_OPTIONS_GO_ON;
	int value;
	make_options(&r);
	opterr = 0;
	while (next == MXG_OPTIONS_GO_ON && (value = getopt_long(argc, argv, r.shorts, r.longs, NULL)) != -1)
		next = take_next(&r, value, optind > 0 && optind <= argc ? argv[optind - 1] : "");
	return next;
}

/* ---- --help -------------------------------------------------------------------------------------------- */

static int left_side(char out[80], const struct mxg_option *o)
{
	char letter[5] = "    ";
	if (o->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	return snprintf(out, 80, "  %s--%s%s%s", letter, o->name, o->argument != NULL ? " " : "",
			o->argument != NULL ? o->argument : "");
}

static void print_option(const struct mxg_option *o, int width, FILE *to)
{
	char left[80];
	const char *line = o->help;
	left_side(left, o);
	fprintf(to, "%-*s", width, left);
	for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		fprintf(to, "%.*s\n%*s", (int)(end - line), line, width, "");
	fprintf(to, "%s\n", line);
}

void mxg_usage_print(const struct mxg_usage *usage, const char *command, FILE *to)
{
	static const struct mxg_option help = { 'h', "help", NULL, "this text", .kind = MXG_OPTION_FLAG };
	char left[80];
	int width = left_side(left, &help) + 2;
	for (size_t i = 0; i < usage->count; i++) {
		int own = left_side(left, &usage->options[i]) + 2;
		width = own > width ? own : width;
	}
	fprintf(to, "Usage: %s %s\n%s\n\n", command, usage->synopsis, usage->about);
	for (size_t i = 0; i < usage->count; i++)
		print_option(&usage->options[i], width, to);
	print_option(&help, width, to);
	fprintf(to, "\n%s\n", usage->after);
}
