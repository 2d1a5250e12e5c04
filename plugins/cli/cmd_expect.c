/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap expect: the flows that helpers have announced. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "show.h"

#define DEFAULT_TIMEOUT 120

static int
show_expect(const struct ct_expect *expect, void *data)
{
	struct cli_show *show = data;

	show->output->expect(show->text, &show->view, expect);
	show->end.flows++;
	return show->text->error != 0;
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

	if (cli_show_init(&show, cli, cli->format, NULL) != CLI_OK)
		return CLI_FAILED;
	show.end.subject = OUTPUT_EXPECTATIONS;
	status = cli_each_netns(cli, list_in, &show);
	show.end.complete = status == CLI_OK;
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

/* Which parts of the tuple count, where that was not said. */
static void
complete_mask(struct ct_expect *expect)
{
	struct ct_tuple *tuple = &expect->tuple, *mask = &expect->mask;
	size_t size = tuple->family == AF_INET ? 4 : 16;

	if (!(mask->has & CT_TUPLE_SRC) && tuple->has & CT_TUPLE_SRC)
		memset(&mask->src, 0xff, size);
	if (!(mask->has & CT_TUPLE_DST) && tuple->has & CT_TUPLE_DST)
		memset(&mask->dst, 0xff, size);
	if (!(mask->has & CT_TUPLE_SPORT) && tuple->has & CT_TUPLE_SPORT)
		mask->sport = UINT16_MAX;
	if (!(mask->has & CT_TUPLE_DPORT) && tuple->has & CT_TUPLE_DPORT)
		mask->dport = UINT16_MAX;
}

/*
 * The options → what to ask for.  The conditions are the master; the expected flow is
 * of its protocol.  The kernel wants every field of tuple and mask, so those that were
 * not given are there as zeros that do not count.
 */
static int
read_expect(struct cli *cli, struct ct_expect *expect)
{
	struct ct_flow master;

	if (cli_describe(cli, &master) != CLI_OK)
		return CLI_USAGE;
	*expect = cli->expect;
	if (!(expect->tuple.has & CT_TUPLE_ADDRS) ||
	    !(master.orig.has & CT_TUPLE_PROTO)) {
		cli_say("expect: say what is expected: --tuple-src, --tuple-dst, "
			"--proto "
			"and its ports");
		return CLI_USAGE;
	}
	complete_mask(expect);
	expect->tuple.proto = master.orig.proto;
	expect->mask.proto = UINT8_MAX;
	expect->mask.family = expect->tuple.family;
	expect->tuple.has = expect->mask.has =
		CT_TUPLE_ADDRS | CT_TUPLE_PROTO | CT_TUPLE_PORTS;
	expect->has |= CT_EXPECT_HAS_TUPLE;
	if (expect->nat.has & CT_TUPLE_ADDRS) {
		expect->nat.proto = master.orig.proto;
		expect->nat.has = expect->tuple.has;
		expect->has |= CT_EXPECT_HAS_NAT;
	}
	expect->master = master.orig;
	expect->zone = master.zone;
	if (master.has & CT_ZONE)
		expect->has |= CT_EXPECT_HAS_ZONE;
	memcpy(expect->helper, master.helper, sizeof(expect->helper));
	if (master.has & CT_HELPER_NAME)
		expect->has |= CT_EXPECT_HAS_HELPER;
	return CLI_OK;
}

struct request {
	enum ct_change what;
	struct ct_expect expect;
};

static int
change_in(struct cli *cli, const char *netns, void *data)
{
	const struct request *request = data;
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	int error;

	(void)cli;
	if (cli_open(netns, &netlink, &kernel) < 0)
		return CLI_FAILED;
	error = ct_expect_change(netlink, request->what, &request->expect);
	ct_netlink_free(netlink);
	if (error == -EEXIST || error == -EBUSY)
		cli_say("expect: exists: the same is expected already");
	else if (error == -ENOENT && request->what == CT_CREATE)
		cli_say("expect: not found: there is no master with this tuple");
	else if (error == -ENOENT)
		cli_say("expect: not found: nothing of the kind is expected");
	else if (error == -EOPNOTSUPP && request->what == CT_CREATE)
		cli_say("expect: the master has no helper (see --helper of create)");
	else if (error)
		cli_failed("cannot change the expectations", error);
	if (error == -EEXIST || error == -EBUSY)
		return CLI_EXISTS;
	return error ? CLI_FAILED : CLI_OK;
}

static int
create(struct cli *cli)
{
	struct request request = { .what = CT_CREATE };
	struct ct_expect *expect = &request.expect;
	int status = read_expect(cli, expect);

	if (status != CLI_OK)
		return status;
	if ((expect->master.has & CT_TUPLE_ADDRS) != CT_TUPLE_ADDRS) {
		cli_say("expect: say which flow it belongs to: -s, -d, -p and its "
			"ports");
		return CLI_USAGE;
	}
	expect->has |=
		CT_EXPECT_HAS_MASK | CT_EXPECT_HAS_MASTER | CT_EXPECT_HAS_TIMEOUT;
	expect->timeout =
		cli->set.has & CT_TIMEOUT ? cli->set.timeout : DEFAULT_TIMEOUT;
	return cli_each_netns(cli, change_in, &request);
}

static int delete (struct cli *cli)
{
	struct request request = { .what = CT_DELETE };
	int status = read_expect(cli, &request.expect);

	return status == CLI_OK ? cli_each_netns(cli, change_in, &request) : status;
}

struct get {
	struct ct_expect asked;
	struct cli_show show;
};

static int
get_in(struct cli *cli, const char *netns, void *data)
{
	struct get *get = data;
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	struct ct_expect found;
	int error;

	(void)cli;
	if (cli_open(netns, &netlink, &kernel) < 0)
		return CLI_FAILED;
	error = ct_expect_get(netlink, &get->asked, &found);
	ct_netlink_free(netlink);
	get->show.view.netns = netns;
	if (error == -ENOENT)
		cli_say("expect: not found: nothing of the kind is expected");
	else if (error)
		cli_failed("cannot get the expectation", error);
	else
		show_expect(&found, &get->show);
	return error ? CLI_FAILED : CLI_OK;
}

static int
get(struct cli *cli)
{
	struct get get;
	int status = read_expect(cli, &get.asked), written = CLI_OK;

	if (status != CLI_OK)
		return status;
	if (cli_show_init(&get.show, cli, cli->format, NULL) != CLI_OK)
		return CLI_FAILED;
	get.show.end.subject = OUTPUT_EXPECTATIONS;
	status = cli_each_netns(cli, get_in, &get);
	get.show.end.complete = status == CLI_OK;
	if (get.show.end.flows > 0)
		written = cli_show_end(&get.show);
	cli_show_done(&get.show);
	return written != CLI_OK ? written : status;
}

int
cli_expect(struct cli *cli)
{
	static const struct {
		const char *name;
		bool conditions; /* they describe the master */
		int (*run)(struct cli *cli);
	} subcommands[] = {
		{ "list", false, list },    { "get", true, get },
		{ "create", true, create }, { "delete", true, delete },
		{ "flush", false, flush },  { "events", false, events },
	};

	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (!cli->subcommand ||
		    strcmp(cli->subcommand, subcommands[i].name) != 0)
			continue;
		if (subcommands[i].conditions || ct_filter_is_empty(cli->filter))
			return subcommands[i].run(cli);
		cli_say("expect %s: conditions are about flows, and choose nothing "
			"here",
			cli->subcommand);
		return CLI_USAGE;
	}
	cli_say("expect: %s: say list, get, create, delete, flush or events",
		cli->subcommand ? cli->subcommand : "no subcommand");
	return CLI_USAGE;
}
