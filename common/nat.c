/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool for each public address and protocol has a bit for each port; which remote is
 * the busiest of each, a sketch counts for all pools together.
 */
#include "nat.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hash.h"
#include "top.h"

#define PORTS 65536
#define WORD_BITS 64
/* A hash table of pools that is never more than half full; a power of two. */
#define SLOTS (2 * CT_NAT_POOLS)
#define NOBODY UINT16_MAX

struct ports {
	uint64_t words[PORTS / WORD_BITS];
};

struct ct_nat {
	struct ct_nat_pool *pools;  /* CT_NAT_POOLS of them */
	struct ct_nat_pool *sorted; /* likewise; the last ct_nat_list() */
	struct ports **used;        /* beside each pool */
	uint16_t *slots;            /* places in `pools`, or NOBODY */
	size_t count;
	uint64_t seed; /* of the hash */
	struct ct_top *remotes;
	struct ct_top_key *watched; /* family and address; none: all translated ones */
	size_t watched_count;
	bool ranged; /* the rules name a range: */
	uint16_t low;
	uint16_t high;
	uint64_t ignored;
};

_Static_assert(CT_NAT_POOLS < NOBODY, "places fit into a slot");
_Static_assert((SLOTS & (SLOTS - 1)) == 0, "SLOTS is a power of two");

static void
empty_slots(struct ct_nat *nat)
{
	memset(nat->slots, 0xff, SLOTS * sizeof(*nat->slots));
}

struct ct_nat *
ct_nat_new(void)
{
	struct ct_nat *nat = calloc(1, sizeof(*nat));

	if (!nat)
		return NULL;
	nat->pools = calloc(CT_NAT_POOLS, sizeof(*nat->pools));
	nat->seed = ct_hash_seed();
	nat->sorted = calloc(CT_NAT_POOLS, sizeof(*nat->sorted));
	nat->used = calloc(CT_NAT_POOLS, sizeof(struct ports *));
	nat->slots = malloc(SLOTS * sizeof(*nat->slots));
	nat->remotes = ct_top_new(CT_NAT_REMOTES);
	if (!nat->pools || !nat->sorted || !nat->used || !nat->slots || !nat->remotes) {
		ct_nat_free(nat);
		return NULL;
	}
	empty_slots(nat);
	return nat;
}

void
ct_nat_free(struct ct_nat *nat)
{
	if (!nat)
		return;
	for (size_t i = 0; nat->used && i < CT_NAT_POOLS; i++)
		free(nat->used[i]);
	free(nat->used);
	free(nat->pools);
	free(nat->sorted);
	free(nat->slots);
	free(nat->watched);
	ct_top_free(nat->remotes);
	free(nat);
}

void
ct_nat_clear(struct ct_nat *nat)
{
	for (size_t i = 0; i < nat->count; i++)
		memset(nat->used[i], 0, sizeof(*nat->used[i]));
	nat->count = 0;
	nat->ignored = 0;
	empty_slots(nat);
	ct_top_clear(nat->remotes);
}

void
ct_nat_set_range(struct ct_nat *nat, uint16_t low, uint16_t high)
{
	nat->ranged = true;
	nat->low = low;
	nat->high = high;
}

static void
range_of(const struct ct_nat *nat, uint8_t proto, uint16_t *low, uint16_t *high)
{
	*high = CT_NAT_PORT_HIGH;
	if (nat->ranged) {
		*low = nat->low;
		*high = nat->high;
	} else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
		*low = 0;
	} else {
		*low = proto == IPPROTO_GRE ? 1 : CT_NAT_PORT_LOW;
	}
}

uint64_t
ct_nat_ignored(const struct ct_nat *nat)
{
	return nat->ignored;
}

static bool
is_watched(const struct ct_nat *nat, const struct ct_tuple *reply)
{
	for (size_t i = 0; i < nat->watched_count; i++)
		if (nat->watched[i].family == reply->family &&
		    memcmp(&nat->watched[i].addr[0], &reply->dst, sizeof(reply->dst)) ==
			    0)
			return true;
	return false;
}

