/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOOR_H
#define MXG_DOOR_H

#include <stdbool.h>
#include <stddef.h>

#include "mxguard.h"

struct mxg_desk;
struct mxg_door_header;

/*
 * One SMTP connection at a door, and the transaction that it is at: what the MTA tells goes in, what it
 * is to reply and to change comes out. No sockets, no waiting: a step that needs DNS says so, and is
 * over when the desk's session says that it is (mxg_door_next()).
 *
 * A door belongs to one thread at a time, and while it decides (MAIL to reset, but for the header's
 * fields) that must be the desk's.
 */
struct mxg_door;

/* What the MTA knows of the connection, and vouches for. */
enum mxg_door_fact {
	MXG_DOOR_PEER, /* as mxguard_check_set_peer_text() takes it; "": there is none */
	MXG_DOOR_HELO,
	MXG_DOOR_LOGIN,
	MXG_DOOR_CERTIFICATE_SUBJECT, /* these as mxguard_check_set_certificate() takes them */
	MXG_DOOR_CERTIFICATE_ISSUER,
	MXG_DOOR_CERTIFICATE_FINGERPRINT,
	MXG_DOOR_CERTIFICATE_KEY_FINGERPRINT,
	MXG_DOOR_CERTIFICATE_VERIFIED, /* whatever the text: by the MTA */
	MXG_DOOR_ID, /* of queue or session, for the log */
	MXG_DOOR_SENDER,
	MXG_DOOR_FACTS
};

enum mxg_door_step {
	MXG_DOOR_WAIT = 1, /* until mxg_door_next() returns this door */
	MXG_DOOR_READY /* the reply stands, after the header's end the verdict on the message, too */
};

/* 250: nothing against it. Texts are one printable line; they live until the door's next step. */
struct mxg_door_reply {
	int code; /* 250, 451, 550 */
	const char *status, *text;
};

/* What becomes of the message. */
struct mxg_door_message {
	struct mxg_door_reply reply; /* other than 250: all of it is refused, and nothing else counts */
	bool quarantine; /* what is to be done for every recipient */
	bool differ; /* recipients' answers differ: it goes on, and who delivers it decides once more */
	bool held; /* refused only now, since somebody wanted to see it: mxg_door_hold() */
	const char *trap; /* the field of a copy that is to be kept (mxguard_check_trap()); "": none */
	const char *field; /* for the top, with CRLF (mxguard_check_tag()); "": none */
	const struct mxg_door_header *header; /* what has to go */
};

/* NULL: no memory. owner: whatever mxg_door_owner() is to return. relayed: what is behind internal peers,
 * MXGUARD_PLACE_DOOR where they pass our refusals on to a client that waits, MXGUARD_PLACE_QUEUED where they
 * have taken the message already. */
struct mxg_door *mxg_door_new(struct mxg_desk *desk, enum mxguard_place relayed, void *owner);
/* For MTAs that have written their own Received field on top of the header when they show it. */
void mxg_door_expect_own_field(struct mxg_door *door);
void *mxg_door_owner(const struct mxg_door *door);
/* NULL is allowed. */
void mxg_door_free(struct mxg_door *door);

/* Another connection: nothing is known of it. */
void mxg_door_connect(struct mxg_door *door);
/* NULL: nothing is known. What is told during a transaction counts for the next one, but for the id.
 * Without memory the door defers whatever it is asked. */
void mxg_door_tell(struct mxg_door *door, enum mxg_door_fact fact, const char *text);

/* MAIL; ends what was before. */
void mxg_door_mail(struct mxg_door *door, const char *sender);
enum mxg_door_step mxg_door_rcpt(struct mxg_door *door, const char *recipient);
/* The MTA itself has refused the last recipient. */
void mxg_door_withdraw(struct mxg_door *door);
/* The header of the message, by one or the other (see header.h). */
void mxg_door_field(struct mxg_door *door, const char *name, const char *value);
void mxg_door_bytes(struct mxg_door *door, const char *bytes, size_t length);
enum mxg_door_step mxg_door_header_end(struct mxg_door *door);
/* The transaction is over, however it ended. */
void mxg_door_reset(struct mxg_door *door);
/* Nobody waits for it any longer: this transaction is deferred, those whom it has let in included. */
void mxg_door_abandon(struct mxg_door *door);

/* A door whose wait is over, NULL: there is none. */
struct mxg_door *mxg_door_next(struct mxg_desk *desk);
bool mxg_door_is_waiting(const struct mxg_door *door);

/* After READY. */
const struct mxg_door_reply *mxg_door_reply(const struct mxg_door *door);
/* … of the header's end. */
const struct mxg_door_message *mxg_door_message(const struct mxg_door *door);

/* From the next MAIL on: recipients whose message may be trapped (mxguard_check_trap()) are let in, and
 * it is refused at its end, so that a copy can be kept. Who is to get the message besides has to come
 * again: refused is all of it or nothing. */
void mxg_door_hold(struct mxg_door *door, bool hold);
/* Whether a recipient of this transaction was let in so. */
bool mxg_door_is_holding(const struct mxg_door *door);
/* What the transaction is judged by, until it is over. */
struct mxguard_policy *mxg_door_policy(const struct mxg_door *door);

#endif
