/* SPDX-License-Identifier: MIT */
#include "page/words.h"

#include <string.h>

#include "check/reasons.h"

#define BOTH (MXG_WORDS_SCAN | MXG_WORDS_REPORT)

static const struct {
	unsigned pages; /* enum mxg_words */
	const char *word, *meaning;
} words[] = {
	{ BOTH, "gateway",
	  "a host that may hand over mail for a domain: the filter service or relay that the domain's MX records, or "
	  "the "
	  "configuration, name" },
	{ MXG_WORDS_SCAN, "through gateways",
	  "a gateway of the recipient's domain handed the message over: it was filtered" },
	{ MXG_WORDS_REPORT, "authorized",
	  "a gateway of the recipient's domain handed the message over: it was filtered" },
	{ BOTH, "direct",
	  "a host that is no gateway of the recipient's domain handed the message over: it came past the filters, "
	  "and may be good mail or spam" },
	{ BOTH, "unknown",
	  "nobody could tell whether the message came through a gateway: its trace could not be read without doubt, or "
	  "DNS did not answer. It counts neither as filtered nor as direct; the reason is given" },
	{ MXG_WORDS_SCAN, "locally", "the message was made on a host of our own, such as a report of cron(8)" },
	{ MXG_WORDS_REPORT, "internal", "the message was made on a host of our own, such as a report of cron(8)" },
	{ BOTH, "authenticated", "a user of our own, who had logged in, sent it" },
	{ BOTH, "exempt", "the recipient or the domain is not checked, by configuration" },
	{ BOTH, "peer", "the host that handed the message to the first of our own hosts" },
	{ MXG_WORDS_REPORT, "decision",
	  "what a front end found out about one recipient of one message, a line in the log" },
	{ MXG_WORDS_REPORT, "ready",
	  "in the time looked at, enforce mode would have refused or held up nobody who looks legitimate: no forgotten "
	  "gateway, no message that could not be judged, and some mail through the gateways" },
	{ MXG_WORDS_REPORT, "candidate",
	  "a host that delivers past the gateways, but looks like a forgotten one and not like a spammer. Whether it "
	  "is "
	  "yours only you can tell; then add its term to an entry of gateways in mxguard.conf" },
	{ MXG_WORDS_REPORT, "proven", "a check with the term alone said authorized for its hosts" },
	{ MXG_WORDS_REPORT, "generation", "the time in which a domain had one and the same set of gateways" },
	{ MXG_WORDS_REPORT, "half-life",
	  "after so many days half of a generation's direct mail had come; none where it does not fall" },
	{ MXG_WORDS_REPORT, "dry", "the first day from which no direct mail came any more" },
	{ MXG_WORDS_REPORT, "moved",
	  "a host that first came past the gateways and then through them: it has seen the new MX" },
	{ MXG_WORDS_REPORT, "never published",
	  "a host that came for the first time when the domain's MX records had not named this server for two days or "
	  "more: it found the way by a guessed name, a scan or a list, not by a record" },
	{ BOTH, "enforce mode",
	  "direct mail is refused or put aside; monitor mode decides and logs, and accepts everything" },
	{ BOTH, "accept, tag, quarantine, reject, defer",
	  "let it in; let it in with a mark in its header; let it in and put it aside; refuse it for good; ask the "
	  "sender "
	  "to come again" },
	{ BOTH, "door, queued",
	  "at the door the stranger himself waits for the reply, so that mail can be refused; queued means that an MTA "
	  "of "
	  "ours has already taken it, and refusing would make bounces: direct mail is quarantined there, by default" },
	{ MXG_WORDS_AUDIT, "guard",
	  "what refuses a stranger's mail, or puts it aside, behind that port: mxguard's policy service, "
	  "milter, filter of OpenSMTPD, plugin of Dovecot or wrapper, or the firewall" },
	{ MXG_WORDS_AUDIT, "none", "nothing does: whoever knows the name gets mail in past the filters" },
	{ MXG_WORDS_AUDIT, "unknown", "it could not be found out; it is not counted as guarded" },
	{ MXG_WORDS_AUDIT, "leak", "how strangers come to know the name" },
	{ MXG_WORDS_AUDIT, "old-mx", "the name was in the domain's MX records, from since to until" },
	{ MXG_WORDS_AUDIT, "guessable", "one of the names that are tried everywhere, such as mail and smtp" },
	{ MXG_WORDS_AUDIT, "wildcard", "every name in the domain that is not there leads here" },
};

json_t *mxg_page_words(enum mxg_words page)
{
	json_t *items = json_array();
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if ((words[i].pages & page) != 0)
			json_array_append_new(items, json_pack("[s, s]", words[i].word, words[i].meaning));
	return json_pack("{s:s, s:o}", "part", "words", "items", items);
}

const char *mxg_page_reason(const char *code)
{
	static const struct {
		const char *code, *sentence;
	} reasons[] = {
#define X(name, code, kind, status, sentence) { code, sentence },
		MXG_REASONS(X)
#undef X
	};
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(reasons[i].code, code) == 0)
			return reasons[i].sentence;
	return "";
}

const char *mxg_page_place(enum mxguard_place place)
{
	return place == MXGUARD_PLACE_DOOR
		       ? "door: mxguard would have stood where strangers wait for the reply, and refused direct mail"
		       : "queued: an MTA of ours would already have taken the message, and direct mail would only be "
			 "quarantined; the recommended door (--place door) would refuse it";
}
