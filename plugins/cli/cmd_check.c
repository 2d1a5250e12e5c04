/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntap check: what the kernel, its settings and one's rights allow.  The exit status
 * is for monitoring, with the meanings that the plugins of Nagios and its kin have.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

enum {
	STATUS_OK = 0,
	STATUS_WARNING = 1,
	STATUS_CRITICAL = 2,
	STATUS_UNKNOWN = 3, /* there is nothing to look at */
};

static const struct report_column columns[] = {
	{ "check", REPORT_TEXT },  { "level", REPORT_TEXT }, { "value", REPORT_TEXT },
	{ "advice", REPORT_TEXT }, { .title = NULL },
};

static const char *const level_names[] = { "ok", "note", "warning", "critical" };

_Static_assert(sizeof(level_names) / sizeof(level_names[0]) == CHECK_LEVELS,
	       "every level has a name");

/* In all namespaces. */
struct overall {
	enum check_level worst;
	bool unknown; /* somewhere there was nothing to look at */
	struct check_kernel common;
};

void
check_put(struct check *check, const char *name, enum check_level level,
	  const char *value, const char *advice, ...)
{
	char line[1024];
	va_list arguments;

	report_text(check->report, name);
	report_text(check->report, level_names[level]);
	report_text(check->report, value);
	if (advice) {
		va_start(arguments, advice);
		vsnprintf(line, sizeof(line), advice, arguments);
		va_end(arguments);
		report_text(check->report, line);
	} else {
		report_none(check->report);
	}
	report_end_row(check->report);
	check->count[level]++;
}

/* "2 warnings, 3 notes": the first line, for some monitoring shows no more. */
static void
put_summary(const struct check *check)
{
	static const char *const plurals[] = { "", "s", "s", "" };
	char line[128] = "";
	size_t used = 0;

	for (int level = CHECK_CRITICAL; level > CHECK_OK; level--)
		if (check->count[level])
			used += (size_t)snprintf(
				line + used, sizeof(line) - used, "%s%u %s%s",
				used ? ", " : "", check->count[level],
				level_names[level],
				check->count[level] == 1 ? "" : plurals[level]);
	report_title(check->report, "%s", used ? line : "All is well");
}

/* Names are short, paths are not; what is cut is an advice only. */
static void
set_in(struct check *check, const char *netns)
{
	if (!netns)
		check->in[0] = '\0';
	else if (strchr(netns, '/'))
		snprintf(check->in, sizeof(check->in), "nsenter --net=%s ", netns);
	else
		snprintf(check->in, sizeof(check->in), "ip netns exec %s ", netns);
}

static void
check_all(struct check *check)
{
	check_netlink(check);
	check_tracking(check);
	check_table(check);
	check_buckets(check);
	check_drops(check);
	check_accounting(check);
	check_timestamps(check);
	check_events(check);
	check_buffer(check);
	check_helpers(check);
	check_expectations(check);
	check_filters(check);
}

/* Asking ctnetlink may make the kernel load modules, so /proc is asked first. */
static void
look_at(struct check *check, struct overall *overall)
{
	if (ct_kernel_read(NULL, &check->kernel) < 0) {
		check_put(check, "tracking", CHECK_CRITICAL, "no",
			  "modprobe nf_conntrack");
		overall->unknown = true;
		return;
	}
	ct_kernel_read(check->netlink, &check->kernel);
	ct_kernel_read_expects(check->netlink, &check->kernel);
	check->stats_error = ct_stats_read(&check->stats, check->netlink);
	check_all(check);
	ct_stats_done(&check->stats);
	for (int level = CHECK_OK; level < CHECK_LEVELS; level++)
		if (check->count[level] && level > (int)overall->worst)
			overall->worst = (enum check_level)level;
}

static int
check_netns(struct cli *cli, const char *netns, struct report *report, void *data)
{
	struct overall *overall = data;
	struct check check = {
		.cli = cli,
		.report = report,
		.common = &overall->common,
	};
	int home;

	if (cli_visit(netns, &check.netlink, &home) < 0) {
		overall->unknown = true;
		return CLI_FAILED;
	}
	set_in(&check, netns);
	look_at(&check, overall);
	put_summary(&check);
	cli_leave(check.netlink, home);
	return CLI_OK;
}

/* Something critical is more urgent than not knowing, and that more than a warning. */
static int
status_of(const struct overall *overall)
{
	if (overall->worst == CHECK_CRITICAL)
		return STATUS_CRITICAL;
	if (overall->unknown)
		return STATUS_UNKNOWN;
	return overall->worst == CHECK_WARNING ? STATUS_WARNING : STATUS_OK;
}

int
cli_check(struct cli *cli)
{
	struct overall overall = { .worst = CHECK_OK };
	int status = cli_no_conditions(cli);

	if (status != CLI_OK)
		return status;
	if (cli->warning > cli->critical) {
		cli_say("--warning: %llu is above --critical %llu",
			(unsigned long long)cli->warning,
			(unsigned long long)cli->critical);
		return CLI_USAGE;
	}
	status = cli_report(cli, columns, check_netns, &overall);
	/* A signal's, or a closed pipe's. */
	if (status != CLI_OK && status != CLI_FAILED)
		return status;
	/* A report that nobody could be shown tells nothing. */
	if (status == CLI_FAILED)
		overall.unknown = true;
	return status_of(&overall);
}
