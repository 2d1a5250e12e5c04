/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a filter the kernel is asked; and that it may never leave out a match. */
#include "support_filter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/filter.h"

static void
render_addr(char *text, const char *name, uint8_t family, const struct ct_addr *addr)
{
	char word[INET6_ADDRSTRLEN];

	inet_ntop(family, addr->bytes, word, sizeof(word));
	sprintf(text + strlen(text), " %s=%s", name, word);
}

/* Only what is in `has` is asked, so only that is compared. */
static void
render_tuple(char *text, const char *name, const struct ct_tuple *tuple)
{
	if (!tuple->has)
		return;
	sprintf(text + strlen(text), " %s[%u", name, tuple->family);
	if (tuple->has & CT_TUPLE_SRC)
		render_addr(text, "src", tuple->family, &tuple->src);
	if (tuple->has & CT_TUPLE_DST)
		render_addr(text, "dst", tuple->family, &tuple->dst);
	if (tuple->has & CT_TUPLE_PROTO)
		sprintf(text + strlen(text), " proto=%u", tuple->proto);
	if (tuple->has & CT_TUPLE_SPORT)
		sprintf(text + strlen(text), " sport=%u", tuple->sport);
	if (tuple->has & CT_TUPLE_DPORT)
		sprintf(text + strlen(text), " dport=%u", tuple->dport);
	if (tuple->has & ~(CT_TUPLE_ADDRS | CT_TUPLE_PROTO | CT_TUPLE_PORTS))
		strcat(text, " more");
	strcat(text, "]");
}

static void
render(char *text, const struct ct_dump_ask *ask)
{
	sprintf(text, "%u", ask->family);
	if (ask->has & CT_ASK_ZONE)
		sprintf(text + strlen(text), " zone=%u", ask->zone);
	if (ask->has & CT_ASK_MARK)
		sprintf(text + strlen(text), " mark=%#x/%#x", ask->mark,
			ask->mark_mask);
	if (ask->has & CT_ASK_STATUS)
		sprintf(text + strlen(text), " status=%#x/%#x", ask->status,
			ask->status_mask);
	render_tuple(text, "orig", &ask->tuple[CT_ORIG]);
	render_tuple(text, "reply", &ask->tuple[CT_REPLY]);
}

struct ask_case {
	const char *conditions[8]; /* name, value, name, value … */
	const char *expected;
};

