/* SPDX-License-Identifier: MIT */
/*
 * What `mxguard scan` is measured against (bench_scan.py): two threads that open the files below
 * a Maildir's folders and read their first 8 KiB, and do nothing with them. Each thread reads the
 * folders itself and takes every second name: no lock, no queue, no memory that grows.
 * With "--peak COMMAND" it runs that and tells its peak memory in KiB on standard error: a child
 * of Python's would begin with Python's own.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 2

struct part {
	char **folders;
	unsigned number;
	unsigned long files, bytes;
};

static void read_file(struct part *p, int dir, const char *name)
{
	char buffer[8192];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOATIME);
	if (fd < 0)
		return;
	ssize_t n = read(fd, buffer, sizeof(buffer));
	close(fd);
	p->files++;
	p->bytes += n > 0 ? (unsigned long)n : 0;
}

static void *work(void *argument)
{
	struct part *p = argument;
	unsigned long seen = 0;
	for (char **folder = p->folders; *folder != NULL; folder++) {
		DIR *dir = opendir(*folder);
		if (dir == NULL) {
			perror(*folder);
			continue;
		}
		for (struct dirent *e; (e = readdir(dir)) != NULL;)
			if (e->d_type == DT_REG && seen++ % THREADS == p->number)
				read_file(p, dirfd(dir), e->d_name);
		closedir(dir);
	}
	return NULL;
}

static int run_and_tell_peak(char **command)
{
	struct rusage usage;
	int status;
	pid_t child = fork();
	if (child == 0) {
		execv(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child || !WIFEXITED(status))
		return 1;
	fprintf(stderr, "%ld\n", usage.ru_maxrss);
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	struct part parts[THREADS];
	unsigned long files = 0, bytes = 0;
	if (argc > 2 && strcmp(argv[1], "--peak") == 0)
		return run_and_tell_peak(argv + 2);
	for (unsigned i = 0; i < THREADS; i++) {
		parts[i] = (struct part){ .folders = argv + 1, .number = i };
		if (pthread_create(&threads[i], NULL, work, &parts[i]) != 0)
			return 1;
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		files += parts[i].files;
		bytes += parts[i].bytes;
	}
	printf("%lu files, %lu bytes\n", files, bytes);
	return 0;
}
