/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_METRIC_PUT_H
#define CT_METRIC_PUT_H
/*
 * How the samples of a metric are found in a source; for metric.c alone, whose table
 * names the function for each metric.
 */
#include <stddef.h>

#include "metric.h"

/* A source, with what has to be worked out before it can be walked. */
struct metric_prepared {
	const struct ct_metric_source *source;
	struct ct_summary *summary; /* NULL without a census */
	struct ct_bin *zones;
	struct ct_bin *marks;
	size_t zone_count;
	size_t mark_count;
	struct ct_tally other_zones;
	struct ct_tally other_marks;
	const struct ct_nat_pool *pools;
	size_t pool_count;
};

struct metric_walk {
	ct_sample_fn sample_fn;
	void *data;
	const struct ct_metric *metric;
	const struct metric_prepared *from;
};

/* What of a tally a metric shows. */
enum { METRIC_FLOWS, METRIC_BYTES, METRIC_PACKETS };

/* And of a pool of public ports. */
enum { METRIC_NAT_FLOWS, METRIC_NAT_PORTS, METRIC_NAT_REMOTE, METRIC_NAT_RANGE };

/* The place of a member of struct ct_pass_report, in words of 64 bits. */
#define METRIC_PASS(member) \
	(int)(offsetof(struct ct_pass_report, member) / sizeof(uint64_t))

/*
 * Hands on the samples of the walk's present metric; `which` is what its row says.
 * Returns what the visitor did.
 */
typedef int metric_put_fn(const struct metric_walk *walk, int which);

metric_put_fn ct_metric_put_info;
metric_put_fn ct_metric_put_kernel; /* CT_KERNEL_* */
metric_put_fn ct_metric_put_stat;   /* enum ct_stat */
metric_put_fn ct_metric_put_pass;   /* METRIC_PASS() */
/* METRIC_FLOWS, METRIC_BYTES or METRIC_PACKETS: */
metric_put_fn ct_metric_put_protos, ct_metric_put_unreplied, ct_metric_put_states,
	ct_metric_put_status, ct_metric_put_zones, ct_metric_put_marks;
metric_put_fn ct_metric_put_nat; /* METRIC_NAT_* */
metric_put_fn ct_metric_put_nat_ignored;

#endif
