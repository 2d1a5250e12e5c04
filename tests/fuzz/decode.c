/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes through the decoder, and what comes out through every format. */
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "common/decode.h"
#include "plugins/export/output.h"

static int
discard(const char *bytes, size_t size, void *data)
{
	(void)bytes;
	(void)size;
	(void)data;
	return 0;
}

static void
show(const struct output *output, const struct ct_flow *flow)
{
	static const struct output_end end = { .flows = 1, .complete = true };
	static const struct output_view view;
	char buffer[CT_TEXT_MIN];
	struct ct_text text;

	ct_text_init(&text, buffer, sizeof(buffer), discard, NULL);
	output->begin(&text, NULL);
	output->flow(&text, &view, flow);
	output->end(&text, &end);
	if (ct_text_flush(&text) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The seeds are whole messages, so the input's first bytes are a struct nlmsghdr. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct ct_flow flow;
	void *payload;

	if (size < NLMSG_HDRLEN)
		return 0;
	size -= NLMSG_HDRLEN;
	payload = malloc(size ? size : 1);
	if (!payload)
		return 0;
	memcpy(payload, bytes + NLMSG_HDRLEN, size);
	if (ct_decode_flow(&flow, payload, size) == 0) {
		show(&output_text, &flow);
		show(&output_xml, &flow);
		show(&output_xml_flows, &flow);
	}
	free(payload);
	return 0;
}
