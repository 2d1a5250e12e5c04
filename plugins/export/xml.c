/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML, dialect "conntracks".  What its first readers know comes first and looks as it
 * always did: the attributes id, mark, use and timeout; status; the tuples; the
 * counters.  What they do not know follows in elements of its own, and only where the
 * kernel sent it.  conntracks.rng is its schema.
 */
#include <netinet/in.h>

#include "xml.h"

static void
put_signed(struct ct_text *text, const char *before, int64_t number)
{
	ct_text_printf(text, "%s%lld\"", before, (long long)number);
}

static void
put_state(struct ct_text *text, const struct ct_flow *flow)
{
	const char *name = ct_state_name(flow->orig.proto, flow->state);

	if (!(flow->has & CT_STATE))
		return;
	ct_text_str(text, " state=\"");
	if (name)
		ct_text_bytes(text, name, strlen(name));
	else
		ct_text_u64(text, flow->state);
	ct_text_char(text, '"');
}

static void
put_flag(struct ct_text *text, unsigned int bit)
{
	const char *name = ct_status_name(bit);

	ct_text_str(text, "         <flag>");
	if (1u << bit == CT_SEEN_REPLY)
		ct_text_str(text, "seen reply"); /* so its first readers know it */
	else if (name)
		ct_text_bytes(text, name, strlen(name));
	else
		ct_text_printf(text, "bit%u", bit);
	ct_text_str(text, "</flag>\n");
}

static void
put_status(struct ct_text *text, uint32_t status)
{
	if (!status)
		return;
	ct_text_str(text, "      <status>\n");
	for (unsigned int bit = 0; bit <= 5 || (bit < 32 && status >> bit); bit++) {
		if (status >> bit & 1)
			put_flag(text, bit);
		if (1u << bit == CT_DST_NAT && status & CT_NAT_MASK)
			ct_text_str(text, "         <flag>nat_mask</flag>\n");
	}
	ct_text_str(text, "      </status>\n");
}

void
xml_put_tuple(struct ct_text *text, const struct ct_tuple *tuple)
{
	xml_put_number(text, " l3protonum=\"", tuple->family);
	ct_text_str(text, " src=\"");
	ct_text_addr(text, tuple->family, &tuple->src);
	ct_text_str(text, "\" dst=\"");
	ct_text_addr(text, tuple->family, &tuple->dst);
	ct_text_char(text, '"');
	xml_put_number(text, " proto=\"", tuple->proto);
	if (tuple->has & CT_TUPLE_PORTS && tuple->proto == IPPROTO_GRE) {
		xml_put_hex(text, " srckey=\"", tuple->sport);
		xml_put_hex(text, " dstkey=\"", tuple->dport);
	} else if (tuple->has & CT_TUPLE_PORTS) {
		xml_put_number(text, " sport=\"", tuple->sport);
		xml_put_number(text, " dport=\"", tuple->dport);
	} else if (tuple->has & CT_TUPLE_ICMP) {
		xml_put_number(text, " type=\"", tuple->icmp_type);
		xml_put_number(text, " code=\"", tuple->icmp_code);
		xml_put_number(text, " icmpid=\"", tuple->icmp_id);
	}
	if (tuple->has & CT_TUPLE_ZONE)
		xml_put_number(text, " zone=\"", tuple->zone);
	ct_text_str(text, " />\n");
}

/* The reply's tuple stands only where it is not what one would expect. */
static void
put_tuples(struct ct_text *text, const struct ct_flow *flow)
{
	if (flow->has & CT_ORIG_TUPLE) {
		ct_text_str(text, "      <tuple");
		xml_put_tuple(text, &flow->orig);
	}
	if (flow->has & CT_REPLY_TUPLE &&
	    (ct_flow_is_nat(flow) || flow->reply.has & CT_TUPLE_ZONE ||
	     !ct_tuple_is_mirror(&flow->orig, &flow->reply))) {
		ct_text_str(text, "      <tuple");
		xml_put_tuple(text, &flow->reply);
	}
}

static void
put_counters(struct ct_text *text, const struct ct_counters *counters)
{
	xml_put_number(text, "      <counter packets=\"", counters->packets);
	xml_put_number(text, " bytes=\"", counters->bytes);
	ct_text_str(text, " />\n");
}

