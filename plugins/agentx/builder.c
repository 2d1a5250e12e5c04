/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Orders, the thread that works on them, and how they wait for each other. */
#include "builder.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* A question after a silence waits so long for a new snapshot: snmpd has a second. */
#define PATIENCE_MS 400
/* What failed is tried again after so long. */
#define RETRY_MS 1000
/* A snapshot is to last so many times as long as it takes to make one. */
#define AGE_PASSES 20

struct agx_order {
	struct agx_order *next;
	struct agx_builder *builder;
	const char *netns;
	struct agx_snapshot *ready; /* made, and not taken */
	uint64_t age_ms;
	uint64_t asked_ms;
	/* What is known of the last snapshot. */
	uint64_t made; /* the how-manieth it was; 0: there is none yet */
	uint64_t begun_ms;
	uint64_t took_ms;
	bool failed;
};

struct agx_builder {
	const struct agx_options *options;
	uint64_t idle_ms; /* so long after a question there may be another */
	struct agx_order *first;
	pthread_mutex_t mutex; /* of all orders, too */
	pthread_cond_t asked;  /* there is something to do */
	pthread_cond_t made;
	pthread_t thread;
	bool running;
	volatile sig_atomic_t stop;
};

/* When the next one is to be made. */
static uint64_t
due_time(const struct agx_order *order)
{
	uint64_t age = order->age_ms;

	if (order->made == 0)
		return 0;
	if (order->failed)
		return order->begun_ms + order->took_ms + RETRY_MS;
	if (age < order->took_ms * AGE_PASSES)
		age = order->took_ms * AGE_PASSES;
	return order->begun_ms + age;
}

static bool
is_idle(const struct agx_order *order, uint64_t now)
{
	return now >= order->asked_ms + order->builder->idle_ms;
}

/*
 * When the order is to be worked on; UINT64_MAX: when it is asked about.  The last
 * question is not forgotten while others are worked on.
 */
static uint64_t
next_time(const struct agx_order *order, uint64_t now)
{
	bool is_wanted = order->asked_ms > order->begun_ms || !is_idle(order, now);

	return is_wanted ? due_time(order) : UINT64_MAX;
}

static struct agx_order *
most_urgent(const struct agx_builder *builder, uint64_t now, uint64_t *when)
{
	struct agx_order *best = NULL;

	*when = UINT64_MAX;
	for (struct agx_order *at = builder->first; at; at = at->next)
		if (next_time(at, now) < *when) {
			*when = next_time(at, now);
			best = at;
		}
	return best;
}

static void
wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t ms)
{
	const struct timespec until = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000,
	};

	if (ms == UINT64_MAX)
		pthread_cond_wait(cond, mutex);
	else
		pthread_cond_timedwait(cond, mutex, &until);
}

/* Called with the mutex, which is free during the pass. */
static void
work_on(struct agx_builder *builder, struct agx_order *order)
{
	const struct agx_snapshot_options options = {
		.netns = order->netns,
		.no_flow_table = builder->options->no_flow_table,
		.max_rows = builder->options->max_rows,
		.stop = &builder->stop,
	};
	struct agx_snapshot *snapshot;
	uint64_t begun = agx_milliseconds();

	pthread_mutex_unlock(&builder->mutex);
	snapshot = agx_snapshot_new(&options);
	pthread_mutex_lock(&builder->mutex);
	order->made++;
	order->begun_ms = begun;
	order->took_ms = agx_milliseconds() - begun;
	order->failed = !snapshot || snapshot->error;
	if (snapshot) {
		agx_snapshot_free(order->ready);
		order->ready = snapshot;
	}
	pthread_cond_broadcast(&builder->made);
}

