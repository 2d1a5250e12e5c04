/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is expected by hand: of whole messages, of lengths, of unknown attributes. */
#include "support_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

#include "common/encode.h"

#define PLAIN (CT_SEEN_REPLY | CT_ASSURED | CT_CONFIRMED)

/* What each of the synthesised messages has. */
static struct ct_flow
synth_flow(uint8_t proto, uint32_t status)
{
	struct ct_flow flow = flow_of(proto, "10.0.1.2", 40000, "10.0.2.2", 7001);

	flow.has |= CT_STATUS | CT_ID | CT_USE | CT_TIMEOUT;
	flow.status = status;
	flow.id = 0x01020304;
	flow.use = 1;
	flow.timeout = 300;
	return flow;
}

static void
synth_tcp(struct ct_flow *flow)
{
	*flow = synth_flow(IPPROTO_TCP, PLAIN);
	flow->has |= CT_STATE | CT_TCP_WSCALE_ORIG | CT_TCP_WSCALE_REPLY |
		     CT_TCP_FLAGS_ORIG | CT_TCP_FLAGS_REPLY;
	flow->state = 3;
	flow->tcp.wscale[CT_ORIG] = flow->tcp.wscale[CT_REPLY] = 7;
	flow->tcp.flags[CT_ORIG] = flow->tcp.flags[CT_REPLY] = 1;
}

static void
synth_dccp(struct ct_flow *flow)
{
	*flow = synth_flow(IPPROTO_DCCP, PLAIN);
	flow->has |= CT_STATE | CT_DCCP_ROLE | CT_DCCP_SEQ;
	flow->state = 4;
	flow->dccp.handshake_seq = UINT64_C(0x010203040506);
}

static void
synth_secctx(struct ct_flow *flow)
{
	synth_tcp(flow);
	flow->has |= CT_SECCTX;
	strcpy(flow->secctx, "system_u:object_r:http_packet_t:s0");
}

static void
synth_secmark(struct ct_flow *flow)
{
	synth_tcp(flow);
	flow->has |= CT_SECMARK;
	flow->secmark = 42;
}

static void
synth_synproxy(struct ct_flow *flow)
{
	synth_tcp(flow);
	flow->status |= CT_SEQ_ADJUST;
	flow->has |= CT_SYNPROXY;
	flow->synproxy = (struct ct_synproxy){ 0x01020304, 0x05060708, 0x090a0b0c };
}

static void
synth_counters(struct ct_flow *flow)
{
	flow->has |= CT_COUNTERS;
	flow->counters[CT_ORIG] = (struct ct_counters){ 1000, 64000 };
	flow->counters[CT_REPLY] = (struct ct_counters){ 2000, 3000000 };
}

static void
synth_offload(struct ct_flow *flow)
{
	*flow = synth_flow(IPPROTO_TCP, PLAIN | CT_OFFLOAD);
	flow->has &= ~CT_TIMEOUT;
	flow->timeout = 0;
	synth_counters(flow);
}

static void
synth_hw_offload(struct ct_flow *flow)
{
	*flow = synth_flow(IPPROTO_UDP, PLAIN | CT_OFFLOAD | CT_HW_OFFLOAD);
	flow->has &= ~CT_TIMEOUT;
	flow->timeout = 0;
	synth_counters(flow);
}

static void
synth_all_status(struct ct_flow *flow)
{
	*flow = synth_flow(IPPROTO_UDP, 0xffff);
}

static void
synth_short_labels(struct ct_flow *flow)
{
	*flow = synth_flow(IPPROTO_UDP, PLAIN);
	flow->has |= CT_LABELS;
	flow->labels[0] = 1 << 3;
}

/* What is above the last label that there is here, is left out. */
static void
synth_long_labels(struct ct_flow *flow)
{
	synth_short_labels(flow);
	flow->labels[15] = 1 << 7;
}

static void
synth_full_counters(struct ct_flow *flow)
{
	*flow = synth_flow(IPPROTO_UDP, PLAIN);
	flow->has |= CT_COUNTERS;
	flow->counters[CT_ORIG] = (struct ct_counters){ UINT64_MAX, UINT64_MAX };
	flow->counters[CT_REPLY] = (struct ct_counters){ UINT64_MAX, UINT64_MAX - 1 };
}

