/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntapStats and conntapCpuTable: what the kernel counts as packets pass. */
#include "common/stats.h"
#include "regions.h"
#include "space.h"

/* In both, a counter is so far behind the first. */
static bool
is_counted(const struct agx_space *space, unsigned int column, enum ct_stat *stat)
{
	*stat = (enum ct_stat)(column - AGX_STATS_FIRST);
	return !space->look_error && space->stats.has >> *stat & 1;
}

static bool
sum_value(struct agx_space *space, unsigned int column, uint32_t row,
	  struct agx_value *value)
{
	enum ct_stat stat;

	(void)row;
	if (column == AGX_STATS_TIME)
		return agx_date(value, space->begun);
	return is_counted(space, column, &stat) &&
	       agx_counter64(value, ct_stats_sum(&space->stats, stat));
}

const struct agx_region agx_stats = {
	.name = "conntapStats",
	.place = { 1, 2 },
	.place_length = 2,
	.first_column = AGX_STATS_TIME,
	.last_column = AGX_STATS_FIRST + CT_STATS - 1,
	.prepare = agx_space_look,
	.row_after = agx_scalar_after,
	.value = sum_value,
};

/* Rows are processors, from 1. */
static int64_t
cpu_after(struct agx_space *space, int64_t after)
{
	int64_t best = -1;

	for (size_t i = 0; i < space->stats.count; i++) {
		int64_t row = (int64_t)space->stats.cpus[i].cpu + 1;

		if (row > after && (best < 0 || row < best))
			best = row;
	}
	return best;
}

static bool
cpu_value(struct agx_space *space, unsigned int column, uint32_t row,
	  struct agx_value *value)
{
	enum ct_stat stat;

	if (!is_counted(space, column, &stat))
		return false;
	for (size_t i = 0; i < space->stats.count; i++)
		if (space->stats.cpus[i].cpu + 1 == row)
			return agx_counter32(value, space->stats.cpus[i].last[stat]);
	return false;
}

const struct agx_region agx_cpus = {
	.name = "conntapCpuTable",
	.place = { 1, 2, 15, 1 },
	.place_length = 4,
	.first_column = AGX_STATS_FIRST,
	.last_column = AGX_STATS_FIRST + CT_STATS - 1,
	.prepare = agx_space_look,
	.row_after = cpu_after,
	.value = cpu_value,
};
