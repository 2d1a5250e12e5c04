/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_OPENMETRICS_H
#define EXPORT_OPENMETRICS_H
/*
 * Metrics as text: OpenMetrics 1.0, or the older format of Prometheus, which the
 * textfile collector of node_exporter reads.  They differ in how counters are
 * announced, in units, and in how the end is told.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/metric.h"
#include "common/text.h"

/*
 * Writes the metrics of all sources; each sample has the label "netns" if its source
 * has one.  Returns 0 or -ENOMEM; what cannot be written is an error of `text`.
 */
int output_metrics(struct ct_text *text, const struct ct_metric_source *sources,
		   size_t count, bool prometheus);

#endif
