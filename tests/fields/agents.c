/* SPDX-License-Identifier: MIT */
/* What stands behind an MTA and what fetches mail, with the words that reach them; and servers of
 * which no capture exists, which are taken to let every byte through. */
#include "client.h"

#include <string.h>

static const char *tag(const struct client *c)
{
	return c->v6 ? "IPv6:" : "";
}

/* amavisd, received_line(): HELO is its client's word, the recipient quoted. */
bool print_amavis(struct made *m, const struct client *c)
{
	char to[WORD_MAX];
	put(m,
	    "from %s ([%s%s])\n by localhost (mx.example.com [127.0.0.1]) (amavis%s, port 10024) with ESMTP\n id "
	    "nO2mhGlriji9",
	    c->helo, tag(c), c->address, c->tls ? "d-new" : "");
	put(m, " for <\"%s\"@b.example>;\n Mon, 23 Nov 2026 12:35:31 +0000 (UTC)\n",
	    without(to, c->sender, "\"\\", 'x'));
	return true;
}

/* fetchmail, transact.c: the recipient of a multi-drop mailbox stands in the message. */
bool print_fetchmail(struct made *m, const struct client *c)
{
	m->fetched = true;
	put(m,
	    "from imap.example.net [%s]\n\tby mx.example.com with %s (fetchmail-6.4.37)\n\tfor <%s> "
	    "(%s-drop)" FIELD_DATE " (UTC)\n",
	    c->address, c->tls ? "IMAP" : "POP3", c->sender, c->bad ? "multi" : "single");
	return true;
}

/* getmail, message.py: the server chooses its message ids, and they are one word. */
bool print_getmail(struct made *m, const struct client *c)
{
	char id[WORD_MAX];
	m->fetched = true;
	put(m,
	    "from imap.example.net (%s:143) by mx.example.com with\n  IMAP4 getmail6 msgid:%s; 23 Nov 2026 12:39:21 "
	    "-0000\n",
	    c->address, only(id, c->sender, "!\"#$%&'()*+,/:;<=>?@[]^`{|}~", '_'));
	return true;
}

static const char *exchange_tail(const struct client *c)
{
	static const char *const tails[] = {
		" with Microsoft SMTP Server (version=TLS1_2, cipher=X) id 15.20.1143.11",
		"\n with Microsoft SMTP Server id 15.20.6886.15 via Frontend\n Transport",
		" with mapi id 15.20.1943.023",
		" with\n HTTPS",
	};
	return tails[strlen(c->sender) % 4];
}

bool print_exchange(struct made *m, const struct client *c)
{
	static const char *const folds[] = { " ", "\n " };
	put(m, "from%s%s%s(%s) by BN8NAM04FT017.mail.protection.example (10.13.161.136)%s" FIELD_DATE "\n",
	    folds[c->tls], c->helo, folds[c->v6], c->address, exchange_tail(c));
	return true;
}

/* "([A])", its own servers among themselves */
bool print_exchange_inner(struct made *m, const struct client *c)
{
	char word[WORD_MAX];
	put(m, "from %s ([%s]) by AM5PR0402MB2836.prod.example ([10.0.0.1])%s" FIELD_DATE "\n",
	    first_word(word, c->helo, " "), c->address, exchange_tail(c));
	return true;
}

bool print_iis(struct made *m, const struct client *c)
{
	put(m,
	    "from %s ([%s]%s) by mx.example.com with Microsoft SMTPSVC(6.0.3790.0);\n\t Mon, 23 Nov 2026 12:35:31 "
	    "+0000\n",
	    c->helo, c->address, c->tls ? " RDNS failed" : "");
	return true;
}

bool print_google(struct made *m, const struct client *c)
{
	char word[WORD_MAX];
	m->login = c->login[0] != '\0';
	put(m,
	    "from %s (%s%s[%s%s])\n        by mx.google.com with %s id a1-20020a1c4444000000b003f9.7\n        for "
	    "<a@b.example>",
	    first_word(word, c->helo, " \t"), is_host_name(c->ptr) ? c->ptr : "", is_host_name(c->ptr) ? ". " : "",
	    tag(c), c->address, with(c, m->login));
	put(m, "\n        (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 bits=128/128);\n        Mon, 23 Nov 2026 "
	       "04:35:31 -0800 (PST)\n");
	return true;
}

bool print_google_inner(struct made *m, const struct client *c)
{
	m->plain = false;
	put(m, "by 2002:a05:6a10:1d05:b0:4a5:2d9f:9d2f with SMTP id %s" FIELD_DATE "\n", c->tls ? "x7csp1" : "nn5");
	return true;
}

bool print_communigate(struct made *m, const struct client *c)
{
	m->login = c->login[0] != '\0';
	put(m, "from [%s] (", c->address);
	if (m->login)
		put(m, "account %s ", c->login);
	put(m,
	    "HELO %s)\n  by mx.example.com (CommuniGate Pro SMTP 6.2.5)\n  with %s id 87581547 for "
	    "a@b.example" FIELD_DATE "\n",
	    c->helo, with(c, m->login));
	return true;
}

bool print_communigate_verified(struct made *m, const struct client *c)
{
	put(m,
	    "from %s ([%s] verified)\n  by mx.example.com (CommuniGate Pro SMTP 6.2.5)\n  with ESMTP id 8 for "
	    "<\"%s\"@b>" FIELD_DATE "\n",
	    c->helo, c->address, c->sender);
	return true;
}