static void *
work(void *data)
{
	struct agx_builder *builder = data;

	pthread_mutex_lock(&builder->mutex);
	while (!builder->stop) {
		uint64_t now = agx_milliseconds(), when;
		struct agx_order *order = most_urgent(builder, now, &when);

		if (order && when <= now)
			work_on(builder, order);
		else
			wait_until(&builder->asked, &builder->mutex, when);
	}
	pthread_mutex_unlock(&builder->mutex);
	return NULL;
}

/* Times are those of agx_milliseconds(). */
static void
cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

struct agx_builder *
agx_builder_new(const struct agx_options *options)
{
	struct agx_builder *builder = calloc(1, sizeof(*builder));

	if (!builder)
		return NULL;
	builder->options = options;
	builder->idle_ms = (uint64_t)options->snapshot_idle * 1000;
	pthread_mutex_init(&builder->mutex, NULL);
	cond_init(&builder->asked);
	cond_init(&builder->made);
	builder->running = pthread_create(&builder->thread, NULL, work, builder) == 0;
	if (builder->running)
		return builder;
	agx_builder_free(builder);
	return NULL;
}

void
agx_builder_free(struct agx_builder *builder)
{
	if (!builder)
		return;
	if (builder->running) {
		pthread_mutex_lock(&builder->mutex);
		builder->stop = 1;
		pthread_cond_broadcast(&builder->asked);
		pthread_mutex_unlock(&builder->mutex);
		pthread_join(builder->thread, NULL);
	}
	while (builder->first) {
		struct agx_order *order = builder->first;

		builder->first = order->next;
		agx_snapshot_free(order->ready);
		free(order);
	}
	pthread_cond_destroy(&builder->asked);
	pthread_cond_destroy(&builder->made);
	pthread_mutex_destroy(&builder->mutex);
	free(builder);
}

struct agx_order *
agx_builder_add(struct agx_builder *builder, const char *netns)
{
	struct agx_order *order = calloc(1, sizeof(*order));

	if (!order)
		return NULL;
	order->builder = builder;
	order->netns = netns;
	order->age_ms = (uint64_t)builder->options->snapshot_age * 1000;
	order->asked_ms = agx_milliseconds();
	pthread_mutex_lock(&builder->mutex);
	order->next = builder->first;
	builder->first = order;
	pthread_cond_signal(&builder->asked);
	pthread_mutex_unlock(&builder->mutex);
	return order;
}

void
agx_order_set_age(struct agx_order *order, uint32_t seconds)
{
	struct agx_builder *builder = order->builder;

	pthread_mutex_lock(&builder->mutex);
	order->age_ms = (uint64_t)seconds * 1000;
	pthread_cond_signal(&builder->asked);
	pthread_mutex_unlock(&builder->mutex);
}

/* Until more than `made` snapshots have been made.  Called with the mutex. */
static void
wait_for_more(struct agx_order *order, uint64_t made, uint64_t ms)
{
	struct agx_builder *builder = order->builder;
	uint64_t until = agx_milliseconds() + ms;

	while (order->made <= made && agx_milliseconds() < until)
		wait_until(&builder->made, &builder->mutex, until);
}

struct agx_snapshot *
agx_order_take(struct agx_order *order)
{
	struct agx_builder *builder = order->builder;
	struct agx_snapshot *taken;
	uint64_t now = agx_milliseconds();
	bool was_idle;

	pthread_mutex_lock(&builder->mutex);
	was_idle = is_idle(order, now);
	order->asked_ms = now;
	if (was_idle && due_time(order) <= now) {
		pthread_cond_signal(&builder->asked);
		wait_for_more(order, order->made, PATIENCE_MS);
	}
	taken = order->ready;
	order->ready = NULL;
	pthread_mutex_unlock(&builder->mutex);
	return taken;
}

bool
agx_order_wait(struct agx_order *order, uint64_t ms)
{
	bool is_made;

	pthread_mutex_lock(&order->builder->mutex);
	wait_for_more(order, 0, ms);
	is_made = order->made > 0;
	pthread_mutex_unlock(&order->builder->mutex);
	return is_made;
}
