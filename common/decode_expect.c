/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages about expectations; they are few, so nothing here is in a hurry. */
#include "decode.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include "walk.h"

static int
take_tuple(struct ct_expect *expect, uint32_t has, struct ct_tuple *tuple,
	   const struct walk *w)
{
	expect->has |= has;
	return ct_decode_tuple(tuple, w->data, w->size);
}

static int
decode_nat(struct ct_expect *expect, struct walk w)
{
	int error = 0;

	expect->has |= CT_EXPECT_HAS_NAT;
	while (!error && walk_next(&w)) {
		switch (w.type) {
		case CTA_EXPECT_NAT_DIR:
			take_be32(&w, &expect->nat_dir);
			break;
		case CTA_EXPECT_NAT_TUPLE:
			error = ct_decode_tuple(&expect->nat, w.data, w.size);
			break;
		}
	}
	return error ? error : w.error;
}

static int
decode_attribute(struct ct_expect *expect, struct walk *w)
{
	switch (w->type) {
	case CTA_EXPECT_TUPLE:
		return take_tuple(expect, CT_EXPECT_HAS_TUPLE, &expect->tuple, w);
	case CTA_EXPECT_MASK:
		return take_tuple(expect, CT_EXPECT_HAS_MASK, &expect->mask, w);
	case CTA_EXPECT_MASTER:
		return take_tuple(expect, CT_EXPECT_HAS_MASTER, &expect->master, w);
	case CTA_EXPECT_NAT:
		return decode_nat(expect, walk_into(w));
	case CTA_EXPECT_TIMEOUT:
		if (take_be32(w, &expect->timeout))
			expect->has |= CT_EXPECT_HAS_TIMEOUT;
		break;
	case CTA_EXPECT_ID:
		if (take_be32(w, &expect->id))
			expect->has |= CT_EXPECT_HAS_ID;
		break;
	case CTA_EXPECT_FLAGS:
		if (take_be32(w, &expect->flags))
			expect->has |= CT_EXPECT_HAS_FLAGS;
		break;
	case CTA_EXPECT_CLASS:
		if (take_be32(w, &expect->helper_class))
			expect->has |= CT_EXPECT_HAS_CLASS;
		break;
	case CTA_EXPECT_ZONE:
		if (take_be16(w, &expect->zone))
			expect->has |= CT_EXPECT_HAS_ZONE;
		break;
	case CTA_EXPECT_HELP_NAME:
		take_text(w, expect->helper, sizeof(expect->helper));
		expect->has |= CT_EXPECT_HAS_HELPER;
		break;
	case CTA_EXPECT_FN:
		take_text(w, expect->fn, sizeof(expect->fn));
		expect->has |= CT_EXPECT_HAS_FN;
		break;
	}
	return w->error;
}

int
ct_decode_expect(struct ct_expect *expect, const void *payload, size_t size)
{
	const size_t head = NLMSG_ALIGN(sizeof(struct nfgenmsg));
	struct nfgenmsg message;
	struct walk w;
	int error = 0;

	if (size < head)
		return -EBADMSG;
	memcpy(&message, payload, sizeof(message));
	if (message.nfgen_family != AF_INET && message.nfgen_family != AF_INET6)
		return -EBADMSG;
	memset(expect, 0, sizeof(*expect));
	expect->tuple.family = expect->mask.family = message.nfgen_family;
	expect->master.family = expect->nat.family = message.nfgen_family;
	w = walk_start((const uint8_t *)payload + head, size - head);
	while (!error && walk_next(&w))
		error = decode_attribute(expect, &w);
	return error ? error : w.error;
}
