/* SPDX-License-Identifier: MIT */
#include "scan/own_folders.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "doctor/program.h"

/* As Thunderbird, Outlook, Apple Mail, Horde, Roundcube, mutt, KMail and Evolution call them, in lower case. */
static const char *const usual[] = {
	/* English */
	"sent",
	"sent items",
	"sent messages",
	"sent mail",
	"sent-mail",
	"sentmail",
	"outbox",
	"drafts",
	"draft",
	"templates",
	/* German */
	"gesendet",
	"gesendete objekte",
	"gesendete elemente",
	"gesendete nachrichten",
	"gesendete e-mails",
	"postausgang",
	"entwürfe",
	"entwurf",
	"vorlagen",
	/* French */
	"envoyés",
	"messages envoyés",
	"éléments envoyés",
	"objets envoyés",
	"courrier envoyé",
	"brouillons",
	"boîte d'envoi",
	"modèles",
	/* Spanish, Portuguese, Catalan */
	"enviados",
	"enviadas",
	"elementos enviados",
	"mensajes enviados",
	"correo enviado",
	"borradores",
	"bandeja de salida",
	"itens enviados",
	"mensagens enviadas",
	"rascunhos",
	"enviats",
	"esborranys",
	/* Italian, Romanian */
	"inviati",
	"inviata",
	"posta inviata",
	"messaggi inviati",
	"elementi inviati",
	"bozze",
	"posta in uscita",
	"trimise",
	"mesaje trimise",
	"ciorne",
	/* Dutch, Danish, Norwegian, Swedish, Finnish */
	"verzonden",
	"verzonden items",
	"verzonden berichten",
	"concepten",
	"sendt",
	"sendte elementer",
	"sendt post",
	"kladder",
	"utkast",
	"skickat",
	"skickade objekt",
	"skickade",
	"lähetetyt",
	"luonnokset",
	/* Polish, Czech, Slovak, Hungarian, Croatian, Slovenian */
	"wysłane",
	"elementy wysłane",
	"szkice",
	"wersje robocze",
	"odeslaná",
	"odeslané",
	"odeslaná pošta",
	"koncepty",
	"odoslané",
	"odoslaná pošta",
	"elküldött",
	"elküldött elemek",
	"piszkozatok",
	"poslano",
	"poslane stavke",
	"skice",
	"osnutki",
	/* Russian, Ukrainian, Greek, Turkish */
	"отправленные",
	"черновики",
	"надіслані",
	"чернетки",
	"απεσταλμένα",
	"πρόχειρα",
	"gönderilmiş",
	"gönderilmiş öğeler",
	"taslaklar",
	/* Japanese, Chinese, Korean */
	"送信済み",
	"送信済みメール",
	"送信済みアイテム",
	"下書き",
	"已发送",
	"已发送邮件",
	"已发邮件",
	"草稿",
	"草稿箱",
	"寄件備份",
	"已傳送",
	"보낸 편지함",
	"보낸메일함",
	"임시 보관함",
	"임시보관함",
};

#define CONFIGURED_MAX 32
static char *configured[CONFIGURED_MAX];
static size_t configured_count;
static bool asked; /* Dovecot */

/* What mail stores are made of. */
static const char *const none[] = { "cur", "new", "tmp", "maildir", "mail" };

/* ---- names as IMAP writes them ------------------------------------------------------------------------------ */

static size_t put_utf8(char *out, uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	return n;
}

/* The base64 between & and -, of UTF-16; where it ends. A name that is none stays as it is, and matches nothing. */
static const char *decode_run(const char *at, char **out, const char *end)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
	uint32_t bits = 0, high = 0;
	unsigned count = 0;
	for (const char *digit; *at != '\0' && (digit = strchr(digits, *at)) != NULL; at++) {
		bits = bits << 6 | (uint32_t)(digit - digits);
		count += 6;
		if (count < 16 || end - *out < 5)
			continue;
		count -= 16;
		uint32_t unit = bits >> count & 0xffff;
		if (unit >= 0xd800 && unit < 0xdc00) {
			high = unit;
			continue;
		}
		bool low = high != 0 && unit >= 0xdc00 && unit < 0xe000;
		*out += put_utf8(*out, low ? 0x10000 + ((high & 0x3ff) << 10 | (unit & 0x3ff)) : unit);
		high = 0;
	}
	return at + (*at == '-');
}

static void decode(char *out, size_t size, const char *name, size_t len)
{
	const char *last = name + len;
	char *end = out + size - 1;
	while (name < last && out < end) {
		if (*name != '&')
			*out++ = *name++;
		else if (name[1] == '-')
			*out++ = '&', name += 2;
		else
			name = decode_run(name + 1, &out, end);
	}
	*out = '\0';
}

/* ---- which are ------------------------------------------------------------------------------------------------ */

