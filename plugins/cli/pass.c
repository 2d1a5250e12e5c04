/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line's conditions over the kernel's table. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cli.h"
#include "common/netns.h"
#include "every.h"

static int
try_open(const char *netns, struct ct_netlink **netlink, struct ct_kernel *kernel)
{
	int error = ct_netlink_open(netlink, netns);

	if (error)
		return error;
	error = ct_kernel_count(*netlink, kernel);
	if (error) {
		ct_netlink_free(*netlink);
		*netlink = NULL;
	}
	return error;
}

/* Says what went wrong with the table, and whose. */
static int
cannot_read(const char *netns, int error)
{
	char what[256] = "cannot read the connection tracking table";

	if (netns)
		snprintf(what, sizeof(what), "--netns %.100s: cannot read its table",
			 netns);
	if (netns && error == -ENOENT)
		cli_say("--netns %s: there is no such namespace (see ip netns)", netns);
	else
		cli_failed(what, error);
	return error;
}

int
cli_open(const char *netns, struct ct_netlink **netlink, struct ct_kernel *kernel)
{
	int error = try_open(netns, netlink, kernel);

	if (error == -EPROTONOSUPPORT && geteuid() == 0 && ct_kernel_load_module() == 0)
		error = try_open(netns, netlink, kernel);
	return error ? cannot_read(netns, error) : 0;
}

int
cli_each_netns(struct cli *cli,
	       int (*run)(struct cli *cli, const char *netns, void *data), void *data)
{
	int status = CLI_OK;

	if (!cli_used(cli, CLI_NETNS))
		status = run(cli, NULL, data);
	for (size_t i = 0; i < cli->netns_count && !cli_stop; i++) {
		int result = run(cli, cli->netns[i], data);

		if (status == CLI_OK)
			status = result;
	}
	return cli_stop ? cli_stopped() : status;
}

static void
warn_of_need(const struct cli *cli, enum ct_need need, bool known, uint32_t setting,
	     const char *name, const char *what)
{
	const struct ct_condition *condition = ct_filter_needing(cli->filter, need);

	if (condition && known && !setting)
		cli_warn("--%s: %s is off (sysctl net.netfilter.%s=1 turns it on for "
			 "new flows); flows without it do not match",
			 condition->name, what, name);
}

/* They are each namespace's own. */
int
cli_settings(const char *netns, struct ct_kernel *kernel)
{
	int home, error = ct_netns_enter(netns, &home);

	if (error)
		return error;
	error = ct_kernel_read(NULL, kernel);
	ct_netns_leave(home);
	return error;
}

void
cli_settings_of_all(const struct cli *cli, struct ct_kernel *sum)
{
	size_t count = cli_used(cli, CLI_NETNS) ? cli->netns_count : 1;
	struct ct_kernel kernel;

	memset(sum, 0, sizeof(*sum));
	for (size_t i = 0; i < count; i++) {
		if (cli_settings(cli->netns_count ? cli->netns[i] : NULL, &kernel) < 0)
			memset(&kernel, 0, sizeof(kernel));
		if (i == 0) {
			*sum = kernel;
			continue;
		}
		sum->has &= kernel.has & ~(uint32_t)CT_KERNEL_MAX;
		sum->count += kernel.count;
		if (sum->acct != kernel.acct)
			sum->has &= ~(uint32_t)CT_KERNEL_ACCT;
		if (sum->timestamp != kernel.timestamp)
			sum->has &= ~(uint32_t)CT_KERNEL_TIMESTAMP;
	}
}

void
cli_warn_of_needs(const struct cli *cli, const char *netns)
{
	struct ct_kernel kernel;

	if (cli_settings(netns, &kernel) < 0)
		return;
	warn_of_need(cli, CT_NEEDS_ACCT, kernel.has & CT_KERNEL_ACCT, kernel.acct,
		     "nf_conntrack_acct", "the kernel's accounting");
	warn_of_need(cli, CT_NEEDS_TIMESTAMP, kernel.has & CT_KERNEL_TIMESTAMP,
		     kernel.timestamp, "nf_conntrack_timestamp",
		     "the kernel's time-stamping");
}

/* So often, in flows, is looked at what else there is to do. */
#define ASIDE 4096

struct choice {
	uint64_t seen;
	const struct ct_filter *filter;
	ct_flow_fn flow_fn;
	void *data;
};

static int
choose(const struct ct_flow *flow, void *data)
{
	struct choice *choice = data;

	if (++choice->seen % ASIDE == 0)
		cli_alive();
	if (!ct_filter_match(choice->filter, flow))
		return 0;
	return choice->flow_fn(flow, choice->data);
}

static int
dump(const struct cli *cli, struct ct_netlink *netlink, struct choice *choice,
     struct ct_dump_result *result)
{
	struct ct_dump_options options = {
		.reader_thread = true,
		.stop = &cli_stop,
	};
	int status;

	if (!cli_used(cli, CLI_KERNEL_FILTER))
		return ct_dump(netlink, &options, choose, choice, result);
	ct_filter_ask(cli->filter, &options.ask);
	status = ct_dump(netlink, &options, choose, choice, result);
	/* Refused at once: an old kernel that cannot do that much. */
	if ((status == -EINVAL || status == -EOPNOTSUPP) && result->flows == 0) {
		cli_warn("--kernel-filter: this kernel cannot: %s; doing without",
			 strerror(-status));
		memset(&options.ask, 0, sizeof(options.ask));
		status = ct_dump(netlink, &options, choose, choice, result);
	}
	return status;
}

int
cli_pass(struct cli *cli, const char *netns, ct_flow_fn flow_fn, void *data,
	 struct ct_dump_result *result)
{
	struct choice choice = { .filter = cli->filter,
				 .flow_fn = flow_fn,
				 .data = data };
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	int status = cli_open(netns, &netlink, &kernel);

	memset(result, 0, sizeof(*result));
	if (status < 0)
		return status;
	cli_warn_of_needs(cli, netns);
	ct_filter_set_now(cli->filter, cli->now);
	/*
	 * The hash is shared by all network namespaces: a pass over an empty table
	 * beside a full one would search the whole of it and delay packets, for
	 * nothing.
	 */
	if (!(kernel.has & CT_KERNEL_COUNT) || kernel.count > 0)
		status = dump(cli, netlink, &choice, result);
	ct_netlink_free(netlink);
	if (status < 0 && status != -ECANCELED)
		cannot_read(netns, status);
	if (result->malformed)
		cli_say("%llu flows could not be read: their messages are malformed",
			(unsigned long long)result->malformed);
	if (cli_used(cli, CLI_VERBOSE) && result->repeated)
		cli_log(LOG_INFO, "%llu flows were sent twice and are shown once",
			(unsigned long long)result->repeated);
	return status;
}
