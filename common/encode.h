/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_ENCODE_H
#define CT_ENCODE_H
/*
 * decode the other way round: plain data → the attributes of a ctnetlink request.  For
 * dump and change.  What a struct does not have is left out.
 */
#include <stdint.h>

#include "expect.h"
#include "flow.h"

struct nlmsghdr;

/* The most bytes that each of these adds. */
#define CT_ENCODE_TUPLE_MAX 96
#define CT_ENCODE_FLOW_MAX 896
#define CT_ENCODE_EXPECT_MAX 768

/* Which bits of a mark and of the labels a request is about; the others stay. */
struct ct_encode_masks {
	uint32_t mark;
	uint8_t labels[CT_LABEL_BITS / 8];
};

/* Adds `tuple` as attribute `type` (CTA_TUPLE_ORIG …). */
void ct_encode_tuple(struct nlmsghdr *message, uint16_t type,
		     const struct ct_tuple *tuple);

/*
 * Adds what an administrator can set of a flow: tuples, master, zone, timeout, mark,
 * status, protocol state, labels, helper, sequence adjustment, SYN proxy.  `masks` may
 * be NULL: all bits.
 */
void ct_encode_flow(struct nlmsghdr *message, const struct ct_flow *flow,
		    const struct ct_encode_masks *masks);

/*
 * Adds the translation that makes the reply's tuple, as its status says (CT_SRC_NAT,
 * CT_DST_NAT); for a flow that is to be created.
 */
void ct_encode_nat(struct nlmsghdr *message, const struct ct_flow *flow);

void ct_encode_expect(struct nlmsghdr *message, const struct ct_expect *expect);

#endif
