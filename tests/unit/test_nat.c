/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pools of ports of random translated flows against a count of them by itself; what
 * is a port, and of which range; the limits, beyond which bounds must hold.
 */
#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/nat.h"

#define FLOWS 3000
#define NATTED (CT_SRC_NAT | CT_SEEN_REPLY | CT_CONFIRMED)

/* A flow of 10.0.0.1 whose source is translated. */
static struct ct_flow
natted(uint8_t proto, const char *addr, uint16_t port, const char *remote,
       uint16_t rport)
{
	struct ct_flow flow = flow_of(proto, strchr(addr, ':') ? "fd00::1" : "10.0.0.1",
				      (uint16_t)(port ^ 0x5555), remote, rport);

	flow.has |= CT_STATUS;
	flow.status = NATTED;
	flow.reply.dst = addr_of(addr);
	flow.reply.dport = port;
	return flow;
}

static struct ct_flow
natted_echo(const char *addr, uint16_t id, const char *remote)
{
	struct ct_flow flow =
		echo_of(strchr(addr, ':') ? "fd00::1" : "10.0.0.1", remote, id);

	flow.has |= CT_STATUS;
	flow.status = NATTED;
	flow.orig.icmp_id ^= 0x5555;
	flow.reply.dst = addr_of(addr);
	return flow;
}

static void
add(struct ct_nat *nat, const struct ct_flow *flow)
{
	assert_int_equal(ct_nat_add(nat, flow), 0);
}

/* The pools when there is one, which is returned; and NULL when there is none. */
static const struct ct_nat_pool *
only_pool(struct ct_nat *nat)
{
	size_t count;
	const struct ct_nat_pool *pools = ct_nat_list(nat, &count);

	assert_true(count <= 1);
	return count ? pools : NULL;
}

/* What this is about, by itself. */

static uint32_t
port_of(const struct ct_flow *flow)
{
	return flow->reply.has & CT_TUPLE_ICMP ? flow->reply.icmp_id
					       : flow->reply.dport;
}

static uint32_t
remote_port_of(const struct ct_flow *flow)
{
	return flow->reply.has & CT_TUPLE_ICMP ? flow->reply.icmp_type * 256u
					       : flow->reply.sport;
}

static bool
in_pool(const struct ct_nat_pool *pool, const struct ct_flow *flow)
{
	return pool->proto == flow->reply.proto && pool->family == flow->reply.family &&
	       pool->zone == ct_flow_zone(flow, CT_REPLY) &&
	       memcmp(&pool->addr, &flow->reply.dst, sizeof(pool->addr)) == 0;
}

static bool
same_remote(const struct ct_flow *left, const struct ct_flow *right)
{
	return memcmp(&left->reply.src, &right->reply.src, sizeof(left->reply.src)) ==
		       0 &&
	       remote_port_of(left) == remote_port_of(right);
}

/* How many flows of the pool go to the remote of this one. */
static uint32_t
flows_to(const struct ct_nat_pool *pool, const struct ct_flow *flows, size_t count,
	 const struct ct_flow *to)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += in_pool(pool, &flows[i]) && same_remote(&flows[i], to);
	return sum;
}

/* All of the pool, when every remote had its place. */
static void
check_pool(const struct ct_nat_pool *pool, const struct ct_flow *flows, size_t count)
{
	static bool used[65536];
	uint32_t ports = 0, most = 0, named = 0;
	uint64_t all = 0;

	memset(used, 0, sizeof(used));
	for (size_t i = 0; i < count; i++) {
		uint32_t here;

		if (!in_pool(pool, &flows[i]))
			continue;
		all++;
		ports += !used[port_of(&flows[i])];
		used[port_of(&flows[i])] = true;
		here = flows_to(pool, flows, count, &flows[i]);
		if (here > most)
			most = here;
		if (memcmp(&flows[i].reply.src, &pool->remote, sizeof(pool->remote)) ==
			    0 &&
		    remote_port_of(&flows[i]) == pool->remote_port)
			named = here;
	}
	assert_true(all > 0);
	assert_int_equal(pool->flows, all);
	assert_int_equal(pool->ports, ports);
	assert_int_equal(pool->remote_ports, most);
	assert_int_equal(pool->remote_excess, 0);
	assert_true(pool->remote_known);
	assert_int_equal(named, most);
}

