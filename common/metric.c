/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A row for each metric: what it is called, and the function that finds its samples in
 * a source.  The kernel's counters have their names in stats, a row each is made of
 * them.
 */
#include "metric.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A source, with what has to be worked out before it can be walked. */
struct prepared {
	const struct ct_metric_source *source;
	struct ct_summary *summary; /* NULL without a census */
	struct ct_bin *zones;
	struct ct_bin *marks;
	size_t zone_count;
	size_t mark_count;
	struct ct_tally other_zones;
	struct ct_tally other_marks;
	const struct ct_nat_pool *pools;
	size_t pool_count;
};

struct walk {
	ct_sample_fn sample_fn;
	void *data;
	const struct ct_metric *metric;
	const struct prepared *from;
};

/* What of a tally a metric shows. */
enum field { FLOWS, BYTES, PACKETS };

struct row {
	struct ct_metric metric;
	int (*emit)(const struct walk *walk, int which);
	int which; /* for `emit` */
};

static int
put(const struct walk *walk, uint64_t value, const char *first, const char *second,
    const char *third)
{
	struct ct_sample sample = {
		.metric = walk->metric,
		.source = walk->from->source,
		.labels = { first, second, third },
		.value = value,
	};

	return walk->sample_fn(&sample, walk->data);
}

static int
emit_info(const struct walk *walk, int which)
{
	struct utsname name;

	(void)which;
	if (uname(&name) < 0)
		return 0;
	return put(walk, 1, CONNTAP_VERSION, name.release, NULL);
}

/* `which` is one of CT_KERNEL_*. */
static int
emit_kernel(const struct walk *walk, int which)
{
	const struct ct_kernel *kernel = walk->from->source->kernel;
	uint32_t value;

	if (!kernel || !ct_kernel_value(kernel, (uint32_t)which, &value))
		return 0;
	return put(walk, value, NULL, NULL, NULL);
}

static int
emit_stat(const struct walk *walk, int which)
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

/* `which` is the place of a member of struct ct_pass_report, in words of 64 bits. */
#define PASS(member) (int)(offsetof(struct ct_pass_report, member) / sizeof(uint64_t))

static int
emit_pass(const struct walk *walk, int which)
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
	case BYTES:
		return tally->sum[CT_ORIG].bytes + tally->sum[CT_REPLY].bytes;
	case PACKETS:
		return tally->sum[CT_ORIG].packets + tally->sum[CT_REPLY].packets;
	default:
		return tally->flows;
	}
}

/* A tally's sample.  Where nothing was counted, nothing is said: it is not 0 bytes. */
static int
put_tally(const struct walk *walk, int field, const struct ct_tally *tally,
	  const char *first, const char *second)
{
	if (field != FLOWS && walk->from->summary->all.accounted == 0)
		return 0;
	return put(walk, both(tally, field), first, second, NULL);
}

/* The name of a protocol, or its number in `buffer`. */
static const char *
proto_label(uint8_t proto, char buffer[4])
{
	const char *name = ct_proto_name(proto);

	if (name)
		return name;
	snprintf(buffer, 4, "%u", proto);
	return buffer;
}

