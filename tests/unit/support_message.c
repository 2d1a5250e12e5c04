/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support_message.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <string.h>

#include "common/decode.h"

int
decode_twice(struct ct_flow *flow, const void *payload, size_t size)
{
	struct ct_flow again;
	int error, second;

	memset(flow, 0xa5, sizeof(*flow));
	memset(&again, 0x5a, sizeof(again));
	error = ct_decode_flow(flow, payload, size);
	second = ct_decode_flow(&again, payload, size);
	if (error != second)
		fail_msg("decoded twice, with different results");
	if (!error)
		assert_flow_equal("decoded again", &again, flow);
	return error;
}

size_t
payload_size(const struct nlmsghdr *message)
{
	return mnl_nlmsg_get_payload_len(message);
}

void
decode_message(const char *name, const struct nlmsghdr *message, struct ct_flow *flow)
{
	int error = decode_twice(flow, mnl_nlmsg_get_payload(message),
				 payload_size(message));

	if (error)
		fail_msg("%s: cannot be decoded (%d)", name, error);
}

struct nlmsghdr *
begin_message(void *buffer, size_t size, uint8_t family)
{
	struct nlmsghdr *message;
	struct nfgenmsg *head;

	memset(buffer, 0, size);
	message = mnl_nlmsg_put_header(buffer);
	message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	message->nlmsg_flags = NLM_F_MULTI;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->nfgen_family = family;
	return message;
}

void
put_be64(struct nlmsghdr *message, uint16_t type, uint64_t number)
{
	mnl_attr_put_u64(message, type, htobe64(number));
}

void
put_be32(struct nlmsghdr *message, uint16_t type, uint32_t number)
{
	mnl_attr_put_u32(message, type, htonl(number));
}

void
put_be16(struct nlmsghdr *message, uint16_t type, uint16_t number)
{
	mnl_attr_put_u16(message, type, htons(number));
}

/* Different bytes in each field, `salt` apart from another tuple's. */
static void
put_tuple(struct nlmsghdr *message, uint16_t type, uint8_t family, uint8_t proto,
	  uint8_t salt, bool zone)
{
	struct nlattr *tuple = mnl_attr_nest_start(message, type);
	size_t size = family == AF_INET ? 4 : 16;
	uint8_t src[16], dst[16];
	struct nlattr *nest;

	for (uint8_t i = 0; i < 16; i++) {
		src[i] = (uint8_t)(salt + 3 * i);
		dst[i] = (uint8_t)(salt + 3 * i + 101);
	}
	nest = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	mnl_attr_put(message, family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, size,
		     src);
	mnl_attr_put(message, family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST, size,
		     dst);
	mnl_attr_nest_end(message, nest);
	nest = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(message, CTA_PROTO_NUM, proto);
	if (proto == IPPROTO_ICMP) {
		put_be16(message, CTA_PROTO_ICMP_ID, (uint16_t)(0x1200 + salt));
		mnl_attr_put_u8(message, CTA_PROTO_ICMP_TYPE, 8);
		mnl_attr_put_u8(message, CTA_PROTO_ICMP_CODE, 3);
	} else if (proto == IPPROTO_ICMPV6) {
		put_be16(message, CTA_PROTO_ICMPV6_ID, (uint16_t)(0x3400 + salt));
		mnl_attr_put_u8(message, CTA_PROTO_ICMPV6_TYPE, 128);
		mnl_attr_put_u8(message, CTA_PROTO_ICMPV6_CODE, 4);
	} else {
		put_be16(message, CTA_PROTO_SRC_PORT, (uint16_t)(0x5600 + salt));
		put_be16(message, CTA_PROTO_DST_PORT, (uint16_t)(0x7800 + salt));
	}
	mnl_attr_nest_end(message, nest);
	if (zone)
		put_be16(message, CTA_TUPLE_ZONE, (uint16_t)(0x9a00 + salt));
	mnl_attr_nest_end(message, tuple);
}

static void
put_protoinfo(struct nlmsghdr *message, uint8_t proto)
{
	struct nlattr *info = mnl_attr_nest_start(message, CTA_PROTOINFO);
	const uint8_t orig_flags[] = { 0x13, 0x37 }, reply_flags[] = { 0x24, 0x42 };
	struct nlattr *nest;

	if (proto == IPPROTO_TCP) {
		nest = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);
		mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, 7);
		mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, 9);
		mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_WSCALE_REPLY, 11);
		mnl_attr_put(message, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, 2, orig_flags);
		mnl_attr_put(message, CTA_PROTOINFO_TCP_FLAGS_REPLY, 2, reply_flags);
		mnl_attr_nest_end(message, nest);
	} else if (proto == IPPROTO_SCTP) {
		nest = mnl_attr_nest_start(message, CTA_PROTOINFO_SCTP);
		mnl_attr_put_u8(message, CTA_PROTOINFO_SCTP_STATE, 5);
		put_be32(message, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, 0xa1a2a3a4);
		put_be32(message, CTA_PROTOINFO_SCTP_VTAG_REPLY, 0xb1b2b3b4);
		mnl_attr_nest_end(message, nest);
	} else if (proto == IPPROTO_DCCP) {
		nest = mnl_attr_nest_start(message, CTA_PROTOINFO_DCCP);
		mnl_attr_put_u8(message, CTA_PROTOINFO_DCCP_STATE, 6);
		mnl_attr_put_u8(message, CTA_PROTOINFO_DCCP_ROLE, 1);
		put_be64(message, CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ,
			 UINT64_C(0xc1c2c3c4c5c6));
		mnl_attr_nest_end(message, nest);
	}
	mnl_attr_nest_end(message, info);
}

