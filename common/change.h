/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_CHANGE_H
#define CT_CHANGE_H
/*
 * Requests that change the table.  For the commands that delete flows.
 *
 * To the kernel, a delete request without a whole original tuple means "delete every
 * flow".  So a delete here always names zone, whole original tuple and id, and one
 * that cannot is refused before the kernel sees it.
 */
#include <stddef.h>

#include "flow.h"
#include "netlink.h"

/* The most flows in one call of ct_delete(). */
#define CT_DELETE_MAX 256

/*
 * Deletes `count` flows, in one message to the kernel and one back.  `results` gets
 * for each flow: 0 deleted, -ENOENT it was already gone (or lives again under another
 * id), -EINVAL the flow lacks a part of what identifies it, or the kernel's refusal.
 *
 * Returns 0 when every flow has its result; else -errno, and the results say nothing.
 */
int ct_delete(struct ct_netlink *netlink, const struct ct_flow *flows, size_t count,
	      int *results);

#endif
