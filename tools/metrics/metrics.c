/* SPDX-License-Identifier: MIT */
/* What is counted. Counters are atomic: whoever decides never waits for whoever asks. */
#include "metrics/metrics.h"

#include <stdlib.h>
#include <time.h>

#include "check/reasons.h"
#include "metrics/counters.h"
#include "resolver/driver.h"

/* Upper limits; the last bucket has none. */
static const int64_t limits[MXG_BUCKETS - 1] = { 10,     100,    1000,    5000,    10000,   50000,
						 100000, 500000, 1000000, 5000000, 10000000 };

static double wall_clock(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add(atomic_ullong *counter, uint64_t more)
{
	atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static double get(const atomic_ullong *counter)
{
	return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

struct mxg_metrics *mxg_metrics_open(const char *service, const char *spec, char *message, size_t size)
{
	struct mxg_metrics *m = calloc(1, sizeof(*m));
	if (m == NULL || pthread_mutex_init(&m->lock, NULL) != 0) {
		snprintf(message, size, "out of memory");
		free(m);
		return NULL;
	}
	m->service = service;
	m->started = wall_clock();
	if (mxg_metrics_serve(m, spec, message, size) == 0)
		return m;
	mxg_metrics_close(m);
	return NULL;
}

void mxg_metrics_close(struct mxg_metrics *m)
{
	if (m == NULL)
		return;
	mxg_metrics_stop(m->server);
	mxguard_snapshot_unref(m->snapshot);
	mxguard_snapshot_unref(m->counted);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* ---- counting ---------------------------------------------------------------------------- */

static void add_duration(struct mxg_metrics *m, int64_t microseconds)
{
	size_t bucket = 0;
	if (microseconds < 0)
		microseconds = 0;
	while (bucket < MXG_BUCKETS - 1 && microseconds > limits[bucket])
		bucket++;
	add(&m->buckets[bucket], 1);
	add(&m->microseconds, (uint64_t)microseconds);
}

void mxg_metrics_decided(struct mxg_metrics *m, const struct mxguard_check *check, size_t index, int64_t microseconds)
{
	if (m == NULL)
		return;
	size_t verdict = mxguard_check_verdict(check, index), action = mxguard_check_action(check, index);
	size_t would = mxguard_check_would(check, index), mode = mxguard_check_mode(check, index);
	size_t class = mxg_check_reason_kind(check, index);
	if (verdict < MXG_VERDICTS && action < MXG_ACTIONS && would < MXG_ACTIONS && mode < MXG_MODES &&
	    class < MXG_REASON_CLASSES)
		add(&m->decided[verdict][action][would][mode][class], 1);
	add_duration(m, microseconds);
}

void mxg_metrics_left(struct mxg_metrics *m)
{
	if (m != NULL)
		add(&m->left, 1);
}

void mxg_metrics_trouble(struct mxg_metrics *m)
{
	if (m != NULL)
		add(&m->trouble, 1);
}

static void take_snapshot(struct mxg_metrics *m, struct mxguard_snapshot *snapshot)
{
	m->seen = snapshot;
	pthread_mutex_lock(&m->lock);
	struct mxguard_snapshot *old = m->snapshot;
	m->snapshot = snapshot == NULL ? NULL : mxguard_snapshot_ref(snapshot);
	pthread_mutex_unlock(&m->lock);
	mxguard_snapshot_unref(old);
}

/* The reference keeps the address from being another snapshot's. */
void mxg_metrics_observe(struct mxg_metrics *m, const struct mxguard_session *session)
{
	if (m == NULL)
		return;
	struct mxguard_snapshot *snapshot = mxguard_session_snapshot(session);
	if (snapshot != m->seen)
		take_snapshot(m, snapshot);
	const struct mxg_dns_counts *counts = mxg_session_dns_counts(session);
	if (counts->sent == atomic_load_explicit(&m->dns_sent, memory_order_relaxed) && counts->sent == 0)
		return;
	atomic_store_explicit(&m->dns_sent, counts->sent, memory_order_relaxed);
	for (size_t i = 0; i < MXG_DNS_FAILURES; i++)
		atomic_store_explicit(&m->dns_failed[i], counts->failed[i], memory_order_relaxed);
}

/* ---- telling ----------------------------------------------------------------------------- */

static void tell_one(struct mxg_metrics *m, struct mxg_exposition *out, size_t verdict, size_t action, size_t would,
		     size_t mode)
{
	static const char *const classes[MXG_REASON_CLASSES] = { "none", "temporary", "lasting" };
	char labels[300];
	for (size_t class = 0; class < MXG_REASON_CLASSES; class ++) {
		double count = get(&m->decided[verdict][action][would][mode][class]);
		if (count == 0)
			continue;
		snprintf(labels, sizeof(labels),
			 "service=\"%s\",verdict=\"%s\",action=\"%s\",would=\"%s\",mode=\"%s\",reason_class=\"%s\"",
			 m->service, mxguard_verdict_name((enum mxguard_verdict)verdict),
			 mxguard_action_name((enum mxguard_action)action),
			 mxguard_action_name((enum mxguard_action)would), mxguard_mode_name((enum mxguard_mode)mode),
			 classes[class]);
		mxg_exposition_value(out, "mxguard_decisions_total", labels, count);
	}
}

static void tell_decisions(struct mxg_metrics *m, struct mxg_exposition *out)
{
	mxg_exposition_family(
		out, "mxguard_decisions", MXG_METRIC_COUNTER,
		"Recipients decided, by verdict, action, what enforce mode would do, mode and class of reason.");
	for (size_t verdict = 0; verdict < MXG_VERDICTS; verdict++)
		for (size_t action = 0; action < MXG_ACTIONS; action++)
			for (size_t would = 0; would < MXG_ACTIONS; would++)
				for (size_t mode = 0; mode < MXG_MODES; mode++)
					tell_one(m, out, verdict, action, would, mode);
}

static void tell_durations(struct mxg_metrics *m, struct mxg_exposition *out)
{
	static const char name[] = "mxguard_decision_duration_seconds";
	char labels[120];
	double count = 0;
	mxg_exposition_family(out, name, MXG_METRIC_HISTOGRAM, "How long decisions took, DNS included.");
	for (size_t i = 0; i < MXG_BUCKETS; i++) {
		count += get(&m->buckets[i]);
		if (i < MXG_BUCKETS - 1)
			snprintf(labels, sizeof(labels), "service=\"%s\",le=\"%g\"", m->service,
				 (double)limits[i] / 1e6);
		else
			snprintf(labels, sizeof(labels), "service=\"%s\",le=\"+Inf\"", m->service);
		mxg_exposition_value(out, "mxguard_decision_duration_seconds_bucket", labels, count);
	}
	snprintf(labels, sizeof(labels), "service=\"%s\"", m->service);
	mxg_exposition_value(out, "mxguard_decision_duration_seconds_sum", labels, get(&m->microseconds) / 1e6);
	mxg_exposition_value(out, "mxguard_decision_duration_seconds_count", labels, count);
}

static void tell_counter(const struct mxg_metrics *m, struct mxg_exposition *out, const char *name, const char *help,
			 const atomic_ullong *counter)
{
	char labels[80], total[80];
	snprintf(labels, sizeof(labels), "service=\"%s\"", m->service);
	snprintf(total, sizeof(total), "%s_total", name);
	mxg_exposition_family(out, name, MXG_METRIC_COUNTER, help);
	mxg_exposition_value(out, total, labels, get(counter));
}

static void tell_dns(const struct mxg_metrics *m, struct mxg_exposition *out)
{
	static const char *const kinds[MXG_DNS_FAILURES] = {
		[MXG_DNS_TIMEOUT] = "timeout", [MXG_DNS_SERVFAIL] = "servfail", [MXG_DNS_REFUSED] = "refused",
		[MXG_DNS_BROKEN] = "broken",   [MXG_DNS_INSECURE] = "insecure", [MXG_DNS_CANCELLED] = "cancelled",
		[MXG_DNS_LOCAL] = "local",
	};
	char labels[120];
	tell_counter(m, out, "mxguard_dns_questions", "Questions sent to DNS servers, those asked again included.",
		     &m->dns_sent);
	mxg_exposition_family(out, "mxguard_dns_failures", MXG_METRIC_COUNTER,
			      "Questions that no server has answered in a way that can be used, by kind.");
	for (size_t i = 0; i < MXG_DNS_FAILURES; i++) {
		if (kinds[i] == NULL)
			continue;
		snprintf(labels, sizeof(labels), "service=\"%s\",kind=\"%s\"", m->service, kinds[i]);
		mxg_exposition_value(out, "mxguard_dns_failures_total", labels, get(&m->dns_failed[i]));
	}
}

/* Alarms are counted once a snapshot; by this thread, so that nobody waits for it. */
static void tell_snapshot(struct mxg_metrics *m, struct mxg_exposition *out)
{
	pthread_mutex_lock(&m->lock);
	struct mxguard_snapshot *snapshot = m->snapshot == NULL ? NULL : mxguard_snapshot_ref(m->snapshot);
	pthread_mutex_unlock(&m->lock);
	if (snapshot != m->counted && snapshot != NULL && !mxg_alarms_count(snapshot, &m->alarms)) {
		mxguard_snapshot_unref(snapshot);
		return;
	}
	mxguard_snapshot_unref(m->counted);
	m->counted = snapshot;
	mxg_exposition_snapshot(out, snapshot, (int64_t)time(NULL));
	if (snapshot != NULL)
		mxg_exposition_alarms(out, &m->alarms);
}

void mxg_metrics_tell(struct mxg_metrics *m, struct mxg_exposition *out)
{
	mxg_exposition_build(out);
	mxg_exposition_gauge(out, "process_start_time_seconds", "When the service was started.", m->started);
	tell_decisions(m, out);
	tell_durations(m, out);
	tell_counter(m, out, "mxguard_left_to_header",
		     "Recipients left to whoever reads the header, or decides behind this service.", &m->left);
	tell_counter(m, out, "mxguard_troubles", "Questions not answered for trouble of our own.", &m->trouble);
	tell_dns(m, out);
	tell_snapshot(m, out);
	mxg_exposition_end(out);
}
