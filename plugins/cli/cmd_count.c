/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap count: the table's size, or how many flows meet the conditions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "common/netns.h"

static int
print(uint64_t count, const struct ct_kernel *kernel, bool verbose)
{
	if (!verbose || !(kernel->has & CT_KERNEL_MAX))
		printf("%llu\n", (unsigned long long)count);
	else if (kernel->max == 0)
		printf("%llu of unlimited\n", (unsigned long long)count);
	else
		printf("%llu of %u (%.1f %%)\n", (unsigned long long)count, kernel->max,
		       100.0 * (double)count / kernel->max);
	return cli_written(fflush(stdout) == 0 ? 0 : -errno);
}

struct count {
	uint64_t flows;
	struct ct_kernel kernel; /* of the last namespace: the limit is everybody's */
};

/* The kernel knows the whole table's size: no need to look at flows, or for rights. */
static int
count_table(struct cli *cli, const char *netns, void *data)
{
	struct count *count = data;
	struct ct_netlink *netlink = NULL;
	int home, error = ct_netns_enter(netns, &home);

	(void)cli;
	if (!error) {
		if (ct_netlink_open(&netlink, NULL) < 0)
			netlink = NULL;
		error = ct_kernel_read(netlink, &count->kernel);
		ct_netlink_free(netlink);
		ct_netns_leave(home);
	}
	if (error && netns)
		cli_say("--netns %s: cannot read its table's size: %s", netns,
			strerror(-error));
	else if (error)
		cli_failed("cannot read the connection tracking table's size", error);
	count->flows += error ? 0 : count->kernel.count;
	return error ? CLI_FAILED : CLI_OK;
}

static int
count_flow(const struct ct_flow *flow, void *data)
{
	struct count *count = data;

	(void)flow;
	count->flows++;
	return 0;
}

static int
count_flows(struct cli *cli, const char *netns, void *data)
{
	struct ct_dump_result result;
	int status = cli_pass(cli, netns, count_flow, data, &result);

	return status != 0 || result.malformed ? CLI_FAILED : CLI_OK;
}

int
cli_count(struct cli *cli)
{
	struct count count = { 0 };
	bool all = ct_filter_is_empty(cli->filter);
	int status = cli_each_netns(cli, all ? count_table : count_flows, &count);

	if (status != CLI_OK)
		return status;
	if (!all)
		ct_kernel_read(NULL, &count.kernel);
	/* Each has the limit for itself. */
	if (cli->netns_count > 1)
		count.kernel.has &= ~(uint32_t)CT_KERNEL_MAX;
	return print(count.flows, &count.kernel, cli_used(cli, CLI_VERBOSE));
}
