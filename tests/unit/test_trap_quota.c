/* SPDX-License-Identifier: MIT */
/* What is reserved for copies in the making, whoever counts meanwhile, and whoever dies. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "system/range_lock.h"
#include "trap/quota.h"
#include "trap/store.h"

#define MIB (1024u * 1024)

static char parent[] = "/tmp/mxg-quota-XXXXXX";
static char path[64];

static struct mxguard_policy *policy(void)
{
	char text[512], message[500];
	struct mxguard_policy *made;
	snprintf(text, sizeof(text),
		 "gateways = ( { name = \"f\"; allow = \"ip4:192.0.2.10\"; } ); trap = { directory = \"%s\"; "
		 "share = \"100%%\"; max_total = \"4M\"; };",
		 path);
	assert_int_equal(0, mxguard_policy_parse(&made, text, strlen(text), "test.conf", 0, message, sizeof(message)));
	return made;
}

static int begin_folder(void **state)
{
	*state = NULL;
	strcpy(parent + sizeof(parent) - 7, "XXXXXX");
	assert_non_null(mkdtemp(parent));
	snprintf(path, sizeof(path), "%s/trap", parent);
	return 0;
}

static int end_folder(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", parent);
	return system(command);
}

static struct mxg_trap_copy *begin(void)
{
	struct mxg_trap_result result;
	struct mxguard_policy *p = policy();
	struct mxg_trap_copy *copy = mxg_trap_begin(p, "X-Mxguard-Trap: x\r\n", &result);
	mxguard_policy_unref(p);
	return copy;
}

/* True if so much more fits; it is given back. */
static bool fits(size_t length)
{
	char *bytes = calloc(1, length);
	struct mxg_trap_copy *copy = begin();
	assert_non_null(bytes);
	bool good = copy != NULL && mxg_trap_write(copy, bytes, length);
	mxg_trap_discard(copy);
	free(bytes);
	return good;
}

static struct mxg_trap_copy *in_the_making(size_t length)
{
	char *bytes = calloc(1, length);
	struct mxg_trap_copy *copy = begin();
	assert_non_null(bytes);
	assert_non_null(copy);
	assert_true(mxg_trap_write(copy, bytes, length));
	free(bytes);
	return copy;
}

static void count_anew(void)
{
	struct mxg_trap_folder folder;
	struct mxg_trap_result result;
	assert_true(mxg_trap_folder_open(&folder, path, false, &result));
	mxg_trap_recount(&folder);
	mxg_trap_folder_close(&folder);
}

/* Without them a count cannot tell a copy in the making from one that a dead process has left. */
static void needs_range_locks(void)
{
	if (!MXG_RANGE_LOCKS)
		skip();
}

static void test_a_count_sees_copies_in_the_making(void **state)
{
	(void)state;
	needs_range_locks();
	struct mxg_trap_copy *copy = in_the_making(3 * MIB);
	assert_true(fits(MIB / 2));
	assert_false(fits(3 * MIB / 2));
	count_anew();
	assert_true(fits(MIB / 2));
	assert_false(fits(3 * MIB / 2));
	mxg_trap_discard(copy);
	assert_true(fits(7 * MIB / 2));
}

static void test_what_is_kept_is_counted_once(void **state)
{
	struct mxg_trap_result result;
	(void)state;
	mxg_trap_finish(in_the_making(2 * MIB), &result);
	assert_int_equal(MXG_TRAP_NO_TROUBLE, result.trouble);
	for (int turn = 0; turn < 2; turn++) {
		assert_true(fits(3 * MIB / 2));
		assert_false(fits(5 * MIB / 2));
		count_anew();
	}
}

static void test_the_dead_take_nothing(void **state)
{
	int status, ready[2];
	char byte;
	(void)state;
	needs_range_locks();
	assert_int_equal(0, pipe(ready));
	pid_t pid = fork();
	if (pid == 0) {
		in_the_making(3 * MIB);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(1, read(ready[0], &byte, 1));
	count_anew();
	assert_false(fits(2 * MIB));
	assert_int_equal(0, kill(pid, SIGKILL));
	assert_int_equal(pid, waitpid(pid, &status, 0));
	count_anew();
	assert_true(fits(7 * MIB / 2));
	close(ready[0]);
	close(ready[1]);
}

static void test_several_copies_at_once(void **state)
{
	struct mxg_trap_copy *copies[8];
	(void)state;
	needs_range_locks();
	for (size_t i = 0; i < 8; i++) { /* each reserves 256 KiB at least */
		copies[i] = begin();
		assert_non_null(copies[i]);
	}
	count_anew();
	assert_false(fits(5 * MIB / 2));
	for (size_t i = 0; i < 8; i++)
		mxg_trap_discard(copies[i]);
	assert_true(fits(7 * MIB / 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_count_sees_copies_in_the_making, begin_folder, end_folder),
		cmocka_unit_test_setup_teardown(test_what_is_kept_is_counted_once, begin_folder, end_folder),
		cmocka_unit_test_setup_teardown(test_the_dead_take_nothing, begin_folder, end_folder),
		cmocka_unit_test_setup_teardown(test_several_copies_at_once, begin_folder, end_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
