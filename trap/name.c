/* SPDX-License-Identifier: MIT */
#include "trap/name.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOST_MOST 64

/* What no part of a name may hold: a Maildir's own marks, and paths. */
static void host_name(char host[HOST_MOST + 1])
{
	memset(host, 0, HOST_MOST + 1);
	if (gethostname(host, HOST_MOST) != 0 || host[0] == '\0')
		memcpy(host, "localhost", sizeof("localhost"));
	for (char *p = host; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '.' ||
		      *p == '-'))
			*p = '_';
}

void mxg_trap_name_make(char name[MXG_TRAP_NAME_MAX], uint64_t size)
{
	static atomic_uint count;
	char host[HOST_MOST + 1];
	struct timespec now = { 0 };
	clock_gettime(CLOCK_REALTIME, &now);
	host_name(host);
	snprintf(name, MXG_TRAP_NAME_MAX, "%lld.M%06ldP%ldQ%u.%s,S=%llu", (long long)now.tv_sec, now.tv_nsec / 1000,
		 (long)getpid(), atomic_fetch_add(&count, 1), host, (unsigned long long)size);
}

/* At most 15 digits. */
static bool read_number(const char **at, uint64_t *number)
{
	size_t digits = strspn(*at, "0123456789");
	if (digits == 0 || digits > 15)
		return false;
	*number = 0;
	for (size_t i = 0; i < digits; i++)
		*number = *number * 10 + (uint64_t)((*at)[i] - '0');
	*at += digits;
	return true;
}

bool mxg_trap_name_read(const char *name, struct mxg_trap_name *out)
{
	uint64_t time;
	const char *at = name, *mark = strstr(name, ",S=");
	if (mark == NULL || strlen(name) >= MXG_TRAP_NAME_MAX || !read_number(&at, &time) || *at != '.')
		return false;
	mark += strlen(",S=");
	out->time = (int64_t)time;
	return read_number(&mark, &out->size) && *mark == '\0';
}
