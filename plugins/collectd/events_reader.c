/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What begins and ends in the table, counted by a thread that listens; a reading
 * dispatches the counts, and whether it does listen: while it does not, they stay
 * untold.  How many events were lost because they came too fast is known exactly, and
 * is one of them.
 */
#include "readers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/census.h"
#include "common/events.h"
#include "emit.h"
#include "space.h"

/* So often the list of namespaces is looked at, and what failed is tried again. */
#define RETRY_MS 5000

struct bucket {
	uint64_t below; /* and not below the one before */
	const char *name;
};

static const struct bucket durations[] = {
	{ 1, "0-1s" },    { 10, "1-10s" },    { 60, "10-60s" },
	{ 600, "1-10m" }, { 3600, "10-60m" }, { UINT64_MAX, "over_1h" },
};

static const struct bucket sizes[] = {
	{ 1000, "0-1k" },
	{ 10000, "1-10k" },
	{ 100000, "10-100k" },
	{ 1000000, "100k-1M" },
	{ 10000000, "1-10M" },
	{ 100000000, "10-100M" },
	{ UINT64_MAX, "over_100M" },
};

/* What was heard of a namespace; the mutex of the reader guards it. */
struct counts {
	uint64_t begun[256]; /* by protocol */
	uint64_t ended[256];
	uint64_t bytes[256]; /* of ended flows, both directions */
	uint64_t packets[256];
	uint64_t durations[STATIC_ARRAY_SIZE(durations)];
	uint64_t sizes[STATIC_ARRAY_SIZE(sizes)];
	uint64_t lost;
	uint64_t subscriptions;
};

struct listener {
	struct ct_events *events; /* NULL: not yet, or not any more */
	struct counts counts;     /* kept until it listens again */
};

struct tap_events_reader {
	const struct tap_settings *settings;
	struct tap_spaces spaces; /* the thread's; counts are shared */
	pthread_t thread;
	bool running;
	int stop; /* an eventfd: readable when it is to end */
	pthread_mutex_t mutex;
};

static void *
listener_make(struct tap_space *space)
{
	(void)space;
	return calloc(1, sizeof(struct listener));
}

static void
listener_done(void *data)
{
	struct listener *listener = data;

	ct_events_free(listener->events);
	free(listener);
}

static void
count_in(const struct bucket *buckets, uint64_t *counts, uint64_t value)
{
	while (value >= buckets->below && buckets->below != UINT64_MAX) {
		buckets++;
		counts++;
	}
	++*counts;
}

static void
count_end(struct counts *counts, const struct ct_flow *flow)
{
	const struct ct_counters *sums = flow->counters;
	uint64_t bytes = sums[CT_ORIG].bytes + sums[CT_REPLY].bytes;
	uint8_t proto = flow->orig.proto;
	uint64_t duration;

	counts->ended[proto]++;
	if (flow->has & CT_COUNTERS) {
		counts->bytes[proto] += bytes;
		counts->packets[proto] +=
			sums[CT_ORIG].packets + sums[CT_REPLY].packets;
		count_in(sizes, counts->sizes, bytes);
	}
	if (ct_flow_duration(flow, &duration))
		count_in(durations, counts->durations, duration / 1000000000);
}

static int
hear(const struct ct_event *event, void *data)
{
	struct counts *counts = data;

	if (event->kind == CT_EVENT_LOST)
		counts->lost += event->lost;
	else if (event->kind == CT_EVENT_NEW && event->flow)
		counts->begun[event->flow->orig.proto]++;
	else if (event->kind == CT_EVENT_DESTROY && event->flow)
		count_end(counts, event->flow);
	return 0;
}

static void
close_events(struct listener *listener)
{
	ct_events_free(listener->events);
	listener->events = NULL;
}

static void
subscribe(struct tap_events_reader *reader, struct tap_space *space)
{
	const struct ct_events_options options = {
		.netns = space->netns,
		.groups = CT_EVENTS_NEW | CT_EVENTS_DESTROY,
		.buffer = reader->settings->events_buffer,
	};
	struct listener *listener = space->data;
	bool another;
	int error = tap_space_look(space, &another);

	/* A socket keeps its namespace alive when the name is another's by now. */
	if (another)
		close_events(listener);
	if (listener->events)
		return;
	if (!error)
		error = ct_events_open(&listener->events, &options);
	if (error) {
		listener->events = NULL;
		tap_space_failed(space, "cannot listen to events", error);
		return;
	}
	listener->counts.subscriptions++;
	tap_space_works(space);
}

static void
look_after(struct tap_events_reader *reader)
{
	pthread_mutex_lock(&reader->mutex);
	tap_spaces_update(&reader->spaces, reader->settings);
	for (struct tap_space *at = reader->spaces.first; at; at = at->next)
		subscribe(reader, at);
	pthread_mutex_unlock(&reader->mutex);
}

/* Fills in what to wait for: the end first, then each subscription. */
static nfds_t
fill_polls(const struct tap_events_reader *reader, struct pollfd *polls)
{
	nfds_t count = 1;

	polls[0] = (struct pollfd){ .fd = reader->stop, .events = POLLIN };
	for (struct tap_space *at = reader->spaces.first; at; at = at->next) {
		const struct listener *listener = at->data;

		if (listener->events)
			polls[count++] = (struct pollfd){
				.fd = ct_events_fd(listener->events),
				.events = POLLIN,
			};
	}
	return count;
}

