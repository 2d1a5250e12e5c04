/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_NOTIFICATIONS_H
#define AGX_NOTIFICATIONS_H
/*
 * What the agent tells without being asked: that a table fills up, is full, or that
 * events were lost.  Looked at once a second, and only while there is a master agent to
 * tell it to; so what happened meanwhile is told afterwards.
 */
#include "space.h"

/* What was told of one namespace.  All zero is a good beginning. */
struct agx_told {
	bool high;     /* conntapUsageHigh was told, and not yet conntapUsageCleared */
	bool began;    /* `harm` and `lost` are set */
	uint64_t harm; /* what the table had lost when it was told last */
	uint64_t lost; /* likewise, events */
	uint64_t sent[5]; /* when, by enum of the notification; ms, 0: never */
};

void agx_notify(struct agx_space *space, struct agx_told *told, const agx_id *base,
		size_t base_length);

#endif
