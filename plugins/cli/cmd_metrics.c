/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntap metrics: every number for a monitoring system.  All namespaces are looked at
 * before a line is written, so that what is written is whole.
 */
#include <errno.h>
#include <stdlib.h>

#include "finding.h"
#include "plugins/export/openmetrics.h"
#include "plugins/export/sink.h"

struct gathering {
	struct cli_finding *findings; /* one a namespace */
	struct ct_metric_source *sources;
	size_t count;
};

static int
count_flow(const struct ct_flow *flow, void *data)
{
	/* Out of memory ends the pass. */
	return cli_finding_add(data, flow) < 0;
}

static int
look_at_flows(struct cli *cli, const char *netns, struct cli_finding *finding)
{
	struct ct_dump_result result;
	int status = cli_pass(cli, netns, count_flow, finding, &result);

	if (status > 0)
		cli_failed("cannot count the flows", -ENOMEM);
	cli_finding_end_pass(finding, &result);
	return status == 0 ? CLI_OK : CLI_FAILED;
}

static int
gather(struct cli *cli, const char *netns, void *data)
{
	struct gathering *gathering = data;
	struct cli_finding *finding = &gathering->findings[gathering->count];
	struct ct_metric_source *source = &gathering->sources[gathering->count++];
	bool passing = !cli_used(cli, CLI_NO_FLOWS);
	int status = cli_finding_init(finding, cli);

	if (status == CLI_OK && passing)
		status = look_at_flows(cli, netns, finding);
	if (status == CLI_OK)
		status = cli_finding_read(finding, netns);
	*source = cli_finding_source(finding, cli, netns, passing);
	return status;
}

/* The file is only put in its place when all of it is there. */
static int
write_all(const struct cli *cli, const struct gathering *gathering)
{
	const struct output_sink_how how = {
		.path = cli->path,
		.file = OUTPUT_FILE_USUAL,
		.prompt = true,
	};
	struct output_sink *sink;
	int error = output_sink_open(&sink, &how);

	if (error)
		return cli_not_written(cli->path, error);
	error = output_metrics(output_sink_text(sink), gathering->sources,
			       gathering->count, cli->prometheus);
	if (error || cli_stop)
		output_sink_abort(sink);
	else
		error = output_sink_commit(sink);
	return cli_stop ? cli_stopped() : cli_not_written(cli->path, error);
}

static void
gathering_done(struct gathering *gathering)
{
	for (size_t i = 0; i < gathering->count; i++)
		cli_finding_done(&gathering->findings[i]);
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
