/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap create: one flow that the conditions describe, or a file of them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

/* What is no file, such as a pipe, is at its end after the first namespace. */
static bool
is_read_once(const char *path)
{
	struct stat file;

	return strcmp(path, "-") == 0 ||
	       (stat(path, &file) == 0 && !S_ISREG(file.st_mode));
}

static int
load(struct cli *cli)
{
	if (!ct_filter_is_empty(cli->filter)) {
		cli_say("--load: the file says all of its flows; no condition goes "
			"with it");
		return CLI_USAGE;
	}
	if (cli_used(cli, CLI_TIMEOUT)) {
		cli_say("--timeout: the file of --load says it of each flow");
		return CLI_USAGE;
	}
	if (cli->netns_count > 1 && is_read_once(cli->load)) {
		cli_say("--load %s: can be read only once, and not for %zu network "
			"namespaces: save it to a file first",
			cli->load, cli->netns_count);
		return CLI_USAGE;
	}
	return cli_each_netns(cli, cli_load, NULL);
}

/* Of two ends that are to be the same, as far as the first is known. */
static bool
differs(uint16_t has_addr, const struct ct_addr *addr, const struct ct_addr *other,
	uint16_t has_port, uint16_t port, uint16_t other_port)
{
	return (has_addr && memcmp(addr, other, sizeof(*addr)) != 0) ||
	       (has_port && port != other_port);
}

/*
 * The kernel takes any reply, but translates only the ends that it is told to.  What
 * the original lacks, it complains of itself.
 */
static int
check_translation(const struct ct_flow *flow)
{
	const struct ct_tuple *orig = &flow->orig, *reply = &flow->reply;
	bool source = differs(orig->has & CT_TUPLE_SRC, &orig->src, &reply->dst,
			      orig->has & CT_TUPLE_SPORT, orig->sport, reply->dport);
	bool destination =
		differs(orig->has & CT_TUPLE_DST, &orig->dst, &reply->src,
			orig->has & CT_TUPLE_DPORT, orig->dport, reply->sport);

	if (source && !(flow->status & CT_SRC_NAT))
		cli_say("create: a reply to another destination than the flow's source "
			"is translation: --src-nat ADDR is missing");
	else if (destination && !(flow->status & CT_DST_NAT))
		cli_say("create: a reply from another source than the flow's "
			"destination is translation: --dst-nat ADDR is missing");
	else
		return CLI_OK;
	return CLI_USAGE;
}

int
cli_create(struct cli *cli)
{
	struct ct_flow flow;
	int status;

	if (cli->load)
		return load(cli);
	status = cli_describe(cli, &flow);
	if (status != CLI_OK)
		return status;
	cli_complete_reply(&flow);
	status = check_translation(&flow);
	if (status != CLI_OK)
		return status;
	flow.timeout = cli->set.has & CT_TIMEOUT ? cli->set.timeout : DEFAULT_TIMEOUT;
	flow.has |= CT_TIMEOUT;
	return cli_each_netns(cli, create_in, &flow);
}
