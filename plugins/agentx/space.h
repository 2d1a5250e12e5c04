/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_SPACE_H
#define AGX_SPACE_H
/*
 * One network namespace as the agent shows it, in one SNMP context: what is known of
 * it, and how old that is.  Everything here is the main thread's, which answers; the
 * other threads hand over snapshots and counts.
 */
#include <stdbool.h>
#include <stdint.h>

#include "builder.h"
#include "common/flow.h"
#include "common/kernel.h"
#include "common/netlink.h"
#include "common/netns.h"
#include "common/stats.h"
#include "listener.h"
#include "options.h"
#include "touched.h"

/* conntapControl, and conntapSnapshotMaxAge. */
struct agx_controls {
	int32_t usage_high; /* percent; -1: off */
	int32_t usage_low;
	uint32_t interval; /* seconds between two notifications of a kind */
	uint32_t snapshot_age;
	bool notifications;
};

/* An error that lasts: said once, and once that it is over. */
struct agx_trouble {
	int error;
	bool said;
};

struct agx_space {
	const struct agx_options *options;
	const char *context; /* "": the default one */
	const char *netns;   /* NULL: the agent's own */
	struct agx_order *order;
	struct agx_ear *ear;
	struct agx_controls controls;
	uint64_t begun; /* ns since 1970: since when the counters count */

	/* By agx_space_look(). */
	uint64_t looked_ms;
	struct ct_netns_id id;      /* whose counters these are; all 0: nobody's */
	int look_error;             /* 0, or why `kernel` and `stats` say nothing */
	struct ct_netlink *netlink; /* NULL where it cannot be had */
	struct ct_kernel kernel;
	struct ct_stats stats;
	struct agx_heard heard;

	/* By agx_space_snapshot(). */
	struct agx_snapshot *snapshot; /* NULL: none yet; it may be an error */
	bool renewed;                  /* in this request */
	struct agx_touched touched;

	/* The flow that this request has asked for last. */
	bool asked;
	int asked_error;
	struct ct_table_key asked_key;
	struct ct_flow asked_flow;

	uint32_t deleted;
	uint32_t delete_failures;
	struct agx_trouble look_trouble;
	struct agx_trouble snapshot_trouble;
};

/*
 * Makes a space; `netns` is NULL for the agent's own namespace, and is kept.  NULL: no
 * memory.
 */
struct agx_space *agx_space_new(const struct agx_options *options,
				const struct agx_netns *netns,
				struct agx_builder *builder,
				struct agx_listener *listener);
void agx_space_free(struct agx_space *space);

/* What a log line begins with: "NAME: ", or "". */
const char *agx_space_label(const struct agx_space *space, char buffer[300]);

/* Brings the kernel's numbers up to date, unless they are only just read. */
void agx_space_look(struct agx_space *space);

/* A request begins: what was kept for the one before is forgotten. */
void agx_space_begin(struct agx_space *space);

/*
 * The snapshot; NULL where there is none, or none that is good.  The first time in a
 * request it is the newest, and that counts as a question for the next one: so whoever
 * needs none does not come here.
 */
const struct agx_snapshot *agx_space_snapshot(struct agx_space *space);

/*
 * Asks the kernel for the flow with that key; the same question a second time in one
 * request is answered from memory.  Returns 0, -ENOENT, or another -errno.
 */
int agx_space_get(struct agx_space *space, const struct ct_table_key *key,
		  struct ct_flow *flow);

/* The row was set: forget what is known of it. */
void agx_space_touch(struct agx_space *space, const struct ct_table_key *key);

#endif
