/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A document of the table: the flows, and what was asked for besides. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "finding.h"
#include "show.h"

/* So often, in flows, there is something new to be seen. */
#define ASIDE 4096

struct export
{
	struct cli_show show;
	struct ct_kernel before, after; /* of all namespaces together */
	struct cli_finding *findings;   /* one a namespace; NULL: not asked for */
	struct ct_metric_source *sources;
	size_t found;
	bool looked; /* at a whole table, at least */
	bool no_memory;
	bool progress;
};

static void
show_progress(const struct export *export)
{
	static uint64_t last;
	uint64_t now = cli_clock(CLOCK_MONOTONIC);

	if (!export->progress || now < last + 200000000)
		return;
	last = now;
	fprintf(stderr, "\r%llu of %u flows ",
		(unsigned long long)export->show.end.flows, export->before.count);
}

static void
end_progress(const struct export *export)
{
	if (export->progress)
		fputs("\r\033[K", stderr);
}

static int
show_flow(const struct ct_flow *flow, void *data)
{
	struct export *export = data;
	struct cli_show *show = &export->show;

	show->output->flow(show->text, &show->view, flow);
	if (++show->end.flows % ASIDE == 0)
		show_progress(export);
	if (export->findings &&
	    cli_finding_add(&export->findings[export->found], flow) < 0)
		export->no_memory = true;
	return export->no_memory || show->text->error;
}

static int
show_expect(const struct ct_expect *expect, void *data)
{
	struct cli_show *show = data;

	show->output->expect(show->text, &show->view, expect);
	show->end.expectations++;
	return show->text->error != 0;
}

static int
export_expects(const char *netns, struct cli_show *show)
{
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	int status;

	if (cli_open(netns, &netlink, &kernel) < 0)
		return CLI_FAILED;
	status = ct_expect_dump(netlink, show_expect, show);
	ct_netlink_free(netlink);
	return status < 0 ? cli_failed("cannot read the expectations", status) : CLI_OK;
}

static int
export_flows(struct cli *cli, const char *netns, struct export *export)
{
	struct cli_show *show = &export->show;
	struct ct_dump_result result;
	int status = cli_pass(cli, netns, show_flow, export, &result);

	if (export->no_memory)
		return cli_failed("cannot count the flows", -ENOMEM);
	if (export->findings)
		cli_finding_end_pass(&export->findings[export->found], &result);
	show->end.malformed += result.malformed;
	if (status == 0)
		export->looked = true;
	return status == 0 || show->text->error ? CLI_OK : CLI_FAILED;
}

static int
export_netns(struct cli *cli, const char *netns, void *data)
{
	struct export *export = data;
	struct cli_finding *finding =
		export->findings ? &export->findings[export->found] : NULL;
	int status = finding ? cli_finding_init(finding, cli) : CLI_OK;

	export->show.view.netns = netns;
	if (status == CLI_OK)
		status = export_flows(cli, netns, export);
	if (status == CLI_OK && cli_used(cli, CLI_WITH_EXPECT))
		status = export_expects(netns, &export->show);
	if (!finding)
		return status;
	if (status == CLI_OK)
		status = cli_finding_read(finding, netns);
	export->sources[export->found++] =
		cli_finding_source(finding, cli, netns, status == CLI_OK);
	return status;
}

static int
begin(struct export *export, const struct cli *cli, const struct output *output,
      const char *path)
{
	size_t spaces = cli->netns_count ? cli->netns_count : 1;
	const struct output_sink_how how = {
		.path = path,
		.file = cli->file,
		.compress = cli->compress,
	};

	if (cli_used(cli, CLI_WITH_STATS)) {
		export->findings = calloc(spaces, sizeof(*export->findings));
		export->sources = calloc(spaces, sizeof(*export->sources));
		if (!export->findings || !export->sources)
			return cli_failed("cannot start", -ENOMEM);
	}
	if (output->metrics)
		cli_settings_of_all(cli, &export->before);
	export->progress = path && !cli_used(cli, CLI_EVERY) && isatty(STDERR_FILENO);
	return cli_show_open(&export->show, cli, output, &how, &export->before);
}

/* Where nothing could be seen, stdout shows nothing: the error says it all. */
static bool
is_worth_ending(const struct export *export, int status)
{
	const struct cli_show *show = &export->show;

	if (show->path)
		return status == CLI_OK;
	return status != CLI_FAILED || export->looked || show->end.flows > 0;
}

static int
end(struct export *export, const struct cli *cli)
{
	struct cli_show *show = &export->show;
	int status = CLI_OK, written;

	if (export->findings &&
	    show->output->metrics(show->text, export->sources, export->found) < 0) {
		show->end.complete = false;
		status = cli_failed("cannot count the flows", -ENOMEM);
	}
	show->end.with_expectations = cli_used(cli, CLI_WITH_EXPECT);
	if (show->output->metrics)
		cli_settings_of_all(cli, &export->after);
	show->end.kernel = &export->after;
	if (show->path && status != CLI_OK)
		return status; /* and no file */
	written = cli_show_end(show);
	return status != CLI_OK ? status : written;
}

static void
done(struct export *export)
{
	cli_show_done(&export->show);
	for (size_t i = 0; i < export->found; i++)
		cli_finding_done(&export->findings[i]);
	free(export->findings);
	free(export->sources);
}

int
cli_export(struct cli *cli, const struct output *output, const char *path)
{
	struct export export = { 0 };
	int written = CLI_OK, status = begin(&export, cli, output, path);

	if (status == CLI_OK) {
		status = cli_each_netns(cli, export_netns, &export);
		if (status != CLI_OK)
			export.show.end.complete = false;
		else if (export.show.end.malformed)
			status = CLI_FAILED; /* but all has been looked at */
		end_progress(&export);
		if (is_worth_ending(&export, status))
			written = end(&export, cli);
	}
	done(&export);
	return written != CLI_OK ? written : status;
}
