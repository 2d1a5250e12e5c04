/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clang-format off */
/*
 * JSON, an object a line, so that a reader needs no end.  A flow:
 *
 *	netns, event, time	where and when asked for; event: new, update, destroy
 *	unseen			true: not heard of, but found by looking at the table again
 *	family, proto, protonum	"ipv4", "tcp", 6; no proto where it has no name
 *	orig, reply		the directions, objects of: src, dst, and
 *				sport, dport (ports), type, code, icmpid (ICMP), or
 *				srckey, dstkey (GRE); zone, of this direction;
 *				packets, bytes
 *	state			"ESTABLISHED"; a number where it has no name
 *	status			["seen_reply", "assured", …]; "bit16" without a name
 *	timeout, mark, zone, use, id, secmark	numbers
 *	secctx			text; secctx_cut, true: it was longer
 *	helper			"ftp"
 *	labels			[names, or numbers where there is none]
 *	start, stop		times; duration, between them: seconds
 *	tcp			orig_wscale, reply_wscale, orig_flags, reply_flags
 *	sctp			orig_vtag, reply_vtag
 *	dccp			orig_role ("client", "server"), handshake_seq
 *	seqadj			orig, reply: correction_pos, offset_before, offset_after
 *	synproxy		isn, its, tsoff
 *	master			proto, protonum and a direction's members
 *
 * An expectation: netns, event, time, and the object expect:
 *
 *	family
 *	expected, mask, master, nat	each with proto, protonum, a direction's members
 *	nat_dir				"orig", "reply"
 *	helper, class, fn, flags, zone, timeout, id	flags: ["permanent", …]
 *
 * A loss: netns, event ("lost"), time, lost (how many events).
 *
 * What the kernel did not send is left out.  Times are seconds since 1970 with nine
 * decimals; counters go up to 2^64 - 1, more than a double holds exactly.
 */
/* clang-format on */
#include <netinet/in.h>

#include "json.h"

void
json_put_string(struct ct_text *text, const char *string)
{
	ct_text_char(text, '"');
	for (; *string; string++) {
		unsigned char byte = (unsigned char)*string;

		if (byte < ' ' || byte > '~') {
			ct_text_str(text, byte < 16 ? "\\u000" : "\\u00");
			ct_text_hex(text, byte);
			continue;
		}
		if (byte == '"' || byte == '\\')
			ct_text_char(text, '\\');
		ct_text_char(text, *string);
	}
	ct_text_char(text, '"');
}

static JSON_HOT void
put_addr(struct ct_text *text, char *sep, const char *key, uint8_t family,
	 const struct ct_addr *addr)
{
	json_put_key(text, sep, key);
	ct_text_char(text, '"');
	ct_text_addr(text, family, addr);
	ct_text_char(text, '"');
}

static JSON_HOT void
put_proto(struct ct_text *text, char *sep, uint8_t proto)
{
	const char *name = ct_proto_name(proto);

	if (name)
		json_put_name(text, sep, "\"proto\":", name);
	json_put_number(text, sep, "\"protonum\":", proto);
}

static JSON_HOT void
put_tuple(struct ct_text *text, char *sep, const struct ct_tuple *tuple)
{
	put_addr(text, sep, "\"src\":", tuple->family, &tuple->src);
	put_addr(text, sep, "\"dst\":", tuple->family, &tuple->dst);
	if (tuple->has & CT_TUPLE_PORTS && tuple->proto == IPPROTO_GRE) {
		json_put_number(text, sep, "\"srckey\":", tuple->sport);
		json_put_number(text, sep, "\"dstkey\":", tuple->dport);
	} else if (tuple->has & CT_TUPLE_PORTS) {
		json_put_number(text, sep, "\"sport\":", tuple->sport);
		json_put_number(text, sep, "\"dport\":", tuple->dport);
	} else if (tuple->has & CT_TUPLE_ICMP) {
		json_put_number(text, sep, "\"type\":", tuple->icmp_type);
		json_put_number(text, sep, "\"code\":", tuple->icmp_code);
		json_put_number(text, sep, "\"icmpid\":", tuple->icmp_id);
	}
	if (tuple->has & CT_TUPLE_ZONE)
		json_put_number(text, sep, "\"zone\":", tuple->zone);
}

