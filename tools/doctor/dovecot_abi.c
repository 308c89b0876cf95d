/* SPDX-License-Identifier: MIT */
/* A plugin of another ABI, or none where dovecot.conf names it: LMTP then dies before its greeting, and
 * Dovecot 2.4, where it has a setting of mxguard's, does not start at all. doveconf itself may fail for that
 * reason, so the files are looked at. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"
#include "program.h"

#define FILE_MOST (64 * 1024 * 1024)
#define ABI_MAX 40

static char *read_file(const char *path, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data = NULL;
	*len = 0;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size < FILE_MOST)
		data = malloc((size_t)st.st_size);
	while (data != NULL && *len < (size_t)st.st_size) {
		ssize_t n = read(fd, data + *len, (size_t)st.st_size - *len);
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return data;
}

/* "2.3.ABIv19" of "2.3.ABIv19(2.3.19.1)": what Dovecot compares. "": the file does not say, or is not there. */
static void abi_of(const char *path, char abi[ABI_MAX])
{
	static const char mark[] = ".ABIv";
	size_t len;
	char *data = read_file(path, &len);
	abi[0] = '\0';
	const char *at = data == NULL ? NULL : memmem(data, len, mark, sizeof(mark) - 1);
	if (at != NULL) {
		const char *begin = at, *end = at + sizeof(mark) - 1;
		while (begin > data && (isdigit((unsigned char)begin[-1]) || begin[-1] == '.'))
			begin--;
		while (end < data + len && isdigit((unsigned char)*end))
			end++;
		if (end - begin < ABI_MAX)
			snprintf(abi, ABI_MAX, "%.*s", (int)(end - begin), begin);
	}
	free(data);
}

static void folder(const struct mxg_doctor *d, enum mxg_doctor_setting setting, const char *usual, char out[400])
{
	const char *value = d->dovecot_settings[setting];
	snprintf(out, 400, "%.390s", value == NULL || value[0] != '/' ? usual : value);
}

/* Whether the file is there and fits. */
static bool check_file(struct mxg_doctor *d, const char *path, const char *running, const char *dies)
{
	static const char advice[] =
		"apt install --only-upgrade dovecot-mxguard, or build and install the plugin again, "
		"before Dovecot is restarted; mxguard-dovecot(7), \"Upgrades\"";
	char abi[ABI_MAX];
	if (access(path, F_OK) != 0)
		return false;
	abi_of(path, abi);
	if (strcmp(abi, running) != 0)
		mxg_finding_add(&d->findings, MXG_FINDING_ERROR, "dovecot-abi", advice,
				"%.300s is built for another Dovecot (%s) than the one that is installed (%s): %s",
				path, abi[0] == '\0' ? "it does not say which" : abi, running, dies);
	return true;
}

void mxg_doctor_dovecot_abi(struct mxg_doctor *d)
{
	char libexec[400], modules[400], path[500], running[ABI_MAX];
	folder(d, MXG_DOVECOT_LIBEXEC, "/usr/lib/dovecot", libexec);
	folder(d, MXG_DOVECOT_PLUGINS, "/usr/lib/dovecot/modules", modules);
	snprintf(path, sizeof(path), "%s/lmtp", libexec);
	abi_of(path, running);
	if (running[0] == '\0')
		return; /* there is no LMTP server, or one that does not compare */
	snprintf(path, sizeof(path), "%s/lib99_mxguard_plugin.so", modules);
	bool plugin = check_file(d, path, running, "LMTP ends before it greets");
	if (!plugin && (d->loaded_in_lmtp || d->loaded_in_lda))
		mxg_finding_add(&d->findings, MXG_FINDING_ERROR, "dovecot-plugin-missing",
				"install the plugin, or take mxguard out of mail_plugins",
				"dovecot.conf names the plugin, and %.300s is not there: LMTP takes no mail", path);
	if (d->dovecot_version < 204)
		return;
	snprintf(path, sizeof(path), "%s/settings/libmxguard_settings.so", modules);
	if (!check_file(d, path, running,
			"LMTP defers everything, and with a setting of mxguard's in "
			"dovecot.conf Dovecot does not start, IMAP neither") &&
	    plugin)
		mxg_finding_add(&d->findings, MXG_FINDING_ERROR, "dovecot-settings-missing",
				"install the plugin again: the two belong together",
				"%.300s is not there, and the plugin is: LMTP defers everything, and with a setting of "
				"mxguard's in dovecot.conf Dovecot does not start",
				path);
}
