/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML, dialect "flows": what conntrack(8) prints, one <flow> a line, for its readers.
 * Where conntrack(8) leaves out or mistakes something it is here and right: states of
 * SCTP and DCCP, ICMP types, all of the status, directional zones, escapes,
 * a document for an empty table.  flows.rng is its schema.
 */
#include <netinet/in.h>

#include "xml.h"

#define NS_PER_SECOND UINT64_C(1000000000)

static void
put_name(struct ct_text *text, const char *name)
{
	ct_text_bytes(text, name, strlen(name));
}

#define PUT_ELEMENT(text, name, number)             \
	do {                                        \
		ct_text_str((text), "<" name ">");  \
		ct_text_u64((text), (number));      \
		ct_text_str((text), "</" name ">"); \
	} while (0)

#define PUT_TEXT_ELEMENT(text, name, string)        \
	do {                                        \
		ct_text_str((text), "<" name ">");  \
		ct_text_xml((text), (string));      \
		ct_text_str((text), "</" name ">"); \
	} while (0)

static void
put_layer3(struct ct_text *text, const struct ct_tuple *tuple)
{
	ct_text_str(text, "<layer3 protonum=\"");
	ct_text_u64(text, tuple->family);
	ct_text_str(text, "\" protoname=\"");
	put_name(text, ct_family_name(tuple->family));
	ct_text_str(text, "\"><src>");
	ct_text_addr(text, tuple->family, &tuple->src);
	ct_text_str(text, "</src><dst>");
	ct_text_addr(text, tuple->family, &tuple->dst);
	ct_text_str(text, "</dst></layer3>");
}

static void
put_layer4_start(struct ct_text *text, const char *element,
		 const struct ct_tuple *tuple)
{
	const char *name = ct_proto_name(tuple->proto);

	ct_text_char(text, '<');
	put_name(text, element);
	ct_text_str(text, " protonum=\"");
	ct_text_u64(text, tuple->proto);
	ct_text_str(text, "\" protoname=\"");
	put_name(text, name ? name : "unknown");
	ct_text_str(text, "\">");
}

static void
put_layer4_members(struct ct_text *text, const struct ct_tuple *tuple)
{
	if (tuple->has & CT_TUPLE_PORTS && tuple->proto == IPPROTO_GRE) {
		ct_text_printf(text, "<srckey>0x%x</srckey><dstkey>0x%x</dstkey>",
			       tuple->sport, tuple->dport);
	} else if (tuple->has & CT_TUPLE_PORTS) {
		PUT_ELEMENT(text, "sport", tuple->sport);
		PUT_ELEMENT(text, "dport", tuple->dport);
	} else if (tuple->has & CT_TUPLE_ICMP) {
		PUT_ELEMENT(text, "type", tuple->icmp_type);
		PUT_ELEMENT(text, "code", tuple->icmp_code);
		PUT_ELEMENT(text, "id", tuple->icmp_id);
	}
}

static void
put_layer4(struct ct_text *text, const struct ct_tuple *tuple)
{
	put_layer4_start(text, "layer4", tuple);
	put_layer4_members(text, tuple);
	ct_text_str(text, "</layer4>");
	if (tuple->has & CT_TUPLE_ZONE)
		PUT_ELEMENT(text, "zone", tuple->zone);
}

static void
put_counters(struct ct_text *text, const struct ct_counters *counters)
{
	ct_text_str(text, "<counters>");
	PUT_ELEMENT(text, "packets", counters->packets);
	PUT_ELEMENT(text, "bytes", counters->bytes);
	ct_text_str(text, "</counters>");
}

static void
put_direction(struct ct_text *text, const struct ct_flow *flow, int dir)
{
	static const uint64_t tuple_bit[] = { CT_ORIG_TUPLE, CT_REPLY_TUPLE };
	static const uint64_t counters_bit[] = { CT_COUNTERS_ORIG, CT_COUNTERS_REPLY };
	const struct ct_tuple *tuple = dir == CT_ORIG ? &flow->orig : &flow->reply;

	if (!(flow->has & tuple_bit[dir]))
		return;
	if (dir == CT_ORIG)
		ct_text_str(text, "<meta direction=\"original\">");
	else
		ct_text_str(text, "<meta direction=\"reply\">");
	put_layer3(text, tuple);
	put_layer4(text, tuple);
	if (flow->has & counters_bit[dir])
		put_counters(text, &flow->counters[dir]);
	ct_text_str(text, "</meta>");
}

static void
put_state(struct ct_text *text, const struct ct_flow *flow)
{
	const char *name = ct_state_name(flow->orig.proto, flow->state);

	ct_text_str(text, "<state>");
	if (name)
		put_name(text, name);
	else
		ct_text_u64(text, flow->state);
	ct_text_str(text, "</state>");
}

