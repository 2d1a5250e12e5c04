/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_KERNEL_H
#define CT_KERNEL_H
/*
 * What the kernel says of the table as a whole: how full it is, and how it is set up.
 * For whoever wants totals without a pass over the table.
 */
#include <stdbool.h>
#include <stdint.h>

#include "netlink.h"

enum {
	CT_KERNEL_COUNT = 1 << 0,
	CT_KERNEL_MAX = 1 << 1,
	CT_KERNEL_BUCKETS = 1 << 2,
	CT_KERNEL_ACCT = 1 << 3,
	CT_KERNEL_TIMESTAMP = 1 << 4,
	CT_KERNEL_EVENTS = 1 << 5,
	CT_KERNEL_EXPECT_MAX = 1 << 6,
	CT_KERNEL_EXPECTS = 1 << 7,
};

struct ct_kernel {
	uint32_t has;   /* CT_KERNEL_*: what could be read */
	uint32_t count; /* flows of this network namespace */
	uint32_t max;   /* the same for each namespace by itself; 0: no limit */
	uint32_t buckets;
	uint32_t acct;      /* nf_conntrack_acct: are new flows' bytes counted? */
	uint32_t timestamp; /* nf_conntrack_timestamp */
	uint32_t events;    /* nf_conntrack_events: 0 off, 1 on, 2 while listened to */
	uint32_t expect_max;
	uint32_t expects; /* expectations there are */
};

/* One of its values, by CT_KERNEL_*; false when it could not be read. */
bool ct_kernel_value(const struct ct_kernel *kernel, uint32_t which, uint32_t *value);

/*
 * Reads what can be read: count and max by netlink, or from /proc where netlink is
 * NULL or refuses; the settings from /proc, which everybody may.
 * Returns 0, or -ENOENT when the kernel tracks no connections.
 */
int ct_kernel_read(struct ct_netlink *netlink, struct ct_kernel *kernel);

/*
 * Counts the expectations, after ct_kernel_read().  The kernel has no number of them
 * to tell, so it lists them, a few thousand at most; where `netlink` is NULL or
 * refuses, they stay unknown.
 */
void ct_kernel_read_expects(struct ct_netlink *netlink, struct ct_kernel *kernel);

/*
 * Asks ctnetlink for the table's size, which costs nothing.  Returns 0, -EPERM without
 * CAP_NET_ADMIN, -EPROTONOSUPPORT when the kernel has no nf_conntrack_netlink.
 */
int ct_kernel_count(struct ct_netlink *netlink, struct ct_kernel *kernel);

/*
 * Loads nf_conntrack_netlink by modprobe.  Returns 0, -ENOENT when there is no
 * modprobe, -ENOTSUP when it could not load the module, or another -errno.
 */
int ct_kernel_load_module(void);

#endif
