/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel is nearly all of a pass's time, and works only while somebody receives.
 * So the receiving can have a thread of its own, which keeps a ring of full buffers
 * ahead of the consumer.
 */
#include "dump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "decode.h"
#include "encode.h"

/* A request, its header, and every attribute of struct ct_dump_ask. */
#define REQUEST_MAX 512
/* Linux 5.15, 5.8 and 5.8: younger than some headers that this is built with. */
#define ATTR_FILTER 25
#define ATTR_STATUS_MASK 26
#define ATTR_FILTER_ORIG_FLAGS 1
#define ATTR_FILTER_REPLY_FLAGS 2

#define RING_SLOTS 32
/*
 * So many replies wait before the consumer is woken.  It is mostly the faster one, and
 * to wake it for each would cost the reader more than the reply did.
 */
#define RING_WAKE 8

/* Flows at a reply's edges that are held against each other for repetitions. */
#define EDGE 32

struct buffer {
	_Alignas(struct nlmsghdr) char bytes[CT_NETLINK_BUFFER];
	int size;
};

/* What to recognise the flows by that stood at the end of a reply. */
struct seen {
	uint32_t id[EDGE];
	struct ct_tuple orig[EDGE];
};

struct pass {
	struct ct_netlink *netlink;
	const struct ct_dump_options *options;
	uint32_t sequence;
	ct_flow_fn flow_fn;
	void *data;
	struct ct_dump_result result;
	struct seen last;   /* a ring: the newest is at last_next - 1 */
	struct seen before; /* the reply before this one's, as it ended */
	unsigned int last_next;
};

static bool
stopped(const struct pass *pass)
{
	return pass->options->stop && *pass->options->stop;
}

