/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which flows a user's conditions choose, and which values are none. */
#include "support_filter.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/filter.h"
#include "common/label.h"

#define NS UINT64_C(1000000000)
#define NOW (UINT64_C(1700000000) * NS)
#define PLAIN (CT_SEEN_REPLY | CT_ASSURED | CT_CONFIRMED)

/* Here label.h is done without the file of the system that the tests run on. */
static const struct {
	unsigned int bit;
	const char *name;
} label_names[] = {
	{ 5, "voip" },
	{ 6, "limit" },
	{ 7, "no-limit" },
	{ 8, "not-mine" },
};

struct ct_labels *
ct_labels_new(void)
{
	return malloc(1);
}

void
ct_labels_free(struct ct_labels *labels)
{
	free(labels);
}

const char *
ct_label_name(const struct ct_labels *labels, unsigned int bit)
{
	for (size_t i = 0; labels && i < COUNT(label_names); i++)
		if (label_names[i].bit == bit)
			return label_names[i].name;
	return NULL;
}

int
ct_label_bit(const struct ct_labels *labels, const char *name)
{
	for (size_t i = 0; labels && i < COUNT(label_names); i++)
		if (strcmp(label_names[i].name, name) == 0)
			return (int)label_names[i].bit;
	return -1;
}

enum flow_name {
	BARE, /* nothing but its tuples */
	TCP,
	UDP6,
	SNAT,
	DNAT,
	BOTH,
	ICMP,
	ICMP6,
	GRE,
	SCTP,
	DCCP,
	ZONE5,
	ZONE_ORIG7,
	ZONE_REPLY8,
	FTP,
	ENDED,
	OFFLOADED,
	HALF_COUNTED,
	NO_ADDRS,
	FLOWS,
};

static struct ct_flow flows[FLOWS];

/* What an ordinary flow has, all of it different. */
static void
fill_tcp(struct ct_flow *flow)
{
	*flow = flow_of(IPPROTO_TCP, "192.0.2.10", 40000, "198.51.100.20", 443);
	set_status(flow, PLAIN);
	flow->has |= CT_STATE | CT_TIMEOUT | CT_MARK | CT_COUNTERS | CT_START;
	flow->state = 3;
	flow->timeout = 3600;
	flow->mark = 0x2a;
	flow->counters[CT_ORIG] = (struct ct_counters){ 10, 1000 };
	flow->counters[CT_REPLY] = (struct ct_counters){ 20, 9000 };
	flow->start = NOW - 90 * NS;
	set_label(flow, 3);
	set_label(flow, 100);
}

static void
fill_translated(void)
{
	struct ct_flow *flow = &flows[SNAT];

	*flow = flow_of(IPPROTO_TCP, "10.0.0.5", 50000, "203.0.113.9", 80);
	set_status(flow, PLAIN | CT_SRC_NAT | CT_SRC_NAT_DONE);
	flow->reply.dst = addr_of("198.51.100.1");
	flow->reply.dport = 61000;
	flow = &flows[DNAT];
	*flow = flow_of(IPPROTO_TCP, "198.51.100.7", 40000, "203.0.113.9", 80);
	set_status(flow, PLAIN | CT_DST_NAT | CT_DST_NAT_DONE);
	flow->reply.src = addr_of("192.168.2.10");
	flow->reply.sport = 8080;
	flow = &flows[BOTH];
	*flow = flow_of(IPPROTO_UDP, "2001:db8::5", 5000, "2001:db8::6", 53);
	set_status(flow, CT_CONFIRMED | CT_NAT_MASK);
	flow->reply.src = addr_of("fd00::53");
	flow->reply.dst = addr_of("fd00::1");
}

