/* SPDX-License-Identifier: MIT */
/* Who runs on this host. */
#include "processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192

static bool read_link(const char *pid, const char *what, char out[512])
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, what);
	ssize_t n = readlink(path, out, 511);
	out[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

static void read_arguments(const char *pid, struct mxg_process *process, char text[LINE_MAX_BYTES])
{
	char path[64];
	size_t count = 0;
	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, LINE_MAX_BYTES - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	for (ssize_t at = 0; at < n && count < MXG_PROCESS_ARGUMENTS; at += (ssize_t)strlen(text + at) + 1)
		process->argv[count++] = text + at;
	process->argv[count] = NULL;
}

void mxg_processes_each(void (*one)(void *to, const struct mxg_process *process), void *to)
{
	char text[LINE_MAX_BYTES], program[512], theirs[512], ours[512];
	DIR *folder = opendir("/proc");
	const struct dirent *entry;
	struct stat st;
	if (folder == NULL || !read_link("self", "ns/net", ours)) {
		if (folder != NULL)
			closedir(folder);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		struct mxg_process process = { .pid = (pid_t)atol(entry->d_name), .program = program };
		if (process.pid <= 0 || fstatat(dirfd(folder), entry->d_name, &st, 0) != 0 ||
		    (read_link(entry->d_name, "ns/net", theirs) && strcmp(theirs, ours) != 0))
			continue;
		process.uid = st.st_uid;
		process.gid = st.st_gid;
		(void)read_link(entry->d_name, "exe", program);
		read_arguments(entry->d_name, &process, text);
		one(to, &process);
	}
	closedir(folder);
}
