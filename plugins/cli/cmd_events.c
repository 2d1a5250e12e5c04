/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap events: what happens in the table, as it happens. */
#include <errno.h>
#include <syslog.h>

#include "watch.h"

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
patience(const struct cli_watch *watch, uint64_t deadline)
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
follow(struct cli_watch *watch)
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
		status = cli_watch_step(watch);
	}
	return status;
}

/* How it ended, on stderr, where every format leaves room for it. */
static void
say_summary(const struct cli_watch *watch)
{
	const struct output_end *end = &watch->show->end;

	if (cli_used(watch->cli, CLI_VERBOSE) || end->lost)
		cli_log(end->lost ? LOG_WARNING : LOG_INFO, "%llu events, %llu lost%s",
			(unsigned long long)end->flows, (unsigned long long)end->lost,
			end->lost ? " (a larger --buffer may help)" : "");
}

static int
run(struct cli_watch *watch)
{
	int status = cli_watch_open(watch), written;

	if (status != CLI_OK)
		return status;
	status = follow(watch);
	watch->show->end.malformed = cli_watch_malformed(watch);
	watch->show->end.complete = status >= 0;
	written = cli_show_end(watch->show);
	say_summary(watch);
	if (written != CLI_OK)
		return written;
	if (status < 0)
		return cli_failed("cannot receive events", status);
	return watch->show->end.lost || watch->show->end.malformed ? CLI_FAILED
								   : CLI_OK;
}

int
cli_events(struct cli *cli)
{
	const unsigned int needed = CT_EVENTS_NEW | CT_EVENTS_DESTROY;
	struct cli_watch *watch;
	struct ct_kernel kernel;
	struct cli_show show;
	int status = CLI_FAILED;

	if (!cli->groups)
		cli->groups = needed;
	if (cli_used(cli, CLI_RESYNC) && (cli->groups & needed) != needed) {
		cli_say("--resync: it needs the events new and destroy");
		return CLI_USAGE;
	}
	watch = cli_watch_new(cli);
	if (!watch)
		return CLI_FAILED;
	cli_watch_settings(cli, &kernel);
	if (cli_show_init(&show, cli, cli->format, &kernel) == CLI_OK) {
		show.end.subject = OUTPUT_EVENTS;
		watch->show = &show;
		status = run(watch);
		cli_show_done(&show);
	}
	cli_watch_free(watch);
	return status;
}