/* The one that runs out first comes first. */
static void
check_order(const struct ct_nat_pool *pools, size_t count)
{
	for (size_t i = 1; i < count; i++)
		assert_true((uint64_t)pools[i].remote_ports * pools[i - 1].range <=
			    (uint64_t)pools[i - 1].remote_ports * pools[i].range);
}

/* The range of a protocol's ports, and all that can be in use at once. */
static uint32_t
low_of(uint8_t proto)
{
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		return 0;
	return proto == IPPROTO_GRE ? 1 : 1024;
}

static void
check_all(struct ct_nat *nat, const struct ct_flow *flows, size_t count)
{
	size_t pool_count, twice, counted = 0;
	const struct ct_nat_pool *pools = ct_nat_list(nat, &pool_count);
	struct ct_nat_pool *copy = calloc(pool_count + 1, sizeof(*copy));

	assert_non_null(copy);
	memcpy(copy, pools, pool_count * sizeof(*pools));
	for (size_t i = 0; i < pool_count; i++) {
		assert_int_equal(copy[i].range, 65536 - low_of(copy[i].proto));
		check_pool(&copy[i], flows, count);
		counted += copy[i].flows;
	}
	assert_int_equal(counted, count);
	assert_int_equal(ct_nat_ignored(nat), 0);
	check_order(copy, pool_count);
	/* To look changes nothing. */
	pools = ct_nat_list(nat, &twice);
	assert_int_equal(twice, pool_count);
	assert_memory_equal(pools, copy, pool_count * sizeof(*pools));
	free(copy);
}

static struct ct_flow
random_echo(bool v6, const char *addr, const char *remote)
{
	struct ct_flow flow = natted_echo(addr, (uint16_t)random_below(200), remote);

	/* A timestamp asks for something else than an echo does. */
	if (!v6 && random_below(4) == 0) {
		flow.orig.icmp_type = 13;
		flow.reply.icmp_type = 14;
	}
	return flow;
}

static struct ct_flow
random_flow(void)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP,
					  IPPROTO_GRE, IPPROTO_SCTP };
	static const char *const addrs[2][2] = {
		{ "203.0.113.1", "203.0.113.2" },
		{ "2001:db8::1", "2001:db8::2" },
	};
	static const char *const remotes[2][3] = {
		{ "198.51.100.1", "198.51.100.2", "198.51.100.3" },
		{ "2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::3" },
	};
	bool v6 = random_below(2);
	const char *addr = addrs[v6][random_below(2)];
	const char *remote = remotes[v6][random_below(1 + random_below(3))];
	uint16_t port = (uint16_t)(1024 + random_below(200) * 321);
	struct ct_flow flow;

	if (random_below(5) == 0)
		return random_echo(v6, addr, remote);
	flow = natted(protos[random_below(COUNT(protos))], addr, port, remote,
		      random_below(2) ? 443 : 53);
	if (random_below(4) == 0) {
		flow.has |= CT_ZONE;
		flow.zone = (uint16_t)random_below(3);
	} else if (random_below(4) == 0) {
		flow.reply.has |= CT_TUPLE_ZONE;
		flow.reply.zone = (uint16_t)random_below(3);
	} else if (random_below(4) == 0) {
		/* Nothing to do with where the answers go. */
		flow.orig.has |= CT_TUPLE_ZONE;
		flow.orig.zone = 9;
	}
	return flow;
}

