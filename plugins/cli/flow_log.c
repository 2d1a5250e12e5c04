/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log of flows.  Subscriptions last; each period has a document of its own, which is
 * there when the period is over.  What could not be written counts as lost, and the
 * next document says so: a reader of all of them knows how much there was.
 */
#include "flow_log.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "every.h"
#include "watch.h"

/* Steps of a few thousand events each. */
#define STEPS_MAX 100
/* After a clock has been set back, the names of so many seconds may be there. */
#define NAMES_MAX 100000

struct flow_log {
	struct cli *cli;
	const struct output *output;
	struct cli_schedule schedule;
	struct cli_record record;
	struct cli_watch *watch; /* NULL: it could not be opened, or has broken */
	struct cli_show show;    /* of this period */
	bool writing;            /* there is one */
	bool gap;                /* nobody listened for a moment before it */
	uint64_t lost;           /* events that no document has */
	uint64_t unwritten;      /* those that were not the kernel's loss, of `show` */
	uint64_t malformed;      /* as of the document's beginning */
	char host[256];
	struct output_name name;
};

/* Events that cannot be told in the document that they were of. */
static void
put_lost(struct flow_log *log)
{
	const struct ct_event event = {
		.kind = CT_EVENT_LOST,
		.lost = log->lost,
		.nsid = CT_NSID_HERE,
	};

	if (log->lost == 0)
		return;
	log->show.view.now = cli_clock(CLOCK_REALTIME);
	log->show.output->event(log->show.text, &log->show.view, &event);
	log->show.end.lost = log->lost;
	log->unwritten = log->lost;
	log->lost = 0;
}

/* A document never takes the place of another: a later second has a free name. */
static int
choose_name(struct flow_log *log, uint64_t when, char path[PATH_MAX])
{
	struct stat status;

	for (uint64_t i = 0; i < NAMES_MAX; i++) {
		log->name.time = when + i;
		if (output_name_make(log->cli->path, &log->name, path) < 0)
			return -ENAMETOOLONG;
		if (lstat(path, &status) < 0)
			return 0;
	}
	return -EEXIST;
}

static int
begin_document(struct flow_log *log, uint64_t when)
{
	struct cli *cli = log->cli;
	char path[PATH_MAX];
	const struct output_sink_how how = {
		.path = path,
		.file = cli->file,
		.compress = cli->compress,
	};
	struct ct_kernel kernel;
	int error;

	cli->now = cli_clock(CLOCK_REALTIME);
	error = choose_name(log, when, path);
	if (error)
		return cli_not_written(cli->path, error);
	cli_prune(cli, &log->name, NULL);
	cli_watch_settings(cli, &kernel);
	if (cli_show_open(&log->show, cli, log->output, &how, &kernel) != CLI_OK)
		return CLI_FAILED;
	log->show.end.subject = OUTPUT_EVENTS;
	log->malformed = log->watch ? cli_watch_malformed(log->watch) : 0;
	log->show.end.complete = !log->gap;
	log->gap = false;
	log->unwritten = 0;
	log->writing = true;
	put_lost(log);
	return CLI_OK;
}

/* The document says so, too, but who looks after this may not read it. */
static void
tell_loss(struct flow_log *log, uint64_t lost)
{
	if (lost == 0)
		return;
	log->record.lost += lost;
	cli_log(LOG_WARNING, "%llu events are in no document%s",
		(unsigned long long)lost,
		lost > log->unwritten ? ": they came too fast (see --buffer)" : "");
}

static int
end_document(struct flow_log *log)
{
	struct cli_show *show = &log->show;
	uint64_t events = show->end.flows + show->end.lost;
	char path[PATH_MAX];
	int status;

	if (!log->writing)
		return CLI_FAILED;
	if (log->watch)
		show->end.malformed = cli_watch_malformed(log->watch) - log->malformed;
	status = cli_show_end(show);
	cli_show_done(show);
	log->writing = false;
	/* What it would have told, the next one tells. */
	if (status != CLI_OK) {
		log->lost += events;
		log->gap |= !show->end.complete;
		return status;
	}
	tell_loss(log, show->end.lost);
	if (output_name_make(log->cli->path, &log->name, path) < 0)
		return cli_not_written(log->cli->path, -ENAMETOOLONG);
	return cli_prune(log->cli, &log->name, path);
}

