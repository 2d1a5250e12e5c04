/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One loop over all namespaces: waits for events, and looks at the counts when it is
 * time.  A file and a socket that were opened in a namespace go on to be its, so it is
 * entered seldom: at the beginning, and when its name means another one.
 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "common/events.h"
#include "common/netns.h"
#include "log.h"
#include "options.h"
#include "snapshot.h"

#define COUNT_FILE "/proc/sys/net/netfilter/nf_conntrack_count"
#define SAMPLE_MS 200
#define LOOK_MS 1000 /* whether the namespaces are there still */
#define SECONDS 10   /* that a rate is over */

struct second {
	uint64_t number; /* which one, of agx_milliseconds() */
	uint32_t created;
	uint32_t destroyed;
};

struct ear {
	struct ct_events *events; /* NULL: not open */
	int count_file;           /* -1: not open */
	int said;                 /* the error that was logged last */
	struct ct_netns_id id;
};

struct agx_ear {
	struct agx_ear *next;
	struct agx_listener *listener;
	const char *netns;
	struct ear ear; /* the thread's alone */
	/* The mutex guards these. */
	uint32_t peak;
	uint64_t peak_time;
	uint64_t lost;
	uint64_t heard_since; /* which second; 0: not listening */
	struct second seconds[SECONDS + 1];
};

struct agx_listener {
	bool events;
	struct agx_ear *first;
	pthread_mutex_t mutex;
	pthread_t thread;
	bool running;
	int wake; /* an eventfd: there is a new ear, or the end */
	bool stop;
};

static void
close_ear(struct agx_ear *at)
{
	ct_events_free(at->ear.events);
	at->ear.events = NULL;
	if (at->ear.count_file >= 0)
		close(at->ear.count_file);
	at->ear.count_file = -1;
}

/* Says it once. */
static void
say(struct agx_ear *at, int error)
{
	if (error == at->ear.said)
		return;
	at->ear.said = error;
	if (error)
		agx_log(LOG_WARNING, "%s%scannot listen to events: %s%s",
			at->netns ? at->netns : "", at->netns ? ": " : "",
			strerror(-error), agx_advice(error));
	else
		agx_log(LOG_INFO, "%s%slistening to events again",
			at->netns ? at->netns : "", at->netns ? ": " : "");
}

static int
open_events(struct agx_ear *at)
{
	const struct ct_events_options options = {
		.groups = CT_EVENTS_NEW | CT_EVENTS_DESTROY,
	};

	if (!at->listener->events || at->ear.events)
		return 0;
	return ct_events_open(&at->ear.events, &options);
}

/* In the namespace: opens what is not open. */
static int
open_ear(struct agx_ear *at)
{
	int home, error = ct_netns_enter(at->netns, &home);

	if (error)
		return error;
	if (at->ear.count_file < 0)
		at->ear.count_file = open(COUNT_FILE, O_RDONLY | O_CLOEXEC);
	error = open_events(at);
	ct_netns_leave(home);
	return error;
}

/* Is the namespace's name another's by now, or nobody's? */
static bool
is_stale(struct agx_ear *at)
{
	struct ct_netns_id id = { 0 };
	bool same;

	if (!at->netns)
		return false;
	same = ct_netns_identify(at->netns, &id) == 0 &&
	       id.device == at->ear.id.device && id.inode == at->ear.id.inode;
	at->ear.id = id;
	return !same;
}

static void
look_after(struct agx_ear *at)
{
	int error;

	if (is_stale(at))
		close_ear(at);
	error = open_ear(at);
	if (at->listener->events)
		say(at, error);
	pthread_mutex_lock(&at->listener->mutex);
	if (!at->ear.events)
		at->heard_since = 0;
	else if (at->heard_since == 0)
		at->heard_since = agx_milliseconds() / 1000;
	pthread_mutex_unlock(&at->listener->mutex);
}

/* Counts. */

static struct second *
this_second(struct agx_ear *at)
{
	uint64_t number = agx_milliseconds() / 1000;
	struct second *second = &at->seconds[number % (SECONDS + 1)];

	if (second->number != number)
		*second = (struct second){ .number = number };
	return second;
}

static int
hear(const struct ct_event *event, void *data)
{
	struct agx_ear *at = data;

	if (event->kind == CT_EVENT_LOST)
		at->lost += event->lost;
	else if (event->kind == CT_EVENT_NEW)
		this_second(at)->created++;
	else if (event->kind == CT_EVENT_DESTROY)
		this_second(at)->destroyed++;
	return 0;
}

static void
take_events(struct agx_ear *at)
{
	int error = 0;

	if (!at->ear.events)
		return;
	pthread_mutex_lock(&at->listener->mutex);
	error = ct_events_step(at->ear.events, hear, at);
	pthread_mutex_unlock(&at->listener->mutex);
	if (error == 0)
		return;
	say(at, error);
	ct_events_free(at->ear.events);
	at->ear.events = NULL;
}

static void
sample(struct agx_ear *at)
{
	char text[16];
	ssize_t size = at->ear.count_file < 0
			       ? -1
			       : pread(at->ear.count_file, text, sizeof(text) - 1, 0);

	if (size <= 0)
		return;
	text[size] = '\0';
	agx_ear_note(at, (uint32_t)strtoul(text, NULL, 10));
}

/* The thread. */

