/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names both ways, and facts about tuples. */
#include "support.h"

#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* These do not go together with netinet/in.h but behind it. */
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

static const struct {
	uint8_t number;
	const char *name;
	bool ports;
} protos[] = {
	{ IPPROTO_TCP, "tcp", true },         { IPPROTO_UDP, "udp", true },
	{ IPPROTO_UDPLITE, "udplite", true }, { IPPROTO_SCTP, "sctp", true },
	{ IPPROTO_DCCP, "dccp", true },       { IPPROTO_GRE, "gre", true },
	{ IPPROTO_ICMP, "icmp", false },      { IPPROTO_ICMPV6, "icmpv6", false },
	{ IPPROTO_IGMP, "igmp", false },      { IPPROTO_ESP, "esp", false },
	{ IPPROTO_AH, "ah", false },
};

struct state {
	uint8_t proto;
	uint8_t number;
	const char *name;
};

/* The numbers are the kernel's, from its own headers. */
static const struct state states[] = {
	{ IPPROTO_TCP, TCP_CONNTRACK_NONE, "NONE" },
	{ IPPROTO_TCP, TCP_CONNTRACK_SYN_SENT, "SYN_SENT" },
	{ IPPROTO_TCP, TCP_CONNTRACK_SYN_RECV, "SYN_RECV" },
	{ IPPROTO_TCP, TCP_CONNTRACK_ESTABLISHED, "ESTABLISHED" },
	{ IPPROTO_TCP, TCP_CONNTRACK_FIN_WAIT, "FIN_WAIT" },
	{ IPPROTO_TCP, TCP_CONNTRACK_CLOSE_WAIT, "CLOSE_WAIT" },
	{ IPPROTO_TCP, TCP_CONNTRACK_LAST_ACK, "LAST_ACK" },
	{ IPPROTO_TCP, TCP_CONNTRACK_TIME_WAIT, "TIME_WAIT" },
	{ IPPROTO_TCP, TCP_CONNTRACK_CLOSE, "CLOSE" },
	{ IPPROTO_TCP, TCP_CONNTRACK_SYN_SENT2, "SYN_SENT2" },
	{ IPPROTO_SCTP, SCTP_CONNTRACK_NONE, "NONE" },
	{ IPPROTO_SCTP, SCTP_CONNTRACK_CLOSED, "CLOSED" },
	{ IPPROTO_SCTP, SCTP_CONNTRACK_COOKIE_WAIT, "COOKIE_WAIT" },
	{ IPPROTO_SCTP, SCTP_CONNTRACK_COOKIE_ECHOED, "COOKIE_ECHOED" },
	{ IPPROTO_SCTP, SCTP_CONNTRACK_ESTABLISHED, "ESTABLISHED" },
	{ IPPROTO_SCTP, SCTP_CONNTRACK_SHUTDOWN_SENT, "SHUTDOWN_SENT" },
	{ IPPROTO_SCTP, SCTP_CONNTRACK_SHUTDOWN_RECD, "SHUTDOWN_RECD" },
	{ IPPROTO_SCTP, SCTP_CONNTRACK_SHUTDOWN_ACK_SENT, "SHUTDOWN_ACK_SENT" },
	{ IPPROTO_SCTP, SCTP_CONNTRACK_HEARTBEAT_SENT, "HEARTBEAT_SENT" },
	{ IPPROTO_SCTP, SCTP_CONNTRACK_HEARTBEAT_ACKED, "HEARTBEAT_ACKED" },
	/* These are in no header: nf_conntrack_proto_dccp.c. */
	{ IPPROTO_DCCP, 0, "NONE" },
	{ IPPROTO_DCCP, 1, "REQUEST" },
	{ IPPROTO_DCCP, 2, "RESPOND" },
	{ IPPROTO_DCCP, 3, "PARTOPEN" },
	{ IPPROTO_DCCP, 4, "OPEN" },
	{ IPPROTO_DCCP, 5, "CLOSEREQ" },
	{ IPPROTO_DCCP, 6, "CLOSING" },
	{ IPPROTO_DCCP, 7, "TIMEWAIT" },
	{ IPPROTO_DCCP, 8, "IGNORE" },
	{ IPPROTO_DCCP, 9, "INVALID" },
};

