/* SPDX-License-Identifier: MIT */
#include "trapped.h"

#include <stdlib.h>
#include <string.h>

#include "../service/log.h"

#define HEAD_MOST (1u << 20)

static void tell(const struct mxg_trap_result *result, const char *who)
{
	if (result->trouble == MXG_TRAP_NO_TROUBLE)
		mxg_log_info("mxguard: %s: trap: kept %s", who, result->why);
	else if (result->trouble == MXG_TRAP_FULL)
		mxg_log_info("mxguard: %s: trap: no copy is kept: %s", who, result->why);
	else
		mxg_log_warning("mxguard: %s: trap: no copy is kept: %s", who, result->why);
}

/* ---- the header ------------------------------------------------------------------------------- */

static bool make_room(struct mxg_trapped *t, size_t length)
{
	size_t room = t->head_room == 0 ? 4096 : t->head_room;
	while (room - t->head_length < length)
		room *= 2;
	if (room == t->head_room)
		return true;
	char *head = room > HEAD_MOST ? NULL : realloc(t->head, room);
	if (head == NULL)
		return false;
	t->head = head;
	t->head_room = room;
	return true;
}

static void add(struct mxg_trapped *t, const char *bytes, size_t length)
{
	memcpy(t->head + t->head_length, bytes, length);
	t->head_length += length;
}

void mxg_trapped_field(struct mxg_trapped *t, const char *name, const char *blank, const char *value)
{
	size_t folds = 0;
	for (const char *p = value; *p != '\0'; p++)
		folds += *p == '\n';
	if (t->head_lost || !make_room(t, strlen(name) + strlen(blank) + strlen(value) + folds + 3)) {
		t->head_lost = true;
		return;
	}
	add(t, name, strlen(name));
	add(t, ":", 1);
	add(t, blank, strlen(blank));
	for (const char *p = value; *p != '\0'; p++)
		if (*p == '\n' && (p == value || p[-1] != '\r'))
			add(t, "\r\n", 2);
		else
			add(t, p, 1);
	add(t, "\r\n", 2);
}

/* A copy without its header is none. */
static void take_head(struct mxg_trapped *t)
{
	if (t->head != NULL && !t->head_lost) {
		mxg_trapped_bytes(t, t->head, t->head_length);
		mxg_trapped_bytes(t, "\r\n", 2);
	} else if (t->head_lost) {
		mxg_trap_discard(t->copy);
		t->copy = NULL;
	}
	free(t->head);
	t->head = NULL;
	t->head_length = t->head_room = 0;
	t->head_lost = false;
}

/* ---- the copy --------------------------------------------------------------------------------- */

void mxg_trapped_begin(struct mxg_trapped *t, const struct mxguard_policy *policy, const char *field, const char *who)
{
	struct mxg_trap_result result;
	t->copy = mxg_trap_begin(policy, field, &result);
	if (t->copy == NULL)
		tell(&result, who);
	take_head(t);
}

/* What fails is told at the end. */
void mxg_trapped_bytes(struct mxg_trapped *t, const char *bytes, size_t length)
{
	if (t->copy != NULL)
		(void)mxg_trap_write(t->copy, bytes, length);
}

void mxg_trapped_line(struct mxg_trapped *t, const char *line, size_t length)
{
	mxg_trapped_bytes(t, line, length);
	mxg_trapped_bytes(t, "\r\n", 2);
}

void mxg_trapped_finish(struct mxg_trapped *t, const char *who)
{
	struct mxg_trap_result result;
	if (t->copy == NULL)
		return;
	mxg_trap_finish(t->copy, &result);
	t->copy = NULL;
	tell(&result, who);
}

void mxg_trapped_discard(struct mxg_trapped *t)
{
	mxg_trap_discard(t->copy);
	free(t->head);
	*t = (struct mxg_trapped){ 0 };
}
