/* SPDX-License-Identifier: MIT */
#include "audit/listeners.h"

#include <stdlib.h>

bool mxg_listeners_add(struct mxg_listeners *l, const struct mxg_listener *listener)
{
	if ((l->count & (l->count - 1)) == 0) {
		struct mxg_listener *items = reallocarray(l->items, l->count == 0 ? 1 : l->count * 2, sizeof(*items));
		if (items == NULL)
			return false;
		l->items = items;
	}
	l->items[l->count++] = *listener;
	return true;
}

void mxg_listeners_clear(struct mxg_listeners *l)
{
	free(l->items);
	*l = (struct mxg_listeners){ 0 };
}

static bool is_loopback(const struct mxg_address *a)
{
	return a->family == 4 ? a->bytes[0] == 127 : mxg_address_half(a, 0) == 0 && mxg_address_half(a, 1) == 1;
}

bool mxg_listener_answers(const struct mxg_listener *l, const struct mxg_self *self, const struct mxg_address *address)
{
	if (l->address.family == 0)
		return address->family == 4 ? l->any4 : l->any6;
	if (mxg_address_equal(&l->address, address))
		return true;
	/* an address outside of a NAT: what it leads to inside is not known */
	return !mxg_self_is_interface(self, address) && l->address.family == address->family &&
	       !is_loopback(&l->address);
}
