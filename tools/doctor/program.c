/* SPDX-License-Identifier: MIT */
/* Asking other programs what they are set to. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "child.h"

#define OUTPUT_MAX (4 * 1024 * 1024)
#define SILENT_MAX 8

static const char *silent[SILENT_MAX]; /* by what name they were called */

static bool find(const char *name, char *path, size_t size)
{
	static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin" };
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, size, "%s/%s", folders[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static bool comes_by(int fd, int64_t end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left;
	int n = -1;
	while ((left = end - mxg_monotonic_ms()) > 0 && (n = poll(&p, 1, (int)left)) < 0 && errno == EINTR)
		;
	return left > 0 && n > 0;
}

static char *read_all(int fd, int64_t end)
{
	size_t len = 0, room = 65536;
	char *text = malloc(room);
	while (text != NULL) {
		ssize_t n = comes_by(fd, end) ? read(fd, text + len, room - len - 1) : -1;
		if (n < 0 && errno == EINTR && mxg_monotonic_ms() < end)
			continue;
		if (n <= 0) {
			text[len] = '\0';
			return n == 0 ? text : (free(text), NULL);
		}
		len += (size_t)n;
		if (room - len > 1)
			continue;
		char *bigger = room >= OUTPUT_MAX ? NULL : realloc(text, room * 2);
		if (bigger == NULL) {
			free(text);
			return NULL;
		}
		text = bigger;
		room *= 2;
	}
	return NULL;
}

static pid_t start(const char *path, const char *const *argv, int out)
{
	char lang[] = "LC_ALL=C", folders[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	     *environment[] = { lang, folders, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	if (posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
	    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO) != 0 ||
	    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) != 0 ||
	    posix_spawn(&pid, path, &actions, NULL, (char *const *)(uintptr_t)argv, environment) != 0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* ---- who gives no answer ------------------------------------------------------------------ */

const char *mxg_program_silent(size_t n)
{
	return n < SILENT_MAX ? silent[n] : NULL;
}

static bool is_silent(const char *name)
{
	size_t n = 0;
	while (n < SILENT_MAX && silent[n] != NULL && strcmp(silent[n], name) != 0)
		n++;
	return n < SILENT_MAX && silent[n] != NULL;
}

static void note_silent(const char *name)
{
	size_t n = 0;
	while (n < SILENT_MAX && silent[n] != NULL)
		n++;
	if (n < SILENT_MAX)
		silent[n] = name;
}

bool mxg_program_tell_silent(const char *command)
{
	for (size_t n = 0; mxg_program_silent(n) != NULL; n++)
		fprintf(stderr, "%s: " MXG_PROGRAM_SILENT "\n", command, mxg_program_silent(n));
	return mxg_program_silent(0) != NULL;
}

/* ---- what it prints ------------------------------------------------------------------------ */

char *mxg_program_output(const char *const *argv)
{
	char path[4096];
	int pipes[2], status = -1;
	if (is_silent(argv[0]) || !find(argv[0], path, sizeof(path)) || pipe2(pipes, O_CLOEXEC) != 0)
		return NULL;
	int64_t end = mxg_monotonic_ms() + MXG_PROGRAM_SECONDS * 1000;
	pid_t pid = start(path, argv, pipes[1]);
	close(pipes[1]);
	char *text = pid < 0 ? NULL : read_all(pipes[0], end);
	close(pipes[0]);
	bool ended = pid > 0 && mxg_child_wait(pid, end, &status);
	if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return text;
	if (pid > 0 && !ended && mxg_monotonic_ms() >= end)
		note_silent(argv[0]);
	free(text);
	return NULL;
}

char *mxg_program_setting(const char *output, const char *name)
{
	size_t len = strlen(name);
	for (const char *line = output; line != NULL && *line != '\0';) {
		const char *end = strchrnul(line, '\n');
		const char *at = line + strspn(line, " \t");
		if (strncmp(at, name, len) == 0 && (at[len] == ' ' || at[len] == '=')) {
			at += len + strspn(at + len, " ");
			if (*at == '=') {
				at += 1 + strspn(at + 1, " ");
				return at > end ? strdup("") : strndup(at, (size_t)(end - at));
			}
		}
		line = *end == '\0' ? NULL : end + 1;
	}
	return NULL;
}

bool mxg_program_word(const char **at, const char **word, size_t *len)
{
	static const char between[] = ", \t\r\n";
	const char *end = *at + strspn(*at, between);
	size_t depth = 0;
	*word = end;
	for (; *end != '\0' && (depth > 0 || strchr(between, *end) == NULL); end++)
		depth = *end == '{' ? depth + 1 : depth - (*end == '}' && depth > 0);
	*at = end;
	*len = (size_t)(end - *word);
	return *len > 0;
}

void mxg_program_words(const char *list, void (*word)(void *to, const char *word), void *to)
{
	const char *at = list, *start;
	size_t len;
	while (mxg_program_word(&at, &start, &len)) {
		char *copy = strndup(start, len);
		if (copy == NULL)
			return;
		word(to, copy);
		free(copy);
	}
}

#define OPTIONS_MOST 8

/* PROGRAM [-c CONFIG] OPTION… */
static char *ask_with_config(const char *program, const char *config, const char *const *options)
{
	const char *argv[OPTIONS_MOST + 4] = { program };
	size_t n = 1;
	if (config != NULL) {
		argv[n++] = "-c";
		argv[n++] = config;
	}
	for (size_t i = 0; options[i] != NULL && i < OPTIONS_MOST; i++)
		argv[n++] = options[i];
	return mxg_program_output(argv);
}

/* Postfix's programs wait for a second before they say that there is no main.cf. */
char *mxg_program_postfix(const char *folder, const char *program, const char *const *options)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/main.cf", folder == NULL ? "" : folder);
	if (folder != NULL && access(path, F_OK) != 0)
		return NULL;
	return ask_with_config(program, folder, options);
}

char *mxg_program_dovecot(const char *config, const char *const *options)
{
	return ask_with_config("doveconf", config, options);
}

char *mxg_program_exim(const char *config, const char *what)
{
	static const char *const programs[] = { "exim4", "exim" };
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		const char *argv[6] = { programs[i] };
		size_t n = 1;
		if (config != NULL) {
			argv[n++] = "-C";
			argv[n++] = config;
		}
		argv[n++] = "-bP";
		argv[n] = what;
		char *output = mxg_program_output(argv);
		if (output != NULL)
			return output;
	}
	return NULL;
}

/* ---- Postfix --------------------------------------------------------------------------- */

static char *first_line(char *text)
{
	if (text != NULL)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

char *mxg_program_postconf(const char *folder, const char *option, const char *name)
{
	const char *const options[] = { option != NULL ? option : name, option != NULL ? name : NULL, NULL };
	return mxg_program_postfix(folder, "postconf", options);
}

char *mxg_program_postfix_value(const char *folder, const char *name)
{
	return first_line(mxg_program_postconf(folder, "-xh", name));
}

/* ---- Dovecot --------------------------------------------------------------------------- */

char *mxg_program_dovecot_value(const char *config, const char *protocol, const char *name)
{
	const char *const all[] = { "-h", name, NULL }, *const one[] = { "-f", protocol, "-h", name, NULL };
	return first_line(mxg_program_dovecot(config, protocol == NULL ? all : one));
}

/* A line each, in the order of the names. False: it knows one of them not, or says more than was asked. */
static bool take_lines(char *output, char **values, size_t count)
{
	size_t found = 0;
	for (char *rest = output, *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL && rest != NULL; found++)
		if (found < count)
			values[found] = strdup(line);
	return found == count;
}

void mxg_program_dovecot_values(const char *config, const char *const *names, char **values, size_t count)
{
	const char *options[OPTIONS_MOST + 1] = { "-h" };
	memset(values, 0, count * sizeof(*values));
	for (size_t i = 0; i < count && i < OPTIONS_MOST - 1; i++)
		options[i + 1] = names[i];
	char *output = mxg_program_dovecot(config, options);
	bool whole = output != NULL && count < OPTIONS_MOST && take_lines(output, values, count);
	free(output);
	for (size_t i = 0; i < count && !whole; i++) {
		free(values[i]);
		values[i] = i > 0 && values[0] == NULL ? NULL : mxg_program_dovecot_value(config, NULL, names[i]);
	}
}

unsigned mxg_program_dovecot_version(char **text)
{
	static const char *const argv[] = { "dovecot", "--version", NULL };
	unsigned major = 0, minor = 0;
	char *said = first_line(mxg_program_output(argv));
	if (said != NULL && (sscanf(said, "%3u.%3u", &major, &minor) != 2 || major == 0)) {
		free(said);
		said = NULL;
	}
	if (text != NULL)
		*text = said;
	else
		free(said);
	return said == NULL ? 0 : major * 100 + minor;
}