static void
synth_unknown(struct ct_flow *flow)
{
	synth_tcp(flow);
	flow->has |= CT_COUNTERS_ORIG;
	flow->counters[CT_ORIG] = (struct ct_counters){ 5, 273 };
}

static void
synth_bare(struct ct_flow *flow)
{
	*flow = flow_of(IPPROTO_UDP, "10.0.1.2", 40000, "10.0.2.2", 7001);
}

static const struct {
	const char *name;
	void (*fill)(struct ct_flow *flow);
} synths[] = {
	{ "synth-ipv4-dccp-open.nl#0", synth_dccp },
	{ "synth-ipv4-tcp-secctx.nl#0", synth_secctx },
	{ "synth-ipv4-tcp-secmark.nl#0", synth_secmark },
	{ "synth-ipv4-tcp-synproxy.nl#0", synth_synproxy },
	{ "synth-ipv4-tcp-offload.nl#0", synth_offload },
	{ "synth-ipv4-udp-hw-offload.nl#0", synth_hw_offload },
	{ "synth-ipv4-udp-all-status.nl#0", synth_all_status },
	{ "synth-ipv4-udp-short-labels.nl#0", synth_short_labels },
	{ "synth-ipv4-udp-long-labels.nl#0", synth_long_labels },
	{ "synth-ipv4-udp-full-counters.nl#0", synth_full_counters },
	{ "synth-ipv4-tcp-unknown.nl#0", synth_unknown },
	{ "synth-ipv4-udp-bare.nl#0", synth_bare },
};

static void
compare_synth(const char *name, const struct nlmsghdr *message, void *data)
{
	struct ct_flow flow, expected;
	unsigned int *count = data;

	if (strncmp(name, "synth-", 6) != 0)
		return;
	for (size_t i = 0; i < COUNT(synths); i++) {
		if (strcmp(name, synths[i].name) != 0)
			continue;
		++*count;
		decode_message(name, message, &flow);
		synths[i].fill(&expected);
		assert_flow_equal(name, &flow, &expected);
		return;
	}
	fail_msg("%s: nothing is expected of it", name);
}

static void
synthesised(void **unused)
{
	unsigned int count = 0;

	(void)unused;
	each_message(compare_synth, &count);
	assert_int_equal(count, COUNT(synths));
}

/* An attribute with its nests, and the length that it must have. */
struct leaf {
	uint16_t path[3]; /* of the nests, 0 at the end */
	uint16_t type;
	size_t size;
};