static void
put_status(struct ct_text *text, uint32_t status)
{
	ct_text_str(text, "<status>");
	for (unsigned int bit = 0; bit < 32 && status >> bit; bit++) {
		const char *name = ct_status_name(bit);

		if (!(status >> bit & 1))
			continue;
		ct_text_str(text, "<flag>");
		if (name)
			put_name(text, name);
		else
			ct_text_printf(text, "bit%u", bit);
		ct_text_str(text, "</flag>");
	}
	ct_text_str(text, "</status>");
}

static void
put_times(struct ct_text *text, const struct output_view *view,
	  const struct ct_flow *flow)
{
	uint64_t end = flow->has & CT_STOP ? flow->stop : view->now;

	ct_text_str(text, "<timestamp>");
	if (flow->has & CT_START)
		PUT_ELEMENT(text, "start", flow->start);
	if (flow->has & CT_STOP)
		PUT_ELEMENT(text, "stop", flow->stop);
	ct_text_str(text, "</timestamp>");
	/* A flow may be younger than the pass. */
	if (flow->has & CT_START && end)
		PUT_ELEMENT(text, "deltatime",
			    end > flow->start ? (end - flow->start) / NS_PER_SECOND
					      : 0);
}

static void
put_labels(struct ct_text *text, const struct output_view *view,
	   const struct ct_flow *flow)
{
	ct_text_str(text, "<labels>");
	for (unsigned int bit = 0; bit < CT_LABEL_BITS; bit++) {
		const char *name = ct_label_name(view->labels, bit);

		if (!ct_flow_label(flow, bit))
			continue;
		if (name)
			PUT_TEXT_ELEMENT(text, "label", name);
		else
			PUT_ELEMENT(text, "label", bit);
	}
	ct_text_str(text, "</labels>");
}

static void
put_security(struct ct_text *text, const struct ct_flow *flow)
{
	if (flow->has & CT_SECMARK)
		PUT_ELEMENT(text, "secmark", flow->secmark);
	if (flow->has & CT_SECCTX)
		PUT_TEXT_ELEMENT(text, "secctx", flow->secctx);
}

static void
put_independent(struct ct_text *text, const struct output_view *view,
		const struct ct_flow *flow)
{
	ct_text_str(text, "<meta direction=\"independent\">");
	if (flow->has & CT_STATE)
		put_state(text, flow);
	if (flow->has & CT_TIMEOUT)
		PUT_ELEMENT(text, "timeout", flow->timeout);
	if (flow->has & CT_MARK)
		PUT_ELEMENT(text, "mark", flow->mark);
	if (flow->has & CT_LABELS)
		put_labels(text, view, flow);
	put_security(text, flow);
	if (flow->has & CT_ZONE)
		PUT_ELEMENT(text, "zone", flow->zone);
	if (flow->has & CT_USE)
		PUT_ELEMENT(text, "use", flow->use);
	if (flow->has & CT_ID)
		PUT_ELEMENT(text, "id", flow->id);
	if (flow->status & CT_ASSURED)
		ct_text_str(text, "<assured/>");
	if (flow->has & CT_STATUS && !(flow->status & CT_SEEN_REPLY))
		ct_text_str(text, "<unreplied/>");
	if (flow->has & (CT_START | CT_STOP))
		put_times(text, view, flow);
	if (flow->has & CT_STATUS)
		put_status(text, flow->status);
	ct_text_str(text, "</meta>");
}

