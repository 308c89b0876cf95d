/* SPDX-License-Identifier: MIT */
/* One request of an MTA, from bytes: a pure function over a bounded buffer. */
#include "request.h"

#include <stdbool.h>
#include <string.h>

#include "xtext.h"

static const char line_word[] = "check";
#define LINE_WORD (sizeof(line_word) - 1)

/* Postfix's first attribute is "request=…": no mistaking one form for the other. */
static bool is_line_form(const char *bytes, size_t len)
{
	return len > LINE_WORD && memcmp(bytes, line_word, LINE_WORD) == 0 &&
	       strchr(" \r\n", bytes[LINE_WORD]) != NULL && bytes[LINE_WORD] != '\0';
}

size_t mxg_request_length(const char *bytes, size_t len, size_t *scanned)
{
	size_t from = *scanned;
	bool line = is_line_form(bytes, len);
	const char *end;
	*scanned = len;
	if (len > 0 && bytes[0] == '\n')
		return 1; /* nothing at all was asked: the parser says so */
	if (line) {
		end = memchr(bytes, '\n', len);
		return end == NULL ? 0 : (size_t)(end - bytes) + 1;
	}
	if (from > 0)
		from--; /* the first line feed of the two may have been the last byte */
	end = memmem(bytes + from, len - from, "\n\n", 2);
	return end == NULL ? 0 : (size_t)(end - bytes) + 2;
}

static const char **field_of(struct mxg_request *r, const char *name, size_t len)
{
	const struct {
		const char *name;
		const char **field;
	} known[] = {
		{ "request", &r->request },
		{ "protocol_state", &r->protocol_state },
		{ "client_address", &r->client_address },
		{ "helo_name", &r->helo_name },
		{ "sasl_username", &r->sasl_username },
		{ "sender", &r->sender },
		{ "recipient", &r->recipient },
		{ "instance", &r->instance },
		{ "queue_id", &r->queue_id },
		{ "encryption_protocol", &r->encryption_protocol },
		{ "encryption_cipher", &r->encryption_cipher },
		{ "encryption_keysize", &r->encryption_keysize },
		{ "ccert_subject", &r->ccert_subject },
		{ "ccert_issuer", &r->ccert_issuer },
		{ "ccert_fingerprint", &r->ccert_fingerprint },
		{ "ccert_pubkey_fingerprint", &r->ccert_pubkey_fingerprint },
		{ "tls_peerdn", &r->tls_peerdn },
		{ "tls_certificate_verified", &r->tls_certificate_verified },
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
			return known[i].field;
	return NULL;
}

/* An attribute that decides and comes twice could mean either: it means nothing. */
static const char *set_field(const char **field, const char *value)
{
	if (*field != NULL)
		return "an attribute came twice";
	*field = value;
	return NULL;
}

static const char *take_attribute(struct mxg_request *r, char *line, size_t len)
{
	char *equals = memchr(line, '=', len);
	if (equals == NULL || equals == line)
		return "a line is not name=value";
	line[len] = '\0';
	const char **field = field_of(r, line, (size_t)(equals - line));
	if (field == &r->ccert_subject || field == &r->ccert_issuer)
		mxg_xtext_decode(equals + 1); /* what cannot be decoded is empty then: nothing that proves anything */
	return field == NULL ? NULL : set_field(field, equals + 1);
}

static const char *parse_lines(struct mxg_request *r, char *text, size_t len)
{
	const char *wrong = NULL;
	char *end = text + len - 1; /* at the empty line's end */
	while (text < end && wrong == NULL) {
		char *feed = memchr(text, '\n', (size_t)(end - text));
		if (feed == NULL)
			break;
		wrong = take_attribute(r, text, (size_t)(feed - text));
		text = feed + 1;
	}
	return wrong;
}

/* ---- the one-line form --------------------------------------------------------- */

/* Exim's ${quote:} writes \" \\ \n and \r; no other letter follows a backslash there. */
static char unescape(char c)
{
	return c == 'n' ? '\n' : c == 'r' ? '\r' : c;
}

/* A value in quotes; *at stands behind the opening one and ends behind the closing one. */
static const char *take_quoted(char **at, char *end, const char **value)
{
	char *from = *at, *to = *at;
	*value = to;
	for (; from < end && *from != '"'; from++) {
		char c = *from;
		if (c == '\\') {
			if (++from == end)
				break;
			c = unescape(*from);
		}
		*to++ = c;
	}
	if (from >= end)
		return "a quoted value has no end";
	*to = '\0';
	*at = from + 1;
	if (*at < end && **at != ' ')
		return "something stands right behind a quoted value";
	return NULL;
}

static const char *take_bare(char **at, char *end, const char **value)
{
	char *blank = memchr(*at, ' ', (size_t)(end - *at));
	*value = *at;
	*at = blank == NULL ? end : blank;
	if (memchr(*value, '"', (size_t)(*at - *value)) != NULL)
		return "a quote stands inside a value without quotes";
	return NULL;
}

static const char *take_word(struct mxg_request *r, char **at, char *end)
{
	char *equals = memchr(*at, '=', (size_t)(end - *at));
	if (equals == NULL || equals == *at)
		return "a word is not name=value";
	const char **field = field_of(r, *at, (size_t)(equals - *at));
	if (field == NULL)
		return "there is an attribute that is not known";
	const char *value, *wrong;
	*at = equals + 1;
	if (*at < end && **at == '"') {
		++*at;
		wrong = take_quoted(at, end, &value);
	} else {
		wrong = take_bare(at, end, &value);
	}
	if (wrong != NULL)
		return wrong;
	if (*at < end)
		*(*at)++ = '\0';
	return set_field(field, value);
}

static const char *parse_line(struct mxg_request *r, char *text, size_t len)
{
	char *at = text + LINE_WORD, *end = text + len - 1;
	const char *wrong = NULL;
	if (end[-1] == '\r')
		end--;
	*end = '\0';
	while (wrong == NULL) {
		while (at < end && *at == ' ')
			at++;
		if (at >= end)
			break;
		wrong = take_word(r, &at, end);
	}
	return wrong;
}

/* ---- both ----------------------------------------------------------------------- */

/* Without the address the question would be about "no peer", which is something else. */
static const char *complete(const struct mxg_request *r)
{
	if (r->form == MXG_REQUEST_POSTFIX) {
		if (r->request == NULL)
			return "the attribute request is missing";
		if (strcmp(r->request, "smtpd_access_policy") != 0)
			return "the attribute request is not smtpd_access_policy";
	} else if (r->recipient == NULL || r->recipient[0] == '\0') {
		return "the attribute recipient is missing";
	}
	if (r->client_address == NULL)
		return "the attribute client_address is missing";
	return NULL;
}

const char *mxg_request_parse(struct mxg_request *request, char *text, size_t len)
{
	bool line = is_line_form(text, len);
	*request = (struct mxg_request){ .form = line ? MXG_REQUEST_LINE : MXG_REQUEST_POSTFIX };
	if (len < 2 || text[len - 1] != '\n')
		return "it is empty";
	if (memchr(text, '\0', len) != NULL)
		return "there is a NUL byte in it";
	const char *wrong = line ? parse_line(request, text, len) : parse_lines(request, text, len);
	return wrong != NULL ? wrong : complete(request);
}