static struct agx_ear *
first_ear(struct agx_listener *listener)
{
	struct agx_ear *first;

	pthread_mutex_lock(&listener->mutex);
	first = listener->first;
	pthread_mutex_unlock(&listener->mutex);
	return first;
}

static nfds_t
fill_polls(struct agx_ear *first, int wake, struct pollfd *polls)
{
	nfds_t count = 1;

	polls[0] = (struct pollfd){ .fd = wake, .events = POLLIN };
	for (struct agx_ear *at = first; at; at = at->next)
		if (at->ear.events)
			polls[count++] = (struct pollfd){
				.fd = ct_events_fd(at->ear.events),
				.events = POLLIN,
			};
	return count;
}

static bool
is_over(struct agx_listener *listener, const struct pollfd *wake)
{
	uint64_t count;
	bool over;

	if (wake->revents & POLLIN)
		(void)!read(wake->fd, &count, sizeof(count));
	pthread_mutex_lock(&listener->mutex);
	over = listener->stop;
	pthread_mutex_unlock(&listener->mutex);
	return over;
}

static void *
listen_on(void *data)
{
	struct agx_listener *listener = data;
	struct pollfd polls[AGX_NETNS_MAX + 2];
	uint64_t looked = 0, sampled = 0;
	nfds_t count;

	do {
		struct agx_ear *first = first_ear(listener);
		uint64_t now = agx_milliseconds();
		bool look = now >= looked + LOOK_MS, take = now >= sampled + SAMPLE_MS;

		for (struct agx_ear *at = first; at; at = at->next) {
			if (look)
				look_after(at);
			if (take)
				sample(at);
		}
		looked = look ? now : looked;
		sampled = take ? now : sampled;
		count = fill_polls(first, listener->wake, polls);
		poll(polls, count, SAMPLE_MS);
		for (struct agx_ear *at = first; at; at = at->next)
			take_events(at);
	} while (!is_over(listener, &polls[0]));
	return NULL;
}

struct agx_listener *
agx_listener_new(bool events)
{
	struct agx_listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return NULL;
	listener->events = events;
	pthread_mutex_init(&listener->mutex, NULL);
	listener->wake = eventfd(0, EFD_CLOEXEC);
	listener->running =
		listener->wake >= 0 &&
		pthread_create(&listener->thread, NULL, listen_on, listener) == 0;
	if (listener->running)
		return listener;
	agx_listener_free(listener);
	return NULL;
}

static void
wake(struct agx_listener *listener)
{
	uint64_t one = 1;

	(void)!write(listener->wake, &one, sizeof(one));
}

void
agx_listener_free(struct agx_listener *listener)
{
	if (!listener)
		return;
	if (listener->running) {
		pthread_mutex_lock(&listener->mutex);
		listener->stop = true;
		pthread_mutex_unlock(&listener->mutex);
		wake(listener);
		pthread_join(listener->thread, NULL);
	}
	while (listener->first) {
		struct agx_ear *at = listener->first;

		listener->first = at->next;
		close_ear(at);
		free(at);
	}
	if (listener->wake >= 0)
		close(listener->wake);
	pthread_mutex_destroy(&listener->mutex);
	free(listener);
}

struct agx_ear *
agx_listener_add(struct agx_listener *listener, const char *netns)
{
	struct agx_ear *ear = calloc(1, sizeof(*ear));

	if (!ear)
		return NULL;
	ear->listener = listener;
	ear->netns = netns;
	ear->ear.count_file = -1;
	/* At once, as events before it are lost; nobody else knows of it yet. */
	look_after(ear);
	pthread_mutex_lock(&listener->mutex);
	ear->next = listener->first;
	listener->first = ear;
	pthread_mutex_unlock(&listener->mutex);
	wake(listener);
	return ear;
}

void
agx_ear_note(struct agx_ear *ear, uint32_t count)
{
	pthread_mutex_lock(&ear->listener->mutex);
	if (count > ear->peak || ear->peak_time == 0) {
		ear->peak = count;
		ear->peak_time = agx_now();
	}
	pthread_mutex_unlock(&ear->listener->mutex);
}

/* Of the seconds that are over, ten at most; a second is not counted in halves. */
static void
add_up(const struct agx_ear *ear, struct agx_heard *heard)
{
	uint64_t now = agx_milliseconds() / 1000, created = 0, destroyed = 0;
	uint64_t seconds = now - ear->heard_since;

	if (seconds > SECONDS)
		seconds = SECONDS;
	for (size_t i = 0; i <= SECONDS; i++) {
		const struct second *second = &ear->seconds[i];

		if (second->number < now && second->number + seconds >= now) {
			created += second->created;
			destroyed += second->destroyed;
		}
	}
	heard->created = seconds ? (uint32_t)((created + seconds / 2) / seconds) : 0;
	heard->destroyed =
		seconds ? (uint32_t)((destroyed + seconds / 2) / seconds) : 0;
}

void
agx_ear_read(struct agx_ear *ear, struct agx_heard *heard)
{
	memset(heard, 0, sizeof(*heard));
	pthread_mutex_lock(&ear->listener->mutex);
	heard->peak = ear->peak;
	heard->peak_time = ear->peak_time;
	heard->lost = ear->lost;
	heard->listening = ear->heard_since != 0;
	if (heard->listening)
		add_up(ear, heard);
	pthread_mutex_unlock(&ear->listener->mutex);
}
