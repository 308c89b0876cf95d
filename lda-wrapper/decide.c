/* SPDX-License-Identifier: MIT */
/* From options and header to an action. */
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "deadline.h"
#include "delivery.h"
#include "report.h"

#define MESSAGE_MAX 1024
#define LOG_LINE_MAX 4096

/* Notices are not asked for: `mxguard refresh` and `doctor` tell; each delivery would be too often. */
static int open_session(struct mxg_lda_delivery *d)
{
	char message[MESSAGE_MAX] = "";
	int result = mxguard_session_open(&d->session, d->options->config, 0, message, sizeof(message));
	if (result == MXGUARD_ERROR_NONE)
		result = mxguard_session_check(d->session, &d->check, 0);
	if (result == MXGUARD_ERROR_NONE)
		return 0;
	return mxg_lda_defer(result == MXGUARD_ERROR_NOMEM ? "4.3.0" : "4.3.5", "%s",
			     message[0] != '\0' ? message : "out of memory");
}

/* What fails comes back from the decision. */
static void set_transaction(struct mxguard_check *check, const struct mxg_lda_options *o)
{
	if (o->peer != NULL)
		mxguard_check_set_peer_text(check, o->peer);
	if (o->helo != NULL)
		mxguard_check_set_helo(check, o->helo);
	if (o->login != NULL)
		mxguard_check_set_login(check, o->login);
	if (o->from != NULL)
		mxguard_check_set_sender(check, o->from);
	mxguard_check_set_place(check, o->place);
	mxguard_check_set_ids(check, o->id == NULL ? "" : o->id, NULL);
}

static int add_recipients(struct mxguard_check *check, const struct mxg_lda_options *o)
{
	for (size_t i = 0; i < o->rcpt_count; i++) {
		size_t index;
		int result = mxguard_check_add_recipient(check, o->rcpts[i], &index);
		if (result < 0)
			return result;
		if (i < o->original_count && o->originals[i][0] != '\0' && strcmp(o->originals[i], o->rcpts[i]) != 0 &&
		    mxguard_check_add_recipient_name(check, index, o->originals[i]) == MXGUARD_ERROR_NOMEM)
			return MXGUARD_ERROR_NOMEM;
	}
	return MXGUARD_ERROR_NONE;
}

static int failed(const struct mxg_lda_delivery *d, const char *doing)
{
	if (errno == ETIMEDOUT)
		return mxg_lda_defer("4.3.0", "%s: nothing came for %ld seconds", doing, d->options->timeout);
	return mxg_lda_defer("4.3.0", "%s: %s", doing, strerror(errno));
}

/* Until the check has seen enough. More than 1 MiB of header is more than it looks at. */
static int feed_header(void *context, struct mxguard_check *check)
{
	struct mxg_lda_delivery *d = context;
	struct mxg_lda_input *in = &d->input;
	int more = 1;
	while (more == 1) {
		size_t before = in->head_len;
		ssize_t n = mxg_lda_input_more_head(in);
		if (n < 0 && errno == EMSGSIZE)
			break;
		if (n < 0) {
			failed(d, "reading the message");
			return MXGUARD_ERROR_IO;
		}
		if (n == 0)
			break;
		d->taken = true;
		more = mxguard_check_header(check, in->head + before, (size_t)n);
	}
	return more < 0 ? more : MXGUARD_ERROR_NONE;
}

static void log_decisions(const struct mxg_lda_delivery *d)
{
	char line[LOG_LINE_MAX];
	if (d->options->log == MXG_LDA_LOG_NONE)
		return;
	for (size_t i = 0; i < d->options->rcpt_count; i++) {
		mxguard_check_log_line(d->check, i, line, sizeof(line));
		mxg_lda_log("%s", line);
	}
}

/* Each delivery loads the configuration, and whoever loads it says what is doubtful in it. */
static void log_warnings(const struct mxg_lda_delivery *d)
{
	const struct mxguard_policy *policy = mxguard_session_policy(d->session);
	const char *warning;
	for (size_t i = 0; (warning = mxguard_policy_warning(policy, i)) != NULL; i++)
		mxg_lda_log_warning("mxguard: %s", warning);
}

int mxg_lda_decide(struct mxg_lda_delivery *d)
{
	int status = open_session(d);
	if (status != 0)
		return status;
	log_warnings(d);
	set_transaction(d->check, d->options);
	int result = add_recipients(d->check, d->options);
	if (result == MXGUARD_ERROR_NONE)
		result = mxguard_session_decide(d->session, d->check, feed_header, d, mxg_lda_left(d->deadline));
	if (result == MXGUARD_ERROR_IO)
		return EX_TEMPFAIL; /* said already */
	if (result != MXGUARD_PROGRESS_DONE)
		return mxg_lda_defer("4.3.0", "out of memory");
	log_decisions(d);
	return 0;
}

/* ---- several recipients, one COMMAND ------------------------------------------------------- */

static bool delivers(enum mxguard_action action)
{
	return action == MXGUARD_ACTION_ACCEPT || action == MXGUARD_ACTION_TAG;
}

/* One delivery cannot be refused for one and made for another. So: a deferral defers all; a
 * refusal is one only where all are refused; else what is not welcome to everybody is put
 * aside, where nobody loses it. */
enum mxguard_action mxg_lda_action(const struct mxg_lda_delivery *d, size_t *index)
{
	enum mxguard_action whole = mxguard_check_action(d->check, 0);
	*index = 0;
	for (size_t i = 1; i < d->options->rcpt_count; i++) {
		enum mxguard_action action = mxguard_check_action(d->check, i);
		if (action == whole || (delivers(action) && delivers(whole)))
			continue;
		if (whole == MXGUARD_ACTION_DEFER)
			break;
		if (action == MXGUARD_ACTION_DEFER || !delivers(action))
			*index = i;
		whole = action == MXGUARD_ACTION_DEFER ? action : MXGUARD_ACTION_QUARANTINE;
	}
	return whole;
}
