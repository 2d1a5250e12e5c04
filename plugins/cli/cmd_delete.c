/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap delete: the flows that meet the conditions, in batches, while they are read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "common/change.h"

struct deletion {
	const struct cli *cli;
	struct ct_netlink *netlink; /* NULL in a dry run */
	struct ct_text text;
	struct ct_flow *batch; /* CT_CHANGE_MAX of them */
	size_t batched;
	uint64_t deleted;
	uint64_t gone;
	uint64_t refused;
	int error;   /* of a whole batch: nothing more is deleted */
	bool looked; /* at the whole table, in one namespace at least */
};

static void
put_line(struct ct_text *text, const char *verb, const struct ct_flow *flow)
{
	ct_text_bytes(text, verb, strlen(verb));
	output_text_flow(text, flow);
	ct_text_str(text, " (id ");
	ct_text_u64(text, flow->id);
	ct_text_str(text, ")\n");
}

static void
say_refused(const struct ct_flow *flow, int error)
{
	char line[CT_TEXT_MIN] = "";
	struct ct_text text;

	ct_text_init(&text, line, sizeof(line) - 1, NULL, NULL);
	output_text_flow(&text, flow);
	*text.at = '\0';
	cli_failed(line, error);
}

static void
count_result(struct deletion *deletion, const struct ct_flow *flow, int result)
{
	if (result == 0) {
		deletion->deleted++;
		if (!cli_used(deletion->cli, CLI_QUIET))
			put_line(&deletion->text, "Delete: ", flow);
	} else if (result == -ENOENT) {
		deletion->gone++;
	} else {
		/* All of a kind: the first one is told, the total tells of the others.
		 */
		if (deletion->refused++ == 0)
			say_refused(flow, result);
	}
}

/* Returns 0, or 1 to end the pass. */
static int
delete_batch(struct deletion *deletion)
{
	int results[CT_CHANGE_MAX];

	deletion->error = ct_change(deletion->netlink, CT_DELETE, deletion->batch,
				    deletion->batched, NULL, results);
	if (deletion->error)
		return 1;
	for (size_t i = 0; i < deletion->batched; i++)
		count_result(deletion, &deletion->batch[i], results[i]);
	deletion->batched = 0;
	return 0;
}

static int
take_flow(const struct ct_flow *flow, void *data)
{
	struct deletion *deletion = data;

	if (!deletion->netlink) {
		deletion->deleted++;
		if (!cli_used(deletion->cli, CLI_QUIET))
			put_line(&deletion->text, "Would delete: ", flow);
		return 0;
	}
	deletion->batch[deletion->batched++] = *flow;
	return deletion->batched == CT_CHANGE_MAX ? delete_batch(deletion) : 0;
}

static void
put_total(struct deletion *deletion)
{
	struct ct_text *text = &deletion->text;

	ct_text_str(text, "Total: ");
	ct_text_u64(text, deletion->deleted);
	ct_text_str(text, cli_used(deletion->cli, CLI_DRY_RUN)
				  ? " connection(s) would be deleted"
				  : " connection(s) deleted");
	if (deletion->gone)
		ct_text_printf(text, ", %llu already gone",
			       (unsigned long long)deletion->gone);
	if (deletion->refused)
		ct_text_printf(text, ", %llu could not be deleted",
			       (unsigned long long)deletion->refused);
	ct_text_char(text, '\n');
	ct_text_flush(text);
}

/*
 * Deletes on a socket of its own, while the pass goes on.  That the output cannot be
 * written ends nothing: people asked for the deletion.
 */
static int
delete_in(struct cli *cli, const char *netns, void *data)
{
	struct deletion *deletion = data;
	struct ct_dump_result result;
	struct ct_kernel kernel;
	int status;

	if (!cli_used(cli, CLI_DRY_RUN) &&
	    cli_open(netns, &deletion->netlink, &kernel) < 0)
		return CLI_FAILED;
	status = cli_pass(cli, netns, take_flow, deletion, &result);
	/* What was chosen before a signal came is still to be deleted. */
	if (deletion->batched > 0 && !deletion->error)
		delete_batch(deletion);
	if (deletion->error)
		cli_failed("cannot delete", deletion->error);
	ct_netlink_free(deletion->netlink);
	deletion->netlink = NULL;
	deletion->batched = 0;
	if (status >= 0 || status == -ECANCELED)
		deletion->looked = true;
	return status != 0 || deletion->error || deletion->refused || result.malformed
		       ? CLI_FAILED
		       : CLI_OK;
}

static int
run(struct deletion *deletion, struct cli *cli)
{
	int status = cli_each_netns(cli, delete_in, deletion), written;

	if (deletion->looked ||
	    deletion->deleted + deletion->gone + deletion->refused > 0)
		put_total(deletion);
	written = cli_written(deletion->text.error);
	if (status != CLI_OK || deletion->text.error == -EPIPE)
		return status;
	return written;
}

int
cli_delete(struct cli *cli)
{
	struct deletion deletion = { .cli = cli };
	char *buffer;
	int status;

	if (ct_filter_is_empty(cli->filter)) {
		cli_say("delete: no condition was given; say which flows "
			"(see conntap delete --help)");
		return CLI_USAGE;
	}
	buffer = malloc(CLI_BUFFER);
	deletion.batch = calloc(CT_CHANGE_MAX, sizeof(*deletion.batch));
	if (buffer && deletion.batch) {
		ct_text_init(&deletion.text, buffer, CLI_BUFFER, output_stdout, NULL);
		status = run(&deletion, cli);
	} else {
		status = cli_failed("cannot start", -ENOMEM);
	}
	free(deletion.batch);
	free(buffer);
	return status;
}
