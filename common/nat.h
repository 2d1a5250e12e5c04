/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_NAT_H
#define CT_NAT_H
/*
 * Which ports of the public addresses are taken, and what will run out first.  For
 * NAT gateways.
 *
 * A translated source port must make the flow's reply tuple unique: one port can serve
 * many flows, but only one to each remote address and port.  So a public address is not
 * used up when all its ports are in use, but when all are in use to one remote: the
 * worst remote is what counts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"

struct ct_nat;

/* A public address, as it serves one protocol. */
struct ct_nat_pool {
	struct ct_addr addr;
	uint8_t family;
	uint8_t proto;
	uint16_t zone; /* of the reply direction */
	uint64_t flows;
	uint32_t range;        /* how many ports one remote can use */
	uint32_t ports;        /* different ones in use (ids, for ICMP) */
	bool remote_known;     /* else there are too many to tell which it is */
	struct ct_addr remote; /* the busiest remote */
	uint16_t remote_port;
	uint32_t remote_ports;  /* in use to that one; at most this many */
	uint32_t remote_excess; /* and at least this many fewer */
};

/* The limits of what is told apart; beyond, flows are counted in ct_nat_ignored(). */
#define CT_NAT_POOLS 4096
#define CT_NAT_REMOTES 65536

/*
 * The ports that the kernel chooses from where a rule says no other range, for flows
 * that do not come from a lower port.  ICMP ids may be any, GRE keys all but 0.
 */
#define CT_NAT_PORT_LOW 1024
#define CT_NAT_PORT_HIGH 65535

/* NULL: no memory.  `free` takes NULL. */
struct ct_nat *ct_nat_new(void);
void ct_nat_free(struct ct_nat *nat);

/*
 * Looks at this address only, or at these after several calls, and at every flow that
 * answers are sent to there: the gateway's own, too, take ports.  Without a call it is
 * every address that a source has been translated to, and the translated flows.
 * Returns 0, -ENOSPC when there are CT_NAT_POOLS already.
 */
int ct_nat_watch(struct ct_nat *nat, uint8_t family, const struct ct_addr *addr);

/* The rules' range, ids and keys included; ports outside it are not counted. */
void ct_nat_set_range(struct ct_nat *nat, uint16_t low, uint16_t high);

/* Counts a flow.  Returns 0 or -ENOMEM. */
int ct_nat_add(struct ct_nat *nat, const struct ct_flow *flow);

/* Flows that had no place in a pool; 0 unless there are a great many addresses. */
uint64_t ct_nat_ignored(const struct ct_nat *nat);

/* Forgets what was counted, but not what to watch. */
void ct_nat_clear(struct ct_nat *nat);

/*
 * The pools, the one that runs out first before the others.  They are the object's,
 * until the next ct_nat_add(), ct_nat_clear() or ct_nat_free().
 */
const struct ct_nat_pool *ct_nat_list(struct ct_nat *nat, size_t *count);

#endif
