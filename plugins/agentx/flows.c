/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntapFlowTable.  A walk goes through the snapshot; who asks for an object by its
 * name is answered by the kernel.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "index.h"
#include "regions.h"
#include "space.h"

/* What a flow must have for an object of the column to be there; 0: nothing. */
static const uint64_t needs[] = {
	[AGX_FLOW_STATUS] = CT_STATUS,
	[AGX_FLOW_STATE] = CT_STATE,
	[AGX_FLOW_TIMEOUT] = CT_TIMEOUT,
	[AGX_FLOW_MARK] = CT_MARK,
	[AGX_FLOW_ORIG_PACKETS] = CT_COUNTERS_ORIG,
	[AGX_FLOW_ORIG_BYTES] = CT_COUNTERS_ORIG,
	[AGX_FLOW_REPLY_PACKETS] = CT_COUNTERS_REPLY,
	[AGX_FLOW_REPLY_BYTES] = CT_COUNTERS_REPLY,
	[AGX_FLOW_REPLY_SRC_TYPE] = CT_REPLY_TUPLE,
	[AGX_FLOW_REPLY_SRC] = CT_REPLY_TUPLE,
	[AGX_FLOW_REPLY_SPORT] = CT_REPLY_TUPLE,
	[AGX_FLOW_REPLY_DST_TYPE] = CT_REPLY_TUPLE,
	[AGX_FLOW_REPLY_DST] = CT_REPLY_TUPLE,
	[AGX_FLOW_REPLY_DPORT] = CT_REPLY_TUPLE,
	[AGX_FLOW_START] = CT_START,
	[AGX_FLOW_LABELS] = CT_LABELS,
	[AGX_FLOW_HELPER] = CT_HELPER_NAME,
	[AGX_FLOW_ID] = CT_ID,
	[AGX_FLOW_USE] = CT_USE,
	[AGX_FLOW_ACTION] = 0,
};

_Static_assert(sizeof(needs) / sizeof(needs[0]) == AGX_FLOW_ACTION + 1, "all columns");

/* As in a name: of ICMP, id, and type and code. */
static bool
reply_port(const struct ct_tuple *reply, bool source, struct agx_value *value)
{
	if (reply->proto != IPPROTO_ICMP && reply->proto != IPPROTO_ICMPV6)
		return agx_gauge(value, source ? reply->sport : reply->dport);
	return agx_gauge(value, source ? reply->icmp_id
				       : (unsigned int)reply->icmp_type << 8 |
						 reply->icmp_code);
}

static bool
reply_value(const struct ct_tuple *reply, enum agx_flow_column column,
	    struct agx_value *value)
{
	switch (column) {
	case AGX_FLOW_REPLY_SRC:
		return agx_addr(value, reply->family, &reply->src);
	case AGX_FLOW_REPLY_DST:
		return agx_addr(value, reply->family, &reply->dst);
	case AGX_FLOW_REPLY_SPORT:
		return reply_port(reply, true, value);
	case AGX_FLOW_REPLY_DPORT:
		return reply_port(reply, false, value);
	default:
		return agx_addr_type(value, reply->family);
	}
}

static bool
counter_value(const struct ct_flow *flow, enum agx_flow_column column,
	      struct agx_value *value)
{
	switch (column) {
	case AGX_FLOW_ORIG_PACKETS:
		return agx_counter64(value, flow->counters[CT_ORIG].packets);
	case AGX_FLOW_ORIG_BYTES:
		return agx_counter64(value, flow->counters[CT_ORIG].bytes);
	case AGX_FLOW_REPLY_PACKETS:
		return agx_counter64(value, flow->counters[CT_REPLY].packets);
	default:
		return agx_counter64(value, flow->counters[CT_REPLY].bytes);
	}
}

/* A state of a newer kernel may have no name here: then its number. */
static bool
state_value(const struct ct_flow *flow, struct agx_value *value)
{
	const char *name = ct_state_name(flow->orig.proto, flow->state);
	char number[8];

	snprintf(number, sizeof(number), "%u", flow->state);
	return agx_string(value, name ? name : number);
}

static bool
flow_value(const struct ct_flow *flow, enum agx_flow_column column,
	   struct agx_value *value)
{
	if (needs[column] && !(flow->has & needs[column]))
		return false;
	switch (column) {
	case AGX_FLOW_STATUS:
		return agx_bits(value, flow->status, 16);
	case AGX_FLOW_STATE:
		return state_value(flow, value);
	case AGX_FLOW_TIMEOUT:
		return agx_gauge(value, flow->timeout);
	case AGX_FLOW_MARK:
		return agx_gauge(value, flow->mark);
	case AGX_FLOW_ORIG_PACKETS:
	case AGX_FLOW_ORIG_BYTES:
	case AGX_FLOW_REPLY_PACKETS:
	case AGX_FLOW_REPLY_BYTES:
		return counter_value(flow, column, value);
	case AGX_FLOW_START:
		return agx_date(value, flow->start);
	case AGX_FLOW_LABELS:
		return agx_octets(value, flow->labels, sizeof(flow->labels));
	case AGX_FLOW_HELPER:
		return agx_string(value, flow->helper);
	case AGX_FLOW_ID:
		return agx_gauge(value, flow->id);
	case AGX_FLOW_USE:
		return agx_gauge(value, flow->use);
	case AGX_FLOW_ACTION:
		return agx_integer(value, AGX_ACTIVE);
	default:
		return reply_value(&flow->reply, column, value);
	}
}

static bool
flow_get(struct agx_space *space, unsigned int column, const agx_id *index,
	 size_t length, struct agx_value *value)
{
	struct ct_table_key key;
	struct ct_flow flow;

	return agx_index_key(index, length, &key) &&
	       agx_space_get(space, &key, &flow) == 0 &&
	       flow_value(&flow, (enum agx_flow_column)column, value);
}

/* What a row says that was set since: not what the snapshot has. */
static bool
is_there_still(struct agx_space *space, const struct ct_table_key *key,
	       struct ct_flow *flow)
{
	return !agx_touched_has(&space->touched, key) ||
	       agx_space_get(space, key, flow) == 0;
}

static bool
flow_next(struct agx_space *space, unsigned int column, const agx_id *index,
	  size_t length, struct agx_row *row, struct agx_value *value)
{
	const struct agx_snapshot *snapshot = agx_space_snapshot(space);
	struct ct_table_key key;
	struct ct_flow flow;
	bool inclusive;

	if (!snapshot || !snapshot->table)
		return false;
	agx_index_behind(index, length, &key, &inclusive);
	for (; ct_table_next(snapshot->table, &key, inclusive, needs[column], &flow);
	     inclusive = false) {
		if (!is_there_still(space, &key, &flow) ||
		    !flow_value(&flow, (enum agx_flow_column)column, value))
			continue;
		row->length = agx_index_of(&key, row->ids);
		return true;
	}
	return false;
}

const struct agx_region agx_flows = {
	.name = "conntapFlowTable",
	.place = { 1, 3, 1, 1 },
	.place_length = 4,
	.first_column = AGX_FLOW_STATUS,
	.last_column = AGX_FLOW_ACTION,
	.get = flow_get,
	.next = flow_next,
	.set = agx_flows_set,
};