/* No two have the same reply tuple: the kernel sees to that. */
static size_t
random_flows(struct ct_flow *flows)
{
	size_t count = 0;

	for (int i = 0; i < FLOWS; i++) {
		struct ct_flow *flow = &flows[count];
		bool unique = true;

		*flow = random_flow();
		for (size_t j = 0; unique && j < count; j++)
			unique = ct_flow_zone(flow, CT_REPLY) !=
					 ct_flow_zone(&flows[j], CT_REPLY) ||
				 flow->reply.proto != flows[j].reply.proto ||
				 port_of(flow) != port_of(&flows[j]) ||
				 !same_remote(flow, &flows[j]) ||
				 memcmp(&flow->reply.dst, &flows[j].reply.dst,
					sizeof(flow->reply.dst)) != 0;
		count += unique;
	}
	return count;
}

static void
pools_of_random_flows(void **unused)
{
	struct ct_flow *flows = calloc(FLOWS, sizeof(*flows));
	struct ct_nat *nat = ct_nat_new();

	(void)unused;
	assert_true(flows && nat);
	for (int round = 0; round < 2; round++) {
		size_t count = random_flows(flows);

		for (size_t i = 0; i < count / 2; i++)
			add(nat, &flows[i]);
		check_all(nat, flows, count / 2);
		for (size_t i = count / 2; i < count; i++)
			add(nat, &flows[i]);
		check_all(nat, flows, count);
		ct_nat_clear(nat);
		check_all(nat, flows, 0);
	}
	ct_nat_free(nat);
	free(flows);
}

/* One pool for each address, protocol and zone of the reply, and they are told apart.
 */
static void
what_makes_a_pool(void **unused)
{
	struct ct_nat *nat = ct_nat_new();
	struct ct_flow flow = natted(IPPROTO_TCP, "203.0.113.1", 5000, "1.1.1.1", 53);
	size_t count;

	(void)unused;
	assert_non_null(nat);
	add(nat, &flow);
	flow.orig.zone = 3;
	flow.orig.has |= CT_TUPLE_ZONE;
	add(nat, &flow);
	ct_nat_list(nat, &count);
	assert_int_equal(count, 1);
	flow.reply.zone = 3;
	flow.reply.has |= CT_TUPLE_ZONE;
	add(nat, &flow);
	ct_nat_list(nat, &count);
	assert_int_equal(count, 2);
	flow.reply.proto = IPPROTO_UDP;
	add(nat, &flow);
	ct_nat_list(nat, &count);
	assert_int_equal(count, 3);
	flow.reply.dst = addr_of("203.0.113.2");
	add(nat, &flow);
	ct_nat_list(nat, &count);
	assert_int_equal(count, 4);
	/* The same bytes as an address of the other family. */
	flow.orig.family = flow.reply.family = AF_INET6;
	add(nat, &flow);
	ct_nat_list(nat, &count);
	assert_int_equal(count, 5);
	ct_nat_free(nat);
}

/* As many pools as there may be, all of the same bytes: not one is another's. */
static void
pools_of_one_address(void **unused)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, 200 };
	struct ct_flow flow = natted(IPPROTO_TCP, "203.0.113.1", 5000, "1.1.1.1", 53);
	struct ct_nat *nat = ct_nat_new();
	const struct ct_nat_pool *pools;
	size_t count;

	(void)unused;
	assert_non_null(nat);
	flow.reply.has |= CT_TUPLE_ZONE;
	for (uint32_t i = 0; i < 2 * CT_NAT_POOLS; i++) {
		flow.reply.family = i & 1 ? AF_INET : AF_INET6;
		flow.reply.proto = protos[i / 2 % 4];
		flow.reply.zone = (uint16_t)(i / 8 % (CT_NAT_POOLS / 8));
		add(nat, &flow);
	}
	pools = ct_nat_list(nat, &count);
	assert_int_equal(count, CT_NAT_POOLS);
	assert_int_equal(ct_nat_ignored(nat), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(pools[i].flows, 2);
		assert_int_equal(pools[i].ports, 1);
	}
	ct_nat_free(nat);
}

