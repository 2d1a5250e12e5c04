/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tuples → attributes, by libmnl. */
#include "encode.h"

#include <arpa/inet.h>
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
