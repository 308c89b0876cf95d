/* SPDX-License-Identifier: MIT */
/* What each MTA writes for a client: its rules for every word that the client
 * chooses, as in printers.py, and common forms of writers that nobody knows. */
#include "client.h"

#include <string.h>

#define QDATE "; 23 Nov 2026 12:39:21 -0000"
#define EXIM_ID "1xVTHW-00000D-05"

static const char *lower_with(const struct client *c, bool login)
{
	static const char *const names[] = { "esmtp", "esmtps", "esmtpa", "esmtpsa" };
	return names[(c->tls ? 1 : 0) + (login ? 2 : 0)];
}

static bool postfix_named(struct made *m, const struct client *c, const char *mail_name)
{
	char word[WORD_MAX];
	const char *name = is_host_name(c->ptr) ? c->ptr : "unknown";
	put(m, "from %s (%s [%s%s])\n", without(word, c->helo, " ()<>@\\;\"\t", '?'), name, c->v6 ? "IPv6:" : "",
	    c->address);
	if (c->tls)
		put(m, "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\n");
	if (c->tls && c->certificate[0] != '\0')
		put(m, "\t(Client CN \"%s\", Issuer \"x\" (not verified))\n", balanced(word, c->certificate));
	m->login = c->login[0] != '\0';
	if (m->login)
		put(m, "\t(Authenticated sender: %s)\n", balanced(word, c->login));
	put(m, "\tby mx.example.com (%s) with %s id 4FORGED01\n\tfor <a@b.example>" FIELD_DATE " (UTC)\n", mail_name,
	    m->login && c->v6 ? "SMTP" : with(c, m->login));
	return true;
}

static bool postfix(struct made *m, const struct client *c)
{
	return postfix_named(m, c, "Postfix");
}

static bool postfix_own_name(struct made *m, const struct client *c)
{
	m->plain = false;
	return postfix_named(m, c, "MyMail");
}

static bool postfix_hidden(struct made *m, const struct client *c)
{
	m->plain = false;
	put(m, "by mx.example.com (Postfix) id 4FORGED01%s" FIELD_DATE " (UTC)\n",
	    c->v6 ? "\n\tfor <a@b.example>" : "");
	return true;
}

static bool postfix_local(struct made *m, const struct client *c)
{
	m->local = true;
	put(m, "by mx.example.com (Postfix%s)\n\tid 4FORGED01" FIELD_DATE " (UTC)\n", c->v6 ? ", from userid 33" : "");
	return true;
}

static void exim_words(struct made *m, const char *helo, const char *ident)
{
	if (helo[0] != '\0')
		put(m, "helo=%s", helo);
	if (ident[0] != '\0')
		put(m, "%sident=%s", helo[0] != '\0' ? " " : "", ident);
}

static bool exim_host(struct made *m, const struct client *c, const char *tail)
{
	char ident[WORD_MAX];
	without(ident, c->ident, "", '?');
	m->login = c->login[0] != '\0';
	if (is_host_name(c->ptr)) {
		put(m, "from %s%s([%s]%s", c->ptr, strlen(c->ptr) > 60 ? "\n\t" : " ", c->address,
		    c->v6 ? ":4711 " : " ");
		exim_words(m, c->helo, ident);
		put(m, ")");
	} else {
		put(m, "from [%s] (", c->address);
		exim_words(m, c->helo, ident);
		put(m, ")");
	}
	put(m, "\n\tby mx.example.com with %s%s", lower_with(c, m->login), tail);
	return true;
}

#define EXIM_TAIL "\n\t(envelope-from <%s>)\n\tid " EXIM_ID "\n\tfor a@b.example;\n\tMon, 23 Nov 2026 12:36:26 +0000\n"

/* helo_accept_junk_hosts; a second Exim makes a fold of a bare CR */
static bool exim_junk(struct made *m, const struct client *c)
{
	exim_host(m, c, " (Exim 4.96)");
	put(m, EXIM_TAIL, c->sender);
	return true;
}

