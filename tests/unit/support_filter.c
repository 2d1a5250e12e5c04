/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support_filter.h"

#include <string.h>

#include "common/filter.h"

const struct ct_condition *
condition_of(const char *name)
{
	for (const struct ct_condition *c = ct_conditions; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	fail_msg("there is no condition '%s'", name);
	return NULL;
}

void
add(struct ct_filter *filter, const char *name, const char *value)
{
	struct ct_why why;
	int error = ct_filter_add(filter, condition_of(name), value, &why);

	if (error)
		fail_msg("--%s %s: %d, %s", name, value ? value : "", error, why.text);
}

void
set_status(struct ct_flow *flow, uint32_t status)
{
	flow->has |= CT_STATUS;
	flow->status = status;
}

void
set_label(struct ct_flow *flow, unsigned int bit)
{
	flow->has |= CT_LABELS;
	flow->labels[bit / 8] |= (uint8_t)(1 << bit % 8);
}
