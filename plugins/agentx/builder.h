/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_BUILDER_H
#define AGX_BUILDER_H
/*
 * A thread that makes snapshots, of one namespace after another, so that answers need
 * not wait for a pass over the table.  As long as a namespace is asked about, its
 * snapshot is renewed when it has come of age; some time after the last question
 * (`snapshot_idle` of options.h) that ends, and the machine is left alone.
 */
#include <stdint.h>

#include "options.h"
#include "snapshot.h"

struct agx_builder;
struct agx_order; /* of one namespace */

/* NULL without memory, or without a thread.  `free` takes NULL. */
struct agx_builder *agx_builder_new(const struct agx_options *options);
void agx_builder_free(struct agx_builder *builder);

/* Adds a namespace (NULL: the present one) and makes its first snapshot; NULL: no
 * memory. */
struct agx_order *agx_builder_add(struct agx_builder *builder, const char *netns);

/* From now on, what is older than this many seconds is renewed. */
void agx_order_set_age(struct agx_order *order, uint32_t seconds);

/*
 * There was a question: returns the newest snapshot, which then is the caller's, or
 * NULL when it has that already.  After a long silence, when that is an old one, it
 * waits for a new one, but not for long.
 */
struct agx_snapshot *agx_order_take(struct agx_order *order);

/* Waits until the first snapshot has been made, `ms` at most.  Has it? */
bool agx_order_wait(struct agx_order *order, uint64_t ms);

#endif
