/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_TOP_H
#define CT_TOP_H
/*
 * Who fills the table: the heaviest keys of a stream of flows, in bounded memory.
 *
 * This is the "space saving" sketch of Metwally, Agrawal and El Abbadi (2005).  As long
 * as there are no more different keys than its capacity, it is a plain exact count.
 * After that a new key takes the place, and the value, of the lightest one, and
 * remembers that value as its `excess`.  Whatever the stream was:
 *
 *	value - excess <= the true value <= value
 *	excess <= total / capacity
 *	a key whose true value is above total / capacity is there
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"

/* Compared as bytes: all of it is to be set, what does not matter to 0. */
struct ct_top_key {
	struct ct_addr addr[2];
	uint16_t port;
	uint16_t zone;
	uint8_t family;
	uint8_t proto;
	uint16_t unused;
};

struct ct_top_entry {
	struct ct_top_key key;
	uint64_t value;  /* at most this much */
	uint64_t excess; /* and at least value - excess */
	uint64_t beside; /* at least so much was counted beside; all of it if exact */
};

struct ct_top;

/* Of so many keys, 1 to CT_TOP_MAX.  NULL: no memory.  `free` takes NULL. */
#define CT_TOP_MAX (1u << 24)
struct ct_top *ct_top_new(size_t capacity);
void ct_top_free(struct ct_top *top);

/* Forgets what was added. */
void ct_top_clear(struct ct_top *top);

/*
 * Adds `value` to what the key is ranked by, and `beside` to a second number that goes
 * with it.  Allocates nothing.
 */
void ct_top_add(struct ct_top *top, const struct ct_top_key *key, uint64_t value,
		uint64_t beside);

/* Has every key had its place so far? */
bool ct_top_is_exact(const struct ct_top *top);

/* The sum of all values that were added. */
uint64_t ct_top_total(const struct ct_top *top);

/*
 * The entries, heaviest first, those of equal value by the bytes of their keys.  They
 * are the sketch's, until the next ct_top_add() or ct_top_free().
 */
const struct ct_top_entry *ct_top_list(struct ct_top *top, size_t *count);

/* By what flows can be told apart. */
enum ct_top_by {
	CT_TOP_SOURCE,            /* of the original direction */
	CT_TOP_DESTINATION,       /* of the original direction */
	CT_TOP_PORT,              /* protocol and destination port, likewise */
	CT_TOP_PAIR,              /* source and destination, likewise */
	CT_TOP_REPLY_SOURCE,      /* the server behind a translated destination */
	CT_TOP_REPLY_DESTINATION, /* the translated source */
	CT_TOP_KINDS,
};

/* "source" …; -1 for what is no name. */
const char *ct_top_by_name(enum ct_top_by by);
int ct_top_by_value(const char *name);

/*
 * The key of a flow.  Addresses are cut to prefixes of `prefix4` (0-32) and `prefix6`
 * (0-128) bits.  False when the flow has nothing to be told by, as ICMP has no port.
 */
bool ct_top_key_of(const struct ct_flow *flow, enum ct_top_by by, unsigned int prefix4,
		   unsigned int prefix6, struct ct_top_key *key);

#endif