/* The bits by which CTA_FILTER names the fields of a tuple that must be equal. */
static uint32_t
filter_flags(const struct ct_tuple *tuple)
{
	static const struct {
		uint16_t has;
		uint8_t bit;
	} fields[] = {
		{ CT_TUPLE_SRC, 0 },   { CT_TUPLE_DST, 1 },   { CT_TUPLE_PROTO, 3 },
		{ CT_TUPLE_SPORT, 4 }, { CT_TUPLE_DPORT, 5 },
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (tuple->has & fields[i].has)
			flags |= 1u << fields[i].bit;
	return flags;
}

static void
put_filter(struct nlmsghdr *request, const struct ct_dump_ask *ask)
{
	const struct ct_tuple *orig = &ask->tuple[CT_ORIG];
	const struct ct_tuple *reply = &ask->tuple[CT_REPLY];
	struct nlattr *nest;

	if (!orig->has && !reply->has)
		return;
	if (orig->has)
		ct_encode_tuple(request, CTA_TUPLE_ORIG, orig);
	if (reply->has)
		ct_encode_tuple(request, CTA_TUPLE_REPLY, reply);
	nest = mnl_attr_nest_start(request, ATTR_FILTER);
	mnl_attr_put_u32(request, ATTR_FILTER_ORIG_FLAGS, filter_flags(orig));
	mnl_attr_put_u32(request, ATTR_FILTER_REPLY_FLAGS, filter_flags(reply));
	mnl_attr_nest_end(request, nest);
}

static void
put_ask(struct nlmsghdr *request, const struct ct_dump_ask *ask)
{
	if (ask->has & CT_ASK_ZONE)
		mnl_attr_put_u16(request, CTA_ZONE, htons(ask->zone));
	if (ask->has & CT_ASK_MARK) {
		mnl_attr_put_u32(request, CTA_MARK, htonl(ask->mark));
		mnl_attr_put_u32(request, CTA_MARK_MASK, htonl(ask->mark_mask));
	}
	if (ask->has & CT_ASK_STATUS) {
		mnl_attr_put_u32(request, CTA_STATUS, htonl(ask->status));
		mnl_attr_put_u32(request, ATTR_STATUS_MASK, htonl(ask->status_mask));
	}
	put_filter(request, ask);
}

static int
send_request(struct pass *pass)
{
	_Alignas(struct nlmsghdr) char bytes[REQUEST_MAX] = { 0 };
	const struct ct_dump_ask *ask = &pass->options->ask;
	struct nlmsghdr *request;

	request = ct_netlink_request(pass->netlink, bytes, IPCTNL_MSG_CT_GET,
				     NLM_F_DUMP, ask->family);
	put_ask(request, ask);
	pass->sequence = request->nlmsg_seq;
	return ct_netlink_send(pass->netlink, request, request->nlmsg_len);
}

/* As libmnl's mnl_nlmsg_ok() and mnl_nlmsg_next(), but inlined: once a flow or twice.
 */
static inline bool
message_ok(const struct nlmsghdr *at, int left)
{
	return left >= (int)sizeof(*at) && at->nlmsg_len >= sizeof(*at) &&
	       at->nlmsg_len <= (uint32_t)left;
}

static inline const struct nlmsghdr *
next_message(const struct nlmsghdr *at, int *left)
{
	*left -= (int)NLMSG_ALIGN(at->nlmsg_len);
	return (const struct nlmsghdr *)((const char *)at + NLMSG_ALIGN(at->nlmsg_len));
}

/*
 * Receives one reply of the dump.  Returns 1 when more follow, 0 when it was the last
 * one, -errno.
 */
static int
receive(const struct pass *pass, struct buffer *buffer)
{
	const struct nlmsghdr *at = (const struct nlmsghdr *)buffer->bytes;
	int verdict = 1;
	ssize_t size;
	int left;

	do {
		if (stopped(pass))
			return -ECANCELED;
		size = ct_netlink_receive(pass->netlink, buffer->bytes,
					  sizeof(buffer->bytes));
	} while (size == -EINTR);
	if (size < 0)
		return (int)size;
	buffer->size = (int)size;
	left = (int)size;
	for (; verdict > 0 && message_ok(at, left); at = next_message(at, &left))
		if (at->nlmsg_type < NLMSG_MIN_TYPE)
			verdict = ct_netlink_verdict(at, pass->sequence);
	return verdict > 0 && left != 0 ? -EBADMSG : verdict;
}

static bool
was_seen(const struct pass *pass, const struct ct_flow *flow)
{
	const struct seen *before = &pass->before;

	for (unsigned int i = 0; i < EDGE; i++)
		if (before->id[i] == flow->id &&
		    memcmp(&before->orig[i], &flow->orig, sizeof(flow->orig)) == 0)
			return true;
	return false;
}

static void
remember(struct pass *pass, const struct ct_flow *flow)
{
	unsigned int i = pass->last_next++ % EDGE;

	pass->last.id[i] = flow->id;
	pass->last.orig[i] = flow->orig;
}

/* Hands on the flows of one reply. */
static int
consume(struct pass *pass, const struct buffer *buffer)
{
	const struct nlmsghdr *at = (const struct nlmsghdr *)buffer->bytes;
	int left = buffer->size;
	unsigned int position = 0;
	struct ct_flow flow;
	int status = 0;

	pass->before = pass->last;
	for (; status == 0 && message_ok(at, left); at = next_message(at, &left)) {
		if (at->nlmsg_seq != pass->sequence || at->nlmsg_type < NLMSG_MIN_TYPE)
			continue;
		if (ct_decode_flow(&flow, (const char *)at + NLMSG_HDRLEN,
				   at->nlmsg_len - NLMSG_HDRLEN) < 0) {
			pass->result.malformed++;
			continue;
		}
		if (position++ < EDGE && was_seen(pass, &flow)) {
			pass->result.repeated++;
			continue;
		}
		remember(pass, &flow);
		pass->result.flows++;
		status = pass->flow_fn(&flow, pass->data);
	}
	return status;
}

static int
dump_plainly(struct pass *pass)
{
	struct buffer *buffer = malloc(sizeof(*buffer));
	int verdict, status;

	if (!buffer)
		return -ENOMEM;
	do {
		verdict = receive(pass, buffer);
		status = verdict < 0 ? verdict : consume(pass, buffer);
	} while (status == 0 && verdict > 0);
	free(buffer);
	return status;
}

/* The ring between the reader thread and the consumer; `mutex` guards the counts. */
struct ring {
	struct pass *pass;
	struct buffer *slots;
	pthread_mutex_t mutex;
	pthread_cond_t filled_some;
	pthread_cond_t emptied_some;
	unsigned int filled;  /* how many the reader has filled, ever */
	unsigned int emptied; /* how many the consumer has finished with */
	int verdict;          /* of the last receive: 1 while the reader works */
	bool abandoned;       /* the consumer wants no more */
};

static bool
wait_for_empty_slot(struct ring *ring)
{
	bool wanted;

	pthread_mutex_lock(&ring->mutex);
	while (ring->filled - ring->emptied == RING_SLOTS && !ring->abandoned)
		pthread_cond_wait(&ring->emptied_some, &ring->mutex);
	wanted = !ring->abandoned;
	pthread_mutex_unlock(&ring->mutex);
	return wanted;
}

static void *
reader(void *data)
{
	struct ring *ring = data;
	int verdict = 1;

	while (verdict > 0 && wait_for_empty_slot(ring)) {
		verdict = receive(ring->pass, &ring->slots[ring->filled % RING_SLOTS]);
		pthread_mutex_lock(&ring->mutex);
		if (verdict >= 0)
			ring->filled++;
		ring->verdict = verdict;
		if (verdict <= 0 || ring->filled - ring->emptied >= RING_WAKE)
			pthread_cond_signal(&ring->filled_some);
		pthread_mutex_unlock(&ring->mutex);
	}
	return NULL;
}

/* The next full slot; NULL when there will be none, and then *verdict says why. */
static const struct buffer *
wait_for_full_slot(struct ring *ring, int *verdict)
{
	const struct buffer *slot = NULL;

	pthread_mutex_lock(&ring->mutex);
	while (ring->filled == ring->emptied && ring->verdict > 0)
		pthread_cond_wait(&ring->filled_some, &ring->mutex);
	if (ring->filled != ring->emptied)
		slot = &ring->slots[ring->emptied % RING_SLOTS];
	*verdict = ring->verdict;
	pthread_mutex_unlock(&ring->mutex);
	return slot;
}

static void
release_slot(struct ring *ring, bool abandon)
{
	pthread_mutex_lock(&ring->mutex);
	ring->emptied++;
	ring->abandoned = abandon;
	pthread_cond_signal(&ring->emptied_some);
	pthread_mutex_unlock(&ring->mutex);
}

/* Signals are for the thread that called ct_dump(). */
static int
start_reader(pthread_t *thread, struct ring *ring)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, reader, ring);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

