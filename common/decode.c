/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A straight switch for each nest level of a conntrack message, bounds checked.  This
 * runs once per flow, so there are no tables of policies and no callbacks in it.
 */
#include "decode.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include "walk.h"

/* Younger than the headers of Linux 6.1. */
#define ATTR_TIMESTAMP_EVENT 27

static HOT int
decode_ip(struct ct_tuple *tuple, struct walk w)
{

	while (walk_next(&w)) {
		switch (w.type) {
		case CTA_IP_V4_SRC:
			if (take(&w, &tuple->src, 4))
				tuple->has |= CT_TUPLE_SRC;
			break;
		case CTA_IP_V4_DST:
			if (take(&w, &tuple->dst, 4))
				tuple->has |= CT_TUPLE_DST;
			break;
		case CTA_IP_V6_SRC:
			if (take(&w, &tuple->src, 16))
				tuple->has |= CT_TUPLE_SRC;
			break;
		case CTA_IP_V6_DST:
			if (take(&w, &tuple->dst, 16))
				tuple->has |= CT_TUPLE_DST;
			break;
		}
	}
	return w.error;
}

static HOT int
decode_proto(struct ct_tuple *tuple, struct walk w)
{

	while (walk_next(&w)) {
		switch (w.type) {
		case CTA_PROTO_NUM:
			if (take_u8(&w, &tuple->proto))
				tuple->has |= CT_TUPLE_PROTO;
			break;
		case CTA_PROTO_SRC_PORT:
			if (take_be16(&w, &tuple->sport))
				tuple->has |= CT_TUPLE_SPORT;
			break;
		case CTA_PROTO_DST_PORT:
			if (take_be16(&w, &tuple->dport))
				tuple->has |= CT_TUPLE_DPORT;
			break;
		case CTA_PROTO_ICMP_ID:
		case CTA_PROTO_ICMPV6_ID:
			if (take_be16(&w, &tuple->icmp_id))
				tuple->has |= CT_TUPLE_ICMP_ID;
			break;
		case CTA_PROTO_ICMP_TYPE:
		case CTA_PROTO_ICMPV6_TYPE:
			if (take_u8(&w, &tuple->icmp_type))
				tuple->has |= CT_TUPLE_ICMP_TYPE;
			break;
		case CTA_PROTO_ICMP_CODE:
		case CTA_PROTO_ICMPV6_CODE:
			if (take_u8(&w, &tuple->icmp_code))
				tuple->has |= CT_TUPLE_ICMP_CODE;
			break;
		}
	}
	return w.error;
}

static HOT int
decode_tuple(struct ct_tuple *tuple, struct walk w)
{
	int error = 0;

	while (!error && walk_next(&w)) {
		switch (w.type) {
		case CTA_TUPLE_IP:
			error = decode_ip(tuple, walk_into(&w));
			break;
		case CTA_TUPLE_PROTO:
			error = decode_proto(tuple, walk_into(&w));
			break;
		case CTA_TUPLE_ZONE:
			if (take_be16(&w, &tuple->zone))
				tuple->has |= CT_TUPLE_ZONE;
			break;
		}
	}
	return error ? error : w.error;
}

static HOT int
decode_tcp(struct ct_flow *flow, struct walk w)
{
	uint8_t flags[2]; /* struct nf_ct_tcp_flags: the flags, then their mask */

	while (walk_next(&w)) {
		switch (w.type) {
		case CTA_PROTOINFO_TCP_STATE:
			if (take_u8(&w, &flow->state))
				flow->has |= CT_STATE;
			break;
		case CTA_PROTOINFO_TCP_WSCALE_ORIGINAL:
			if (take_u8(&w, &flow->tcp.wscale[CT_ORIG]))
				flow->has |= CT_TCP_WSCALE_ORIG;
			break;
		case CTA_PROTOINFO_TCP_WSCALE_REPLY:
			if (take_u8(&w, &flow->tcp.wscale[CT_REPLY]))
				flow->has |= CT_TCP_WSCALE_REPLY;
			break;
		case CTA_PROTOINFO_TCP_FLAGS_ORIGINAL:
			if (take(&w, flags, sizeof(flags))) {
				flow->tcp.flags[CT_ORIG] = flags[0];
				flow->has |= CT_TCP_FLAGS_ORIG;
			}
			break;
		case CTA_PROTOINFO_TCP_FLAGS_REPLY:
			if (take(&w, flags, sizeof(flags))) {
				flow->tcp.flags[CT_REPLY] = flags[0];
				flow->has |= CT_TCP_FLAGS_REPLY;
			}
			break;
		}
	}
	return w.error;
}

