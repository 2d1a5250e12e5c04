/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap update: sets timeout, mark, state, status or labels of the chosen flows. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct update {
	const struct cli *cli;
	struct ct_netlink *netlink;
	struct ct_flow *batch; /* CT_CHANGE_MAX of them */
	size_t batched;
	uint64_t updated;
	uint64_t gone;
	uint64_t refused;
	uint64_t stateless; /* of other protocols than the state that is set */
	int error;          /* of a whole batch */
};

/* The flow as it is → what to ask of the kernel. */
static void
prepare(const struct cli *cli, struct ct_flow *flow)
{
	const struct ct_flow *set = &cli->set;
	uint64_t keep = CT_ORIG_TUPLE | (flow->has & CT_ZONE);

	if (set->has & CT_TIMEOUT)
		flow->timeout = set->timeout;
	if (set->has & CT_MARK)
		flow->mark = set->mark;
	if (set->has & CT_STATE)
		flow->state = set->state;
	if (set->has & CT_STATUS)
		flow->status |= set->status;
	if (set->has & CT_LABELS)
		memcpy(flow->labels, set->labels, sizeof(flow->labels));
	flow->has = keep | (set->has &
			    (CT_TIMEOUT | CT_MARK | CT_STATE | CT_STATUS | CT_LABELS));
}

static void
say_refused(const struct cli *cli, int error)
{
	/* A flow has room for labels if a rule used any when it was made. */
	if (error == -ENOSPC && cli->set.has & CT_LABELS)
		cli_say("cannot update a flow: it has no room for labels; "
			"a rule has to use labels before flows are made");
	else if (error == -EBUSY && cli->set.has & CT_STATUS)
		cli_say("cannot update a flow: the kernel does not take such a change "
			"of "
			"status (assured and seen-reply can only be set)");
	else if (error == -EPERM && cli->set.has & CT_TIMEOUT)
		cli_say("cannot update a flow: its timeout is fixed");
	else
		cli_failed("cannot update a flow", error);
}

/* Returns 0, or 1 to end the pass. */
static int
update_batch(struct update *update)
{
	int results[CT_CHANGE_MAX];

	update->error = ct_change(update->netlink, CT_UPDATE, update->batch,
				  update->batched, &update->cli->masks, results);
	for (size_t i = 0; !update->error && i < update->batched; i++) {
		if (results[i] == 0)
			update->updated++;
		else if (results[i] == -ENOENT)
			update->gone++;
		else if (update->refused++ == 0)
			say_refused(update->cli, results[i]);
	}
	update->batched = 0;
	return update->error != 0;
}

static int
take_flow(const struct ct_flow *flow, void *data)
{
	struct update *update = data;

	/* The kernel knows a state by its number, which is another one elsewhere. */
	if (update->cli->set.has & CT_STATE && flow->orig.proto != IPPROTO_TCP) {
		update->stateless++;
		return 0;
	}
	update->batch[update->batched] = *flow;
	prepare(update->cli, &update->batch[update->batched++]);
	return update->batched == CT_CHANGE_MAX ? update_batch(update) : 0;
}

/* Is this about the one flow that has a tuple?  Then the kernel finds it at once. */
static bool
is_one_flow(const struct cli *cli, struct ct_flow *asked)
{
	const uint64_t tuples = CT_ORIG_TUPLE | CT_REPLY_TUPLE;
	struct ct_why unused;

	if (ct_filter_describe(cli->filter, asked, &unused) < 0)
		return false;
	return asked->has & tuples && !(asked->has & ~(tuples | CT_ZONE));
}

/* Returns what cli_pass() returns, or -ENOENT. */
static int
look_for_flows(struct cli *cli, const char *netns, struct update *update)
{
	struct ct_dump_result result;
	struct ct_flow asked, found;
	int error;

	if (!is_one_flow(cli, &asked))
		return cli_pass(cli, netns, take_flow, update, &result);
	error = ct_get(update->netlink, &asked, &found);
	if (error == -EINVAL) /* a part of a tuple: many flows may have it */
		return cli_pass(cli, netns, take_flow, update, &result);
	/* The kernel looks at tuples of both directions, and at nothing else. */
	if (!error && !ct_filter_match(cli->filter, &found))
		error = -ENOENT;
	if (error == -ENOENT)
		cli_say("update: not found: there is no such flow");
	else if (error)
		cli_failed("cannot get the flow", error);
	else
		take_flow(&found, update);
	return error;
}

static int
update_in(struct cli *cli, const char *netns, void *data)
{
	struct update *update = data;
	struct ct_kernel kernel;
	int status;

	if (cli_open(netns, &update->netlink, &kernel) < 0)
		return CLI_FAILED;
	status = look_for_flows(cli, netns, update);
	if (update->batched > 0 && !update->error)
		update_batch(update);
	if (update->error)
		cli_failed("cannot update", update->error);
	ct_netlink_free(update->netlink);
	update->netlink = NULL;
	update->batched = 0;
	return status != 0 || update->error || update->refused ? CLI_FAILED : CLI_OK;
}

static int
print_total(const struct update *update)
{
	printf("Total: %llu connection(s) updated",
	       (unsigned long long)update->updated);
	if (update->stateless)
		printf(", %llu have no state of TCP",
		       (unsigned long long)update->stateless);
	if (update->gone)
		printf(", %llu already gone", (unsigned long long)update->gone);
	if (update->refused)
		printf(", %llu could not be updated",
		       (unsigned long long)update->refused);
	putchar('\n');
	return cli_written(fflush(stdout) == 0 ? 0 : -errno);
}

int
cli_update(struct cli *cli)
{
	struct update update = { .cli = cli };
	int status, written = CLI_OK;

	if (ct_filter_is_empty(cli->filter) || !cli->set.has) {
		cli_say("update: say which flows (a condition) and what to set "
			"(--set-…; see conntap update --help)");
		return CLI_USAGE;
	}
	update.batch = calloc(CT_CHANGE_MAX, sizeof(*update.batch));
	if (!update.batch)
		return cli_failed("cannot start", -ENOMEM);
	status = cli_each_netns(cli, update_in, &update);
	if (status == CLI_OK || update.updated + update.gone + update.refused > 0)
		written = print_total(&update);
	free(update.batch);
	return status != CLI_OK ? status : written;
}
