/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap nat: which public addresses run out of ports, and to whom. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define ROWS_SHOWN 10

static const struct report_column columns[] = {
	{ "address", REPORT_TEXT },       { "proto", REPORT_TEXT },
	{ "zone", REPORT_NUMBER },        { "flows", REPORT_NUMBER },
	{ "ports", REPORT_NUMBER },       { "busiest remote", REPORT_TEXT },
	{ "remote port", REPORT_NUMBER }, { "its ports", REPORT_NUMBER },
	{ "at least", REPORT_NUMBER },    { "of", REPORT_NUMBER },
	{ "share", REPORT_PERCENT },      { NULL, 0 },
};

struct ct_nat *
cli_nat_new(const struct cli *cli)
{
	struct ct_nat *nat = ct_nat_new();
	int error = nat ? 0 : -ENOMEM;

	for (size_t i = 0; error == 0 && i < cli->public_count; i++)
		error = ct_nat_watch(nat, cli->publics[i].family, &cli->publics[i].low);
	if (error) {
		cli_failed("cannot start", error);
		ct_nat_free(nat);
		return NULL;
	}
	if (cli_used(cli, CLI_PORTS))
		ct_nat_set_range(nat, (uint16_t)cli->ports.low,
				 (uint16_t)cli->ports.high);
	return nat;
}

static void
put_pool(struct report *report, const struct ct_nat_pool *pool)
{
	bool icmp = pool->proto == IPPROTO_ICMP || pool->proto == IPPROTO_ICMPV6;
	char number[CT_PROTO_NUMBER];

	report_addr(report, pool->family, &pool->addr, 128);
	report_text(report, ct_proto_label(pool->proto, number));
	if (pool->zone)
		report_number(report, pool->zone);
	else
		report_none(report);
	report_number(report, pool->flows);
	report_number(report, pool->ports);
	if (pool->remote_known)
		report_addr(report, pool->family, &pool->remote, 128);
	else
		report_none(report);
	if (icmp || !pool->remote_known)
		report_none(report);
	else
		report_number(report, pool->remote_port);
	report_number(report, pool->remote_ports);
	if (pool->remote_excess)
		report_number(report, pool->remote_ports - pool->remote_excess);
	else
		report_none(report);
	report_number(report, pool->range);
	report_number(report, cli_share(pool->remote_ports, pool->range));
	report_end_row(report);
}

static int
count_flow(const struct ct_flow *flow, void *nat)
{
	/* Out of memory ends the pass. */
	return ct_nat_add(nat, flow) < 0;
}

static int
show_nat(struct cli *cli, const char *netns, struct report *report, void *data)
{
	struct ct_nat *nat = data;
	size_t most = cli_used(cli, CLI_LIMIT) ? cli->limit : ROWS_SHOWN, count;
	const struct ct_nat_pool *pools;
	struct ct_dump_result result;
	int status;

	ct_nat_clear(nat);
	status = cli_pass(cli, netns, count_flow, nat, &result);
	if (status > 0)
		cli_failed("cannot count the ports", -ENOMEM);
	if (status != 0)
		return CLI_FAILED;
	pools = ct_nat_list(nat, &count);
	if (most == 0 || most > count)
		most = count;
	for (size_t i = 0; i < most; i++)
		put_pool(report, &pools[i]);
	if (count == 0)
		report_note(report, "no flow has a port of a public address");
	else if (most < count)
		report_note(report, "%zu of %zu (--limit 0 shows all)", most, count);
	if (ct_nat_ignored(nat))
		report_note(report, "%llu flows of more addresses than %d left out",
			    (unsigned long long)ct_nat_ignored(nat), CT_NAT_POOLS);
	return result.malformed ? CLI_FAILED : CLI_OK;
}

int
cli_nat(struct cli *cli)
{
	struct ct_nat *nat = cli_nat_new(cli);
	int status;

	if (!nat)
		return CLI_FAILED;
	status = cli_report(cli, columns, show_nat, nat);
	ct_nat_free(nat);
	return status;
}
