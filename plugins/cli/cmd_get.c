/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap get: the one flow that has this tuple, asked of the kernel. */
#include <errno.h>

#include "show.h"

int
cli_describe(const struct cli *cli, struct ct_flow *flow)
{
	struct ct_why why;

	if (ct_filter_describe(cli->filter, flow, &why) == 0)
		return CLI_OK;
	cli_say("%s: %s", cli->command->name, why.text);
	return CLI_USAGE;
}

struct get {
	struct ct_flow asked;
	struct cli_show show;
};

static int
get_in(struct cli *cli, const char *netns, void *data)
{
	struct get *get = data;
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	struct ct_flow found;
	int error = cli_open(netns, &netlink, &kernel);

	if (error)
		return CLI_FAILED;
	error = ct_get(netlink, &get->asked, &found);
	ct_netlink_free(netlink);
	/* The kernel looks at tuples of both directions, and at nothing else. */
	if (!error && !ct_filter_match(cli->filter, &found))
		error = -ENOENT;
	if (error == -ENOENT) {
		cli_say("get: not found: there is no such flow%s%s",
			netns ? " in " : "", netns ? netns : "");
	} else if (error == -EINVAL) {
		cli_say("get: this is no whole tuple: give source and destination, "
			"protocol, and its ports or ICMP type, code and id");
		return CLI_USAGE;
	} else if (error) {
		cli_failed("cannot get the flow", error);
	} else {
		get->show.view.netns = netns;
		get->show.output->flow(get->show.text, &get->show.view, &found);
		get->show.end.flows++;
	}
	return error ? CLI_FAILED : CLI_OK;
}

int
cli_get(struct cli *cli)
{
	struct get get;
	int status = cli_describe(cli, &get.asked), written = CLI_OK;

	if (status != CLI_OK)
		return status;
	/* By its reply only when there is nothing of the original. */
	if (get.asked.has & CT_ORIG_TUPLE)
		get.asked.has &= ~CT_REPLY_TUPLE;
	if (cli_show_init(&get.show, cli, cli->format, NULL) != CLI_OK)
		return CLI_FAILED;
	status = cli_each_netns(cli, get_in, &get);
	get.show.end.complete = status == CLI_OK;
	if (get.show.end.flows > 0)
		written = cli_show_end(&get.show);
	cli_show_done(&get.show);
	return written != CLI_OK ? written : status;
}
