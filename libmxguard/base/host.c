/* SPDX-License-Identifier: MIT */
#include "base/host.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/domain_text.h"

static void add_name(struct mxg_host_names *out, const char *text)
{
	char name[256];
	if (out->count == MXG_HOST_NAMES_MOST || mxg_domain_text(name, text, strlen(text)) != NULL)
		return;
	for (unsigned i = 0; i < out->count; i++)
		if (strcmp(out->names[i], name) == 0)
			return;
	memcpy(out->names[out->count++], name, sizeof(name));
}

/* A line of hosts(5): an address, then names. */
static void read_line(struct mxg_host_names *out, char *line, const char *host)
{
	size_t len = strlen(host);
	char *save = NULL, *words[16];
	unsigned count = 0;
	bool ours = false;
	line[strcspn(line, "#\r\n")] = '\0';
	strtok_r(line, " \t", &save);
	while (count < 16 && (words[count] = strtok_r(NULL, " \t", &save)) != NULL) {
		ours = ours || strcasecmp(words[count], host) == 0;
		count++;
	}
	for (unsigned i = 0; ours && i < count; i++)
		if (strncasecmp(words[i], host, len) == 0 && words[i][len] == '.')
			add_name(out, words[i]);
}

void mxg_host_names(struct mxg_host_names *out)
{
	char host[256] = "", line[512];
	*out = (struct mxg_host_names){ .count = 0 };
	if (gethostname(host, sizeof(host)) != 0)
		host[0] = '\0';
	host[sizeof(host) - 1] = '\0';
	FILE *f = strchr(host, '.') != NULL || host[0] == '\0' ? NULL : fopen("/etc/hosts", "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		read_line(out, line, host);
	if (f != NULL)
		fclose(f);
	add_name(out, host);
	if (out->count == 0)
		add_name(out, "localhost");
}

static bool is_local_only(const struct mxg_address *a)
{
	static const struct mxg_prefix ranges[] = {
		{ { 4, { 127 } }, 8 },
		{ { 4, { 169, 254 } }, 16 },
		{ { 6, { [15] = 1 } }, 128 },
		{ { 6, { 0xfe, 0x80 } }, 10 },
	};
	return mxg_prefixes_contain(ranges, sizeof(ranges) / sizeof(ranges[0]), a);
}

bool mxg_host_addresses(struct mxg_address **out, size_t *count)
{
	struct ifaddrs *all;
	size_t room = 0;
	*out = NULL;
	*count = 0;
	if (getifaddrs(&all) != 0)
		return false;
	for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		room++;
	*out = calloc(room + 1, sizeof(**out));
	for (struct ifaddrs *i = all; *out != NULL && i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL && mxg_address_from_sockaddr(&(*out)[*count], i->ifa_addr) &&
		    !is_local_only(&(*out)[*count]))
			++*count;
	freeifaddrs(all);
	return *out != NULL;
}