static void
fill_flows(void)
{
	flows[BARE] = flow_of(IPPROTO_UDP, "192.0.2.10", 5000, "198.51.100.20", 53);
	fill_tcp(&flows[TCP]);
	flows[UDP6] = flow_of(IPPROTO_UDP, "2001:db8::10", 5353, "2001:db8::53", 53);
	set_status(&flows[UDP6], CT_CONFIRMED);
	fill_translated();
	flows[ICMP] = echo_of("192.0.2.10", "198.51.100.20", 77);
	flows[ICMP6] = echo_of("2001:db8::10", "2001:db8::53", 78);
	flows[ICMP6].orig.icmp_code = flows[ICMP6].reply.icmp_code = 1;
	flows[GRE] = flow_of(IPPROTO_GRE, "192.0.2.10", 80, "198.51.100.20", 80);
	flows[SCTP] = flow_of(IPPROTO_SCTP, "192.0.2.10", 7, "198.51.100.20", 9);
	flows[SCTP].has |= CT_STATE;
	flows[SCTP].state = 4;
	flows[SCTP].has |= CT_SCTP_VTAG_ORIG | CT_SCTP_VTAG_REPLY;
	flows[SCTP].sctp.vtag[CT_ORIG] = 0x11223344;
	flows[SCTP].sctp.vtag[CT_REPLY] = 5;
	flows[DCCP] = flow_of(IPPROTO_DCCP, "192.0.2.10", 7, "198.51.100.20", 9);
	flows[DCCP].has |= CT_STATE;
	flows[DCCP].state = 3;
	flows[ZONE5] = flows[BARE];
	flows[ZONE5].has |= CT_ZONE;
	flows[ZONE5].zone = 5;
	flows[ZONE_ORIG7] = flows[BARE];
	flows[ZONE_ORIG7].orig.has |= CT_TUPLE_ZONE;
	flows[ZONE_ORIG7].orig.zone = 7;
	flows[ZONE_REPLY8] = flows[BARE];
	flows[ZONE_REPLY8].reply.has |= CT_TUPLE_ZONE;
	flows[ZONE_REPLY8].reply.zone = 8;
	fill_tcp(&flows[FTP]);
	set_status(&flows[FTP], PLAIN | CT_EXPECTED | CT_HELPER);
	flows[FTP].has |= CT_HELPER_NAME;
	strcpy(flows[FTP].helper, "ftp");
	flows[FTP].state = 7;
	flows[FTP].mark = 0x12a;
	fill_tcp(&flows[ENDED]);
	flows[ENDED].has |= CT_STOP;
	flows[ENDED].stop = flows[ENDED].start + 10 * NS;
	flows[ENDED].state = 200;
	fill_tcp(&flows[OFFLOADED]);
	flows[OFFLOADED].has &= ~(CT_TIMEOUT | CT_STATE);
	flows[OFFLOADED].timeout = flows[OFFLOADED].state = 0;
	set_status(&flows[OFFLOADED], PLAIN | CT_OFFLOAD);
	flows[HALF_COUNTED] = flows[BARE];
	flows[HALF_COUNTED].has |= CT_COUNTERS_ORIG;
	flows[HALF_COUNTED].counters[CT_ORIG] = (struct ct_counters){ 1, 60 };
	flows[NO_ADDRS] = flows[BARE];
	flows[NO_ADDRS].orig.has = flows[NO_ADDRS].reply.has = 0;
	memset(&flows[NO_ADDRS].orig.src, 0, 2 * sizeof(struct ct_addr));
	memset(&flows[NO_ADDRS].reply.src, 0, 2 * sizeof(struct ct_addr));
	flows[NO_ADDRS].orig.proto = flows[NO_ADDRS].reply.proto = 0;
}

static bool
matches(const char *name, const char *value, const struct ct_flow *flow)
{
	struct ct_filter *filter = ct_filter_new();
	bool match;

	assert_non_null(filter);
	ct_filter_set_now(filter, NOW);
	add(filter, name, value);
	match = ct_filter_match(filter, flow);
	ct_filter_free(filter);
	return match;
}

struct match_case {
	const char *name;
	const char *value;
	enum flow_name flow;
	bool match;
};

