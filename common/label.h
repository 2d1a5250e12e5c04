/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_LABEL_H
#define CT_LABEL_H
/*
 * The names that this system gives to label bits, from connlabel.conf.  For conditions
 * and for formats.
 */
struct ct_labels;

/* Where the names stand. */
#define CT_LABEL_FILE "/etc/xtables/connlabel.conf"

/* Reads the file; NULL where there is none, which is no error.  `free` takes NULL. */
struct ct_labels *ct_labels_new(void);
void ct_labels_free(struct ct_labels *labels);

/* NULL for a bit without a name, and where `labels` is NULL. */
const char *ct_label_name(const struct ct_labels *labels, unsigned int bit);

/* -1 for a name without a bit, and where `labels` is NULL. */
int ct_label_bit(const struct ct_labels *labels, const char *name);

#endif