static bool exim(struct made *m, const struct client *c)
{
	return is_checked_helo(c->helo) && exim_junk(m, c);
}

static bool exim_unsigned(struct made *m, const struct client *c)
{
	exim_host(m, c, c->tls ? " (TLS1.3:x)" : "");
	put(m, EXIM_TAIL, c->sender);
	return true;
}

#define ONE_LINE " (Exim 4.98.2) id " EXIM_ID ";\n\tMon, 23 Nov 2026 12:36:26 +0000\n"

static bool exim_fullhost(struct made *m, const struct client *c)
{
	m->login = c->login[0] != '\0';
	m->plain = false;
	put(m, "from ");
	if (is_host_name(c->ptr))
		put(m, "%s ", c->ptr);
	if (!is_host_name(c->ptr) || c->tls)
		put(m, "(%s) ", c->helo);
	put(m, "[%s] by mx.example.com with %s" ONE_LINE, c->address, lower_with(c, m->login));
	return true;
}

static bool exim_helo_first(struct made *m, const struct client *c)
{
	m->login = c->login[0] != '\0';
	put(m,
	    "from %s (%s [%s]) by mx.example.com (Exim 4.98.2) with %s id " EXIM_ID
	    ";\n\tMon, 23 Nov 2026 12:36:26 +0000\n",
	    c->helo, is_host_name(c->ptr) ? c->ptr : "", c->address, lower_with(c, m->login));
	return true;
}

static bool exim_hidden(struct made *m, const struct client *c)
{
	m->login = c->login[0] != '\0';
	m->plain = false;
	put(m, "by mx.example.com with %s%s", lower_with(c, m->login), ONE_LINE);
	return true;
}

static bool exim_local(struct made *m, const struct client *c)
{
	m->local = true;
	put(m, "from alice by mx.example.com with local (Exim 4.96)" EXIM_TAIL, "x@y.example");
	return c->sender[0] != '\0';
}

static bool sendmail_bogus(struct made *m, const struct client *c)
{
	char word[WORD_MAX], ident[WORD_MAX], helo[WORD_MAX];
	first_word(word, c->helo, " \t\r\v\f");
	without(helo, word, "()<>@,;\"\\", '?');
	only(ident, c->ident, "!#$%&'*+-./^_`{|}~", 'x');
	m->login = c->login[0] != '\0';
	if (c->helo[0] == 'x') /* as if there were none */
		put(m, "(from ");
	else
		put(m, "from %s (", helo);
	if (ident[0] != '\0')
		put(m, "%s@", ident);
	if (is_host_name(c->ptr))
		put(m, "%s ", c->ptr);
	put(m, "[%s%s])\n", c->v6 ? "IPv6:" : "", c->address);
	if (m->login)
		put(m, "\t(authenticated bits=0)\n");
	put(m, "\tby mx.example.com (8.17.1.9/8.17.1.9) with %s id 6ANCaees000030\n\tfor <a@b.example>" FIELD_DATE "\n",
	    c->v6 ? "ESMTP" : with(c, m->login));
	return true;
}

