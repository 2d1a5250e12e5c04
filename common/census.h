/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_CENSUS_H
#define CT_CENSUS_H
/*
 * Folds a stream of flows into counts: by family, protocol, state, status, zone, mark.
 * Arithmetic only.  For everything that shows what the table is made of.
 *
 * A census takes one look at each flow; what was asked most often, how many flows have
 * which property, is then read from a struct ct_summary, plain data like a flow.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bins.h"
#include "flow.h"

struct ct_census {
	struct ct_bins cells; /* by family, protocol, state and status at once */
	struct ct_bins zones; /* of the original direction */
	struct ct_bins marks;
};

/* So many zones there are; and so many different marks are told apart. */
#define CT_CENSUS_ZONES 65536
#define CT_CENSUS_MARKS 65536

/* `done` frees what counting has allocated. */
void ct_census_init(struct ct_census *census);
void ct_census_done(struct ct_census *census);

/* Forgets what was counted. */
void ct_census_clear(struct ct_census *census);

/* Counts a flow.  Returns 0 or -ENOMEM. */
int ct_census_add(struct ct_census *census, const struct ct_flow *flow);

enum { CT_IPV4, CT_IPV6, CT_FAMILIES };

#define CT_STATES_MAX 16
#define CT_STATUS_BITS 16

/* The protocols that have states. */
enum { CT_STATES_TCP, CT_STATES_SCTP, CT_STATES_DCCP, CT_STATEFUL };

/* What a status says of a flow, beyond its single bits. */
enum ct_trait {
	CT_TRAIT_UNREPLIED, /* nothing has come back yet */
	CT_TRAIT_UNASSURED, /* the kernel may evict it when the table is full */
	CT_TRAIT_NAT,       /* source or destination translated */
	CT_TRAITS,
};

/* Every tally is of all flows that have the property, whatever else they have. */
struct ct_summary {
	struct ct_tally all;
	struct ct_tally family[CT_FAMILIES];
	struct ct_tally proto[256];
	struct ct_tally proto_family[256][CT_FAMILIES];
	struct ct_tally proto_unreplied[256];
	struct ct_tally state[CT_STATEFUL][CT_STATES_MAX];
	struct ct_tally status[CT_STATUS_BITS]; /* by the number of the bit */
	struct ct_tally trait[CT_TRAITS];
};

void ct_census_summary(const struct ct_census *census, struct ct_summary *summary);

/* "ipv4" …; "unreplied" …; IPPROTO_* of enum CT_STATES_*. */
const char *ct_trait_name(enum ct_trait trait);
uint8_t ct_stateful_proto(unsigned int stateful);

/* Is the protocol one that is reported even when it has no flows: tcp, udp, icmp …? */
bool ct_proto_is_usual(uint8_t proto);

#endif