static void
step(struct tap_events_reader *reader)
{
	pthread_mutex_lock(&reader->mutex);
	for (struct tap_space *at = reader->spaces.first; at; at = at->next) {
		struct listener *listener = at->data;
		int error = listener->events ? ct_events_step(listener->events, hear,
							      &listener->counts)
					     : 0;

		if (error == 0)
			continue;
		tap_space_failed(at, "cannot receive events", error);
		close_events(listener);
	}
	pthread_mutex_unlock(&reader->mutex);
}

static uint64_t
milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void *
listen_on(void *data)
{
	struct tap_events_reader *reader = data;
	struct pollfd polls[TAP_NETNS_MAX + 1];
	uint64_t looked = 0, now;
	nfds_t count;

	do {
		now = milliseconds();
		if (looked == 0 || now >= looked + RETRY_MS) {
			look_after(reader);
			looked = now;
		}
		count = fill_polls(reader, polls);
		poll(polls, count, (int)(looked + RETRY_MS - now));
		step(reader);
	} while (!(polls[0].revents & POLLIN));
	return NULL;
}

struct tap_events_reader *
tap_events_new(const struct tap_settings *settings)
{
	struct tap_events_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->settings = settings;
	reader->spaces.make = listener_make;
	reader->spaces.done = listener_done;
	pthread_mutex_init(&reader->mutex, NULL);
	reader->stop = eventfd(0, EFD_CLOEXEC);
	if (reader->stop >= 0)
		reader->running = plugin_thread_create(&reader->thread, listen_on,
						       reader, "conntap events") == 0;
	if (!reader->running) {
		ERROR(TAP_PLUGIN " plugin: no thread to listen to events");
		tap_events_free(reader);
		return NULL;
	}
	return reader;
}

void
tap_events_free(struct tap_events_reader *reader)
{
	uint64_t one = 1;

	if (!reader)
		return;
	if (reader->running && write(reader->stop, &one, sizeof(one)) == sizeof(one))
		pthread_join(reader->thread, NULL);
	tap_spaces_free(&reader->spaces);
	if (reader->stop >= 0)
		close(reader->stop);
	pthread_mutex_destroy(&reader->mutex);
	free(reader);
}

static void
emit_protos(const struct tap_emitter *emitter, const char *group, const char *type,
	    const uint64_t counts[256])
{
	uint64_t other = 0;

	for (unsigned int proto = 0; proto < 256; proto++)
		if (ct_proto_is_usual((uint8_t)proto))
			tap_derive(emitter, group, type, ct_proto_name((uint8_t)proto),
				   counts[proto]);
		else
			other += counts[proto];
	tap_derive(emitter, group, type, "other", other);
}

static void
emit_counts(const struct tap_emitter *emitter, const struct counts *counts)
{
	tap_derive(emitter, "events", "errors", "lost", counts->lost);
	tap_derive(emitter, "events", "operations", "subscribe", counts->subscriptions);
	emit_protos(emitter, "new", "connections", counts->begun);
	emit_protos(emitter, "ended", "connections", counts->ended);
	emit_protos(emitter, "ended", "total_bytes", counts->bytes);
	emit_protos(emitter, "ended", "packets", counts->packets);
	for (size_t i = 0; i < STATIC_ARRAY_SIZE(durations); i++)
		tap_derive(emitter, "duration", "connections", durations[i].name,
			   counts->durations[i]);
	for (size_t i = 0; i < STATIC_ARRAY_SIZE(sizes); i++)
		tap_derive(emitter, "size", "connections", sizes[i].name,
			   counts->sizes[i]);
}

/* What a reading tells of a namespace. */
struct report {
	struct counts counts;
	bool listening;
	bool named;
	char netns[256];
};

/* Fills it in for the namespace at `place`; false: there are not so many. */
static bool
fill_report(struct tap_events_reader *reader, size_t place, struct report *report)
{
	struct tap_space *at;

	pthread_mutex_lock(&reader->mutex);
	at = reader->spaces.first;
	while (at && place-- > 0)
		at = at->next;
	if (at) {
		const struct listener *listener = at->data;

		report->counts = listener->counts;
		report->listening = listener->events != NULL;
		report->named = at->netns != NULL;
		sstrncpy(report->netns, at->netns ? at->netns : "",
			 sizeof(report->netns));
	}
	pthread_mutex_unlock(&reader->mutex);
	return at != NULL;
}

/* The daemon's queue may be slow, and the thread is not to wait for it. */
void
tap_events_read(struct tap_events_reader *reader)
{
	struct tap_emitter emitter = { .time = cdtime() };
	struct report report;

	for (size_t i = 0; fill_report(reader, i, &report); i++) {
		emitter.netns = report.named ? report.netns : NULL;
		tap_gauge(&emitter, "events", "objects", "listening", report.listening);
		/* Who does not listen has not heard that nothing happens. */
		if (report.listening)
			emit_counts(&emitter, &report.counts);
	}
}
