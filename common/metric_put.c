/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A source's numbers, as samples of a metric. */
#include "metric_put.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "text.h"

static int
put(const struct metric_walk *walk, uint64_t value, const char *first,
    const char *second, const char *third)
{
	struct ct_sample sample = {
		.metric = walk->metric,
		.source = walk->from->source,
		.labels = { first, second, third },
		.value = value,
	};

	return walk->sample_fn(&sample, walk->data);
}

int
ct_metric_put_info(const struct metric_walk *walk, int which)
{
	struct utsname name;

	(void)which;
	if (uname(&name) < 0)
		return 0;
	return put(walk, 1, CONNTAP_VERSION, name.release, NULL);
}

/* `which` is one of CT_KERNEL_*. */
int
ct_metric_put_kernel(const struct metric_walk *walk, int which)
{
	const struct ct_kernel *kernel = walk->from->source->kernel;
	uint32_t value;

	if (!kernel || !ct_kernel_value(kernel, (uint32_t)which, &value))
		return 0;
	return put(walk, value, NULL, NULL, NULL);
}

int
ct_metric_put_stat(const struct metric_walk *walk, int which)
{
	const struct ct_stats *stats = walk->from->source->stats;
	char cpu[16];
	int status = 0;

	if (!stats || !(stats->has >> which & 1))
		return 0;
	for (size_t i = 0; status == 0 && i < stats->count; i++) {
		snprintf(cpu, sizeof(cpu), "%u", stats->cpus[i].cpu);
		status = put(walk, stats->cpus[i].value[which], cpu, NULL, NULL);
	}
	return status;
}

/* `which` is a METRIC_PASS(). */
int
ct_metric_put_pass(const struct metric_walk *walk, int which)
{
	const struct ct_pass_report *pass = walk->from->source->pass;
	uint64_t value;

	if (!pass)
		return 0;
	memcpy(&value, (const char *)pass + (size_t)which * sizeof(value),
	       sizeof(value));
	return put(walk, value, NULL, NULL, NULL);
}

static uint64_t
both(const struct ct_tally *tally, int field)
{
	switch (field) {
	case METRIC_BYTES:
		return ct_tally_bytes(tally);
	case METRIC_PACKETS:
		return ct_tally_packets(tally);
	default:
		return tally->flows;
	}
}

/* A tally's sample.  Where nothing was counted, nothing is said: it is not 0 bytes. */
static int
put_tally(const struct metric_walk *walk, int field, const struct ct_tally *tally,
	  const char *first, const char *second)
{
	if (field != METRIC_FLOWS && walk->from->summary->all.accounted == 0)
		return 0;
	return put(walk, both(tally, field), first, second, NULL);
}

/* One direction of a protocol's bytes or packets, or its flows. */
static int
put_proto(const struct metric_walk *walk, int field, unsigned int proto, int family)
{
	static const uint8_t families[CT_FAMILIES] = { AF_INET, AF_INET6 };
	const struct ct_tally *tally =
		&walk->from->summary->proto_family[proto][family];
	const char *name = ct_family_name(families[family]);
	char buffer[CT_PROTO_NUMBER];
	const char *label = ct_proto_label((uint8_t)proto, buffer);
	int status = 0;

	if (field == METRIC_FLOWS)
		return put(walk, tally->flows, name, label, NULL);
	if (walk->from->summary->all.accounted == 0)
		return 0;
	for (int dir = 0; status == 0 && dir < CT_DIRS; dir++)
		status = put(walk,
			     field == METRIC_BYTES ? tally->sum[dir].bytes
						   : tally->sum[dir].packets,
			     name, label, dir == CT_ORIG ? "original" : "reply");
	return status;
}

/* ICMP has no flows in IPv6, nor ICMPv6 in IPv4. */
static bool
is_odd(unsigned int proto, int family)
{
	return (proto == IPPROTO_ICMP && family == CT_IPV6) ||
	       (proto == IPPROTO_ICMPV6 && family == CT_IPV4);
}

int
ct_metric_put_protos(const struct metric_walk *walk, int field)
{
	const struct ct_summary *summary = walk->from->summary;
	int status = 0;

	for (unsigned int proto = 0; summary && proto < 256; proto++)
		for (int family = 0; status == 0 && family < CT_FAMILIES; family++)
			if (summary->proto_family[proto][family].flows ||
			    (ct_proto_is_usual((uint8_t)proto) &&
			     !is_odd(proto, family)))
				status = put_proto(walk, field, proto, family);
	return status;
}