void
json_put_tuple(struct ct_text *text, const struct ct_tuple *tuple)
{
	char sep = '{';

	put_proto(text, &sep, tuple->proto);
	put_tuple(text, &sep, tuple);
	json_put_close(text, sep);
}

static JSON_HOT void
put_direction(struct ct_text *text, const struct ct_tuple *tuple,
	      const struct ct_counters *counters)
{
	char sep = '{';

	put_tuple(text, &sep, tuple);
	if (counters) {
		json_put_number(text, &sep, "\"packets\":", counters->packets);
		json_put_number(text, &sep, "\"bytes\":", counters->bytes);
	}
	json_put_close(text, sep);
}

static void
put_directions(struct ct_text *text, char *sep, const struct ct_flow *flow)
{
	if (flow->has & CT_ORIG_TUPLE) {
		json_put_key(text, sep, "\"orig\":");
		put_direction(text, &flow->orig,
			      flow->has & CT_COUNTERS_ORIG ? &flow->counters[CT_ORIG]
							   : NULL);
	}
	if (flow->has & CT_REPLY_TUPLE) {
		json_put_key(text, sep, "\"reply\":");
		put_direction(text, &flow->reply,
			      flow->has & CT_COUNTERS_REPLY ? &flow->counters[CT_REPLY]
							    : NULL);
	}
}

static void
put_state(struct ct_text *text, char *sep, const struct ct_flow *flow)
{
	const char *name = ct_state_name(flow->orig.proto, flow->state);

	if (name)
		json_put_name(text, sep, "\"state\":", name);
	else
		json_put_number(text, sep, "\"state\":", flow->state);
}

void
json_put_bits(struct ct_text *text, uint32_t bits,
	      const char *(*name_of)(unsigned int bit))
{
	char sep = '[';

	for (unsigned int bit = 0; bit < 32 && bits >> bit; bit++) {
		const char *name = name_of(bit);

		if (!(bits >> bit & 1))
			continue;
		if (name)
			json_put_name(text, &sep, "", name);
		else
			ct_text_printf(text, "%c\"bit%u\"", sep, bit);
		sep = ',';
	}
	if (sep == '[')
		ct_text_char(text, '[');
	ct_text_char(text, ']');
}

static void
put_labels(struct ct_text *text, const struct output_view *view,
	   const struct ct_flow *flow)
{
	char sep = '[';

	for (unsigned int bit = 0; bit < CT_LABEL_BITS; bit++) {
		const char *name = ct_label_name(view->labels, bit);

		if (!ct_flow_label(flow, bit))
			continue;
		json_put_key(text, &sep, "");
		if (name)
			json_put_string(text, name);
		else
			ct_text_u64(text, bit);
	}
	if (sep == '[')
		ct_text_char(text, '[');
	ct_text_char(text, ']');
}

static void
put_tcp(struct ct_text *text, const struct ct_flow *flow)
{
	char sep = '{';

	if (flow->has & CT_TCP_WSCALE_ORIG)
		json_put_number(text, &sep,
				"\"orig_wscale\":", flow->tcp.wscale[CT_ORIG]);
	if (flow->has & CT_TCP_WSCALE_REPLY)
		json_put_number(text, &sep,
				"\"reply_wscale\":", flow->tcp.wscale[CT_REPLY]);
	if (flow->has & CT_TCP_FLAGS_ORIG)
		json_put_number(text, &sep,
				"\"orig_flags\":", flow->tcp.flags[CT_ORIG]);
	if (flow->has & CT_TCP_FLAGS_REPLY)
		json_put_number(text, &sep,
				"\"reply_flags\":", flow->tcp.flags[CT_REPLY]);
	json_put_close(text, sep);
}

