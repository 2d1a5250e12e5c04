/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of flows in each format, byte by byte against the files in golden/.
 * CONNTAP_GOLDEN=update writes those anew; then look at the differences.
 */
#include "support.h"
#include "support_filter.h"
#include "support_formats.h"
#include "support_golden.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/decode.h"
#include "plugins/export/output.h"

#define NS UINT64_C(1000000000)
#define START (UINT64_C(1700000000) * NS + 123456789)
#define PLAIN (CT_SEEN_REPLY | CT_ASSURED | CT_CONFIRMED)
#define FLOWS_MAX 6

/* Here label.h is done without the file of the system that the tests run on. */
struct ct_labels {
	const char *names[CT_LABEL_BITS];
};

static const struct ct_labels hostile_labels = {
	.names = {
		[0] = "plain",
		[64] = "\"<&>\x01\xc3\xa9'",
		[126] = "]]> --> <!--",
	},
};

struct ct_labels *
ct_labels_new(void)
{
	return NULL;
}

void
ct_labels_free(struct ct_labels *labels)
{
	(void)labels;
}

const char *
ct_label_name(const struct ct_labels *labels, unsigned int bit)
{
	return labels && bit < CT_LABEL_BITS ? labels->names[bit] : NULL;
}

int
ct_label_bit(const struct ct_labels *labels, const char *name)
{
	(void)labels;
	(void)name;
	return -1;
}

static void
set_usual(struct ct_flow *flow, uint32_t id, uint32_t timeout)
{
	flow->has |= CT_ID | CT_MARK | CT_USE | CT_TIMEOUT;
	flow->id = id;
	flow->use = 1;
	flow->timeout = timeout;
}

static void
set_state(struct ct_flow *flow, uint8_t state)
{
	flow->has |= CT_STATE;
	flow->state = state;
}

static void
set_counters(struct ct_flow *flow, uint64_t packets, uint64_t bytes,
	     uint64_t reply_packets, uint64_t reply_bytes)
{
	flow->has |= CT_COUNTERS;
	flow->counters[CT_ORIG] = (struct ct_counters){ packets, bytes };
	flow->counters[CT_REPLY] = (struct ct_counters){ reply_packets, reply_bytes };
}

static size_t
empty(struct ct_flow *flows)
{
	(void)flows;
	return 0;
}

/* What the programs before this one wrote, in all its particulars. */
static size_t
udp_nat(struct ct_flow *flows)
{
	struct ct_flow *flow = &flows[0];

	*flow = flow_of(IPPROTO_UDP, "192.168.2.4", 5353, "8.8.8.8", 53);
	set_usual(flow, 13300, 119);
	flow->mark = 7;
	flow->use = 2;
	set_status(flow, CT_SEEN_REPLY | CT_CONFIRMED | CT_SRC_NAT | CT_SRC_NAT_DONE |
				 CT_DST_NAT_DONE);
	flow->reply.dst = addr_of("203.0.113.9");
	flow->reply.dport = 40001;
	set_counters(flow, 2, 120, 2, 240);
	return 1;
}

static size_t
three_lines(struct ct_flow *flows)
{
	flows[0] = flow_of(IPPROTO_TCP, "192.168.2.4", 55250, "216.165.191.52", 6667);
	set_usual(&flows[0], 13202, 431999);
	set_status(&flows[0], PLAIN);
	set_state(&flows[0], 3);
	flows[1] = flow_of(IPPROTO_TCP, "198.51.100.7", 40000, "203.0.113.9", 80);
	set_usual(&flows[1], 13203, 86);
	set_status(&flows[1], PLAIN | CT_DST_NAT | CT_SRC_NAT_DONE | CT_DST_NAT_DONE);
	flows[1].reply.src = addr_of("192.168.2.10");
	flows[1].reply.sport = 8080;
	set_state(&flows[1], 7);
	flows[2] = echo_of("192.168.2.4", "192.168.2.1", 4711);
	set_usual(&flows[2], 13204, 29);
	set_status(&flows[2], CT_SEEN_REPLY | CT_CONFIRMED);
	return 3;
}

