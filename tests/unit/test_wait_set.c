/* SPDX-License-Identifier: MIT */
/* The wait set, wakes and signals, as every system has them: -Dportable=true builds them without epoll(7),
 * eventfd(2) and signalfd(2), and this test is the same. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/signals.h"
#include "service/wait_set.h"
#include "service/wake.h"

#define PAIRS 300

struct pair {
	int ours, theirs;
};

static struct pair make_pair(void)
{
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	return (struct pair){ ends[0], ends[1] };
}

static void end_pair(struct mxg_wait_set *s, struct pair *p)
{
	mxg_wait_set_forget(s, p->ours);
	close(p->ours);
	if (p->theirs >= 0)
		close(p->theirs);
}

static size_t ready(struct mxg_wait_set *s, struct mxg_wait_event *events, size_t room)
{
	struct pollfd polled[1];
	int found = mxg_wait_set_poll(s, polled, 1, 0);
	assert_true(found >= 0 && (found > 0) == (polled[0].revents != 0));
	return polled[0].revents == 0 ? 0 : mxg_wait_set_take(s, events, room);
}

static void test_what_is_asked_for_is_told(void **state)
{
	struct mxg_wait_set s;
	struct mxg_wait_event e[4];
	struct pair p = make_pair();
	assert_true(mxg_wait_set_open(&s));
	assert_true(mxg_wait_set_add(&s, p.ours, POLLIN, &p));
	assert_false(mxg_wait_set_add(&s, p.ours, POLLIN, &p)); /* it stands there already */
	assert_int_equal(ready(&s, e, 4), 0);
	assert_int_equal(write(p.theirs, "x", 1), 1);
	assert_int_equal(ready(&s, e, 4), 1);
	assert_ptr_equal(e[0].data, &p);
	assert_int_equal(e[0].what, POLLIN);
	assert_int_equal(ready(&s, e, 4), 1); /* as long as it is so */
	assert_true(mxg_wait_set_change(&s, p.ours, POLLOUT, e));
	assert_int_equal(ready(&s, e, 4), 1);
	assert_ptr_equal(e[0].data, e);
	assert_int_equal(e[0].what, POLLOUT);
	assert_true(mxg_wait_set_change(&s, p.ours, 0, &p));
	assert_int_equal(ready(&s, e, 4), 0);
	close(p.theirs);
	p.theirs = -1;
	assert_int_equal(ready(&s, e, 4), 1); /* nobody asked, and yet */
	assert_int_equal(e[0].what & (POLLIN | POLLHUP), POLLHUP);
	mxg_wait_set_remove(&s, p.ours);
	assert_int_equal(ready(&s, e, 4), 0);
	assert_false(mxg_wait_set_change(&s, p.ours, POLLIN, &p));
	end_pair(&s, &p);
	mxg_wait_set_close(&s);
}

/* Batches smaller than what is ready: everybody gets a turn. */
static void test_many(void **state)
{
	static struct pair pairs[PAIRS];
	struct mxg_wait_event e[16];
	struct mxg_wait_set s;
	assert_true(mxg_wait_set_open(&s));
	for (size_t i = 0; i < PAIRS; i++) {
		pairs[i] = make_pair();
		assert_true(mxg_wait_set_add(&s, pairs[i].ours, POLLIN, &pairs[i]));
	}
	for (size_t i = 0; i < PAIRS; i += 2)
		end_pair(&s, &pairs[i]);
	for (size_t i = 1; i < PAIRS; i += 2)
		assert_int_equal(write(pairs[i].theirs, "x", 1), 1);
	size_t seen[PAIRS] = { 0 }, distinct = 0;
	for (int turn = 0; turn < PAIRS && distinct < PAIRS / 2; turn++) {
		size_t count = ready(&s, e, 16);
		assert_true(count > 0 && count <= 16);
		for (size_t i = 0; i < count; i++)
			distinct += seen[(struct pair *)e[i].data - pairs]++ == 0;
	}
	assert_int_equal(distinct, PAIRS / 2);
	for (size_t i = 0; i < PAIRS; i += 2)
		assert_int_equal(seen[i], 0);
	for (size_t i = 1; i < PAIRS; i += 2)
		end_pair(&s, &pairs[i]);
	assert_int_equal(ready(&s, e, 16), 0);
	mxg_wait_set_close(&s);
}

/* What is polled beside the set keeps its own word. */
static void test_beside_the_set(void **state)
{
	struct mxg_wait_set s;
	struct mxg_wake w;
	struct pair p = make_pair();
	assert_true(mxg_wait_set_open(&s) && mxg_wake_open(&w));
	assert_true(mxg_wait_set_add(&s, p.ours, POLLIN, &p));
	struct pollfd polled[3] = { [1] = { .fd = w.fd, .events = POLLIN }, [2] = { .fd = -1 } };
	assert_int_equal(mxg_wait_set_poll(&s, polled, 3, 0), 0);
	mxg_wake_ring(&w);
	mxg_wake_ring(&w);
	assert_int_equal(mxg_wait_set_poll(&s, polled, 3, 1000), 1);
	assert_true(polled[0].revents == 0 && polled[1].revents == POLLIN && polled[2].revents == 0);
	mxg_wake_hush(&w);
	assert_int_equal(write(p.theirs, "x", 1), 1);
	assert_int_equal(mxg_wait_set_poll(&s, polled, 3, 1000), 1);
	assert_true(polled[0].revents != 0 && polled[1].revents == 0);
	end_pair(&s, &p);
	mxg_wake_close(&w);
	assert_int_equal(w.fd, -1);
	mxg_wait_set_close(&s);
}

static void test_signals(void **state)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	int fd = mxg_signals_open(&set);
	assert_true(fd >= 0);
	assert_int_equal(mxg_signals_next(fd), 0);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	while (poll(&p, 1, 1000) < 0)
		;
	assert_int_equal(p.revents, POLLIN);
	assert_int_equal(mxg_signals_next(fd), SIGHUP);
	assert_int_equal(mxg_signals_next(fd), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(mxg_signals_next(fd), SIGUSR1);
	mxg_signals_close(fd);
	fd = mxg_signals_open(&set);
	assert_true(fd >= 0); /* again, after its end */
	mxg_signals_close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_asked_for_is_told),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_beside_the_set),
		cmocka_unit_test(test_signals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