static void
put_sctp(struct ct_text *text, const struct ct_flow *flow)
{
	char sep = '{';

	if (flow->has & CT_SCTP_VTAG_ORIG)
		json_put_number(text, &sep, "\"orig_vtag\":", flow->sctp.vtag[CT_ORIG]);
	if (flow->has & CT_SCTP_VTAG_REPLY)
		json_put_number(text, &sep,
				"\"reply_vtag\":", flow->sctp.vtag[CT_REPLY]);
	json_put_close(text, sep);
}

static void
put_dccp(struct ct_text *text, const struct ct_flow *flow)
{
	char sep = '{';

	if (flow->has & CT_DCCP_ROLE)
		json_put_name(text, &sep,
			      "\"orig_role\":", flow->dccp.role ? "server" : "client");
	if (flow->has & CT_DCCP_SEQ)
		json_put_number(text, &sep,
				"\"handshake_seq\":", flow->dccp.handshake_seq);
	json_put_close(text, sep);
}

static void
put_protocol(struct ct_text *text, char *sep, const struct ct_flow *flow)
{
	switch (flow->orig.proto) {
	case IPPROTO_TCP:
		json_put_key(text, sep, "\"tcp\":");
		put_tcp(text, flow);
		break;
	case IPPROTO_SCTP:
		json_put_key(text, sep, "\"sctp\":");
		put_sctp(text, flow);
		break;
	case IPPROTO_DCCP:
		json_put_key(text, sep, "\"dccp\":");
		put_dccp(text, flow);
		break;
	}
}

static void
put_shift(struct ct_text *text, char *sep, const char *direction,
	  const struct ct_seqadj *seqadj)
{
	ct_text_printf(text,
		       "%c\"%s\":{\"correction_pos\":%u,\"offset_before\":%d,"
		       "\"offset_after\":%d}",
		       *sep, direction, seqadj->correction_pos, seqadj->offset_before,
		       seqadj->offset_after);
	*sep = ',';
}

static void
put_seqadj(struct ct_text *text, const struct ct_flow *flow)
{
	char sep = '{';

	if (flow->has & CT_SEQADJ_ORIG)
		put_shift(text, &sep, "orig", &flow->seqadj[CT_ORIG]);
	if (flow->has & CT_SEQADJ_REPLY)
		put_shift(text, &sep, "reply", &flow->seqadj[CT_REPLY]);
	json_put_close(text, sep);
}

static void
put_synproxy(struct ct_text *text, const struct ct_synproxy *synproxy)
{
	char sep = '{';

	json_put_number(text, &sep, "\"isn\":", synproxy->isn);
	json_put_number(text, &sep, "\"its\":", synproxy->its);
	json_put_number(text, &sep, "\"tsoff\":", synproxy->tsoff);
	json_put_close(text, sep);
}

static void
put_security(struct ct_text *text, char *sep, const struct ct_flow *flow)
{
	if (flow->has & CT_SECMARK)
		json_put_number(text, sep, "\"secmark\":", flow->secmark);
	if (flow->has & CT_SECCTX) {
		json_put_key(text, sep, "\"secctx\":");
		json_put_string(text, flow->secctx);
	}
	if (flow->has & CT_SECCTX_CUT)
		json_put_key(text, sep, "\"secctx_cut\":true");
}

/* What few flows have. */
static void
put_rest(struct ct_text *text, char *sep, const struct output_view *view,
	 const struct ct_flow *flow)
{
	if (flow->has & (CT_SECMARK | CT_SECCTX))
		put_security(text, sep, flow);
	if (flow->has & CT_HELPER_NAME) {
		json_put_key(text, sep, "\"helper\":");
		json_put_string(text, flow->helper);
	}
	if (flow->has & CT_LABELS) {
		json_put_key(text, sep, "\"labels\":");
		put_labels(text, view, flow);
	}
	if (flow->has & CT_SEQADJ) {
		json_put_key(text, sep, "\"seqadj\":");
		put_seqadj(text, flow);
	}
	if (flow->has & CT_SYNPROXY) {
		json_put_key(text, sep, "\"synproxy\":");
		put_synproxy(text, &flow->synproxy);
	}
	if (flow->has & CT_MASTER_TUPLE) {
		json_put_key(text, sep, "\"master\":");
		json_put_tuple(text, &flow->master);
	}
}

