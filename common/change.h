/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_CHANGE_H
#define CT_CHANGE_H
/*
 * Requests about single entries: get, create, update, delete, and flush.  For the
 * commands that change the table.
 *
 * To the kernel, a delete request without a whole original tuple means "delete every
 * flow".  So a delete here always names zone, whole original tuple and id, one that
 * cannot is refused before the kernel sees it, and flush is a function of its own.
 */
#include <stdbool.h>
#include <stddef.h>

#include "encode.h"
#include "expect.h"
#include "flow.h"
#include "netlink.h"

enum ct_change {
	CT_CREATE,
	CT_UPDATE,
	CT_DELETE,
};

/* The most flows in one call of ct_change(). */
#define CT_CHANGE_MAX 256

/*
 * Creates, updates or deletes `count` flows, in one message to the kernel and one
 * back.  What each flow must have:
 *
 *   create  original and reply tuple, timeout; everything else that it has is set, its
 *	     status and reply tuple being what ct_encode_nat() needs
 *   update  a tuple, of either direction; what else it has is changed
 *   delete  original tuple and id
 *
 * and the zone, if it is in one.  `masks`, for updates, may be NULL: all bits.
 *
 * `results` gets for each flow: 0 done; -EEXIST one of these tuples is taken already;
 * -ENOENT it is gone (or, for a delete, lives again under another id); -EINVAL the flow
 * lacks what it must have, or the kernel's refusal.
 *
 * Returns 0 when every flow has its result; else -errno, and the results say nothing.
 */
int ct_change(struct ct_netlink *netlink, enum ct_change what,
	      const struct ct_flow *flows, size_t count,
	      const struct ct_encode_masks *masks, int *results);

/*
 * Asks the kernel for the flow with the tuple that `asked` has: its original one, or
 * else its reply one, in its zone.  Returns 0 and *found, -ENOENT, or another -errno.
 */
int ct_get(struct ct_netlink *netlink, const struct ct_flow *asked,
	   struct ct_flow *found);

/*
 * Deletes every flow, or those of one family (AF_UNSPEC: both) and one zone (-1: all),
 * also where they are in that zone in one direction only.  Returns 0; nothing being
 * deleted, -EINVAL for what is no family or zone, and -EOPNOTSUPP where the kernel is
 * too old to respect the restriction and would delete everything; or another -errno.
 */
int ct_flush(struct ct_netlink *netlink, uint8_t family, int zone);

/* The same for expectations; CT_UPDATE is not known for them. */
int ct_expect_change(struct ct_netlink *netlink, enum ct_change what,
		     const struct ct_expect *expect);
int ct_expect_get(struct ct_netlink *netlink, const struct ct_expect *asked,
		  struct ct_expect *found);
int ct_expect_flush(struct ct_netlink *netlink);

/* Calls `expect_fn` for each expectation; 0 goes on, a positive value is returned. */
typedef int (*ct_expect_fn)(const struct ct_expect *expect, void *data);
int ct_expect_dump(struct ct_netlink *netlink, ct_expect_fn expect_fn, void *data);

#endif
