/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By libmnl. */
#include "encode.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

static void
put_ip(struct nlmsghdr *message, const struct ct_tuple *tuple)
{
	bool ipv4 = tuple->family == AF_INET;
	size_t size = ipv4 ? 4 : 16;
	struct nlattr *nest;

	if (!(tuple->has & CT_TUPLE_ADDRS))
		return;
	nest = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	if (tuple->has & CT_TUPLE_SRC)
		mnl_attr_put(message, ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, size,
			     &tuple->src);
	if (tuple->has & CT_TUPLE_DST)
		mnl_attr_put(message, ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, size,
			     &tuple->dst);
	mnl_attr_nest_end(message, nest);
}

static void
put_icmp(struct nlmsghdr *message, const struct ct_tuple *tuple)
{
	bool v6 = tuple->proto == IPPROTO_ICMPV6;

	if (tuple->has & CT_TUPLE_ICMP_ID)
		mnl_attr_put_u16(message, v6 ? CTA_PROTO_ICMPV6_ID : CTA_PROTO_ICMP_ID,
				 htons(tuple->icmp_id));
	if (tuple->has & CT_TUPLE_ICMP_TYPE)
		mnl_attr_put_u8(message,
				v6 ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE,
				tuple->icmp_type);
	if (tuple->has & CT_TUPLE_ICMP_CODE)
		mnl_attr_put_u8(message,
				v6 ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE,
				tuple->icmp_code);
}

static void
put_proto(struct nlmsghdr *message, const struct ct_tuple *tuple)
{
	struct nlattr *nest;

	if (!(tuple->has & CT_TUPLE_PROTO))
		return;
	nest = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(message, CTA_PROTO_NUM, tuple->proto);
	if (tuple->has & CT_TUPLE_SPORT)
		mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(tuple->sport));
	if (tuple->has & CT_TUPLE_DPORT)
		mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(tuple->dport));
	put_icmp(message, tuple);
	mnl_attr_nest_end(message, nest);
}

void
ct_encode_tuple(struct nlmsghdr *message, uint16_t type, const struct ct_tuple *tuple)
{
	struct nlattr *nest = mnl_attr_nest_start(message, type);

	put_ip(message, tuple);
	put_proto(message, tuple);
	if (tuple->has & CT_TUPLE_ZONE)
		mnl_attr_put_u16(message, CTA_TUPLE_ZONE, htons(tuple->zone));
	mnl_attr_nest_end(message, nest);
}

static void
put_tcp(struct nlmsghdr *message, const struct ct_flow *flow)
{
	static const uint16_t wscale_type[] = { CTA_PROTOINFO_TCP_WSCALE_ORIGINAL,
						CTA_PROTOINFO_TCP_WSCALE_REPLY };
	static const uint16_t flags_type[] = { CTA_PROTOINFO_TCP_FLAGS_ORIGINAL,
					       CTA_PROTOINFO_TCP_FLAGS_REPLY };
	static const uint64_t wscale_bit[] = { CT_TCP_WSCALE_ORIG,
					       CT_TCP_WSCALE_REPLY };
	static const uint64_t flags_bit[] = { CT_TCP_FLAGS_ORIG, CT_TCP_FLAGS_REPLY };
	struct nlattr *nest = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);

	if (flow->has & CT_STATE)
		mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, flow->state);
	for (int dir = 0; dir < CT_DIRS; dir++) {
		uint8_t flags[] = { flow->tcp.flags[dir], UINT8_MAX };

		if (flow->has & wscale_bit[dir])
			mnl_attr_put_u8(message, wscale_type[dir],
					flow->tcp.wscale[dir]);
		if (flow->has & flags_bit[dir])
			mnl_attr_put(message, flags_type[dir], sizeof(flags), flags);
	}
	mnl_attr_nest_end(message, nest);
}

/* The kernel wants all three of these. */
static void
put_sctp(struct nlmsghdr *message, const struct ct_flow *flow)
{
	struct nlattr *nest = mnl_attr_nest_start(message, CTA_PROTOINFO_SCTP);

	mnl_attr_put_u8(message, CTA_PROTOINFO_SCTP_STATE, flow->state);
	mnl_attr_put_u32(message, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL,
			 htonl(flow->sctp.vtag[CT_ORIG]));
	mnl_attr_put_u32(message, CTA_PROTOINFO_SCTP_VTAG_REPLY,
			 htonl(flow->sctp.vtag[CT_REPLY]));
	mnl_attr_nest_end(message, nest);
}

