/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctnetlink sockets, by libmnl. */
#include "netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Answers to a batch of requests wait here; a wish, the kernel may grant less. */
#define RECEIVE_BUFFER (4 << 20)

struct ct_netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
};

static void
configure(struct mnl_socket *socket)
{
	struct timeval patience = { .tv_sec = CT_NETLINK_TIMEOUT_SECONDS };
	int fd = mnl_socket_get_fd(socket);
	int size = RECEIVE_BUFFER;
	int on = 1;

	/* Each of these is a comfort: an old kernel or a lack of rights may refuse it.
	 */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	/* Errors without a copy of the request that they are about. */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

int
ct_netlink_open(struct ct_netlink **netlink)
{
	struct ct_netlink *opened = calloc(1, sizeof(*opened));
	int error;

	if (!opened)
		return -ENOMEM;
	opened->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!opened->socket ||
	    mnl_socket_bind(opened->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		error = -errno;
		ct_netlink_free(opened);
		return error;
	}
	configure(opened->socket);
	*netlink = opened;
	return 0;
}

void
ct_netlink_free(struct ct_netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	free(netlink);
}

struct nlmsghdr *
ct_netlink_request(struct ct_netlink *netlink, void *buffer, uint8_t type,
		   uint16_t flags, uint8_t family)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *message;

	header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	header->nlmsg_seq = ++netlink->sequence;
	message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->nfgen_family = family;
	message->version = NFNETLINK_V0;
	return header;
}

int
ct_netlink_send(struct ct_netlink *netlink, const void *bytes, size_t size)
{
	ssize_t sent;

	do
		sent = mnl_socket_sendto(netlink->socket, bytes, size);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return (size_t)sent == size ? 0 : -EMSGSIZE;
}

ssize_t
ct_netlink_receive(struct ct_netlink *netlink, void *buffer, size_t size)
{
	ssize_t received =
		recv(mnl_socket_get_fd(netlink->socket), buffer, size, MSG_TRUNC);

	if (received < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return (size_t)received > size ? -EMSGSIZE : received;
}

int
ct_netlink_verdict(const struct nlmsghdr *message, uint32_t sequence)
{
	size_t size = mnl_nlmsg_get_payload_len(message);
	int error = 0;

	if (message->nlmsg_seq != sequence)
		return 1;
	if (message->nlmsg_type != NLMSG_DONE && message->nlmsg_type != NLMSG_ERROR)
		return 1;
	/* Both begin with an int: 0 or -errno. */
	if (size >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
	else if (message->nlmsg_type == NLMSG_ERROR)
		error = -EBADMSG;
	return error > 0 ? -EBADMSG : error;
}

/* Hands on the messages of one datagram; the same returns as ct_netlink_verdict(). */
static int
take_answer(const void *bytes, int size, uint32_t sequence,
	    ct_netlink_message_fn message, void *data)
{
	const struct nlmsghdr *at = bytes;
	int verdict = 1;

	for (; mnl_nlmsg_ok(at, size); at = mnl_nlmsg_next(at, &size)) {
		if (at->nlmsg_seq != sequence)
			continue;
		verdict = ct_netlink_verdict(at, sequence);
		if (verdict <= 0)
			return verdict;
		if (message && at->nlmsg_type >= NLMSG_MIN_TYPE)
			verdict = message(at, data);
		if (verdict < 0)
			return verdict;
		verdict = 1;
	}
	return size == 0 ? verdict : -EBADMSG;
}

int
ct_netlink_ask(struct ct_netlink *netlink, const struct nlmsghdr *request,
	       ct_netlink_message_fn message, void *data)
{
	_Alignas(struct nlmsghdr) char buffer[CT_NETLINK_BUFFER];
	int verdict = ct_netlink_send(netlink, request, request->nlmsg_len);
	ssize_t size;

	if (verdict < 0)
		return verdict;
	do {
		do
			size = ct_netlink_receive(netlink, buffer, sizeof(buffer));
		while (size == -EINTR);
		if (size < 0)
			return (int)size;
		verdict = take_answer(buffer, (int)size, request->nlmsg_seq, message,
				      data);
	} while (verdict > 0);
	return verdict;
}
