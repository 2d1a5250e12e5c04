/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap count: the table's size, or how many flows meet the conditions. */
#include <errno.h>
#include <stdio.h>

#include "cli.h"

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

/* The kernel knows the whole table's size: no need to look at the flows, or for rights.
 */
static int
count_table(const struct cli *cli)
{
	struct ct_netlink *netlink = NULL;
	struct ct_kernel kernel;
	int error;

	ct_netlink_open(&netlink, NULL);
	error = ct_kernel_read(netlink, &kernel);
	ct_netlink_free(netlink);
	if (error)
		return cli_failed("cannot read the connection tracking table's size",
				  error);
	return print(kernel.count, &kernel, cli_used(cli, CLI_VERBOSE));
}

static int
count_flow(const struct ct_flow *flow, void *data)
{
	uint64_t *count = data;

	(void)flow;
	++*count;
	return 0;
}

int
cli_count(struct cli *cli)
{
	struct ct_dump_result result;
	struct ct_kernel kernel;
	uint64_t count = 0;
	int status;

	if (ct_filter_is_empty(cli->filter))
		return count_table(cli);
	status = cli_pass(cli, count_flow, &count, &result);
	if (status == -ECANCELED)
		return cli_stopped();
	if (status != 0 || result.malformed)
		return CLI_FAILED;
	ct_kernel_read(NULL, &kernel);
	return print(count, &kernel, cli_used(cli, CLI_VERBOSE));
}
