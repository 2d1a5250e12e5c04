/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of formats. */
#include "output.h"

static const struct output *const dialects[] = { &output_xml, &output_xml_flows };

const struct output *
output_dialect(const char *name)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++)
		if (ct_same_word(name, dialects[i]->name))
			return dialects[i];
	return NULL;
}
