/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests about expectations; they are few, so one at a time. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "change.h"
#include "decode.h"

#define REQUEST_MAX (CT_ENCODE_EXPECT_MAX + 64)

static struct nlmsghdr *
begin(struct ct_netlink *netlink, void *bytes, uint8_t type, uint16_t flags,
      uint8_t family)
{
	struct nlmsghdr *request =
		ct_netlink_request(netlink, bytes, type, flags, family);

	request->nlmsg_type = NFNL_SUBSYS_CTNETLINK_EXP << 8 | type;
	return request;
}

int
ct_expect_change(struct ct_netlink *netlink, enum ct_change what,
		 const struct ct_expect *expect)
{
	_Alignas(struct nlmsghdr) char bytes[REQUEST_MAX] = { 0 };
	uint8_t type = what == CT_DELETE ? IPCTNL_MSG_EXP_DELETE : IPCTNL_MSG_EXP_NEW;
	uint16_t flags = what == CT_CREATE ? NLM_F_CREATE | NLM_F_EXCL : 0;
	struct nlmsghdr *request;

	/* Without its tuple, a delete would be a flush. */
	if (!(expect->has & CT_EXPECT_HAS_TUPLE) ||
	    (expect->tuple.has & CT_TUPLE_ADDRS) != CT_TUPLE_ADDRS)
		return -EINVAL;
	request = begin(netlink, bytes, type, flags | NLM_F_ACK, expect->tuple.family);
	ct_encode_expect(request, expect);
	return ct_netlink_ask(netlink, request, NULL, NULL);
}

static int
take_expect(const struct nlmsghdr *message, void *data)
{
	return ct_decode_expect(data, mnl_nlmsg_get_payload(message),
				mnl_nlmsg_get_payload_len(message));
}

int
ct_expect_get(struct ct_netlink *netlink, const struct ct_expect *asked,
	      struct ct_expect *found)
{
	_Alignas(struct nlmsghdr) char bytes[REQUEST_MAX] = { 0 };
	struct ct_expect expect = { 0 };
	struct nlmsghdr *request;
	int error;

	request = begin(netlink, bytes, IPCTNL_MSG_EXP_GET, NLM_F_ACK,
			asked->tuple.family);
	ct_encode_expect(request, asked);
	error = ct_netlink_ask(netlink, request, take_expect, &expect);
	if (!error && !expect.has)
		error = -EBADMSG;
	if (!error)
		*found = expect;
	return error;
}

int
ct_expect_flush(struct ct_netlink *netlink)
{
	_Alignas(struct nlmsghdr) char bytes[64];
	struct nlmsghdr *request =
		begin(netlink, bytes, IPCTNL_MSG_EXP_DELETE, NLM_F_ACK, AF_UNSPEC);

	return ct_netlink_ask(netlink, request, NULL, NULL);
}

struct visit {
	ct_expect_fn expect_fn;
	void *data;
	int status; /* the callback's, when it was not 0 */
};

static int
visit(const struct nlmsghdr *message, void *data)
{
	struct visit *visit = data;
	struct ct_expect expect;
	int error = take_expect(message, &expect);

	if (error)
		return error;
	/* The rest of the answer is received all the same: it is short. */
	if (visit->status == 0)
		visit->status = visit->expect_fn(&expect, visit->data);
	return 0;
}

int
ct_expect_dump(struct ct_netlink *netlink, ct_expect_fn expect_fn, void *data)
{
	_Alignas(struct nlmsghdr) char bytes[64];
	struct visit each = { .expect_fn = expect_fn, .data = data };
	struct nlmsghdr *request =
		begin(netlink, bytes, IPCTNL_MSG_EXP_GET, NLM_F_DUMP, AF_UNSPEC);
	int error = ct_netlink_ask(netlink, request, visit, &each);

	return error ? error : each.status;
}
