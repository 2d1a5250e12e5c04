/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_SNAPSHOT_H
#define AGX_SNAPSHOT_H
/*
 * What one pass over the table of a network namespace found: the flows in the order of
 * their names, the expectations likewise, and how many flows are of which kind.  Made
 * by one thread, and then only read.  For everything that a walk goes through.
 */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/census.h"
#include "common/expect.h"
#include "common/table.h"

struct agx_zone {
	uint16_t zone;
	uint64_t flows;
};

struct agx_expect {
	struct ct_table_key key;
	struct ct_expect expect;
};

struct agx_snapshot {
	int error;         /* 0, or the -errno for which there is nothing else here */
	uint64_t begun;    /* ns since 1970: when the pass began */
	uint64_t begun_ms; /* agx_milliseconds() then */
	uint64_t took_ms;  /* until the flows were in order */
	uint64_t rows_cut; /* flows left out of `table` */
	struct ct_table *table; /* NULL when flows are not to be shown */
	struct ct_summary summary;
	struct agx_zone *zones; /* in order */
	size_t zone_count;
	struct agx_expect *expects; /* in order */
	size_t expect_count;
};

/* How a snapshot is made. */
struct agx_snapshot_options {
	const char *netns; /* NULL: the present one */
	bool no_flow_table;
	uint32_t max_rows;                 /* 0: all */
	const volatile sig_atomic_t *stop; /* give up when it is not 0 */
};

/* Passes over the table.  NULL without memory for even an error.  `free` takes NULL. */
struct agx_snapshot *agx_snapshot_new(const struct agx_snapshot_options *options);
void agx_snapshot_free(struct agx_snapshot *snapshot);

/* The expectation with that key; the first behind it, or with it; NULL. */
const struct agx_expect *agx_snapshot_expect(const struct agx_snapshot *snapshot,
					     const struct ct_table_key *key);
const struct agx_expect *agx_snapshot_expect_next(const struct agx_snapshot *snapshot,
						  const struct ct_table_key *key,
						  bool inclusive);

/* Of a clock that only goes on; and ns since 1970. */
uint64_t agx_milliseconds(void);
uint64_t agx_now(void);

#endif