static void
put_tcp(struct ct_text *text, const struct ct_flow *flow)
{
	ct_text_str(text, "      <tcp");
	put_state(text, flow);
	if (flow->has & CT_TCP_WSCALE_ORIG)
		xml_put_number(text, " orig_wscale=\"", flow->tcp.wscale[CT_ORIG]);
	if (flow->has & CT_TCP_WSCALE_REPLY)
		xml_put_number(text, " reply_wscale=\"", flow->tcp.wscale[CT_REPLY]);
	if (flow->has & CT_TCP_FLAGS_ORIG)
		xml_put_hex(text, " orig_flags=\"", flow->tcp.flags[CT_ORIG]);
	if (flow->has & CT_TCP_FLAGS_REPLY)
		xml_put_hex(text, " reply_flags=\"", flow->tcp.flags[CT_REPLY]);
	ct_text_str(text, " />\n");
}

static void
put_sctp(struct ct_text *text, const struct ct_flow *flow)
{
	ct_text_str(text, "      <sctp");
	put_state(text, flow);
	if (flow->has & CT_SCTP_VTAG_ORIG)
		xml_put_hex(text, " orig_vtag=\"", flow->sctp.vtag[CT_ORIG]);
	if (flow->has & CT_SCTP_VTAG_REPLY)
		xml_put_hex(text, " reply_vtag=\"", flow->sctp.vtag[CT_REPLY]);
	ct_text_str(text, " />\n");
}

static void
put_dccp(struct ct_text *text, const struct ct_flow *flow)
{
	ct_text_str(text, "      <dccp");
	put_state(text, flow);
	if (flow->has & CT_DCCP_ROLE)
		ct_text_str(text, flow->dccp.role ? " orig_role=\"server\""
						  : " orig_role=\"client\"");
	if (flow->has & CT_DCCP_SEQ)
		xml_put_number(text, " handshake_seq=\"", flow->dccp.handshake_seq);
	ct_text_str(text, " />\n");
}

static void
put_protocol(struct ct_text *text, const struct ct_flow *flow)
{
	if (!(flow->has & CT_PROTOINFO))
		return;
	if (flow->orig.proto == IPPROTO_TCP)
		put_tcp(text, flow);
	else if (flow->orig.proto == IPPROTO_SCTP)
		put_sctp(text, flow);
	else if (flow->orig.proto == IPPROTO_DCCP)
		put_dccp(text, flow);
}

static void
put_times(struct ct_text *text, const struct ct_flow *flow)
{
	uint64_t duration;

	if (!(flow->has & (CT_START | CT_STOP | CT_EVENT_TIME)))
		return;
	ct_text_str(text, "      <timestamp");
	if (flow->has & CT_START)
		xml_put_time(text, " start=\"", flow->start);
	if (flow->has & CT_STOP)
		xml_put_time(text, " stop=\"", flow->stop);
	if (ct_flow_duration(flow, &duration))
		xml_put_time(text, " duration=\"", duration);
	if (flow->has & CT_EVENT_TIME)
		xml_put_time(text, " event=\"", flow->event_time);
	ct_text_str(text, " />\n");
}

static void
put_labels(struct ct_text *text, const struct output_view *view,
	   const struct ct_flow *flow)
{
	ct_text_str(text, "      <labels>\n");
	for (unsigned int bit = 0; bit < CT_LABEL_BITS; bit++) {
		const char *name = ct_label_name(view->labels, bit);

		if (!ct_flow_label(flow, bit))
			continue;
		xml_put_number(text, "         <label bit=\"", bit);
		if (name) {
			ct_text_str(text, " name=\"");
			ct_text_xml(text, name);
			ct_text_char(text, '"');
		}
		ct_text_str(text, " />\n");
	}
	ct_text_str(text, "      </labels>\n");
}

static void
put_seqadj(struct ct_text *text, const char *direction, const struct ct_seqadj *seqadj)
{
	ct_text_printf(text, "      <seqadj direction=\"%s\"", direction);
	xml_put_number(text, " correction_pos=\"", seqadj->correction_pos);
	put_signed(text, " offset_before=\"", seqadj->offset_before);
	put_signed(text, " offset_after=\"", seqadj->offset_after);
	ct_text_str(text, " />\n");
}

static void
put_synproxy(struct ct_text *text, const struct ct_synproxy *synproxy)
{
	xml_put_number(text, "      <synproxy isn=\"", synproxy->isn);
	xml_put_number(text, " its=\"", synproxy->its);
	xml_put_number(text, " tsoff=\"", synproxy->tsoff);
	ct_text_str(text, " />\n");
}

static void
put_security(struct ct_text *text, const struct ct_flow *flow)
{
	ct_text_str(text, "      <security");
	if (flow->has & CT_SECMARK)
		xml_put_number(text, " mark=\"", flow->secmark);
	if (flow->has & CT_SECCTX) {
		ct_text_str(text, " context=\"");
		ct_text_xml(text, flow->secctx);
		ct_text_char(text, '"');
	}
	if (flow->has & CT_SECCTX_CUT)
		ct_text_str(text, " cut=\"true\"");
	ct_text_str(text, " />\n");
}

