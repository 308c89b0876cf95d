/* SPDX-License-Identifier: MIT */
/* What a client says: the same pieces as hostile.py. */
#include "words.h"

#include <stdio.h>
#include <string.h>

#define GATEWAY "192.0.2.10"
#define GATEWAY6 "2001:db8:25::10"
#define DATE "Mon, 1 Jan 2024 00:00:00 +0000"

unsigned pick(struct words *w, unsigned below)
{
	w->state ^= w->state << 13;
	w->state ^= w->state >> 7;
	w->state ^= w->state << 17;
	return (unsigned)((w->state >> 33) % below);
}

bool is_host_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' ||
	       c == '_';
}

bool is_host_name(const char *text)
{
	const char *p = text;
	while (is_host_char(*p))
		p++;
	return *p == '\0' && p != text && text[0] != '.' && text[0] != '-' && strstr(text, "..") == NULL;
}

static const char *const places[] = {
	"(gw.example.com [" GATEWAY "])",
	"([" GATEWAY "])",
	"(unknown [" GATEWAY "])",
	"[" GATEWAY "]",
	"(" GATEWAY ")",
	"(HELO x) (" GATEWAY ")",
	"(EHLO x) ([" GATEWAY "])",
	"([" GATEWAY "] helo=gw)",
	"[" GATEWAY "] (helo=gw)",
	"(gw.example.com [IPv6:" GATEWAY6 "])",
	"(gw.example.com [" GATEWAY6 "])",
	"([::ffff:" GATEWAY "])",
	"(root@" GATEWAY ")",
	"(root@gw.example.com [" GATEWAY "])",
	"(gw.example.com [" GATEWAY "] (may be forged))",
	"([" GATEWAY "] verified)",
	"([" GATEWAY "] gw.example.com)",
	"( [" GATEWAY "])",
	"(account alice HELO x)",
	"([unix socket])",
	"(x [local])",
	"(gw) [" GATEWAY "]",
	"gw (gw) [" GATEWAY "]",
	"(gw [" GATEWAY "] (AS1 x))",
};

static const char *const ends[] = {
	"by mx.example.com",
	"by mx.example.com (Postfix) with ESMTPSA id 1; " DATE,
	"by mx.example.com (Postfix)\rid 1; " DATE,
	"by mx.example.com with esmtpsa (Exim 4.96) id 1xVTHW-00000D-05; " DATE,
	"by mx.example.com (Exim 4.96) with esmtpsa id 1xVTHW-00000D-05; " DATE,
	"by mx.example.com with esmtp id 1xVTHW-00000D-05; " DATE,
	"by mx.example.com with SMTP; 1 Jan 2024 00:00:00 -0000",
	"by mx.example.com (Cyrus 3.6) with LMTPA; " DATE,
	"by mx.example.com with LMTP id mBL4OX82BGshAAAAZSTCqQ; " DATE,
	"by mx.example.com (OpenSMTPD) with ESMTPA id 1777c5ce; " DATE,
	"by mx.example.com with local (Exim 4.96); " DATE,
	"by mx.example.com (8.17.1/8.17.1) with ESMTPA id 6A; " DATE,
	"by web.example.com with HTTP; " DATE,
	"by mx.example.com (chasquid) with ESMTP; " DATE,
	"by mx.example.com (qpsmtpd/0.94) with ESMTPA; " DATE,
	"by mx.example.com (Haraka/3.3.4) with ESMTPA id 1; " DATE,
	"by web.example.com (via HTTP); " DATE,
	"with ESMTPA",
	"with HTTPS; " DATE,
	"by mx.example.com with HTTPS; " DATE,
	"by mx.example.com with IMAP (fetchmail-6.4.37); " DATE,
	"by mx.example.com with Microsoft SMTP Server id 15.1; " DATE,
	"by mx.example.com (Postfix) with ESMTP id 1",
	"by mx.example.com with esmtpsa (Exim 4.96) id 1xVTHW-00000D-05",
	"by\tmx.example.com\t(Postfix)\twith ESMTP id 1; " DATE,
	"by mx.example.com (Postfix) with ESMTP id 1; " DATE ";",
	"by mx.example.com (Haraka/3.3.4) with ESMTP id 1; " DATE " ",
};