static const struct match_case match_cases[] = {
	{ "orig-src", "192.0.2.10", TCP, true },
	{ "orig-src", "192.0.2.0/24", TCP, true },
	{ "orig-src", "192.0.2.9-192.0.2.10", TCP, true },
	{ "orig-src", "192.0.2.10-192.0.2.11", TCP, true },
	{ "orig-src", "192.0.2.11", TCP, false },
	{ "orig-src", "192.0.2.11-192.0.2.20", TCP, false },
	{ "orig-src", "192.0.2.1-192.0.2.9", TCP, false },
	{ "orig-src", "198.51.100.20", TCP, false },
	{ "orig-src", "2001:db8::/32", UDP6, true },
	{ "orig-src", "::/0", UDP6, true },
	{ "orig-src", "::/0", TCP, false },
	{ "orig-src", "0.0.0.0/0", TCP, true },
	{ "orig-src", "0.0.0.0/0", UDP6, false },
	{ "orig-src", "2001:db8::10", UDP6, true },
	{ "orig-dst", "198.51.100.20", TCP, true },
	{ "orig-dst", "192.0.2.10", TCP, false },
	{ "orig-dst", "192.168.2.10", DNAT, false },
	{ "reply-src", "198.51.100.20", TCP, true },
	{ "reply-src", "192.168.2.10", DNAT, true },
	{ "reply-src", "203.0.113.9", DNAT, false },
	{ "reply-dst", "192.0.2.10", TCP, true },
	{ "reply-dst", "198.51.100.1", SNAT, true },
	{ "reply-dst", "10.0.0.5", SNAT, false },
	{ "any-addr", "10.0.0.5", SNAT, true },
	{ "any-addr", "203.0.113.9", SNAT, true },
	{ "any-addr", "198.51.100.1", SNAT, true },
	{ "any-addr", "192.168.2.10", DNAT, true },
	{ "any-addr", "10.0.0.6", SNAT, false },
	{ "any-addr", "::/0", SNAT, false },

	{ "sport", "40000", TCP, true },
	{ "sport", "39999-40001", TCP, true },
	{ "sport", "443", TCP, false },
	{ "sport", "40001-40010", TCP, false },
	{ "dport", "443", TCP, true },
	{ "dport", "https", TCP, true },
	{ "dport", "40000", TCP, false },
	{ "dport", "8080", DNAT, false },
	{ "dport", "9", SCTP, true },
	{ "reply-src-port", "8080", DNAT, true },
	{ "reply-src-port", "80", DNAT, false },
	{ "reply-dst-port", "61000", SNAT, true },
	{ "reply-dst-port", "50000", SNAT, false },
	{ "any-port", "50000", SNAT, true },
	{ "any-port", "80", SNAT, true },
	{ "any-port", "61000", SNAT, true },
	{ "any-port", "8080", DNAT, true },
	{ "any-port", "8080", SNAT, false },
	/* What has no ports has none of the numbers that ports can be. */
	{ "sport", "0-65535", ICMP, false },
	{ "dport", "0-65535", ICMP, false },
	{ "any-port", "0-65535", ICMP6, false },
	{ "any-port", "0", NO_ADDRS, false },
	{ "sport", "80", GRE, false },
	{ "dport", "80", GRE, false },
	{ "reply-src-port", "80", GRE, false },
	{ "reply-dst-port", "80", GRE, false },
	{ "any-port", "0-65535", GRE, false },

	{ "src-nat", NULL, SNAT, true },
	{ "src-nat", NULL, BOTH, true },
	{ "src-nat", NULL, DNAT, false },
	{ "src-nat", NULL, TCP, false },
	{ "src-nat", NULL, BARE, false },
	{ "src-nat", "198.51.100.1", SNAT, true },
	{ "src-nat", "198.51.100.0/24", SNAT, true },
	{ "src-nat", "10.0.0.5", SNAT, false },
	{ "src-nat", "203.0.113.9", SNAT, false },
	{ "src-nat", "192.168.2.10", DNAT, false },
	{ "src-nat", "fd00::1", BOTH, true },
	{ "src-nat", "fd00::53", BOTH, false },
	/* An address of the reply is none that was translated to, without translation.
	 */
	{ "src-nat", "192.0.2.10", TCP, false },
	{ "dst-nat", NULL, DNAT, true },
	{ "dst-nat", NULL, BOTH, true },
	{ "dst-nat", NULL, SNAT, false },
	{ "dst-nat", "192.168.2.10", DNAT, true },
	{ "dst-nat", "198.51.100.7", DNAT, false },
	{ "dst-nat", "203.0.113.9", DNAT, false },
	{ "dst-nat", "198.51.100.1", SNAT, false },
	{ "dst-nat", "fd00::53", BOTH, true },
	{ "dst-nat", "198.51.100.20", TCP, false },
	{ "any-nat", NULL, SNAT, true },
	{ "any-nat", NULL, DNAT, true },
	{ "any-nat", NULL, TCP, false },
	{ "any-nat", "198.51.100.1", SNAT, true },
	{ "any-nat", "192.168.2.10", DNAT, true },
	{ "any-nat", "fd00::1", BOTH, true },
	{ "any-nat", "fd00::53", BOTH, true },
	{ "any-nat", "203.0.113.9", SNAT, false },
	{ "any-nat", "198.51.100.7", DNAT, false },
	{ "any-nat", "192.0.2.10", TCP, false },

	{ "family", "ipv4", TCP, true },
	{ "family", "INET", TCP, true },
	{ "family", "ipv6", TCP, false },
	{ "family", "ipv6", UDP6, true },
	{ "family", "inet6", UDP6, true },
	{ "family", "ipv4", UDP6, false },
	{ "protonum", "tcp", TCP, true },
	{ "protonum", "6", TCP, true },
	{ "protonum", "0x6", TCP, true },
	{ "protonum", "1-6", TCP, true },
	{ "protonum", "udp", TCP, false },
	{ "protonum", "gre", GRE, true },
	{ "protonum", "icmp", ICMP6, false },
	{ "protonum", "IPv6-ICMP", ICMP6, true },
	{ "icmp-type", "8", ICMP, true },
	{ "icmp-type", "0", ICMP, false },
	{ "icmp-type", "128-129", ICMP6, true },
	{ "icmp-type", "0-255", TCP, false },
	{ "icmp-code", "0", ICMP, true },
	{ "icmp-code", "1", ICMP6, true },
	{ "icmp-code", "1-255", ICMP, false },
	{ "icmp-code", "0-255", TCP, false },
	{ "icmp-id", "77", ICMP, true },
	{ "icmp-id", "70-79", ICMP6, true },
	{ "icmp-id", "78", ICMP, false },
	{ "icmp-id", "0-65535", TCP, false },

	{ "srckey", "80", GRE, true },
	{ "srckey", "0-65535", TCP, false },
	{ "dstkey", "80", GRE, true },
	{ "dstkey", "81", GRE, false },
	{ "reply-key-src", "80", GRE, true },
	{ "reply-key-src", "0-79", GRE, false },
	{ "reply-key-dst", "80", GRE, true },
	{ "reply-key-dst", "0-65535", ICMP, false },
	{ "orig-vtag", "0x11223344", SCTP, true },
	{ "orig-vtag", "0-0xffffffff", TCP, false },
	{ "reply-vtag", "5", SCTP, true },
	{ "reply-vtag", "6", SCTP, false },

	{ "state", "ESTABLISHED", TCP, true },
	{ "state", "established", SCTP, true },
	{ "state", "ESTABLISHED", FTP, false },
	{ "state", "time-wait", FTP, true },
	{ "state", "PARTOPEN", DCCP, true },
	{ "state", "ESTABLISHED", DCCP, false },
	{ "state", "CLOSED", SCTP, false },
	{ "state", "NONE", OFFLOADED, false },
	{ "state", "NONE", BARE, false },
	{ "state", "NONE", ENDED, false },
	{ "state", "ESTABLISHED,TIME_WAIT", FTP, true },
	{ "state", "SYN_SENT,SYN_RECV", FTP, false },

	{ "status", "assured", TCP, true },
	{ "status", "ASSURED,seen-reply", TCP, true },
	{ "status", "assured,expected", TCP, false },
	{ "status", "assured,expected", FTP, true },
	{ "status", "not-assured", TCP, false },
	{ "status", "not-assured", UDP6, true },
	{ "status", "!assured", UDP6, true },
	{ "status", "!assured", TCP, false },
	{ "status", "no-assured", UDP6, true },
	{ "status", "NOT_assured", TCP, false },
	{ "status", "unassured", UDP6, true },
	{ "status", "unassured", TCP, false },
	{ "status", "not-unassured", TCP, true },
	{ "status", "not-unassured", UDP6, false },
	{ "status", "unreplied", UDP6, true },
	{ "status", "unreplied", TCP, false },
	{ "status", "not-unreplied", TCP, true },
	{ "status", "replied", TCP, true },
	{ "status", "replied", UDP6, false },
	{ "status", "replied,not-offload", TCP, true },
	{ "status", "replied,not-offload", OFFLOADED, false },
	{ "status", "offload", OFFLOADED, true },
	{ "status", "helper", FTP, true },
	{ "status", "helper", TCP, false },
	{ "status", "snat", SNAT, true },
	{ "status", "snat", DNAT, false },
	{ "status", "src-nat", SNAT, true },
	{ "status", "dnat", DNAT, true },
	{ "status", "dnat", SNAT, false },
	{ "status", "snat,dnat", SNAT, false },
	{ "status", "snat,dnat", BOTH, true },
	{ "status", "nat", SNAT, true },
	{ "status", "nat", DNAT, true },
	{ "status", "nat", TCP, false },
	{ "status", "nat,assured", SNAT, true },
	{ "status", "nat,assured", BOTH, false },
	{ "status", "nat,not-snat", DNAT, true },
	{ "status", "nat,not-snat", SNAT, false },
	{ "status", "not-nat", TCP, true },
	{ "status", "not-nat", SNAT, false },
	{ "status", "not-nat", DNAT, false },
	/* A status that was not sent is neither so nor so. */
	{ "status", "assured", BARE, false },
	{ "status", "not-assured", BARE, false },

	{ "mark", "42", TCP, true },
	{ "mark", "0x2a", TCP, true },
	{ "mark", "0x2a/0xff", FTP, true },
	{ "mark", "0x2a", FTP, false },
	{ "mark", "0/0", FTP, true },
	{ "mark", "0x100/0x100", FTP, true },
	{ "mark", "0x100/0x100", TCP, false },
	{ "mark", "0", BARE, true },
	{ "mark", "0", TCP, false },
	{ "zone", "5", ZONE5, true },
	{ "zone", "0", ZONE5, false },
	{ "zone", "0", BARE, true },
	{ "zone", "4-6", ZONE5, true },
	{ "zone", "7", ZONE_ORIG7, false },
	{ "zone", "0", ZONE_ORIG7, false },
	{ "zone", "0-65535", ZONE_REPLY8, false },
	{ "orig-zone", "5", ZONE5, true },
	{ "orig-zone", "7", ZONE_ORIG7, true },
	{ "orig-zone", "0", ZONE_ORIG7, false },
	{ "orig-zone", "8", ZONE_REPLY8, false },
	{ "orig-zone", "0", ZONE_REPLY8, true },
	{ "orig-zone", "0", BARE, true },
	{ "reply-zone", "5", ZONE5, true },
	{ "reply-zone", "8", ZONE_REPLY8, true },
	{ "reply-zone", "0", ZONE_REPLY8, false },
	{ "reply-zone", "7", ZONE_ORIG7, false },
	{ "reply-zone", "0", ZONE_ORIG7, true },
	{ "label", "3", TCP, true },
	{ "label", "3,100", TCP, true },
	{ "label", "4", TCP, false },
	{ "label", "3,4", TCP, false },
	{ "label", "not-4", TCP, true },
	{ "label", "!4,!5", TCP, true },
	{ "label", "not-3", TCP, false },
	{ "label", "3,not-100", TCP, false },
	{ "label", "3,not-99", TCP, true },
	{ "label", "0", BARE, false },
	{ "label", "not-0", BARE, true },
	{ "label", "127", TCP, false },
	{ "label", "voip", TCP, false },
	{ "label", "not-voip", TCP, true },
	{ "label", "3,not-3", TCP, false },
	{ "helper", "ftp", FTP, true },
	{ "helper", "ft", FTP, false },
	{ "helper", "ftps", FTP, false },
	{ "helper", "sip,ftp", FTP, true },
	{ "helper", "ftp", TCP, false },

	/* Both directions together. */
	{ "min-bytes", "10000", TCP, true },
	{ "min-bytes", "10k", TCP, true },
	{ "min-bytes", "10001", TCP, false },
	{ "min-bytes", "60", HALF_COUNTED, true },
	{ "min-bytes", "61", HALF_COUNTED, false },
	{ "max-bytes", "10000", TCP, true },
	{ "max-bytes", "9999", TCP, false },
	{ "min-packets", "30", TCP, true },
	{ "min-packets", "31", TCP, false },
	{ "max-packets", "30", TCP, true },
	{ "max-packets", "29", TCP, false },
	{ "min-age", "90", TCP, true },
	{ "min-age", "1m30s", TCP, true },
	{ "min-age", "91", TCP, false },
	{ "max-age", "90", TCP, true },
	{ "max-age", "89", TCP, false },
	{ "min-age", "10", ENDED, true },
	{ "min-age", "11", ENDED, false },
	{ "max-age", "10", ENDED, true },
	{ "min-timeout", "1h", TCP, true },
	{ "min-timeout", "3601", TCP, false },
	{ "max-timeout", "1h", TCP, true },
	{ "max-timeout", "3599s", TCP, false },
	/* What is not known is neither little nor much. */
	{ "min-bytes", "0", BARE, false },
	{ "max-bytes", "18446744073709551615", BARE, false },
	{ "min-packets", "0", BARE, false },
	{ "max-packets", "18446744073709551615", BARE, false },
	{ "min-age", "0", BARE, false },
	{ "max-age", "18446744073709551615", BARE, false },
	{ "min-timeout", "0", OFFLOADED, false },
	{ "max-timeout", "18446744073709551615", OFFLOADED, false },
};

