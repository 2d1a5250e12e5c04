/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows → a format → stdout. */
#include <errno.h>
#include <stdlib.h>

#include "cli.h"

int
cli_show_init(struct cli_show *show, const struct cli *cli, const struct output *output)
{
	*show = (struct cli_show){
		.output = output,
		.labels = ct_labels_new(),
		.view = { .now = cli->now, .show_time = cli_used(cli, CLI_TIMESTAMP) },
		.end = { .complete = true },
		.buffer = malloc(CLI_BUFFER),
	};
	if (!show->buffer) {
		cli_show_done(show);
		return cli_failed("cannot start", -ENOMEM);
	}
	show->view.labels = show->labels;
	ct_text_init(&show->text, show->buffer, CLI_BUFFER, cli_write, NULL);
	output->begin(&show->text);
	return CLI_OK;
}

int
cli_show_end(struct cli_show *show)
{
	show->output->end(&show->text, &show->end);
	ct_text_flush(&show->text);
	return cli_written(show->text.error);
}

void
cli_show_done(struct cli_show *show)
{
	ct_labels_free(show->labels);
	free(show->buffer);
}

static int
show_flow(const struct ct_flow *flow, void *data)
{
	struct cli_show *show = data;

	show->output->flow(&show->text, &show->view, flow);
	show->end.flows++;
	return show->text.error != 0;
}

static int
show_netns(struct cli *cli, const char *netns, void *data)
{
	struct cli_show *show = data;
	struct ct_dump_result result;
	int status;

	show->view.netns = netns;
	status = cli_pass(cli, netns, show_flow, show, &result);
	show->end.malformed += result.malformed;
	if (status == 0)
		show->looked = true;
	else
		show->end.complete = false;
	return status < 0 || result.malformed ? CLI_FAILED : CLI_OK;
}

int
cli_show(struct cli *cli, const struct output *output)
{
	struct cli_show show;
	int status, written = CLI_OK;

	if (cli_show_init(&show, cli, output) != CLI_OK)
		return CLI_FAILED;
	status = cli_each_netns(cli, show_netns, &show);
	/* Where nothing could be seen, nothing is shown: the error says it all. */
	if (status != CLI_FAILED || show.looked || show.end.flows > 0)
		written = cli_show_end(&show);
	cli_show_done(&show);
	return written != CLI_OK ? written : status;
}
