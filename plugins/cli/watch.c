/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subscriptions → one stream of events → a document. */
#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "common/netns.h"

struct cli_watch *
cli_watch_new(struct cli *cli)
{
	struct cli_watch *watch = calloc(1, sizeof(*watch));

	if (watch && cli_used(cli, CLI_RESYNC))
		watch->resync = calloc(CLI_NETNS_MAX, sizeof(*watch->resync));
	if (!watch || (cli_used(cli, CLI_RESYNC) && !watch->resync)) {
		free(watch);
		cli_failed("cannot start", -ENOMEM);
		return NULL;
	}
	watch->cli = cli;
	return watch;
}

void
cli_watch_free(struct cli_watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < watch->count; i++)
		ct_events_free(watch->events[i]);
	for (size_t i = 0; watch->resync && i < watch->spaces; i++)
		cli_resync_done(&watch->resync[i]);
	free(watch->resync);
	free(watch);
}

/* Conditions are about flows; losses concern everybody.  Of what went unseen, they have
 * been looked at when there was more to see. */
static bool
is_wanted(const struct cli_watch *watch, const struct ct_event *event)
{
	if (event->flow && !event->unseen)
		return ct_filter_match(watch->cli->filter, event->flow);
	return true;
}

static int
show_event(const struct ct_event *event, void *data)
{
	struct cli_watch *watch = data;
	struct cli_show *show = watch->show;
	const struct cli *cli = watch->cli;

	if (!is_wanted(watch, event))
		return 0;
	show->view.now = cli_clock(CLOCK_REALTIME);
	show->view.netns =
		watch->current < cli->netns_count ? cli->netns[watch->current] : NULL;
	show->output->event(show->text, &show->view, event);
	if (event->kind == CT_EVENT_LOST)
		show->end.lost += event->lost;
	else
		show->end.flows++;
	watch->enough = cli->count && show->end.flows >= cli->count;
	return watch->enough || show->text->error;
}

/* Over a shared socket, the event says whose it is.  False: nobody's who was asked for.
 */
static bool
find_namespace(struct cli_watch *watch, const struct ct_event *event)
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
hear_loss(struct cli_watch *watch, const struct ct_event *event)
{
	for (size_t i = 0; watch->resync && i < watch->spaces; i++)
		cli_resync_hear(&watch->resync[i], event);
	watch->current = CLI_NETNS_MAX;
}

static int
take_event(const struct ct_event *event, void *data)
{
	struct cli_watch *watch = data;

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
subscribe(struct cli_watch *watch, const char *netns)
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
		cli_log(LOG_INFO, "%s%sa buffer of %u bytes, for about %u events",
			netns ? netns : "", netns ? ": " : "",
			ct_events_buffer(*events), ct_events_buffer(*events) / 1280);
	return CLI_OK;
}

/* What one listens for may never come. */
static void
warn_of_silence(const struct cli *cli, const char *netns)
{
	struct ct_kernel kernel;

	cli_warn_of_needs(cli, netns);
	if (cli_settings(netns, &kernel) == 0 && kernel.has & CT_KERNEL_EVENTS &&
	    !kernel.events)
		cli_warn("%s%sthe kernel tells no events of new flows (sysctl "
			 "net.netfilter.nf_conntrack_events=1 turns them on)",
			 netns ? netns : "", netns ? ": " : "");
}

static int
open_space(struct cli_watch *watch, const char *netns)
{
	struct ct_netns_id *id = &watch->ids[watch->spaces];
	struct ct_netlink *netlink;
	struct ct_kernel kernel;

	if (cli_open(netns, &netlink, &kernel) < 0)
		return CLI_FAILED;
	ct_netlink_free(netlink);
	warn_of_silence(watch->cli, netns);
	if (!watch->shared && subscribe(watch, netns) != CLI_OK)
		return CLI_FAILED;
	if (netns && ct_netns_identify(netns, id) < 0)
		memset(id, 0, sizeof(*id));
	/* The subscription is there before the look at the table: nothing falls
	 * between. */
	watch->spaces++;
	watch->heard++;
	if (watch->resync &&
	    cli_resync_init(&watch->resync[watch->spaces - 1], watch->cli, netns) < 0)
		return CLI_FAILED;
	return CLI_OK;
}

/* Those behind it keep their places. */
static void
leave_out(struct cli_watch *watch)
{
	memset(&watch->ids[watch->spaces++], 0, sizeof(watch->ids[0]));
	if (watch->shared)
		return;
	watch->events[watch->count] = NULL;
	watch->polls[watch->count++].fd = -1;
}

static int
open_in(struct cli *cli, const char *netns, void *data)
{
	struct cli_watch *watch = data;
	size_t place = watch->spaces;
	int status = open_space(watch, netns);

	(void)cli;
	if (watch->spaces == place)
		leave_out(watch);
	return status;
}

/* One socket hears all namespaces, if each has an id in the present one. */
static bool
can_share(struct cli_watch *watch)
{
	const struct cli *cli = watch->cli;

	if (cli->netns_count < 2)
		return false;
	for (size_t i = 0; i < cli->netns_count; i++)
		if (ct_netns_nsid(cli->netns[i], &watch->nsids[i]) < 0)
			return false;
	return true;
}

void
cli_watch_settings(const struct cli *cli, struct ct_kernel *kernel)
{
	cli_settings_of_all(cli, kernel);
	kernel->has &= CT_KERNEL_ACCT | CT_KERNEL_TIMESTAMP;
}

int
cli_watch_open(struct cli_watch *watch)
{
	watch->shared = can_share(watch);
	if (watch->shared && subscribe(watch, NULL) != CLI_OK)
		return CLI_FAILED;
	return cli_each_netns(watch->cli, open_in, watch);
}

int
cli_watch_step(struct cli_watch *watch)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < watch->count; i++) {
		watch->current = i;
		if (watch->events[i])
			status = ct_events_step(watch->events[i], take_event, watch);
	}
	for (size_t i = 0; status == 0 && watch->resync && i < watch->spaces; i++) {
		watch->current = i;
		status = cli_resync_step(&watch->resync[i], show_event, watch);
	}
	/* People watch this: nothing waits in the buffer for more to come. */
	if (status >= 0 && ct_text_flush(watch->show->text) < 0)
		status = 1;
	return status;
}

bool
cli_watch_is_stale(const struct cli_watch *watch)
{
	const struct cli *cli = watch->cli;
	struct ct_netns_id id;

	if (!cli_used(cli, CLI_NETNS))
		return false;
	if (cli->netns_count != watch->spaces)
		return true;
	for (size_t i = 0; i < cli->netns_count; i++) {
		if (ct_netns_identify(cli->netns[i], &id) < 0)
			memset(&id, 0, sizeof(id));
		if (memcmp(&id, &watch->ids[i], sizeof(id)) != 0)
			return true;
	}
	return false;
}

uint64_t
cli_watch_malformed(const struct cli_watch *watch)
{
	uint64_t malformed = 0;

	for (size_t i = 0; i < watch->count; i++)
		if (watch->events[i])
			malformed += ct_events_malformed(watch->events[i]);
	return malformed;
}
