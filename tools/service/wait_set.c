/* SPDX-License-Identifier: MIT */
/* epoll(7), or poll(2). */
#include "wait_set.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__) && !defined(MXG_PORTABLE)
#include <sys/epoll.h>

#define BATCH 256

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLHUP == POLLHUP && EPOLLERR == POLLERR, "the same bits");

bool mxg_wait_set_open(struct mxg_wait_set *s)
{
	*s = (struct mxg_wait_set){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
	return s->epoll >= 0;
}

void mxg_wait_set_close(struct mxg_wait_set *s)
{
	if (s->epoll >= 0)
		close(s->epoll);
	s->epoll = -1;
}

static bool control(const struct mxg_wait_set *s, int how, int fd, short what, void *data)
{
	struct epoll_event event = { .events = (uint32_t)what, .data.ptr = data };
	return epoll_ctl(s->epoll, how, fd, &event) == 0;
}

bool mxg_wait_set_add(struct mxg_wait_set *s, int fd, short what, void *data)
{
	return control(s, EPOLL_CTL_ADD, fd, what, data);
}

bool mxg_wait_set_change(struct mxg_wait_set *s, int fd, short what, void *data)
{
	return control(s, EPOLL_CTL_MOD, fd, what, data);
}

void mxg_wait_set_remove(struct mxg_wait_set *s, int fd)
{
	control(s, EPOLL_CTL_DEL, fd, 0, NULL);
}

/* Closing takes it out. */
void mxg_wait_set_forget(struct mxg_wait_set *s, int fd)
{
	(void)s, (void)fd;
}

int mxg_wait_set_poll(struct mxg_wait_set *s, struct pollfd *polled, size_t count, int timeout)
{
	polled[0] = (struct pollfd){ .fd = s->epoll, .events = POLLIN };
	return poll(polled, (nfds_t)count, timeout);
}

size_t mxg_wait_set_take(struct mxg_wait_set *s, struct mxg_wait_event *events, size_t room)
{
	struct epoll_event found[BATCH];
	int count = epoll_wait(s->epoll, found, room < BATCH ? (int)room : BATCH, 0);
	for (int i = 0; i < count; i++)
		events[i] = (struct mxg_wait_event){ found[i].data.ptr, (short)found[i].events };
	return count < 0 ? 0 : (size_t)count;
}
#else
bool mxg_wait_set_open(struct mxg_wait_set *s)
{
	*s = (struct mxg_wait_set)MXG_WAIT_SET_NONE;
	return true;
}

void mxg_wait_set_close(struct mxg_wait_set *s)
{
	free(s->fds);
	free(s->data);
	free(s->places);
	*s = (struct mxg_wait_set)MXG_WAIT_SET_NONE;
}

/* Room for MORE beyond those that stand in the set. */
static bool make_room(struct mxg_wait_set *s, size_t more)
{
	size_t needed = s->count + more, room = s->room == 0 ? 64 : s->room;
	while (room < needed)
		room *= 2;
	if (room == s->room)
		return true;
	struct pollfd *fds = reallocarray(s->fds, room, sizeof(*fds));
	if (fds != NULL)
		s->fds = fds;
	void **data = reallocarray(s->data, room, sizeof(*data));
	if (data != NULL)
		s->data = data;
	if (fds == NULL || data == NULL)
		return false;
	s->room = room;
	return true;
}

static bool make_place(struct mxg_wait_set *s, int fd)
{
	size_t room = s->place_room == 0 ? 64 : s->place_room;
	while (room <= (size_t)fd)
		room *= 2;
	if (room == s->place_room)
		return true;
	int *places = reallocarray(s->places, room, sizeof(*places));
	if (places == NULL)
		return false;
	memset(places + s->place_room, 0, (room - s->place_room) * sizeof(*places));
	s->places = places;
	s->place_room = room;
	return true;
}

/* 1 + where it stands; 0: nowhere */
static size_t place_of(const struct mxg_wait_set *s, int fd)
{
	return fd < 0 || (size_t)fd >= s->place_room ? 0 : (size_t)s->places[fd];
}

bool mxg_wait_set_add(struct mxg_wait_set *s, int fd, short what, void *data)
{
	if (fd < 0 || place_of(s, fd) != 0 || !make_room(s, 1) || !make_place(s, fd))
		return false;
	s->fds[s->count] = (struct pollfd){ .fd = fd, .events = what };
	s->data[s->count] = data;
	s->places[fd] = (int)++s->count;
	return true;
}

bool mxg_wait_set_change(struct mxg_wait_set *s, int fd, short what, void *data)
{
	size_t place = place_of(s, fd);
	if (place == 0)
		return false;
	s->fds[place - 1].events = what;
	s->data[place - 1] = data;
	return true;
}

/* The last one takes its place. */
void mxg_wait_set_remove(struct mxg_wait_set *s, int fd)
{
	size_t place = place_of(s, fd);
	if (place == 0)
		return;
	s->count--;
	s->fds[place - 1] = s->fds[s->count];
	s->data[place - 1] = s->data[s->count];
	s->places[s->fds[place - 1].fd] = (int)place;
	s->places[fd] = 0;
}

void mxg_wait_set_forget(struct mxg_wait_set *s, int fd)
{
	mxg_wait_set_remove(s, fd);
}

/* All of them in one poll(2): the others stand behind the set meanwhile. */
int mxg_wait_set_poll(struct mxg_wait_set *s, struct pollfd *polled, size_t count, int timeout)
{
	size_t others = count - 1;
	bool any = false;
	polled[0] = (struct pollfd){ .fd = -1 };
	if (!make_room(s, others)) {
		errno = ENOMEM;
		return -1;
	}
	memcpy(s->fds + s->count, polled + 1, others * sizeof(*polled));
	int ready = poll(s->fds, (nfds_t)(s->count + others), timeout);
	for (size_t i = 0; i < s->count; i++) {
		if (ready <= 0)
			s->fds[i].revents = 0;
		any |= s->fds[i].revents != 0;
	}
	memcpy(polled + 1, s->fds + s->count, others * sizeof(*polled));
	polled[0].revents = any ? POLLIN : 0;
	return ready;
}

/* From where the last batch ended, so that no descriptor's number is an advantage. */
size_t mxg_wait_set_take(struct mxg_wait_set *s, struct mxg_wait_event *events, size_t room)
{
	size_t found = 0;
	for (size_t seen = 0; seen < s->count && found < room; seen++) {
		size_t i = s->next = s->next + 1 < s->count ? s->next + 1 : 0;
		if (s->fds[i].revents == 0)
			continue;
		events[found++] = (struct mxg_wait_event){ s->data[i], s->fds[i].revents };
		s->fds[i].revents = 0;
	}
	return found;
}
#endif