/* The last port and the first, and none that is nearly one. */
static void
count_ports(uint8_t proto, uint32_t low, uint32_t high, struct ct_nat *nat)
{
	const uint32_t ports[] = {
		0,    1,    low ? low - 1 : 0, low, low + 1,  512,  1023,
		1024, high, high - 1,          63,  high + 1, 65535
	};
	const struct ct_nat_pool *pool;
	uint32_t expected = 0, flows = 0;

	ct_nat_clear(nat);
	for (size_t i = 0; i < COUNT(ports); i++) {
		struct ct_flow flow =
			proto == IPPROTO_ICMP
				? natted_echo("203.0.113.1", (uint16_t)ports[i],
					      "1.1.1.1")
				: natted(proto, "203.0.113.1", (uint16_t)ports[i],
					 "1.1.1.1", (uint16_t)(i + 1));
		bool first = true,
		     inside = (uint16_t)ports[i] >= low && (uint16_t)ports[i] <= high;

		for (size_t j = 0; j < i; j++)
			first &= (uint16_t)ports[i] != (uint16_t)ports[j];
		add(nat, &flow);
		flows += inside;
		expected += inside && first;
	}
	pool = only_pool(nat);
	assert_non_null(pool);
	assert_int_equal(pool->proto, proto);
	assert_int_equal(pool->range, high - low + 1);
	assert_int_equal(pool->flows, flows);
	assert_int_equal(pool->ports, expected);
	assert_int_equal(ct_nat_ignored(nat), 0);
}

static void
ranges(void **unused)
{
	static const uint16_t given[][2] = {
		{ 0, 65535 }, { 1, 65535 },   { 1024, 65535 }, { 40000, 41000 },
		{ 512, 512 }, { 1023, 1024 }, { 0, 1 },
	};
	struct ct_nat *nat = ct_nat_new();

	(void)unused;
	assert_non_null(nat);
	count_ports(IPPROTO_TCP, CT_NAT_PORT_LOW, CT_NAT_PORT_HIGH, nat);
	count_ports(IPPROTO_UDP, 1024, 65535, nat);
	count_ports(IPPROTO_SCTP, 1024, 65535, nat);
	count_ports(IPPROTO_ICMP, 0, 65535, nat);
	count_ports(IPPROTO_GRE, 1, 65535, nat);
	for (size_t i = 0; i < COUNT(given); i++) {
		uint16_t low = given[i][0], high = given[i][1];

		ct_nat_set_range(nat, low, high);
		count_ports(IPPROTO_TCP, low, high, nat);
		count_ports(IPPROTO_ICMP, low, high, nat);
		count_ports(IPPROTO_GRE, low, high, nat);
	}
	ct_nat_free(nat);
}

/* Every id once, and every port that there is: no bit is another's. */
static void
every_port(void **unused)
{
	struct ct_nat *nat = ct_nat_new();
	const struct ct_nat_pool *pool;

	(void)unused;
	assert_non_null(nat);
	for (int again = 0; again < 2; again++)
		for (uint32_t id = 0; id < 65536; id++) {
			struct ct_flow flow =
				natted_echo("203.0.113.1", (uint16_t)id,
					    again ? "1.1.1.2" : "1.1.1.1");

			add(nat, &flow);
		}
	pool = only_pool(nat);
	assert_int_equal(pool->flows, 131072);
	assert_int_equal(pool->ports, 65536);
	assert_int_equal(pool->range, 65536);
	assert_int_equal(pool->remote_ports, 65536);
	ct_nat_free(nat);
}

/* Without a port there is nothing that could run out. */
static void
flows_without_ports(void **unused)
{
	struct ct_flow flow = natted(253, "203.0.113.1", 0, "1.1.1.1", 0);
	struct ct_nat *nat = ct_nat_new();

	(void)unused;
	assert_non_null(nat);
	flow.reply.has &= (uint16_t)~CT_TUPLE_PORTS;
	add(nat, &flow);
	ct_nat_set_range(nat, 0, 65535);
	add(nat, &flow);
	assert_null(only_pool(nat));
	assert_int_equal(ct_nat_ignored(nat), 0);
	ct_nat_free(nat);
}