static void
every_case(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(match_cases); i++) {
		const struct match_case *c = &match_cases[i];

		if (matches(c->name, c->value, &flows[c->flow]) != c->match)
			fail_msg("--%s %s: flow %d %s", c->name,
				 c->value ? c->value : "", c->flow,
				 c->match ? "does not match" : "matches");
	}
}

/* No condition of the table without a flow that it takes and one that it refuses. */
static void
every_condition_has_cases(void **unused)
{
	(void)unused;
	for (const struct ct_condition *c = ct_conditions; c->name; c++) {
		bool good = false, bad = false;

		for (size_t i = 0; i < COUNT(match_cases); i++) {
			if (strcmp(match_cases[i].name, c->name) != 0)
				continue;
			good |= match_cases[i].match;
			bad |= !match_cases[i].match;
		}
		if (!good || !bad)
			fail_msg("'%s' has no case that %s", c->name,
				 good ? "does not match" : "matches");
	}
}

/* A flow of which no address was sent does not come from 0.0.0.0. */
static void
absent_addresses(void **unused)
{
	static const char *const names[] = { "orig-src", "orig-dst", "reply-src",
					     "reply-dst", "any-addr" };

	(void)unused;
	for (size_t i = 0; i < COUNT(names); i++)
		if (matches(names[i], "0.0.0.0/0", &flows[NO_ADDRS]))
			fail_msg("--%s 0.0.0.0/0 takes a flow without addresses",
				 names[i]);
}

