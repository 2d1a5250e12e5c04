/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap stats: what the kernel counts, in all and per processor; once or on and on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "common/stats.h"

/* A screen has room for so many processors; --verbose and JSON show all. */
#define CPUS_SHOWN 8
#define CPU_TITLE 16

struct space {
	struct ct_stats stats;
	uint64_t before[CT_STATS]; /* sums as they were in the report before */
};

struct watch {
	struct space spaces[CLI_NETNS_MAX];
	size_t current; /* the namespace at hand */
	size_t cpus;    /* columns of the report */
	char (*titles)[CPU_TITLE];
	struct report_column *columns;
	char time[32];   /* of the report, with --every */
	size_t readable; /* namespaces, of the present round */
};

static void
put_gauge(struct report *report, const struct watch *watch,
	  const struct ct_kernel *kernel, uint32_t which, const char *name,
	  const char *what)
{
	uint32_t value;

	if (!ct_kernel_value(kernel, which, &value))
		return;
	report_text(report, name);
	report_number(report, value);
	report_none(report);
	for (size_t i = 0; i < watch->cpus; i++)
		report_none(report);
	report_text(report, what);
	report_end_row(report);
}

static void
put_gauges(const struct cli *cli, struct report *report, const struct watch *watch,
	   const struct ct_kernel *kernel)
{
	put_gauge(report, watch, kernel, CT_KERNEL_COUNT, "entries",
		  "Flows in the table");
	put_gauge(report, watch, kernel, CT_KERNEL_EXPECTS, "expectations",
		  "Flows that helpers expect");
	/* On and on, only what moves is of interest. */
	if (cli->every && !cli_used(cli, CLI_VERBOSE) && !cli->json)
		return;
	put_gauge(report, watch, kernel, CT_KERNEL_MAX, "entries_limit",
		  "Flows that a namespace may have; 0 is no limit");
	put_gauge(report, watch, kernel, CT_KERNEL_EXPECT_MAX, "expectations_limit",
		  "Expectations that there may be");
}

static void
put_counter(const struct cli *cli, struct report *report, const struct watch *watch,
	    struct space *space, enum ct_stat stat)
{
	uint64_t sum = ct_stats_sum(&space->stats, stat);
	uint64_t added = sum - space->before[stat];

	if (!(space->stats.has >> stat & 1) ||
	    (cli->every && !added && !cli_used(cli, CLI_VERBOSE) && !cli->json))
		return;
	report_text(report, ct_stat_name(stat));
	report_number(report, sum);
	if (cli->every)
		report_number(report, added);
	else
		report_none(report);
	for (size_t i = 0; i < watch->cpus; i++)
		if (i < space->stats.count)
			report_number(report, space->stats.cpus[i].value[stat]);
		else
			report_none(report);
	report_text(report, ct_stat_help(stat));
	report_end_row(report);
}

static int
show_stats(struct cli *cli, const char *netns, struct report *report, void *data)
{
	struct watch *watch = data;
	struct space *space = &watch->spaces[watch->current++];
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	int home, error;

	if (cli_visit(netns, &netlink, &home) < 0)
		return CLI_FAILED;
	error = ct_kernel_read(netlink, &kernel);
	ct_kernel_read_expects(netlink, &kernel);
	if (!error)
		error = ct_stats_read(&space->stats, netlink);
	cli_leave(netlink, home);
	if (error)
		return cli_failed("cannot read the kernel's statistics", error);
	watch->readable++;
	if (cli->every)
		report_set_time(report, watch->time);
	put_gauges(cli, report, watch, &kernel);
	for (enum ct_stat stat = 0; stat < CT_STATS; stat++) {
		put_counter(cli, report, watch, space, stat);
		space->before[stat] = ct_stats_sum(&space->stats, stat);
	}
	return CLI_OK;
}