/* The first number is the family: 2 is IPv4, 10 is IPv6, 0 is both. */
static const struct ask_case ask_cases[] = {
	{ { 0 }, "0" },
	{ { "family", "ipv4" }, "2" },
	{ { "family", "ipv6" }, "10" },
	{ { "family", "ipv4,ipv6" }, "0" },
	{ { "family", "ipv4", "family", "ipv6" }, "0" },

	/* Addresses: IPv4, single, one value. */
	{ { "orig-src", "192.0.2.1" }, "2 orig[2 src=192.0.2.1]" },
	{ { "orig-src", "192.0.2.1/32" }, "2 orig[2 src=192.0.2.1]" },
	{ { "orig-src", "192.0.2.0/24" }, "2" },
	{ { "orig-src", "192.0.2.1-192.0.2.2" }, "2" },
	{ { "orig-src", "192.0.2.1,192.0.2.2" }, "0" },
	{ { "orig-dst", "192.0.2.1" }, "2 orig[2 dst=192.0.2.1]" },
	{ { "reply-src", "192.0.2.1" }, "2 reply[2 src=192.0.2.1]" },
	{ { "reply-dst", "192.0.2.1" }, "2 reply[2 dst=192.0.2.1]" },
	{ { "orig-src", "192.0.2.1", "orig-dst", "192.0.2.2", "reply-src", "192.0.2.3",
	    "reply-dst", "192.0.2.4" },
	  "2 orig[2 src=192.0.2.1 dst=192.0.2.2] reply[2 src=192.0.2.3 "
	  "dst=192.0.2.4]" },
	{ { "any-addr", "192.0.2.1" }, "2" },

	/* Of IPv6 nothing but the family. */
	{ { "orig-src", "2001:db8::1" }, "10" },
	{ { "orig-src", "2001:db8::1", "family", "ipv6" }, "10" },
	{ { "family", "ipv6", "reply-dst", "2001:db8::1" }, "10" },
	{ { "orig-src", "2001:db8::1", "protonum", "tcp", "dport", "80" },
	  "10 orig[10 proto=6 dport=80]" },
	{ { "any-addr", "2001:db8::1" }, "10" },
	{ { "orig-src", "::/0" }, "10" },

	/* Ports: of TCP and UDP, with a family. */
	{ { "dport", "80" }, "0" },
	{ { "dport", "80", "protonum", "tcp" }, "0" },
	{ { "dport", "80", "family", "ipv4" }, "2" },
	{ { "dport", "80", "protonum", "tcp", "family", "ipv4" },
	  "2 orig[2 proto=6 dport=80]" },
	{ { "family", "ipv6", "protonum", "udp", "sport", "53" },
	  "10 orig[10 proto=17 sport=53]" },
	{ { "family", "ipv4", "protonum", "tcp", "reply-src-port", "80" },
	  "2 orig[2 proto=6] reply[2 proto=6 sport=80]" },
	{ { "family", "ipv4", "protonum", "udp", "reply-dst-port", "80" },
	  "2 orig[2 proto=17] reply[2 proto=17 dport=80]" },
	{ { "family", "ipv4", "protonum", "sctp", "dport", "80" },
	  "2 orig[2 proto=132]" },
	{ { "family", "ipv4", "protonum", "gre", "dport", "80" },
	  "2 orig[2 proto=47]" },
	{ { "family", "ipv4", "protonum", "tcp", "dport", "80-90" },
	  "2 orig[2 proto=6]" },
	{ { "family", "ipv4", "protonum", "tcp", "dport", "80,443" },
	  "2 orig[2 proto=6]" },
	{ { "family", "ipv4", "protonum", "tcp,udp", "dport", "80" }, "2" },
	{ { "family", "ipv4", "protonum", "1-6", "dport", "80" }, "2" },
	{ { "family", "ipv4", "protonum", "tcp", "any-port", "80" },
	  "2 orig[2 proto=6]" },
	{ { "orig-src", "192.0.2.1", "protonum", "tcp", "dport", "80" },
	  "2 orig[2 src=192.0.2.1 proto=6 dport=80]" },
	{ { "protonum", "tcp" }, "0" },
	{ { "family", "ipv4", "protonum", "icmp" }, "2 orig[2 proto=1]" },

	/* Status: a mask of 0 is an error to the kernel. */
	{ { "status", "assured" }, "0 status=0x4/0x4" },
	{ { "status", "not-assured" }, "0 status=0/0x4" },
	{ { "status", "assured,unreplied" }, "0 status=0x4/0x6" },
	{ { "status", "nat" }, "0" },
	{ { "status", "nat,assured" }, "0 status=0x4/0x4" },
	{ { "status", "not-nat" }, "0 status=0/0x30" },
	{ { "status", "assured", "status", "dying" }, "0" },
	{ { "src-nat", NULL }, "0 status=0x10/0x10" },
	{ { "dst-nat", "192.0.2.1" }, "0 status=0x20/0x20" },
	{ { "any-nat", NULL }, "0" },
	{ { "src-nat", "192.0.2.1,192.0.2.2" }, "0" },
	{ { "src-nat", NULL, "status", "unreplied" }, "0 status=0x10/0x12" },

	{ { "mark", "0x2a" }, "0 mark=0x2a/0xffffffff" },
	{ { "mark", "0x2a/0xff" }, "0 mark=0x2a/0xff" },
	{ { "mark", "0" }, "0 mark=0/0xffffffff" },
	{ { "mark", "1,2" }, "0" },
	{ { "zone", "5" }, "0 zone=5" },
	{ { "zone", "0" }, "0 zone=0" },
	{ { "zone", "5-6" }, "0" },
	{ { "zone", "5,6" }, "0" },
	{ { "orig-zone", "5" }, "0" },
	{ { "reply-zone", "5" }, "0" },

	/* What the kernel has no filter for. */
	{ { "state", "ESTABLISHED" }, "0" },
	{ { "label", "3" }, "0" },
	{ { "helper", "ftp" }, "0" },
	{ { "icmp-type", "8", "icmp-id", "7" }, "0" },
	{ { "min-bytes", "1", "max-age", "5" }, "0" },
	{ { "zone", "5", "mark", "1", "status", "assured", "orig-src", "192.0.2.1" },
	  "2 zone=5 mark=0x1/0xffffffff status=0x4/0x4 orig[2 src=192.0.2.1]" },
};

