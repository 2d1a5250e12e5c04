/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_FINDING_H
#define CLI_FINDING_H
/* All numbers about the table of one namespace, as metrics and --stats show them. */
#include "cli.h"
#include "common/census.h"
#include "common/metric.h"

struct cli_finding {
	struct ct_kernel kernel;
	struct ct_stats stats;
	struct ct_census census;
	struct ct_nat *nat;
	struct ct_pass_report pass;
	uint64_t begun;
};

/* Returns CLI_OK, or CLI_FAILED after saying why; `done` takes that, too. */
int cli_finding_init(struct cli_finding *finding, const struct cli *cli);
void cli_finding_done(struct cli_finding *finding);

/* Counts a flow.  Returns 0 or -ENOMEM. */
int cli_finding_add(struct cli_finding *finding, const struct ct_flow *flow);

/* The pass is over. */
void cli_finding_end_pass(struct cli_finding *finding,
			  const struct ct_dump_result *result);

/* Reads what the kernel counts itself.  Returns CLI_OK, or CLI_FAILED after saying why.
 */
int cli_finding_read(struct cli_finding *finding, const char *netns);

/* Where the walk over all metrics finds them; without a pass, only the kernel's. */
struct ct_metric_source cli_finding_source(struct cli_finding *finding,
					   const struct cli *cli, const char *netns,
					   bool passed);

#endif