static const struct {
	uint32_t bit;
	uint32_t kernel;
	const char *name;
} statuses[] = {
	{ CT_EXPECTED, IPS_EXPECTED, "expected" },
	{ CT_SEEN_REPLY, IPS_SEEN_REPLY, "seen_reply" },
	{ CT_ASSURED, IPS_ASSURED, "assured" },
	{ CT_CONFIRMED, IPS_CONFIRMED, "confirmed" },
	{ CT_SRC_NAT, IPS_SRC_NAT, "src_nat" },
	{ CT_DST_NAT, IPS_DST_NAT, "dst_nat" },
	{ CT_SEQ_ADJUST, IPS_SEQ_ADJUST, "seq_adjust" },
	{ CT_SRC_NAT_DONE, IPS_SRC_NAT_DONE, "src_nat_done" },
	{ CT_DST_NAT_DONE, IPS_DST_NAT_DONE, "dst_nat_done" },
	{ CT_DYING, IPS_DYING, "dying" },
	{ CT_FIXED_TIMEOUT, IPS_FIXED_TIMEOUT, "fixed_timeout" },
	{ CT_TEMPLATE, IPS_TEMPLATE, "template" },
	{ CT_NAT_CLASH, IPS_UNTRACKED, "nat_clash" }, /* the bit was reused */
	{ CT_HELPER, IPS_HELPER, "helper" },
	{ CT_OFFLOAD, IPS_OFFLOAD, "offload" },
	{ CT_HW_OFFLOAD, IPS_HW_OFFLOAD, "hw_offload" },
};

/* The other ways to write `name`: case turned, dashes for underscores. */
static void
variant(char *written, const char *name, unsigned int which)
{
	do {
		char c = *name;

		if (which & 1)
			c = (char)(islower((unsigned char)c)
					   ? toupper((unsigned char)c)
					   : tolower((unsigned char)c));
		if (which & 2 && c == '_')
			c = '-';
		*written++ = c;
	} while (*name++);
}

static void
families(void **unused)
{
	(void)unused;
	assert_string_equal(ct_family_name(AF_INET), "ipv4");
	assert_string_equal(ct_family_name(AF_INET6), "ipv6");
	assert_null(ct_family_name(AF_UNSPEC));
	assert_null(ct_family_name(AF_UNIX));
	assert_null(ct_family_name(255));
}

static void
protocols(void **unused)
{
	char written[64];

	(void)unused;
	for (size_t i = 0; i < COUNT(protos); i++) {
		assert_string_equal(ct_proto_name(protos[i].number), protos[i].name);
		assert_int_equal(ct_proto_has_ports(protos[i].number), protos[i].ports);
		for (unsigned int which = 0; which < 4; which++) {
			variant(written, protos[i].name, which);
			assert_int_equal(ct_proto_value(written), protos[i].number);
		}
	}
	for (unsigned int number = 0; number < 256; number++) {
		const char *name = ct_proto_name((uint8_t)number);

		if (name)
			assert_int_equal(ct_proto_value(name), number);
	}
	assert_null(ct_proto_name(253));
	assert_null(ct_proto_name(0));
	assert_false(ct_proto_has_ports(253));
}

static void
unknown_words(void **unused)
{
	static const char *const words[] = { "",     "t",    "tc",    "tcpx",
					     " tcp", "tcp ", "assur", "assured2",
					     "-",    "_",    "6",     "ESTABLISHE" };

	(void)unused;
	for (size_t i = 0; i < COUNT(words); i++) {
		assert_int_equal(ct_proto_value(words[i]), -1);
		assert_int_equal(ct_status_value(words[i]), -1);
		assert_int_equal(ct_state_value(IPPROTO_TCP, words[i]), -1);
		assert_int_equal(ct_state_value(IPPROTO_UDP, words[i]), -1);
	}
}

static void
state_names(void **unused)
{
	char written[64];

	(void)unused;
	for (size_t i = 0; i < COUNT(states); i++) {
		const struct state *state = &states[i];

		assert_true(ct_proto_has_states(state->proto));
		assert_string_equal(ct_state_name(state->proto, state->number),
				    state->name);
		for (unsigned int which = 0; which < 4; which++) {
			variant(written, state->name, which);
			assert_int_equal(ct_state_value(state->proto, written),
					 state->number);
		}
	}
	for (unsigned int number = 10; number < 256; number++) {
		assert_null(ct_state_name(IPPROTO_TCP, (uint8_t)number));
		assert_null(ct_state_name(IPPROTO_SCTP, (uint8_t)number));
		assert_null(ct_state_name(IPPROTO_DCCP, (uint8_t)number));
	}
}

static void
state_of_another_protocol(void **unused)
{
	(void)unused;
	assert_int_equal(ct_state_value(IPPROTO_TCP, "CLOSED"), -1);
	assert_int_equal(ct_state_value(IPPROTO_SCTP, "TIME_WAIT"), -1);
	assert_int_equal(ct_state_value(IPPROTO_DCCP, "ESTABLISHED"), -1);
	assert_int_equal(ct_state_value(IPPROTO_UDP, "ESTABLISHED"), -1);
	assert_false(ct_proto_has_states(IPPROTO_UDP));
	assert_null(ct_state_name(IPPROTO_UDP, 0));
	assert_null(ct_state_name(IPPROTO_ICMP, 3));
}