/* What few flows have. */
static void
put_rest(struct ct_text *text, const struct output_view *view,
	 const struct ct_flow *flow)
{
	if (flow->has & CT_ZONE)
		ct_text_printf(text, "      <zone id=\"%u\" />\n", flow->zone);
	if (flow->has & CT_HELPER_NAME) {
		ct_text_str(text, "      <helper name=\"");
		ct_text_xml(text, flow->helper);
		ct_text_str(text, "\" />\n");
	}
	if (flow->has & CT_MASTER_TUPLE) {
		ct_text_str(text, "      <master");
		xml_put_tuple(text, &flow->master);
	}
	if (flow->has & CT_LABELS)
		put_labels(text, view, flow);
	if (flow->has & CT_SEQADJ_ORIG)
		put_seqadj(text, "original", &flow->seqadj[CT_ORIG]);
	if (flow->has & CT_SEQADJ_REPLY)
		put_seqadj(text, "reply", &flow->seqadj[CT_REPLY]);
	if (flow->has & CT_SYNPROXY)
		put_synproxy(text, &flow->synproxy);
	if (flow->has & (CT_SECMARK | CT_SECCTX))
		put_security(text, flow);
}

static void
begin(struct ct_text *text, const struct output_head *head)
{
	ct_text_str(text, "<?xml version=\"1.0\" encoding=\"ASCII\"?>\n<conntracks");
	xml_put_head(text, head);
	ct_text_str(text, ">\n");
}

static void
put_netns(struct ct_text *text, const struct output_view *view)
{
	if (!view->netns)
		return;
	ct_text_str(text, " netns=\"");
	ct_text_xml(text, view->netns);
	ct_text_char(text, '"');
}

void
xml_put_event(struct ct_text *text, const struct output_view *view,
	      const struct ct_event *event)
{
	uint64_t when = event ? output_event_time(view, event) : 0;

	if (event) {
		ct_text_str(text, " event=\"");
		ct_text_str(text, output_event_name(event->kind));
		ct_text_char(text, '"');
		if (event->unseen)
			ct_text_str(text, " unseen=\"true\"");
	}
	if (when)
		xml_put_time(text, " time=\"", when);
	put_netns(text, view);
}

static void
put_conntrack(struct ct_text *text, const struct output_view *view,
	      const struct ct_flow *flow, const struct ct_event *event)
{
	ct_text_str(text, "   <conntrack");
	if (flow->has & CT_ID)
		xml_put_number(text, " id=\"", flow->id);
	if (flow->has & CT_MARK)
		xml_put_number(text, " mark=\"", flow->mark);
	if (flow->has & CT_USE)
		xml_put_number(text, " use=\"", flow->use);
	if (flow->has & CT_TIMEOUT)
		xml_put_number(text, " timeout=\"", flow->timeout);
	xml_put_event(text, view, event);
	ct_text_str(text, ">\n");
	put_status(text, flow->status);
	put_tuples(text, flow);
	if (flow->has & CT_COUNTERS_ORIG)
		put_counters(text, &flow->counters[CT_ORIG]);
	if (flow->has & CT_COUNTERS_REPLY)
		put_counters(text, &flow->counters[CT_REPLY]);
	put_protocol(text, flow);
	put_times(text, flow);
	put_rest(text, view, flow);
	ct_text_str(text, "   </conntrack>\n");
}

static void
put_flow(struct ct_text *text, const struct output_view *view,
	 const struct ct_flow *flow)
{
	put_conntrack(text, view, flow, NULL);
}

static void
put_expect(struct ct_text *text, const struct output_view *view,
	   const struct ct_expect *expect)
{
	xml_put_expect(text, view, expect, NULL);
}

static void
put_event(struct ct_text *text, const struct output_view *view,
	  const struct ct_event *event)
{
	if (event->kind == CT_EVENT_LOST) {
		xml_put_number(text, "   <lost events=\"", event->lost);
		if (view->now)
			xml_put_time(text, " time=\"", view->now);
		put_netns(text, view);
		ct_text_str(text, " />\n");
	} else if (event->flow) {
		put_conntrack(text, view, event->flow, event);
	} else if (event->expect) {
		xml_put_expect(text, view, event->expect, event);
	}
}

static void
end(struct ct_text *text, const struct output_end *end)
{
	xml_put_end(text, "   ", end);
	ct_text_str(text, "</conntracks>\n");
}

const struct output output_xml = {
	.name = "conntracks",
	.begin = begin,
	.flow = put_flow,
	.expect = put_expect,
	.event = put_event,
	.metrics = xml_put_metrics,
	.end = end,
};