static int
decode_sctp(struct ct_flow *flow, struct walk w)
{

	while (walk_next(&w)) {
		switch (w.type) {
		case CTA_PROTOINFO_SCTP_STATE:
			if (take_u8(&w, &flow->state))
				flow->has |= CT_STATE;
			break;
		case CTA_PROTOINFO_SCTP_VTAG_ORIGINAL:
			if (take_be32(&w, &flow->sctp.vtag[CT_ORIG]))
				flow->has |= CT_SCTP_VTAG_ORIG;
			break;
		case CTA_PROTOINFO_SCTP_VTAG_REPLY:
			if (take_be32(&w, &flow->sctp.vtag[CT_REPLY]))
				flow->has |= CT_SCTP_VTAG_REPLY;
			break;
		}
	}
	return w.error;
}

static int
decode_dccp(struct ct_flow *flow, struct walk w)
{

	while (walk_next(&w)) {
		switch (w.type) {
		case CTA_PROTOINFO_DCCP_STATE:
			if (take_u8(&w, &flow->state))
				flow->has |= CT_STATE;
			break;
		case CTA_PROTOINFO_DCCP_ROLE:
			if (take_u8(&w, &flow->dccp.role))
				flow->has |= CT_DCCP_ROLE;
			break;
		case CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ:
			if (take_be64(&w, &flow->dccp.handshake_seq))
				flow->has |= CT_DCCP_SEQ;
			break;
		}
	}
	return w.error;
}

static HOT int
decode_protoinfo(struct ct_flow *flow, struct walk w)
{
	int error = 0;

	while (!error && walk_next(&w)) {
		switch (w.type) {
		case CTA_PROTOINFO_TCP:
			error = decode_tcp(flow, walk_into(&w));
			break;
		case CTA_PROTOINFO_SCTP:
			error = decode_sctp(flow, walk_into(&w));
			break;
		case CTA_PROTOINFO_DCCP:
			error = decode_dccp(flow, walk_into(&w));
			break;
		}
	}
	return error ? error : w.error;
}

/* Kernels before 2.6.27 or so had 32-bit counters, as separate attributes. */
static HOT int
decode_counters(struct ct_counters *counters, struct walk w)
{
	uint32_t half;

	while (walk_next(&w)) {
		switch (w.type) {
		case CTA_COUNTERS_PACKETS:
			take_be64(&w, &counters->packets);
			break;
		case CTA_COUNTERS_BYTES:
			take_be64(&w, &counters->bytes);
			break;
		case CTA_COUNTERS32_PACKETS:
			if (take_be32(&w, &half))
				counters->packets = half;
			break;
		case CTA_COUNTERS32_BYTES:
			if (take_be32(&w, &half))
				counters->bytes = half;
			break;
		}
	}
	return w.error;
}

static HOT int
decode_timestamps(struct ct_flow *flow, struct walk w)
{

	while (walk_next(&w)) {
		switch (w.type) {
		case CTA_TIMESTAMP_START:
			if (take_be64(&w, &flow->start))
				flow->has |= CT_START;
			break;
		case CTA_TIMESTAMP_STOP:
			if (take_be64(&w, &flow->stop))
				flow->has |= CT_STOP;
			break;
		}
	}
	return w.error;
}

static int
decode_seqadj(struct ct_seqadj *seqadj, struct walk w)
{
	uint32_t offset;

	while (walk_next(&w)) {
		switch (w.type) {
		case CTA_SEQADJ_CORRECTION_POS:
			take_be32(&w, &seqadj->correction_pos);
			break;
		case CTA_SEQADJ_OFFSET_BEFORE:
			if (take_be32(&w, &offset))
				seqadj->offset_before = (int32_t)offset;
			break;
		case CTA_SEQADJ_OFFSET_AFTER:
			if (take_be32(&w, &offset))
				seqadj->offset_after = (int32_t)offset;
			break;
		}
	}
	return w.error;
}

static int
decode_synproxy(struct ct_synproxy *synproxy, struct walk w)
{

	while (walk_next(&w)) {
		switch (w.type) {
		case CTA_SYNPROXY_ISN:
			take_be32(&w, &synproxy->isn);
			break;
		case CTA_SYNPROXY_ITS:
			take_be32(&w, &synproxy->its);
			break;
		case CTA_SYNPROXY_TSOFF:
			take_be32(&w, &synproxy->tsoff);
			break;
		}
	}
	return w.error;
}

static int
decode_helper(struct ct_flow *flow, struct walk w)
{

	while (walk_next(&w)) {
		if (w.type == CTA_HELP_NAME) {
			take_text(&w, flow->helper, sizeof(flow->helper));
			flow->has |= CT_HELPER_NAME;
		}
	}
	return w.error;
}

static int
decode_secctx(struct ct_flow *flow, struct walk w)
{

	while (walk_next(&w)) {
		if (w.type == CTA_SECCTX_NAME) {
			flow->has &= ~CT_SECCTX_CUT;
			if (take_text(&w, flow->secctx, sizeof(flow->secctx)))
				flow->has |= CT_SECCTX_CUT;
			flow->has |= CT_SECCTX;
		}
	}
	return w.error;
}

/* What the size of labels is a multiple of; where bytes are in order, 32 bits will do.
 */
