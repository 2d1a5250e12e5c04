/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_RESYNC_H
#define CLI_RESYNC_H
/*
 * Finds out what events were lost: keeps the set of flows as the events tell it, looks
 * at the table again after a loss, and shows the difference as events that went unseen:
 * flows that the conditions choose, as they were when they were last seen.
 * For the command events, one for each subscription.
 */
#include "cli.h"
#include "common/events.h"
#include "common/known.h"

struct cli_resync {
	const struct cli *cli;
	const char *netns;
	struct ct_netlink *netlink;
	struct ct_known *known;
	bool due;
	uint64_t not_before; /* the monotonic clock's ns: losses come in crowds */
};

/*
 * Learns what is there already; to be called when the subscription is open, so that
 * nothing falls between.  Returns 0, or -errno after saying why.
 */
int cli_resync_init(struct cli_resync *resync, const struct cli *cli,
		    const char *netns);
void cli_resync_done(struct cli_resync *resync);

/* Takes note of the event.  Is it news? */
bool cli_resync_hear(struct cli_resync *resync, const struct ct_event *event);

/* Milliseconds until cli_resync_step() has something to do; -1: nothing is due. */
int cli_resync_wait(const struct cli_resync *resync);

/*
 * Looks at the table if that is due, and hands on what went unseen.  Returns 0, the
 * callback's positive value, or -errno.
 */
int cli_resync_step(struct cli_resync *resync, ct_event_fn event_fn, void *data);

#endif
