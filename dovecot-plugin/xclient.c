/* SPDX-License-Identifier: MIT */
#include "xclient.h"

#include "transaction.h"

#include "smtp-syntax.h"
#include "str.h"

/* What XCLIENT says where an attribute has no value; Dovecot takes one for a name, and passes
 * over the other. */
static bool is_no_login(const char *value)
{
	return strcasecmp(value, "[UNAVAILABLE]") == 0 || strcasecmp(value, "[TEMPUNAVAIL]") == 0;
}

static bool parse_value(const char *text, const char **value_r)
{
	const char *error;

	return smtp_xtext_parse(text, value_r, &error) >= 0;
}

/* An address that Dovecot would not take leaves everything as it is: so it may count as another. */
static bool is_another_address(const struct client *client, const char *value)
{
	struct ip_addr ip;

	if (strncasecmp(value, "IPV6:", 5) == 0)
		value += 5;
	return net_addr2ip(value, &ip) < 0 || !net_ip_compare(&ip, &client->remote_ip);
}

struct told {
	bool login;
	bool address, another_address;
};

/* The parameters, with an empty LOGIN, which makes Dovecot forget it, for one that says nothing. */
static void read_parameters(const struct client *client, const char *params, string_t *out, struct told *told)
{
	const char *const *args, *value;

	for (args = t_strsplit(params, " "); *args != NULL; args++) {
		const char *arg = *args;

		if (strncasecmp(arg, "LOGIN=", 6) == 0 && parse_value(arg + 6, &value)) {
			told->login = TRUE;
			arg = is_no_login(value) ? "LOGIN=" : arg;
		} else if (strncasecmp(arg, "ADDR=", 5) == 0 && parse_value(arg + 5, &value) && !is_no_login(value)) {
			told->address = TRUE;
			told->another_address = is_another_address(client, value);
		}
		str_printfa(out, "%s%s", str_len(out) > 0 ? " " : "", arg);
	}
}

/* A login that came before its address keeps, if nothing was delivered for it yet: Dovecot's own
 * proxy splits what it has to say, and the address comes last. */
static void cmd_xclient(struct smtp_server_cmd_ctx *cmd, const char *params)
{
	struct client *client = cmd->conn->context;
	struct session *session = session_of(client);
	string_t *out = t_str_new(256);
	struct told told = { 0 };

	read_parameters(client, params, out, &told);
	if (told.another_address && !told.login && (session->address_told || session->had_transaction))
		str_append(out, " LOGIN=");
	session->address_told = session->address_told || told.address;
	smtp_server_cmd_xclient(cmd, str_c(out));
}

void xclient_forget_logins(struct smtp_server *server)
{
	static struct smtp_server *last;

	if (server != last)
		smtp_server_command_override(server, "XCLIENT", cmd_xclient, SMTP_SERVER_CMD_FLAG_PREAUTH);
	last = server;
}