/* Only where the source is translated does the flow take a port of ours. */
static void
only_translated_sources(void **unused)
{
	struct ct_flow flow = natted(IPPROTO_TCP, "203.0.113.1", 5000, "1.1.1.1", 53);
	struct ct_nat *nat = ct_nat_new();

	(void)unused;
	assert_non_null(nat);
	flow.status = CT_SEEN_REPLY | CT_CONFIRMED | CT_SRC_NAT_DONE;
	add(nat, &flow);
	flow.status |= CT_DST_NAT | CT_DST_NAT_DONE;
	add(nat, &flow);
	assert_null(only_pool(nat));
	flow.status |= CT_SRC_NAT;
	add(nat, &flow);
	assert_int_equal(only_pool(nat)->flows, 1);
	ct_nat_free(nat);
}

/* A flow of the gateway itself, and one that another host sends through it as it is. */
static void
watched_addresses(void **unused)
{
	struct ct_flow own = flow_of(IPPROTO_TCP, "203.0.113.1", 5001, "1.1.1.1", 53);
	struct ct_flow host = flow_of(IPPROTO_TCP, "203.0.113.3", 5002, "1.1.1.1", 53);
	struct ct_flow ours = natted(IPPROTO_TCP, "203.0.113.1", 5000, "1.1.1.1", 53);
	struct ct_flow other = natted(IPPROTO_TCP, "203.0.113.2", 5000, "1.1.1.1", 53);
	const struct ct_addr addr = addr_of("203.0.113.1"),
			     next = addr_of("203.0.113.2");
	struct ct_nat *nat = ct_nat_new();
	size_t count;

	(void)unused;
	assert_non_null(nat);
	assert_int_equal(ct_nat_watch(nat, AF_INET, &addr), 0);
	/* What is watched is not forgotten. */
	for (int round = 0; round < 2; round++) {
		add(nat, &own);
		add(nat, &host);
		add(nat, &other);
		assert_int_equal(only_pool(nat)->flows, 1);
		add(nat, &ours);
		assert_int_equal(only_pool(nat)->flows, 2);
		assert_int_equal(only_pool(nat)->ports, 2);
		assert_int_equal(only_pool(nat)->remote_ports, 2);
		assert_memory_equal(&only_pool(nat)->addr, &addr, sizeof(addr));
		assert_int_equal(ct_nat_ignored(nat), 0);
		ct_nat_clear(nat);
	}
	assert_int_equal(ct_nat_watch(nat, AF_INET, &next), 0);
	add(nat, &own);
	add(nat, &host);
	add(nat, &other);
	ct_nat_list(nat, &count);
	assert_int_equal(count, 2);
	ct_nat_free(nat);
}

/* The bytes of an address mean nothing without its family; and there is a limit. */
static void
watch_limits(void **unused)
{
	struct ct_flow flow = natted(IPPROTO_TCP, "203.0.113.1", 5000, "1.1.1.1", 53);
	struct ct_addr addr = addr_of("203.0.113.1");
	struct ct_nat *nat = ct_nat_new();

	(void)unused;
	assert_non_null(nat);
	assert_int_equal(ct_nat_watch(nat, AF_INET6, &addr), 0);
	add(nat, &flow);
	assert_null(only_pool(nat));
	for (uint32_t i = 1; i < CT_NAT_POOLS; i++) {
		memcpy(addr.bytes, &i, sizeof(i));
		assert_int_equal(ct_nat_watch(nat, AF_INET, &addr), 0);
	}
	assert_int_equal(ct_nat_watch(nat, AF_INET, &addr), -ENOSPC);
	flow.reply.dst = addr;
	add(nat, &flow);
	assert_int_equal(only_pool(nat)->flows, 1);
	ct_nat_free(nat);
}