static size_t
tcp(struct ct_flow *flows)
{
	struct ct_flow *flow = &flows[0];

	*flow = flow_of(IPPROTO_TCP, "192.0.2.1", 40000, "198.51.100.1", 443);
	set_usual(flow, UINT32_MAX, 431999);
	set_status(flow, PLAIN);
	set_state(flow, 3);
	flow->has |= CT_TCP_WSCALE_ORIG | CT_TCP_WSCALE_REPLY | CT_TCP_FLAGS_ORIG |
		     CT_TCP_FLAGS_REPLY | CT_START;
	flow->tcp.wscale[CT_ORIG] = 7;
	flow->tcp.wscale[CT_REPLY] = 14;
	flow->tcp.flags[CT_ORIG] = 0x23;
	flow->tcp.flags[CT_REPLY] = 0x0a;
	flow->start = START;
	set_counters(flow, 10, 1040, UINT64_MAX, UINT64_MAX);
	flows[1] = flow_of(IPPROTO_TCP, "2001:db8::1", 1, "2001:db8:0:1::", 65535);
	set_usual(&flows[1], 0, 0);
	set_status(&flows[1], CT_CONFIRMED);
	set_state(&flows[1], 1);
	/* A state that has no name, as a later kernel may have one. */
	flows[2] = flow_of(IPPROTO_TCP, "192.0.2.1", 2, "198.51.100.1", 80);
	set_state(&flows[2], 200);
	return 3;
}

/* No bits but this one: nat_mask goes by bit 4 or 5 alone. */
static size_t
nat_only(struct ct_flow *flows)
{
	static const uint32_t statuses[] = { CT_SRC_NAT, CT_DST_NAT, CT_NAT_MASK,
					     CT_CONFIRMED | CT_SRC_NAT };

	for (size_t i = 0; i < COUNT(statuses); i++) {
		flows[i] = flow_of(IPPROTO_UDP, "10.0.0.1", 1, "192.0.2.1", 2);
		flows[i].reply.dst = addr_of("198.51.100.1");
		set_status(&flows[i], statuses[i]);
	}
	return COUNT(statuses);
}

static size_t
icmp(struct ct_flow *flows)
{
	flows[0] = echo_of("192.0.2.1", "198.51.100.1", 65535);
	set_status(&flows[0], CT_SEEN_REPLY | CT_CONFIRMED);
	flows[1] = echo_of("2001:db8::1", "fe80::1", 1);
	set_status(&flows[1], CT_CONFIRMED);
	/* Translated. */
	flows[2] = echo_of("10.0.0.1", "198.51.100.1", 7);
	flows[2].reply.dst = addr_of("192.0.2.1");
	flows[2].reply.icmp_id = 8;
	set_status(&flows[2], CT_SEEN_REPLY | CT_CONFIRMED | CT_SRC_NAT |
				      CT_SRC_NAT_DONE | CT_DST_NAT_DONE);
	return 3;
}

/* GRE's keys travel as ports. */
static size_t
gre(struct ct_flow *flows)
{
	struct ct_flow *flow = &flows[0];

	*flow = flow_of(IPPROTO_GRE, "192.0.2.1", 0x12, "198.51.100.1", 0xbeef);
	set_usual(flow, 1, 179);
	set_status(flow, PLAIN | CT_EXPECTED);
	flow->has |= CT_MASTER_TUPLE;
	flow->master =
		flow_of(IPPROTO_TCP, "192.0.2.1", 33000, "198.51.100.1", 1723).orig;
	return 1;
}

static size_t
unknown_protocol(struct ct_flow *flows)
{
	flows[0] = flow_of(253, "192.0.2.1", 0, "198.51.100.1", 0);
	flows[0].orig.has = flows[0].reply.has = CT_TUPLE_ADDRS | CT_TUPLE_PROTO;
	set_usual(&flows[0], 5, 599);
	set_status(&flows[0], CT_CONFIRMED);
	return 1;
}