static const char *const pieces[] = {
	"HELO x",
	"EHLO",
	"helo=x",
	"ident=x",
	"verified",
	"unknown",
	"localhost",
	"root",
	"alice@localhost",
	"spooler",
	"FROM",
	"from",
	"by",
	"with",
	"via",
	"id 1xVTHW-00000D-05",
	"for <a@b.example>",
	"; " DATE,
	"(Postfix)",
	"(Exim 4.96)",
	"(OpenSMTPD)",
	"(chasquid)",
	"(Haraka/3.3.4)",
	"(Cyrus 3.6)",
	"(amavis, port 10024)",
	"(Authenticated sender: alice)",
	"(authenticated bits=0)",
	"(AUTH: PLAIN alice)",
	"(uid 0)",
	"(qmail 1 invoked by uid 0)",
	"(Haraka outbound)",
	"(using TLSv1.3 x)",
	"(Using TLS)",
	"(envelope-sender <x>)",
	"(LHLO x)",
	"scanned-ok",
	"<unknown>",
	GATEWAY,
	"[" GATEWAY "]:25",
	GATEWAY ":25",
	"@" GATEWAY,
	GATEWAY6,
	"[IPv6:" GATEWAY6 "]",
	"gw.example.com",
	"x",
	"_",
	"a",
	"(",
	")",
	"))",
	"((",
	"[",
	"]",
	"\\",
	"\"",
	";",
	",",
	":",
	"<",
	">",
	"@",
	"%",
	"=",
	".",
	"\xc3\xa4",
	"\xe2\x80\xa8",
	"\xff",
	"\x01",
};

#define PICK(w, table) (table)[pick(w, sizeof(table) / sizeof((table)[0]))]

static const char *blank(struct words *w)
{
	static const char *const blanks[] = { " ", " ", " ", "\t", "  ", "\r", "\v", "", "", "_", "\r ", " \r" };
	return PICK(w, blanks);
}

static void add(char *out, const char *text)
{
	size_t n = strlen(out), more = strlen(text);
	if (n + more < WORD_MAX - 512) /* room for what an MTA makes of it */
		memcpy(out + n, text, more + 1);
}

/* The true line imitated, and the rest of it pushed out of sight. */
static void imitate(struct words *w, char *out)
{
	static const char *const openers[] = {
		"x ", "gw.example.com ", "", "[" GATEWAY "] ", "localhost ", "x) ", "x] ", "x"
	};
	static const char *const closers[] = {
		"", "\r", "\rx", "\r(x", " (", " (x", " x", " ((", ")", "(", "\\", " (x)"
	};
	add(out, PICK(w, openers));
	add(out, PICK(w, places));
	if (pick(w, 2) == 0) {
		add(out, blank(w));
		add(out, PICK(w, ends));
	}
	add(out, PICK(w, closers));
}

void hostile_word(struct words *w, char *out)
{
	unsigned kind = pick(w, 10);
	out[0] = '\0';
	if (kind < 5) {
		imitate(w, out);
	} else if (kind < 6) {
		static const char *const literals[] = { "[" GATEWAY "]",
							GATEWAY,
							"[IPv6:" GATEWAY6 "]",
							"[::ffff:" GATEWAY "]",
							"HELO",
							"EHLO",
							"helo",
							"by",
							"from",
							"with",
							"[203.0.113.5]" };
		add(out, PICK(w, literals));
	} else if (kind < 9) {
		for (unsigned n = 1 + pick(w, 6); n > 0; n--) {
			unsigned which = pick(w, 6);
			add(out, which == 0 ? PICK(w, places) : which == 1 ? PICK(w, ends) : PICK(w, pieces));
			add(out, blank(w));
		}
	} else {
		size_t n = 940 + pick(w, 80);
		memset(out, 'a', n);
		out[n] = '\0';
		add(out, pick(w, 2) == 0 ? PICK(w, places) : PICK(w, pieces));
	}
	if (out[0] == '\0' || out[0] == ' ')
		out[0] = 'x', out[1] = out[1] == '\0' ? '\0' : out[1];
	if (strlen(out) == 0)
		strcpy(out, "x");
}

void hostile_line(struct words *w, char *out)
{
	char word[WORD_MAX];
	hostile_word(w, word);
	snprintf(out, WORD_MAX, " %.*s\n", WORD_MAX - 4, word);
}