static const struct leaf leaves[] = {
	{ { CTA_TUPLE_ORIG, CTA_TUPLE_IP }, CTA_IP_V4_SRC, 4 },
	{ { CTA_TUPLE_ORIG, CTA_TUPLE_IP }, CTA_IP_V4_DST, 4 },
	{ { CTA_TUPLE_REPLY, CTA_TUPLE_IP }, CTA_IP_V6_SRC, 16 },
	{ { CTA_TUPLE_MASTER, CTA_TUPLE_IP }, CTA_IP_V6_DST, 16 },
	{ { CTA_TUPLE_ORIG, CTA_TUPLE_PROTO }, CTA_PROTO_NUM, 1 },
	{ { CTA_TUPLE_ORIG, CTA_TUPLE_PROTO }, CTA_PROTO_SRC_PORT, 2 },
	{ { CTA_TUPLE_ORIG, CTA_TUPLE_PROTO }, CTA_PROTO_DST_PORT, 2 },
	{ { CTA_TUPLE_ORIG, CTA_TUPLE_PROTO }, CTA_PROTO_ICMP_ID, 2 },
	{ { CTA_TUPLE_ORIG, CTA_TUPLE_PROTO }, CTA_PROTO_ICMP_TYPE, 1 },
	{ { CTA_TUPLE_ORIG, CTA_TUPLE_PROTO }, CTA_PROTO_ICMP_CODE, 1 },
	{ { CTA_TUPLE_REPLY, CTA_TUPLE_PROTO }, CTA_PROTO_ICMPV6_ID, 2 },
	{ { CTA_TUPLE_REPLY, CTA_TUPLE_PROTO }, CTA_PROTO_ICMPV6_TYPE, 1 },
	{ { CTA_TUPLE_MASTER, CTA_TUPLE_PROTO }, CTA_PROTO_ICMPV6_CODE, 1 },
	{ { CTA_TUPLE_ORIG }, CTA_TUPLE_ZONE, 2 },
	{ { CTA_TUPLE_REPLY }, CTA_TUPLE_ZONE, 2 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_TCP }, CTA_PROTOINFO_TCP_STATE, 1 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_TCP }, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, 1 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_TCP }, CTA_PROTOINFO_TCP_WSCALE_REPLY, 1 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_TCP }, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, 2 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_TCP }, CTA_PROTOINFO_TCP_FLAGS_REPLY, 2 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_SCTP }, CTA_PROTOINFO_SCTP_STATE, 1 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_SCTP }, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, 4 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_SCTP }, CTA_PROTOINFO_SCTP_VTAG_REPLY, 4 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_DCCP }, CTA_PROTOINFO_DCCP_STATE, 1 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_DCCP }, CTA_PROTOINFO_DCCP_ROLE, 1 },
	{ { CTA_PROTOINFO, CTA_PROTOINFO_DCCP }, CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ, 8 },
	{ { CTA_COUNTERS_ORIG }, CTA_COUNTERS_PACKETS, 8 },
	{ { CTA_COUNTERS_ORIG }, CTA_COUNTERS_BYTES, 8 },
	{ { CTA_COUNTERS_REPLY }, CTA_COUNTERS32_PACKETS, 4 },
	{ { CTA_COUNTERS_REPLY }, CTA_COUNTERS32_BYTES, 4 },
	{ { CTA_TIMESTAMP }, CTA_TIMESTAMP_START, 8 },
	{ { CTA_TIMESTAMP }, CTA_TIMESTAMP_STOP, 8 },
	{ { CTA_SEQ_ADJ_ORIG }, CTA_SEQADJ_CORRECTION_POS, 4 },
	{ { CTA_SEQ_ADJ_ORIG }, CTA_SEQADJ_OFFSET_BEFORE, 4 },
	{ { CTA_SEQ_ADJ_REPLY }, CTA_SEQADJ_OFFSET_AFTER, 4 },
	{ { CTA_SYNPROXY }, CTA_SYNPROXY_ISN, 4 },
	{ { CTA_SYNPROXY }, CTA_SYNPROXY_ITS, 4 },
	{ { CTA_SYNPROXY }, CTA_SYNPROXY_TSOFF, 4 },
	{ { 0 }, CTA_STATUS, 4 },
	{ { 0 }, CTA_TIMEOUT, 4 },
	{ { 0 }, CTA_MARK, 4 },
	{ { 0 }, CTA_SECMARK, 4 },
	{ { 0 }, CTA_USE, 4 },
	{ { 0 }, CTA_ID, 4 },
	{ { 0 }, CTA_ZONE, 2 },
	{ { 0 }, ATTR_TIMESTAMP_EVENT, 8 },
};

/* A message with the leaf alone, `flags` on every type; an attribute comes behind. */
static struct nlmsghdr *
leaf_message(void *buffer, size_t room, const struct leaf *leaf, size_t size,
	     uint16_t flags)
{
	struct nlmsghdr *message = begin_message(buffer, room, AF_INET);
	struct nlattr *nests[3];
	uint8_t value[64];
	int depth = 0;

	memset(value, 0x5c, sizeof(value));
	for (; depth < 3 && leaf->path[depth]; depth++) {
		nests[depth] = mnl_attr_nest_start(message, leaf->path[depth]);
		nests[depth]->nla_type = leaf->path[depth] | flags;
	}
	mnl_attr_put(message, leaf->type | flags, size, value);
	while (depth-- > 0)
		mnl_attr_nest_end(message, nests[depth]);
	put_be32(message, CTA_ID, 0x01020304);
	return message;
}

static void
leaf_lengths(void **unused)
{
	char buffer[256];
	struct ct_flow flow;

	(void)unused;
	for (size_t i = 0; i < COUNT(leaves); i++) {
		for (size_t size = 0; size < 40; size++) {
			struct nlmsghdr *message = leaf_message(buffer, sizeof(buffer),
								&leaves[i], size, 0);
			int error = decode_twice(&flow, mnl_nlmsg_get_payload(message),
						 payload_size(message));
			int expected = size == leaves[i].size ? 0 : -EBADMSG;

			if (error != expected)
				fail_msg("%u/%u/%u with %zu bytes: %d",
					 leaves[i].path[0], leaves[i].path[1],
					 leaves[i].type, size, error);
		}
	}
}