static void
status_names(void **unused)
{
	char written[64];

	(void)unused;
	for (size_t i = 0; i < COUNT(statuses); i++) {
		assert_int_equal(statuses[i].bit, 1u << i);
		assert_int_equal(statuses[i].bit, statuses[i].kernel);
		assert_string_equal(ct_status_name((unsigned int)i), statuses[i].name);
		for (unsigned int which = 0; which < 4; which++) {
			variant(written, statuses[i].name, which);
			assert_int_equal(ct_status_value(written), i);
		}
	}
	for (unsigned int bit = COUNT(statuses); bit < 100; bit++)
		assert_null(ct_status_name(bit));
	assert_null(ct_status_name(UINT32_MAX));
}

static void
same_words(void **unused)
{
	(void)unused;
	assert_true(ct_same_word("", ""));
	assert_true(ct_same_word("a-b_C", "A_B-c"));
	assert_false(ct_same_word("", "a"));
	assert_false(ct_same_word("a", ""));
	assert_false(ct_same_word("ab", "a"));
	assert_false(ct_same_word("a", "ab"));
	assert_false(ct_same_word("a-b", "a b"));
	assert_false(ct_same_word("a-b", "ab"));
}

static bool
mirrored(const struct ct_flow *flow)
{
	bool there = ct_tuple_is_mirror(&flow->orig, &flow->reply);

	/* What is one's mirror has it for its own. */
	assert_int_equal(there, ct_tuple_is_mirror(&flow->reply, &flow->orig));
	return there;
}

static void
mirror_of_ports(void **unused)
{
	static const uint8_t with_ports[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP,
					      IPPROTO_GRE };
	struct ct_flow flow;

	(void)unused;
	for (size_t i = 0; i < COUNT(with_ports); i++) {
		struct ct_flow good =
			flow_of(with_ports[i], "192.0.2.1", 1000, "192.0.2.2", 80);

		assert_true(mirrored(&good));
		flow = good;
		flow.reply.sport++;
		assert_false(mirrored(&flow));
		flow = good;
		flow.reply.dport++;
		assert_false(mirrored(&flow));
		flow = good;
		flow.reply.src.bytes[3]++;
		assert_false(mirrored(&flow));
		flow = good;
		flow.reply.dst.bytes[0]++;
		assert_false(mirrored(&flow));
		flow = good;
		flow.reply.proto = IPPROTO_UDPLITE;
		assert_false(mirrored(&flow));
		flow = good;
		flow.reply.family = AF_INET6;
		assert_false(mirrored(&flow));
	}
	flow = flow_of(IPPROTO_TCP, "2001:db8::1", 1, "2001:db8::2", 2);
	assert_true(mirrored(&flow));
	flow.reply.dst.bytes[15]++;
	assert_false(mirrored(&flow));
}

static void
mirror_without_ports(void **unused)
{
	struct ct_flow flow = flow_of(253, "192.0.2.1", 0, "192.0.2.2", 0);

	(void)unused;
	flow.orig.has = flow.reply.has = CT_TUPLE_ADDRS | CT_TUPLE_PROTO;
	assert_true(mirrored(&flow));
	flow.reply.dst.bytes[3]++;
	assert_false(mirrored(&flow));
}

static void
mirror_of_echo(void **unused)
{
	static const struct {
		const char *src, *dst;
		uint8_t type, answer;
	} pairs[] = {
		{ "192.0.2.1", "192.0.2.2", 8, 0 },
		{ "192.0.2.1", "192.0.2.2", 13, 14 },
		{ "192.0.2.1", "192.0.2.2", 15, 16 },
		{ "192.0.2.1", "192.0.2.2", 17, 18 },
		{ "2001:db8::1", "2001:db8::2", 128, 129 },
		{ "2001:db8::1", "2001:db8::2", 139, 140 },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct ct_flow good = echo_of(pairs[i].src, pairs[i].dst, 7), flow;

		good.orig.icmp_type = pairs[i].type;
		good.reply.icmp_type = pairs[i].answer;
		assert_true(mirrored(&good));
		for (unsigned int type = 0; type < 256; type++) {
			flow = good;
			flow.reply.icmp_type = (uint8_t)type;
			assert_int_equal(mirrored(&flow), type == pairs[i].answer);
		}
		flow = good;
		flow.reply.icmp_id++;
		assert_false(mirrored(&flow));
		flow = good;
		flow.reply.icmp_code++;
		assert_false(mirrored(&flow));
		flow = good;
		flow.reply.src.bytes[1]++;
		assert_false(mirrored(&flow));
	}
}

