/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_SIGNALS_H
#define MXG_LDA_SIGNALS_H

/*
 * What a signal does is inherited from whoever starts us, and through us by COMMAND, which is to
 * have what it would have had without us: set keeps it and puts ours in its place, restore gives it
 * back. Where COMMAND could not be started after that, set may be called again. One thread only.
 */
void mxg_lda_signals_set(void);
void mxg_lda_signals_restore(void);

#endif