/* An id can be in use to an address twice, for different questions. */
static void
icmp_remotes(void **unused)
{
	struct ct_nat *nat = ct_nat_new();
	const struct ct_nat_pool *pool;

	(void)unused;
	assert_non_null(nat);
	for (uint16_t id = 0; id < 10; id++) {
		struct ct_flow flow = natted_echo("203.0.113.1", id, "1.1.1.1");

		add(nat, &flow);
		flow.reply.icmp_type = 14;
		if (id < 3)
			add(nat, &flow);
	}
	pool = only_pool(nat);
	assert_int_equal(pool->flows, 13);
	assert_int_equal(pool->ports, 10);
	assert_int_equal(pool->remote_ports, 10);
	/* An echo reply: type 0, code 0. */
	assert_int_equal(pool->remote_port, 0);
	ct_nat_free(nat);
}

/* Half of a small range is more than a quarter of a large one. */
static void
order_by_share(void **unused)
{
	struct ct_nat *nat = ct_nat_new();
	const struct ct_nat_pool *pools;
	size_t count;

	(void)unused;
	assert_non_null(nat);
	for (uint16_t i = 0; i < 1000; i++) {
		struct ct_flow flow =
			natted_echo("203.0.113.9", (uint16_t)(2000 + i), "1.1.1.1");

		if (i < 990)
			add(nat, &flow);
		/* As many to one remote, of a range that is 1,024 smaller. */
		flow = natted(IPPROTO_UDP, "203.0.113.8", (uint16_t)(2000 + i),
			      "1.1.1.1", 53);
		if (i < 980)
			add(nat, &flow);
		/* More in all, but each to another remote. */
		flow = natted(IPPROTO_TCP, "203.0.113.7", (uint16_t)(2000 + i),
			      "1.1.1.1", i);
		add(nat, &flow);
	}
	pools = ct_nat_list(nat, &count);
	assert_int_equal(count, 3);
	assert_int_equal(pools[0].proto, IPPROTO_UDP);
	assert_int_equal(pools[1].proto, IPPROTO_ICMP);
	assert_int_equal(pools[2].proto, IPPROTO_TCP);
	assert_int_equal(pools[2].ports, 1000);
	assert_int_equal(pools[2].remote_ports, 1);
	ct_nat_free(nat);
}

static struct ct_flow
numbered(uint32_t number, uint16_t port, uint32_t remote)
{
	struct ct_flow flow = natted(IPPROTO_TCP, "20.0.0.0", port, "30.0.0.0", 443);

	memcpy(flow.reply.dst.bytes + 1, &number, 3);
	memcpy(flow.reply.src.bytes + 1, &remote, 3);
	return flow;
}

/* Pools of the same share: by ports in use, then by address. */
static void
order_of_equals(void **unused)
{
	struct ct_nat *left = ct_nat_new(), *right = ct_nat_new();
	const struct ct_nat_pool *a, *b;
	size_t count, right_count;

	(void)unused;
	assert_true(left && right);
	for (uint32_t i = 0; i < 600; i++) {
		uint32_t back = 599 - i;
		struct ct_flow flow = numbered(i * i % 97, (uint16_t)(1024 + i), i);
		struct ct_flow other =
			numbered(back * back % 97, (uint16_t)(1024 + back), back);

		add(left, &flow);
		add(right, &other);
	}
	a = ct_nat_list(left, &count);
	b = ct_nat_list(right, &right_count);
	assert_int_equal(count, right_count);
	assert_true(a[0].ports > a[count - 1].ports);
	check_order(a, count);
	for (size_t i = 0; i < count; i++) {
		assert_memory_equal(&a[i].addr, &b[i].addr, sizeof(a[i].addr));
		assert_int_equal(a[i].remote_ports, 1);
		if (i && a[i].ports == a[i - 1].ports)
			assert_true(memcmp(&a[i - 1].addr, &a[i].addr,
					   sizeof(a[i].addr)) < 0);
		else if (i)
			assert_true(a[i].ports < a[i - 1].ports);
	}
	ct_nat_free(left);
	ct_nat_free(right);
}

