/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntapGeneral: how full the table is, how it is set up, how old a snapshot is. */
#include <netinet/in.h>
#include <sys/utsname.h>

#include "regions.h"
#include "space.h"

/* The number of the status bits, as the census counts them. */
enum { ASSURED_BIT = 2, OFFLOAD_BIT = 14 };

_Static_assert(CT_ASSURED == 1 << ASSURED_BIT && CT_OFFLOAD == 1 << OFFLOAD_BIT,
	       "the same bits");

bool
agx_usage(const struct agx_space *space, uint32_t *percent)
{
	const struct ct_kernel *kernel = &space->kernel;

	if (!(kernel->has & CT_KERNEL_COUNT) || !(kernel->has & CT_KERNEL_MAX) ||
	    kernel->max == 0)
		return false;
	*percent = (uint32_t)((uint64_t)kernel->count * 100 / kernel->max);
	if (*percent > 100)
		*percent = 100;
	return true;
}

static bool
usage(const struct agx_space *space, struct agx_value *value)
{
	uint32_t percent;

	return agx_usage(space, &percent) && agx_gauge(value, percent);
}

/* What the kernel says, by CT_KERNEL_*. */
static bool
kernel_value(const struct agx_space *space, unsigned int column,
	     struct agx_value *value)
{
	static const uint32_t which[] = {
		[AGX_ENTRIES] = CT_KERNEL_COUNT,
		[AGX_MAX_ENTRIES] = CT_KERNEL_MAX,
		[AGX_BUCKETS] = CT_KERNEL_BUCKETS,
		[AGX_EXPECT_ENTRIES] = CT_KERNEL_EXPECTS,
		[AGX_EXPECT_MAX] = CT_KERNEL_EXPECT_MAX,
		[AGX_ACCT_ENABLED] = CT_KERNEL_ACCT,
		[AGX_TIMESTAMP_ENABLED] = CT_KERNEL_TIMESTAMP,
		[AGX_EVENTS_MODE] = CT_KERNEL_EVENTS,
	};
	uint32_t number;

	if (!ct_kernel_value(&space->kernel, which[column], &number))
		return false;
	if (column == AGX_ACCT_ENABLED || column == AGX_TIMESTAMP_ENABLED)
		return agx_truth(value, number);
	if (column == AGX_EVENTS_MODE)
		return agx_integer(value, (int32_t)number + 1);
	return agx_gauge(value, number);
}

static bool
snapshot_value(struct agx_space *space, unsigned int column, struct agx_value *value)
{
	const struct agx_snapshot *snapshot = agx_space_snapshot(space);
	const struct ct_summary *summary;

	if (!snapshot)
		return false;
	summary = &snapshot->summary;
	switch (column) {
	case AGX_ENTRIES_IPV4:
		return agx_gauge(value, summary->family[CT_IPV4].flows);
	case AGX_ENTRIES_IPV6:
		return agx_gauge(value, summary->family[CT_IPV6].flows);
	case AGX_ENTRIES_ASSURED:
		return agx_gauge(value, summary->status[ASSURED_BIT].flows);
	case AGX_ENTRIES_UNREPLIED:
		return agx_gauge(value, summary->trait[CT_TRAIT_UNREPLIED].flows);
	case AGX_ENTRIES_NAT:
		return agx_gauge(value, summary->trait[CT_TRAIT_NAT].flows);
	case AGX_ENTRIES_OFFLOAD:
		return agx_gauge(value, summary->status[OFFLOAD_BIT].flows);
	case AGX_SNAPSHOT_TIME:
		return agx_date(value, snapshot->begun);
	case AGX_SNAPSHOT_ROWS:
		return agx_gauge(value,
				 snapshot->table ? ct_table_count(snapshot->table) : 0);
	case AGX_SNAPSHOT_ROWS_CUT:
		return agx_gauge(value, snapshot->rows_cut);
	default:
		return agx_gauge(value, snapshot->took_ms);
	}
}

static bool
heard_value(const struct agx_heard *heard, unsigned int column, struct agx_value *value)
{
	switch (column) {
	case AGX_PEAK_ENTRIES:
		return heard->peak_time && agx_gauge(value, heard->peak);
	case AGX_PEAK_TIME:
		return heard->peak_time && agx_date(value, heard->peak_time);
	case AGX_CREATE_RATE:
		return heard->listening && agx_gauge(value, heard->created);
	case AGX_DESTROY_RATE:
		return heard->listening && agx_gauge(value, heard->destroyed);
	default:
		return heard->listening && agx_counter64(value, heard->lost);
	}
}

static bool
kernel_release(struct agx_value *value)
{
	struct utsname name;

	return uname(&name) == 0 && agx_string(value, name.release);
}

static bool
scalar_value(struct agx_space *space, unsigned int column, uint32_t row,
	     struct agx_value *value)
{
	(void)row;
	switch (column) {
	case AGX_USAGE_PERCENT:
		return usage(space, value);
	case AGX_PEAK_ENTRIES:
	case AGX_PEAK_TIME:
	case AGX_CREATE_RATE:
	case AGX_DESTROY_RATE:
	case AGX_EVENTS_LOST:
		return heard_value(&space->heard, column, value);
	case AGX_NETNS:
		return agx_string(value, space->netns ? space->netns : "");
	case AGX_KERNEL_RELEASE:
		return kernel_release(value);
	case AGX_AGENT_VERSION:
		return agx_string(value, CONNTAP_VERSION);
	case AGX_SNAPSHOT_MAX_AGE:
		return agx_gauge(value, space->controls.snapshot_age);
	case AGX_FLOWS_DELETED:
		return agx_counter32(value, space->deleted);
	case AGX_FLOW_DELETE_FAILURES:
		return agx_counter32(value, space->delete_failures);
	case AGX_ENTRIES:
	case AGX_MAX_ENTRIES:
	case AGX_BUCKETS:
	case AGX_EXPECT_ENTRIES:
	case AGX_EXPECT_MAX:
	case AGX_ACCT_ENABLED:
	case AGX_TIMESTAMP_ENABLED:
	case AGX_EVENTS_MODE:
		return kernel_value(space, column, value);
	default:
		return snapshot_value(space, column, value);
	}
}

const struct agx_region agx_general = {
	.name = "conntapGeneral",
	.place = { 1, 1 },
	.place_length = 2,
	.first_column = AGX_ENTRIES,
	.last_column = AGX_EVENTS_LOST,
	.prepare = agx_space_look,
	.row_after = agx_scalar_after,
	.value = scalar_value,
	.set = agx_general_set,
};