int
ct_nat_watch(struct ct_nat *nat, uint8_t family, const struct ct_addr *addr)
{
	struct ct_top_key *more;

	if (nat->watched_count == CT_NAT_POOLS)
		return -ENOSPC;
	more = reallocarray(nat->watched, nat->watched_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	nat->watched = more;
	more[nat->watched_count++] = (struct ct_top_key){
		.family = family,
		.addr = { *addr },
	};
	return 0;
}

/* What takes the place of a port on our side; false: nothing within the range. */
static bool
port_of(const struct ct_nat *nat, const struct ct_tuple *reply, uint16_t *port)
{
	uint16_t low, high;

	range_of(nat, reply->proto, &low, &high);
	*port = reply->has & CT_TUPLE_ICMP_ID ? reply->icmp_id : reply->dport;
	return reply->has & (CT_TUPLE_ICMP_ID | CT_TUPLE_DPORT) && *port >= low &&
	       *port <= high;
}

/* And on the remote's: one id can ask an address for different things. */
static uint16_t
remote_port_of(const struct ct_tuple *reply)
{
	if (reply->has & CT_TUPLE_ICMP_TYPE)
		return (uint16_t)(reply->icmp_type << 8 | reply->icmp_code);
	return reply->sport;
}

static bool
is_pool_of(const struct ct_nat_pool *pool, const struct ct_tuple *reply, uint16_t zone)
{
	return pool->proto == reply->proto && pool->family == reply->family &&
	       pool->zone == zone &&
	       memcmp(&pool->addr, &reply->dst, sizeof(pool->addr)) == 0;
}

/* A pool's first slot. */
static uint32_t
home_of(const struct ct_nat *nat, const struct ct_tuple *reply, uint16_t zone)
{
	const struct ct_top_key key = {
		.addr = { reply->dst },
		.zone = zone,
		.family = reply->family,
		.proto = reply->proto,
	};

	return (uint32_t)ct_hash(nat->seed, &key, sizeof(key)) & (SLOTS - 1);
}

/* Where the flow's pool is named, or will be. */
static uint16_t *
find(const struct ct_nat *nat, const struct ct_tuple *reply, uint16_t zone)
{
	uint32_t at = home_of(nat, reply, zone);

	while (nat->slots[at] != NOBODY &&
	       !is_pool_of(&nat->pools[nat->slots[at]], reply, zone))
		at = (at + 1) & (SLOTS - 1);
	return &nat->slots[at];
}

/* The flow's pool, which may be new: its place, NOBODY for no room, or -ENOMEM. */
static int
pool_of(struct ct_nat *nat, const struct ct_tuple *reply, uint16_t zone)
{
	uint16_t *slot = find(nat, reply, zone), low, high;
	size_t place = nat->count;

	if (*slot != NOBODY)
		return *slot;
	if (place == CT_NAT_POOLS)
		return NOBODY;
	if (!nat->used[place])
		nat->used[place] = calloc(1, sizeof(*nat->used[place]));
	if (!nat->used[place])
		return -ENOMEM;
	range_of(nat, reply->proto, &low, &high);
	nat->pools[place] = (struct ct_nat_pool){
		.addr = reply->dst,
		.family = reply->family,
		.proto = reply->proto,
		.zone = zone,
		.range = (uint32_t)high - low + 1,
	};
	*slot = (uint16_t)place;
	nat->count++;
	return (int)place;
}

static void
count_port(struct ct_nat *nat, int place, uint16_t port)
{
	uint64_t *word = &nat->used[place]->words[port / WORD_BITS];
	uint64_t bit = UINT64_C(1) << port % WORD_BITS;

	nat->pools[place].flows++;
	nat->pools[place].ports += !(*word & bit);
	*word |= bit;
}

static void
count_remote(struct ct_nat *nat, const struct ct_tuple *reply, uint16_t zone)
{
	struct ct_top_key key = {
		.addr = { reply->dst, reply->src },
		.port = remote_port_of(reply),
		.zone = zone,
		.family = reply->family,
		.proto = reply->proto,
	};

	ct_top_add(nat->remotes, &key, 1, 0);
}

int
ct_nat_add(struct ct_nat *nat, const struct ct_flow *flow)
{
	const struct ct_tuple *reply = &flow->reply;
	uint16_t port, zone = ct_flow_zone(flow, CT_REPLY);
	int place;

	if (nat->watched_count ? !is_watched(nat, reply) : !ct_flow_is_snat(flow))
		return 0;
	if (!port_of(nat, reply, &port))
		return 0;
	place = pool_of(nat, reply, zone);
	if (place == NOBODY)
		nat->ignored++;
	if (place < 0 || place == NOBODY)
		return place < 0 ? place : 0;
	count_port(nat, place, port);
	count_remote(nat, reply, zone);
	return 0;
}

static uint32_t
least(uint64_t left, uint64_t right)
{
	return (uint32_t)(left < right ? left : right);
}

/* The remotes come in order: a pool takes the first of its own. */
static void
offer_remote(struct ct_nat *nat, const struct ct_top_entry *entry)
{
	const struct ct_tuple reply = {
		.dst = entry->key.addr[0],
		.family = entry->key.family,
		.proto = entry->key.proto,
	};
	uint16_t place = *find(nat, &reply, entry->key.zone);
	struct ct_nat_pool *pool = place == NOBODY ? NULL : &nat->sorted[place];

	if (!pool || pool->remote_known)
		return;
	pool->remote_known = true;
	pool->remote = entry->key.addr[1];
	pool->remote_port = entry->key.port;
	/* A remote has each port once, so it is no more than there are. */
	pool->remote_ports = least(entry->value, pool->ports);
	pool->remote_excess =
		pool->remote_ports - least(entry->value - entry->excess, pool->ports);
}

/* A remote that the sketch had no place for is not busier than its lightest one. */
static void
bound_remote(struct ct_nat_pool *pool, uint64_t lightest)
{
	if (pool->remote_known)
		return;
	pool->remote_ports = least(lightest, pool->ports);
	pool->remote_excess = pool->remote_ports - 1;
}

static int
compare(const void *left, const void *right)
{
	const struct ct_nat_pool *a = left, *b = right;

	uint64_t share_a = (uint64_t)a->remote_ports * b->range;
	uint64_t share_b = (uint64_t)b->remote_ports * a->range;

	if (share_a != share_b)
		return share_a < share_b ? 1 : -1;
	if (a->ports != b->ports)
		return a->ports < b->ports ? 1 : -1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (memcmp(&a->addr, &b->addr, sizeof(a->addr)) != 0)
		return memcmp(&a->addr, &b->addr, sizeof(a->addr));
	return a->proto != b->proto ? a->proto - b->proto : a->zone - b->zone;
}

const struct ct_nat_pool *
ct_nat_list(struct ct_nat *nat, size_t *count)
{
	size_t remotes;
	const struct ct_top_entry *entries = ct_top_list(nat->remotes, &remotes);

	memcpy(nat->sorted, nat->pools, nat->count * sizeof(*nat->sorted));
	for (size_t i = 0; i < remotes; i++)
		offer_remote(nat, &entries[i]);
	for (size_t i = 0; i < nat->count; i++)
		bound_remote(&nat->sorted[i], entries[remotes - 1].value);
	qsort(nat->sorted, nat->count, sizeof(*nat->sorted), compare);
	*count = nat->count;
	return nat->sorted;
}
