/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connlabel.conf, read by libnetfilter_conntrack; the names are then our own copy. */
#include "label.h"

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"

struct ct_labels {
	char *names[CT_LABEL_BITS];
};

struct ct_labels *
ct_labels_new(void)
{
	struct nfct_labelmap *map = nfct_labelmap_new(CT_LABEL_FILE);
	struct ct_labels *labels;

	if (!map)
		return NULL;
	labels = calloc(1, sizeof(*labels));
	for (unsigned int bit = 0; labels && bit < CT_LABEL_BITS; bit++) {
		const char *name = nfct_labelmap_get_name(map, bit);

		if (name && *name)
			labels->names[bit] = strdup(name);
	}
	nfct_labelmap_destroy(map);
	return labels;
}

void
ct_labels_free(struct ct_labels *labels)
{
	if (!labels)
		return;
	for (unsigned int bit = 0; bit < CT_LABEL_BITS; bit++)
		free(labels->names[bit]);
	free(labels);
}

const char *
ct_label_name(const struct ct_labels *labels, unsigned int bit)
{
	return labels && bit < CT_LABEL_BITS ? labels->names[bit] : NULL;
}

int
ct_label_bit(const struct ct_labels *labels, const char *name)
{
	for (unsigned int bit = 0; labels && bit < CT_LABEL_BITS; bit++)
		if (labels->names[bit] && strcmp(labels->names[bit], name) == 0)
			return (int)bit;
	return -1;
}
