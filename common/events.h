/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_EVENTS_H
#define CT_EVENTS_H
/*
 * A subscription to what happens in the table: flows and expectations that come,
 * change and go.  For everything that follows the table instead of looking at it.
 *
 * The kernel drops events that find the socket's buffer full.  How many it dropped is
 * known exactly and is an event too (CT_EVENT_LOST): from then on, whatever is known of
 * the table is stale, and another dump has to mend it.  To begin without a gap, open
 * the subscription first, dump the table then, and read events after that.
 *
 * Listening is not free: each new flow costs the machine about 2.5 µs more.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expect.h"
#include "flow.h"

struct ct_events;

/* What to subscribe to. */
enum {
	CT_EVENTS_NEW = 1 << 0,
	CT_EVENTS_UPDATE = 1 << 1,
	CT_EVENTS_DESTROY = 1 << 2,
	CT_EVENTS_EXPECT_NEW = 1 << 3,
	CT_EVENTS_EXPECT_UPDATE = 1 << 4,
	CT_EVENTS_EXPECT_DESTROY = 1 << 5,

	CT_EVENTS_FLOWS = CT_EVENTS_NEW | CT_EVENTS_UPDATE | CT_EVENTS_DESTROY,
	CT_EVENTS_EXPECTS = CT_EVENTS_EXPECT_NEW | CT_EVENTS_EXPECT_UPDATE |
			    CT_EVENTS_EXPECT_DESTROY,
};

enum ct_event_kind {
	CT_EVENT_NEW,
	CT_EVENT_UPDATE,
	CT_EVENT_DESTROY,
	CT_EVENT_LOST,
};

/* nsid where the event is of the namespace that the subscription was opened in. */
#define CT_NSID_HERE (-1)

struct ct_event {
	enum ct_event_kind kind;
	const struct ct_flow *flow;     /* either of these two; */
	const struct ct_expect *expect; /* neither when events were lost */
	uint64_t lost;                  /* how many, since the last time */
	int nsid;
	bool unseen; /* not heard of, but found out by looking at the table again */
};

/* The buffer that is asked for: room for about 50,000 events. */
#define CT_EVENTS_BUFFER (64u << 20)

struct ct_events_options {
	const char *netns; /* NULL: the present one */
	unsigned int groups;
	uint32_t buffer;     /* bytes; 0: CT_EVENTS_BUFFER */
	bool all_namespaces; /* also those that have an nsid in the present one */
};

/* 0 goes on; a positive value ends the step, and is what ct_events_step() returns. */
typedef int (*ct_event_fn)(const struct ct_event *event, void *data);

/*
 * Errors: -EPERM without CAP_NET_ADMIN, those of ct_netns_enter().  `free` takes NULL.
 * Once it is open, the subscription needs no rights.
 */
int ct_events_open(struct ct_events **events, const struct ct_events_options *options);
void ct_events_free(struct ct_events *events);

/* For poll(2): readable when a step has something to do. */
int ct_events_fd(const struct ct_events *events);

/*
 * Takes what is there, without waiting, but at most a few thousand messages, and hands
 * each event to `event_fn`.  Returns 0, what the callback returned, or -errno.
 */
int ct_events_step(struct ct_events *events, ct_event_fn event_fn, void *data);

/* The buffer's bytes as the kernel granted them. */
uint32_t ct_events_buffer(const struct ct_events *events);

/* Events lost, and messages that could not be read, since the beginning. */
uint64_t ct_events_lost(const struct ct_events *events);
uint64_t ct_events_malformed(const struct ct_events *events);

#endif
