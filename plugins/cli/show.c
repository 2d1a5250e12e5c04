/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A document, from its beginning to its end: a format, and where it goes. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "show.h"

/* What is known before anything is read. */
static void
begin(struct cli_show *show, const struct cli *cli, const struct ct_kernel *kernel)
{
	char host[256] = "";
	struct output_head head = {
		.host = host,
		.netns = cli->netns_count == 1 ? cli->netns[0] : NULL,
		.filter = cli->conditions,
		.begun = cli_clock(CLOCK_REALTIME),
		.kernel = kernel,
	};

	gethostname(host, sizeof(host) - 1);
	show->output->begin(show->text, &head);
}

int
cli_show_open(struct cli_show *show, const struct cli *cli, const struct output *output,
	      const struct output_sink_how *how, const struct ct_kernel *kernel)
{
	int error;

	*show = (struct cli_show){
		.output = output,
		.path = how->path ? cli->path : NULL,
		.labels = ct_labels_new(),
		.view = { .now = cli->now, .show_time = cli_used(cli, CLI_TIMESTAMP) },
		.end = { .complete = true },
	};
	show->view.labels = show->labels;
	error = output_sink_open(&show->sink, how);
	if (error) {
		cli_show_done(show);
		return cli_not_written(show->path, error);
	}
	show->text = output_sink_text(show->sink);
	begin(show, cli, kernel);
	return CLI_OK;
}

int
cli_show_init(struct cli_show *show, const struct cli *cli, const struct output *output,
	      const struct ct_kernel *kernel)
{
	const struct output_sink_how how = {
		.compress = cli->compress,
		.prompt = true,
	};

	return cli_show_open(show, cli, output, &how, kernel);
}

int
cli_show_end(struct cli_show *show)
{
	struct output_sink *sink = show->sink;

	show->end.ended = cli_clock(CLOCK_REALTIME);
	show->output->end(show->text, &show->end);
	show->sink = NULL;
	return cli_not_written(show->path, output_sink_commit(sink));
}

void
cli_show_done(struct cli_show *show)
{
	output_sink_abort(show->sink);
	ct_labels_free(show->labels);
	show->sink = NULL;
	show->labels = NULL;
}

int
cli_prune(const struct cli *cli, const struct output_name *name, const char *written)
{
	int removed =
		cli->keep ? output_name_prune(cli->path, name, written, cli->keep) : 0;

	if (removed >= 0 || !written)
		return CLI_OK;
	cli_say("--keep: cannot remove older files: %s", strerror(-removed));
	return CLI_FAILED;
}
