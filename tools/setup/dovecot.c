/* SPDX-License-Identifier: MIT */
/* What Dovecot is set to, and which one it is. */
#include <stdlib.h>
#include <string.h>

#include "doctor/program.h"
#include "setup.h"

struct networks {
	struct mxg_setup *setup;
	const char *proxies; /* haproxy_trusted_networks */
};

/* Who may say XCLIENT is a relay of ours; a proxy is not, though it may stand in both lists. */
static void take_trusted(void *to, const char *word)
{
	struct networks *networks = to;
	struct mxg_prefix prefix;
	enum mxg_prefix_error error = mxg_prefix_parse(&prefix, word, strlen(word));
	if ((error == MXG_PREFIX_OK || error == MXG_PREFIX_HOST_BITS) && prefix.bits >= 8 &&
	    strstr(networks->proxies, word) == NULL)
		mxg_setup_add_prefix(networks->setup, &networks->setup->internal, &prefix,
				     "Dovecot's login_trusted_networks");
}

void mxg_setup_dovecot(struct mxg_setup *s)
{
	const char *config = s->options->dovecot;
	static const char *const names[] = { "login_trusted_networks", "haproxy_trusted_networks" };
	char *values[2], *trusted, *proxies;
	mxg_program_dovecot_values(config, names, values, 2);
	trusted = values[0];
	proxies = values[1];
	char *plugins = mxg_program_dovecot_value(config, "protocol=lmtp", "mail_plugins");
	struct networks networks = { s, proxies == NULL ? "" : proxies };
	s->dovecot = mxg_program_dovecot_version(&s->dovecot_version);
	if (trusted != NULL)
		mxg_program_words(trusted, take_trusted, &networks);
	s->plugin_loaded = plugins != NULL && strstr(plugins, "mxguard") != NULL;
	free(plugins);
	free(proxies);
	free(trusted);
}
