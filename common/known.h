/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_KNOWN_H
#define CT_KNOWN_H
/*
 * The set of flows that one knows of, so that after lost events another look at the
 * table tells what came and went unseen.  For whoever follows events and must not miss
 * one.  A flow is known by its zone and original tuple; about 130 bytes each.
 */
#include <stddef.h>
#include <stdint.h>

#include "flow.h"

struct ct_known;

/* NULL without memory.  `free` takes NULL. */
struct ct_known *ct_known_new(void);
void ct_known_free(struct ct_known *known);

/*
 * Adds the flow, or notes that it has been seen again, and whether it is one of those
 * that are wanted: of what is kept, that cannot be told later.  Returns 1 when it was
 * not known (or lived under another id), 0 when it was, -ENOMEM.
 */
int ct_known_add(struct ct_known *known, const struct ct_flow *flow, bool wanted);

/* The flow has changed; nothing happens if it is not known. */
void ct_known_change(struct ct_known *known, const struct ct_flow *flow, bool wanted);

/* Forgets the flow.  Was it known? */
bool ct_known_remove(struct ct_known *known, const struct ct_flow *flow);

size_t ct_known_count(const struct ct_known *known);

/*
 * Before a look at the whole table ct_known_begin(), for each flow of it
 * ct_known_add(), and then ct_known_sweep() forgets each flow that was not there any
 * more; `flow_fn` is called with those that were wanted: with original tuple, zone and
 * id, and no more.  A value of `flow_fn` other than 0 ends the sweep and is returned.
 */
void ct_known_begin(struct ct_known *known);
int ct_known_sweep(struct ct_known *known,
		   int (*flow_fn)(const struct ct_flow *flow, void *data), void *data);

#endif
