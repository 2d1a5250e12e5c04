/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_TABLE_H
#define CT_TABLE_H
/*
 * A snapshot of the table, sorted by zone and original tuple, for whoever has to find
 * "the one behind this".  Compact: about a hundred bytes for a flow of IPv4.
 *
 * It is filled, sealed, and then only read, by any number of threads.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"

/*
 * The place of a flow: zone, protocol, family (IPv4 before IPv6), source, destination,
 * source port, destination port, in this order; addresses byte by byte.  Of ICMP, the
 * source port is the id, the destination port type * 256 + code; of GRE they are the
 * keys; otherwise they are 0.
 */
struct ct_table_key {
	uint16_t zone;
	uint8_t proto;
	uint8_t family; /* AF_INET, AF_INET6 */
	struct ct_addr src;
	struct ct_addr dst;
	uint16_t sport;
	uint16_t dport;
};

void ct_table_key_of(struct ct_table_key *key, const struct ct_flow *flow);

/* The tuple and the zone that a key stands for, as a request needs them. */
void ct_table_key_flow(const struct ct_table_key *key, struct ct_flow *flow);

/* <0, 0, >0, as memcmp(). */
int ct_table_key_compare(const struct ct_table_key *a, const struct ct_table_key *b);

struct ct_table;

/* NULL: no memory.  `free` takes NULL. */
struct ct_table *ct_table_new(void);
void ct_table_free(struct ct_table *table);

/* Adds a flow.  Returns 0 or -ENOMEM. */
int ct_table_add(struct ct_table *table, const struct ct_flow *flow);

/* Sorts; of flows with one key, the one that came last stays.  Returns 0 or -ENOMEM. */
int ct_table_seal(struct ct_table *table);

size_t ct_table_count(const struct ct_table *table);

/* The bytes that it takes. */
size_t ct_table_size(const struct ct_table *table);

/*
 * Finds the flow with this key.  `flow` is filled in with what the table keeps: both
 * tuples, zone, id, status, state, timeout, mark, use, counters, start, labels, helper.
 */
bool ct_table_get(const struct ct_table *table, const struct ct_table_key *key,
		  struct ct_flow *flow);

/*
 * Finds the first flow behind the key, or, if `inclusive`, one with this very key;
 * `key` becomes the flow's.  With `wanted`, only flows count that have one of these
 * CT_*; 0: all flows.
 */
bool ct_table_next(const struct ct_table *table, struct ct_table_key *key,
		   bool inclusive, uint64_t wanted, struct ct_flow *flow);

#endif
