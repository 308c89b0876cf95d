/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOCTOR_H
#define MXG_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "finding.h"
#include "policy/policy.h"

/* What Dovecot is asked, all at once. */
enum mxg_doctor_setting {
	MXG_DOVECOT_TRUSTED = 0,
	MXG_DOVECOT_HAPROXY,
	MXG_DOVECOT_LIBEXEC,
	MXG_DOVECOT_PLUGINS,
	MXG_DOVECOT_USERNAME,
	MXG_DOVECOT_SETTINGS
};

/* What the examinations share. */
struct mxg_doctor {
	struct mxguard_session *session;
	struct mxguard_policy *policy; /* the session's */
	struct mxg_findings findings;
	const char *postfix; /* folder of main.cf; NULL: Postfix's own */
	const char *dovecot; /* dovecot.conf; NULL: Dovecot's own */
	const char *exim; /* configuration; NULL: Exim's own */
	bool no_dns;
	/* what mxg_doctor_dovecot() found, for those behind it */
	unsigned dovecot_version; /* 203, 204 …; 0: there is none */
	bool loaded_in_lmtp, loaded_in_lda; /* the plugin */
	char *dovecot_settings[MXG_DOVECOT_SETTINGS]; /* NULL: not known */
	json_t *facts; /* what a fleet is told of this host */
};

void mxg_doctor_policy(struct mxg_doctor *doctor); /* configuration, trace, snapshot */
void mxg_doctor_alarms(struct mxg_doctor *doctor); /* what the snapshot says of them */
void mxg_doctor_host(struct mxg_doctor *doctor); /* bridges, NAT */
void mxg_doctor_domains(struct mxg_doctor *doctor); /* this host in a domain's MX */
void mxg_doctor_vendors(struct mxg_doctor *doctor); /* whose filters the MX hosts are, and whether they may deliver */
void mxg_doctor_postfix(struct mxg_doctor *doctor);
void mxg_doctor_resubmission(struct mxg_doctor *doctor); /* filters that hand mail back: Exim, qmail */
void mxg_doctor_postfix_resubmission(struct mxg_doctor *doctor, const char *main, const char *master);
/* gateways that are known by their certificate, which Postfix tells, or does not */
void mxg_doctor_postfix_certificates(struct mxg_doctor *doctor, const char *main, const char *master);
/* … and WHO judges their mail once more, without it */
void mxg_doctor_certificate_queued(struct mxg_doctor *doctor, const char *who);
void mxg_doctor_exim(struct mxg_doctor *doctor);
void mxg_doctor_dovecot(struct mxg_doctor *doctor);
void mxg_doctor_dovecot_abi(struct mxg_doctor *doctor); /* whether the plugin fits the Dovecot that runs */
void mxg_doctor_secrets(struct mxg_doctor *doctor); /* who can read them, and whether the field is still there */
void mxg_doctor_trap(struct mxg_doctor *doctor); /* copies of refused mail */
void mxg_doctor_reach(struct mxg_doctor *doctor); /* other names of the same mailboxes */

/* The domains that the configuration names, the first 50 of them. */
void mxg_doctor_each_domain(const struct mxg_doctor *doctor, void (*one)(void *to, const char *domain), void *to);

/* Whether one of the prefixes holds all of this one. */
bool mxg_doctor_covers(const struct mxg_prefix_list *list, const struct mxg_prefix *prefix);
bool mxg_doctor_overlaps(const struct mxg_prefix_list *list, const struct mxg_prefix *prefix);

#endif