static size_t
other_protocols(struct ct_flow *flows)
{
	struct ct_flow *flow = &flows[0];

	*flow = flow_of(IPPROTO_SCTP, "192.0.2.1", 5000, "198.51.100.1", 5001);
	set_status(flow, PLAIN);
	set_state(flow, 4);
	flow->has |= CT_SCTP_VTAG_ORIG | CT_SCTP_VTAG_REPLY;
	flow->sctp.vtag[CT_ORIG] = 0xdeadbeef;
	flow->sctp.vtag[CT_REPLY] = 1;
	flow = &flows[1];
	*flow = flow_of(IPPROTO_DCCP, "192.0.2.1", 5000, "198.51.100.1", 5001);
	set_status(flow, PLAIN);
	set_state(flow, 4);
	flow->has |= CT_DCCP_ROLE | CT_DCCP_SEQ;
	flow->dccp.handshake_seq = UINT64_C(0xffffffffffff);
	flow = &flows[2];
	*flow = flow_of(IPPROTO_DCCP, "192.0.2.1", 5002, "198.51.100.1", 5003);
	flow->has |= CT_DCCP_ROLE;
	flow->dccp.role = 1;
	flow = &flows[3];
	*flow = flow_of(IPPROTO_UDPLITE, "192.0.2.1", 5004, "198.51.100.1", 5005);
	return 4;
}

/* Nothing but what every message has; a reply that nothing explains. */
static size_t
little(struct ct_flow *flows)
{
	flows[0] = flow_of(IPPROTO_UDP, "192.0.2.1", 1, "198.51.100.1", 2);
	flows[1] = flows[0];
	flows[1].reply.sport = 3;
	flows[2] = flows[0];
	flows[2].has = CT_ORIG_TUPLE;
	set_status(&flows[2], 0);
	/* An offloaded flow, of which one direction is counted. */
	flows[3] = flows[0];
	set_status(&flows[3], PLAIN | CT_OFFLOAD | CT_HW_OFFLOAD);
	flows[3].has |= CT_COUNTERS_REPLY;
	flows[3].counters[CT_REPLY] = (struct ct_counters){ 1, 2 };
	return 4;
}

static size_t
zones(struct ct_flow *flows)
{
	flows[0] = flow_of(IPPROTO_UDP, "192.0.2.1", 1, "198.51.100.1", 2);
	flows[1] = flows[2] = flows[0];
	flows[0].has |= CT_ZONE;
	flows[0].zone = 65535;
	flows[1].orig.has |= CT_TUPLE_ZONE;
	flows[1].orig.zone = 7;
	flows[2].reply.has |= CT_TUPLE_ZONE;
	flows[2].reply.zone = 8;
	return 3;
}

static size_t
times(struct ct_flow *flows)
{
	for (int i = 0; i < 6; i++)
		flows[i] = flow_of(IPPROTO_UDP, "192.0.2.1", 1, "198.51.100.1", 2);
	flows[0].has |= CT_START;
	flows[0].start = START;
	flows[1].has |= CT_START | CT_STOP;
	flows[1].start = 1;
	flows[1].stop = UINT64_MAX;
	/* Began after `now`: by another clock. */
	flows[2].has |= CT_START;
	flows[2].start = START + 1000 * NS;
	flows[3].has |= CT_EVENT_TIME;
	flows[3].event_time = 5 * NS;
	/* At once; and the clock was set back: it lasted nobody knows how long. */
	flows[4].has |= CT_START | CT_STOP;
	flows[4].start = flows[4].stop = START;
	flows[5].has |= CT_START | CT_STOP;
	flows[5].start = START;
	flows[5].stop = START - 1;
	return 6;
}