static void
put_flow_members(struct ct_text *text, char *sep, const struct output_view *view,
		 const struct ct_flow *flow)
{
	uint64_t duration;

	json_put_name(text, sep, "\"family\":", ct_family_name(flow->orig.family));
	put_proto(text, sep, flow->orig.proto);
	put_directions(text, sep, flow);
	if (flow->has & CT_STATE)
		put_state(text, sep, flow);
	if (flow->has & CT_STATUS) {
		json_put_key(text, sep, "\"status\":");
		json_put_bits(text, flow->status, ct_status_name);
	}
	if (flow->has & CT_TIMEOUT)
		json_put_number(text, sep, "\"timeout\":", flow->timeout);
	if (flow->has & CT_MARK)
		json_put_number(text, sep, "\"mark\":", flow->mark);
	if (flow->has & CT_ZONE)
		json_put_number(text, sep, "\"zone\":", flow->zone);
	if (flow->has & CT_USE)
		json_put_number(text, sep, "\"use\":", flow->use);
	if (flow->has & CT_ID)
		json_put_number(text, sep, "\"id\":", flow->id);
	if (flow->has & CT_START)
		json_put_time(text, sep, "\"start\":", flow->start);
	if (flow->has & CT_STOP)
		json_put_time(text, sep, "\"stop\":", flow->stop);
	if (ct_flow_duration(flow, &duration))
		json_put_time(text, sep, "\"duration\":", duration);
	if (flow->has & (CT_PROTOINFO & ~CT_STATE))
		put_protocol(text, sep, flow);
	put_rest(text, sep, view, flow);
}

static void
put_netns(struct ct_text *text, char *sep, const struct output_view *view)
{
	if (!view->netns)
		return;
	json_put_key(text, sep, "\"netns\":");
	json_put_string(text, view->netns);
}

static void
put_end(struct ct_text *text, char sep)
{
	json_put_close(text, sep);
	ct_text_char(text, '\n');
}

static void
put_flow(struct ct_text *text, const struct output_view *view,
	 const struct ct_flow *flow)
{
	char sep = '{';

	put_netns(text, &sep, view);
	put_flow_members(text, &sep, view, flow);
	put_end(text, sep);
}

static void
put_expect(struct ct_text *text, const struct output_view *view,
	   const struct ct_expect *expect)
{
	char sep = '{';

	put_netns(text, &sep, view);
	json_put_key(text, &sep, "\"expect\":");
	json_put_expect(text, expect);
	put_end(text, sep);
}

static void
put_event(struct ct_text *text, const struct output_view *view,
	  const struct ct_event *event)
{
	uint64_t when = output_event_time(view, event);
	char sep = '{';

	put_netns(text, &sep, view);
	json_put_name(text, &sep, "\"event\":", output_event_name(event->kind));
	if (event->unseen)
		ct_text_str(text, ",\"unseen\":true");
	if (when)
		json_put_time(text, &sep, "\"time\":", when);
	if (event->flow) {
		put_flow_members(text, &sep, view, event->flow);
	} else if (event->expect) {
		json_put_key(text, &sep, "\"expect\":");
		json_put_expect(text, event->expect);
	} else {
		json_put_number(text, &sep, "\"lost\":", event->lost);
	}
	put_end(text, sep);
}

static void
begin(struct ct_text *text, const struct output_head *head)
{
	(void)text;
	(void)head;
}

/* Who reads a log of flows is to know when some are missing for another reason than a
 * loss. */
static void
end(struct ct_text *text, const struct output_end *end)
{
	char sep = '{';

	if (end->subject != OUTPUT_EVENTS || (end->complete && !end->malformed))
		return;
	json_put_name(text, &sep, "\"event\":", "incomplete");
	if (end->ended)
		json_put_time(text, &sep, "\"time\":", end->ended);
	json_put_number(text, &sep, "\"malformed\":", end->malformed);
	put_end(text, sep);
}

const struct output output_json = {
	.name = "json",
	.begin = begin,
	.flow = put_flow,
	.expect = put_expect,
	.event = put_event,
	.end = end,
};
