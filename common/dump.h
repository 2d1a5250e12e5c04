/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_DUMP_H
#define CT_DUMP_H
/*
 * One pass over the kernel's table, in constant memory.  For everything that looks at
 * all flows: list, export, count, delete by condition.
 *
 * A dump is not a snapshot: flows come and go while it runs, and it is in the order of
 * the kernel's hash.  When the flow at which the kernel paused dies meanwhile, the
 * kernel sends that hash bucket again; such repetitions are left out here.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow.h"
#include "netlink.h"

/*
 * What the kernel is asked to leave out.  Old kernels ignore what they do not know,
 * so every flow has to be looked at again.  A search that matches little stalls one
 * CPU's packets for as long as a pass over the shared hash takes: only on request.
 */
struct ct_dump_ask {
	uint8_t family; /* AF_INET, AF_INET6, or AF_UNSPEC for both */
	uint16_t has;   /* CT_ASK_* */
	uint16_t zone;
	uint32_t mark;
	uint32_t mark_mask;
	uint32_t status;
	uint32_t status_mask;
	struct ct_tuple tuple[CT_DIRS]; /* what must be equal: by their `has` */
};

enum {
	CT_ASK_ZONE = 1 << 0,
	CT_ASK_MARK = 1 << 1,
	CT_ASK_STATUS = 1 << 2,
};

struct ct_dump_options {
	struct ct_dump_ask ask;
	/* A second thread receives ahead: for consumers with work of their own. */
	bool reader_thread;
	/* Looked at often; the pass ends when it is not 0.  May be NULL. */
	const volatile sig_atomic_t *stop;
};

struct ct_dump_result {
	uint64_t flows;     /* handed to the callback */
	uint64_t repeated;  /* left out as sent twice */
	uint64_t malformed; /* left out as unreadable */
};

/* 0 goes on; a positive value ends the pass, and is what ct_dump() returns. */
typedef int (*ct_flow_fn)(const struct ct_flow *flow, void *data);

/*
 * Calls `flow_fn` for each flow, always in the calling thread.  Without `options`
 * (NULL) it is all of them.
 *
 * Returns 0 when the pass was complete, -ECANCELED after `stop`, the callback's own
 * value, or -errno.  After anything but 0 the rest of the answer is still in the
 * socket: free it.  `result` may be NULL; it is filled in whatever is returned.
 */
int ct_dump(struct ct_netlink *netlink, const struct ct_dump_options *options,
	    ct_flow_fn flow_fn, void *data, struct ct_dump_result *result);

#endif
