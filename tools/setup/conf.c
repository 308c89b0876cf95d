/* SPDX-License-Identifier: MIT */
/* What was found, as mxguard.conf. */
#include <string.h>

#include "setup.h"
#include "text.h"

#define DOMAINS_MOST 1000 /* mxguard.conf(5) */

static void print_list(const char *before, const struct mxg_setup_list *list, const char *after, FILE *to)
{
	fputs(before, to);
	for (size_t i = 0; i < list->count; i++)
		fprintf(to, "%s\"%s\"", i == 0 ? " " : i % 6 == 0 ? ",\n  " : ", ", list->items[i]);
	fputs(after, to);
}

static void print_domains(const struct mxg_setup *s, FILE *to)
{
	for (size_t i = 0; i < s->unread.count; i++)
		fprintf(to, "# The domains in %s cannot be listed here: add them.\n", s->unread.items[i]);
	if (s->domains.count == 0) {
		fputs("# Whose mail is guarded: no MTA here says so. Name your domains, and take the sign away.\n"
		      "#domains = [ \"example.com\" ];\n",
		      to);
		return;
	}
	fprintf(to, "# Whose mail is guarded: %s.\n", s->domains.why);
	if (s->domains.count > DOMAINS_MOST) {
		fprintf(to,
			"# They are %zu, more than this file may hold: put them into a file, one a line.\n"
			"#domains_file = \"/etc/mxguard/domains\";\n",
			s->domains.count);
		return;
	}
	print_list("domains = [", &s->domains, " ];\n", to);
}

static void print_internal(const struct mxg_setup *s, FILE *to)
{
	fputs("# Hosts of ours that hand mail on, each with a Received field of its own. Loopback and local sockets\n"
	      "# always are. Never name a NAT, a bridge or a proxy that adds no field.\n",
	      to);
	fprintf(to, "# Found: %s.\n", s->internal.count == 0 ? "none" : s->internal.why);
	print_list("internal = [", &s->internal, " ];\n", to);
}

static void print_origins(const struct mxg_setup *s, FILE *to)
{
	if (s->networks_unwritten)
		fputs("# mynetworks does not stand in main.cf; Postfix's default may hold neighbours, and is not "
		      "taken.\n",
		      to);
	if (s->origins.count == 0) {
		fputs("# Hosts of ours that may send without a gateway: none but this one was found.\n"
		      "#origins = [ \"127.0.0.0/8\", \"::1\" ];\n",
		      to);
		return;
	}
	fprintf(to, "# Hosts of ours that may send without a gateway: %s.\n", s->origins.why);
	print_list("origins = [ \"127.0.0.0/8\", \"::1\",", &s->origins, " ];\n", to);
}

static void print_trace(const struct mxg_setup *s, FILE *to)
{
	if (s->by.count == 0)
		fputs("# Where nobody says how the Received fields of this host are signed, its own names count.\n",
		      to);
	else
		fprintf(to, "# How the Received fields of this host are signed: %s; and who writes them.\n", s->by.why);
	fputs(s->by.count == 0 && !s->has_postfix && !s->has_exim ? "#trace = {" : "trace = {", to);
	if (s->by.count > 0)
		print_list(" by = [", &s->by, " ];", to);
	else
		fputs(" by = [ \"mail.example.com\" ];", to);
	if (s->has_postfix || s->has_exim)
		fprintf(to, " mta = [%s%s%s ];", s->has_postfix ? " \"postfix\"" : "",
			s->has_postfix && s->has_exim ? "," : "", s->has_exim ? " \"exim\"" : "");
	fputs(" };\n", to);
}

static void print_dns(const struct mxg_setup_options *o, FILE *to)
{
	if (o->server_count == 0)
		return;
	fputs("# The DNS servers that were named.\ndns = { servers = [", to);
	for (size_t i = 0; i < o->server_count; i++)
		fprintf(to, "%s \"%s\"", i == 0 ? "" : ",", o->servers[i]);
	fputs(" ]; };\n\n", to);
}

static void print_gateways(const struct mxg_setup *s, FILE *to)
{
	if (s->domains.count > s->suggestion_count && s->suggestion_count > 0)
		fprintf(to, "# The MX of the first %zu %s was asked for; mxguard suggest tells of the others.\n",
			s->suggestion_count, mxg_noun(s->suggestion_count, "domain", "domains"));
	if (mxg_suggestions_print_gateways(s->suggestions, s->suggestion_count, s->suggestion_count >= s->domains.count,
					   to))
		return;
	fputs("# DNS does not say by which filters mail comes: the MX hosts themselves, as a start.\n"
	      "gateways = (\n  { name = \"current-mx\"; allow = \"mx\"; }\n);\n",
	      to);
}

void mxg_setup_conf(const struct mxg_setup *s, FILE *to)
{
	fputs("# As mxguard setup found this host. In monitor everything is accepted, and the log says what would not\n"
	      "# be (would=). mxguard.conf(5) has all settings, mxguard report says when to go on to enforce.\n"
	      "mode = \"monitor\";\n\n",
	      to);
	print_domains(s, to);
	fputc('\n', to);
	print_internal(s, to);
	fputc('\n', to);
	print_origins(s, to);
	fputc('\n', to);
	if (s->self.count > 0) {
		fprintf(to, "# This server's own addresses: %s.\n", s->self.why);
		print_list("self = [", &s->self, " ];\n\n", to);
	}
	print_trace(s, to);
	fputs("\n# Who takes mail from anybody (RFC 5321, section 4.5.1).\nexempt = [ \"postmaster@\" ];\n\n", to);
	print_dns(s->options, to);
	fputs("# Who may hand over mail for the domains, by their MX today.\n", to);
	print_gateways(s, to);
}