/* Nor is its protocol number 0. */
static void
absent_protocol(void **unused)
{
	(void)unused;
	assert_false(matches("protonum", "0", &flows[NO_ADDRS]));
}

/* "All of": what contradicts itself chooses nothing, as with labels. */
static void
contradictions(void **unused)
{
	static const char *const values[] = {
		"assured,not-assured", "not-assured,assured", "assured,unassured",
		"snat,not-nat",        "not-nat,dnat",        "nat,not-nat",
		"replied,unreplied"
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(values); i++)
		for (int flow = 0; flow < FLOWS; flow++)
			if (matches("status", values[i], &flows[flow]))
				fail_msg("--status %s takes flow %d", values[i], flow);
}

static void
label_names_of_the_system(void **unused)
{
	struct ct_flow flow = flows[BARE];

	(void)unused;
	set_label(&flow, 5);
	assert_true(matches("label", "voip", &flow));
	assert_false(matches("label", "not-voip", &flow));
	assert_false(matches("label", "limit", &flow));
	assert_true(matches("label", "voip,not-limit", &flow));
}

/* A name that begins like a negation is a name nevertheless. */
static void
label_names_with_no(void **unused)
{
	struct ct_flow flow = flows[BARE];

	(void)unused;
	set_label(&flow, 7);
	assert_true(matches("label", "not-no-limit", &flows[BARE]));
	assert_false(matches("label", "not-no-limit", &flow));
	if (!matches("label", "no-limit", &flow))
		fail_msg("'no-limit' is not label 7");
	assert_false(matches("label", "no-limit", &flows[BARE]));
	set_label(&flow, 8);
	assert_true(matches("label", "not-mine", &flow));
}

/* More than 64 bits of bytes are still more than any bound. */
static void
sum_of_counters(void **unused)
{
	struct ct_flow flow = flows[TCP];

	(void)unused;
	flow.counters[CT_ORIG] = (struct ct_counters){ UINT64_MAX, UINT64_MAX };
	flow.counters[CT_REPLY] = (struct ct_counters){ 1, 1 };
	assert_true(matches("min-bytes", "1", &flow));
	assert_false(matches("max-bytes", "1", &flow));
	assert_true(matches("min-packets", "1", &flow));
}

/* A flow from the future, by another clock, is of age 0. */
static void
age_of_the_future(void **unused)
{
	struct ct_flow flow = flows[TCP];

	(void)unused;
	flow.start = NOW + 5 * NS;
	assert_true(matches("min-age", "0", &flow));
	assert_false(matches("min-age", "1", &flow));
	assert_true(matches("max-age", "0", &flow));
}

static void
and_or(void **unused)
{
	struct ct_filter *filter = ct_filter_new();

	(void)unused;
	assert_true(ct_filter_is_empty(filter));
	for (int i = 0; i < FLOWS; i++)
		assert_true(ct_filter_match(filter, &flows[i]));
	add(filter, "dport", "80");
	assert_false(ct_filter_is_empty(filter));
	assert_true(ct_filter_match(filter, &flows[SNAT]));
	assert_false(ct_filter_match(filter, &flows[TCP]));
	/* The same condition again: one or the other. */
	add(filter, "dport", "443");
	assert_true(ct_filter_match(filter, &flows[SNAT]));
	assert_true(ct_filter_match(filter, &flows[TCP]));
	assert_false(ct_filter_match(filter, &flows[UDP6]));
	add(filter, "dport", "50-60,9");
	assert_true(ct_filter_match(filter, &flows[UDP6]));
	assert_true(ct_filter_match(filter, &flows[SCTP]));
	/* Another condition: both. */
	add(filter, "family", "ipv4");
	assert_false(ct_filter_match(filter, &flows[UDP6]));
	assert_true(ct_filter_match(filter, &flows[TCP]));
	add(filter, "src-nat", NULL);
	assert_false(ct_filter_match(filter, &flows[TCP]));
	assert_true(ct_filter_match(filter, &flows[SNAT]));
	add(filter, "src-nat", "192.0.2.99");
	assert_true(ct_filter_match(filter, &flows[SNAT]));
	ct_filter_free(filter);
	ct_filter_free(NULL);
}

