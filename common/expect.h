/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_EXPECT_H
#define CT_EXPECT_H
/*
 * One expectation as plain data: a flow that a helper has announced and that is let in
 * as a relative of its master.  Built like struct ct_flow (flow.h): no pointers, host
 * byte order, and what the kernel did not send is not in `has`.
 */
#include <stdint.h>

#include "flow.h"

struct ct_expect {
	uint32_t has;           /* CT_EXPECT_* of the enum below */
	struct ct_tuple tuple;  /* what is expected */
	struct ct_tuple mask;   /* which bits of it count */
	struct ct_tuple master; /* the original tuple of the flow that announced it */
	struct ct_tuple nat;    /* what the expected flow will be translated to */
	uint32_t nat_dir;       /* CT_ORIG or CT_REPLY: the direction of `nat` */
	uint32_t timeout;       /* seconds left */
	uint32_t id;            /* as little of a key as a flow's */
	uint32_t flags;         /* CT_EXPECT_PERMANENT … */
	uint32_t helper_class;  /* of the helper's: 0 is its first */
	uint16_t zone;
	uint16_t unused;
	char helper[CT_HELPER_LEN];
	char fn[CT_HELPER_LEN]; /* the kernel's function that takes the expected flow */
};

enum {
	CT_EXPECT_HAS_TUPLE = 1 << 0,
	CT_EXPECT_HAS_MASK = 1 << 1,
	CT_EXPECT_HAS_MASTER = 1 << 2,
	CT_EXPECT_HAS_NAT = 1 << 3,
	CT_EXPECT_HAS_TIMEOUT = 1 << 4,
	CT_EXPECT_HAS_ID = 1 << 5,
	CT_EXPECT_HAS_FLAGS = 1 << 6,
	CT_EXPECT_HAS_CLASS = 1 << 7,
	CT_EXPECT_HAS_ZONE = 1 << 8,
	CT_EXPECT_HAS_HELPER = 1 << 9,
	CT_EXPECT_HAS_FN = 1 << 10,
};

/* Bits of ct_expect.flags: linux/netfilter/nf_conntrack_common.h, NF_CT_EXPECT_*. */
enum {
	CT_EXPECT_PERMANENT = 1 << 0,
	CT_EXPECT_INACTIVE = 1 << 1,
	CT_EXPECT_USERSPACE = 1 << 2,
};

/* "permanent" …; `bit` counts from 0.  NULL, and -1, for what has no name. */
const char *ct_expect_flag_name(unsigned int bit);
int ct_expect_flag_value(const char *name);

#endif
