/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_NETLINK_H
#define CT_NETLINK_H
/*
 * The only owner of sockets: opens one to ctnetlink, sends requests, receives bytes.
 * For dump, change and kernel; nobody else talks to the kernel's conntrack.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ct_netlink;
struct nlmsghdr;

/* The kernel fills no reply of a dump with more than this, whatever is offered. */
#define CT_NETLINK_BUFFER 32768

/* Nobody waits for the kernel for ever: then a receive is -ETIMEDOUT. */
#define CT_NETLINK_TIMEOUT_SECONDS 10

/*
 * Opens a socket in the network namespace `netns` (see netns.h), NULL for the present
 * one; it stays there.  `free` takes NULL.
 * Errors: -EPROTONOSUPPORT where the kernel has no nfnetlink; those of
 * ct_netns_enter(); -EMFILE and the like.
 */
int ct_netlink_open(struct ct_netlink **netlink, const char *netns);
void ct_netlink_free(struct ct_netlink *netlink);

/*
 * Begins a ctnetlink request in `buffer`, with a new sequence number.  `type` is one
 * of enum cntl_msg_types, `flags` are NLM_F_* (NLM_F_REQUEST is implied).  The caller
 * adds attributes with mnl_attr_put_*() and knows how much room they need.
 */
struct nlmsghdr *ct_netlink_request(struct ct_netlink *netlink, void *buffer,
				    uint8_t type, uint16_t flags, uint8_t family);

/* Sends one message, or several that stand one behind the other.  0 or -errno. */
int ct_netlink_send(struct ct_netlink *netlink, const void *bytes, size_t size);

/*
 * Receives one datagram of the kernel's.  Returns its size; -EINTR when a signal came
 * first, -ENOBUFS when the kernel had to drop answers, -EMSGSIZE when `size` was too
 * small, -ETIMEDOUT, or another -errno.
 */
ssize_t ct_netlink_receive(struct ct_netlink *netlink, void *buffer, size_t size);

/*
 * Sends one request and hands each message of the answer to `message`, which returns
 * 0 or -errno; NULL when only the success counts.  The request must carry NLM_F_ACK
 * or NLM_F_DUMP, so that the end of the answer can be known.
 * Returns 0, the kernel's refusal or `message`'s error.
 */
typedef int (*ct_netlink_message_fn)(const struct nlmsghdr *message, void *data);
int ct_netlink_ask(struct ct_netlink *netlink, const struct nlmsghdr *request,
		   ct_netlink_message_fn message, void *data);

/*
 * Is `message` the end of the answer to request `sequence`?  Returns 1 for more to
 * come, 0 for a good end, -errno for the kernel's refusal.
 */
int ct_netlink_verdict(const struct nlmsghdr *message, uint32_t sequence);

/* What follows is for subscriptions to events. */

/* For poll(2). */
int ct_netlink_fd(const struct ct_netlink *netlink);

/* Joins a group, one of enum nfnetlink_groups.  0 or -errno. */
int ct_netlink_subscribe(struct ct_netlink *netlink, int group);

/* Hears the other namespaces too that have an nsid in the socket's.  0 or -errno. */
int ct_netlink_hear_all_namespaces(struct ct_netlink *netlink);

/*
 * Asks for a receive buffer of that many bytes as the kernel counts them, and says how
 * many it granted.
 */
uint32_t ct_netlink_set_buffer(struct ct_netlink *netlink, uint32_t wanted);

/* How many messages the kernel has dropped at this socket so far; it wraps. */
int ct_netlink_drops(const struct ct_netlink *netlink, uint32_t *drops);

struct ct_netlink_datagram {
	void *bytes; /* room for `capacity` of them, aligned to 4 */
	size_t capacity;
	size_t size; /* received */
	int nsid;    /* of the sender's namespace, or -1 for the socket's own */
};

/* Takes what is there, without waiting.  Returns how many datagrams, or -errno. */
#define CT_NETLINK_MANY 64
int ct_netlink_receive_many(struct ct_netlink *netlink,
			    struct ct_netlink_datagram datagrams[CT_NETLINK_MANY]);

#endif
