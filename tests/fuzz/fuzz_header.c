/* SPDX-License-Identifier: MIT */
/* A header through cutter and filter. In whatever pieces it comes, the same bytes go; only bytes of
 * the header go; and two other readers, one that is lax and one that ends lines at a CR or the like,
 * find no field of ours in what is left. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/line_break.h"
#include "mxguard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 65536
#define ID "id.example"

static const char conf[] = "authserv_id = \"" ID "\"; gateways = ( { name = \"a\"; allow = \"ip4:192.0.2.1\";"
			   " header = { name = \"X-Token\"; value = \"s\"; }; } );";

static void require(bool truth)
{
	if (!truth)
		abort();
}

static struct mxguard_filter *make_filter(void)
{
	struct mxguard_policy *policy;
	struct mxguard_filter *filter;
	char message[500];
	require(mxguard_policy_parse(&policy, conf, sizeof(conf) - 1, "x", 0, message, sizeof(message)) == 0);
	require(mxguard_filter_new(&filter, policy, 0) == 0);
	mxguard_policy_unref(policy);
	return filter;
}

static void cut(const struct mxguard_filter *filter, uint64_t fed, char *gone)
{
	uint64_t from, to;
	mxguard_filter_cut(filter, &from, &to);
	require(from < to && to <= fed);
	memset(gone + from, 1, (size_t)(to - from));
}

/* Marks what goes; returns where our own field goes in. */
static uint64_t run(struct mxguard_filter *filter, const char *s, size_t len, const uint8_t sizes[4], char *gone)
{
	uint64_t top;
	memset(gone, 0, len);
	mxguard_filter_reset(filter);
	for (size_t at = 0, i = 0; at < len; i++) {
		size_t n = sizes == NULL ? len : 1 + (size_t)sizes[i % 4] * (i % 3 + 1), done = 0, used;
		n = n < len - at ? n : len - at;
		char *piece = malloc(n);
		require(piece != NULL);
		memcpy(piece, s + at, n);
		while (mxguard_filter_feed(filter, piece + done, n - done, &used) == MXGUARD_FILTER_RESULT_CUT) {
			done += used;
			cut(filter, at + n, gone);
		}
		free(piece);
		at += n;
	}
	while (mxguard_filter_end(filter) == MXGUARD_FILTER_RESULT_CUT)
		cut(filter, len, gone);
	require(mxguard_filter_top(filter, &top) == 1 && top <= len);
	return top;
}

/* Drops all controls, reads the name up to the colon, and takes the first word behind blanks. */
static void look_at_field(const char *field, size_t len)
{
	static char plain[MOST + 1];
	size_t n = 0;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)field[i] >= ' ' && field[i] != 0x7f)
			plain[n++] = field[i];
	plain[n] = '\0';
	char *colon = strchr(plain, ':');
	if (colon == NULL)
		return;
	*colon = '\0';
	char *name = plain + strspn(plain, " "), *value = colon + 1 + strspn(colon + 1, " \"");
	name[strcspn(name, " (")] = '\0';
	require(strcasecmp(name, "X-Token") != 0);
	if (strcasecmp(name, "Authentication-Results") != 0)
		return;
	value[strcspn(value, " ;(\"")] = '\0';
	require(strcasecmp(value, ID) != 0 && strcasecmp(value, ID ".") != 0);
}

static bool is_break(char c)
{
	return c == '\r' || c == '\v' || c == '\f' || (c >= '\x1c' && c <= '\x1e');
}

static bool is_control(char c)
{
	return (c >= 0 && c < ' ' && c != '\t' && c != '\n') || c == 0x7f;
}

/* What stands behind a break: a name up to a colon, with controls in it that may be dropped. */
static void look_behind_break(const char *s, size_t len)
{
	static char name[MOST + 1];
	size_t n = 0, i = 0;
	while (i < len && is_control(s[i]))
		i++;
	if (i == len || s[i] == ' ' || s[i] == '\t')
		return;
	for (; i < len && s[i] != ':' && s[i] != '\n' && !is_break(s[i]); i++)
		if (!is_control(s[i]) && s[i] != '\t')
			name[n++] = s[i];
	name[n] = '\0';
	name[strcspn(name, " (")] = '\0';
	if (i < len && s[i] == ':')
		require(strcasecmp(name, "X-Token") != 0 && strcasecmp(name, "Authentication-Results") != 0);
}

static void look_inside(const char *field, size_t len)
{
	size_t i = 0, n;
	for (; i < len; i += n) {
		n = mxg_line_break(field + i, len - i);
		if (n == 0 && (is_control(field[i]) || field[i] == ' ' || field[i] == '\t'))
			n = 1;
		if (n == 0 || n > len - i)
			break;
	}
	for (; i < len; i++)
		if (is_break(field[i]))
			look_behind_break(field + i + 1, len - i - 1);
}

/* Its header ends at the first empty line, or never. */
static void look(const char *s, size_t len)
{
	size_t begin = 0;
	for (size_t i = 0; i < len; i++) {
		bool line = s[i] == '\n';
		if (line && (i == begin || (i == begin + 1 && s[begin] == '\r')))
			return;
		if (line && i + 1 < len && (s[i + 1] == ' ' || s[i + 1] == '\t'))
			continue;
		if (line || i + 1 == len) {
			look_at_field(s + begin, i + 1 - begin);
			look_inside(s + begin, i + 1 - begin);
			begin = i + 1;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mxguard_filter *filter;
	static char once[MOST], pieces[MOST], left[MOST];
	if (size < 4 || size - 4 > MOST)
		return 0;
	if (filter == NULL)
		filter = make_filter();
	const char *s = (const char *)data + 4;
	size_t len = size - 4, n = 0;
	uint64_t top = run(filter, s, len, NULL, once);
	require(run(filter, s, len, data, pieces) == top);
	require(memcmp(once, pieces, len) == 0);
	for (size_t i = 0; i < len; i++)
		if (!once[i])
			left[n++] = s[i];
	if (memmem(left, n, "\nFrom ", 6) == NULL && strncmp(s, "From ", len < 5 ? len : 5) != 0 &&
	    memmem(left, n, ">From ", 6) == NULL)
		look(left, n);
	return 0;
}
