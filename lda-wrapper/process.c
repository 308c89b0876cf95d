/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXITING 0x4U /* PF_EXITING of proc(5), "flags" */

ssize_t mxg_lda_process_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	if (n >= 0)
		text[n] = '\0';
	return n;
}

static bool look_at(const char *path, struct mxg_lda_process *p)
{
	char text[1024];
	long parent;
	if (mxg_lda_process_file(path, text, sizeof(text)) <= 0)
		return false;
	char *name = strchr(text, '('), *rest = strrchr(text, ')'); /* the name may hold anything */
	if (name == NULL || rest == NULL ||
	    sscanf(rest, ") %c %ld %*d %*d %*d %*d %u", &p->state, &parent, &p->flags) != 3)
		return false;
	*rest = '\0';
	snprintf(p->name, sizeof(p->name), "%s", name + 1);
	p->parent = (pid_t)parent;
	const char *code = strrchr(rest + 1, ' '); /* the last one, as waitpid(2) gives it */
	p->signal = code == NULL ? 0 : atoi(code) & 0x7f;
	return true;
}

bool mxg_lda_process_look(pid_t pid, struct mxg_lda_process *p)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	p->pid = pid;
	return look_at(path, p);
}

static bool is_dead(const struct mxg_lda_process *p)
{
	return p->state == 'Z' || p->state == 'X' || (p->flags & EXITING) != 0;
}

static bool has_other_threads(pid_t pid)
{
	char path[64], file[sizeof(path) + 280];
	struct mxg_lda_process p;
	bool lives = false;
	snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	DIR *threads = opendir(path);
	for (struct dirent *one; !lives && threads != NULL && (one = readdir(threads)) != NULL;) {
		snprintf(file, sizeof(file), "%s/%s/stat", path, one->d_name);
		lives = one->d_name[0] != '.' && look_at(file, &p) && !is_dead(&p);
	}
	if (threads != NULL)
		closedir(threads);
	return lives;
}

bool mxg_lda_process_is_ending(const struct mxg_lda_process *p)
{
	return is_dead(p) && !has_other_threads(p->pid);
}
