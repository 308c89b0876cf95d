/* SPDX-License-Identifier: MIT */
/*
 * The main thread: signals, DNS, the listening socket. libmilter has threads of its own, which block signals.
 */
#include "milter.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "../service/desk.h"
#include "../service/log.h"
#include "../service/moment.h"
#include "../service/notify.h"
#include "base/clock.h"

#define BACKLOG 1024
#define PACKET_MAX (1024 * 1024)
#define MTA_TIMEOUT_S 7210 /* libmilter's own: a client may take its time between two commands */
#define TICK_MS 1000
#define SPARE 8 /* descriptors that are free again before libmilter accepts */
#define WARY_TICK_MS 100
#define WARY_MS 10000 /* after there was none left */
#define STOP_TICK_MS 20
#define STOP_SLACK_MS 4000 /* beyond dns.timeout, for those who are at a message */

static volatile sig_atomic_t reload_wanted, stop_wanted;
static atomic_bool libmilter_ended;
static struct mxg_shared_desk *to_wake;

/* ---- signals ----------------------------------------------------------------------------------- */

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

bool mxg_milter_block_signals(void)
{
	sigset_t set;
	signal_set(&set);
	return signal(SIGPIPE, SIG_IGN) != SIG_ERR && pthread_sigmask(SIG_BLOCK, &set, NULL) == 0;
}

static void on_signal(int number)
{
	if (number == SIGHUP)
		reload_wanted = 1;
	else
		stop_wanted = 1;
	mxg_shared_desk_wake(to_wake);
}

static bool take_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t set;
	signal_set(&set);
	sigfillset(&action.sa_mask);
	return sigaction(SIGHUP, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0 &&
	       sigaction(SIGINT, &action, NULL) == 0 && pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0;
}

/* libmilter has a thread that calls this. It would take a signal that comes while it begins from the main thread,
 * and end everything, for a SIGHUP, too. So no signal ever comes there. It is seen with -fvisibility=hidden, too. */
__attribute__((visibility("default"))) int sigwait(const sigset_t *set, int *number)
{
	(void)set;
	(void)number;
	for (;;)
		pause();
}

static void reload(struct mxg_milter *m)
{
	reload_wanted = 0;
	mxg_notify("RELOADING=1");
	pthread_mutex_lock(&m->shared.lock);
	mxg_desk_reload(m->shared.desk);
	pthread_mutex_unlock(&m->shared.lock);
	mxg_notify("READY=1");
}

/* ---- the listening socket ------------------------------------------------------------------------ */

/* The kernel gives it a name that nobody knows. */
static int open_idle(void)
{
	struct sockaddr_un nobody = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&nobody, sizeof(sa_family_t)) == 0 && listen(fd, 1) == 0)
		return fd;
	close(fd);
	return -1;
}

/* libmilter accepts whatever comes, and spins where there is no descriptor left. So its number stands
 * for another socket meanwhile; who connects waits in the queue of ours. */
static void pause_listening(struct mxg_milter *m)
{
	if (!m->paused)
		m->paused = dup2(m->idle, m->listener->fd) >= 0;
}

/* Its poll(2) stays for five seconds with the socket that had the number when it began: that one says that
 * something has come, and another one waits for the next time. */
static void resume_listening(struct mxg_milter *m)
{
	int next = m->paused ? open_idle() : -1;
	if (next < 0)
		return;
	if (dup2(m->real, m->listener->fd) < 0) {
		close(next);
		return;
	}
	m->paused = false;
	shutdown(m->idle, SHUT_RDWR);
	close(m->idle);
	m->idle = next;
}

/* Up to SPARE of them. */
static int spare_descriptors(const struct mxg_milter *m)
{
	int spare[SPARE], count = 0;
	while (count < SPARE && (spare[count] = dup(m->shared.wake.fd)) >= 0)
		count++;
	for (int i = 0; i < count; i++)
		close(spare[i]);
	return count;
}

static void look_for_descriptors(struct mxg_milter *m)
{
	int spare = spare_descriptors(m);
	if (spare == 0) {
		m->exhausted = mxg_monotonic_ms();
		if (mxg_moment_may_tell(&m->exhausted_told))
			mxg_log_error("mxguard: milter: no descriptor is left: who connects has to wait");
	}
	if (spare == 0)
		pause_listening(m);
	else if (spare == SPARE)
		resume_listening(m);
}

