/* SPDX-License-Identifier: MIT */
/* Words: what verdicts, actions and reasons are called everywhere. */
#include "check/reasons.h"

struct reason_row {
	const char *code, *status, *sentence;
	enum mxg_reason_kind kind;
};

static const struct reason_row rows[] = {
#define X(name, code, kind, status, sentence) { code, status, sentence, MXG_KIND_##kind },
	MXG_REASONS(X)
#undef X
};

static const struct reason_row *row(enum mxg_reason reason)
{
	size_t i = (size_t)reason;
	return &rows[i < sizeof(rows) / sizeof(rows[0]) ? i : 0];
}

const char *mxg_reason_code(enum mxg_reason reason)
{
	return row(reason)->code;
}

const char *mxg_reason_sentence(enum mxg_reason reason)
{
	return row(reason)->sentence;
}

const char *mxg_reason_status(enum mxg_reason reason)
{
	return row(reason)->status;
}

enum mxg_reason_kind mxg_reason_kind(enum mxg_reason reason)
{
	return row(reason)->kind;
}

const char *mxguard_version(void)
{
	return MXGUARD_VERSION;
}

const char *mxguard_verdict_name(enum mxguard_verdict verdict)
{
	switch (verdict) {
	case MXGUARD_VERDICT_AUTHORIZED:
		return "authorized";
	case MXGUARD_VERDICT_INTERNAL:
		return "internal";
	case MXGUARD_VERDICT_AUTHENTICATED:
		return "authenticated";
	case MXGUARD_VERDICT_EXEMPT:
		return "exempt";
	case MXGUARD_VERDICT_DIRECT:
		return "direct";
	case MXGUARD_VERDICT_UNKNOWN:
		return "unknown";
	case MXGUARD_VERDICT_UNDECIDED:
		break;
	}
	return "undecided";
}

const char *mxguard_action_name(enum mxguard_action action)
{
	switch (action) {
	case MXGUARD_ACTION_ACCEPT:
		return "accept";
	case MXGUARD_ACTION_TAG:
		return "tag";
	case MXGUARD_ACTION_QUARANTINE:
		return "quarantine";
	case MXGUARD_ACTION_REJECT:
		return "reject";
	case MXGUARD_ACTION_DEFER:
		break;
	}
	return "defer";
}

const char *mxguard_mode_name(enum mxguard_mode mode)
{
	switch (mode) {
	case MXGUARD_MODE_OFF:
		return "off";
	case MXGUARD_MODE_ENFORCE:
		return "enforce";
	case MXGUARD_MODE_MONITOR:
		break;
	}
	return "monitor";
}

const char *mxguard_place_name(enum mxguard_place place)
{
	return place == MXGUARD_PLACE_QUEUED ? "queued" : "door";
}