/* Lists with commas: or — but where the condition says "all of", and. */
static void
lists(void **unused)
{
	(void)unused;
	assert_true(matches("protonum", "udp,tcp", &flows[TCP]));
	assert_true(matches("protonum", "tcp,udp", &flows[TCP]));
	assert_false(matches("protonum", "udp,icmp", &flows[TCP]));
	assert_false(matches("protonum", "udp,icmp,gre,sctp", &flows[TCP]));
	assert_true(matches("orig-src", "::/0,192.0.2.10", &flows[TCP]));
	assert_true(matches("mark", "1,0x2a", &flows[TCP]));
	assert_true(matches("family", "ipv4,ipv6", &flows[UDP6]));
	assert_false(matches("label", "3,5", &flows[TCP]));
	for (const struct ct_condition *c = ct_conditions; c->name; c++)
		assert_int_equal(c->joined, strcmp(c->name, "label") == 0 ||
						    strcmp(c->name, "status") == 0);
}

/* Two options with lists that are joined: or between them. */
static void
joined_twice(void **unused)
{
	struct ct_filter *filter = ct_filter_new();

	(void)unused;
	add(filter, "status", "assured,expected");
	add(filter, "status", "unreplied");
	assert_true(ct_filter_match(filter, &flows[FTP]));
	assert_true(ct_filter_match(filter, &flows[UDP6]));
	assert_false(ct_filter_match(filter, &flows[TCP]));
	ct_filter_free(filter);
}

struct bad_value {
	const char *name;
	const char *value;
	const char *why;
};

static const struct bad_value bad_values[] = {
	{ "dport", "", "'' has an empty value" },
	{ "dport", "80,", "'80,' has an empty value" },
	{ "dport", ",80", "',80' has an empty value" },
	{ "dport", "80,,90", "'80,,90' has an empty value" },
	{ "dport", NULL, "a value is missing (PORT)" },
	{ "orig-src", NULL, "a value is missing (ADDR)" },
	{ "dport", "80,70000",
	  "70000 is not a port (0-65535, a range like 80-90, or a service's name)" },
	{ "src-nat", "", "'' has an empty value" },
	{ "src-nat", "10.0.0.1/8",
	  "10.0.0.1/8 has host bits set (the network is 10.0.0.0/8)" },
	{ "family", "ipv5", "ipv5 is not a family (ipv4 or ipv6)" },
	{ "family", "2", "2 is not a family (ipv4 or ipv6)" },
	{ "protonum", "256",
	  "256 is not a protocol (tcp, udp, udplite, icmp, icmpv6, sctp, dccp, gre, …, "
	  "or 0-255)" },
	{ "protonum", "tcpx",
	  "tcpx is not a protocol (tcp, udp, udplite, icmp, icmpv6, sctp, dccp, gre, "
	  "…, or 0-255)" },
	{ "icmp-type", "256", "256 is not an ICMP type (0-255, or a range like 2-5)" },
	{ "icmp-code", "-1", "-1 is not an ICMP code (0-255, or a range like 2-5)" },
	{ "icmp-id", "65536",
	  "65536 is not an ICMP id (0-65535, or a range like 2-5)" },
	{ "zone", "65536", "65536 is not a zone (0-65535, or a range like 2-5)" },
	{ "orig-zone", "a", "a is not a zone (0-65535, or a range like 2-5)" },
	{ "mark", "", "'' has an empty value" },
	{ "mark", "x", "x is not a mark (like 7, 0x2a, or 0x2a/0xff)" },
	{ "mark", "7/", "7/ is not a mark (like 7, 0x2a, or 0x2a/0xff)" },
	{ "mark", "/7", "/7 is not a mark (like 7, 0x2a, or 0x2a/0xff)" },
	{ "mark", "7/7/7", "7/7/7 is not a mark (like 7, 0x2a, or 0x2a/0xff)" },
	{ "mark", "4294967296",
	  "4294967296 is not a mark (like 7, 0x2a, or 0x2a/0xff)" },
	{ "mark", "7/4294967296",
	  "7/4294967296 is not a mark (like 7, 0x2a, or 0x2a/0xff)" },
	{ "mark", "8/7", "8/7: no mark has bits outside of its mask" },
	{ "label", "128",
	  "128 is not a label (0-127, or a name in /etc/xtables/connlabel.conf)" },
	{ "label", "3,nobody",
	  "nobody is not a label (0-127, or a name in /etc/xtables/connlabel.conf)" },
	{ "label", "", "'' has an empty value" },
	{ "label", "3,,5", "'3,,5' has an empty value" },
	{ "label", "not-",
	  "not- is not a label (0-127, or a name in /etc/xtables/connlabel.conf)" },
	{ "helper", "", "'' has an empty value" },
	{ "helper", "12345678901234567890123456789012",
	  "12345678901234567890123456789012 is not a helper's name (like ftp)" },
	{ "min-bytes", "10x",
	  "10x is not an amount (a number, or one like 10k, 2M, 1G, 1Gi)" },
	{ "max-age", "5y", "5y is not a time (seconds, or like 90s, 5m, 1h30m)" },
	{ "state", "OPENISH",
	  "OPENISH is not a state (TCP: NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT "
	  "CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE SYN_SENT2; SCTP: NONE CLOSED "
	  "COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT SHUTDOWN_RECD "
	  "SHUTDOWN_ACK_SENT HEARTBEAT_SENT HEARTBEAT_ACKED; DCCP: NONE REQUEST "
	  "RESPOND PARTOPEN OPEN CLOSEREQ CLOSING TIMEWAIT IGNORE INVALID)" },
	{ "status", "asured",
	  "asured is not a status (expected, seen-reply, assured, confirmed, src-nat, "
	  "dst-nat, nat, seq-adjust, dying, fixed-timeout, helper, offload, "
	  "hw-offload, unreplied, …; not-NAME for its absence)" },
	{ "status", "assured,", "'assured,' has an empty value" },
	{ "status", "", "'' has an empty value" },
	{ "status", "not-",
	  "not- is not a status (expected, seen-reply, assured, confirmed, src-nat, "
	  "dst-nat, nat, seq-adjust, dying, fixed-timeout, helper, offload, "
	  "hw-offload, unreplied, …; not-NAME for its absence)" },
};

