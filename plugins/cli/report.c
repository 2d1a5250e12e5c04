/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that show numbers share. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "common/netns.h"

int
cli_visit(const char *netns, struct ct_netlink **netlink, int *home)
{
	int error = ct_netns_enter(netns, home);

	*netlink = NULL;
	if (error == -ENOENT)
		cli_say("--netns %s: there is no such namespace (see ip netns)", netns);
	else if (error)
		cli_say("--netns %s: cannot enter it: %s", netns, strerror(-error));
	else if (ct_netlink_open(netlink, NULL) < 0)
		*netlink = NULL;
	return error;
}

void
cli_leave(struct ct_netlink *netlink, int home)
{
	ct_netlink_free(netlink);
	ct_netns_leave(home);
}

int
cli_no_conditions(const struct cli *cli)
{
	if (ct_filter_is_empty(cli->filter))
		return CLI_OK;
	cli_say("%s: takes no conditions: it is about the table as a whole",
		cli->command->name);
	return CLI_USAGE;
}

uint64_t
cli_share(uint64_t part, uint64_t all)
{
	return all ? (uint64_t)((double)part / (double)all * 100000 + 0.5) : 0;
}

struct reporting {
	struct ct_text text;
	const struct report_column *columns;
	int (*run)(struct cli *cli, const char *netns, struct report *report,
		   void *data);
	void *data;
	unsigned int count; /* of the reports so far */
};

/* A title for people; programs find the namespace in each row. */
static void
put_title(struct reporting *reporting, const struct cli *cli, const char *netns)
{
	if (!netns || cli->json)
		return;
	ct_text_printf(&reporting->text, "%sNamespace %s:\n",
		       reporting->count++ ? "\n" : "", netns);
}

static int
report_netns(struct cli *cli, const char *netns, void *data)
{
	struct reporting *reporting = data;
	struct report *report =
		report_new(&reporting->text, reporting->columns, cli->json);
	int status;

	if (!report)
		return cli_failed("cannot make a report", -ENOMEM);
	report_set_netns(report, netns);
	status = reporting->run(cli, netns, report, reporting->data);
	if (status != CLI_FAILED) {
		put_title(reporting, cli, netns);
		report_end(report);
	}
	report_free(report);
	ct_text_flush(&reporting->text);
	return status;
}

int
cli_report(struct cli *cli, const struct report_column *columns,
	   int (*run)(struct cli *cli, const char *netns, struct report *report,
		      void *data),
	   void *data)
{
	struct reporting reporting = { .columns = columns, .run = run, .data = data };
	char *buffer = malloc(CLI_BUFFER);
	int status, written;

	if (!buffer)
		return cli_failed("cannot start", -ENOMEM);
	ct_text_init(&reporting.text, buffer, CLI_BUFFER, output_stdout, NULL);
	status = cli_each_netns(cli, report_netns, &reporting);
	ct_text_flush(&reporting.text);
	written = cli_written(reporting.text.error);
	cli->unwritten = written != CLI_OK;
	free(buffer);
	return written != CLI_OK ? written : status;
}