#if __BYTE_ORDER == __LITTLE_ENDIAN
#define LABEL_WORD sizeof(uint32_t)
#else
#define LABEL_WORD sizeof(long)
#endif

/*
 * The kernel sends its bitmap as an array of native longs.  Should there ever be more
 * labels than ours, those are left out, as unknown attributes are.
 */
static void
decode_labels(struct ct_flow *flow, struct walk *w)
{
	size_t size = w->size < sizeof(flow->labels) ? w->size : sizeof(flow->labels);

	if (w->size % LABEL_WORD != 0) {
		walk_fail(w);
		return;
	}
	for (size_t i = 0; i < size; i++)
		flow->labels[i] = w->data[CT_LABEL_BYTE(i)];
	flow->has |= CT_LABELS;
}

/* What few flows have; kept apart so that the common path stays small. */
static int
decode_rare(struct ct_flow *flow, struct walk w)
{
	switch (w.type) {
	case CTA_HELP:
		return decode_helper(flow, walk_into(&w));
	case CTA_TUPLE_MASTER:
		flow->has |= CT_MASTER_TUPLE;
		return decode_tuple(&flow->master, walk_into(&w));
	case CTA_SEQ_ADJ_ORIG:
		flow->has |= CT_SEQADJ_ORIG;
		return decode_seqadj(&flow->seqadj[CT_ORIG], walk_into(&w));
	case CTA_SEQ_ADJ_REPLY:
		flow->has |= CT_SEQADJ_REPLY;
		return decode_seqadj(&flow->seqadj[CT_REPLY], walk_into(&w));
	case CTA_SYNPROXY:
		flow->has |= CT_SYNPROXY;
		return decode_synproxy(&flow->synproxy, walk_into(&w));
	case CTA_SECCTX:
		return decode_secctx(flow, walk_into(&w));
	case CTA_SECMARK:
		if (take_be32(&w, &flow->secmark))
			flow->has |= CT_SECMARK;
		break;
	case CTA_ZONE:
		if (take_be16(&w, &flow->zone))
			flow->has |= CT_ZONE;
		break;
	case CTA_LABELS:
		decode_labels(flow, &w);
		break;
	case ATTR_TIMESTAMP_EVENT:
		if (take_be64(&w, &flow->event_time))
			flow->has |= CT_EVENT_TIME;
		break;
	}
	return w.error;
}

static HOT int
decode_attribute(struct ct_flow *flow, struct walk *w)
{
	switch (w->type) {
	case CTA_TUPLE_ORIG:
		flow->has |= CT_ORIG_TUPLE;
		return decode_tuple(&flow->orig, walk_into(w));
	case CTA_TUPLE_REPLY:
		flow->has |= CT_REPLY_TUPLE;
		return decode_tuple(&flow->reply, walk_into(w));
	case CTA_PROTOINFO:
		return decode_protoinfo(flow, walk_into(w));
	case CTA_COUNTERS_ORIG:
		flow->has |= CT_COUNTERS_ORIG;
		return decode_counters(&flow->counters[CT_ORIG], walk_into(w));
	case CTA_COUNTERS_REPLY:
		flow->has |= CT_COUNTERS_REPLY;
		return decode_counters(&flow->counters[CT_REPLY], walk_into(w));
	case CTA_TIMESTAMP:
		return decode_timestamps(flow, walk_into(w));
	case CTA_STATUS:
		if (take_be32(w, &flow->status))
			flow->has |= CT_STATUS;
		break;
	case CTA_TIMEOUT:
		if (take_be32(w, &flow->timeout))
			flow->has |= CT_TIMEOUT;
		break;
	case CTA_MARK:
		if (take_be32(w, &flow->mark))
			flow->has |= CT_MARK;
		break;
	case CTA_USE:
		if (take_be32(w, &flow->use))
			flow->has |= CT_USE;
		break;
	case CTA_ID:
		if (take_be32(w, &flow->id))
			flow->has |= CT_ID;
		break;
	default:
		return decode_rare(flow, *w);
	}
	return w->error;
}

int
ct_decode_flow(struct ct_flow *flow, const void *payload, size_t size)
{
	const size_t head = NLMSG_ALIGN(sizeof(struct nfgenmsg));
	struct nfgenmsg message;
	struct walk w;
	int error = 0;

	if (size < head)
		return -EBADMSG;
	memset(flow, 0, sizeof(*flow));
	memcpy(&message, payload, sizeof(message));
	if (message.nfgen_family != AF_INET && message.nfgen_family != AF_INET6)
		return -EBADMSG;
	flow->orig.family = message.nfgen_family;
	flow->reply.family = message.nfgen_family;
	flow->master.family = message.nfgen_family;
	w = walk_start((const uint8_t *)payload + head, size - head);
	while (!error && walk_next(&w))
		error = decode_attribute(flow, &w);
	return error ? error : w.error;
}

int
ct_decode_tuple(struct ct_tuple *tuple, const void *attributes, size_t size)
{
	return decode_tuple(tuple, walk_start(attributes, size));
}
