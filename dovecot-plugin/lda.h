/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_LDA_H
#define MXG_PLUGIN_LDA_H

/* Does nothing where this process is not dovecot-lda. */
void lda_hook_init(void);
void lda_hook_deinit(void);

#endif