static void
bad(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(bad_values); i++) {
		const struct bad_value *b = &bad_values[i];
		struct ct_filter *filter = ct_filter_new();
		struct ct_why why;
		int error =
			ct_filter_add(filter, condition_of(b->name), b->value, &why);

		ct_filter_free(filter);
		if (error != -EINVAL)
			fail_msg("--%s %s is taken", b->name, b->value);
		assert_string_equal(why.text, b->why);
	}
}

/* Long values overrun nothing, and what is said of them ends somewhere. */
static void
long_values(void **unused)
{
	static const char fills[] = "1ax,-/:.!";
	char value[2000];

	(void)unused;
	for (const struct ct_condition *c = ct_conditions; c->name; c++) {
		for (const char *fill = fills; *fill; fill++) {
			for (size_t size = 1; size < sizeof(value); size += 31) {
				struct ct_filter *filter = ct_filter_new();
				struct ct_why why = { "" };

				memset(value, *fill, size);
				value[size] = '\0';
				if (ct_filter_add(filter, c, value, &why))
					assert_in_range(strlen(why.text), 1,
							CT_WHY_SIZE - 1);
				ct_filter_match(filter, &flows[TCP]);
				ct_filter_free(filter);
			}
		}
	}
}

static void
needs(void **unused)
{
	static const struct {
		const char *name;
		enum ct_need need;
	} cases[] = {
		{ "min-bytes", CT_NEEDS_ACCT },    { "max-bytes", CT_NEEDS_ACCT },
		{ "min-packets", CT_NEEDS_ACCT },  { "max-packets", CT_NEEDS_ACCT },
		{ "min-age", CT_NEEDS_TIMESTAMP }, { "max-age", CT_NEEDS_TIMESTAMP },
	};
	struct ct_filter *filter = ct_filter_new();

	(void)unused;
	for (const struct ct_condition *c = ct_conditions; c->name; c++) {
		enum ct_need need = CT_NEEDS_NOTHING;

		for (size_t i = 0; i < COUNT(cases); i++)
			if (strcmp(cases[i].name, c->name) == 0)
				need = cases[i].need;
		assert_int_equal(c->need, need);
	}
	add(filter, "family", "ipv4");
	add(filter, "min-timeout", "5");
	assert_null(ct_filter_needing(filter, CT_NEEDS_ACCT));
	assert_null(ct_filter_needing(filter, CT_NEEDS_TIMESTAMP));
	add(filter, "min-age", "5");
	assert_null(ct_filter_needing(filter, CT_NEEDS_ACCT));
	add(filter, "max-bytes", "5");
	assert_ptr_equal(ct_filter_needing(filter, CT_NEEDS_ACCT),
			 condition_of("max-bytes"));
	assert_ptr_equal(ct_filter_needing(filter, CT_NEEDS_TIMESTAMP),
			 condition_of("min-age"));
	ct_filter_free(filter);
}

/* "--sport 1 --dport 2" → the flow that they describe. */
static int
describe(const char *conditions, struct ct_flow *flow, struct ct_why *why)
{
	struct ct_filter *filter = ct_filter_new();
	char words[256], *rest = words, *name;
	int error;

	snprintf(words, sizeof(words), "%s", conditions);
	while ((name = strsep(&rest, " ")))
		add(filter, name + 2, strsep(&rest, " "));
	error = ct_filter_describe(filter, flow, why);
	ct_filter_free(filter);
	return error;
}

#define UDP4 \
	"--orig-src 192.0.2.1 --orig-dst 192.0.2.2 --protonum udp --sport 1 --dport 2"

