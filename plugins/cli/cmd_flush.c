/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap flush: every flow, or those of a family or a zone. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli.h"

struct flush {
	uint8_t family;
	int zone; /* -1: all */
};

/* Only a family and a zone, one of each. */
static int
read_conditions(const struct cli *cli, struct flush *flush)
{
	struct ct_flow flow;
	uint64_t other;

	if (cli_describe(cli, &flow) != CLI_OK)
		return CLI_USAGE;
	flush->family = flow.orig.family;
	flush->zone = flow.has & CT_ZONE ? flow.zone : -1;
	other = flow.has & ~CT_ZONE;
	if (other || flow.orig.has || flow.reply.has || flow.status) {
		cli_say("flush: only --family and --zone choose here; "
			"conntap delete takes every condition");
		return CLI_USAGE;
	}
	return CLI_OK;
}

int
cli_confirm(const struct cli *cli, const char *what)
{
	char answer[8] = "";

	if (cli_used(cli, CLI_YES))
		return CLI_OK;
	if (!isatty(STDIN_FILENO)) {
		cli_say("flush: without a terminal to ask at, --yes is needed");
		return CLI_USAGE;
	}
	fprintf(stderr, "Delete %s? [y/N] ", what);
	if (fgets(answer, sizeof(answer), stdin) &&
	    (answer[0] == 'y' || answer[0] == 'Y'))
		return CLI_OK;
	cli_say("flush: nothing was deleted");
	return CLI_FAILED;
}

static int
flush_in(struct cli *cli, const char *netns, void *data)
{
	const struct flush *flush = data;
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	int error = cli_open(netns, &netlink, &kernel);

	(void)cli;
	if (error)
		return CLI_FAILED;
	error = ct_flush(netlink, flush->family, flush->zone);
	ct_netlink_free(netlink);
	if (error == -EOPNOTSUPP)
		cli_say("flush: this kernel would delete everything; "
			"conntap delete with the same conditions does it flow by flow");
	else if (error)
		cli_failed("cannot flush the table", error);
	return error ? CLI_FAILED : CLI_OK;
}

int
cli_flush(struct cli *cli)
{
	struct flush flush;
	int status = read_conditions(cli, &flush);

	if (status == CLI_OK)
		status = cli_confirm(cli, ct_filter_is_empty(cli->filter)
						  ? "every flow"
						  : "all of these flows");
	return status == CLI_OK ? cli_each_netns(cli, flush_in, &flush) : status;
}
