/* SPDX-License-Identifier: MIT */
#include "trap.h"

#include "trap/store.h"

#define FIELD_MAX 1024

/* A proxied recipient cannot be refused behind the message where others are not. */
bool trap_waits(const struct transaction *t, const struct recipient *r)
{
	return t->check != NULL && r->trouble == TROUBLE_NONE && !t->session->client->lmtp_set->lmtp_proxy &&
	       mxguard_check_trap(t->check, r->index, NULL, 0) == 1;
}

/* By the users' own settings a recipient may have a second verdict, so all are asked for theirs. */
static bool is_wanted(struct transaction *t, char *field, size_t size)
{
	struct smtp_server_recipient *rcpt;
	bool any = FALSE;

	if (t->check == NULL)
		return FALSE;
	array_foreach_elem(&t->trans->rcpt_to, rcpt) {
		const struct recipient *r = recipient_of(rcpt->context);

		any = any ||
		      (r->trouble == TROUBLE_NONE && r->added && mxguard_check_trap(t->check, r->index, NULL, 0) == 1);
	}
	return any && mxguard_check_trap(t->check, MXGUARD_ALL, field, size) == 1;
}

static void copy(struct mxg_trap_copy *to, struct istream *input, struct mxg_trap_result *result)
{
	const unsigned char *data;
	size_t size;
	bool good = TRUE;

	while (good && i_stream_read_more(input, &data, &size) > 0) {
		good = mxg_trap_write(to, data, size);
		i_stream_skip(input, size);
	}
	if (input->stream_errno == 0) {
		mxg_trap_finish(to, result);
		return;
	}
	mxg_trap_discard(to);
	result->trouble = MXG_TRAP_BROKEN;
	i_snprintf(result->why, sizeof(result->why), "the message cannot be read");
}

static void tell(struct event *event, const struct mxg_trap_result *result)
{
	if (result->trouble == MXG_TRAP_NO_TROUBLE)
		e_info(event, "mxguard: trap: kept %s", result->why);
	else if (result->trouble == MXG_TRAP_FULL)
		e_info(event, "mxguard: trap: no copy is kept: %s", result->why);
	else
		e_warning(event, "mxguard: trap: no copy is kept: %s", result->why);
}

void trap_keep(struct transaction *t, struct istream *input)
{
	uoff_t start = input->v_offset;
	struct mxg_trap_result result;
	struct mxg_trap_copy *to;
	char field[FIELD_MAX];

	if (!is_wanted(t, field, sizeof(field)))
		return;
	to = mxg_trap_begin(t->policy, field, &result);
	if (to != NULL)
		copy(to, input, &result);
	i_stream_seek(input, start);
	tell(t->session->client->event, &result);
}
