/* SPDX-License-Identifier: MIT */
#ifndef MXG_REQUEST_H
#define MXG_REQUEST_H

#include <stddef.h>

/*
 * What an MTA asks. Two forms: Postfix's (SMTPD_POLICY_README: name=value lines up to an
 * empty one), and one line for Exim's ${readsocket}: "check" and name=value words, where a
 * value may stand in quotes with backslashes, as Exim's ${quote:} writes it. Postfix writes a
 * certificate's names in xtext: they come out decoded.
 */
enum mxg_request_form { MXG_REQUEST_POSTFIX = 1, MXG_REQUEST_LINE };

#define MXG_REQUEST_MAX 65536 /* bytes; Postfix's own are a few hundred */

/* Values that were not sent are NULL, those that were sent empty are "". */
struct mxg_request {
	enum mxg_request_form form;
	const char *request, *protocol_state, *client_address, *helo_name, *sasl_username;
	const char *sender, *recipient, *instance, *queue_id;
	/* TLS: Postfix's names, which the line form takes as well, and Exim's */
	const char *encryption_protocol, *encryption_cipher, *encryption_keysize;
	const char *ccert_subject, *ccert_issuer, *ccert_fingerprint, *ccert_pubkey_fingerprint;
	const char *tls_peerdn, *tls_certificate_verified;
};

/* Length of the first whole request in the bytes, 0 while its end has not come. *scanned
 * (0 for a new request) remembers how far was looked. */
size_t mxg_request_length(const char *bytes, size_t len, size_t *scanned);

/* Takes one whole request apart in place; the values point into text. NULL, or what is wrong
 * with it (constant text, nothing of the request in it). */
const char *mxg_request_parse(struct mxg_request *request, char *text, size_t len);

#endif