static bool
byte_is_in(const struct ct_flow *flow, uint8_t byte, size_t count)
{
	const uint8_t *at = (const uint8_t *)flow;
	size_t found = 0;

	for (size_t i = 0; i < sizeof(*flow); i++)
		found += at[i] == byte;
	return found == count;
}

/* The flags of a type are no part of it, and each leaf lands where only it does. */
static void
leaf_values(void **unused)
{
	static const uint16_t flags[] = { 0, NLA_F_NESTED, NLA_F_NET_BYTEORDER,
					  NLA_F_NESTED | NLA_F_NET_BYTEORDER };
	struct ct_flow flow, plain;
	char buffer[256];

	(void)unused;
	for (size_t i = 0; i < COUNT(leaves); i++) {
		for (size_t j = 0; j < COUNT(flags); j++) {
			/* Of the TCP flags, only the flags are kept, not their mask. */
			bool tcp_flags = leaves[i].path[1] == CTA_PROTOINFO_TCP &&
					 leaves[i].path[0] == CTA_PROTOINFO &&
					 leaves[i].size == 2;

			decode_message("a leaf",
				       leaf_message(buffer, sizeof(buffer), &leaves[i],
						    leaves[i].size, flags[j]),
				       &flow);
			if (j == 0)
				plain = flow;
			assert_flow_equal("with flags", &flow, &plain);
			assert_int_equal(flow.id, 0x01020304);
			if (leaves[i].type == CTA_ID && !leaves[i].path[0])
				continue; /* the one behind it counts */
			assert_true(byte_is_in(&flow, 0x5c,
					       tcp_flags ? 1 : leaves[i].size));
		}
	}
}

static void
label_lengths(void **unused)
{
	uint8_t labels[64];
	char buffer[256];
	struct ct_flow flow;

	(void)unused;
	memset(labels, 0xff, sizeof(labels));
	for (size_t size = 0; size <= sizeof(labels); size++) {
		struct nlmsghdr *message =
			begin_message(buffer, sizeof(buffer), AF_INET);
		bool good = size % sizeof(uint32_t) == 0;
		int error;

		mnl_attr_put(message, CTA_LABELS, size, labels);
		error = decode_twice(&flow, mnl_nlmsg_get_payload(message),
				     payload_size(message));
		assert_int_equal(error, good ? 0 : -EBADMSG);
		for (unsigned int bit = 0; good && bit < CT_LABEL_BITS; bit++)
			assert_int_equal(ct_flow_label(&flow, bit), bit < size * 8);
	}
}

/* Text may end in a zero byte or with the attribute; what is too long is cut. */
static void
text_lengths(void **unused)
{
	char buffer[2048], letters[1024];
	struct ct_flow flow;

	(void)unused;
	for (size_t i = 0; i < sizeof(letters); i++)
		letters[i] = (char)('a' + i % 26);
	for (size_t size = 0; size < 600; size++) {
		for (int zero = 0; zero < 2; zero++) {
			struct nlmsghdr *message =
				begin_message(buffer, sizeof(buffer), AF_INET);
			size_t helper = size < CT_HELPER_LEN ? size : CT_HELPER_LEN - 1;
			size_t secctx = size < CT_SECCTX_LEN ? size : CT_SECCTX_LEN - 1;
			char kept = letters[size];
			struct nlattr *nest;

			if (zero)
				letters[size] = '\0';
			nest = mnl_attr_nest_start(message, CTA_HELP);
			mnl_attr_put(message, CTA_HELP_NAME, size + (size_t)zero,
				     letters);
			mnl_attr_nest_end(message, nest);
			nest = mnl_attr_nest_start(message, CTA_SECCTX);
			mnl_attr_put(message, CTA_SECCTX_NAME, size + (size_t)zero,
				     letters);
			mnl_attr_nest_end(message, nest);
			decode_message("text", message, &flow);
			letters[size] = kept;
			assert_int_equal(strlen(flow.helper), helper);
			assert_memory_equal(flow.helper, letters, helper);
			assert_int_equal(strlen(flow.secctx), secctx);
			assert_memory_equal(flow.secctx, letters, secctx);
			assert_int_equal(
				flow.has,
				CT_HELPER_NAME | CT_SECCTX |
					(size >= CT_SECCTX_LEN ? CT_SECCTX_CUT : 0));
		}
	}
}