static void
begin(struct ct_text *text, const struct output_head *head)
{
	ct_text_str(text, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack");
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

/* `event` is NULL in a plain list. */
static void
put_event_attributes(struct ct_text *text, const struct output_view *view,
		     const struct ct_event *event)
{
	if (event) {
		ct_text_str(text, " type=\"");
		put_name(text, output_event_name(event->kind));
		ct_text_char(text, '"');
		if (event->unseen)
			ct_text_str(text, " unseen=\"true\"");
	}
	put_netns(text, view);
	ct_text_char(text, '>');
}

static void
put_flow_of(struct ct_text *text, const struct output_view *view,
	    const struct ct_flow *flow, const struct ct_event *event)
{
	ct_text_str(text, "<flow");
	put_event_attributes(text, view, event);
	put_direction(text, flow, CT_ORIG);
	put_direction(text, flow, CT_REPLY);
	put_independent(text, view, flow);
	if (flow->has & CT_HELPER_NAME)
		PUT_TEXT_ELEMENT(text, "helper", flow->helper);
	ct_text_str(text, "</flow>\n");
}

static void
put_flow(struct ct_text *text, const struct output_view *view,
	 const struct ct_flow *flow)
{
	put_flow_of(text, view, flow, NULL);
}

static void
put_expect_addrs(struct ct_text *text, const struct ct_tuple *tuple)
{
	ct_text_str(text, "<src>");
	ct_text_addr(text, tuple->family, &tuple->src);
	ct_text_str(text, "</src><dst>");
	ct_text_addr(text, tuple->family, &tuple->dst);
	ct_text_str(text, "</dst>");
}

/* The addresses of all tuples, then the ports of all: conntrack(8) has it so. */
static void
put_expect_layer3(struct ct_text *text, const struct ct_expect *expect)
{
	ct_text_printf(text, "<layer3 protonum=\"%u\" protoname=\"%s\">",
		       expect->tuple.family, ct_family_name(expect->tuple.family));
	if (expect->has & CT_EXPECT_HAS_TUPLE) {
		ct_text_str(text, "<expected>");
		put_expect_addrs(text, &expect->tuple);
		ct_text_str(text, "</expected>");
	}
	if (expect->has & CT_EXPECT_HAS_MASK) {
		ct_text_str(text, "<mask>");
		put_expect_addrs(text, &expect->mask);
		ct_text_str(text, "</mask>");
	}
	if (expect->has & CT_EXPECT_HAS_MASTER) {
		ct_text_str(text, "<master>");
		put_expect_addrs(text, &expect->master);
		ct_text_str(text, "</master>");
	}
	if (expect->has & CT_EXPECT_HAS_NAT) {
		ct_text_str(text, "<nat>");
		put_expect_addrs(text, &expect->nat);
		ct_text_str(text, "</nat>");
	}
	ct_text_str(text, "</layer3>");
}

static void
put_expect_layer4(struct ct_text *text, const struct ct_expect *expect)
{
	put_layer4_start(text, "layer4", &expect->tuple);
	if (expect->has & CT_EXPECT_HAS_TUPLE) {
		ct_text_str(text, "<expected>");
		put_layer4_members(text, &expect->tuple);
		ct_text_str(text, "</expected>");
	}
	if (expect->has & CT_EXPECT_HAS_MASK) {
		ct_text_str(text, "<mask>");
		put_layer4_members(text, &expect->mask);
		ct_text_str(text, "</mask>");
	}
	/* The master may speak another protocol: TCP, where GRE is expected. */
	if (expect->has & CT_EXPECT_HAS_MASTER) {
		put_layer4_start(text, "master", &expect->master);
		put_layer4_members(text, &expect->master);
		ct_text_str(text, "</master>");
	}
	if (expect->has & CT_EXPECT_HAS_NAT) {
		ct_text_str(text, "<nat>");
		put_layer4_members(text, &expect->nat);
		ct_text_str(text, "</nat>");
	}
	ct_text_str(text, "</layer4>");
}

static void
put_expect_meta(struct ct_text *text, const struct ct_expect *expect)
{
	ct_text_str(text, "<meta>");
	if (expect->has & CT_EXPECT_HAS_HELPER)
		PUT_TEXT_ELEMENT(text, "helper-name", expect->helper);
	if (expect->has & CT_EXPECT_HAS_TIMEOUT)
		PUT_ELEMENT(text, "timeout", expect->timeout);
	if (expect->has & CT_EXPECT_HAS_CLASS)
		PUT_ELEMENT(text, "class", expect->helper_class);
	if (expect->has & CT_EXPECT_HAS_ZONE)
		PUT_ELEMENT(text, "zone", expect->zone);
	for (unsigned int bit = 0; bit < 32 && expect->flags >> bit; bit++) {
		const char *name = ct_expect_flag_name(bit);

		if (expect->flags >> bit & 1 && name)
			ct_text_printf(text, "<%s/>", name);
	}
	if (expect->has & CT_EXPECT_HAS_ID)
		PUT_ELEMENT(text, "id", expect->id);
	if (expect->has & CT_EXPECT_HAS_FN)
		PUT_TEXT_ELEMENT(text, "fn", expect->fn);
	if (expect->has & CT_EXPECT_HAS_NAT)
		PUT_TEXT_ELEMENT(text, "nat-direction",
				 expect->nat_dir == CT_ORIG ? "original" : "reply");
	ct_text_str(text, "</meta>");
}

static void
put_expect_of(struct ct_text *text, const struct output_view *view,
	      const struct ct_expect *expect, const struct ct_event *event)
{
	ct_text_str(text, "<expect");
	put_event_attributes(text, view, event);
	put_expect_layer3(text, expect);
	put_expect_layer4(text, expect);
	put_expect_meta(text, expect);
	ct_text_str(text, "</expect>\n");
}

static void
put_expect(struct ct_text *text, const struct output_view *view,
	   const struct ct_expect *expect)
{
	put_expect_of(text, view, expect, NULL);
}

static void
put_event(struct ct_text *text, const struct output_view *view,
	  const struct ct_event *event)
{
	if (event->kind == CT_EVENT_LOST) {
		ct_text_str(text, "<lost events=\"");
		ct_text_u64(text, event->lost);
		ct_text_char(text, '"');
		put_netns(text, view);
		ct_text_str(text, "/>\n");
	} else if (event->flow) {
		put_flow_of(text, view, event->flow, event);
	} else if (event->expect) {
		put_expect_of(text, view, event->expect, event);
	}
}

static void
end(struct ct_text *text, const struct output_end *end)
{
	xml_put_end(text, "", end);
	ct_text_str(text, "</conntrack>\n");
}

const struct output output_xml_flows = {
	.name = "flows",
	.begin = begin,
	.flow = put_flow,
	.expect = put_expect,
	.event = put_event,
	.metrics = xml_put_metrics,
	.end = end,
};
