/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_METRIC_H
#define CT_METRIC_H
/*
 * The one list of what can be measured, and the walk over it.  For every face that
 * hands numbers to a monitoring system; none of them names a number by itself.
 */
#include <stddef.h>
#include <stdint.h>

#include "census.h"
#include "kernel.h"
#include "nat.h"
#include "stats.h"

enum ct_metric_kind {
	CT_GAUGE,
	CT_COUNTER,
	CT_INFO, /* its value is 1, what it says is in the labels */
};

#define CT_METRIC_LABELS 4

struct ct_metric {
	const char *name; /* without prefix, unit or "total" at its end: "flows" */
	const char *unit; /* "bytes", "seconds"; NULL for plain numbers */
	const char *help; /* half a sentence */
	const char *labels[CT_METRIC_LABELS]; /* their names; NULL behind the last */
	enum ct_metric_kind kind;
	uint8_t decimals; /* a value of 1 stands for 10^-decimals */
};

/* How the pass over the table went. */
struct ct_pass_report {
	uint64_t nanoseconds;
	uint64_t flows;
	uint64_t repeated;
	uint64_t malformed;
};

/* Where numbers come from, of one network namespace; what is NULL is left out. */
struct ct_metric_source {
	const char *netns; /* only handed on, to tell the sources apart */
	const struct ct_kernel *kernel;
	const struct ct_stats *stats;
	const struct ct_census *census;
	struct ct_nat *nat;
	const struct ct_pass_report *pass;
	/*
	 * So many zones and marks (0: all), those with most flows; the rest is one,
	 * "other".  So many public addresses, those that run out first.
	 */
	size_t bins;
};

struct ct_sample {
	const struct ct_metric *metric; /* the same for all samples of a metric */
	const struct ct_metric_source *source;
	const char *labels[CT_METRIC_LABELS]; /* their values, in the metric's order */
	uint64_t value;
};

/*
 * Calls `sample_fn` for each number of all sources, those of one metric behind each
 * other, until it returns other than 0.  What a sample points to is there until it
 * returns.  Returns 0, what `sample_fn` did, or -ENOMEM.
 */
typedef int (*ct_sample_fn)(const struct ct_sample *sample, void *data);
int ct_metric_walk(const struct ct_metric_source *sources, size_t count,
		   ct_sample_fn sample_fn, void *data);

/* Calls `metric_fn` for each metric that there is, in the walk's order; likewise. */
typedef int (*ct_metric_fn)(const struct ct_metric *metric, void *data);
int ct_metric_each(ct_metric_fn metric_fn, void *data);

#endif
