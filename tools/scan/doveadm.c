/* SPDX-License-Identifier: MIT */
#include "scan/doveadm.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "scan/own_folders.h"
#include "scan/rows.h"

#define HEADER_MOST (512u * 1024) /* the library gives up before */

enum { USER, MAILBOX, UID, RECEIVED, HEADER, FIELDS };

struct fetch {
	struct mxg_scan_reader *reader;
	struct mxg_tally *tally;
	const struct mxg_doveadm_rules *rules;
	struct mxg_row_field fields[FIELDS];
	char user[512], mailbox[1024], uid[24], received[24], header[HEADER_MOST + 1];
	char own[1024 + 512 + 2]; /* the folder that was left out last */
	struct mxg_rows rows;
};

/* Dovecot's separator is a slash or a dot; what lies within an own folder is one's own as well. */
static bool is_own(const char *mailbox)
{
	char part[sizeof(((struct fetch *)NULL)->mailbox)];
	for (const char *at = mailbox; *at != '\0'; at += strspn(at, "/.")) {
		size_t len = strcspn(at, "/.");
		memcpy(part, at, len);
		part[len] = '\0';
		if (mxg_own_folder_for_certain(part))
			return true;
		at += len;
	}
	return false;
}

/* Messages of one folder come one after the other. */
static bool leave_own(struct fetch *f)
{
	char name[sizeof(f->own)];
	if (f->rules->all_folders || !is_own(f->mailbox))
		return false;
	snprintf(name, sizeof(name), "%s %s", f->user, f->mailbox);
	if (strcmp(name, f->own) == 0)
		return true;
	memcpy(f->own, name, sizeof(name));
	if (f->tally->own++ == 0)
		snprintf(f->tally->own_sample, sizeof(f->tally->own_sample), "%.255s", name);
	return true;
}

static void take(struct fetch *f)
{
	char name[sizeof(f->user) + sizeof(f->mailbox) + sizeof(f->uid) + 8];
	int64_t date = strtoll(f->received, NULL, 10);
	if (leave_own(f) || (date > 0 && date < f->rules->since))
		return;
	snprintf(name, sizeof(name), "%s %s uid=%s", f->user, f->mailbox, f->uid);
	mxg_scan_reader_header(f->reader, name, f->header, f->fields[HEADER].len, date);
	f->rules->done(f->rules->context);
}

static void set_fields(struct fetch *f)
{
	f->fields[USER] = (struct mxg_row_field){ "user", f->user, sizeof(f->user) - 1, 0 };
	f->fields[MAILBOX] = (struct mxg_row_field){ "mailbox", f->mailbox, sizeof(f->mailbox) - 1, 0 };
	f->fields[UID] = (struct mxg_row_field){ "uid", f->uid, sizeof(f->uid) - 1, 0 };
	f->fields[RECEIVED] =
		(struct mxg_row_field){ "date.received.unixtime", f->received, sizeof(f->received) - 1, 0 };
	f->fields[HEADER] = (struct mxg_row_field){ "hdr", f->header, HEADER_MOST, 0 };
	f->rows.fields = f->fields;
	f->rows.count = FIELDS;
}

/* What it says on stderr stands above ours. */
static bool judge_end(struct fetch *f, int status)
{
	bool stopped = atomic_load(f->rules->stop), whole = f->rows.ended && status == 0;
	if (whole || stopped)
		return true;
	if (status != 0)
		fprintf(stderr, "mxguard scan: doveadm could not read all of it (exit status %d)\n", status);
	else
		fputs("mxguard scan: what doveadm printed is not whole\n", stderr);
	f->tally->failed++;
	return false;
}

static bool fetch(struct fetch *f, char *const *arguments)
{
	pid_t pid;
	f->rows.fd = mxg_child_start(arguments, -1, &pid);
	if (f->rows.fd < 0) {
		fprintf(stderr, "mxguard scan: doveadm cannot be run: %s\n", strerror(errno));
		f->tally->failed++;
		return false;
	}
	while (!atomic_load(f->rules->stop) && mxg_rows_next(&f->rows))
		take(f);
	if (!f->rows.ended)
		kill(pid, SIGTERM);
	close(f->rows.fd);
	return judge_end(f, mxg_child_end(pid));
}

bool mxg_scan_doveadm(struct mxg_scan_reader *reader, struct mxg_tally *tally, const struct mxg_doveadm_rules *rules)
{
	char program[] = "doveadm", form[] = "-f", json[] = "json", command[] = "fetch", all[] = "-A", one[] = "-u",
	     fields[] = "user mailbox uid date.received.unixtime hdr", query[] = "all";
	char *user = rules->user == NULL ? NULL : strdup(rules->user);
	char *of_all[] = { program, form, json, command, all, fields, query, NULL };
	char *of_one[] = { program, form, json, command, one, user, fields, query, NULL };
	struct fetch *f = calloc(1, sizeof(*f));
	bool good = f != NULL && (user != NULL || rules->user == NULL);
	if (good) {
		f->reader = reader;
		f->tally = tally;
		f->rules = rules;
		set_fields(f);
		good = fetch(f, user == NULL ? of_all : of_one);
	} else {
		fputs("mxguard scan: out of memory\n", stderr);
	}
	free(user);
	free(f);
	return good;
}