static void
add_all(struct ct_filter *filter, const char *const *conditions)
{
	for (size_t i = 0; i < 8 && conditions[i]; i += 2)
		add(filter, conditions[i], conditions[i + 1]);
}

static void
asked(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(ask_cases); i++) {
		struct ct_filter *filter = ct_filter_new();
		struct ct_dump_ask ask;
		char text[512];

		memset(&ask, 0xa5, sizeof(ask));
		add_all(filter, ask_cases[i].conditions);
		ct_filter_ask(filter, &ask);
		ct_filter_free(filter);
		render(text, &ask);
		if (strcmp(text, ask_cases[i].expected) != 0)
			fail_msg("--%s %s …: asked '%s', expected '%s'",
				 ask_cases[i].conditions[0] ? ask_cases[i].conditions[0]
							    : "",
				 ask_cases[i].conditions[1] ? ask_cases[i].conditions[1]
							    : "",
				 text, ask_cases[i].expected);
	}
}

static const struct {
	const char *name;
	const char *values[8];
} pools[] = {
	{ "orig-src",
	  { "10.0.0.1", "10.0.0.2", "10.0.0.0/30", "fd00::1", "fd00::/126" } },
	{ "orig-dst", { "10.0.0.1", "10.0.0.2-10.0.0.3", "fd00::2", "::/0" } },
	{ "reply-src", { "10.0.0.3", "10.0.0.0/31", "fd00::3" } },
	{ "reply-dst", { "10.0.0.1", "0.0.0.0/0", "fd00::1" } },
	{ "any-addr", { "10.0.0.1", "fd00::1", "fd00::/127" } },
	{ "sport", { "80", "80-81", "82" } },
	{ "dport", { "80", "81-83", "81" } },
	{ "reply-src-port", { "80", "0-65535" } },
	{ "reply-dst-port", { "82", "80-82" } },
	{ "any-port", { "80", "83" } },
	{ "src-nat", { NULL, "10.0.0.1", "fd00::/126" } },
	{ "dst-nat", { NULL, "10.0.0.0/30" } },
	{ "any-nat", { NULL, "10.0.0.2", "fd00::2" } },
	{ "family", { "ipv4", "ipv6" } },
	{ "protonum", { "tcp", "udp", "gre", "sctp", "6-17" } },
	{ "status",
	  { "assured", "not-assured", "nat", "snat", "not-nat", "unreplied" } },
	{ "mark", { "0", "1", "2/2", "0/1", "0/0" } },
	{ "zone", { "0", "1", "0-1" } },
	{ "orig-zone", { "0", "1" } },
	{ "reply-zone", { "0", "1" } },
	{ "label", { "1", "not-1" } },
};

static struct ct_addr
random_addr(uint8_t family)
{
	char word[16];

	snprintf(word, sizeof(word), family == AF_INET ? "10.0.0.%u" : "fd00::%u",
		 random_below(4));
	return addr_of(word);
}

static void
random_tuple(struct ct_tuple *tuple, uint8_t family, uint8_t proto)
{
	tuple->family = family;
	tuple->proto = proto;
	tuple->src = random_addr(family);
	tuple->dst = random_addr(family);
	tuple->sport = (uint16_t)(80 + random_below(4));
	tuple->dport = (uint16_t)(80 + random_below(4));
	tuple->has = CT_TUPLE_ADDRS | CT_TUPLE_PROTO | CT_TUPLE_PORTS;
}

/* A flow of a small world, so that filters often meet one. */
static struct ct_flow
random_flow(void)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_GRE,
					  IPPROTO_SCTP };
	uint8_t family = random_below(2) ? AF_INET : AF_INET6;
	uint8_t proto = protos[random_below(COUNT(protos))];
	struct ct_flow flow;

	memset(&flow, 0, sizeof(flow));
	random_tuple(&flow.orig, family, proto);
	random_tuple(&flow.reply, family, proto);
	flow.has = CT_ORIG_TUPLE | CT_REPLY_TUPLE;
	set_status(&flow, random_below(64));
	flow.mark = random_below(4);
	if (flow.mark)
		flow.has |= CT_MARK;
	if (random_below(2))
		set_label(&flow, 1);
	switch (random_below(4)) {
	case 0:
		flow.has |= CT_ZONE;
		flow.zone = 1;
		break;
	case 1:
		flow.orig.has |= CT_TUPLE_ZONE;
		flow.orig.zone = 1;
		break;
	}
	return flow;
}

