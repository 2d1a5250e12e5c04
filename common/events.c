/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events, received in handfuls; the kernel's count of drops is read after each. */
#include "events.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>

#include "decode.h"
#include "netlink.h"

/* No event is larger: labels, names and all come to less than a kilobyte. */
#define EVENT_SIZE 4096
/* Handfuls in one step, so that a step ends even in a flood. */
#define STEP_MAX 64

struct ct_events {
	struct ct_netlink *netlink;
	uint32_t granted;
	uint32_t drops; /* as the kernel counts them */
	uint64_t lost;
	uint64_t malformed;
	/* What the last handful brought and the callback has not had yet. */
	int count;
	int next;
	struct ct_netlink_datagram datagrams[CT_NETLINK_MANY];
	_Alignas(struct nlmsghdr) char bytes[CT_NETLINK_MANY][EVENT_SIZE];
};

static int
subscribe(struct ct_events *events, unsigned int groups)
{
	static const int group_of[] = {
		NFNLGRP_CONNTRACK_NEW,        NFNLGRP_CONNTRACK_UPDATE,
		NFNLGRP_CONNTRACK_DESTROY,    NFNLGRP_CONNTRACK_EXP_NEW,
		NFNLGRP_CONNTRACK_EXP_UPDATE, NFNLGRP_CONNTRACK_EXP_DESTROY,
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(group_of) / sizeof(group_of[0]); i++)
		if (groups >> i & 1)
			error = ct_netlink_subscribe(events->netlink, group_of[i]);
	return error;
}

static int
start(struct ct_events *events, const struct ct_events_options *options)
{
	int error = ct_netlink_open(&events->netlink, options->netns);

	if (error)
		return error;
	for (int i = 0; i < CT_NETLINK_MANY; i++) {
		events->datagrams[i].bytes = events->bytes[i];
		events->datagrams[i].capacity = EVENT_SIZE;
	}
	events->granted = ct_netlink_set_buffer(
		events->netlink, options->buffer ? options->buffer : CT_EVENTS_BUFFER);
	if (options->all_namespaces)
		error = ct_netlink_hear_all_namespaces(events->netlink);
	return error ? error : subscribe(events, options->groups);
}

int
ct_events_open(struct ct_events **events, const struct ct_events_options *options)
{
	struct ct_events *opened = calloc(1, sizeof(*opened));
	int error;

	if (!opened)
		return -ENOMEM;
	error = start(opened, options);
	if (error) {
		ct_events_free(opened);
		return error;
	}
	*events = opened;
	return 0;
}

void
ct_events_free(struct ct_events *events)
{
	if (!events)
		return;
	ct_netlink_free(events->netlink);
	free(events);
}

int
ct_events_fd(const struct ct_events *events)
{
	return ct_netlink_fd(events->netlink);
}

uint32_t
ct_events_buffer(const struct ct_events *events)
{
	return events->granted;
}

uint64_t
ct_events_lost(const struct ct_events *events)
{
	return events->lost;
}

uint64_t
ct_events_malformed(const struct ct_events *events)
{
	return events->malformed;
}

static int
report_losses(struct ct_events *events, ct_event_fn event_fn, void *data)
{
	struct ct_event event = { .kind = CT_EVENT_LOST, .nsid = CT_NSID_HERE };
	uint32_t drops;
	int error = ct_netlink_drops(events->netlink, &drops);

	if (error || drops == events->drops)
		return error;
	event.lost = (uint32_t)(drops - events->drops); /* the count wraps */
	events->drops = drops;
	events->lost += event.lost;
	return event_fn(&event, data);
}

/* New things and changed ones come in the same message, told apart by its flags. */
static enum ct_event_kind
kind_of(const struct nlmsghdr *message)
{
	if ((message->nlmsg_type & 0xff) == IPCTNL_MSG_CT_DELETE)
		return CT_EVENT_DESTROY;
	return message->nlmsg_flags & NLM_F_CREATE ? CT_EVENT_NEW : CT_EVENT_UPDATE;
}

static int
hand_on(struct ct_events *events, const struct nlmsghdr *message, int nsid,
	ct_event_fn event_fn, void *data)
{
	struct ct_event event = { .kind = kind_of(message), .nsid = nsid };
	const void *payload = mnl_nlmsg_get_payload(message);
	size_t size = mnl_nlmsg_get_payload_len(message);
	struct ct_expect expect;
	struct ct_flow flow;
	int error;

	if (message->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK_EXP) {
		event.expect = &expect;
		error = ct_decode_expect(&expect, payload, size);
	} else if (message->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK) {
		event.flow = &flow;
		error = ct_decode_flow(&flow, payload, size);
	} else {
		return 0;
	}
	if (error) {
		events->malformed++;
		return 0;
	}
	return event_fn(&event, data);
}

/* An event's datagram holds one message. */
static int
hand_on_datagram(struct ct_events *events, const struct ct_netlink_datagram *datagram,
		 ct_event_fn event_fn, void *data)
{
	const struct nlmsghdr *message = datagram->bytes;

	if (!mnl_nlmsg_ok(message, (int)datagram->size)) {
		events->malformed++;
		return 0;
	}
	return hand_on(events, message, datagram->nsid, event_fn, data);
}

/* Hands on what has been received; what a callback's end leaves is for the next step.
 */
static int
hand_on_handful(struct ct_events *events, ct_event_fn event_fn, void *data)
{
	int status = 0;

	while (events->next < events->count && status == 0)
		status = hand_on_datagram(events, &events->datagrams[events->next++],
					  event_fn, data);
	return status;
}

static int
receive_handful(struct ct_events *events)
{
	int count = ct_netlink_receive_many(events->netlink, events->datagrams);

	events->next = 0;
	events->count = count > 0 ? count : 0;
	return count;
}

int
ct_events_step(struct ct_events *events, ct_event_fn event_fn, void *data)
{
	int status = hand_on_handful(events, event_fn, data);
	int count = 1;

	for (int i = 0; i < STEP_MAX && status == 0 && count > 0; i++) {
		count = receive_handful(events);
		if (count < 0)
			return count;
		status = hand_on_handful(events, event_fn, data);
		if (status == 0)
			status = report_losses(events, event_fn, data);
	}
	return status;
}