/* One direction of a protocol's bytes or packets, or its flows. */
static int
put_proto(const struct walk *walk, int field, unsigned int proto, int family)
{
	static const uint8_t families[CT_FAMILIES] = { AF_INET, AF_INET6 };
	const struct ct_tally *tally =
		&walk->from->summary->proto_family[proto][family];
	const char *name = ct_family_name(families[family]);
	char buffer[4];
	const char *label = proto_label((uint8_t)proto, buffer);
	int status = 0;

	if (field == FLOWS)
		return put(walk, tally->flows, name, label, NULL);
	if (walk->from->summary->all.accounted == 0)
		return 0;
	for (int dir = 0; status == 0 && dir < CT_DIRS; dir++)
		status = put(walk,
			     field == BYTES ? tally->sum[dir].bytes
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

static int
emit_protos(const struct walk *walk, int field)
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

static int
emit_unreplied(const struct walk *walk, int field)
{
	const struct ct_summary *summary = walk->from->summary;
	char buffer[4];
	int status = 0;

	for (unsigned int proto = 0; status == 0 && summary && proto < 256; proto++)
		if (summary->proto[proto].flows || ct_proto_is_usual((uint8_t)proto))
			status =
				put_tally(walk, field, &summary->proto_unreplied[proto],
					  proto_label((uint8_t)proto, buffer), NULL);
	return status;
}

static int
emit_states(const struct walk *walk, int field)
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

static int
emit_status(const struct walk *walk, int field)
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

static int
emit_zones(const struct walk *walk, int field)
{
	const struct prepared *from = walk->from;
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

static int
emit_marks(const struct walk *walk, int field)
{
	const struct prepared *from = walk->from;
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

enum nat_field { NAT_FLOWS, NAT_PORTS, NAT_REMOTE, NAT_RANGE };

static uint64_t
nat_value(const struct ct_nat_pool *pool, int which)
{
	switch (which) {
	case NAT_PORTS:
		return pool->ports;
	case NAT_REMOTE:
		return pool->remote_ports;
	case NAT_RANGE:
		return pool->range;
	default:
		return pool->flows;
	}
}

static int
emit_nat(const struct walk *walk, int which)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < walk->from->pool_count; i++) {
		const struct ct_nat_pool *pool = &walk->from->pools[i];
		char addr[64], zone[8], buffer[4];
		struct ct_text text;

		ct_text_init(&text, addr, sizeof(addr) - 1, NULL, NULL);
		ct_text_addr(&text, pool->family, &pool->addr);
		*text.at = '\0';
		snprintf(zone, sizeof(zone), "%u", pool->zone);
		status = put(walk, nat_value(pool, which), addr,
			     proto_label(pool->proto, buffer), zone);
	}
	return status;
}

static int
emit_nat_ignored(const struct walk *walk, int which)
{
	const struct ct_nat *nat = walk->from->source->nat;

	(void)which;
	return nat ? put(walk, ct_nat_ignored(nat), NULL, NULL, NULL) : 0;
}

/* clang-format off */
static const struct row rows[] = {
	{ { "build", NULL, "What measures, and on which kernel",
	    { "version", "kernel" }, CT_INFO, 0 }, emit_info, 0 },

	{ { "entries", NULL, "Flows in the table, by the kernel's own count",
	    { NULL }, CT_GAUGE, 0 }, emit_kernel, CT_KERNEL_COUNT },
	{ { "entries_limit", NULL, "Flows that all network namespaces may have together, "
	    "nf_conntrack_max; 0 is no limit",
	    { NULL }, CT_GAUGE, 0 }, emit_kernel, CT_KERNEL_MAX },
	{ { "buckets", NULL, "Size of the hash table, which all network namespaces share",
	    { NULL }, CT_GAUGE, 0 }, emit_kernel, CT_KERNEL_BUCKETS },
	{ { "accounting", NULL, "Whether packets and bytes of new flows are counted, "
	    "nf_conntrack_acct",
	    { NULL }, CT_GAUGE, 0 }, emit_kernel, CT_KERNEL_ACCT },
	{ { "timestamping", NULL, "Whether start and end of new flows are kept, "
	    "nf_conntrack_timestamp",
	    { NULL }, CT_GAUGE, 0 }, emit_kernel, CT_KERNEL_TIMESTAMP },
	{ { "events_mode", NULL, "Whether new flows send events: 0 never, 1 always, "
	    "2 if somebody listens; nf_conntrack_events",
	    { NULL }, CT_GAUGE, 0 }, emit_kernel, CT_KERNEL_EVENTS },
	{ { "expectations", NULL, "Flows that helpers expect",
	    { NULL }, CT_GAUGE, 0 }, emit_kernel, CT_KERNEL_EXPECTS },
	{ { "expectations_limit", NULL, "Expectations that there may be, "
	    "nf_conntrack_expect_max",
	    { NULL }, CT_GAUGE, 0 }, emit_kernel, CT_KERNEL_EXPECT_MAX },

	{ { "flows", NULL, "Flows",
	    { "family", "proto" }, CT_GAUGE, 0 }, emit_protos, FLOWS },
	{ { "flow", "bytes", "Bytes so far of the flows that are in the table",
	    { "family", "proto", "direction" }, CT_GAUGE, 0 }, emit_protos, BYTES },
	{ { "flow_packets", NULL, "Packets so far of the flows that are in the table",
	    { "family", "proto", "direction" }, CT_GAUGE, 0 }, emit_protos, PACKETS },
	{ { "unreplied_flows", NULL, "Flows that nothing has come back for",
	    { "proto" }, CT_GAUGE, 0 }, emit_unreplied, FLOWS },

	{ { "state_flows", NULL, "Flows by the state of their protocol",
	    { "proto", "state" }, CT_GAUGE, 0 }, emit_states, FLOWS },
	{ { "state", "bytes", "Bytes so far of these flows",
	    { "proto", "state" }, CT_GAUGE, 0 }, emit_states, BYTES },
	{ { "state_packets", NULL, "Packets so far of these flows",
	    { "proto", "state" }, CT_GAUGE, 0 }, emit_states, PACKETS },
	{ { "status_flows", NULL, "Flows by status; a flow has several",
	    { "status" }, CT_GAUGE, 0 }, emit_status, FLOWS },
	{ { "status", "bytes", "Bytes so far of these flows",
	    { "status" }, CT_GAUGE, 0 }, emit_status, BYTES },
	{ { "status_packets", NULL, "Packets so far of these flows",
	    { "status" }, CT_GAUGE, 0 }, emit_status, PACKETS },
	{ { "zone_flows", NULL, "Flows by the zone of their original direction",
	    { "zone" }, CT_GAUGE, 0 }, emit_zones, FLOWS },
	{ { "zone", "bytes", "Bytes so far of these flows",
	    { "zone" }, CT_GAUGE, 0 }, emit_zones, BYTES },
	{ { "zone_packets", NULL, "Packets so far of these flows",
	    { "zone" }, CT_GAUGE, 0 }, emit_zones, PACKETS },
	{ { "mark_flows", NULL, "Flows by their mark",
	    { "mark" }, CT_GAUGE, 0 }, emit_marks, FLOWS },
	{ { "mark", "bytes", "Bytes so far of these flows",
	    { "mark" }, CT_GAUGE, 0 }, emit_marks, BYTES },
	{ { "mark_packets", NULL, "Packets so far of these flows",
	    { "mark" }, CT_GAUGE, 0 }, emit_marks, PACKETS },

	{ { "nat_flows", NULL, "Flows whose answers go to this public address",
	    { "address", "proto", "zone" }, CT_GAUGE, 0 }, emit_nat, NAT_FLOWS },
	{ { "nat_ports", NULL, "Ports of this public address in use",
	    { "address", "proto", "zone" }, CT_GAUGE, 0 }, emit_nat, NAT_PORTS },
	{ { "nat_remote_ports", NULL, "Ports of this public address in use to the remote "
	    "address and port that uses most",
	    { "address", "proto", "zone" }, CT_GAUGE, 0 }, emit_nat, NAT_REMOTE },
	{ { "nat_range_ports", NULL, "Ports of this public address that one remote can use",
	    { "address", "proto", "zone" }, CT_GAUGE, 0 }, emit_nat, NAT_RANGE },
	{ { "nat_ignored_flows", NULL, "Flows of more public addresses than are told apart",
	    { NULL }, CT_GAUGE, 0 }, emit_nat_ignored, 0 },

	{ { "pass", "seconds", "Time that the pass over the table took",
	    { NULL }, CT_GAUGE, 9 }, emit_pass, PASS(nanoseconds) },
	{ { "pass_flows", NULL, "Flows that the pass has seen",
	    { NULL }, CT_GAUGE, 0 }, emit_pass, PASS(flows) },
	{ { "pass_repeated_flows", NULL, "Flows that the kernel sent twice, counted once",
	    { NULL }, CT_GAUGE, 0 }, emit_pass, PASS(repeated) },
	{ { "pass_malformed_flows", NULL, "Flows whose messages could not be read",
	    { NULL }, CT_GAUGE, 0 }, emit_pass, PASS(malformed) },
};
/* clang-format on */

static struct row
stat_row(enum ct_stat stat)
{
	return (struct row){
		.metric = { .name = ct_stat_name(stat),
			    .help = ct_stat_help(stat),
			    .labels = { "cpu" },
			    .kind = CT_COUNTER },
		.emit = emit_stat,
		.which = (int)stat,
	};
}

/* Calls `row_fn` for each row, those of the table and those made of stats. */
static int
each_row(int (*row_fn)(const struct row *row, void *data), void *data)
{
	/* All at once: a metric is told from the one before by where it is. */
	struct row stats[CT_STATS];
	int status = 0;

	for (enum ct_stat i = 0; i < CT_STATS; i++)
		stats[i] = stat_row(i);
	for (size_t i = 0; status == 0 && i < COUNT(rows); i++)
		status = row_fn(&rows[i], data);
	for (size_t i = 0; status == 0 && i < COUNT(stats); i++)
		status = row_fn(&stats[i], data);
	return status;
}

static int
prepare(struct prepared *prepared, const struct ct_metric_source *source)
{
	const struct ct_census *census = source->census;

	prepared->source = source;
	if (source->nat)
		prepared->pools = ct_nat_list(source->nat, &prepared->pool_count);
	if (!census)
		return 0;
	prepared->summary = malloc(sizeof(*prepared->summary));
	if (!prepared->summary)
		return -ENOMEM;
	ct_census_summary(census, prepared->summary);
	if (ct_bins_list(&census->zones, source->bins, &prepared->zones,
			 &prepared->zone_count, &prepared->other_zones) < 0)
		return -ENOMEM;
	return ct_bins_list(&census->marks, source->bins, &prepared->marks,
			    &prepared->mark_count, &prepared->other_marks);
}

static void
done(struct prepared *prepared)
{
	free(prepared->summary);
	free(prepared->zones);
	free(prepared->marks);
}

struct walk_all {
	struct walk walk;
	const struct prepared *prepared;
	size_t count;
};

static int
walk_row(const struct row *row, void *data)
{
	struct walk_all *all = data;
	int status = 0;

	all->walk.metric = &row->metric;
	for (size_t i = 0; status == 0 && i < all->count; i++) {
		all->walk.from = &all->prepared[i];
		status = row->emit(&all->walk, row->which);
	}
	return status;
}

int
ct_metric_walk(const struct ct_metric_source *sources, size_t count,
	       ct_sample_fn sample_fn, void *data)
{
	struct prepared *prepared = calloc(count + 1, sizeof(*prepared));
	struct walk_all all = {
		.walk = { .sample_fn = sample_fn, .data = data },
		.prepared = prepared,
		.count = count,
	};
	int status = prepared ? 0 : -ENOMEM;

	for (size_t i = 0; status == 0 && i < count; i++)
		status = prepare(&prepared[i], &sources[i]);
	if (status == 0)
		status = each_row(walk_row, &all);
	for (size_t i = 0; prepared && i < count; i++)
		done(&prepared[i]);
	free(prepared);
	return status;
}

struct each {
	ct_metric_fn metric_fn;
	void *data;
};

static int
name_row(const struct row *row, void *data)
{
	const struct each *each = data;

	return each->metric_fn(&row->metric, each->data);
}

int
ct_metric_each(ct_metric_fn metric_fn, void *data)
{
	struct each each = { .metric_fn = metric_fn, .data = data };

	return each_row(name_row, &each);
}