/* More addresses than there are pools: their flows are ignored, and counted as that. */
static void
too_many_pools(void **unused)
{
	struct ct_nat *nat = ct_nat_new();
	const struct ct_nat_pool *pools;
	uint64_t flows = 0;
	size_t count;

	(void)unused;
	assert_non_null(nat);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 2 * (CT_NAT_POOLS + 100); i++) {
			struct ct_flow flow = numbered(i % (CT_NAT_POOLS + 100),
						       (uint16_t)(1024 + i), 1);

			add(nat, &flow);
		}
		assert_int_equal(ct_nat_ignored(nat), 200);
		pools = ct_nat_list(nat, &count);
		assert_int_equal(count, CT_NAT_POOLS);
		flows = 0;
		for (size_t i = 0; i < count; i++) {
			flows += pools[i].flows;
			assert_int_equal(pools[i].ports, 2);
			assert_int_equal(pools[i].remote_ports, 2);
		}
		assert_int_equal(flows, 2 * CT_NAT_POOLS);
		ct_nat_clear(nat);
		assert_int_equal(ct_nat_ignored(nat), 0);
	}
	ct_nat_free(nat);
}

/*
 * More remotes than are told apart.  Of pool 0, one remote is busy and all others are
 * ever new; pool 1 has begun with a remote and goes on with others; pool 2 has one
 * flow, long ago.
 */
struct crowd {
	uint32_t busy;   /* flows of pool 0 to its busy remote */
	uint32_t others; /* and to each other one: 1 */
	uint32_t first;  /* flows of pool 1 to its first remote */
	uint32_t last;   /* and to its last */
};

static void
add_crowd(struct ct_nat *nat, struct crowd *crowd)
{
	struct ct_flow flow;

	for (uint32_t i = 0; i < 8; i++) {
		flow = numbered(2, (uint16_t)(2000 + i), 5 + i / 2);
		add(nat, &flow);
	}
	for (crowd->first = 0; crowd->first < 300; crowd->first++) {
		flow = numbered(1, (uint16_t)(1024 + crowd->first), 1);
		add(nat, &flow);
	}
	for (crowd->others = 0; crowd->others < 4 * CT_NAT_REMOTES; crowd->others++) {
		uint16_t port = (uint16_t)(1024 + crowd->others % 60000);

		flow = numbered(0, port, 100 + crowd->others);
		add(nat, &flow);
		if (crowd->others % 100 == 0) {
			flow = numbered(0, (uint16_t)(1024 + crowd->busy++), 7);
			add(nat, &flow);
		}
	}
	for (crowd->last = 0; crowd->last < 10; crowd->last++) {
		flow = numbered(1, (uint16_t)(1024 + crowd->last), 2);
		add(nat, &flow);
	}
}

/* The pool of that number, of those numbered() makes. */
static const struct ct_nat_pool *
pool_numbered(struct ct_nat *nat, uint32_t number)
{
	const struct ct_flow flow = numbered(number, 0, 0);
	size_t count;
	const struct ct_nat_pool *pools = ct_nat_list(nat, &count);

	for (size_t i = 0; i < count; i++)
		if (in_pool(&pools[i], &flow))
			return &pools[i];
	fail_msg("there is no pool %u", number);
	return NULL;
}

/* The bounds of what is in use to the busiest remote, which is the one named. */
static void
check_bounds(const struct ct_nat_pool *pool, uint32_t remote, uint32_t truth)
{
	const struct ct_flow flow = numbered(0, 0, remote);

	assert_memory_equal(&pool->remote, &flow.reply.src, sizeof(pool->remote));
	assert_int_equal(pool->remote_port, 443);
	assert_true(pool->remote_known);
	assert_in_range(truth, pool->remote_ports - pool->remote_excess,
			pool->remote_ports);
	assert_true(pool->remote_ports <= pool->ports);
	assert_true(pool->remote_excess <= pool->remote_ports);
}

