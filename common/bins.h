/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_BINS_H
#define CT_BINS_H
/*
 * Tallies by number: how many flows have this zone, that mark.  For census.
 */
#include <stddef.h>
#include <stdint.h>

#include "flow.h"

/* How much of something there is. */
struct ct_tally {
	uint64_t flows;
	uint64_t accounted;              /* how many of them have counters */
	struct ct_counters sum[CT_DIRS]; /* of those */
};

void ct_tally_add(struct ct_tally *tally, const struct ct_tally *more);

/* Of a single flow. */
static inline struct ct_tally
ct_tally_of(const struct ct_flow *flow)
{
	struct ct_tally tally;

	tally.flows = 1;
	tally.accounted = (flow->has & CT_COUNTERS) != 0;
	tally.sum[CT_ORIG] = flow->counters[CT_ORIG];
	tally.sum[CT_REPLY] = flow->counters[CT_REPLY];
	return tally;
}

/* Of both directions. */
static inline uint64_t
ct_tally_bytes(const struct ct_tally *tally)
{
	return tally->sum[CT_ORIG].bytes + tally->sum[CT_REPLY].bytes;
}

static inline uint64_t
ct_tally_packets(const struct ct_tally *tally)
{
	return tally->sum[CT_ORIG].packets + tally->sum[CT_REPLY].packets;
}

struct ct_bin {
	uint64_t key;
	struct ct_tally tally;
};

struct ct_bins {
	struct ct_bin *slots;
	uint32_t size;  /* of slots; a power of two, or 0 */
	uint32_t count; /* of bins */
	uint32_t limit;
	uint64_t seed;          /* of the hash */
	struct ct_bin *last;    /* the one that was asked for last */
	struct ct_tally others; /* of the keys that came when there were `limit` bins */
};

/* For so many keys; memory is taken as they come.  `done` frees it. */
void ct_bins_init(struct ct_bins *bins, uint32_t limit);
void ct_bins_done(struct ct_bins *bins);

/* Empties all of it, and keeps the memory. */
void ct_bins_clear(struct ct_bins *bins);

/*
 * The tally of `key`, or `others` when there is no place for one more key.  It is to
 * have a flow added, and stays where it is until the next call.  NULL: no memory.
 */
struct ct_tally *ct_bins_at(struct ct_bins *bins, uint64_t key);

/* Calls `bin_fn` for each, in no order, until it returns other than 0; returns that. */
typedef int (*ct_bin_fn)(const struct ct_bin *bin, void *data);
int ct_bins_each(const struct ct_bins *bins, ct_bin_fn bin_fn, void *data);

/*
 * The `most` bins (0: all) with most flows, in that order, to be freed; what the others
 * come to is in *others.  Returns 0 or -ENOMEM.
 */
int ct_bins_list(const struct ct_bins *bins, size_t most, struct ct_bin **list,
		 size_t *count, struct ct_tally *others);

#endif
