/* SPDX-License-Identifier: MIT */
/* What Dovecot's configuration does to the guard. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "program.h"

static void ask_all(struct mxg_doctor *d)
{
	static const char *const names[MXG_DOVECOT_SETTINGS] = {
		[MXG_DOVECOT_TRUSTED] = "login_trusted_networks",
		[MXG_DOVECOT_HAPROXY] = "haproxy_trusted_networks",
		[MXG_DOVECOT_LIBEXEC] = "libexec_dir",
		[MXG_DOVECOT_PLUGINS] = "mail_plugin_dir",
		[MXG_DOVECOT_USERNAME] = "auth_username_format",
	};
	mxg_program_dovecot_values(d->dovecot, names, d->dovecot_settings, MXG_DOVECOT_SETTINGS);
}

struct network_list {
	struct mxg_prefix items[64];
	size_t count;
};

static void add_network(void *to, const char *word)
{
	struct network_list *list = to;
	enum mxg_prefix_error error = list->count == 64
					      ? MXG_PREFIX_BAD_ADDRESS
					      : mxg_prefix_parse(&list->items[list->count], word, strlen(word));
	if (error == MXG_PREFIX_OK || error == MXG_PREFIX_HOST_BITS)
		list->count++;
}

/* HAProxy's own address in login_trusted_networks: whoever comes through it may say XCLIENT. */
static void check_trust(struct mxg_doctor *d, const struct network_list *trusted, const struct network_list *haproxy)
{
	char text[MXG_PREFIX_TEXT_MAX];
	struct mxg_prefix_list proxies = { .items = (struct mxg_prefix *)(uintptr_t)haproxy->items,
					   .count = haproxy->count };
	for (size_t i = 0; i < trusted->count; i++) {
		mxg_prefix_format(&trusted->items[i], text);
		if (mxg_doctor_overlaps(&proxies, &trusted->items[i]))
			mxg_finding_add(
				&d->findings, MXG_FINDING_ERROR, "dovecot-haproxy-trusted",
				"take the proxy out of login_trusted_networks; haproxy_trusted_networks is enough",
				"%s is in Dovecot's haproxy_trusted_networks and login_trusted_networks: clients "
				"behind the proxy may claim any address by XCLIENT",
				text);
		else if (!mxg_doctor_covers(&d->policy->internal, &trusted->items[i]))
			mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "dovecot-trusted",
					"hosts that may say XCLIENT are relays of ours: list them in internal, or "
					"trust them less",
					"%s is in Dovecot's login_trusted_networks, but not in internal: it may claim "
					"any client "
					"address",
					text);
	}
}

static bool check_plugin(struct mxg_doctor *d, const char *protocol, const char *name)
{
	char *plugins = mxg_program_dovecot_value(d->dovecot, protocol, "mail_plugins"), who[80];
	bool loaded = plugins != NULL && strstr(plugins, "mxguard") != NULL;
	snprintf(who, sizeof(who), "Dovecot's plugin in protocol %s", name);
	if (loaded)
		mxg_finding_add(&d->findings, MXG_FINDING_OK, "dovecot-plugin", NULL,
				"Dovecot loads the plugin in protocol %s", name);
	if (loaded)
		mxg_doctor_certificate_queued(d, who);
	else if (plugins != NULL)
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "dovecot-plugin",
				d->dovecot_version >= 204
					? "where this protocol delivers mail, mail_plugins { mxguard = yes }"
					: "where this protocol delivers mail, mail_plugins = $mail_plugins mxguard",
				"Dovecot does not load the plugin in protocol %s", name);
	free(plugins);
	return loaded;
}

/* 2.4 does not start where a setting of ours stands in it and the settings module is gone. */
static void tell_unread(struct mxg_doctor *d)
{
	if (d->dovecot == NULL && d->dovecot_version > 0 && geteuid() == 0)
		mxg_finding_add(&d->findings, MXG_FINDING_ERROR, "dovecot",
				"doveconf -n says why; where a setting mxguard_… is unknown to it, the plugin is not "
				"installed: install it, or take the line out",
				"Dovecot's configuration cannot be read: Dovecot does not start with it, IMAP neither");
	else
		mxg_finding_add(&d->findings, d->dovecot != NULL ? MXG_FINDING_WARNING : MXG_FINDING_NOTE, "dovecot",
				d->dovecot != NULL ? "doveconf -n says why" : NULL,
				"Dovecot's configuration cannot be read, or it is not installed");
}

void mxg_doctor_dovecot(struct mxg_doctor *d)
{
	struct network_list trusted = { .count = 0 }, haproxy = { .count = 0 };
	d->dovecot_version = mxg_program_dovecot_version(NULL);
	ask_all(d);
	const char *networks = d->dovecot_settings[MXG_DOVECOT_TRUSTED],
		   *proxies = d->dovecot_settings[MXG_DOVECOT_HAPROXY];
	if (networks == NULL) {
		tell_unread(d);
		return;
	}
	mxg_program_words(networks, add_network, &trusted);
	if (proxies != NULL)
		mxg_program_words(proxies, add_network, &haproxy);
	check_trust(d, &trusted, &haproxy);
	d->loaded_in_lmtp = check_plugin(d, "protocol=lmtp", "lmtp");
	d->loaded_in_lda = check_plugin(d, "protocol=lda", "lda");
}