static int
dump_with_reader(struct pass *pass)
{
	struct ring ring = {
		.pass = pass,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.filled_some = PTHREAD_COND_INITIALIZER,
		.emptied_some = PTHREAD_COND_INITIALIZER,
		.verdict = 1,
	};
	const struct buffer *slot;
	pthread_t thread;
	int status;

	ring.slots = malloc(RING_SLOTS * sizeof(*ring.slots));
	if (!ring.slots)
		return -ENOMEM;
	status = start_reader(&thread, &ring);
	if (status == 0) {
		while (status == 0 && (slot = wait_for_full_slot(&ring, &status))) {
			status = stopped(pass) ? -ECANCELED : consume(pass, slot);
			release_slot(&ring, status != 0);
		}
		pthread_join(thread, NULL);
	}
	free(ring.slots);
	return status;
}

int
ct_dump(struct ct_netlink *netlink, const struct ct_dump_options *options,
	ct_flow_fn flow_fn, void *data, struct ct_dump_result *result)
{
	static const struct ct_dump_options everything;
	struct pass pass = {
		.netlink = netlink,
		.options = options ? options : &everything,
		.flow_fn = flow_fn,
		.data = data,
	};
	int status = send_request(&pass);

	if (status == 0)
		status = pass.options->reader_thread ? dump_with_reader(&pass)
						     : dump_plainly(&pass);
	if (result)
		*result = pass.result;
	return status;
}
