/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_SUPPORT_FILTER_H
#define UNIT_SUPPORT_FILTER_H
/* Short ways to conditions and flows. */
#include "support.h"

struct ct_condition;
struct ct_filter;

/* The condition of that name; without one, the test fails. */
const struct ct_condition *condition_of(const char *name);

/* Adds a good value; NULL for none. */
void add(struct ct_filter *filter, const char *name, const char *value);

void set_status(struct ct_flow *flow, uint32_t status);
void set_label(struct ct_flow *flow, unsigned int bit);

#endif