int
ct_metric_put_unreplied(const struct metric_walk *walk, int field)
{
	const struct ct_summary *summary = walk->from->summary;
	char buffer[CT_PROTO_NUMBER];
	int status = 0;

	for (unsigned int proto = 0; status == 0 && summary && proto < 256; proto++)
		if (summary->proto[proto].flows || ct_proto_is_usual((uint8_t)proto))
			status =
				put_tally(walk, field, &summary->proto_unreplied[proto],
					  ct_proto_label((uint8_t)proto, buffer), NULL);
	return status;
}

int
ct_metric_put_states(const struct metric_walk *walk, int field)
{
	const struct ct_summary *summary = walk->from->summary;
	int status = 0;

	for (unsigned int i = 0; summary && i < CT_STATEFUL; i++) {
		uint8_t proto = ct_stateful_proto(i);

		for (uint8_t state = 0; status == 0 && state < CT_STATES_MAX; state++)
			if (ct_state_name(proto, state))
				status = put_tally(walk, field,
						   &summary->state[i][state],
						   ct_proto_name(proto),
						   ct_state_name(proto, state));
	}
	return status;
}

int
ct_metric_put_status(const struct metric_walk *walk, int field)
{
	const struct ct_summary *summary = walk->from->summary;
	int status = 0;

	for (unsigned int i = 0; status == 0 && summary && i < CT_STATUS_BITS; i++)
		status = put_tally(walk, field, &summary->status[i], ct_status_name(i),
				   NULL);
	for (enum ct_trait i = 0; status == 0 && summary && i < CT_TRAITS; i++)
		status = put_tally(walk, field, &summary->trait[i], ct_trait_name(i),
				   NULL);
	return status;
}

int
ct_metric_put_zones(const struct metric_walk *walk, int field)
{
	const struct metric_prepared *from = walk->from;
	char label[16];
	int status = 0;

	for (size_t i = 0; status == 0 && i < from->zone_count; i++) {
		snprintf(label, sizeof(label), "%u", (unsigned int)from->zones[i].key);
		status = put_tally(walk, field, &from->zones[i].tally, label, NULL);
	}
	if (status == 0 && from->other_zones.flows)
		status = put_tally(walk, field, &from->other_zones, "other", NULL);
	return status;
}

int
ct_metric_put_marks(const struct metric_walk *walk, int field)
{
	const struct metric_prepared *from = walk->from;
	char label[16];
	int status = 0;

	for (size_t i = 0; status == 0 && i < from->mark_count; i++) {
		snprintf(label, sizeof(label), "0x%x",
			 (unsigned int)from->marks[i].key);
		status = put_tally(walk, field, &from->marks[i].tally, label, NULL);
	}
	if (status == 0 && from->other_marks.flows)
		status = put_tally(walk, field, &from->other_marks, "other", NULL);
	return status;
}

static uint64_t
nat_value(const struct ct_nat_pool *pool, int which)
{
	switch (which) {
	case METRIC_NAT_PORTS:
		return pool->ports;
	case METRIC_NAT_REMOTE:
		return pool->remote_ports;
	case METRIC_NAT_RANGE:
		return pool->range;
	default:
		return pool->flows;
	}
}

int
ct_metric_put_nat(const struct metric_walk *walk, int which)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < walk->from->pool_count; i++) {
		const struct ct_nat_pool *pool = &walk->from->pools[i];
		char addr[CT_ADDR_STRING], zone[8], buffer[CT_PROTO_NUMBER];

		ct_addr_string(addr, pool->family, &pool->addr);
		snprintf(zone, sizeof(zone), "%u", pool->zone);
		status = put(walk, nat_value(pool, which), addr,
			     ct_proto_label(pool->proto, buffer), zone);
	}
	return status;
}

int
ct_metric_put_nat_ignored(const struct metric_walk *walk, int which)
{
	const struct ct_nat *nat = walk->from->source->nat;

	(void)which;
	return nat ? put(walk, ct_nat_ignored(nat), NULL, NULL, NULL) : 0;
}
