/* SPDX-License-Identifier: MIT */
/* Journal Export Format (systemd's JOURNAL_EXPORT_FORMATS): entries of fields, with an empty line behind each. A field
 * is NAME=VALUE, a line, or a line with its NAME, eight bytes with the length, and so many bytes, which may be any. */
#include "report/journal_export.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report/piece.h"

#define NAME_MOST 64 /* as the journal allows */

/* Where one stands more than once, journalctl -o json writes a list, and nobody can say which of them counts. */
struct field {
	const char *name;
	size_t len;
	unsigned count;
	bool cut; /* longer than any line of ours */
	char *bytes;
};

enum { TIME, HOST, PROGRAM, COMMAND, MESSAGE, FIELDS };

struct reading {
	FILE *from, *to;
	struct field fields[FIELDS];
	bool open; /* an entry has begun */
};

static void add(struct field *f, int byte)
{
	if (f == NULL)
		return;
	f->cut |= f->len == MXG_LINE_MOST;
	if (!f->cut)
		f->bytes[f->len++] = (char)byte;
}

static struct field *begin(struct reading *r, const char *name)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (strcmp(r->fields[i].name, name) != 0)
			continue;
		r->fields[i].count++;
		r->fields[i].len = 0;
		return &r->fields[i];
	}
	return NULL;
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

static bool read_text(struct reading *r, struct field *f)
{
	int c;
	while ((c = getc_unlocked(r->from)) != EOF && c != '\n')
		add(f, c);
	return c == '\n';
}

static bool read_bytes(struct reading *r, struct field *f)
{
	uint8_t size[8];
	if (fread(size, 1, sizeof(size), r->from) != sizeof(size))
		return false;
	uint64_t left = 0;
	for (size_t i = sizeof(size); i-- > 0;)
		left = left << 8 | size[i];
	int c = 0;
	for (; left > 0 && (c = getc_unlocked(r->from)) != EOF; left--)
		add(f, c);
	return left == 0 && getc_unlocked(r->from) == '\n';
}

/* ---- writing ---------------------------------------------------------------------------------------------- */

static bool is_told(const struct field *f)
{
	return f->count == 1 && !f->cut;
}

static void put_field(FILE *to, const struct field *f, const char *before)
{
	if (!is_told(f))
		return;
	fprintf(to, "%s\"%s\":\"", before, f->name);
	for (size_t i = 0; i < f->len; i++) {
		unsigned char c = (unsigned char)f->bytes[i];
		if (c < ' ' || c == '"' || c == '\\' || c == 0x7f)
			fprintf(to, "\\u%04x", c);
		else
			putc_unlocked(c, to);
	}
	putc_unlocked('"', to);
}

static void end_entry(struct reading *r)
{
	struct field *f = r->fields;
	if (r->open && is_told(&f[MESSAGE]) && is_told(&f[TIME])) {
		put_field(r->to, &f[TIME], "{");
		for (size_t i = TIME + 1; i < FIELDS; i++)
			put_field(r->to, &f[i], ",");
		fputs("}\n", r->to);
	} else if (r->open) {
		putc_unlocked('\n', r->to); /* a line that is none of ours */
	}
	for (size_t i = 0; i < FIELDS; i++) {
		f[i].count = 0;
		f[i].cut = false;
	}
	r->open = false;
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

/* Between two fields, or at the end. False: it is damaged. */
static bool read_field(struct reading *r, bool *ended)
{
	char name[NAME_MOST + 1];
	size_t len = 0;
	int c;
	while ((c = getc_unlocked(r->from)) != EOF && c != '\n' && c != '=' && len < NAME_MOST)
		name[len++] = (char)c;
	name[len] = '\0';
	*ended = c == EOF && len == 0;
	if (*ended || (c == '\n' && len == 0)) {
		end_entry(r);
		return true;
	}
	r->open = true;
	if (c == '=')
		return read_text(r, begin(r, name));
	return c == '\n' && read_bytes(r, begin(r, name));
}

bool mxg_journal_export_lines(FILE *from, FILE *to)
{
	static const char *const names[FIELDS] = { "__REALTIME_TIMESTAMP", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM",
						   "MESSAGE" };
	struct reading r = { .from = from, .to = to };
	bool good = true, ended = false;
	for (size_t i = 0; i < FIELDS; i++) {
		r.fields[i] = (struct field){ .name = names[i], .bytes = malloc(MXG_LINE_MOST) };
		good &= r.fields[i].bytes != NULL;
	}
	while (good && !ended && !ferror(to))
		good = read_field(&r, &ended);
	for (size_t i = 0; i < FIELDS; i++)
		free(r.fields[i].bytes);
	bool told = fflush(to) == 0; /* also what stands before something that is damaged */
	return good && told && !ferror(from);
}
