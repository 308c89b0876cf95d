/* SPDX-License-Identifier: MIT */
#include "received/trace.h"

const char *mxg_trace_outcome_name(enum mxg_trace_outcome outcome)
{
	static const char *const names[] = {
		[MXG_TRACE_PENDING] = "pending",
		[MXG_TRACE_EXTERNAL] = "external",
		[MXG_TRACE_ORIGIN] = "origin",
		[MXG_TRACE_AUTHENTICATED] = "authenticated",
		[MXG_TRACE_LOCAL] = "local",
		[MXG_TRACE_RETRIEVED] = "retrieved",
		[MXG_TRACE_RESUBMITTED] = "resubmitted",
		[MXG_TRACE_ENDED] = "ended",
		[MXG_TRACE_NONE] = "none",
		[MXG_TRACE_UNREADABLE] = "unreadable",
		[MXG_TRACE_TOO_LONG] = "too-long",
	};
	return (unsigned)outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "unknown";
}

const char *mxg_trace_reason_name(enum mxg_trace_reason reason)
{
	static const char *const names[] = {
		[MXG_TRACE_REASON_NONE] = "",
		[MXG_TRACE_FIELD_UNREADABLE] = "field-unreadable",
		[MXG_TRACE_FIELD_TOO_LONG] = "field-too-long",
		[MXG_TRACE_NOT_OURS] = "not-ours",
		[MXG_TRACE_MARKER_ALONE] = "marker-alone",
		[MXG_TRACE_BROKEN_HEADER] = "broken-header",
		[MXG_TRACE_MANY_BYTES] = "many-bytes",
		[MXG_TRACE_MANY_HOPS] = "many-hops",
	};
	return (unsigned)reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown";
}

const char *mxg_received_reason_name(enum mxg_received_reason reason)
{
	static const char *const names[] = {
		[MXG_RECEIVED_READ] = "",
		[MXG_RECEIVED_CONTROL_BYTES] = "control-bytes",
		[MXG_RECEIVED_NO_GRAMMAR] = "no-grammar",
		[MXG_RECEIVED_TWO_READINGS] = "two-readings",
		[MXG_RECEIVED_OTHER_MTA] = "other-mta",
		[MXG_RECEIVED_NOT_NAMED] = "not-named",
		[MXG_RECEIVED_NO_ADDRESS] = "no-address",
	};
	return (unsigned)reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown";
}
