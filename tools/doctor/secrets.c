/* SPDX-License-Identifier: MIT */
/* Gateways that are known by a header field with a secret: whoever needs it must be able to read the secret, and
 * the field must still be there. */
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"
#include "processes.h"
#include "program.h"

#define UNIT_MAX 16384

struct wanted {
	struct mxg_doctor *doctor;
	const char *field, *file; /* of the first such entry; file NULL: the secret stands in the configuration */
	const char *behind; /* who needs the field behind milter and filter; NULL: nobody */
	bool milter_runs;
};

/* ---- who may read it ------------------------------------------------------------------------- */

/* The file is its owner's alone, or it is not used at all. */
static bool may_read(const char *file, uid_t uid)
{
	struct stat st;
	return uid == 0 || stat(file, &st) != 0 || st.st_uid == uid;
}

static void tell_unreadable(struct wanted *w, const char *who, const char *advice)
{
	mxg_finding_add(&w->doctor->findings, MXG_FINDING_WARNING, "secret-unreadable", advice,
			"%.200s cannot read %.200s: what needs the secret is deferred", who, w->file);
}

/* Under the file's own name in the credentials of the unit. */
static bool has_credential(pid_t pid, const char *file)
{
	char path[600], text[UNIT_MAX];
	const char *name = strrchr(file, '/') == NULL ? file : strrchr(file, '/') + 1;
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	FILE *environment = fopen(path, "re");
	size_t n = environment == NULL ? 0 : fread(text, 1, sizeof(text) - 1, environment);
	if (environment != NULL)
		fclose(environment);
	text[n] = '\0';
	for (size_t at = 0; at < n; at += strlen(text + at) + 1) {
		if (strncmp(text + at, "CREDENTIALS_DIRECTORY=", 22) != 0)
			continue;
		snprintf(path, sizeof(path), "%.400s/%.100s", text + at + 22, name);
		return access(path, F_OK) == 0;
	}
	return false;
}

/* ---- milter and filter -------------------------------------------------------------------------- */

static void tell_removed(struct wanted *w, const char *who, const char *advice)
{
	mxg_finding_add(&w->doctor->findings, MXG_FINDING_WARNING, "secret-removed", advice,
			"%s removes %s, and %s behind it, which needs it, too, takes the gateway for a stranger", who,
			w->field, w->behind);
}

static bool keeps(const char *const *argv)
{
	for (; *argv != NULL; argv++)
		if (strcmp(*argv, "--secrets=keep") == 0 ||
		    (strcmp(*argv, "--secrets") == 0 && argv[1] != NULL && strcmp(argv[1], "keep") == 0))
			return true;
	return false;
}

static void look_at_process(void *to, const struct mxg_process *process)
{
	struct wanted *w = to;
	const char *own = process->argv[0] == NULL ? "" : process->argv[0];
	const char *command = process->argv[0] == NULL || process->argv[1] == NULL ? "" : process->argv[1];
	const char *name = strrchr(own, '/') == NULL ? own : strrchr(own, '/') + 1;
	bool milter = strcmp(command, "milter") == 0, filter = strcmp(command, "smtpd-filter") == 0;
	char who[80];
	if (strcmp(name, "mxguard") != 0 || (!milter && !filter))
		return;
	w->milter_runs |= milter;
	snprintf(who, sizeof(who), "mxguard %s (process %d)", command, (int)process->pid);
	if (w->behind != NULL && !keeps(process->argv))
		tell_removed(w, who, "start it with --secrets=keep");
	if (w->file != NULL && !may_read(w->file, process->uid) && !has_credential(process->pid, w->file))
		tell_unreadable(w, who,
				"give it to the user of the service, with mode 0600, or hand it over by "
				"LoadCredential=");
}

/* Appends the unit file or its drop-in; later ones say more. */
static void append(const char *path, char text[UNIT_MAX])
{
	size_t at = strlen(text);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return;
	at += fread(text + at, 1, UNIT_MAX - 2 - at, file);
	text[at] = '\n';
	text[at + 1] = '\0';
	fclose(file);
}

