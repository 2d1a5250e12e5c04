/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap xml: a document of all flows, on stdout or in a file, once or periodically.
 */
#include <errno.h>
#include <syslog.h>
#include <unistd.h>

#include "every.h"
#include "flow_log.h"
#include "show.h"

static int
refuse(const char *option, const char *why)
{
	cli_say("%s: %s", option, why);
	return CLI_USAGE;
}

/* Options that make sense with others only. */
static int
check_options(const struct cli *cli, const struct output *output)
{
	struct ct_why why;

	if (cli->path && output_name_check(cli->path, &why) < 0)
		return refuse("--output", why.text);
	if (!cli->path && cli_used(cli, CLI_EVERY))
		return refuse("--every", "it needs --output, a file to write");
	if (!cli->path && (cli_used(cli, CLI_MODE) || cli_used(cli, CLI_OWNER)))
		return refuse(cli_used(cli, CLI_MODE) ? "--mode" : "--owner",
			      "it needs --output, a file to write");
	if (cli_used(cli, CLI_KEEP) && (!cli->path || !output_name_has_time(cli->path)))
		return refuse("--keep", "it needs --output with a time in the file's "
					"name, such as flows-%Y%m%dT%H%M%S.xml");
	if (cli_used(cli, CLI_WITH_STATS) && !output->metrics)
		return refuse("--stats", "a document of XML has them, no other format");
	if (!cli_used(cli, CLI_WITH_EVENTS) && cli_used(cli, CLI_BUFFER_SIZE))
		return refuse("--buffer", "it is for --events");
	if (!cli_used(cli, CLI_WITH_EVENTS))
		return CLI_OK;
	if (cli_used(cli, CLI_WITH_STATS) || cli_used(cli, CLI_WITH_EXPECT))
		return refuse(cli_used(cli, CLI_WITH_STATS) ? "--stats" : "--expect",
			      "it is about what is there, --events about what ends");
	if (cli->path && !cli_used(cli, CLI_EVERY))
		return refuse("--events",
			      "into files it needs --every: a file is there when its "
			      "time is over");
	if (cli->path && output_name_has_netns(cli->path))
		return refuse("--output",
			      "%n: with --events there is one file for all namespaces");
	if (cli->path && !output_name_tells_time(cli->path))
		return refuse("--output",
			      "with --events its name needs %s, or all of %Y %m %d %H "
			      "%M %S, lest one file takes the place of another");
	return CLI_OK;
}

static int
export_file(struct cli *cli, const struct output *output,
	    const struct output_name *name)
{
	char path[PATH_MAX];
	int status;

	if (output_name_make(cli->path, name, path) < 0)
		return cli_not_written(cli->path, -ENAMETOOLONG);
	cli_prune(cli, name, NULL);
	status = cli_export(cli, output, path);
	if (status != CLI_OK)
		return status;
	if (cli_used(cli, CLI_VERBOSE))
		cli_log(LOG_INFO, "%s is written", path);
	return cli_prune(cli, name, path);
}

/* The files of one time, and what has become of them. */
struct round {
	unsigned int done;
	unsigned int failed;
	int status; /* the first that is not CLI_OK */
};

static void
take_file(struct round *round, int status)
{
	if (status == CLI_OK)
		round->done++;
	else
		round->failed++;
	if (round->status == CLI_OK)
		round->status = status;
}

/* A file for each namespace.  A failure in one does not keep the others waiting. */
static void
export_each(struct cli *cli, const struct output *output, struct output_name *name,
	    struct round *round)
{
	struct cli one = *cli;

	one.netns_count = 1;
	for (size_t i = 0; i < cli->netns_count && !cli_stop; i++) {
		one.netns[0] = cli->netns[i];
		name->netns = cli->netns[i];
		take_file(round, export_file(&one, output, name));
	}
	if (cli_stop)
		round->status = cli_stopped();
}

static struct round
export_files(struct cli *cli, const struct output *output, uint64_t when)
{
	char host[256] = "";
	struct output_name name = { .time = when, .host = host };
	struct round round = { .status = CLI_OK };

	gethostname(host, sizeof(host) - 1);
	cli->now = cli_clock(CLOCK_REALTIME);
	if (cli_find_netns(cli) != CLI_OK)
		take_file(&round, CLI_FAILED);
	else if (output_name_has_netns(cli->path) && cli_used(cli, CLI_NETNS))
		export_each(cli, output, &name, &round);
	else
		take_file(&round, export_file(cli, output, &name));
	return round;
}

/* At once, then in each period, until a signal asks for an end. */
static int
export_on(struct cli *cli, const struct output *output)
{
	struct cli_schedule schedule;
	struct cli_record record = { 0 };
	unsigned int what = CLI_NOW;
	uint64_t when, begun;

	if (cli_schedule_open(&schedule, cli->every) != CLI_OK)
		return CLI_FAILED;
	cli_say_once();
	do {
		if (what & CLI_REOPEN)
			cli_forget_said();
		when = what & CLI_TICK ? cli_period(&schedule)
				       : cli_clock(CLOCK_REALTIME) / 1000000000;
		begun = cli_clock(CLOCK_MONOTONIC);
		if (what) {
			struct round round = export_files(cli, output, when);

			cli_record_take(&record, round.done, round.failed);
			cli_record_skip(&record, &schedule,
					cli_schedule_skip(&schedule, begun));
		}
		what = cli_schedule_wait(&schedule, NULL, 0, -1);
	} while (!cli_stop);
	cli_notify("STOPPING=1");
	cli_schedule_close(&schedule);
	return CLI_OK;
}

int
cli_xml(struct cli *cli)
{
	const struct output *output = cli->format_word && cli->format != &output_xml
					      ? cli->format
					      : cli->dialect;
	int status = check_options(cli, output);

	if (status != CLI_OK)
		return status;
	if (cli_used(cli, CLI_WITH_EVENTS))
		return cli_flow_log(cli, output);
	if (!cli->path)
		return cli_export(cli, output, NULL);
	if (cli_used(cli, CLI_EVERY))
		return export_on(cli, output);
	return export_files(cli, output, cli->now / 1000000000).status;
}