/* Capital letters of other scripts: those of UTF-8's two bytes in Latin, Greek and Cyrillic. */
static void lower(char *text)
{
	for (unsigned char *s = (unsigned char *)text; *s != '\0'; s++) {
		if (*s >= 'A' && *s <= 'Z')
			*s = (unsigned char)(*s + 32);
		else if (*s == 0xc3 && s[1] >= 0x80 && s[1] <= 0x9e && s[1] != 0x97)
			s[1] = (unsigned char)(s[1] + 32), s++;
		else if (*s == 0xd0 && s[1] >= 0x90 && s[1] <= 0x9f)
			s[1] = (unsigned char)(s[1] + 32), s++;
		else if (*s == 0xd0 && s[1] >= 0xa0 && s[1] <= 0xaf)
			*s = 0xd1, s[1] = (unsigned char)(s[1] - 32), s++;
		else if (*s == 0xce && s[1] >= 0x91 && s[1] <= 0x9f)
			s[1] = (unsigned char)(s[1] + 32), s++;
		else if (*s == 0xce && s[1] >= 0xa0 && s[1] <= 0xa9)
			*s = 0xcf, s[1] = (unsigned char)(s[1] - 32), s++;
	}
}

static bool is_among(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static bool is_listed(const char *word)
{
	return is_among(usual, sizeof(usual) / sizeof(usual[0]), word) ||
	       is_among((const char *const *)configured, configured_count, word);
}

static enum mxg_own is_own(const char *name, size_t len)
{
	char word[512];
	decode(word, sizeof(word), name, len);
	lower(word);
	if (is_listed(word))
		return MXG_OWN_YES;
	return asked || is_among(none, sizeof(none) / sizeof(none[0]), word) ? MXG_OWN_NO : MXG_OWN_ASK;
}

/* A folder within an own one is one as well. */
enum mxg_own mxg_own_folder(const char *name)
{
	enum mxg_own all = MXG_OWN_NO;
	if (name[0] != '.')
		return is_own(name, strlen(name));
	for (const char *at = name + 1; *at != '\0'; at += at[0] == '.') {
		size_t len = strcspn(at, ".");
		enum mxg_own own = is_own(at, len);
		if (own == MXG_OWN_YES)
			return own;
		all = own == MXG_OWN_ASK ? own : all;
		at += len;
	}
	return all;
}

/* ---- Dovecot ---------------------------------------------------------------------------------------------------- */

static void add_configured(const char *name, size_t len)
{
	char word[512];
	if (configured_count == CONFIGURED_MAX || len == 0 || len >= sizeof(word))
		return;
	memcpy(word, name, len);
	word[len] = '\0';
	lower(word);
	char *copy = is_listed(word) ? NULL : strdup(word);
	if (copy != NULL)
		configured[configured_count++] = copy;
}

/* Behind the last separator of a hierarchy. */
static void add_last(const char *name, size_t len)
{
	size_t from = len;
	while (from > 0 && name[from - 1] != '/' && name[from - 1] != '.')
		from--;
	add_configured(name + from, len - from);
}

/* The value behind `name = ` in a line, without quotes; NULL: it is another line. */
static const char *value_of(const char *line, const char *name, size_t *len)
{
	size_t n = strlen(name);
	line += strspn(line, " \t");
	if (strncmp(line, name, n) != 0 || (line[n] != ' ' && line[n] != '='))
		return NULL;
	line += n + strspn(line + n, " =\"");
	*len = strcspn(line, "\"{\n");
	while (*len > 0 && line[*len - 1] == ' ')
		--*len;
	return line;
}

/* `mailbox "Sent Messages" {` … `special_use = \Sent`; in Dovecot 2.4 the name may stand in a line of its own. */
static void read_line(const char *line, const char **name, size_t *name_len)
{
	const char *value;
	size_t len;
	if ((value = value_of(line, "mailbox", &len)) != NULL ||
	    (value = value_of(line, "mailbox_name", &len)) != NULL ||
	    (*name != NULL && (value = value_of(line, "name", &len)) != NULL)) {
		*name = value;
		*name_len = len;
	} else if ((value = value_of(line, "special_use", &len)) != NULL ||
		   (value = value_of(line, "mailbox_special_use", &len)) != NULL) {
		bool own = memmem(value, len, "\\Sent", 5) != NULL || memmem(value, len, "\\Drafts", 7) != NULL;
		if (own && *name != NULL)
			add_last(*name, *name_len);
	}
}

static void ask_dovecot(void)
{
	const char *const argv[] = { "doveconf", "-n", NULL };
	const char *name = NULL;
	size_t len = 0;
	char *output = mxg_program_output(argv);
	for (const char *line = output; line != NULL && *line != '\0';) {
		const char *end = strchrnul(line, '\n');
		read_line(line, &name, &len);
		line = *end == '\0' ? NULL : end + 1;
	}
	free(output);
	(void)mxg_program_tell_silent("mxguard scan");
}

bool mxg_own_folder_for_certain(const char *name)
{
	enum mxg_own own = mxg_own_folder(name);
	if (own != MXG_OWN_ASK)
		return own == MXG_OWN_YES;
	ask_dovecot();
	asked = true;
	return mxg_own_folder(name) == MXG_OWN_YES;
}
