/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_FILTER_H
#define CT_FILTER_H
/*
 * A user's conditions → a predicate over flows, and the part of it that the kernel
 * could do.  For every face that lets people choose flows.
 *
 * Different conditions are ANDed.  One condition given several times, or with several
 * values, is ORed: `--dport 80,443 --dport 8080-8090 --family ipv4`.
 */
#include <stdbool.h>
#include <stdint.h>

#include "condition.h"
#include "dump.h"
#include "flow.h"
#include "parse.h"

struct ct_filter;

/* Both as the C library's; free takes NULL. */
struct ct_filter *ct_filter_new(void);
void ct_filter_free(struct ct_filter *filter);

/*
 * Adds `value` to the condition.  `value` is NULL only for a condition whose argument
 * may be left out.
 * Returns 0, -EINVAL with a half sentence in `why` (parse.h), or -ENOMEM.
 */
int ct_filter_add(struct ct_filter *filter, const struct ct_condition *condition,
		  const char *value, struct ct_why *why);

/* Without a condition, every flow matches. */
bool ct_filter_is_empty(const struct ct_filter *filter);

/* What "now" is for ages, if not when the filter was made: ns since 1970. */
void ct_filter_set_now(struct ct_filter *filter, uint64_t now);

bool ct_filter_match(const struct ct_filter *filter, const struct ct_flow *flow);

/*
 * A condition of the filter that no flow can meet unless the kernel collects `need`;
 * NULL when there is none.
 */
const struct ct_condition *ct_filter_needing(const struct ct_filter *filter,
					     enum ct_need need);

/*
 * What the kernel can leave out for this filter.  It is never all of it: match every
 * flow again.
 */
void ct_filter_ask(const struct ct_filter *filter, struct ct_dump_ask *ask);

/*
 * The other way round: the one flow that the conditions describe, for requests about a
 * single flow.  Its tuples have what the conditions say of them, so a reply that was
 * not mentioned is absent; everything else likewise.
 * Returns 0, or -EINVAL and why when a condition leaves a choice or contradicts
 * another.
 */
int ct_filter_describe(const struct ct_filter *filter, struct ct_flow *flow,
		       struct ct_why *why);

#endif
