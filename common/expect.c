/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of an expectation's flags. */
#include "expect.h"

static const char *const flags[] = { "permanent", "inactive", "userspace" };

#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

_Static_assert(CT_EXPECT_USERSPACE == 1 << (FLAG_COUNT - 1), "a name for each bit");

const char *
ct_expect_flag_name(unsigned int bit)
{
	return bit < FLAG_COUNT ? flags[bit] : NULL;
}

int
ct_expect_flag_value(const char *name)
{
	for (size_t i = 0; i < FLAG_COUNT; i++)
		if (ct_same_word(name, flags[i]))
			return (int)i;
	return -1;
}