static void
too_many_remotes(void **unused)
{
	struct ct_nat *nat = ct_nat_new();
	const struct ct_nat_pool *pool;
	struct crowd crowd = { 0 };

	(void)unused;
	assert_non_null(nat);
	add_crowd(nat, &crowd);
	assert_int_equal(ct_nat_ignored(nat), 0);
	pool = pool_numbered(nat, 0);
	assert_int_equal(pool->flows, crowd.others + crowd.busy);
	assert_int_equal(pool->ports, 60000);
	check_bounds(pool, 7, crowd.busy);
	pool = pool_numbered(nat, 1);
	assert_int_equal(pool->flows, crowd.first + crowd.last);
	assert_int_equal(pool->ports, crowd.first);
	check_bounds(pool, 1, crowd.first);
	ct_nat_free(nat);
}

/* A remote that had to make room is in use all the same: its pool says so. */
static void
forgotten_remote(void **unused)
{
	struct ct_nat *nat = ct_nat_new();
	struct crowd crowd = { 0 };
	struct ct_nat_pool pool;

	(void)unused;
	assert_non_null(nat);
	add_crowd(nat, &crowd);
	pool = *pool_numbered(nat, 2);
	ct_nat_free(nat);
	assert_int_equal(pool.flows, 8);
	assert_int_equal(pool.ports, 8);
	assert_false(pool.remote_known);
	/* Each has two; and what has no place has not more than an even share. */
	assert_in_range(pool.remote_ports, 2,
			(crowd.busy + crowd.others + crowd.first + crowd.last + 8) /
				CT_NAT_REMOTES);
	assert_in_range(pool.remote_ports - pool.remote_excess, 0, 2);
}

/* A count that is only an estimate is never more than the ports that there are. */
static void
estimates_are_ports(void **unused)
{
	struct ct_nat *nat = ct_nat_new();
	const struct ct_nat_pool *pools;
	size_t count;

	(void)unused;
	assert_non_null(nat);
	for (uint32_t i = 0; i < 4 * CT_NAT_REMOTES; i++) {
		struct ct_flow flow = numbered(i % 50, (uint16_t)(1024 + i % 3), 1 + i);

		add(nat, &flow);
	}
	pools = ct_nat_list(nat, &count);
	assert_int_equal(count, 50);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(pools[i].ports, 3);
		assert_in_range(pools[i].remote_ports, 1, 3);
		/* Each remote has one, and that is known of those that are named. */
		assert_int_equal(pools[i].remote_ports - pools[i].remote_excess, 1);
	}
	ct_nat_free(nat);
}

static void
nothing(void **unused)
{
	struct ct_nat *nat = ct_nat_new();

	(void)unused;
	assert_non_null(nat);
	assert_null(only_pool(nat));
	ct_nat_clear(nat);
	assert_null(only_pool(nat));
	assert_int_equal(ct_nat_ignored(nat), 0);
	ct_nat_free(nat);
	ct_nat_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(pools_of_random_flows),
		cmocka_unit_test(what_makes_a_pool),
		cmocka_unit_test(pools_of_one_address),
		cmocka_unit_test(ranges),
		cmocka_unit_test(every_port),
		cmocka_unit_test(flows_without_ports),
		cmocka_unit_test(only_translated_sources),
		cmocka_unit_test(watched_addresses),
		cmocka_unit_test(watch_limits),
		cmocka_unit_test(icmp_remotes),
		cmocka_unit_test(order_by_share),
		cmocka_unit_test(order_of_equals),
		cmocka_unit_test(too_many_pools),
		cmocka_unit_test(too_many_remotes),
		cmocka_unit_test(forgotten_remote),
		cmocka_unit_test(estimates_are_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
