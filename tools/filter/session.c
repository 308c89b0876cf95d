/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

#define BUCKETS 4096u

struct mxg_filter_sessions {
	struct mxg_filter_session *buckets[BUCKETS];
};

struct mxg_filter_sessions *mxg_filter_sessions_new(void)
{
	return calloc(1, sizeof(struct mxg_filter_sessions));
}

static struct mxg_filter_session **place_of(struct mxg_filter_sessions *sessions, const char *id)
{
	uint32_t hash = 2166136261u;
	for (const char *p = id; *p != '\0'; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	struct mxg_filter_session **at = &sessions->buckets[hash % BUCKETS];
	while (*at != NULL && strcmp((*at)->id, id) != 0)
		at = &(*at)->next;
	return at;
}

struct mxg_filter_session *mxg_filter_sessions_find(struct mxg_filter_sessions *sessions, const char *id)
{
	return *place_of(sessions, id);
}

static void free_session(struct mxg_filter_session *s)
{
	mxg_filter_message_reset(s);
	mxg_door_free(s->door);
	free(s);
}

void mxg_filter_sessions_remove(struct mxg_filter_sessions *sessions, const char *id)
{
	struct mxg_filter_session **at = place_of(sessions, id), *gone = *at;
	if (gone == NULL)
		return;
	*at = gone->next;
	free_session(gone);
}

struct mxg_filter_session *mxg_filter_sessions_add(struct mxg_filter_sessions *sessions, const char *id,
						   struct mxg_desk *desk, enum mxguard_place relayed)
{
	mxg_filter_sessions_remove(sessions, id);
	struct mxg_filter_session **at = place_of(sessions, id), *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->door = mxg_door_new(desk, relayed, s);
	if (s->door == NULL) {
		free(s);
		return NULL;
	}
	mxg_door_expect_own_field(s->door);
	memcpy(s->id, id, strlen(id) + 1);
	*at = s;
	return s;
}

void mxg_filter_sessions_free(struct mxg_filter_sessions *sessions)
{
	if (sessions == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (sessions->buckets[i] != NULL) {
			struct mxg_filter_session *s = sessions->buckets[i];
			sessions->buckets[i] = s->next;
			free_session(s);
		}
	free(sessions);
}
