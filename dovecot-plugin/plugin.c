/* SPDX-License-Identifier: MIT */
/* What Dovecot looks for in a mail plugin. */
#include "client.h"
#include "lda.h"
#include "lookups.h"

#include "module-dir.h"

extern const char *mxguard_plugin_version;
extern const char *mxguard_plugin_dependencies[];
void mxguard_plugin_init(struct module *module);
void mxguard_plugin_deinit(void);

EXPORTED const char *mxguard_plugin_version = DOVECOT_ABI_VERSION;
EXPORTED const char *mxguard_plugin_dependencies[] = { NULL };

EXPORTED void mxguard_plugin_init(struct module *module ATTR_UNUSED)
{
	if (!client_hook_init())
		lda_hook_init();
}

EXPORTED void mxguard_plugin_deinit(void)
{
	client_hook_deinit();
	lda_hook_deinit();
	lookups_deinit();
}
