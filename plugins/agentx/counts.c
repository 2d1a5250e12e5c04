/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables that say how many flows are of which kind: protocols, states, zones. */
#include <netinet/in.h>

#include "regions.h"
#include "space.h"

/* Protocols; a row is a protocol's number. */

enum {
	PROTO_NAME = 2,
	PROTO_ENTRIES,
	PROTO_IPV4,
	PROTO_IPV6,
	PROTO_UNREPLIED,
	PROTO_ORIG_PACKETS,
	PROTO_ORIG_BYTES,
	PROTO_REPLY_PACKETS,
	PROTO_REPLY_BYTES,
};

static int64_t
proto_after(struct agx_space *space, int64_t after)
{
	const struct agx_snapshot *snapshot = agx_space_snapshot(space);

	if (!snapshot)
		return -1;
	for (int64_t proto = after + 1; proto < 256; proto++)
		if (ct_proto_is_usual((uint8_t)proto) ||
		    snapshot->summary.proto[proto].flows > 0)
			return proto;
	return -1;
}

static bool
proto_value(struct agx_space *space, unsigned int column, uint32_t row,
	    struct agx_value *value)
{
	const struct ct_summary *summary = &agx_space_snapshot(space)->summary;
	const struct ct_tally *tally = &summary->proto[row];
	char number[CT_PROTO_NUMBER];

	switch (column) {
	case PROTO_NAME:
		return agx_string(value, ct_proto_label((uint8_t)row, number));
	case PROTO_ENTRIES:
		return agx_gauge(value, tally->flows);
	case PROTO_IPV4:
		return agx_gauge(value, summary->proto_family[row][CT_IPV4].flows);
	case PROTO_IPV6:
		return agx_gauge(value, summary->proto_family[row][CT_IPV6].flows);
	case PROTO_UNREPLIED:
		return agx_gauge(value, summary->proto_unreplied[row].flows);
	case PROTO_ORIG_PACKETS:
		return agx_counter64(value, tally->sum[CT_ORIG].packets);
	case PROTO_ORIG_BYTES:
		return agx_counter64(value, tally->sum[CT_ORIG].bytes);
	case PROTO_REPLY_PACKETS:
		return agx_counter64(value, tally->sum[CT_REPLY].packets);
	default:
		return agx_counter64(value, tally->sum[CT_REPLY].bytes);
	}
}

const struct agx_region agx_protos = {
	.name = "conntapProtoTable",
	.place = { 1, 2, 16, 1 },
	.place_length = 4,
	.first_column = PROTO_NAME,
	.last_column = PROTO_REPLY_BYTES,
	.row_after = proto_after,
	.value = proto_value,
};

/* States; a row is a state's number and 1. */

static int64_t
state_after(struct agx_space *space, uint8_t proto, int64_t after)
{
	int64_t row = after < 1 ? 1 : after + 1;

	if (!agx_space_snapshot(space) || row > CT_STATES_MAX)
		return -1;
	return ct_state_name(proto, (uint8_t)(row - 1)) ? row : -1;
}

static bool
state_value(struct agx_space *space, unsigned int stateful, uint32_t row,
	    struct agx_value *value)
{
	const struct ct_summary *summary = &agx_space_snapshot(space)->summary;

	return agx_gauge(value, summary->state[stateful][row - 1].flows);
}

static int64_t
tcp_after(struct agx_space *space, int64_t after)
{
	return state_after(space, IPPROTO_TCP, after);
}

static bool
tcp_value(struct agx_space *space, unsigned int column, uint32_t row,
	  struct agx_value *value)
{
	(void)column;
	return state_value(space, CT_STATES_TCP, row, value);
}

static int64_t
sctp_after(struct agx_space *space, int64_t after)
{
	return state_after(space, IPPROTO_SCTP, after);
}

static bool
sctp_value(struct agx_space *space, unsigned int column, uint32_t row,
	   struct agx_value *value)
{
	(void)column;
	return state_value(space, CT_STATES_SCTP, row, value);
}

#define ENTRIES 2 /* the one column of these tables */

const struct agx_region agx_tcp_states = {
	.name = "conntapTcpStateTable",
	.place = { 1, 2, 17, 1 },
	.place_length = 4,
	.first_column = ENTRIES,
	.last_column = ENTRIES,
	.row_after = tcp_after,
	.value = tcp_value,
};

const struct agx_region agx_sctp_states = {
	.name = "conntapSctpStateTable",
	.place = { 1, 2, 18, 1 },
	.place_length = 4,
	.first_column = ENTRIES,
	.last_column = ENTRIES,
	.row_after = sctp_after,
	.value = sctp_value,
};

/* Zones; a row is a zone. */

static const struct agx_zone *
first_zone(struct agx_space *space, int64_t from)
{
	const struct agx_snapshot *snapshot = agx_space_snapshot(space);

	if (!snapshot)
		return NULL;
	for (size_t i = 0; i < snapshot->zone_count; i++)
		if (snapshot->zones[i].zone >= from)
			return &snapshot->zones[i];
	return NULL;
}

static int64_t
zone_after(struct agx_space *space, int64_t after)
{
	const struct agx_zone *zone = first_zone(space, after + 1);

	return zone ? zone->zone : -1;
}

static bool
zone_value(struct agx_space *space, unsigned int column, uint32_t row,
	   struct agx_value *value)
{
	(void)column;
	return agx_gauge(value, first_zone(space, row)->flows);
}

const struct agx_region agx_zones = {
	.name = "conntapZoneTable",
	.place = { 1, 2, 19, 1 },
	.place_length = 4,
	.first_column = ENTRIES,
	.last_column = ENTRIES,
	.row_after = zone_after,
	.value = zone_value,
};