static bool hand_over_listener(struct mxg_milter *m)
{
	char name[32];
	m->real = dup(m->listener->fd);
	m->idle = open_idle();
	if (m->real < 0 || m->idle < 0) {
		mxg_log_error("mxguard: milter: cannot begin: %s", strerror(errno));
		return false;
	}
	m->shared.own_len = sizeof(m->shared.own);
	if (getsockname(m->real, (struct sockaddr *)&m->shared.own, &m->shared.own_len) != 0)
		m->shared.own_len = 0;
	snprintf(name, sizeof(name), "fd:%d", m->listener->fd);
	smfi_settimeout(MTA_TIMEOUT_S);
	smfi_setbacklog(BACKLOG);
	(void)smfi_setmaxdatasize(PACKET_MAX); /* a field may be longer than its 64 KiB */
	if (smfi_setconn(name) == MI_SUCCESS && smfi_opensocket(false) == MI_SUCCESS)
		return true;
	mxg_log_error("mxguard: milter: this libmilter takes no socket that is open already (fd:), as Debian's does");
	return false;
}

/* Ours goes, but libmilter shall not notice; a socket of systemd's stays with systemd. */
static void stop_listening(struct mxg_milter *m)
{
	pause_listening(m);
	m->listener->fd = m->real;
	mxg_listener_close(m->listener);
}

/* ---- its life --------------------------------------------------------------------------------------- */

static void *run_libmilter(void *milter)
{
	struct mxg_milter *m = milter;
	if (smfi_main() != MI_SUCCESS)
		mxg_log_error("mxguard: milter: libmilter gives up");
	atomic_store(&libmilter_ended, true);
	mxg_shared_desk_wake(&m->shared);
	return NULL;
}

static bool begin(struct mxg_milter *m)
{
	pthread_t thread;
	to_wake = &m->shared;
	if (!mxg_milter_register(m) || !hand_over_listener(m))
		return false;
	if (pthread_create(&thread, NULL, run_libmilter, m) != 0 || !take_signals()) {
		mxg_log_error("mxguard: milter: cannot begin: %s", strerror(errno));
		return false;
	}
	pthread_detach(thread);
	return true;
}

/* Who is at a message gets his answer; others' MTAs notice that nobody is there, and defer. */
static int64_t stop(struct mxg_milter *m)
{
	mxg_notify("STOPPING=1");
	stop_listening(m);
	return mxg_monotonic_ms() + mxguard_session_limit(mxg_desk_session(m->shared.desk)) + STOP_SLACK_MS;
}

static int limit_ms(const struct mxg_milter *m, int64_t stop_by)
{
	bool wary = m->paused || (m->exhausted != 0 && mxg_monotonic_ms() - m->exhausted < WARY_MS);
	return stop_by != 0 ? STOP_TICK_MS : wary ? WARY_TICK_MS : TICK_MS;
}

static int loop(struct mxg_milter *m)
{
	int64_t stop_by = 0;
	while (!atomic_load(&libmilter_ended)) {
		if (!mxg_shared_desk_turn(&m->shared, limit_ms(m, stop_by))) {
			mxg_log_error("mxguard: milter: poll: %s", strerror(errno));
			return EX_OSERR;
		}
		if (reload_wanted)
			reload(m);
		if (stop_wanted && stop_by == 0)
			stop_by = stop(m);
		if (stop_by != 0 && (atomic_load(&m->transactions) == 0 || mxg_monotonic_ms() >= stop_by))
			return 0;
		if (stop_by == 0)
			look_for_descriptors(m);
	}
	return stop_wanted ? 0 : EX_OSERR;
}

/* libmilter's threads are never joined: what they use stays until the process ends. */
int mxg_milter_run(struct mxg_milter *m, struct mxg_desk *desk)
{
	int status = EX_OSERR;
	if (!mxg_shared_desk_init(&m->shared, desk))
		mxg_log_error("mxguard: milter: cannot begin: %s", strerror(errno));
	else if (begin(m)) {
		mxg_notify("READY=1");
		status = loop(m);
	}
	return status;
}