/* As systemd puts it together: the first place that has the unit, then the drop-ins of all. */
static bool read_unit(const char *unit, char text[UNIT_MAX])
{
	static const char *const places[] = { "/etc/systemd/system", "/run/systemd/system",
					      "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
					      "/lib/systemd/system" };
	char path[600];
	text[0] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && text[0] == '\0'; i++) {
		snprintf(path, sizeof(path), "%s/%s", places[i], unit);
		append(path, text);
	}
	for (size_t i = sizeof(places) / sizeof(places[0]); text[0] != '\0' && i-- > 0;) {
		glob_t found;
		snprintf(path, sizeof(path), "%s/%s.d/*.conf", places[i], unit);
		if (glob(path, 0, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			append(found.gl_pathv[k], text);
		globfree(&found);
	}
	return text[0] != '\0';
}

static bool is_enabled(void)
{
	return access("/etc/systemd/system/sockets.target.wants/mxguard-milter.socket", F_OK) == 0 ||
	       access("/etc/systemd/system/multi-user.target.wants/mxguard-milter.service", F_OK) == 0;
}

/* The last line that begins so, without what stands in front of it in the file. */
static const char *last_line(const char *text, const char *begin)
{
	const char *found = NULL;
	for (const char *line = text; line != NULL; line = strchr(line, '\n') == NULL ? NULL : strchr(line, '\n') + 1)
		if (strncmp(line, begin, strlen(begin)) == 0)
			found = line;
	return found;
}

/* One that is switched on and waits for its first connection is no process yet. */
static void look_at_unit(struct wanted *w)
{
	char text[UNIT_MAX], line[1024];
	if (w->milter_runs || !is_enabled() || !read_unit("mxguard-milter.service", text))
		return;
	const char *start = last_line(text, "ExecStart="), *user = last_line(text, "User="),
		   *credential = last_line(text, "LoadCredential=");
	snprintf(line, sizeof(line), "%.*s", start == NULL ? 0 : (int)strcspn(start, "\n"), start == NULL ? "" : start);
	if (w->behind != NULL && start != NULL && strstr(line, "--secrets=keep") == NULL)
		tell_removed(w, "mxguard-milter.service",
			     "systemctl edit mxguard-milter: ExecStart= and ExecStart=/usr/bin/mxguard milter "
			     "--secrets=keep");
	if (w->file != NULL && credential == NULL && user == NULL)
		tell_unreadable(w, "mxguard-milter.service, which has a user of its own,",
				"systemctl edit mxguard-milter: LoadCredential=");
}

/* ---- wrapper and plugin -------------------------------------------------------------------------- */

static void look_at_pipe(struct wanted *w, const char *line)
{
	char user[80], who[200];
	const char *at = strstr(line, " user=");
	if (at == NULL || sscanf(at, " user=%79[^: \t\n]", user) != 1)
		return;
	const struct passwd *entry = getpwnam(user);
	snprintf(who, sizeof(who), "mxguard-lda in master.cf, as %s,", user);
	if (w->file != NULL && entry != NULL && !may_read(w->file, entry->pw_uid))
		tell_unreadable(w, who, "give the file to that user, with mode 0600");
}

static void look_at_master(struct wanted *w)
{
	char *master = mxg_program_postconf(w->doctor->postfix, "-M", NULL), *rest = master, *line;
	while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
		if (line[0] == '#' || strstr(line, "mxguard-lda") == NULL)
			continue;
		w->behind = "mxguard-lda";
		look_at_pipe(w, line);
	}
	free(master);
}

static void look_at_dovecot(struct wanted *w)
{
	if (w->doctor->loaded_in_lmtp || w->doctor->loaded_in_lda)
		w->behind = "Dovecot's plugin";
	if (w->doctor->loaded_in_lda && w->file != NULL)
		tell_unreadable(w, "dovecot-lda, which runs as the user who gets the mail,",
				"deliver by LMTP where gateways are known by a secret");
}

void mxg_doctor_secrets(struct mxg_doctor *d)
{
	struct wanted w = { .doctor = d };
	for (size_t r = 0; r < d->policy->ruleset_count; r++) {
		for (size_t i = 0; i < d->policy->rulesets[r].gateway_count; i++) {
			const struct mxg_token *token = &d->policy->rulesets[r].gateways[i].token;
			if (w.field == NULL)
				w.field = token->field;
			if (w.file == NULL && token->field != NULL)
				w.file = token->value_file;
		}
	}
	if (w.field == NULL)
		return;
	look_at_master(&w);
	look_at_dovecot(&w);
	mxg_processes_each(look_at_process, &w);
	look_at_unit(&w);
}
