/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_REGIONS_H
#define AGX_REGIONS_H
/* The parts of CONNTAP-MIB that are answered here; the numbers are the MIB's. */
#include "region.h"

extern const struct agx_region agx_general;  /* scalars.c */
extern const struct agx_region agx_controls; /* controls.c */
extern const struct agx_region agx_stats;    /* statistics.c */
extern const struct agx_region agx_cpus;
extern const struct agx_region agx_protos; /* counts.c */
extern const struct agx_region agx_tcp_states;
extern const struct agx_region agx_sctp_states;
extern const struct agx_region agx_zones;
extern const struct agx_region agx_flows;   /* flows.c */
extern const struct agx_region agx_expects; /* expects.c */

/* Columns that others than their region name. */
enum agx_general_column {
	AGX_ENTRIES = 1,
	AGX_MAX_ENTRIES,
	AGX_USAGE_PERCENT,
	AGX_PEAK_ENTRIES,
	AGX_PEAK_TIME,
	AGX_BUCKETS,
	AGX_EXPECT_ENTRIES,
	AGX_EXPECT_MAX,
	AGX_ENTRIES_IPV4,
	AGX_ENTRIES_IPV6,
	AGX_ENTRIES_ASSURED,
	AGX_ENTRIES_UNREPLIED,
	AGX_ENTRIES_NAT,
	AGX_ENTRIES_OFFLOAD,
	AGX_ACCT_ENABLED,
	AGX_TIMESTAMP_ENABLED,
	AGX_EVENTS_MODE,
	AGX_NETNS,
	AGX_KERNEL_RELEASE,
	AGX_AGENT_VERSION,
	AGX_SNAPSHOT_TIME,
	AGX_SNAPSHOT_ROWS,
	AGX_SNAPSHOT_ROWS_CUT,
	AGX_SNAPSHOT_DURATION,
	AGX_SNAPSHOT_MAX_AGE,
	AGX_FLOWS_DELETED,
	AGX_FLOW_DELETE_FAILURES,
	AGX_CREATE_RATE,
	AGX_DESTROY_RATE,
	AGX_EVENTS_LOST,
};

/* In conntapStats, a counter is the enum ct_stat behind the time. */
enum { AGX_STATS_TIME = 1, AGX_STATS_FIRST = 2 };

enum agx_flow_column {
	AGX_FLOW_STATUS = 9,
	AGX_FLOW_STATE,
	AGX_FLOW_TIMEOUT,
	AGX_FLOW_MARK,
	AGX_FLOW_ORIG_PACKETS,
	AGX_FLOW_ORIG_BYTES,
	AGX_FLOW_REPLY_PACKETS,
	AGX_FLOW_REPLY_BYTES,
	AGX_FLOW_REPLY_SRC_TYPE,
	AGX_FLOW_REPLY_SRC,
	AGX_FLOW_REPLY_SPORT,
	AGX_FLOW_REPLY_DST_TYPE,
	AGX_FLOW_REPLY_DST,
	AGX_FLOW_REPLY_DPORT,
	AGX_FLOW_START,
	AGX_FLOW_LABELS,
	AGX_FLOW_HELPER,
	AGX_FLOW_ID,
	AGX_FLOW_USE,
	AGX_FLOW_ACTION,
};

/* conntapFlowAction. */
enum { AGX_ACTIVE = 1, AGX_DELETE = 2 };

struct netsnmp_request_info_s;

/* A SET in the flow table, in the general scalars, in the controls. */
void agx_flows_set(struct agx_space *space, int mode,
		   struct netsnmp_request_info_s *requests);
void agx_general_set(struct agx_space *space, int mode,
		     struct netsnmp_request_info_s *requests);

/* The share of the table that is in use; false where there is no limit. */
bool agx_usage(const struct agx_space *space, uint32_t *percent);

#endif