/* The columns: the counter, its sum, what was added, each processor, what it means. */
static int
make_columns(struct watch *watch, const struct cli *cli)
{
	struct ct_stats stats = { 0 };
	struct ct_netlink *netlink = NULL;
	struct report_column *at;

	if (ct_netlink_open(&netlink, NULL) < 0)
		netlink = NULL;
	/* The processors are the same in every namespace. */
	if (!cli->every && ct_stats_read(&stats, netlink) == 0 &&
	    (cli->json || cli_used(cli, CLI_VERBOSE) || stats.count <= CPUS_SHOWN))
		watch->cpus = stats.count;
	watch->titles = calloc(watch->cpus + 1, sizeof(*watch->titles));
	watch->columns = at = calloc(watch->cpus + 5, sizeof(*watch->columns));
	if (watch->titles && at) {
		*at++ = (struct report_column){ "counter", REPORT_TEXT };
		*at++ = (struct report_column){ "total", REPORT_NUMBER };
		*at++ = (struct report_column){ "added", REPORT_NUMBER };
		for (size_t i = 0; i < watch->cpus; i++) {
			snprintf(watch->titles[i], CPU_TITLE, "cpu%u",
				 stats.cpus[i].cpu);
			*at++ = (struct report_column){ watch->titles[i],
							REPORT_NUMBER };
		}
		*at = (struct report_column){ "meaning", REPORT_TEXT };
	}
	ct_stats_done(&stats);
	ct_netlink_free(netlink);
	return watch->titles && watch->columns ? CLI_OK
					       : cli_failed("cannot start", -ENOMEM);
}

/* Reads all namespaces for the first time, so that there is something to compare. */
static int
look(struct cli *cli, const char *netns, void *data)
{
	struct watch *watch = data;
	struct space *space = &watch->spaces[watch->current++];
	struct ct_netlink *netlink;
	int home, error;

	(void)cli;
	if (cli_visit(netns, &netlink, &home) < 0)
		return CLI_FAILED;
	error = ct_stats_read(&space->stats, netlink);
	cli_leave(netlink, home);
	for (enum ct_stat stat = 0; stat < CT_STATS; stat++)
		space->before[stat] = ct_stats_sum(&space->stats, stat);
	watch->readable += error == 0;
	return error ? cli_failed("cannot read the kernel's statistics", error)
		     : CLI_OK;
}

/* Also a title, so that people see where a report begins. */
static int
set_time(const struct cli *cli, struct watch *watch)
{
	time_t now = time(NULL);
	struct tm local;

	localtime_r(&now, &local);
	strftime(watch->time, sizeof(watch->time), "%Y-%m-%dT%H:%M:%S%z", &local);
	if (!cli->json)
		printf("%s\n", watch->time);
	return cli_written(fflush(stdout) == 0 ? 0 : -errno);
}

/* Sleeps until then; false when a signal asks for the end. */
static bool
sleep_until(const struct timespec *then)
{
	while (!cli_stop &&
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, then, NULL) == EINTR)
		;
	return !cli_stop;
}

/*
 * Periods do not drift: each begins a whole number of them after the first.  It goes on
 * for as long as one of the namespaces can be read.
 */
static int
follow(struct cli *cli, struct watch *watch)
{
	struct timespec next;
	uint64_t reports = 0, seconds = 0;
	int status = cli_each_netns(cli, look, watch), result = status;

	clock_gettime(CLOCK_MONOTONIC, &next);
	while (result <= CLI_FAILED && !cli->unwritten && watch->readable > 0 &&
	       !(cli->count && reports >= cli->count) &&
	       !(cli->seconds && seconds + cli->every > cli->seconds)) {
		next.tv_sec += (time_t)cli->every;
		seconds += cli->every;
		if (!sleep_until(&next))
			return cli_stopped();
		watch->current = watch->readable = 0;
		result = set_time(cli, watch);
		if (result == CLI_OK)
			result = cli_report(cli, watch->columns, show_stats, watch);
		status = result > status ? result : status;
		reports++;
	}
	return status;
}

int
cli_stats(struct cli *cli)
{
	struct watch *watch;
	int status = cli_no_conditions(cli);

	if (status != CLI_OK)
		return status;
	if (!cli->every && (cli->count || cli->seconds)) {
		cli_say("stats: --count and --for go with --every");
		return CLI_USAGE;
	}
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return cli_failed("cannot start", -ENOMEM);
	status = make_columns(watch, cli);
	if (status == CLI_OK)
		status = cli->every
				 ? follow(cli, watch)
				 : cli_report(cli, watch->columns, show_stats, watch);
	for (size_t i = 0; i < CLI_NETNS_MAX; i++)
		ct_stats_done(&watch->spaces[i].stats);
	free(watch->columns);
	free(watch->titles);
	free(watch);
	return status;
}