/* Of an attribute that is there twice the last one counts, and nothing is left over. */
static void
repeated_text(void **unused)
{
	static const char *const names[] = { "a-long-name-of-a-helper", "ftp" };
	struct ct_flow flow, expected;
	struct nlmsghdr *message;
	struct nlattr *nest;
	char buffer[256];

	(void)unused;
	for (size_t first = 0; first < COUNT(names); first++) {
		message = begin_message(buffer, sizeof(buffer), AF_INET);
		for (size_t i = first; i < COUNT(names); i++) {
			nest = mnl_attr_nest_start(message, CTA_HELP);
			mnl_attr_put_strz(message, CTA_HELP_NAME, names[i]);
			mnl_attr_nest_end(message, nest);
			nest = mnl_attr_nest_start(message, CTA_SECCTX);
			mnl_attr_put_strz(message, CTA_SECCTX_NAME, names[i]);
			mnl_attr_nest_end(message, nest);
		}
		decode_message("repeated", message, first ? &expected : &flow);
	}
	assert_flow_equal("repeated", &flow, &expected);
}

/* Old kernels' counters. */
static void
short_counters(void **unused)
{
	struct nlmsghdr *message;
	struct nlattr *nest;
	struct ct_flow flow;
	char buffer[256];

	(void)unused;
	message = begin_message(buffer, sizeof(buffer), AF_INET);
	nest = mnl_attr_nest_start(message, CTA_COUNTERS_REPLY);
	put_be32(message, CTA_COUNTERS32_PACKETS, 0x01020304);
	put_be32(message, CTA_COUNTERS32_BYTES, 0xf1020304);
	mnl_attr_nest_end(message, nest);
	decode_message("short counters", message, &flow);
	assert_int_equal(flow.has, CT_COUNTERS_REPLY);
	assert_int_equal(flow.counters[CT_REPLY].packets, 0x01020304);
	assert_int_equal(flow.counters[CT_REPLY].bytes, 0xf1020304);
}

static void
empty_nests(void **unused)
{
	static const uint16_t nests[] = {
		CTA_TUPLE_ORIG,     CTA_TUPLE_REPLY,  CTA_TUPLE_MASTER,
		CTA_PROTOINFO,      CTA_HELP,         CTA_COUNTERS_ORIG,
		CTA_COUNTERS_REPLY, CTA_SEQ_ADJ_ORIG, CTA_SEQ_ADJ_REPLY,
		CTA_SECCTX,         CTA_TIMESTAMP,    CTA_SYNPROXY,
	};
	struct nlmsghdr *message;
	char buffer[256];
	struct ct_flow flow;

	(void)unused;
	for (size_t i = 0; i < COUNT(nests); i++) {
		message = begin_message(buffer, sizeof(buffer), AF_INET);
		mnl_attr_put(message, nests[i], 0, NULL);
		put_be32(message, CTA_ID, 7);
		decode_message("an empty nest", message, &flow);
		assert_true(flow.has & CT_ID);
		assert_int_equal(flow.id, 7);
		assert_int_equal(flow.orig.has | flow.reply.has | flow.master.has, 0);
	}
	message = begin_message(buffer, sizeof(buffer), AF_INET);
	decode_message("nothing", message, &flow);
	assert_true(flow.has == 0);
	assert_int_equal(flow.orig.family, AF_INET);
	assert_int_equal(flow.reply.family, AF_INET);
}

