/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap expect: the flows that helpers have announced. */
#include <errno.h>
#include <string.h>

#include "cli.h"

static int
show_expect(const struct ct_expect *expect, void *data)
{
	struct cli_show *show = data;

	show->output->expect(&show->text, &show->view, expect);
	show->end.flows++;
	return show->text.error != 0;
}

static int
list_in(struct cli *cli, const char *netns, void *data)
{
	struct cli_show *show = data;
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	int status;

	(void)cli;
	if (cli_open(netns, &netlink, &kernel) < 0)
		return CLI_FAILED;
	show->view.netns = netns;
	status = ct_expect_dump(netlink, show_expect, show);
	ct_netlink_free(netlink);
	return status < 0 ? cli_failed("cannot read the expectations", status) : CLI_OK;
}

static int
list(struct cli *cli)
{
	struct cli_show show;
	int status, written = CLI_OK;

	if (cli_show_init(&show, cli, cli->format) != CLI_OK)
		return CLI_FAILED;
	show.end.noun = "expectation(s)";
	status = cli_each_netns(cli, list_in, &show);
	if (status != CLI_FAILED || show.end.flows > 0)
		written = cli_show_end(&show);
	cli_show_done(&show);
	return written != CLI_OK ? written : status;
}

static int
flush_in(struct cli *cli, const char *netns, void *data)
{
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	int error;

	(void)cli;
	(void)data;
	if (cli_open(netns, &netlink, &kernel) < 0)
		return CLI_FAILED;
	error = ct_expect_flush(netlink);
	ct_netlink_free(netlink);
	return error ? cli_failed("cannot flush the expectations", error) : CLI_OK;
}

static int
flush(struct cli *cli)
{
	int status = cli_confirm(cli, "all expectations");

	return status == CLI_OK ? cli_each_netns(cli, flush_in, NULL) : status;
}

static int
events(struct cli *cli)
{
	cli->groups = CT_EVENTS_EXPECTS;
	return cli_events(cli);
}

int
cli_expect(struct cli *cli)
{
	static const struct {
		const char *name;
		int (*run)(struct cli *cli);
	} subcommands[] = { { "list", list },
			    { "flush", flush },
			    { "events", events } };

	if (!ct_filter_is_empty(cli->filter)) {
		cli_say("expect: conditions are about flows; expectations take none "
			"yet");
		return CLI_USAGE;
	}
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
		if (cli->subcommand &&
		    strcmp(cli->subcommand, subcommands[i].name) == 0)
			return subcommands[i].run(cli);
	cli_say("expect: %s: say list, flush or events",
		cli->subcommand ? cli->subcommand : "no subcommand");
	return CLI_USAGE;
}
