/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_INDEX_H
#define AGX_INDEX_H
/*
 * What stands behind a column in the name of a flow's or an expectation's object:
 *
 *	zone.protocol.type.length.source.type.length.destination.port.port
 *
 * and the place in the sorted snapshot that it means.  Pure: any name at all, of any
 * length, with any numbers, has a place.  For the handlers of these two tables.
 */
#include <stdbool.h>
#include <stddef.h>

#include "common/table.h"

/* As Net-SNMP's oid. */
typedef unsigned long agx_id;

/* With two addresses of IPv6. */
#define AGX_INDEX_MAX 40

/* Returns the length. */
size_t agx_index_of(const struct ct_table_key *key, agx_id ids[AGX_INDEX_MAX]);

/* Is it the whole name of a row that there could be? */
bool agx_index_key(const agx_id *ids, size_t length, struct ct_table_key *key);

/*
 * Where the rows are that come behind the name, be it too short, too long or none that
 * a row could have: behind `key`, or with `*inclusive` from `key` on.
 */
void agx_index_behind(const agx_id *ids, size_t length, struct ct_table_key *key,
		      bool *inclusive);

#endif
