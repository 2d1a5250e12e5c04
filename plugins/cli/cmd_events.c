/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap events: what happens in the table, as it happens. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "common/events.h"
#include "common/netns.h"
#include "resync.h"

struct watch {
	struct cli *cli;
	struct cli_show show;
	size_t count; /* of subscriptions: one a namespace, or one for all (`shared`) */
	struct ct_events *events[CLI_NETNS_MAX];
	struct pollfd polls[CLI_NETNS_MAX];
	bool shared;
	int nsids[CLI_NETNS_MAX];  /* of the namespaces, when `shared` */
	size_t spaces;             /* how many namespaces there are */
	struct cli_resync *resync; /* of each, with --resync */
	size_t current;            /* the namespace of the event at hand */
	bool enough;
};

/* Conditions are about flows; losses concern everybody. */
static bool
is_wanted(const struct watch *watch, const struct ct_event *event)
{
	if (event->flow)
		return ct_filter_match(watch->cli->filter, event->flow);
	return true;
}

static int
show_event(const struct ct_event *event, void *data)
{
	struct watch *watch = data;
	struct cli_show *show = &watch->show;
	const struct cli *cli = watch->cli;

	if (!is_wanted(watch, event))
		return 0;
	show->view.now = cli_clock(CLOCK_REALTIME);
	show->view.netns =
		watch->current < cli->netns_count ? cli->netns[watch->current] : NULL;
	show->output->event(&show->text, &show->view, event);
	if (event->kind == CT_EVENT_LOST)
		show->end.lost += event->lost;
	else
		show->end.flows++;
	watch->enough = cli->count && show->end.flows >= cli->count;
	return watch->enough || show->text.error;
}

/* Over a shared socket, the event says whose it is.  False: nobody's who was asked for.
 */
static bool
find_namespace(struct watch *watch, const struct ct_event *event)
{
	for (size_t i = 0; i < watch->spaces; i++)
		if (watch->nsids[i] == event->nsid) {
			watch->current = i;
			return true;
		}
	return false;
}

/* A loss at a shared socket may be of any of its namespaces. */
static void
hear_loss(struct watch *watch, const struct ct_event *event)
{
	for (size_t i = 0; watch->resync && i < watch->spaces; i++)
		cli_resync_hear(&watch->resync[i], event);
	watch->current = CLI_NETNS_MAX;
}

static int
take_event(const struct ct_event *event, void *data)
{
	struct watch *watch = data;

	if (watch->shared && event->kind == CT_EVENT_LOST)
		hear_loss(watch, event);
	else if (watch->shared && !find_namespace(watch, event))
		return 0;
	else if (watch->resync &&
		 !cli_resync_hear(&watch->resync[watch->current], event))
		return 0;
	return show_event(event, watch);
}

static int
subscribe(struct watch *watch, const char *netns)
{
	const struct cli *cli = watch->cli;
	struct ct_events_options options = {
		.netns = netns,
		.groups = cli->groups,
		.buffer = cli->buffer,
		.all_namespaces = watch->shared,
	};
	struct ct_events **events = &watch->events[watch->count];
	int error = ct_events_open(events, &options);

	if (error)
		return cli_failed("cannot listen to events", error);
	watch->polls[watch->count].fd = ct_events_fd(*events);
	watch->polls[watch->count].events = POLLIN;
	watch->count++;
	if (cli_used(cli, CLI_VERBOSE))
		cli_say("%s%sa buffer of %u bytes, for about %u events",
			netns ? netns : "", netns ? ": " : "",
			ct_events_buffer(*events), ct_events_buffer(*events) / 1280);
	return CLI_OK;
}

static int
open_in(struct cli *cli, const char *netns, void *data)
{
	struct watch *watch = data;
	struct ct_netlink *netlink;
	struct ct_kernel kernel;

	(void)cli;
	if (cli_open(netns, &netlink, &kernel) < 0)
		return CLI_FAILED;
	ct_netlink_free(netlink);
	if (!watch->shared && subscribe(watch, netns) != CLI_OK)
		return CLI_FAILED;
	/* The subscription is there before the look at the table: nothing falls
	 * between. */
	watch->spaces++;
	if (watch->resync &&
	    cli_resync_init(&watch->resync[watch->spaces - 1], netns) < 0)
		return CLI_FAILED;
	return CLI_OK;
}

/* One socket hears all namespaces, if each has an id in the present one. */
static bool
can_share(struct watch *watch)
{
	const struct cli *cli = watch->cli;

	if (cli->netns_count < 2)
		return false;
	for (size_t i = 0; i < cli->netns_count; i++)
		if (ct_netns_nsid(cli->netns[i], &watch->nsids[i]) < 0)
			return false;
	return true;
}

