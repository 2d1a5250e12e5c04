/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_TOUCHED_H
#define AGX_TOUCHED_H
/*
 * The rows that were set since the snapshot's pass began: what it says of them is not
 * true any more, so the kernel is asked, until there is a newer snapshot.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/table.h"

struct agx_touch {
	struct ct_table_key key;
	uint64_t ms; /* when: agx_milliseconds() */
};

/* All zero is empty. */
struct agx_touched {
	struct agx_touch *rows; /* in order */
	size_t count;
	size_t room;
};

void agx_touched_done(struct agx_touched *touched);

/* Returns 0 or -ENOMEM. */
int agx_touched_add(struct agx_touched *touched, const struct ct_table_key *key,
		    uint64_t ms);

bool agx_touched_has(const struct agx_touched *touched, const struct ct_table_key *key);

/* Forgets what was before. */
void agx_touched_forget(struct agx_touched *touched, uint64_t before_ms);

#endif
