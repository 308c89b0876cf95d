/* SPDX-License-Identifier: MIT */
/* Becoming COMMAND. */
#include "command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "signals.h"

#define WORDS_MAX 256

extern char **environ;

/* ---- placeholders ------------------------------------------------------------------- */

static const char *value_of(const struct mxg_lda_values *v, const char *at, size_t *len)
{
	const struct {
		const char *name, *value;
	} known[] = { { "%{mailbox}", v->mailbox }, { "%{verdict}", v->verdict }, { "%{rcpt}", v->rcpt } };
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		*len = strlen(known[i].name);
		if (strncmp(at, known[i].name, *len) == 0)
			return known[i].value;
	}
	return NULL;
}

static size_t expanded_length(const char *text, const struct mxg_lda_values *values)
{
	size_t total = 0, len;
	for (const char *value; *text != '\0';) {
		value = *text == '%' ? value_of(values, text, &len) : NULL;
		total += value == NULL ? 1 : strlen(value);
		text += value == NULL ? 1 : len;
	}
	return total;
}

/* What is put in is not looked at again. */
static char *expand(const char *text, const struct mxg_lda_values *values)
{
	char *result = malloc(expanded_length(text, values) + 1), *to = result;
	size_t len;
	if (result == NULL)
		return NULL;
	for (const char *value; *text != '\0';) {
		value = *text == '%' ? value_of(values, text, &len) : NULL;
		if (value == NULL) {
			*to++ = *text++;
			continue;
		}
		to = stpcpy(to, value);
		text += len;
	}
	*to = '\0';
	return result;
}

static void free_words(char **words)
{
	for (size_t i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}

static char **expand_all(char *const *command, const struct mxg_lda_values *values)
{
	size_t count = 0;
	while (command[count] != NULL)
		count++;
	char **argv = calloc(count + 1, sizeof(*argv));
	for (size_t i = 0; argv != NULL && i < count; i++) {
		if ((argv[i] = expand(command[i], values)) != NULL)
			continue;
		free_words(argv);
		return NULL;
	}
	return argv;
}

/* Words first, placeholders afterwards: a recipient with blanks in it stays one argument. The
 * words stand in *copy. */
static char **split(const char *line, char **copy)
{
	char **words = calloc(WORDS_MAX + 1, sizeof(*words)), *rest = *copy = strdup(line), *word;
	size_t count = 0;
	while (words != NULL && (word = strsep(&rest, " \t")) != NULL) {
		if (*word == '\0')
			continue;
		if (count == WORDS_MAX) {
			free(words);
			errno = E2BIG;
			return NULL;
		}
		words[count++] = word;
	}
	return words;
}

/* ---- environment ----------------------------------------------------------------------- */

/* What makes a loader, a shell or a C library do something else than the administrator wrote. */
static bool is_dangerous(const char *variable)
{
	static const char *const names[] = {
		"IFS=",         "ENV=",      "BASH_ENV=", "BASH_FUNC_",      "SHELLOPTS=",
		"BASHOPTS=",    "PS4=",      "CDPATH=",   "GLIBC_TUNABLES=", "GCONV_PATH=",
		"NLSPATH=",     "LOCPATH=",  "MALLOC_",   "RES_OPTIONS=",    "LOCALDOMAIN=",
		"HOSTALIASES=", "PERL5LIB=", "PERL5OPT=", "PYTHONPATH=",     "PYTHONHOME=",
		"LD_",          "MXGUARD_"
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static char **make_environment(const struct mxg_lda_values *v)
{
	const struct {
		const char *name, *value;
	} ours[] = { { "MXGUARD_VERDICT", v->verdict }, { "MXGUARD_ACTION", v->action },
		     { "MXGUARD_REASON", v->reason },   { "MXGUARD_PEER", v->peer },
		     { "MXGUARD_GATEWAY", v->gateway }, { "MXGUARD_MAILBOX", v->mailbox },
		     { "MXGUARD_RCPT", v->rcpt } };
	size_t count = 0, own = sizeof(ours) / sizeof(ours[0]);
	while (environ != NULL && environ[count] != NULL)
		count++;
	char **result = calloc(count + own + 1, sizeof(*result));
	if (result == NULL)
		return NULL;
	count = 0;
	for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
		if (!is_dangerous(*variable) && (result[count++] = strdup(*variable)) == NULL)
			goto fail;
	for (size_t i = 0; i < own; i++, count++) {
		if (asprintf(&result[count], "%s=%s", ours[i].name, ours[i].value) >= 0)
			continue;
		result[count] = NULL;
		goto fail;
	}
	return result;
fail:
	free_words(result);
	return NULL;
}

/* ---- exec -------------------------------------------------------------------------------- */

static void exec_in_folders(char **argv, char **environment)
{
	static const char *const folders[] = {
		"/usr/local/bin",      "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/lib/dovecot",
		"/usr/libexec/dovecot"
	};
	char path[4096];
	int seen = ENOENT;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (snprintf(path, sizeof(path), "%s/%s", folders[i], argv[0]) >= (int)sizeof(path))
			continue;
		execve(path, argv, environment);
		if (errno != ENOENT && errno != ENOTDIR)
			seen = errno;
	}
	errno = seen;
}

static int start(char **argv, char **environment)
{
	if (argv == NULL || environment == NULL)
		return mxg_lda_defer("4.3.0", "COMMAND cannot be started: %s", strerror(errno));
	if (argv[0] == NULL)
		return mxg_lda_defer("4.3.5", "--quarantine-command is empty");
	mxg_lda_signals_restore();
	if (strchr(argv[0], '/') != NULL)
		execve(argv[0], argv, environment);
	else
		exec_in_folders(argv, environment);
	int error = errno;
	mxg_lda_signals_set(); /* what is said now may go nowhere */
	errno = error;
	return mxg_lda_defer("4.3.5", "COMMAND %s cannot be started: %s", argv[0], strerror(errno));
}

int mxg_lda_command_exec(char *const *command, const char *quarantine, const struct mxg_lda_values *values)
{
	char *copy = NULL, **words = NULL, **argv = NULL, **environment = make_environment(values);
	if (quarantine != NULL)
		words = split(quarantine, &copy);
	if (quarantine == NULL || (words != NULL && copy != NULL))
		argv = expand_all(words != NULL ? words : command, values);
	int status = start(argv, environment);
	free_words(argv);
	free_words(environment);
	free(words);
	free(copy);
	return status;
}
