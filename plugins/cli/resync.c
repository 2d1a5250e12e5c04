/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One look at the table after a loss, and at most one a second. */
#include "resync.h"

#include <errno.h>
#include <time.h>

#define PAUSE_NS UINT64_C(1000000000)

struct look {
	const struct cli *cli;
	struct ct_known *known;
	ct_event_fn event_fn; /* NULL: the first look is no news */
	void *data;
	int error;
};

static int
tell(const struct look *look, enum ct_event_kind kind, const struct ct_flow *flow)
{
	struct ct_event event = {
		.kind = kind, .flow = flow, .nsid = CT_NSID_HERE, .unseen = true
	};

	return look->event_fn ? look->event_fn(&event, look->data) : 0;
}

static int
found(const struct ct_flow *flow, void *data)
{
	struct look *look = data;
	bool wanted = ct_filter_match(look->cli->filter, flow);
	int added = ct_known_add(look->known, flow, wanted);

	if (added < 0)
		look->error = added;
	if (added <= 0 || !wanted)
		return look->error != 0;
	return tell(look, CT_EVENT_NEW, flow);
}

static int
missed(const struct ct_flow *flow, void *data)
{
	return tell(data, CT_EVENT_DESTROY, flow);
}

static int
look_at_table(struct cli_resync *resync, ct_event_fn event_fn, void *data)
{
	struct look look = { .cli = resync->cli,
			     .known = resync->known,
			     .event_fn = event_fn,
			     .data = data };
	int status;

	ct_known_begin(resync->known);
	status = ct_dump(resync->netlink, NULL, found, &look, NULL);
	if (status == 0)
		status = ct_known_sweep(resync->known, missed, &look);
	return look.error ? look.error : status;
}

int
cli_resync_init(struct cli_resync *resync, const struct cli *cli, const char *netns)
{
	struct ct_kernel kernel;
	int error;

	*resync = (struct cli_resync){ .cli = cli,
				       .netns = netns,
				       .known = ct_known_new() };
	if (!resync->known) {
		cli_failed("cannot start", -ENOMEM);
		return -ENOMEM;
	}
	error = cli_open(netns, &resync->netlink, &kernel);
	if (error)
		return error;
	error = look_at_table(resync, NULL, NULL);
	if (error)
		cli_failed("cannot read the connection tracking table", error);
	return error;
}

void
cli_resync_done(struct cli_resync *resync)
{
	ct_netlink_free(resync->netlink);
	ct_known_free(resync->known);
}

bool
cli_resync_hear(struct cli_resync *resync, const struct ct_event *event)
{
	bool wanted = event->flow && ct_filter_match(resync->cli->filter, event->flow);

	if (event->kind == CT_EVENT_LOST)
		resync->due = true;
	if (!event->flow)
		return true;
	switch (event->kind) {
	case CT_EVENT_NEW:
		return ct_known_add(resync->known, event->flow, wanted) != 0;
	case CT_EVENT_DESTROY:
		return ct_known_remove(resync->known, event->flow);
	default:
		ct_known_change(resync->known, event->flow, wanted);
		return true;
	}
}

int
cli_resync_wait(const struct cli_resync *resync)
{
	uint64_t now = cli_clock(CLOCK_MONOTONIC);

	if (!resync->due)
		return -1;
	return now >= resync->not_before
		       ? 0
		       : (int)((resync->not_before - now) / 1000000 + 1);
}

int
cli_resync_step(struct cli_resync *resync, ct_event_fn event_fn, void *data)
{
	int status;

	if (cli_resync_wait(resync) != 0)
		return 0;
	resync->due = false;
	status = look_at_table(resync, event_fn, data);
	resync->not_before = cli_clock(CLOCK_MONOTONIC) + PAUSE_NS;
	return status;
}