static void
close_watch(struct flow_log *log)
{
	cli_watch_free(log->watch);
	log->watch = NULL;
}

/*
 * Namespaces come and go; what ends while the subscription is made anew is missed.  One
 * that is not there does not keep the others from being heard.
 */
static int
open_watch(struct flow_log *log)
{
	int status;

	if (cli_find_netns(log->cli) != CLI_OK)
		return CLI_FAILED;
	if (log->watch && !cli_watch_is_stale(log->watch))
		return log->watch->heard == log->watch->spaces ? CLI_OK : CLI_FAILED;
	log->gap |= log->watch != NULL;
	close_watch(log);
	log->watch = cli_watch_new(log->cli);
	if (!log->watch)
		return CLI_FAILED;
	status = cli_watch_open(log->watch);
	if (status != CLI_OK && log->watch->heard == 0)
		close_watch(log);
	return status;
}

static void
take_status(struct flow_log *log, int status)
{
	cli_record_take(&log->record, status == CLI_OK, status != CLI_OK);
}

/* What has come; without a document it stays in the kernel's buffer, as far as it
 * holds. */
static void
take_events(struct flow_log *log)
{
	int status;

	if (!log->watch || !log->writing)
		return;
	log->watch->show = &log->show;
	status = cli_watch_step(log->watch);
	if (log->show.text->error) {
		/* The disk is full: what was of this document is lost. */
		take_status(log, end_document(log));
	} else if (status < 0) {
		cli_failed("cannot receive events", status);
		log->gap = true;
		close_watch(log);
	}
}

/* What has ended before the signal came is in the last document, unless more comes
 * than can be written. */
static void
take_the_rest(struct flow_log *log)
{
	for (int i = 0; i < STEPS_MAX && log->watch && log->writing; i++) {
		if (poll(log->watch->polls, log->watch->count, 0) <= 0)
			return;
		take_events(log);
	}
}

/*
 * The old document ends, and a new one begins.  It has worked when one is in its place:
 * that a full disk takes the beginning of the next one says nothing.
 */
static void
turn_over(struct flow_log *log, uint64_t when, bool reopen)
{
	bool ending = log->writing;
	int status = ending ? end_document(log) : CLI_OK;
	int opened, begun;

	if (reopen)
		cli_forget_said();
	opened = open_watch(log);
	log->gap |= opened != CLI_OK;
	begun = log->watch ? begin_document(log, when) : CLI_OK;
	if (status == CLI_OK)
		status = opened != CLI_OK ? opened : begun;
	if (ending || status != CLI_OK)
		take_status(log, status);
	cli_record_ready(&log->record);
}

/* What a signal or the time asks for. */
static void
react(struct flow_log *log, unsigned int what)
{
	uint64_t when = what & CLI_TICK ? cli_period(&log->schedule)
					: cli_clock(CLOCK_REALTIME) / 1000000000;

	turn_over(log, when, what & CLI_REOPEN);
}

static void
log_on(struct flow_log *log)
{
	unsigned int what;

	turn_over(log, cli_clock(CLOCK_REALTIME) / 1000000000, false);
	while (!cli_stop) {
		bool listening = log->watch && log->writing;

		what = cli_schedule_wait(&log->schedule,
					 listening ? log->watch->polls : NULL,
					 listening ? log->watch->count : 0, -1);
		take_events(log);
		if (what && !cli_stop)
			react(log, what);
	}
	cli_notify("STOPPING=1");
}

/* The last document is as long as there was time for it. */
static int
log_into_files(struct cli *cli, const struct output *output)
{
	struct flow_log log = { .cli = cli, .output = output };
	int status = CLI_OK;

	gethostname(log.host, sizeof(log.host) - 1);
	log.name.host = log.host;
	if (cli_schedule_open(&log.schedule, cli->every) != CLI_OK)
		return CLI_FAILED;
	cli_say_once();
	log_on(&log);
	take_the_rest(&log);
	if (log.writing)
		status = end_document(&log);
	close_watch(&log);
	cli_schedule_close(&log.schedule);
	return status;
}

int
cli_flow_log(struct cli *cli, const struct output *output)
{
	cli->groups = CT_EVENTS_DESTROY;
	if (cli->path)
		return log_into_files(cli, output);
	cli->format = output;
	return cli_events(cli);
}