static bool sendmail(struct made *m, const struct client *c)
{
	m->plain = false;
	return strspn(c->helo, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_[]:") ==
		       strlen(c->helo) &&
	       sendmail_bogus(m, c);
}

static bool opensmtpd(struct made *m, const struct client *c)
{
	if (!is_checked_helo(c->helo) || strchr(c->ptr, ' ') != NULL)
		return false;
	m->login = c->login[0] != '\0';
	put(m, "from %s (%s [%s])\n\tby mx.example.com (OpenSMTPD) with %s id 1777c5ce", c->helo,
	    c->ptr[0] == '\0' ? "<unknown>" : c->ptr, c->address, with(c, m->login));
	if (m->login)
		put(m, " auth=yes user=%s", c->login);
	put(m, "\n\tfor <a@b.example>;\n\tMon, 23 Nov 2026 12:35:31 +0000 (UTC)\n");
	return true;
}

static bool opensmtpd_masked(struct made *m, const struct client *c)
{
	m->plain = false;
	put(m, "\n\tby mx.example.com (OpenSMTPD) with %s id 1777c5ce;\n\tMon, 23 Nov 2026 12:35:31 +0000\n",
	    with(c, false));
	return true;
}

static bool courier(struct made *m, const struct client *c)
{
	char word[WORD_MAX];
	without(word, c->helo, " ", '_');
	m->login = c->login[0] != '\0';
	m->plain = false;
	put(m, "from %s (%s%s[%s%s])\n", word, is_host_name(c->ptr) ? c->ptr : "", is_host_name(c->ptr) ? " " : "",
	    c->v6 ? "" : "::ffff:", c->address);
	if (c->ident[0] != '\0')
		put(m, "  (IDENT: %s)\n", without(word, c->ident, "", ' '));
	put(m, "  by mx.example.com with %s\n  id 0000000000AE22AE.000000006B043459.00000050" FIELD_DATE "\n%s",
	    with(c, m->login), c->more);
	return true;
}

static bool qmail(struct made *m, const struct client *c)
{
	char helo[WORD_MAX], name[WORD_MAX], ident[WORD_MAX];
	only(helo, c->helo, "@%+/=:[]", '?');
	only(name, c->ptr[0] == '\0' ? "unknown" : c->ptr, "@%+/=:[]", '?');
	only(ident, c->ident, "@%+/=:[]", '?');
	put(m, "from %s (HELO %s) (%s%s%s)\n  by %s with SMTP" QDATE "\n%s", name, helo, ident,
	    ident[0] == '\0' ? "" : "@", c->address, c->tls ? "0" : "mx.example.com", c->more);
	return true;
}

static bool qmail_marker(struct made *m, const struct client *c)
{
	m->marker = !c->v6;
	m->local = c->v6;
	put(m, "(qmail 35 invoked %s)" QDATE "\n", c->v6 ? "by uid 89" : "from network");
	return true;
}

static bool qpsmtpd(struct made *m, const struct client *c)
{
	char word[WORD_MAX], name[WORD_MAX];
	m->login = c->login[0] != '\0';
	put(m, "from %s (HELO %s) (%s)\n by mx.example.com (qpsmtpd/0.94) with %s" FIELD_DATE "\n",
	    only(name, c->ptr[0] == '\0' ? "Unknown" : c->ptr, "\\", '0'), first_word(word, c->helo, " "), c->address,
	    with(c, m->login));
	return true;
}

static bool haraka(struct made *m, const struct client *c)
{
	char word[WORD_MAX];
	m->login = c->login[0] != '\0';
	put(m,
	    "from %s (%s%s[%s])\n\tby mx.example.com (Haraka/3.3.4) with %s id 3CE30E8A.1\n\tenvelope-from <%s>%s;\n\t"
	    "Mon, 23 Nov 2026 12:44:30 +0000\n%s",
	    first_word(word, c->helo, " "), strpbrk(c->ptr, "()@\\;\"$") != NULL ? "" : c->ptr,
	    c->ptr[0] == '\0' || strpbrk(c->ptr, "()@\\;\"$") ? "" : " ", c->address, with(c, m->login), c->sender,
	    m->login ? " (authenticated bits=0)" : "", c->more);
	return true;
}

static bool chasquid(struct made *m, const struct client *c)
{
	char word[WORD_MAX];
	first_word(word, c->helo, " \t");
	m->login = c->login[0] != '\0';
	m->plain = m->plain && !m->login;
	if (m->login)
		put(m, "from %s\n", word);
	else
		put(m, "from [%s] (%s)\n", c->address, word);
	put(m,
	    "\tby mx.example.com (chasquid) with %s\n\t(over SMTP, plain text!, envelope from \"%s\")\n\t; Mon, 23 Nov "
	    "2026 12:35:31 +0000\n",
	    with(c, m->login), c->sender);
	return true;
}

static bool dovecot(struct made *m, const struct client *c)
{
	m->login = c->login[0] != '\0';
	put(m,
	    "from %s ([%s])\n\tby mx.example.com with %s\n\tid mBL4OX82BGshAAAAZSTCqQ\n\t(envelope-from <%s>)\n\tfor "
	    "<a@b.example>" FIELD_DATE "\n%s",
	    is_checked_helo(c->helo) ? c->helo : "unknown", c->address, m->login ? with(c, true) : "LMTP", c->sender,
	    m->login ? "" : c->more);
	return true;
}

static bool dovecot_socket(struct made *m, const struct client *c)
{
	m->marker = true;
	put(m,
	    "from %s\n\tby mx.example.com with LMTP\n\tid mBL4OX82BGshAAAAZSTCqQ\n\t(envelope-from <%s>)\n\tfor "
	    "<a@b.example>" FIELD_DATE "\n",
	    is_checked_helo(c->helo) ? c->helo : "unknown", c->sender);
	return true;
}

static bool cyrus(struct made *m, const struct client *c)
{
	put(m,
	    "from %s (%s%s[%s])\n\t by mx.example.com (Cyrus 3.6.1) with LMTPA;\n\t Mon, 23 Nov 2026 12:35:31 +0000\n",
	    c->helo, is_host_name(c->ptr) ? c->ptr : "", is_host_name(c->ptr) ? " " : "", c->address);
	return true;
}

/* Writers that nobody knows, HELO as it came or as one word: what is read of them may only be the address. */
static bool unknown(struct made *m, const struct client *c)
{
	char word[WORD_MAX], raw[WORD_MAX];
	static const char *const tails[] = {
		" by mx.example.com with SMTP" QDATE "\n",
		" by mx.example.com with ESMTP id 12" FIELD_DATE "\n",
		"\n\tby mx.example.com with ESMTP id 12" FIELD_DATE "\n",
		" by mx.example.com (Foo 1.2) with SMTP id 3" FIELD_DATE "\n",
		"\n  by mx.example.com (192.0.2.77) with ESMTP" FIELD_DATE "\n",
	};
	const char *helo = c->v6 ? strcpy(raw, c->helo) : first_word(word, c->helo, " \t\r");
	const char *a = c->address, *name = is_host_name(c->ptr) ? c->ptr : "nobody.example";
	unsigned form = (unsigned)c->sender[0] % 9, tail = (unsigned)strlen(c->sender) % 5;
	m->plain = false;
	m->unknown = true;
	switch (form) {
	case 0:
		put(m, "from %s (%s)", a, helo);
		break;
	case 1:
		put(m, "from [%s] (%s)", a, helo);
		break;
	case 2:
		put(m, "from (%s) (%s)", helo, a);
		break;
	case 3:
		put(m, "from %s (HELO %s) (%s)", a, helo, a);
		break;
	case 4:
		put(m, "from %s (HELO %s)", name, helo);
		break;
	case 5:
		put(m, "from %s (%s) (%s)", name, helo, a);
		break;
	case 6:
		put(m, "from %s (%s)", helo, a);
		break;
	case 7:
		put(m, "from %s ([%s])", helo, a);
		break;
	default:
		put(m, "from %s (%s [%s])", helo, name, a);
		break;
	}
	put(m, "%s", tails[tail]);
	return true;
}

static const struct {
	const char *name;
	printer *print;
} printers[] = {
	{ "Postfix", postfix },
	{ "Postfix with a name of its own", postfix_own_name },
	{ "Postfix, hidden", postfix_hidden },
	{ "Postfix, local", postfix_local },
	{ "Exim", exim },
	{ "Exim with junk", exim_junk },
	{ "Exim, unsigned", exim_unsigned },
	{ "Exim, whole host on a line", exim_fullhost },
	{ "Exim, HELO first", exim_helo_first },
	{ "Exim, hidden", exim_hidden },
	{ "Exim, local", exim_local },
	{ "sendmail", sendmail },
	{ "sendmail with bogus HELO", sendmail_bogus },
	{ "OpenSMTPD", opensmtpd },
	{ "OpenSMTPD, masked", opensmtpd_masked },
	{ "Courier", courier },
	{ "qmail", qmail },
	{ "qmail, marker", qmail_marker },
	{ "qpsmtpd", qpsmtpd },
	{ "Haraka", haraka },
	{ "chasquid", chasquid },
	{ "Dovecot", dovecot },
	{ "Dovecot, socket", dovecot_socket },
	{ "Cyrus", cyrus },
	{ "amavis", print_amavis },
	{ "fetchmail", print_fetchmail },
	{ "getmail", print_getmail },
	{ "Exchange", print_exchange },
	{ "Exchange, inner", print_exchange_inner },
	{ "IIS", print_iis },
	{ "Google", print_google },
	{ "Google, inner", print_google_inner },
	{ "CommuniGate", print_communigate },
	{ "CommuniGate, verified", print_communigate_verified },
	{ "unknown", unknown },
	{ "unknown", unknown },
};

static void make_client(struct client *c, struct words *w)
{
	static const char *const outside[] = { "203.0.113.5", "198.18.7.9", "2001:db8:100::6", "192.0.2.10" };
	unsigned hostile = c->bad ? pick(w, 128) : 0;
	strcpy(c->address, outside[pick(w, 4)]);
	c->v6 = strchr(c->address, ':') != NULL;
	c->tls = pick(w, 2) == 0;
	strcpy(c->helo, "gw.example.com");
	strcpy(c->ptr, pick(w, 3) == 0 ? "" : "host5.attacker.test");
	strcpy(c->sender, pick(w, 2) == 0 ? "a@b.example" : "somebody@client.example.net");
	strcpy(c->login, pick(w, 4) == 0 ? "alice" : "");
	c->ident[0] = c->certificate[0] = c->more[0] = '\0';
	if (hostile & 1 || (c->bad && hostile == 0))
		hostile_word(w, c->helo);
	if (hostile & 2)
		hostile_word(w, c->ptr);
	if (hostile & 4)
		hostile_word(w, c->ident);
	if (hostile & 8 && c->login[0] != '\0')
		hostile_word(w, c->login);
	if (hostile & 16)
		hostile_word(w, c->certificate);
	if (hostile & 32)
		hostile_word(w, c->sender);
	if (hostile & 64)
		hostile_line(w, c->more);
}

/* Postfix's smtp(8) and others break long lines; Exim makes folds of bare CRs. */
static void pass_on(struct made *m, unsigned how)
{
	static char copy[sizeof(m->field)];
	size_t n = 0, column = 0;
	for (size_t i = 0; i < m->len && n + 3 < sizeof(copy); i++) {
		if ((how == 1 && m->field[i] == '\r') || (how == 2 && column == 998)) {
			copy[n++] = '\n';
			copy[n++] = ' ';
			column = 1;
			if (how == 1)
				continue;
		}
		column = m->field[i] == '\n' ? 0 : column + 1;
		copy[n++] = m->field[i];
	}
	memcpy(m->field, copy, n);
	m->len = n;
}

void make_field(struct made *m, uint64_t number)
{
	static struct client c;
	struct words w = { number * 0x9e3779b97f4a7c15u + 1 };
	bool printed = false;
	while (!printed) {
		size_t i = pick(&w, sizeof(printers) / sizeof(printers[0]));
		c.bad = pick(&w, 8) != 0;
		make_client(&c, &w);
		m->login = m->local = m->marker = m->fetched = m->unknown = false;
		m->plain = !c.bad;
		m->name = printers[i].name;
		m->len = 0;
		put(m, "Received: ");
		printed = printers[i].print(m, &c);
	}
	mxg_address_parse(&m->address, c.address, strlen(c.address), MXG_ADDRESS_BARE);
	if (c.bad)
		pass_on(m, pick(&w, 4));
}
