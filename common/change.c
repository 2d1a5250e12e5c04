/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests about flows, in batches where they are many. */
#include "change.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "decode.h"

/* A header, two translations and a flow. */
#define REQUEST_MAX (CT_ENCODE_FLOW_MAX + 160)

/* Is everything there that tells this tuple from all others? */
static bool
is_whole(const struct ct_tuple *tuple)
{
	uint16_t whole = CT_TUPLE_ADDRS | CT_TUPLE_PROTO;

	if (tuple->proto == IPPROTO_ICMP || tuple->proto == IPPROTO_ICMPV6)
		whole |= CT_TUPLE_ICMP;
	/* A kernel that does not track DCCP or UDP-Lite sends no ports of theirs. */
	else if (tuple->proto == IPPROTO_TCP || tuple->proto == IPPROTO_UDP ||
		 tuple->has & CT_TUPLE_PORTS)
		whole |= CT_TUPLE_PORTS;
	return (tuple->has & whole) == whole;
}

static bool
is_sound(enum ct_change what, const struct ct_flow *flow)
{
	bool orig = flow->has & CT_ORIG_TUPLE && is_whole(&flow->orig);
	bool reply = flow->has & CT_REPLY_TUPLE && is_whole(&flow->reply);

	switch (what) {
	case CT_CREATE:
		return orig && reply && flow->has & CT_TIMEOUT;
	case CT_UPDATE:
		return orig || reply;
	case CT_DELETE:
		return orig && flow->has & CT_ID;
	}
	return false;
}

/* What a delete needs to know, and no more: the kernel checks what it is given. */
static void
put_identity(struct nlmsghdr *request, const struct ct_flow *flow)
{
	ct_encode_tuple(request, CTA_TUPLE_ORIG, &flow->orig);
	if (flow->has & CT_ZONE)
		mnl_attr_put_u16(request, CTA_ZONE, htons(flow->zone));
	mnl_attr_put_u32(request, CTA_ID, htonl(flow->id));
}

/* What may be asked for of a flow's status; the rest is the kernel's own affair. */
#define SETTABLE_STATUS \
	(CT_SEEN_REPLY | CT_ASSURED | CT_CONFIRMED | CT_FIXED_TIMEOUT | CT_HELPER)

/*
 * The kernel translates what it creates: it wants the reply as it would be without, and
 * the translation beside it.
 */
static void
put_creation(struct nlmsghdr *request, const struct ct_flow *flow)
{
	struct ct_flow plain = *flow;

	if (flow->status & CT_SRC_NAT) {
		plain.reply.dst = flow->orig.src;
		plain.reply.dport = flow->orig.sport;
	}
	if (flow->status & CT_DST_NAT) {
		plain.reply.src = flow->orig.dst;
		plain.reply.sport = flow->orig.dport;
	}
	plain.status = (flow->status & SETTABLE_STATUS) | CT_CONFIRMED;
	plain.has |= CT_STATUS;
	ct_encode_flow(request, &plain, NULL);
	ct_encode_nat(request, flow);
}

/*
 * Only refusals are answered; the last request of a batch asks for an answer always
 * (`last`), and with it come all.
 */
static struct nlmsghdr *
put_request(struct ct_netlink *netlink, void *at, enum ct_change what,
	    const struct ct_flow *flow, const struct ct_encode_masks *masks, bool last)
{
	uint8_t family =
		flow->has & CT_ORIG_TUPLE ? flow->orig.family : flow->reply.family;
	uint8_t type = what == CT_DELETE ? IPCTNL_MSG_CT_DELETE : IPCTNL_MSG_CT_NEW;
	uint16_t flags = what == CT_CREATE ? NLM_F_CREATE | NLM_F_EXCL : 0;
	struct nlmsghdr *request = ct_netlink_request(
		netlink, at, type, flags | (last ? NLM_F_ACK : 0), family);

	switch (what) {
	case CT_CREATE:
		put_creation(request, flow);
		break;
	case CT_UPDATE:
		ct_encode_flow(request, flow, masks);
		break;
	case CT_DELETE:
		put_identity(request, flow);
		break;
	}
	return request;
}

