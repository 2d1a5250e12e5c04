/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap expect: the flows that helpers have announced. */
#include <errno.h>
#include <string.h>

#include "set_expect.h"
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

/*
 * Asks the kernel, which looks at the tuple and the zone, and holds what was said of
 * the master against the answer.  --proto is the expected flow's, which for some
 * helpers is not that of the master.
 */
static int
find(const struct cli *cli, struct ct_netlink *netlink, const struct ct_expect *asked,
     struct ct_expect *found)
{
	struct ct_flow master = { .has = CT_ORIG_TUPLE | CT_ZONE };
	int error = ct_expect_get(netlink, asked, found);

	if (error)
		return error;
	master.orig = found->master;
	master.orig.proto = asked->tuple.proto;
	master.zone = asked->zone;
	if (found->has & CT_EXPECT_HAS_HELPER)
		master.has |= CT_HELPER_NAME;
	memcpy(master.helper, found->helper, sizeof(master.helper));
	return ct_filter_match(cli->filter, &master) ? 0 : -ENOENT;
}

/* That one, and no other that may have come in its place meanwhile. */
static int
delete_found(const struct cli *cli, struct ct_netlink *netlink,
	     const struct ct_expect *asked)
{
	struct ct_expect found, meant = *asked;
	int error = find(cli, netlink, asked, &found);

	if (error)
		return error;
	meant.id = found.id;
	meant.has |= found.has & CT_EXPECT_HAS_ID;
	return ct_expect_change(netlink, CT_DELETE, &meant);
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

	if (cli_open(netns, &netlink, &kernel) < 0)
		return CLI_FAILED;
	error = request->what == CT_DELETE
			? delete_found(cli, netlink, &request->expect)
			: ct_expect_change(netlink, CT_CREATE, &request->expect);
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
	int status = cli_read_expect(cli, expect);

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
	int status = cli_read_expect(cli, &request.expect);

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

	if (cli_open(netns, &netlink, &kernel) < 0)
		return CLI_FAILED;
	error = find(cli, netlink, &get->asked, &found);
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
	int status = cli_read_expect(cli, &get.asked), written = CLI_OK;

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
		unsigned int one; /* it is about one, which options describe */
		int (*run)(struct cli *cli);
	} subcommands[] = {
		{ "list", 0, list },
		{ "get", CLI_EXPECT_GET, get },
		{ "create", CLI_EXPECT_CREATE, create },
		{ "delete", CLI_EXPECT_DELETE, delete },
		{ "flush", 0, flush },
		{ "events", 0, events },
	};

	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (!cli->subcommand ||
		    strcmp(cli->subcommand, subcommands[i].name) != 0)
			continue;
		if (cli_check_expect(cli, subcommands[i].one) != CLI_OK)
			return CLI_USAGE;
		if (subcommands[i].one || ct_filter_is_empty(cli->filter))
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
