/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line a flow, expectation or event, made for reading: who talks to whom. */
#include <netinet/in.h>

#include "output.h"

static void
put_tuple(struct ct_text *text, const struct ct_tuple *tuple)
{
	const char *family = ct_family_name(tuple->family);
	const char *proto = ct_proto_name(tuple->proto);

	ct_text_bytes(text, family, strlen(family));
	ct_text_char(text, ' ');
	ct_text_addr(text, tuple->family, &tuple->src);
	ct_text_str(text, "->");
	ct_text_addr(text, tuple->family, &tuple->dst);
	ct_text_char(text, ' ');
	if (proto)
		ct_text_bytes(text, proto, strlen(proto));
	else
		ct_text_u64(text, tuple->proto);
	if (!(tuple->has & CT_TUPLE_PORTS) || tuple->proto == IPPROTO_GRE)
		return;
	ct_text_char(text, ' ');
	ct_text_u64(text, tuple->sport);
	ct_text_str(text, "->");
	ct_text_u64(text, tuple->dport);
}

void
output_text_flow(struct ct_text *text, const struct ct_flow *flow)
{
	put_tuple(text, &flow->orig);
	if (!ct_flow_is_nat(flow))
		return;
	ct_text_str(text, " => ");
	put_tuple(text, &flow->reply);
}

static void
begin(struct ct_text *text, const struct output_head *head)
{
	(void)text;
	(void)head;
}

/* Names from elsewhere, which shall not reach the terminal's controls. */
static void
put_printable(struct ct_text *text, const char *name)
{
	for (; *name; name++)
		ct_text_char(text, *name < ' ' || *name > '~' ? '?' : *name);
}

static void
put_netns(struct ct_text *text, const struct output_view *view)
{
	if (!view->netns)
		return;
	put_printable(text, view->netns);
	ct_text_str(text, ": ");
}

static void
flow_line(struct ct_text *text, const struct output_view *view,
	  const struct ct_flow *flow)
{
	put_netns(text, view);
	output_text_flow(text, flow);
	ct_text_char(text, '\n');
}

static bool
is_zero(const struct ct_addr *addr)
{
	static const struct ct_addr zero;

	return memcmp(addr, &zero, sizeof(zero)) == 0;
}

/* What the mask leaves open is "*". */
static void
put_expected_addr(struct ct_text *text, uint8_t family, const struct ct_addr *addr,
		  bool any)
{
	if (any)
		ct_text_char(text, '*');
	else
		ct_text_addr(text, family, addr);
}

static void
put_expected_port(struct ct_text *text, uint16_t port, bool any)
{
	if (any)
		ct_text_char(text, '*');
	else
		ct_text_u64(text, port);
}

static void
put_expected(struct ct_text *text, const struct ct_expect *expect)
{
	const struct ct_tuple *tuple = &expect->tuple, *mask = &expect->mask;
	const char *proto = ct_proto_name(tuple->proto);
	bool masked = expect->has & CT_EXPECT_HAS_MASK;

	ct_text_str(text, ct_family_name(tuple->family));
	ct_text_char(text, ' ');
	put_expected_addr(text, tuple->family, &tuple->src,
			  masked && is_zero(&mask->src));
	ct_text_str(text, "->");
	put_expected_addr(text, tuple->family, &tuple->dst,
			  masked && is_zero(&mask->dst));
	ct_text_char(text, ' ');
	if (proto)
		ct_text_str(text, proto);
	else
		ct_text_u64(text, tuple->proto);
	if (!(tuple->has & CT_TUPLE_PORTS) || tuple->proto == IPPROTO_GRE)
		return;
	ct_text_char(text, ' ');
	put_expected_port(text, tuple->sport, masked && !mask->sport);
	ct_text_str(text, "->");
	put_expected_port(text, tuple->dport, masked && !mask->dport);
}

static void
put_expect(struct ct_text *text, const struct ct_expect *expect)
{
	const char *before = " (";

	put_expected(text, expect);
	if (expect->has & CT_EXPECT_HAS_MASTER) {
		ct_text_str(text, " (expected by ");
		put_tuple(text, &expect->master);
		before = ", ";
	}
	if (expect->has & CT_EXPECT_HAS_HELPER) {
		ct_text_printf(text, "%shelper ", before);
		put_printable(text, expect->helper);
		before = ", ";
	}
	if (expect->has & CT_EXPECT_HAS_TIMEOUT) {
		ct_text_printf(text, "%stimeout %u", before, expect->timeout);
		before = ", ";
	}
	if (before[0] == ',')
		ct_text_char(text, ')');
}

static void
expect_line(struct ct_text *text, const struct output_view *view,
	    const struct ct_expect *expect)
{
	put_netns(text, view);
	put_expect(text, expect);
	ct_text_char(text, '\n');
}

static void
put_time(struct ct_text *text, uint64_t ns)
{
	ct_text_char(text, '[');
	ct_text_u64(text, ns / 1000000000);
	ct_text_char(text, '.');
	ct_text_padded(text, ns / 1000 % 1000000, 6);
	ct_text_str(text, "] ");
}

/* What passed in both directions, of a flow that is over. */
static void
put_sums(struct ct_text *text, const struct ct_flow *flow)
{
	const struct ct_counters *orig = &flow->counters[CT_ORIG];
	const struct ct_counters *reply = &flow->counters[CT_REPLY];

	if (!(flow->has & CT_COUNTERS))
		return;
	ct_text_str(text, " [packets ");
	ct_text_u64(text, orig->packets + reply->packets);
	ct_text_str(text, " bytes ");
	ct_text_u64(text, orig->bytes + reply->bytes);
	ct_text_char(text, ']');
}

static void
event_line(struct ct_text *text, const struct output_view *view,
	   const struct ct_event *event)
{
	static const char *const marks[] = {
		[CT_EVENT_NEW] = "[NEW] ",
		[CT_EVENT_UPDATE] = "[UPDATE] ",
		[CT_EVENT_DESTROY] = "[DESTROY] ",
		[CT_EVENT_LOST] = "[LOST] ",
	};

	if (view->show_time)
		put_time(text, output_event_time(view, event));
	put_netns(text, view);
	ct_text_str(text, marks[event->kind]);
	if (event->kind == CT_EVENT_LOST) {
		ct_text_u64(text, event->lost);
		ct_text_str(text, " event(s)");
	} else if (event->flow) {
		output_text_flow(text, event->flow);
		if (event->kind == CT_EVENT_DESTROY)
			put_sums(text, event->flow);
	} else if (event->expect) {
		ct_text_str(text, "expectation ");
		put_expect(text, event->expect);
	}
	if (event->unseen)
		ct_text_str(text, " (unseen)");
	ct_text_char(text, '\n');
}

static void
end_line(struct ct_text *text, const struct output_end *end)
{
	static const char *const nouns[] = {
		[OUTPUT_FLOWS] = "connection(s)",
		[OUTPUT_EVENTS] = "event(s)",
		[OUTPUT_EXPECTATIONS] = "expectation(s)",
	};

	ct_text_str(text, "Total: ");
	ct_text_u64(text, end->flows);
	ct_text_char(text, ' ');
	ct_text_str(text, nouns[end->subject]);
	if (end->lost) {
		ct_text_str(text, ", ");
		ct_text_u64(text, end->lost);
		ct_text_str(text, " lost");
	}
	if (!end->complete)
		ct_text_str(text, " so far");
	ct_text_char(text, '\n');
}

const struct output output_text = {
	.name = "text",
	.begin = begin,
	.flow = flow_line,
	.expect = expect_line,
	.event = event_line,
	.end = end_line,
};