static void
put_dccp(struct nlmsghdr *message, const struct ct_flow *flow)
{
	struct nlattr *nest = mnl_attr_nest_start(message, CTA_PROTOINFO_DCCP);

	mnl_attr_put_u8(message, CTA_PROTOINFO_DCCP_STATE, flow->state);
	mnl_attr_put_u8(message, CTA_PROTOINFO_DCCP_ROLE, flow->dccp.role);
	if (flow->has & CT_DCCP_SEQ)
		mnl_attr_put_u64(message, CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ,
				 htobe64(flow->dccp.handshake_seq));
	mnl_attr_nest_end(message, nest);
}

static void
put_protoinfo(struct nlmsghdr *message, const struct ct_flow *flow)
{
	struct nlattr *nest;

	if (!(flow->has & CT_PROTOINFO))
		return;
	nest = mnl_attr_nest_start(message, CTA_PROTOINFO);
	if (flow->orig.proto == IPPROTO_TCP)
		put_tcp(message, flow);
	else if (flow->orig.proto == IPPROTO_SCTP && flow->has & CT_STATE)
		put_sctp(message, flow);
	else if (flow->orig.proto == IPPROTO_DCCP && flow->has & CT_STATE)
		put_dccp(message, flow);
	mnl_attr_nest_end(message, nest);
}

static void
put_labels(struct nlmsghdr *message, uint16_t type, const uint8_t *labels)
{
	uint8_t native[CT_LABEL_BITS / 8];

	for (size_t i = 0; i < sizeof(native); i++)
		native[CT_LABEL_BYTE(i)] = labels[i];
	mnl_attr_put(message, type, sizeof(native), native);
}

static void
put_seqadj(struct nlmsghdr *message, uint16_t type, const struct ct_seqadj *seqadj)
{
	struct nlattr *nest = mnl_attr_nest_start(message, type);

	mnl_attr_put_u32(message, CTA_SEQADJ_CORRECTION_POS,
			 htonl(seqadj->correction_pos));
	mnl_attr_put_u32(message, CTA_SEQADJ_OFFSET_BEFORE,
			 htonl((uint32_t)seqadj->offset_before));
	mnl_attr_put_u32(message, CTA_SEQADJ_OFFSET_AFTER,
			 htonl((uint32_t)seqadj->offset_after));
	mnl_attr_nest_end(message, nest);
}

static void
put_synproxy(struct nlmsghdr *message, const struct ct_synproxy *synproxy)
{
	struct nlattr *nest = mnl_attr_nest_start(message, CTA_SYNPROXY);

	mnl_attr_put_u32(message, CTA_SYNPROXY_ISN, htonl(synproxy->isn));
	mnl_attr_put_u32(message, CTA_SYNPROXY_ITS, htonl(synproxy->its));
	mnl_attr_put_u32(message, CTA_SYNPROXY_TSOFF, htonl(synproxy->tsoff));
	mnl_attr_nest_end(message, nest);
}

static void
put_helper(struct nlmsghdr *message, const char *name)
{
	struct nlattr *nest = mnl_attr_nest_start(message, CTA_HELP);

	mnl_attr_put_strz(message, CTA_HELP_NAME, name);
	mnl_attr_nest_end(message, nest);
}

static void
put_tags(struct nlmsghdr *message, const struct ct_flow *flow,
	 const struct ct_encode_masks *masks)
{
	if (flow->has & CT_MARK)
		mnl_attr_put_u32(message, CTA_MARK, htonl(flow->mark));
	if (flow->has & CT_MARK && masks)
		mnl_attr_put_u32(message, CTA_MARK_MASK, htonl(masks->mark));
	if (flow->has & CT_LABELS)
		put_labels(message, CTA_LABELS, flow->labels);
	if (flow->has & CT_LABELS && masks)
		put_labels(message, CTA_LABELS_MASK, masks->labels);
	if (flow->has & CT_HELPER_NAME)
		put_helper(message, flow->helper);
}

