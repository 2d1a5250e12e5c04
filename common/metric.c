/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A row for each metric: what it is called, and the function that finds its samples in
 * a source.  The kernel's counters have their names in stats; a row each is made of
 * them.
 */
#include "metric.h"

#include <errno.h>
#include <stdlib.h>

#include "metric_put.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct row {
	struct ct_metric metric;
	metric_put_fn *put;
	int which; /* for `put` */
};

/* clang-format off */
static const struct row rows[] = {
	{ { "build", NULL, "What measures, and on which kernel",
	    { "version", "kernel" }, CT_INFO, 0 }, ct_metric_put_info, 0 },

	{ { "entries", NULL, "Flows in the table, by the kernel's own count",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_kernel, CT_KERNEL_COUNT },
	{ { "entries_limit", NULL, "Flows that a network namespace may have, "
	    "nf_conntrack_max; 0 is no limit",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_kernel, CT_KERNEL_MAX },
	{ { "buckets", NULL, "Size of the hash table, which all network namespaces share",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_kernel, CT_KERNEL_BUCKETS },
	{ { "accounting", NULL, "Whether packets and bytes of new flows are counted, "
	    "nf_conntrack_acct",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_kernel, CT_KERNEL_ACCT },
	{ { "timestamping", NULL, "Whether start and end of new flows are kept, "
	    "nf_conntrack_timestamp",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_kernel, CT_KERNEL_TIMESTAMP },
	{ { "events_mode", NULL, "Whether new flows send events: 0 never, 1 always, "
	    "2 if somebody listens; nf_conntrack_events",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_kernel, CT_KERNEL_EVENTS },
	{ { "expectations", NULL, "Flows that helpers expect",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_kernel, CT_KERNEL_EXPECTS },
	{ { "expectations_limit", NULL, "Expectations that there may be, "
	    "nf_conntrack_expect_max",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_kernel, CT_KERNEL_EXPECT_MAX },

	{ { "flows", NULL, "Flows",
	    { "family", "proto" }, CT_GAUGE, 0 }, ct_metric_put_protos, METRIC_FLOWS },
	{ { "flow", "bytes", "Bytes so far of the flows that are in the table",
	    { "family", "proto", "direction" }, CT_GAUGE, 0 }, ct_metric_put_protos, METRIC_BYTES },
	{ { "flow_packets", NULL, "Packets so far of the flows that are in the table",
	    { "family", "proto", "direction" }, CT_GAUGE, 0 }, ct_metric_put_protos, METRIC_PACKETS },
	{ { "unreplied_flows", NULL, "Flows that nothing has come back for",
	    { "proto" }, CT_GAUGE, 0 }, ct_metric_put_unreplied, METRIC_FLOWS },

	{ { "state_flows", NULL, "Flows by the state of their protocol",
	    { "proto", "state" }, CT_GAUGE, 0 }, ct_metric_put_states, METRIC_FLOWS },
	{ { "state", "bytes", "Bytes so far of these flows",
	    { "proto", "state" }, CT_GAUGE, 0 }, ct_metric_put_states, METRIC_BYTES },
	{ { "state_packets", NULL, "Packets so far of these flows",
	    { "proto", "state" }, CT_GAUGE, 0 }, ct_metric_put_states, METRIC_PACKETS },
	{ { "status_flows", NULL, "Flows by status; a flow has several",
	    { "status" }, CT_GAUGE, 0 }, ct_metric_put_status, METRIC_FLOWS },
	{ { "status", "bytes", "Bytes so far of these flows",
	    { "status" }, CT_GAUGE, 0 }, ct_metric_put_status, METRIC_BYTES },
	{ { "status_packets", NULL, "Packets so far of these flows",
	    { "status" }, CT_GAUGE, 0 }, ct_metric_put_status, METRIC_PACKETS },
	{ { "zone_flows", NULL, "Flows by the zone of their original direction",
	    { "zone" }, CT_GAUGE, 0 }, ct_metric_put_zones, METRIC_FLOWS },
	{ { "zone", "bytes", "Bytes so far of these flows",
	    { "zone" }, CT_GAUGE, 0 }, ct_metric_put_zones, METRIC_BYTES },
	{ { "zone_packets", NULL, "Packets so far of these flows",
	    { "zone" }, CT_GAUGE, 0 }, ct_metric_put_zones, METRIC_PACKETS },
	{ { "mark_flows", NULL, "Flows by their mark",
	    { "mark" }, CT_GAUGE, 0 }, ct_metric_put_marks, METRIC_FLOWS },
	{ { "mark", "bytes", "Bytes so far of these flows",
	    { "mark" }, CT_GAUGE, 0 }, ct_metric_put_marks, METRIC_BYTES },
	{ { "mark_packets", NULL, "Packets so far of these flows",
	    { "mark" }, CT_GAUGE, 0 }, ct_metric_put_marks, METRIC_PACKETS },

	{ { "nat_flows", NULL, "Flows whose answers go to this public address",
	    { "address", "proto", "zone" }, CT_GAUGE, 0 }, ct_metric_put_nat, METRIC_NAT_FLOWS },
	{ { "nat_ports", NULL, "Ports of this public address in use",
	    { "address", "proto", "zone" }, CT_GAUGE, 0 }, ct_metric_put_nat, METRIC_NAT_PORTS },
	{ { "nat_remote_ports", NULL, "Ports of this public address in use to the remote "
	    "address and port that uses most",
	    { "address", "proto", "zone" }, CT_GAUGE, 0 }, ct_metric_put_nat, METRIC_NAT_REMOTE },
	{ { "nat_range_ports", NULL, "Ports of this public address that one remote can use",
	    { "address", "proto", "zone" }, CT_GAUGE, 0 }, ct_metric_put_nat, METRIC_NAT_RANGE },
	{ { "nat_ignored_flows", NULL, "Flows of more public addresses than are told apart",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_nat_ignored, 0 },

	{ { "pass", "seconds", "Time that the pass over the table took",
	    { NULL }, CT_GAUGE, 9 }, ct_metric_put_pass, METRIC_PASS(nanoseconds) },
	{ { "pass_flows", NULL, "Flows that the pass has seen",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_pass, METRIC_PASS(flows) },
	{ { "pass_repeated_flows", NULL, "Flows that the kernel sent twice, counted once",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_pass, METRIC_PASS(repeated) },
	{ { "pass_malformed_flows", NULL, "Flows whose messages could not be read",
	    { NULL }, CT_GAUGE, 0 }, ct_metric_put_pass, METRIC_PASS(malformed) },
};
/* clang-format on */

static struct row
stat_row(enum ct_stat stat)
{
	return (struct row){
		.metric = { .name = ct_stat_name(stat),
			    .help = ct_stat_help(stat),
			    .labels = { "cpu" },
			    .kind = CT_COUNTER },
		.put = ct_metric_put_stat,
		.which = (int)stat,
	};
}

/* Calls `row_fn` for each row, those of the table and those made of stats. */
static int
each_row(int (*row_fn)(const struct row *row, void *data), void *data)
{
	/* All at once: a metric is told from the one before by where it is. */
	struct row stats[CT_STATS];
	int status = 0;

	for (enum ct_stat i = 0; i < CT_STATS; i++)
		stats[i] = stat_row(i);
	for (size_t i = 0; status == 0 && i < COUNT(rows); i++)
		status = row_fn(&rows[i], data);
	for (size_t i = 0; status == 0 && i < COUNT(stats); i++)
		status = row_fn(&stats[i], data);
	return status;
}

static int
prepare(struct metric_prepared *prepared, const struct ct_metric_source *source)
{
	const struct ct_census *census = source->census;

	prepared->source = source;
	if (source->nat)
		prepared->pools = ct_nat_list(source->nat, &prepared->pool_count);
	if (source->bins && prepared->pool_count > source->bins)
		prepared->pool_count = source->bins;
	if (!census)
		return 0;
	prepared->summary = malloc(sizeof(*prepared->summary));
	if (!prepared->summary)
		return -ENOMEM;
	ct_census_summary(census, prepared->summary);
	if (ct_bins_list(&census->zones, source->bins, &prepared->zones,
			 &prepared->zone_count, &prepared->other_zones) < 0)
		return -ENOMEM;
	return ct_bins_list(&census->marks, source->bins, &prepared->marks,
			    &prepared->mark_count, &prepared->other_marks);
}

static void
done(struct metric_prepared *prepared)
{
	free(prepared->summary);
	free(prepared->zones);
	free(prepared->marks);
}

struct walk_all {
	struct metric_walk walk;
	const struct metric_prepared *prepared;
	size_t count;
};

static int
walk_row(const struct row *row, void *data)
{
	struct walk_all *all = data;
	int status = 0;

	all->walk.metric = &row->metric;
	for (size_t i = 0; status == 0 && i < all->count; i++) {
		all->walk.from = &all->prepared[i];
		status = row->put(&all->walk, row->which);
	}
	return status;
}

int
ct_metric_walk(const struct ct_metric_source *sources, size_t count,
	       ct_sample_fn sample_fn, void *data)
{
	struct metric_prepared *prepared = calloc(count + 1, sizeof(*prepared));
	struct walk_all all = {
		.walk = { .sample_fn = sample_fn, .data = data },
		.prepared = prepared,
		.count = count,
	};
	int status = prepared ? 0 : -ENOMEM;

	for (size_t i = 0; status == 0 && i < count; i++)
		status = prepare(&prepared[i], &sources[i]);
	if (status == 0)
		status = each_row(walk_row, &all);
	for (size_t i = 0; prepared && i < count; i++)
		done(&prepared[i]);
	free(prepared);
	return status;
}

struct each {
	ct_metric_fn metric_fn;
	void *data;
};

static int
name_row(const struct row *row, void *data)
{
	const struct each *each = data;

	return each->metric_fn(&row->metric, each->data);
}

int
ct_metric_each(ct_metric_fn metric_fn, void *data)
{
	struct each each = { .metric_fn = metric_fn, .data = data };

	return each_row(name_row, &each);
}