static void
one_flow(void **unused)
{
	struct ct_flow flow;
	struct ct_why why;

	(void)unused;
	assert_int_equal(
		describe(UDP4 " --src-nat 192.0.2.9 --family ipv4", &flow, &why), 0);
	assert_int_equal(flow.orig.family, AF_INET);
	assert_int_equal(flow.orig.proto, IPPROTO_UDP);
	assert_int_equal(flow.orig.sport, 1);
	assert_int_equal(flow.orig.dport, 2);
	assert_int_equal(flow.status, CT_SRC_NAT);
	assert_int_equal(flow.reply.family, AF_INET);
	assert_memory_equal(flow.reply.dst.bytes, "\xc0\0\x02\x09", 4);
	/* The same again leaves no choice. */
	assert_int_equal(describe(UDP4 " --dport 2 --dport 2,2", &flow, &why), 0);
	assert_int_equal(flow.orig.dport, 2);
	assert_int_equal(describe("--reply-src 2001:db8::1 --reply-dst 2001:db8::2 "
				  "--protonum gre --reply-key-src 7 --reply-key-dst 8",
				  &flow, &why),
			 0);
	assert_int_equal(flow.orig.family, AF_INET6);
	assert_int_equal(flow.reply.sport, 7);
	/* A state, before its protocol is known. */
	assert_int_equal(describe("--state established --protonum tcp", &flow, &why),
			 0);
	assert_int_equal(flow.state, 3);
}

#define CHOICE(name)                                          \
	"--" name " leaves a choice, or contradicts another " \
	"condition; this is about one flow"
#define AGAINST(name) "--" name " contradicts another condition"
#define FAMILIES "IPv4 and IPv6 do not go together in one flow"

static void
no_one_flow(void **unused)
{
	static const struct {
		const char *conditions;
		const char *why;
	} cases[] = {
		{ UDP4 " --family ipv6", AGAINST("orig-src") },
		{ "--family ipv6 " UDP4, CHOICE("orig-src") },
		{ UDP4 " --reply-src 2001:db8::1", FAMILIES },
		{ UDP4 " --src-nat 2001:db8::1", FAMILIES },
		{ UDP4 " --reply-src 192.0.2.2 --src-nat 2001:db8::1",
		  CHOICE("src-nat") },
		{ "--src-nat 2001:db8::1 --reply-src 192.0.2.2", CHOICE("reply-src") },
		{ "--src-nat 2001:db8::1 --dst-nat 192.0.2.2", CHOICE("dst-nat") },
		{ UDP4 " --src-nat 192.0.2.7 --reply-dst 192.0.2.8",
		  AGAINST("src-nat") },
		{ UDP4 " --dport 3", CHOICE("dport") },
		{ UDP4 " --srckey 1", AGAINST("srckey") },
		{ "--protonum gre --sport 1",
		  "GRE has no ports, but keys (--srckey, --dstkey)" },
		{ UDP4 " --zone 5 --orig-zone 6", AGAINST("zone") },
		{ UDP4 " --state established", CHOICE("state") },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ct_flow flow;
		struct ct_why why;

		if (describe(cases[i].conditions, &flow, &why) != -EINVAL)
			fail_msg("%s: taken", cases[i].conditions);
		assert_string_equal(why.text, cases[i].why);
	}
}

/* More conditions than there is room for at first. */
static void
many_conditions(void **unused)
{
	struct ct_filter *filter = ct_filter_new();
	size_t count = 0;

	(void)unused;
	for (const struct ct_condition *c = ct_conditions; c->name; c++) {
		if (strncmp(c->name, "min-", 4) == 0)
			add(filter, c->name, "0");
		else if (strcmp(c->argument, "PORT") == 0 ||
			 strcmp(c->argument, "ZONE") == 0)
			add(filter, c->name, "0-65535");
		else if (strcmp(c->argument, "ADDR") == 0 && !c->bare)
			add(filter, c->name, "0.0.0.0/0");
		else
			continue;
		count++;
	}
	assert_in_range(count, 17, 32);
	assert_true(ct_filter_match(filter, &flows[TCP]));
	assert_false(ct_filter_match(filter, &flows[UDP6]));
	ct_filter_free(filter);
}

/* What the command line makes of the table has to be without doubt. */
static void
the_table(void **unused)
{
	const char *names[200];
	bool letters[128] = { false };
	size_t count = 0;

	(void)unused;
	for (const struct ct_condition *c = ct_conditions; c->name; c++) {
		assert_non_null(c->argument);
		assert_non_null(c->help);
		assert_non_null(c->parse);
		assert_non_null(c->match);
		assert_in_range(c->topic, 0, CT_TOPICS - 1);
		if (c->letter) {
			assert_false(letters[(int)c->letter]);
			letters[(int)c->letter] = true;
		}
		names[count++] = c->name;
		for (int i = 0; i < 2; i++)
			if (c->alias[i])
				names[count++] = c->alias[i];
	}
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (ct_same_word(names[i], names[j]))
				fail_msg("'%s' is there twice", names[i]);
	for (int topic = 0; topic < CT_TOPICS; topic++)
		assert_non_null(ct_topic_title((enum ct_topic)topic));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case),
		cmocka_unit_test(every_condition_has_cases),
		cmocka_unit_test(absent_addresses),
		cmocka_unit_test(absent_protocol),
		cmocka_unit_test(contradictions),
		cmocka_unit_test(label_names_of_the_system),
		cmocka_unit_test(label_names_with_no),
		cmocka_unit_test(sum_of_counters),
		cmocka_unit_test(age_of_the_future),
		cmocka_unit_test(and_or),
		cmocka_unit_test(lists),
		cmocka_unit_test(joined_twice),
		cmocka_unit_test(bad),
		cmocka_unit_test(long_values),
		cmocka_unit_test(needs),
		cmocka_unit_test(one_flow),
		cmocka_unit_test(no_one_flow),
		cmocka_unit_test(many_conditions),
		cmocka_unit_test(the_table),
	};

	fill_flows();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