static void
zones(void **unused)
{
	struct ct_flow flow = flow_of(IPPROTO_UDP, "192.0.2.1", 1, "192.0.2.2", 2);

	(void)unused;
	assert_int_equal(ct_flow_zone(&flow, CT_ORIG), 0);
	assert_int_equal(ct_flow_zone(&flow, CT_REPLY), 0);
	flow.has |= CT_ZONE;
	flow.zone = 5;
	assert_int_equal(ct_flow_zone(&flow, CT_ORIG), 5);
	assert_int_equal(ct_flow_zone(&flow, CT_REPLY), 5);
	flow.has &= ~CT_ZONE;
	flow.zone = 0;
	flow.orig.has |= CT_TUPLE_ZONE;
	flow.orig.zone = 7;
	assert_int_equal(ct_flow_zone(&flow, CT_ORIG), 7);
	assert_int_equal(ct_flow_zone(&flow, CT_REPLY), 0);
	flow.reply.has |= CT_TUPLE_ZONE;
	flow.reply.zone = 65535;
	assert_int_equal(ct_flow_zone(&flow, CT_ORIG), 7);
	assert_int_equal(ct_flow_zone(&flow, CT_REPLY), 65535);
}

static void
nat_and_labels(void **unused)
{
	struct ct_flow flow = flow_of(IPPROTO_UDP, "192.0.2.1", 1, "192.0.2.2", 2);

	(void)unused;
	for (size_t i = 0; i < COUNT(statuses); i++) {
		flow.status = statuses[i].bit;
		assert_int_equal(ct_flow_is_nat(&flow), i == 4 || i == 5);
	}
	for (unsigned int bit = 0; bit < CT_LABEL_BITS; bit++) {
		memset(flow.labels, 0, sizeof(flow.labels));
		flow.labels[bit / 8] = (uint8_t)(1 << bit % 8);
		for (unsigned int other = 0; other < 300; other++)
			assert_int_equal(ct_flow_label(&flow, other), other == bit);
	}
}

/* memcmp() of two tuples compares what they say only if nothing lies between. */
static void
no_padding(void **unused)
{
	const struct ct_tuple *t = NULL;

	(void)unused;
	assert_int_equal(sizeof(*t), sizeof(t->src) + sizeof(t->dst) +
					     sizeof(t->sport) + sizeof(t->dport) +
					     sizeof(t->icmp_id) + sizeof(t->icmp_type) +
					     sizeof(t->icmp_code) + sizeof(t->zone) +
					     sizeof(t->family) + sizeof(t->proto) +
					     sizeof(t->has) + sizeof(t->unused));
	assert_int_equal(sizeof(struct ct_addr), 16);
	assert_int_equal(sizeof(struct ct_counters), 16);
	assert_int_equal(sizeof(struct ct_seqadj), 12);
	assert_int_equal(sizeof(struct ct_synproxy), 12);
}

/* Ports count only where their address's translation does. */
static void
port_translation(void **unused)
{
	struct ct_flow flow = { .status = CT_SRC_NAT };

	(void)unused;
	flow.orig.sport = flow.reply.dport = 1000;
	flow.orig.dport = 80;
	flow.reply.sport = 8080;
	assert_true(ct_flow_is_snat(&flow) && !ct_flow_is_dnat(&flow));
	assert_false(ct_flow_is_spat(&flow));
	assert_false(ct_flow_is_dpat(&flow));
	flow.status = CT_DST_NAT;
	assert_true(ct_flow_is_dnat(&flow) && !ct_flow_is_snat(&flow));
	assert_true(ct_flow_is_dpat(&flow));
	flow.reply.dport = 1001;
	assert_false(ct_flow_is_spat(&flow));
	flow.status |= CT_SRC_NAT;
	assert_true(ct_flow_is_spat(&flow));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_translation),
		cmocka_unit_test(families),
		cmocka_unit_test(protocols),
		cmocka_unit_test(unknown_words),
		cmocka_unit_test(state_names),
		cmocka_unit_test(state_of_another_protocol),
		cmocka_unit_test(status_names),
		cmocka_unit_test(same_words),
		cmocka_unit_test(mirror_of_ports),
		cmocka_unit_test(mirror_without_ports),
		cmocka_unit_test(mirror_of_echo),
		cmocka_unit_test(zones),
		cmocka_unit_test(nat_and_labels),
		cmocka_unit_test(no_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
