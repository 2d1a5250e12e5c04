/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntap metrics: every number for a monitoring system.  All namespaces are looked at
 * before a line is written, so that what is written is whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "common/metric.h"
#include "plugins/export/file.h"
#include "plugins/export/openmetrics.h"

/* Zones and marks told apart, unless --limit says otherwise: each is a time series. */
#define BINS_SHOWN 100

/* What was found out about one namespace. */
struct finding {
	struct ct_kernel kernel;
	struct ct_stats stats;
	struct ct_census census;
	struct ct_pass_report pass;
};

struct gathering {
	struct finding *findings; /* one a namespace */
	struct ct_metric_source *sources;
	size_t count;
};

struct pass {
	struct ct_census *census;
	struct ct_nat *nat;
};

static int
count_flow(const struct ct_flow *flow, void *data)
{
	const struct pass *pass = data;

	/* Out of memory ends the pass. */
	return ct_census_add(pass->census, flow) < 0 || ct_nat_add(pass->nat, flow) < 0;
}

static int
look_at_flows(struct cli *cli, const char *netns, struct finding *finding,
	      struct ct_metric_source *source)
{
	struct pass pass = { .census = &finding->census, .nat = cli_nat_new(cli) };
	struct ct_dump_result result;
	uint64_t begun = cli_clock(CLOCK_MONOTONIC);
	int status;

	source->nat = pass.nat;
	if (!pass.nat)
		return CLI_FAILED;
	status = cli_pass(cli, netns, count_flow, &pass, &result);
	if (status > 0)
		cli_failed("cannot count the flows", -ENOMEM);
	if (status != 0)
		return CLI_FAILED;
	finding->pass = (struct ct_pass_report){
		.nanoseconds = cli_clock(CLOCK_MONOTONIC) - begun,
		.flows = result.flows,
		.repeated = result.repeated,
		.malformed = result.malformed,
	};
	source->census = &finding->census;
	source->pass = &finding->pass;
	return CLI_OK;
}

static int
look_at_kernel(const char *netns, struct finding *finding,
	       struct ct_metric_source *source)
{
	struct ct_netlink *netlink;
	int home, error;

	if (cli_visit(netns, &netlink, &home) < 0)
		return CLI_FAILED;
	error = ct_kernel_read(netlink, &finding->kernel);
	ct_kernel_read_expects(netlink, &finding->kernel);
	if (!error)
		error = ct_stats_read(&finding->stats, netlink);
	cli_leave(netlink, home);
	if (error)
		return cli_failed("cannot read the kernel's numbers", error);
	source->kernel = &finding->kernel;
	source->stats = &finding->stats;
	return CLI_OK;
}

static int
gather(struct cli *cli, const char *netns, void *data)
{
	struct gathering *gathering = data;
	struct finding *finding = &gathering->findings[gathering->count];
	struct ct_metric_source *source = &gathering->sources[gathering->count++];
	int status = CLI_OK;

	source->netns = netns;
	source->bins = cli_used(cli, CLI_LIMIT) ? cli->limit : BINS_SHOWN;
	ct_census_init(&finding->census);
	if (!cli_used(cli, CLI_NO_FLOWS))
		status = look_at_flows(cli, netns, finding, source);
	return status == CLI_OK ? look_at_kernel(netns, finding, source) : status;
}

static int
write_metrics(const struct cli *cli, const struct gathering *gathering, char *buffer,
	      struct output_file *file)
{
	struct ct_text text;
	int error;

	ct_text_init(&text, buffer, CLI_BUFFER, file ? output_file_write : cli_write,
		     file);
	error = output_metrics(&text, gathering->sources, gathering->count,
			       cli->prometheus);
	ct_text_flush(&text);
	return error ? error : text.error;
}

/* The file is only put in its place when all of it is there. */
static int
write_file(const struct cli *cli, const struct gathering *gathering, char *buffer)
{
	struct output_file *file;
	int error = output_file_open(&file, cli->path);

	if (error == 0) {
		error = write_metrics(cli, gathering, buffer, file);
		if (error || cli_stop)
			output_file_abort(file);
		else
			error = output_file_commit(file);
	}
	if (error) {
		cli_say("--output %s: %s", cli->path,
			error == -ELOOP ? "is a symbolic link, name what it points to"
					: strerror(-error));
		return CLI_FAILED;
	}
	return cli_stop ? cli_stopped() : CLI_OK;
}

static int
write_all(const struct cli *cli, const struct gathering *gathering)
{
	char *buffer = malloc(CLI_BUFFER);
	int status;

	if (!buffer)
		return cli_failed("cannot start", -ENOMEM);
	if (cli->path)
		status = write_file(cli, gathering, buffer);
	else
		status = cli_written(write_metrics(cli, gathering, buffer, NULL));
	free(buffer);
	return status;
}

static void
gathering_done(struct gathering *gathering)
{
	for (size_t i = 0; i < gathering->count; i++) {
		ct_stats_done(&gathering->findings[i].stats);
		ct_census_done(&gathering->findings[i].census);
		ct_nat_free(gathering->sources[i].nat);
	}
	free(gathering->findings);
	free(gathering->sources);
}

int
cli_metrics(struct cli *cli)
{
	size_t spaces = cli->netns_count ? cli->netns_count : 1;
	struct gathering gathering = {
		.findings = calloc(spaces, sizeof(*gathering.findings)),
		.sources = calloc(spaces, sizeof(*gathering.sources)),
	};
	int status = cli_no_conditions(cli);

	if (status == CLI_OK && (!gathering.findings || !gathering.sources))
		status = cli_failed("cannot start", -ENOMEM);
	if (status == CLI_OK)
		status = cli_each_netns(cli, gather, &gathering);
	if (status == CLI_OK)
		status = write_all(cli, &gathering);
	gathering_done(&gathering);
	return status;
}