/* All that a flow can have at once, and text that wants to be markup. */
static size_t
everything(struct ct_flow *flows)
{
	struct ct_flow *flow = &flows[0];

	*flow = flow_of(IPPROTO_TCP, "192.0.2.1", 40000, "198.51.100.1", 21);
	set_usual(flow, 4294967295, 4294967295);
	flow->mark = 0xffffffff;
	flow->use = 3;
	set_status(flow, 0x8001ffff);
	set_state(flow, 9);
	set_counters(flow, 1, 2, 3, 4);
	flow->has |= CT_MASTER_TUPLE | CT_SECMARK | CT_ZONE | CT_TCP_WSCALE_ORIG |
		     CT_TCP_WSCALE_REPLY | CT_TCP_FLAGS_ORIG | CT_TCP_FLAGS_REPLY |
		     CT_START | CT_STOP | CT_EVENT_TIME | CT_SEQADJ | CT_SYNPROXY |
		     CT_LABELS | CT_HELPER_NAME | CT_SECCTX | CT_SECCTX_CUT;
	flow->reply.dst = addr_of("203.0.113.1");
	flow->reply.dport = 1024;
	flow->orig.has |= CT_TUPLE_ZONE;
	flow->orig.zone = 1;
	flow->reply.has |= CT_TUPLE_ZONE;
	flow->reply.zone = 2;
	flow->master = flow_of(IPPROTO_TCP, "192.0.2.9", 1025, "198.51.100.1", 21).orig;
	flow->secmark = 42;
	flow->zone = 3;
	flow->start = START;
	flow->stop = START + 61 * NS + 1;
	flow->event_time = START + 61 * NS + 2;
	flow->seqadj[CT_ORIG] = (struct ct_seqadj){ 100, -5, INT32_MIN };
	flow->seqadj[CT_REPLY] = (struct ct_seqadj){ UINT32_MAX, 5, INT32_MAX };
	flow->synproxy = (struct ct_synproxy){ 1, 2, UINT32_MAX };
	flow->labels[0] = 1 << 0;
	flow->labels[8] = 1 << 0;
	flow->labels[15] = 3 << 6;
	strcpy(flow->helper, "\"<&>\x01\xc3\xa9");
	strcpy(flow->secctx, "\"<&>\x01\xc3\xa9' ]]> --> \t\n\r\x7f end");
	return 1;
}

static const struct table {
	const char *name;
	size_t (*fill)(struct ct_flow *flows);
	bool early;
	uint64_t malformed;
} tables[] = {
	{ "empty", empty, false, 0 },
	{ "empty-early", empty, true, 0 },
	{ "udp-nat", udp_nat, false, 0 },
	{ "udp-nat-early", udp_nat, true, 0 },
	{ "malformed", udp_nat, false, 2 },
	{ "malformed-early", empty, true, 1 },
	{ "three", three_lines, false, 0 },
	{ "tcp", tcp, false, 0 },
	{ "nat-only", nat_only, false, 0 },
	{ "icmp", icmp, false, 0 },
	{ "gre", gre, false, 0 },
	{ "unknown", unknown_protocol, false, 0 },
	{ "others", other_protocols, false, 0 },
	{ "little", little, false, 0 },
	{ "zones", zones, false, 0 },
	{ "times", times, false, 0 },
	{ "everything", everything, false, 0 },
};

static void
write_table(struct ct_text *text, const struct output *output, const void *thing)
{
	const struct output_view view = { .labels = &hostile_labels,
					  .now = START + 90 * NS };
	const struct table *table = thing;
	struct ct_flow flows[FLOWS_MAX];
	struct output_end end = { .complete = !table->early,
				  .malformed = table->malformed };

	end.flows = table->fill(flows);
	output->begin(text, NULL);
	for (uint64_t i = 0; i < end.flows; i++)
		output->flow(text, &view, &flows[i]);
	output->end(text, &end);
}

static void
golden(void **state)
{
	const struct golden_case *c = *state;

	assert_golden_case(c, text_of(write_table, c->format->output, c->thing));
}

static void
names(void **unused)
{
	(void)unused;
	assert_ptr_equal(output_dialect("conntracks"), &output_xml);
	assert_ptr_equal(output_dialect("CONNTRACKS"), &output_xml);
	assert_ptr_equal(output_dialect("flows"), &output_xml_flows);
	assert_null(output_dialect("text"));
	assert_null(output_dialect(""));
	assert_null(output_dialect("flow"));
	assert_ptr_equal(output_format("text"), &output_text);
	assert_ptr_equal(output_format("XML"), &output_xml);
	assert_ptr_equal(output_format("flows"), &output_xml_flows);
	assert_ptr_equal(output_format("json"), &output_json);
	assert_ptr_equal(output_format("save"), &output_save);
	assert_null(output_format("conntracks"));
	assert_null(output_format(""));
	assert_string_equal(output_text.name, "text");
	assert_string_equal(output_xml.name, "conntracks");
	assert_string_equal(output_xml_flows.name, "flows");
}

