/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deletes, in batches. */
#include "change.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "encode.h"

#define DELETE_SIZE (CT_ENCODE_TUPLE_MAX + 64)

/* Is everything there that tells this flow from all others? */
static bool
is_identified(const struct ct_flow *flow)
{
	const struct ct_tuple *orig = &flow->orig;
	uint16_t whole = CT_TUPLE_ADDRS | CT_TUPLE_PROTO;

	if (orig->proto == IPPROTO_ICMP || orig->proto == IPPROTO_ICMPV6)
		whole |= CT_TUPLE_ICMP;
	/* A kernel that does not track DCCP or UDP-Lite sends no ports of theirs. */
	else if (orig->proto == IPPROTO_TCP || orig->proto == IPPROTO_UDP ||
		 orig->has & CT_TUPLE_PORTS)
		whole |= CT_TUPLE_PORTS;
	return (flow->has & CT_ORIG_TUPLE) && (flow->has & CT_ID) &&
	       (orig->has & whole) == whole;
}

/*
 * Only refusals are answered; the last request of a batch asks for an answer always
 * (`last`), and with it come all.
 */
static struct nlmsghdr *
put_delete(struct ct_netlink *netlink, void *at, const struct ct_flow *flow, bool last)
{
	struct nlmsghdr *request =
		ct_netlink_request(netlink, at, IPCTNL_MSG_CT_DELETE,
				   last ? NLM_F_ACK : 0, flow->orig.family);

	ct_encode_tuple(request, CTA_TUPLE_ORIG, &flow->orig);
	if (flow->has & CT_ZONE)
		mnl_attr_put_u16(request, CTA_ZONE, htons(flow->zone));
	mnl_attr_put_u32(request, CTA_ID, htonl(flow->id));
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
ct_delete(struct ct_netlink *netlink, const struct ct_flow *flows, size_t count,
	  int *results)
{
	size_t index[CT_DELETE_MAX]; /* of each request, its flow */
	size_t requests = 0, used = 0;
	struct nlmsghdr *request = NULL;
	uint32_t first = 0;
	char *bytes;
	int error;

	if (count > CT_DELETE_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		results[i] = is_identified(&flows[i]) ? 0 : -EINVAL;
		if (results[i] == 0)
			index[requests++] = i;
	}
	if (requests == 0)
		return 0;
	bytes = malloc(requests * DELETE_SIZE);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < requests; i++) {
		request = put_delete(netlink, bytes + used, &flows[index[i]],
				     i == requests - 1);
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
