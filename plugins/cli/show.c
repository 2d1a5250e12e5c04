/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows → a format → stdout. */
#include <errno.h>
#include <stdlib.h>

#include "cli.h"

struct show {
	const struct output *output;
	struct output_view view;
	struct ct_text text;
	uint64_t flows;
};

static int
show_flow(const struct ct_flow *flow, void *data)
{
	struct show *show = data;

	show->output->flow(&show->text, &show->view, flow);
	show->flows++;
	return show->text.error != 0;
}

/* What the pass came to, and then what the output came to, as an exit status. */
static int
finish(struct show *show, int status, uint64_t malformed)
{
	struct output_end end = { .flows = show->flows,
				  .malformed = malformed,
				  .complete = status == 0 };
	int written;

	/* Nothing was seen, so nothing is shown: the error is all there is to say. */
	if (status < 0 && status != -ECANCELED && show->flows == 0)
		return CLI_FAILED;
	show->output->end(&show->text, &end);
	ct_text_flush(&show->text);
	written = cli_written(show->text.error);
	if (written != CLI_OK)
		return written;
	if (status == -ECANCELED)
		return cli_stopped();
	return status == 0 && !malformed ? CLI_OK : CLI_FAILED;
}

int
cli_show(struct cli *cli, const struct output *output)
{
	struct ct_labels *labels = ct_labels_new();
	struct show show = { .output = output,
			     .view = { .labels = labels, .now = cli->now } };
	char *buffer = malloc(CLI_BUFFER);
	struct ct_dump_result result;
	int status;

	if (!buffer) {
		ct_labels_free(labels);
		return cli_failed("cannot start", -ENOMEM);
	}
	ct_text_init(&show.text, buffer, CLI_BUFFER, cli_write, NULL);
	output->begin(&show.text);
	status = cli_pass(cli, show_flow, &show, &result);
	status = finish(&show, status, result.malformed);
	ct_labels_free(labels);
	free(buffer);
	return status;
}