void
ct_encode_flow(struct nlmsghdr *message, const struct ct_flow *flow,
	       const struct ct_encode_masks *masks)
{
	if (flow->has & CT_ORIG_TUPLE)
		ct_encode_tuple(message, CTA_TUPLE_ORIG, &flow->orig);
	if (flow->has & CT_REPLY_TUPLE)
		ct_encode_tuple(message, CTA_TUPLE_REPLY, &flow->reply);
	if (flow->has & CT_MASTER_TUPLE)
		ct_encode_tuple(message, CTA_TUPLE_MASTER, &flow->master);
	if (flow->has & CT_ZONE)
		mnl_attr_put_u16(message, CTA_ZONE, htons(flow->zone));
	if (flow->has & CT_TIMEOUT)
		mnl_attr_put_u32(message, CTA_TIMEOUT, htonl(flow->timeout));
	if (flow->has & CT_STATUS)
		mnl_attr_put_u32(message, CTA_STATUS, htonl(flow->status));
	put_protoinfo(message, flow);
	put_tags(message, flow, masks);
	if (flow->has & CT_SEQADJ_ORIG)
		put_seqadj(message, CTA_SEQ_ADJ_ORIG, &flow->seqadj[CT_ORIG]);
	if (flow->has & CT_SEQADJ_REPLY)
		put_seqadj(message, CTA_SEQ_ADJ_REPLY, &flow->seqadj[CT_REPLY]);
	if (flow->has & CT_SYNPROXY)
		put_synproxy(message, &flow->synproxy);
}

static void
put_nat(struct nlmsghdr *message, uint16_t type, const struct ct_tuple *reply,
	const struct ct_addr *addr, uint16_t port)
{
	bool ipv4 = reply->family == AF_INET;
	struct nlattr *nest = mnl_attr_nest_start(message, type), *ports;

	mnl_attr_put(message, ipv4 ? CTA_NAT_V4_MINIP : CTA_NAT_V6_MINIP, ipv4 ? 4 : 16,
		     addr);
	if (reply->has & CT_TUPLE_PORTS) {
		ports = mnl_attr_nest_start(message, CTA_NAT_PROTO);
		mnl_attr_put_u16(message, CTA_PROTONAT_PORT_MIN, htons(port));
		mnl_attr_put_u16(message, CTA_PROTONAT_PORT_MAX, htons(port));
		mnl_attr_nest_end(message, ports);
	}
	mnl_attr_nest_end(message, nest);
}

void
ct_encode_nat(struct nlmsghdr *message, const struct ct_flow *flow)
{
	const struct ct_tuple *reply = &flow->reply;

	if (flow->status & CT_SRC_NAT)
		put_nat(message, CTA_NAT_SRC, reply, &reply->dst, reply->dport);
	if (flow->status & CT_DST_NAT)
		put_nat(message, CTA_NAT_DST, reply, &reply->src, reply->sport);
}

static void
put_expect_nat(struct nlmsghdr *message, const struct ct_expect *expect)
{
	struct nlattr *nest = mnl_attr_nest_start(message, CTA_EXPECT_NAT);

	mnl_attr_put_u32(message, CTA_EXPECT_NAT_DIR, htonl(expect->nat_dir));
	ct_encode_tuple(message, CTA_EXPECT_NAT_TUPLE, &expect->nat);
	mnl_attr_nest_end(message, nest);
}

void
ct_encode_expect(struct nlmsghdr *message, const struct ct_expect *expect)
{
	if (expect->has & CT_EXPECT_HAS_MASTER)
		ct_encode_tuple(message, CTA_EXPECT_MASTER, &expect->master);
	if (expect->has & CT_EXPECT_HAS_TUPLE)
		ct_encode_tuple(message, CTA_EXPECT_TUPLE, &expect->tuple);
	if (expect->has & CT_EXPECT_HAS_MASK)
		ct_encode_tuple(message, CTA_EXPECT_MASK, &expect->mask);
	if (expect->has & CT_EXPECT_HAS_NAT)
		put_expect_nat(message, expect);
	if (expect->has & CT_EXPECT_HAS_TIMEOUT)
		mnl_attr_put_u32(message, CTA_EXPECT_TIMEOUT, htonl(expect->timeout));
	if (expect->has & CT_EXPECT_HAS_ID)
		mnl_attr_put_u32(message, CTA_EXPECT_ID, htonl(expect->id));
	if (expect->has & CT_EXPECT_HAS_FLAGS)
		mnl_attr_put_u32(message, CTA_EXPECT_FLAGS, htonl(expect->flags));
	if (expect->has & CT_EXPECT_HAS_CLASS)
		mnl_attr_put_u32(message, CTA_EXPECT_CLASS,
				 htonl(expect->helper_class));
	if (expect->has & CT_EXPECT_HAS_ZONE)
		mnl_attr_put_u16(message, CTA_EXPECT_ZONE, htons(expect->zone));
	if (expect->has & CT_EXPECT_HAS_HELPER)
		mnl_attr_put_strz(message, CTA_EXPECT_HELP_NAME, expect->helper);
	if (expect->has & CT_EXPECT_HAS_FN)
		mnl_attr_put_strz(message, CTA_EXPECT_FN, expect->fn);
}