static int
open_all(struct watch *watch)
{
	watch->shared = can_share(watch);
	if (watch->shared && subscribe(watch, NULL) != CLI_OK)
		return CLI_FAILED;
	return cli_each_netns(watch->cli, open_in, watch);
}

/* Takes what all subscriptions have.  Returns 0, a positive value to end, or -errno. */
static int
step(struct watch *watch)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < watch->count; i++) {
		watch->current = i;
		status = ct_events_step(watch->events[i], take_event, watch);
	}
	for (size_t i = 0; status == 0 && watch->resync && i < watch->spaces; i++) {
		watch->current = i;
		status = cli_resync_step(&watch->resync[i], show_event, watch);
	}
	/* People watch this: nothing waits in the buffer for more to come. */
	if (status >= 0 && ct_text_flush(&watch->show.text) < 0)
		status = 1;
	return status;
}

/* Milliseconds until `deadline`, for poll(); 0 is "no end". */
static int
time_left(uint64_t deadline)
{
	uint64_t now = cli_clock(CLOCK_MONOTONIC);

	if (!deadline)
		return -1;
	return now >= deadline ? 0 : (int)((deadline - now) / 1000000 + 1);
}

/* The soonest of the deadline and what resyncs wait for. */
static int
patience(const struct watch *watch, uint64_t deadline)
{
	int left = time_left(deadline);

	for (size_t i = 0; watch->resync && i < watch->spaces; i++) {
		int wait = cli_resync_wait(&watch->resync[i]);

		if (wait >= 0 && (left < 0 || wait < left))
			left = wait;
	}
	return left;
}

static int
follow(struct watch *watch)
{
	uint64_t deadline = 0;
	int status = 0;

	if (watch->cli->seconds)
		deadline =
			cli_clock(CLOCK_MONOTONIC) + watch->cli->seconds * 1000000000;
	while (status == 0 && !cli_stop && time_left(deadline) != 0) {
		if (poll(watch->polls, watch->count, patience(watch, deadline)) < 0 &&
		    errno != EINTR)
			return -errno;
		status = step(watch);
	}
	return status;
}

static uint64_t
malformed_of(const struct watch *watch)
{
	uint64_t malformed = 0;

	for (size_t i = 0; i < watch->count; i++)
		malformed += ct_events_malformed(watch->events[i]);
	return malformed;
}

/* How it ended, on stderr, where every format leaves room for it. */
static void
say_summary(const struct watch *watch)
{
	const struct output_end *end = &watch->show.end;

	if (cli_used(watch->cli, CLI_VERBOSE) || end->lost)
		cli_say("%llu events, %llu lost%s", (unsigned long long)end->flows,
			(unsigned long long)end->lost,
			end->lost ? " (a larger --buffer may help)" : "");
}

static int
run(struct watch *watch)
{
	int status = open_all(watch), written;

	if (status != CLI_OK)
		return status;
	status = follow(watch);
	watch->show.end.malformed = malformed_of(watch);
	written = cli_show_end(&watch->show);
	say_summary(watch);
	if (written != CLI_OK)
		return written;
	if (status < 0)
		return cli_failed("cannot receive events", status);
	return watch->show.end.lost || watch->show.end.malformed ? CLI_FAILED : CLI_OK;
}

static void
watch_free(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		ct_events_free(watch->events[i]);
	for (size_t i = 0; watch->resync && i < watch->spaces; i++)
		cli_resync_done(&watch->resync[i]);
	free(watch->resync);
	free(watch);
}

int
cli_events(struct cli *cli)
{
	const unsigned int needed = CT_EVENTS_NEW | CT_EVENTS_DESTROY;
	struct watch *watch;
	int status = CLI_FAILED;

	if (cli_used(cli, CLI_RESYNC) && (cli->groups & needed) != needed) {
		cli_say("--resync: it needs the events new and destroy");
		return CLI_USAGE;
	}
	watch = calloc(1, sizeof(*watch));
	if (watch && cli_used(cli, CLI_RESYNC))
		watch->resync = calloc(CLI_NETNS_MAX, sizeof(*watch->resync));
	if (!watch || (cli_used(cli, CLI_RESYNC) && !watch->resync)) {
		free(watch);
		return cli_failed("cannot start", -ENOMEM);
	}
	watch->cli = cli;
	if (cli_show_init(&watch->show, cli, cli->format) == CLI_OK) {
		watch->show.end.noun = "event(s)";
		status = run(watch);
		cli_show_done(&watch->show);
	}
	watch_free(watch);
	return status;
}