/* Types that no level knows, and 0, of all lengths and on all levels. */
static void
unknown_attributes(void **unused)
{
	static const uint16_t types[] = { 0, 60, 200, 1000, 0x3fff };
	struct ct_flow flow, expected;
	char buffer[2048], other[2048];

	(void)unused;
	for (size_t i = 0; i < COUNT(types); i++) {
		for (size_t size = 0; size < 20; size++) {
			struct nlmsghdr *message =
				begin_message(buffer, sizeof(buffer), AF_INET);
			struct nlattr *outer, *inner;
			uint8_t value[20];

			memset(value, 0xff, sizeof(value));
			mnl_attr_put(message, types[i], size, value);
			outer = mnl_attr_nest_start(message, CTA_TUPLE_ORIG);
			mnl_attr_put(message, types[i], size, value);
			inner = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
			mnl_attr_put(message, types[i], size, value);
			mnl_attr_put_u8(message, CTA_PROTO_NUM, 17);
			mnl_attr_put(message, types[i], size, value);
			mnl_attr_nest_end(message, inner);
			mnl_attr_nest_end(message, outer);
			outer = mnl_attr_nest_start(message, CTA_PROTOINFO);
			mnl_attr_put(message, types[i], size, value);
			mnl_attr_nest_end(message, outer);
			put_be32(message, CTA_ID, 9);
			mnl_attr_put(message, types[i], size, value);
			decode_message("with unknown ones", message, &flow);

			message = begin_message(other, sizeof(other), AF_INET);
			outer = mnl_attr_nest_start(message, CTA_TUPLE_ORIG);
			inner = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
			mnl_attr_put_u8(message, CTA_PROTO_NUM, 17);
			mnl_attr_nest_end(message, inner);
			mnl_attr_nest_end(message, outer);
			put_be32(message, CTA_ID, 9);
			decode_message("without", message, &expected);
			assert_flow_equal("unknown attribute", &flow, &expected);
		}
	}
}

static void
wrong_families(void **unused)
{
	struct nlmsghdr *message;
	struct ct_flow flow;
	char buffer[256];

	(void)unused;
	for (unsigned int family = 0; family < 256; family++) {
		bool good = family == AF_INET || family == AF_INET6;
		int error;

		message = begin_message(buffer, sizeof(buffer), (uint8_t)family);
		put_be32(message, CTA_ID, 9);
		error = decode_twice(&flow, mnl_nlmsg_get_payload(message),
				     payload_size(message));
		assert_int_equal(error, good ? 0 : -EBADMSG);
		if (good)
			assert_int_equal(flow.orig.family, family);
	}
}

/* A length that reaches beyond its nest, though not beyond the message. */
static void
out_of_the_nest(void **unused)
{
	struct nlmsghdr *message;
	struct nlattr *outer, *inner;
	struct ct_flow flow;
	char buffer[256];

	(void)unused;
	for (uint16_t extra = 1; extra < 9; extra++) {
		message = begin_message(buffer, sizeof(buffer), AF_INET);
		outer = mnl_attr_nest_start(message, CTA_COUNTERS_ORIG);
		inner = mnl_nlmsg_get_payload_tail(message);
		put_be64(message, CTA_COUNTERS_BYTES, 1);
		mnl_attr_nest_end(message, outer);
		put_be32(message, CTA_ID, 9);
		decode_message("whole", message, &flow);
		inner->nla_len = (uint16_t)(inner->nla_len + extra);
		assert_int_equal(decode_twice(&flow, mnl_nlmsg_get_payload(message),
					      payload_size(message)),
				 -EBADMSG);
	}
}

static void
encode_back(const char *name, const struct nlmsghdr *message, void *data)
{
	struct ct_flow flow, back;
	struct nlmsghdr *written;
	char buffer[1024];

	(void)data;
	decode_message(name, message, &flow);
	written = begin_message(buffer, sizeof(buffer), flow.orig.family);
	ct_encode_tuple(written, CTA_TUPLE_ORIG, &flow.orig);
	assert_true(written->nlmsg_len <=
		    MNL_NLMSG_HDRLEN + HEAD + CT_ENCODE_TUPLE_MAX);
	ct_encode_tuple(written, CTA_TUPLE_REPLY, &flow.reply);
	decode_message(name, written, &back);
	assert_memory_equal(&back.orig, &flow.orig, sizeof(flow.orig));
	assert_memory_equal(&back.reply, &flow.reply, sizeof(flow.reply));
}

static void
encoded(void **unused)
{
	(void)unused;
	each_whole_message(encode_back, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(synthesised),        cmocka_unit_test(leaf_lengths),
		cmocka_unit_test(leaf_values),        cmocka_unit_test(label_lengths),
		cmocka_unit_test(text_lengths),       cmocka_unit_test(repeated_text),
		cmocka_unit_test(short_counters),     cmocka_unit_test(empty_nests),
		cmocka_unit_test(unknown_attributes), cmocka_unit_test(wrong_families),
		cmocka_unit_test(out_of_the_nest),    cmocka_unit_test(encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
