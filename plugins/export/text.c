/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line a flow, made for reading: who talks to whom. */
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
begin(struct ct_text *text)
{
	(void)text;
}

static void
flow_line(struct ct_text *text, const struct output_view *view,
	  const struct ct_flow *flow)
{
	(void)view;
	output_text_flow(text, flow);
	ct_text_char(text, '\n');
}

static void
end_line(struct ct_text *text, const struct output_end *end)
{
	ct_text_str(text, "Total: ");
	ct_text_u64(text, end->flows);
	ct_text_str(text, " connection(s)");
	if (!end->complete)
		ct_text_str(text, " so far");
	ct_text_char(text, '\n');
}

const struct output output_text = {
	.name = "text",
	.begin = begin,
	.flow = flow_line,
	.end = end_line,
};
