/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_LISTENER_H
#define AGX_LISTENER_H
/*
 * A thread that misses nothing while the agent waits for snmpd: it looks several times
 * a second how full the tables are, and, if it is to, counts the events.
 */
#include <stdbool.h>
#include <stdint.h>

struct agx_listener;
struct agx_ear; /* at one namespace */

/* What was heard so far. */
struct agx_heard {
	uint32_t peak;      /* most flows at a time */
	uint64_t peak_time; /* ns since 1970; 0: nothing was seen yet */
	bool listening;     /* to events; what follows needs it */
	uint32_t created;   /* a second, over the last ten */
	uint32_t destroyed;
	uint64_t lost; /* events that the kernel had to drop */
};

/* NULL without memory or thread.  `free` takes NULL. */
struct agx_listener *agx_listener_new(bool events);
void agx_listener_free(struct agx_listener *listener);

/* Adds a namespace; NULL is the present one.  NULL: no memory. */
struct agx_ear *agx_listener_add(struct agx_listener *listener, const char *netns);

/* There are so many flows, says somebody who has just looked. */
void agx_ear_note(struct agx_ear *ear, uint32_t count);

void agx_ear_read(struct agx_ear *ear, struct agx_heard *heard);

#endif
