/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pass, everything that is to be known from it, and its order. */
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/change.h"
#include "common/dump.h"
#include "common/kernel.h"
#include "common/netlink.h"

struct maker {
	const struct agx_snapshot_options *options;
	struct agx_snapshot *snapshot;
	struct ct_census census;
	size_t expect_room;
};

static uint64_t
nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t
agx_now(void)
{
	return nanoseconds(CLOCK_REALTIME);
}

uint64_t
agx_milliseconds(void)
{
	return nanoseconds(CLOCK_MONOTONIC) / 1000000;
}

static int
add_flow(const struct ct_flow *flow, void *data)
{
	struct maker *maker = data;
	struct agx_snapshot *snapshot = maker->snapshot;
	const uint32_t max = maker->options->max_rows;
	int error = ct_census_add(&maker->census, flow);

	if (error || !snapshot->table)
		return error;
	if (max && ct_table_count(snapshot->table) >= max) {
		snapshot->rows_cut++;
		return 0;
	}
	return ct_table_add(snapshot->table, flow);
}

/* A namespace without flows is not passed over: the kernel would search all others'. */
static int
pass(struct maker *maker, struct ct_netlink *netlink)
{
	const struct ct_dump_options options = {
		.reader_thread = true,
		.stop = maker->options->stop,
	};
	struct ct_kernel kernel;
	int error = ct_kernel_count(netlink, &kernel);

	if (error || kernel.count == 0)
		return error;
	return ct_dump(netlink, &options, add_flow, maker, NULL);
}

static int
add_expect(const struct ct_expect *expect, void *data)
{
	struct maker *maker = data;
	struct agx_snapshot *snapshot = maker->snapshot;
	struct ct_flow flow = { .has = CT_ORIG_TUPLE | CT_ZONE,
				.orig = expect->tuple,
				.zone = expect->zone };
	struct agx_expect *at;

	if (snapshot->expect_count == maker->expect_room) {
		size_t room = maker->expect_room * 2 + 16;

		at = reallocarray(snapshot->expects, room, sizeof(*at));
		if (!at)
			return -ENOMEM;
		snapshot->expects = at;
		maker->expect_room = room;
	}
	at = &snapshot->expects[snapshot->expect_count++];
	at->expect = *expect;
	ct_table_key_of(&at->key, &flow);
	return 0;
}

static int
by_key(const void *a, const void *b)
{
	const struct agx_expect *left = a, *right = b;

	return ct_table_key_compare(&left->key, &right->key);
}

/* Two with one key, of two helpers' classes, are one row. */
static void
sort_expects(struct agx_snapshot *snapshot)
{
	struct agx_expect *all = snapshot->expects;
	size_t kept = 0;

	if (snapshot->expect_count == 0)
		return;
	qsort(all, snapshot->expect_count, sizeof(*all), by_key);
	for (size_t i = 0; i < snapshot->expect_count; i++)
		if (kept == 0 || by_key(&all[kept - 1], &all[i]) != 0)
			all[kept++] = all[i];
	snapshot->expect_count = kept;
}

static int
by_zone(const void *a, const void *b)
{
	const struct agx_zone *left = a, *right = b;

	return (int)left->zone - (int)right->zone;
}

static int
count_zones(struct agx_snapshot *snapshot, const struct ct_bins *bins)
{
	if (bins->count == 0)
		return 0;
	snapshot->zones = calloc(bins->count, sizeof(*snapshot->zones));
	if (!snapshot->zones)
		return -ENOMEM;
	for (uint32_t i = 0; i < bins->size; i++) {
		const struct ct_bin *bin = &bins->slots[i];

		if (bin->tally.flows > 0)
			snapshot->zones[snapshot->zone_count++] = (struct agx_zone){
				.zone = (uint16_t)bin->key,
				.flows = bin->tally.flows,
			};
	}
	qsort(snapshot->zones, snapshot->zone_count, sizeof(*snapshot->zones), by_zone);
	return 0;
}

static int
make(struct maker *maker)
{
	struct agx_snapshot *snapshot = maker->snapshot;
	struct ct_netlink *netlink;
	int error;

	if (!maker->options->no_flow_table) {
		snapshot->table = ct_table_new();
		if (!snapshot->table)
			return -ENOMEM;
	}
	error = ct_netlink_open(&netlink, maker->options->netns);
	if (error)
		return error;
	error = pass(maker, netlink);
	if (!error && snapshot->table)
		error = ct_table_seal(snapshot->table);
	if (!error && snapshot->table)
		error = ct_expect_dump(netlink, add_expect, maker);
	ct_netlink_free(netlink);
	if (error)
		return error;
	sort_expects(snapshot);
	ct_census_summary(&maker->census, &snapshot->summary);
	return count_zones(snapshot, &maker->census.zones);
}

static void
forget(struct agx_snapshot *snapshot)
{
	ct_table_free(snapshot->table);
	free(snapshot->zones);
	free(snapshot->expects);
	snapshot->table = NULL;
	snapshot->zones = NULL;
	snapshot->expects = NULL;
	snapshot->zone_count = snapshot->expect_count = 0;
}

struct agx_snapshot *
agx_snapshot_new(const struct agx_snapshot_options *options)
{
	struct agx_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	struct maker maker = { .options = options, .snapshot = snapshot };

	if (!snapshot)
		return NULL;
	snapshot->begun = agx_now();
	snapshot->begun_ms = agx_milliseconds();
	ct_census_init(&maker.census);
	snapshot->error = make(&maker);
	ct_census_done(&maker.census);
	if (snapshot->error)
		forget(snapshot);
	snapshot->took_ms = agx_milliseconds() - snapshot->begun_ms;
	return snapshot;
}

void
agx_snapshot_free(struct agx_snapshot *snapshot)
{
	if (!snapshot)
		return;
	forget(snapshot);
	free(snapshot);
}

const struct agx_expect *
agx_snapshot_expect_next(const struct agx_snapshot *snapshot,
			 const struct ct_table_key *key, bool inclusive)
{
	size_t low = 0, high = snapshot->expect_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = ct_table_key_compare(&snapshot->expects[middle].key, key);

		if (order < 0 || (order == 0 && !inclusive))
			low = middle + 1;
		else
			high = middle;
	}
	return low < snapshot->expect_count ? &snapshot->expects[low] : NULL;
}

const struct agx_expect *
agx_snapshot_expect(const struct agx_snapshot *snapshot, const struct ct_table_key *key)
{
	const struct agx_expect *found = agx_snapshot_expect_next(snapshot, key, true);

	return found && ct_table_key_compare(&found->key, key) == 0 ? found : NULL;
}
