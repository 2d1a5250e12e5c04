/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The input of "conntrack --load-file", a flow a line, to make the flows anew on
 * another machine or after a flush.  For events and expectations it has no words.
 *
 * One line that conntrack(8) does not take ends its whole load, so what it would refuse
 * is left out or replaced.  As of its version 1.4.7 that is:
 * - the status EXPECTED, which the kernel gives to no flow that is made by hand;
 * - labels: the second line that has some makes it crash;
 * - states that it does not know, or that an offloaded flow does not have;
 * - the timeout of an offloaded flow, which has none: the next packet sets a new one.
 * It has no words for counters, times, helpers and masters, TCP's windows and flags,
 * sequence adjustment, security contexts, the translation of ICMP's ids, and of ports
 * together with both addresses where the protocol is neither TCP nor UDP.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "output.h"

/* Seconds that a flow without a timeout has until its next packet. */
#define TIMEOUT 120

/* Inlined, so that the length of the name before the number is known in time. */
#define HOT inline __attribute__((always_inline))

static HOT void
put_number(struct ct_text *text, const char *before, uint64_t number)
{
	ct_text_str(text, before);
	ct_text_u64(text, number);
}

static HOT void
put_addr(struct ct_text *text, const char *before, uint8_t family,
	 const struct ct_addr *addr)
{
	ct_text_str(text, before);
	ct_text_addr(text, family, addr);
}

static void
put_status(struct ct_text *text, uint32_t status)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} known[] = {
		{ CT_SEEN_REPLY, "SEEN_REPLY" },
		{ CT_ASSURED, "ASSURED" },
		{ CT_FIXED_TIMEOUT, "FIXED_TIMEOUT" },
	};
	const char *before = " -u ";

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!(status & known[i].bit))
			continue;
		ct_text_str(text, before);
		ct_text_str(text, known[i].name);
		before = ",";
	}
	if (before[0] != ',')
		ct_text_str(text, " -u UNSET");
}

static void
put_zones(struct ct_text *text, const struct ct_flow *flow)
{
	if (flow->has & CT_ZONE)
		put_number(text, " -w ", flow->zone);
	if (flow->orig.has & CT_TUPLE_ZONE)
		put_number(text, " --orig-zone ", flow->orig.zone);
	if (flow->reply.has & CT_TUPLE_ZONE)
		put_number(text, " --reply-zone ", flow->reply.zone);
}

/* Of both translations together conntrack(8) takes no ports but these, with colons. */
static bool
has_nat_ports(const struct ct_flow *flow)
{
	return (flow->status & CT_NAT_MASK) == CT_NAT_MASK &&
	       (flow->orig.proto == IPPROTO_TCP || flow->orig.proto == IPPROTO_UDP);
}

static void
put_nat(struct ct_text *text, const char *before, const struct ct_flow *flow,
	const struct ct_addr *addr, uint16_t port)
{
	bool brackets = has_nat_ports(flow) && flow->orig.family == AF_INET6;

	ct_text_str(text, before);
	if (brackets)
		ct_text_char(text, '[');
	ct_text_addr(text, flow->orig.family, addr);
	if (brackets)
		ct_text_char(text, ']');
	if (has_nat_ports(flow))
		put_number(text, ":", port);
}

/*
 * Translation is asked for by what an address becomes, in the place of the reply's
 * address; the kernel then finds the difference, and translates.
 */
static void
put_addrs(struct ct_text *text, const struct ct_flow *flow)
{
	const struct ct_tuple *reply = &flow->reply;

	put_addr(text, " -s ", flow->orig.family, &flow->orig.src);
	put_addr(text, " -d ", flow->orig.family, &flow->orig.dst);
	if (!(flow->has & CT_REPLY_TUPLE))
		return;
	if (flow->status & CT_DST_NAT)
		put_nat(text, " -g ", flow, &reply->src, reply->sport);
	else
		put_addr(text, " -r ", reply->family, &reply->src);
	if (flow->status & CT_SRC_NAT)
		put_nat(text, " -n ", flow, &reply->dst, reply->dport);
	else
		put_addr(text, " -q ", reply->family, &reply->dst);
}

static void
put_ports(struct ct_text *text, const struct ct_flow *flow)
{
	put_number(text, " --sport ", flow->orig.sport);
	put_number(text, " --dport ", flow->orig.dport);
	if (!(flow->has & CT_REPLY_TUPLE))
		return;
	put_number(text, " --reply-port-src ", flow->reply.sport);
	put_number(text, " --reply-port-dst ", flow->reply.dport);
}

