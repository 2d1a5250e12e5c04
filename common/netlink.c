/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctnetlink sockets, by libmnl. */
#include "netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "netns.h"

/* Answers to a batch of requests wait here; a wish, the kernel may grant less. */
#define RECEIVE_BUFFER (8u << 20)

struct ct_netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
};

/* The kernel may grant less; it doubles what it is asked for. */
static void
ask_for_buffer(int fd, uint32_t wanted)
{
	int size = (int)(wanted / 2);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static void
configure(struct mnl_socket *socket)
{
	struct timeval patience = { .tv_sec = CT_NETLINK_TIMEOUT_SECONDS };
	int fd = mnl_socket_get_fd(socket);
	int on = 1;

	/* Comforts, all of them: an old kernel or a lack of rights may refuse. */
	ask_for_buffer(fd, RECEIVE_BUFFER);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	/* Errors without a copy of the request that they are about. */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

static int
open_here(struct ct_netlink **netlink)
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

int
ct_netlink_open(struct ct_netlink **netlink, const char *netns)
{
	int home, error, left;

	error = ct_netns_enter(netns, &home);
	if (error)
		return error;
	error = open_here(netlink);
	left = ct_netns_leave(home);
	if (left < 0 && error == 0) {
		ct_netlink_free(*netlink);
		error = left;
	}
	return error;
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

int
ct_netlink_fd(const struct ct_netlink *netlink)
{
	return mnl_socket_get_fd(netlink->socket);
}

static int
set_option(struct ct_netlink *netlink, int option, int value)
{
	int fd = ct_netlink_fd(netlink);

	return setsockopt(fd, SOL_NETLINK, option, &value, sizeof(value)) < 0 ? -errno
									      : 0;
}

int
ct_netlink_subscribe(struct ct_netlink *netlink, int group)
{
	return set_option(netlink, NETLINK_ADD_MEMBERSHIP, group);
}

int
ct_netlink_hear_all_namespaces(struct ct_netlink *netlink)
{
	return set_option(netlink, NETLINK_LISTEN_ALL_NSID, 1);
}

uint32_t
ct_netlink_set_buffer(struct ct_netlink *netlink, uint32_t wanted)
{
	int fd = ct_netlink_fd(netlink), granted = 0;
	socklen_t length = sizeof(granted);

	ask_for_buffer(fd, wanted);
	/*
	 * A socket that reports an overrun drops everything until it has been emptied.
	 * We count drops instead, so it need not.
	 */
	set_option(netlink, NETLINK_NO_ENOBUFS, 1);
	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &length);
	return (uint32_t)granted;
}

int
ct_netlink_drops(const struct ct_netlink *netlink, uint32_t *drops)
{
	uint32_t memory[SK_MEMINFO_VARS];
	socklen_t length = sizeof(memory);

	if (getsockopt(ct_netlink_fd(netlink), SOL_SOCKET, SO_MEMINFO, memory,
		       &length) < 0)
		return -errno;
	*drops = memory[SK_MEMINFO_DROPS];
	return 0;
}

static int
nsid_of(struct msghdr *message)
{
	struct cmsghdr *at;
	int nsid = -1;

	for (at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at))
		if (at->cmsg_level == SOL_NETLINK &&
		    at->cmsg_type == NETLINK_LISTEN_ALL_NSID &&
		    at->cmsg_len == CMSG_LEN(sizeof(nsid)))
			memcpy(&nsid, CMSG_DATA(at), sizeof(nsid));
	return nsid;
}

int
ct_netlink_receive_many(struct ct_netlink *netlink,
			struct ct_netlink_datagram datagrams[CT_NETLINK_MANY])
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} controls[CT_NETLINK_MANY];
	struct iovec vectors[CT_NETLINK_MANY];
	struct mmsghdr messages[CT_NETLINK_MANY];
	int count;

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < CT_NETLINK_MANY; i++) {
		vectors[i].iov_base = datagrams[i].bytes;
		vectors[i].iov_len = datagrams[i].capacity;
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_control = &controls[i];
		messages[i].msg_hdr.msg_controllen = sizeof(controls[i]);
	}
	count = recvmmsg(ct_netlink_fd(netlink), messages, CT_NETLINK_MANY,
			 MSG_DONTWAIT, NULL);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		if (messages[i].msg_hdr.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		datagrams[i].size = messages[i].msg_len;
		datagrams[i].nsid = nsid_of(&messages[i].msg_hdr);
	}
	return count;
}
