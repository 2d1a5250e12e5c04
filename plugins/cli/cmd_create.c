/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap create: one flow that the conditions describe, or a file of them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "load.h"

#define DEFAULT_TIMEOUT 120

/* Fills what was not said of the reply with what the original makes of it. */
void
cli_complete_reply(struct ct_flow *flow)
{
	struct ct_tuple *reply = &flow->reply, said = *reply;

	ct_tuple_mirror(reply, &flow->orig);
	if (said.has & CT_TUPLE_SRC)
		reply->src = said.src;
	if (said.has & CT_TUPLE_DST)
		reply->dst = said.dst;
	if (said.has & CT_TUPLE_SPORT)
		reply->sport = said.sport;
	if (said.has & CT_TUPLE_DPORT)
		reply->dport = said.dport;
	reply->zone = said.zone;
	reply->has =
		(uint16_t)((reply->has & ~CT_TUPLE_ZONE) | (said.has & CT_TUPLE_ZONE));
	flow->has |= CT_REPLY_TUPLE;
}

/* The kernel forgets labels silently where no rule uses any. */
static bool
lost_labels(struct ct_netlink *netlink, const struct ct_flow *flow)
{
	struct ct_flow found;

	return flow->has & CT_LABELS && ct_get(netlink, flow, &found) == 0 &&
	       memcmp(found.labels, flow->labels, sizeof(flow->labels)) != 0;
}

static int
create_in(struct cli *cli, const char *netns, void *data)
{
	const struct ct_flow *flow = data;
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	int error = cli_open(netns, &netlink, &kernel), result = 0;

	(void)cli;
	if (error)
		return CLI_FAILED;
	error = ct_change(netlink, CT_CREATE, flow, 1, NULL, &result);
	if (!error)
		error = result;
	if (!error && lost_labels(netlink, flow))
		error = -ENOSPC;
	ct_netlink_free(netlink);
	if (error == -EEXIST)
		cli_say("create: exists: there is a flow with one of these tuples");
	else if (error == -EINVAL)
		cli_say("create: the kernel takes no such flow; give source and "
			"destination, protocol, and its ports or ICMP type, code and "
			"id");
	else if (error == -EOPNOTSUPP && flow->has & CT_HELPER_NAME)
		cli_say("create: the kernel has no helper %s for this protocol",
			flow->helper);
	else if (error == -ENOSPC)
		cli_say("create: the flow was created without its labels: "
			"a rule has to use labels before flows are made");
	else if (error)
		cli_failed("cannot create the flow", error);
	if (error == -EINVAL)
		return CLI_USAGE;
	if (error == -EEXIST)
		return CLI_EXISTS;
	return error ? CLI_FAILED : CLI_OK;
}

int
cli_create(struct cli *cli)
{
	struct ct_flow flow;
	int status;

	if (cli->load && !ct_filter_is_empty(cli->filter)) {
		cli_say("--load: the file says all of its flows; no condition goes "
			"with it");
		return CLI_USAGE;
	}
	if (cli->load)
		return cli_each_netns(cli, cli_load, NULL);
	status = cli_describe(cli, &flow);
	if (status != CLI_OK)
		return status;
	cli_complete_reply(&flow);
	flow.timeout = cli->set.has & CT_TIMEOUT ? cli->set.timeout : DEFAULT_TIMEOUT;
	flow.has |= CT_TIMEOUT;
	return cli_each_netns(cli, create_in, &flow);
}
