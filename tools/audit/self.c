/* SPDX-License-Identifier: MIT */
#include "audit/self.h"

#include <stdlib.h>

#include "base/host.h"

static void note_family(struct mxg_self *self, const struct mxg_address *a)
{
	self->v4 |= a->family == 4;
	self->v6 |= a->family == 6;
}

bool mxg_self_read(struct mxg_self *out, const struct mxguard_policy *policy)
{
	*out = (struct mxg_self){ .configured = &policy->self };
	if (!mxg_host_addresses(&out->interfaces, &out->count))
		return false;
	for (size_t i = 0; i < out->count; i++)
		note_family(out, &out->interfaces[i]);
	for (size_t i = 0; i < policy->self.count; i++)
		note_family(out, &policy->self.items[i].base);
	return true;
}

void mxg_self_clear(struct mxg_self *self)
{
	free(self->interfaces);
	*self = (struct mxg_self){ 0 };
}

bool mxg_self_is_interface(const struct mxg_self *self, const struct mxg_address *address)
{
	for (size_t i = 0; i < self->count; i++)
		if (mxg_address_equal(&self->interfaces[i], address))
			return true;
	return false;
}

bool mxg_self_has(const struct mxg_self *self, const struct mxg_address *address)
{
	return mxg_list_covers(self->configured, address) || mxg_self_is_interface(self, address);
}

size_t mxg_self_each(const struct mxg_self *self, size_t index, struct mxg_address *out)
{
	size_t seen = self->count;
	if (index < seen)
		*out = self->interfaces[index];
	for (size_t i = 0; i < self->configured->count; i++) {
		if (mxg_self_is_interface(self, &self->configured->items[i].base))
			continue;
		if (seen++ == index)
			*out = self->configured->items[i].base;
	}
	return seen;
}
