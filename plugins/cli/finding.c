/* SPDX-License-Identifier: GPL-2.0-or-later */
/* census, nat, stats and the kernel's settings, together. */
#include "finding.h"

#include <errno.h>

/* Zones and marks told apart, unless --limit says otherwise: each is a time series. */
#define BINS_SHOWN 100

int
cli_finding_init(struct cli_finding *finding, const struct cli *cli)
{
	*finding = (struct cli_finding){ .begun = cli_clock(CLOCK_MONOTONIC) };
	ct_census_init(&finding->census);
	finding->nat = cli_nat_new(cli);
	return finding->nat ? CLI_OK : CLI_FAILED;
}

void
cli_finding_done(struct cli_finding *finding)
{
	ct_stats_done(&finding->stats);
	ct_census_done(&finding->census);
	ct_nat_free(finding->nat);
}

int
cli_finding_add(struct cli_finding *finding, const struct ct_flow *flow)
{
	if (ct_census_add(&finding->census, flow) < 0)
		return -ENOMEM;
	return ct_nat_add(finding->nat, flow);
}

void
cli_finding_end_pass(struct cli_finding *finding, const struct ct_dump_result *result)
{
	finding->pass = (struct ct_pass_report){
		.nanoseconds = cli_clock(CLOCK_MONOTONIC) - finding->begun,
		.flows = result->flows,
		.repeated = result->repeated,
		.malformed = result->malformed,
	};
}

int
cli_finding_read(struct cli_finding *finding, const char *netns)
{
	struct ct_netlink *netlink;
	int home, error;

	if (cli_visit(netns, &netlink, &home) < 0)
		return CLI_FAILED;
	error = ct_kernel_read(netlink, &finding->kernel);
	ct_kernel_read_expects(netlink, &finding->kernel);
	if (!error)
		error = ct_stats_read(&finding->stats, netlink);
	cli_leave(netlink, home);
	return error ? cli_failed("cannot read the kernel's numbers", error) : CLI_OK;
}

struct ct_metric_source
cli_finding_source(struct cli_finding *finding, const struct cli *cli,
		   const char *netns, bool passed)
{
	return (struct ct_metric_source){
		.netns = netns,
		.kernel = &finding->kernel,
		.stats = &finding->stats,
		.census = passed ? &finding->census : NULL,
		.nat = passed ? finding->nat : NULL,
		.pass = passed ? &finding->pass : NULL,
		.bins = cli_used(cli, CLI_LIMIT) ? cli->limit : BINS_SHOWN,
	};
}
