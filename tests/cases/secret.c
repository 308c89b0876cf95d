/* SPDX-License-Identifier: MIT */
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORD "@secret@"
#define NOBODY 65534

static bool write_file(const char *folder, const char *name, const char *content, mode_t mode, bool for_nobody)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	if (f == NULL)
		return false;
	bool good = fprintf(f, "%s\n", content) > 0 && fchmod(fileno(f), mode) == 0 &&
		    (!for_nobody || fchown(fileno(f), NOBODY, NOBODY) == 0);
	return fclose(f) == 0 && good;
}

static bool replace_word(char **config, const char *path)
{
	char *at = strstr(*config, WORD), *all;
	int n = asprintf(&all, "%.*s%s%s", (int)(at - *config), *config, path, at + strlen(WORD));
	if (n < 0)
		return false;
	free(*config);
	*config = all;
	return true;
}

static bool give_credential(const struct secret *s, const char *credential)
{
	char folder[100];
	snprintf(folder, sizeof(folder), "%s/given", s->folder);
	return mkdir(folder, 0755) == 0 && write_file(folder, "token", credential, 0400, s->user == 0) &&
	       setenv("CREDENTIALS_DIRECTORY", folder, 1) == 0;
}

/* Root may read everything: it is nobody for a while. */
bool secret_begin(struct secret *s, char **config, const char *credential)
{
	char path[100];
	*s = (struct secret){ .user = geteuid() };
	if (*config == NULL || strstr(*config, WORD) == NULL)
		return credential == NULL;
	strcpy(s->folder, "/tmp/mxguard-case-XXXXXX");
	if (mkdtemp(s->folder) == NULL || chmod(s->folder, 0755) != 0)
		return false;
	snprintf(path, sizeof(path), "%s/token", s->folder);
	return write_file(s->folder, "token", "s3cret", s->user == 0 ? 0400 : 0, false) && replace_word(config, path) &&
	       (credential == NULL || give_credential(s, credential)) && (s->user != 0 || seteuid(NOBODY) == 0);
}

bool secret_end(struct secret *s)
{
	static const char *const names[] = { "token", "given/token", "given" };
	char path[100];
	if (s->folder[0] == '\0')
		return true;
	if (s->user == 0 && seteuid(0) != 0)
		return false;
	unsetenv("CREDENTIALS_DIRECTORY");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->folder, names[i]);
		remove(path);
	}
	return rmdir(s->folder) == 0;
}
