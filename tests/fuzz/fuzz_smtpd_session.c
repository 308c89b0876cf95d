/* SPDX-License-Identifier: MIT */
/* Lines of smtpd's to the filter. Session "spam" belongs to a peer that is no gateway, whatever the other
 * lines say: none of its recipients and none of its messages gets in. And every answer is a whole line
 * of one of three kinds. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/mxg-fuzz-XXXXXX", config[64];
static struct mxg_desk *desk;

static const char settings[] = "mode = \"enforce\"; self = [ \"198.51.100.1\" ]; authserv_id = \"mx.example\";\n"
			       "internal = [ \"198.51.100.20\" ]; trace = { mta = [ \"opensmtpd\", \"postfix\" ]; };\n"
			       "gateways = ( { name = \"f\"; allow = \"ip4:192.0.2.10\"; }, { name = \"s\"; allow = "
			       "\"ip4:198.51.100.7\"; header = { name = \"X-Token\"; value = \"s3cret\"; }; } );\n"
			       "state_dir = \"/nonexistent\";\n";
static const char spammer[] = "report|0.7|1.2|smtp-in|link-connect|spam|x|pass|203.0.113.66:4|192.0.2.1:25";

static void clean_up(void)
{
	unlink(config);
	rmdir(folder);
}

static void begin(void)
{
	int status;
	FILE *file;
	if (mkdtemp(folder) == NULL)
		abort();
	atexit(clean_up);
	snprintf(config, sizeof(config), "%s/conf", folder);
	file = fopen(config, "w");
	if (file == NULL || fputs(settings, file) < 0 || fclose(file) != 0 || chmod(config, 0600) != 0)
		abort();
	if (freopen("/dev/null", "w", stderr) == NULL || (desk = mxg_desk_new(config, "smtpd-filter", &status)) == NULL)
		abort();
}

/* Whether it would make somebody else of the spammer. */
static bool is_other_peer(const char *text, size_t length, bool *asks)
{
	struct mxg_filter_line line;
	char *copy = malloc(length + 1);
	if (copy == NULL)
		return true;
	memcpy(copy, text, length);
	copy[length] = '\0';
	bool read = mxg_filter_line_read(&line, copy, length), its = strcmp(line.session, "spam") == 0;
	bool other = its && (line.event == MXG_FILTER_LINK_CONNECT || line.event == MXG_FILTER_LINK_AUTH);
	*asks = its && (!read || line.event == MXG_FILTER_RCPT_TO || line.event == MXG_FILTER_COMMIT);
	free(copy);
	return other;
}

static void check_answers(struct mxg_filter_output *out, bool spammer_asked)
{
	const char *at = out->bytes == NULL ? "" : out->bytes + out->begin;
	size_t left = out->end - out->begin;
	while (left > 0) {
		const char *end = memchr(at, '\n', left);
		if (end == NULL || (strncmp(at, "filter-result|", 14) != 0 &&
				    strncmp(at, "filter-dataline|", 16) != 0 && strncmp(at, "register|", 9) != 0))
			abort();
		size_t length = (size_t)(end - at);
		if (spammer_asked && length > 8 && strncmp(at, "filter-result|", 14) == 0 &&
		    memcmp(end - 8, "|proceed", 8) == 0)
			abort();
		left -= length + 1;
		at = end + 1;
	}
	out->begin = out->end = 0;
}

static void say(struct mxg_filter_events *events, const char *text, size_t length)
{
	char *line = malloc(length + 1);
	bool asks;
	if (line == NULL)
		return;
	memcpy(line, text, length);
	line[length] = '\0';
	if (!is_other_peer(text, length, &asks)) {
		mxg_filter_take_line(events, line, length);
		check_answers(events->out, asks);
	}
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mxg_filter_output out = { 0 };
	struct mxg_filter_events events = { .relayed = MXGUARD_PLACE_DOOR, .out = &out };
	const char *at = (const char *)data;
	if (desk == NULL)
		begin();
	events.desk = desk;
	events.sessions = mxg_filter_sessions_new();
	if (events.sessions == NULL)
		return 0;
	char first[sizeof(spammer)];
	memcpy(first, spammer, sizeof(spammer));
	mxg_filter_take_line(&events, first, sizeof(spammer) - 1);
	while (size > 0) {
		const char *end = memchr(at, '\n', size);
		size_t length = end == NULL ? size : (size_t)(end - at);
		say(&events, at, length);
		at += end == NULL ? length : length + 1;
		size -= end == NULL ? length : length + 1;
	}
	mxg_filter_sessions_free(events.sessions);
	mxg_filter_output_free(&out);
	return 0;
}