/* Reads answers until that of `last`; `index` tells whose the others are. */
static int
read_results(struct ct_netlink *netlink, uint32_t first, uint32_t last,
	     const size_t *index, int *results)
{
	_Alignas(struct nlmsghdr) char buffer[CT_NETLINK_BUFFER];
	const struct nlmsghdr *at;
	uint32_t seen = first - 1;
	int left, verdict;
	ssize_t size;

	while (seen != last) {
		size = ct_netlink_receive(netlink, buffer, sizeof(buffer));
		if (size == -EINTR)
			continue;
		if (size < 0)
			return (int)size;
		at = (const struct nlmsghdr *)buffer;
		left = (int)size;
		for (; mnl_nlmsg_ok(at, left); at = mnl_nlmsg_next(at, &left)) {
			if (at->nlmsg_seq - first > last - first)
				continue;
			verdict = ct_netlink_verdict(at, at->nlmsg_seq);
			if (verdict > 0)
				continue;
			seen = at->nlmsg_seq;
			results[index[seen - first]] = verdict;
		}
	}
	return 0;
}

int
ct_change(struct ct_netlink *netlink, enum ct_change what, const struct ct_flow *flows,
	  size_t count, const struct ct_encode_masks *masks, int *results)
{
	size_t index[CT_CHANGE_MAX]; /* of each request, its flow */
	size_t requests = 0, used = 0;
	struct nlmsghdr *request = NULL;
	uint32_t first = 0;
	char *bytes;
	int error;

	if (count > CT_CHANGE_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		results[i] = is_sound(what, &flows[i]) ? 0 : -EINVAL;
		if (results[i] == 0)
			index[requests++] = i;
	}
	if (requests == 0)
		return 0;
	bytes = calloc(requests, REQUEST_MAX);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < requests; i++) {
		request = put_request(netlink, bytes + used, what, &flows[index[i]],
				      masks, i == requests - 1);
		if (i == 0)
			first = request->nlmsg_seq;
		used += request->nlmsg_len;
	}
	error = ct_netlink_send(netlink, bytes, used);
	if (!error)
		error = read_results(netlink, first, request->nlmsg_seq, index,
				     results);
	free(bytes);
	return error;
}

static int
take_flow(const struct nlmsghdr *message, void *data)
{
	return ct_decode_flow(data, mnl_nlmsg_get_payload(message),
			      mnl_nlmsg_get_payload_len(message));
}

int
ct_get(struct ct_netlink *netlink, const struct ct_flow *asked, struct ct_flow *found)
{
	_Alignas(struct nlmsghdr) char bytes[REQUEST_MAX] = { 0 };
	bool orig = asked->has & CT_ORIG_TUPLE;
	const struct ct_tuple *tuple = orig ? &asked->orig : &asked->reply;
	struct nlmsghdr *request;
	struct ct_flow flow = { 0 };
	int error;

	if (!(asked->has & (CT_ORIG_TUPLE | CT_REPLY_TUPLE)) || !is_whole(tuple))
		return -EINVAL;
	request = ct_netlink_request(netlink, bytes, IPCTNL_MSG_CT_GET, NLM_F_ACK,
				     tuple->family);
	ct_encode_tuple(request, orig ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY, tuple);
	if (asked->has & CT_ZONE)
		mnl_attr_put_u16(request, CTA_ZONE, htons(asked->zone));
	error = ct_netlink_ask(netlink, request, take_flow, &flow);
	if (!error && !flow.has)
		error = -EBADMSG;
	if (!error)
		*found = flow;
	return error;
}

/* Only a kernel that is known to respect a restriction is trusted with a flush. */
static bool
kernel_is_at_least(unsigned int major, unsigned int minor)
{
	unsigned int its_major, its_minor;
	struct utsname name;

	return uname(&name) == 0 &&
	       sscanf(name.release, "%u.%u", &its_major, &its_minor) == 2 &&
	       (its_major > major || (its_major == major && its_minor >= minor));
}

int
ct_flush(struct ct_netlink *netlink, uint8_t family, int zone)
{
	_Alignas(struct nlmsghdr) char bytes[64];
	struct nlmsghdr *request;
	struct nfgenmsg *message;

	if (zone < -1 || zone > UINT16_MAX ||
	    (family != AF_UNSPEC && family != AF_INET && family != AF_INET6))
		return -EINVAL;
	if ((family != AF_UNSPEC && !kernel_is_at_least(5, 3)) ||
	    (zone >= 0 && !kernel_is_at_least(6, 8)))
		return -EOPNOTSUPP;
	request = ct_netlink_request(netlink, bytes, IPCTNL_MSG_CT_DELETE, NLM_F_ACK,
				     family);
	/* Version 0 means "both families" here, whatever the family says. */
	message = mnl_nlmsg_get_payload(request);
	message->version = family == AF_UNSPEC ? 0 : 1;
	if (zone >= 0)
		mnl_attr_put_u16(request, CTA_ZONE, htons((uint16_t)zone));
	return ct_netlink_ask(netlink, request, NULL, NULL);
}