/* For who writes lines of its own around it. */
static void
one_line(void **unused)
{
	struct ct_flow flow =
		flow_of(IPPROTO_TCP, "192.0.2.1", 40000, "198.51.100.1", 80);
	char buffer[CT_TEXT_MIN];
	struct ct_text text;

	(void)unused;
	ct_text_init(&text, buffer, sizeof(buffer), NULL, NULL);
	output_text_flow(&text, &flow);
	ct_text_char(&text, '\0');
	assert_string_equal(buffer, "ipv4 192.0.2.1->198.51.100.1 tcp 40000->80");
}

static void
write_bare(struct ct_text *text, const struct output *output, const void *flow)
{
	const struct output_view view = { 0 };

	output->flow(text, &view, flow);
}

/* A face may know neither names nor the time. */
static void
empty_view(void **unused)
{
	struct ct_flow flows[FLOWS_MAX];

	(void)unused;
	everything(flows);
	flows[0].has &= ~CT_STOP;
	for (size_t i = 0; i < FORMATS; i++) {
		const char *text = text_of(write_bare, formats[i].output, &flows[0]);

		assert_null(strstr(text, "plain"));
		assert_null(strstr(text, "deltatime"));
	}
}

static void
write_flow(struct ct_text *text, const struct output *output, const void *flow)
{
	const struct output_view view = { .labels = &hostile_labels, .now = START };

	output->flow(text, &view, flow);
}

static void
small_buffer(void **unused)
{
	struct ct_flow flows[FLOWS_MAX];

	(void)unused;
	everything(flows);
	for (size_t i = 0; i < FORMATS; i++)
		for (size_t size = CT_TEXT_MIN; size < CT_TEXT_MIN + 64; size++)
			assert_same_text(write_flow, formats[i].output, &flows[0],
					 size);
}

/* What every text of a format has to be. */
static void
assert_tame(const struct output *output, const char *name, const char *text)
{
	if (output == &output_json)
		assert_json(name, text);
	else if (output == &output_xml || output == &output_xml_flows)
		assert_xml(name, text);
	else
		assert_printable(name, text);
}

static void
write_message(const char *name, const void *payload, size_t size)
{
	struct ct_flow flow;

	if (ct_decode_flow(&flow, payload, size) != 0)
		return;
	for (size_t i = 0; i < FORMATS; i++) {
		const struct output *output = formats[i].output;

		assert_tame(output, name, text_of(write_flow, output, &flow));
	}
}

static void
damaged_message(const char *name, const struct nlmsghdr *message, void *data)
{
	size_t size = message->nlmsg_len - NLMSG_HDRLEN;
	uint8_t payload[2048] __attribute__((aligned(4)));

	(void)data;
	assert_true(size <= sizeof(payload));
	memcpy(payload, (const uint8_t *)message + NLMSG_HDRLEN, size);
	write_message(name, payload, size);
	for (size_t i = 0; i < size; i++) {
		uint8_t kept = payload[i];

		for (int j = 0; j < 3; j++) {
			payload[i] = (uint8_t)random_u64();
			write_message(name, payload, size);
		}
		payload[i] = kept;
	}
}

static void
damaged_messages(void **unused)
{
	(void)unused;
	each_message(damaged_message, NULL);
}

int
main(void)
{
	static struct golden_case cases[COUNT(tables)][FORMATS];
	struct CMUnitTest tests[5 + COUNT(tables) * FORMATS] = {
		cmocka_unit_test(names),
		cmocka_unit_test(one_line),
		cmocka_unit_test(empty_view),
		cmocka_unit_test(small_buffer),
		cmocka_unit_test(damaged_messages),
	};

	for (size_t i = 0; i < COUNT(tables); i++)
		golden_tests(&tests[5 + i * FORMATS], cases[i], FORMATS, golden,
			     tables[i].name, &tables[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