static void
put_keys(struct ct_text *text, const struct ct_flow *flow)
{
	put_number(text, " --srckey ", flow->orig.sport);
	put_number(text, " --dstkey ", flow->orig.dport);
	if (!(flow->has & CT_REPLY_TUPLE))
		return;
	put_number(text, " --reply-key-src ", flow->reply.sport);
	put_number(text, " --reply-key-dst ", flow->reply.dport);
}

/* conntrack(8) knows the first `known` states of a protocol. */
static void
put_state(struct ct_text *text, const struct ct_flow *flow, uint8_t known,
	  const char *otherwise)
{
	const char *name = ct_state_name(flow->orig.proto, flow->state);

	ct_text_str(text, " --state ");
	if (flow->has & CT_STATE && flow->state < known && name)
		ct_text_str(text, name);
	else
		ct_text_str(text, otherwise);
}

static void
put_icmp(struct ct_text *text, const struct ct_tuple *tuple)
{
	if (tuple->proto == IPPROTO_ICMP) {
		put_number(text, " -p icmp --icmp-type ", tuple->icmp_type);
		put_number(text, " --icmp-code ", tuple->icmp_code);
		put_number(text, " --icmp-id ", tuple->icmp_id);
	} else {
		put_number(text, " -p icmpv6 --icmpv6-type ", tuple->icmp_type);
		put_number(text, " --icmpv6-code ", tuple->icmp_code);
		put_number(text, " --icmpv6-id ", tuple->icmp_id);
	}
}

static void
put_protocol(struct ct_text *text, const struct ct_flow *flow)
{
	switch (flow->orig.proto) {
	case IPPROTO_TCP:
		ct_text_str(text, " -p tcp");
		put_ports(text, flow);
		put_state(text, flow, 10, "ESTABLISHED");
		break;
	case IPPROTO_UDP:
		ct_text_str(text, " -p udp");
		put_ports(text, flow);
		break;
	case IPPROTO_UDPLITE:
		ct_text_str(text, " -p udplite");
		put_ports(text, flow);
		break;
	case IPPROTO_SCTP:
		ct_text_str(text, " -p sctp");
		put_ports(text, flow);
		put_state(text, flow, 8, "ESTABLISHED");
		/* conntrack(8) swaps the bytes of a tag once too often. */
		put_number(text, " --orig-vtag ", htonl(flow->sctp.vtag[CT_ORIG]));
		put_number(text, " --reply-vtag ", htonl(flow->sctp.vtag[CT_REPLY]));
		break;
	case IPPROTO_DCCP:
		ct_text_str(text, " -p dccp");
		put_ports(text, flow);
		put_state(text, flow, 8, "OPEN");
		ct_text_str(text,
			    flow->dccp.role ? " --role server" : " --role client");
		break;
	case IPPROTO_GRE:
		ct_text_str(text, " -p gre");
		put_keys(text, flow);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		put_icmp(text, &flow->orig);
		break;
	default:
		put_number(text, " -p ", flow->orig.proto);
		break;
	}
}

static void
put_flow(struct ct_text *text, const struct output_view *view,
	 const struct ct_flow *flow)
{
	(void)view;
	put_number(text, "-A -t ", flow->has & CT_TIMEOUT ? flow->timeout : TIMEOUT);
	put_status(text, flow->status);
	/* Behind the status, which conntrack(8) would take for the mark otherwise. */
	if (flow->mark)
		put_number(text, " -m ", flow->mark);
	put_zones(text, flow);
	put_addrs(text, flow);
	put_protocol(text, flow);
	ct_text_char(text, '\n');
}

static void
put_expect(struct ct_text *text, const struct output_view *view,
	   const struct ct_expect *expect)
{
	(void)text;
	(void)view;
	(void)expect;
}

static void
put_event(struct ct_text *text, const struct output_view *view,
	  const struct ct_event *event)
{
	(void)text;
	(void)view;
	(void)event;
}

static void
begin(struct ct_text *text, const struct output_head *head)
{
	(void)text;
	(void)head;
}

static void
end(struct ct_text *text, const struct output_end *end)
{
	(void)text;
	(void)end;
}

const struct output output_save = {
	.name = "save",
	.begin = begin,
	.flow = put_flow,
	.expect = put_expect,
	.event = put_event,
	.end = end,
};