static void
put_counters(struct nlmsghdr *message, uint16_t type, uint64_t salt)
{
	struct nlattr *nest = mnl_attr_nest_start(message, type);

	put_be64(message, CTA_COUNTERS_PACKETS, UINT64_C(0x1112131415161700) + salt);
	put_be64(message, CTA_COUNTERS_BYTES, UINT64_C(0x2122232425262700) + salt);
	mnl_attr_nest_end(message, nest);
}

static void
put_seqadj(struct nlmsghdr *message, uint16_t type, uint32_t salt)
{
	struct nlattr *nest = mnl_attr_nest_start(message, type);

	put_be32(message, CTA_SEQADJ_CORRECTION_POS, 0x31323300 + salt);
	put_be32(message, CTA_SEQADJ_OFFSET_BEFORE, (uint32_t)-70000 - salt);
	put_be32(message, CTA_SEQADJ_OFFSET_AFTER, 70000 + salt);
	mnl_attr_nest_end(message, nest);
}

static void
put_rest(struct nlmsghdr *message)
{
	struct nlattr *nest;
	uint8_t labels[16];

	for (uint8_t i = 0; i < 16; i++)
		labels[i] = (uint8_t)(0x81 + 7 * i);
	put_be32(message, CTA_STATUS, 0x41424344);
	put_be32(message, CTA_TIMEOUT, 0x51525354);
	put_be32(message, CTA_MARK, 0x61626364);
	put_be32(message, CTA_SECMARK, 0x71727374);
	put_be32(message, CTA_USE, 0x81828384);
	put_be32(message, CTA_ID, 0x91929394);
	nest = mnl_attr_nest_start(message, CTA_SECCTX);
	mnl_attr_put_strz(message, CTA_SECCTX_NAME, "system_u:object_r:test_t:s0");
	mnl_attr_nest_end(message, nest);
	nest = mnl_attr_nest_start(message, CTA_TIMESTAMP);
	put_be64(message, CTA_TIMESTAMP_START, UINT64_C(0x1702030405060708));
	put_be64(message, CTA_TIMESTAMP_STOP, UINT64_C(0x1712131415161718));
	mnl_attr_nest_end(message, nest);
	mnl_attr_put(message, CTA_LABELS, sizeof(labels), labels);
	nest = mnl_attr_nest_start(message, CTA_HELP);
	mnl_attr_put_strz(message, CTA_HELP_NAME, "ftp");
	mnl_attr_nest_end(message, nest);
	nest = mnl_attr_nest_start(message, CTA_SYNPROXY);
	put_be32(message, CTA_SYNPROXY_ISN, 0xd1d2d3d4);
	put_be32(message, CTA_SYNPROXY_ITS, 0xe1e2e3e4);
	put_be32(message, CTA_SYNPROXY_TSOFF, 0xf1f2f3f4);
	mnl_attr_nest_end(message, nest);
	put_be64(message, ATTR_TIMESTAMP_EVENT, UINT64_C(0x1722232425262728));
}

struct nlmsghdr *
full_message(void *buffer, size_t size, uint8_t family, uint8_t proto, bool one_zone)
{
	struct nlmsghdr *message = begin_message(buffer, size, family);

	put_tuple(message, CTA_TUPLE_ORIG, family, proto, 1, !one_zone);
	put_tuple(message, CTA_TUPLE_REPLY, family, proto, 20, !one_zone);
	put_tuple(message, CTA_TUPLE_MASTER, family, proto, 40, false);
	if (one_zone)
		put_be16(message, CTA_ZONE, 0xabcd);
	put_protoinfo(message, proto);
	put_counters(message, CTA_COUNTERS_ORIG, 1);
	put_counters(message, CTA_COUNTERS_REPLY, 2);
	put_seqadj(message, CTA_SEQ_ADJ_ORIG, 1);
	put_seqadj(message, CTA_SEQ_ADJ_REPLY, 2);
	put_rest(message);
	return message;
}

static const uint8_t full_protos[] = { IPPROTO_TCP,    IPPROTO_UDP,  IPPROTO_SCTP,
				       IPPROTO_DCCP,   IPPROTO_ICMP, IPPROTO_GRE,
				       IPPROTO_ICMPV6, 253 };

void
each_whole_message(message_fn call, void *data)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	char buffer[2048], name[64];

	each_message(call, data);
	for (size_t i = 0; i < COUNT(full_protos) * 4; i++) {
		uint8_t family = families[i & 1], proto = full_protos[i / 4];

		snprintf(name, sizeof(name), "full message, family %u, protocol %u",
			 family, proto);
		call(name, full_message(buffer, sizeof(buffer), family, proto, i & 2),
		     data);
	}
}