/* Kernel: the fields that the request names are compared with the flow's. */
static bool
kernel_tuple(const struct ct_tuple *asked_for, const struct ct_tuple *tuple)
{
	if (asked_for->has & CT_TUPLE_SRC &&
	    memcmp(&asked_for->src, &tuple->src, sizeof(tuple->src)) != 0)
		return false;
	if (asked_for->has & CT_TUPLE_DST &&
	    memcmp(&asked_for->dst, &tuple->dst, sizeof(tuple->dst)) != 0)
		return false;
	if (asked_for->has & CT_TUPLE_PROTO && asked_for->proto != tuple->proto)
		return false;
	if (asked_for->has & CT_TUPLE_SPORT && asked_for->sport != tuple->sport)
		return false;
	return !(asked_for->has & CT_TUPLE_DPORT) || asked_for->dport == tuple->dport;
}

static bool
kernel_sends(const struct ct_dump_ask *ask, const struct ct_flow *flow)
{
	uint16_t zone = flow->has & CT_ZONE ? flow->zone : flow->orig.zone;

	if (ask->family != AF_UNSPEC && ask->family != flow->orig.family)
		return false;
	if (ask->has & CT_ASK_ZONE && ask->zone != zone)
		return false;
	if (ask->has & CT_ASK_MARK && (flow->mark & ask->mark_mask) != ask->mark)
		return false;
	if (ask->has & CT_ASK_STATUS &&
	    (flow->status & ask->status_mask) != ask->status)
		return false;
	return kernel_tuple(&ask->tuple[CT_ORIG], &flow->orig) &&
	       kernel_tuple(&ask->tuple[CT_REPLY], &flow->reply);
}

/* What the kernel would refuse, or take in a sense of its own. */
static void
assert_possible(const struct ct_dump_ask *ask)
{
	if (ask->has & CT_ASK_STATUS)
		assert_int_not_equal(ask->status_mask, 0);
	for (int dir = 0; dir < CT_DIRS; dir++) {
		const struct ct_tuple *tuple = &ask->tuple[dir];

		if (!tuple->has)
			continue;
		assert_int_not_equal(ask->family, AF_UNSPEC);
		assert_int_equal(tuple->family, ask->family);
		if (tuple->has & CT_TUPLE_ADDRS)
			assert_int_equal(ask->family, AF_INET);
		if (tuple->has & CT_TUPLE_PORTS) {
			assert_true(tuple->has & CT_TUPLE_PROTO);
			assert_true(tuple->proto == IPPROTO_TCP ||
				    tuple->proto == IPPROTO_UDP);
		}
	}
}

static void
asked_for_no_less(void **unused)
{
	unsigned int wanted = 0, left_out = 0;

	(void)unused;
	for (int i = 0; i < 4000; i++) {
		struct ct_filter *filter = ct_filter_new();
		char line[512] = "";
		struct ct_dump_ask ask;

		for (uint32_t j = 1 + random_below(4); j > 0; j--) {
			size_t which = random_below(COUNT(pools));
			size_t count = 1;
			const char *value;

			while (count < COUNT(pools[which].values) &&
			       pools[which].values[count])
				count++;
			value = pools[which].values[random_below((uint32_t)count)];
			add(filter, pools[which].name, value);
			sprintf(line + strlen(line), " --%s %s", pools[which].name,
				value ? value : "");
		}
		ct_filter_ask(filter, &ask);
		assert_possible(&ask);
		for (int j = 0; j < 100; j++) {
			struct ct_flow flow = random_flow();

			if (!ct_filter_match(filter, &flow)) {
				left_out += !kernel_sends(&ask, &flow);
				continue;
			}
			wanted++;
			if (!kernel_sends(&ask, &flow))
				fail_msg("%s: the kernel would leave out a match",
					 line);
		}
		ct_filter_free(filter);
	}
	assert_true(wanted > 10000);
	assert_true(left_out > 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked),
		cmocka_unit_test(asked_for_no_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
