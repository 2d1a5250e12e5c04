/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of the corpus and some that have everything, field by field against
 * libnetfilter_conntrack, which knows them by other code.  It ends the program when
 * a message is malformed, so it gets whole ones only.
 */
#include "support_message.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <string.h>

enum kind {
	U8,
	U16,
	BE16, /* in network order in the library */
	U32,
	U64,
	ADDR4,
	ADDR6,
	STRING,
};

/* A field of a tuple, and the library's number for it in each of the three. */
struct tuple_field {
	enum nf_conntrack_attr attr[3]; /* NONE: the library does not have it */
	enum kind kind;
	size_t offset;
	uint16_t has;
};

#define NONE ATTR_MAX
#define TUPLE_FIELD(name) offsetof(struct ct_tuple, name)

static const struct tuple_field tuple_fields[] = {
	{ { ATTR_ORIG_IPV4_SRC, ATTR_REPL_IPV4_SRC, ATTR_MASTER_IPV4_SRC },
	  ADDR4,
	  TUPLE_FIELD(src),
	  CT_TUPLE_SRC },
	{ { ATTR_ORIG_IPV4_DST, ATTR_REPL_IPV4_DST, ATTR_MASTER_IPV4_DST },
	  ADDR4,
	  TUPLE_FIELD(dst),
	  CT_TUPLE_DST },
	{ { ATTR_ORIG_IPV6_SRC, ATTR_REPL_IPV6_SRC, ATTR_MASTER_IPV6_SRC },
	  ADDR6,
	  TUPLE_FIELD(src),
	  CT_TUPLE_SRC },
	{ { ATTR_ORIG_IPV6_DST, ATTR_REPL_IPV6_DST, ATTR_MASTER_IPV6_DST },
	  ADDR6,
	  TUPLE_FIELD(dst),
	  CT_TUPLE_DST },
	{ { ATTR_ORIG_L4PROTO, ATTR_REPL_L4PROTO, ATTR_MASTER_L4PROTO },
	  U8,
	  TUPLE_FIELD(proto),
	  CT_TUPLE_PROTO },
	{ { ATTR_ORIG_PORT_SRC, ATTR_REPL_PORT_SRC, ATTR_MASTER_PORT_SRC },
	  BE16,
	  TUPLE_FIELD(sport),
	  CT_TUPLE_SPORT },
	{ { ATTR_ORIG_PORT_DST, ATTR_REPL_PORT_DST, ATTR_MASTER_PORT_DST },
	  BE16,
	  TUPLE_FIELD(dport),
	  CT_TUPLE_DPORT },
	{ { ATTR_ORIG_ZONE, ATTR_REPL_ZONE, NONE },
	  U16,
	  TUPLE_FIELD(zone),
	  CT_TUPLE_ZONE },
	/* The library can be asked for the original direction's only. */
	{ { ATTR_ICMP_TYPE, NONE, NONE },
	  U8,
	  TUPLE_FIELD(icmp_type),
	  CT_TUPLE_ICMP_TYPE },
	{ { ATTR_ICMP_CODE, NONE, NONE },
	  U8,
	  TUPLE_FIELD(icmp_code),
	  CT_TUPLE_ICMP_CODE },
	{ { ATTR_ICMP_ID, NONE, NONE }, BE16, TUPLE_FIELD(icmp_id), CT_TUPLE_ICMP_ID },
};

struct flow_field {
	enum nf_conntrack_attr attr;
	enum kind kind;
	size_t offset;
	uint64_t has;
	uint8_t proto; /* where the library has a field for each protocol */
};

#define FIELD(name) offsetof(struct ct_flow, name)

static const struct flow_field flow_fields[] = {
	{ ATTR_TCP_STATE, U8, FIELD(state), CT_STATE, IPPROTO_TCP },
	{ ATTR_SCTP_STATE, U8, FIELD(state), CT_STATE, IPPROTO_SCTP },
	{ ATTR_DCCP_STATE, U8, FIELD(state), CT_STATE, IPPROTO_DCCP },
	{ ATTR_TCP_WSCALE_ORIG, U8, FIELD(tcp.wscale[0]), CT_TCP_WSCALE_ORIG, 0 },
	{ ATTR_TCP_WSCALE_REPL, U8, FIELD(tcp.wscale[1]), CT_TCP_WSCALE_REPLY, 0 },
	{ ATTR_TCP_FLAGS_ORIG, U8, FIELD(tcp.flags[0]), CT_TCP_FLAGS_ORIG, 0 },
	{ ATTR_TCP_FLAGS_REPL, U8, FIELD(tcp.flags[1]), CT_TCP_FLAGS_REPLY, 0 },
	{ ATTR_SCTP_VTAG_ORIG, U32, FIELD(sctp.vtag[0]), CT_SCTP_VTAG_ORIG, 0 },
	{ ATTR_SCTP_VTAG_REPL, U32, FIELD(sctp.vtag[1]), CT_SCTP_VTAG_REPLY, 0 },
	{ ATTR_DCCP_ROLE, U8, FIELD(dccp.role), CT_DCCP_ROLE, 0 },
	{ ATTR_DCCP_HANDSHAKE_SEQ, U64, FIELD(dccp.handshake_seq), CT_DCCP_SEQ, 0 },
	{ ATTR_TIMEOUT, U32, FIELD(timeout), CT_TIMEOUT, 0 },
	{ ATTR_MARK, U32, FIELD(mark), CT_MARK, 0 },
	{ ATTR_SECMARK, U32, FIELD(secmark), CT_SECMARK, 0 },
	{ ATTR_USE, U32, FIELD(use), CT_USE, 0 },
	{ ATTR_ID, U32, FIELD(id), CT_ID, 0 },
	{ ATTR_STATUS, U32, FIELD(status), CT_STATUS, 0 },
	{ ATTR_ZONE, U16, FIELD(zone), CT_ZONE, 0 },
	{ ATTR_SECCTX, STRING, FIELD(secctx), CT_SECCTX, 0 },
	{ ATTR_HELPER_NAME, STRING, FIELD(helper), CT_HELPER_NAME, 0 },
	{ ATTR_TIMESTAMP_START, U64, FIELD(start), CT_START, 0 },
	{ ATTR_TIMESTAMP_STOP, U64, FIELD(stop), CT_STOP, 0 },
	{ ATTR_ORIG_COUNTER_PACKETS, U64, FIELD(counters[0].packets), CT_COUNTERS_ORIG,
	  0 },
	{ ATTR_ORIG_COUNTER_BYTES, U64, FIELD(counters[0].bytes), CT_COUNTERS_ORIG, 0 },
	{ ATTR_REPL_COUNTER_PACKETS, U64, FIELD(counters[1].packets), CT_COUNTERS_REPLY,
	  0 },
	{ ATTR_REPL_COUNTER_BYTES, U64, FIELD(counters[1].bytes), CT_COUNTERS_REPLY,
	  0 },
	{ ATTR_ORIG_NAT_SEQ_CORRECTION_POS, U32, FIELD(seqadj[0].correction_pos),
	  CT_SEQADJ_ORIG, 0 },
	{ ATTR_ORIG_NAT_SEQ_OFFSET_BEFORE, U32, FIELD(seqadj[0].offset_before),
	  CT_SEQADJ_ORIG, 0 },
	{ ATTR_ORIG_NAT_SEQ_OFFSET_AFTER, U32, FIELD(seqadj[0].offset_after),
	  CT_SEQADJ_ORIG, 0 },
	{ ATTR_REPL_NAT_SEQ_CORRECTION_POS, U32, FIELD(seqadj[1].correction_pos),
	  CT_SEQADJ_REPLY, 0 },
	{ ATTR_REPL_NAT_SEQ_OFFSET_BEFORE, U32, FIELD(seqadj[1].offset_before),
	  CT_SEQADJ_REPLY, 0 },
	{ ATTR_REPL_NAT_SEQ_OFFSET_AFTER, U32, FIELD(seqadj[1].offset_after),
	  CT_SEQADJ_REPLY, 0 },
	{ ATTR_SYNPROXY_ISN, U32, FIELD(synproxy.isn), CT_SYNPROXY, 0 },
	{ ATTR_SYNPROXY_ITS, U32, FIELD(synproxy.its), CT_SYNPROXY, 0 },
	{ ATTR_SYNPROXY_TSOFF, U32, FIELD(synproxy.tsoff), CT_SYNPROXY, 0 },
};

/* Which of the library's attributes were compared, and which were seen set. */
static bool compared[ATTR_MAX + 1], seen[ATTR_MAX + 1];

static void
compare_value(const char *name, const struct nf_conntrack *oracle,
	      enum nf_conntrack_attr attr, enum kind kind, const void *ours)
{
	bool same = false;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (kind) {
	case U8:
		same = nfct_get_attr_u8(oracle, attr) == *(const uint8_t *)ours;
		break;
	case U16:
		memcpy(&u16, ours, sizeof(u16));
		same = nfct_get_attr_u16(oracle, attr) == u16;
		break;
	case BE16:
		memcpy(&u16, ours, sizeof(u16));
		same = ntohs(nfct_get_attr_u16(oracle, attr)) == u16;
		break;
	case U32:
		memcpy(&u32, ours, sizeof(u32));
		same = nfct_get_attr_u32(oracle, attr) == u32;
		break;
	case U64:
		memcpy(&u64, ours, sizeof(u64));
		same = nfct_get_attr_u64(oracle, attr) == u64;
		break;
	case ADDR4:
		same = memcmp(nfct_get_attr(oracle, attr), ours, 4) == 0;
		break;
	case ADDR6:
		same = memcmp(nfct_get_attr(oracle, attr), ours, 16) == 0;
		break;
	case STRING:
		same = strcmp(nfct_get_attr(oracle, attr), ours) == 0;
		break;
	}
	if (!same)
		fail_msg("%s: the library's attribute %d is another", name, attr);
}

static void
compare_field(const char *name, const struct nf_conntrack *oracle,
	      enum nf_conntrack_attr attr, enum kind kind, const void *ours, bool has)
{
	bool theirs = nfct_attr_is_set(oracle, attr) > 0;

	compared[attr] = true;
	seen[attr] |= theirs;
	if (theirs != has)
		fail_msg("%s: the library's attribute %d is %s, ours is %s", name, attr,
			 theirs ? "set" : "not set", has ? "set" : "not set");
	if (has)
		compare_value(name, oracle, attr, kind, ours);
}

static void
compare_tuple(const char *name, const struct nf_conntrack *oracle,
	      const struct ct_tuple *tuple, int which)
{
	for (size_t i = 0; i < COUNT(tuple_fields); i++) {
		const struct tuple_field *field = &tuple_fields[i];
		bool has = tuple->has & field->has;

		if (field->attr[which] == NONE)
			continue;
		if (field->kind == ADDR4)
			has = has && tuple->family == AF_INET;
		if (field->kind == ADDR6)
			has = has && tuple->family == AF_INET6;
		compare_field(name, oracle, field->attr[which], field->kind,
			      (const uint8_t *)tuple + field->offset, has);
	}
}

/* The library keeps as many labels as are sent; a flow, as many as there are. */
static void
compare_labels(const char *name, const struct nf_conntrack *oracle,
	       const struct ct_flow *flow)
{
	const struct nfct_bitmask *labels = nfct_get_attr(oracle, ATTR_CONNLABELS);

	for (unsigned int bit = 0; bit < CT_LABEL_BITS; bit++) {
		bool theirs = bit <= nfct_bitmask_maxbit(labels) &&
			      nfct_bitmask_test_bit(labels, bit);

		if (theirs != ct_flow_label(flow, bit))
			fail_msg("%s: label %u differs", name, bit);
	}
}

/*
 * Attributes that the library sets and that are not compared as they are:
 *
 * ATTR_*_L3PROTO: it takes the family of the header, and sets it with the addresses.
 * That is checked against the tuple's family.
 *
 * ATTR_TCP_MASK_*: which of the flags are meant, of use in requests only.  The kernel
 * sends no mask but 0, and a flow does not keep it.
 *
 * ATTR_HELPER_INFO: what a user-space helper wrote about itself.  A flow does not keep
 * it.
 */
static const struct {
	enum nf_conntrack_attr attr;
	size_t family; /* where it must stand, or 0 */
} exceptions[] = {
	{ ATTR_ORIG_L3PROTO, FIELD(orig.family) },
	{ ATTR_REPL_L3PROTO, FIELD(reply.family) },
	{ ATTR_MASTER_L3PROTO, FIELD(master.family) },
	{ ATTR_TCP_MASK_ORIG, 0 },
	{ ATTR_TCP_MASK_REPL, 0 },
	{ ATTR_HELPER_INFO, 0 },
};

static void
compare_exceptions(const char *name, const struct nf_conntrack *oracle,
		   const struct ct_flow *flow)
{
	for (size_t i = 0; i < COUNT(exceptions); i++) {
		enum nf_conntrack_attr attr = exceptions[i].attr;

		compared[attr] = true;
		if (exceptions[i].family && nfct_attr_is_set(oracle, attr) > 0)
			compare_value(name, oracle, attr, U8,
				      (const uint8_t *)flow + exceptions[i].family);
	}
}

static void
compare_flow(const char *name, const struct nf_conntrack *oracle,
	     const struct ct_flow *flow)
{
	compare_tuple(name, oracle, &flow->orig, 0);
	compare_tuple(name, oracle, &flow->reply, 1);
	compare_tuple(name, oracle, &flow->master, 2);
	for (size_t i = 0; i < COUNT(flow_fields); i++) {
		const struct flow_field *field = &flow_fields[i];
		bool has = flow->has & field->has;

		if (field->proto && field->proto != flow->orig.proto)
			has = false;
		compare_field(name, oracle, field->attr, field->kind,
			      (const uint8_t *)flow + field->offset, has);
	}
	compared[ATTR_CONNLABELS] = true;
	if (nfct_attr_is_set(oracle, ATTR_CONNLABELS) > 0) {
		seen[ATTR_CONNLABELS] = true;
		if (!(flow->has & CT_LABELS))
			fail_msg("%s: the labels are missing", name);
		compare_labels(name, oracle, flow);
	} else if (flow->has & CT_LABELS) {
		fail_msg("%s: labels, but the library has none", name);
	}
	compare_exceptions(name, oracle, flow);
	for (int attr = 0; attr < ATTR_MAX; attr++)
		if (nfct_attr_is_set(oracle, (enum nf_conntrack_attr)attr) > 0 &&
		    !compared[attr])
			fail_msg("%s: the library's attribute %d is not compared", name,
				 attr);
}

static void
compare_message(const char *name, const struct nlmsghdr *message, void *data)
{
	struct nf_conntrack *oracle = nfct_new();
	unsigned int *count = data;
	struct ct_flow flow;

	decode_message(name, message, &flow);
	assert_non_null(oracle);
	assert_int_equal(nfct_nlmsg_parse(message, oracle), 0);
	compare_flow(name, oracle, &flow);
	nfct_destroy(oracle);
	++*count;
}

static void
same_as_library(void **unused)
{
	unsigned int count = 0;

	(void)unused;
	each_whole_message(compare_message, &count);
	print_message("# %u messages compared\n", count);
	/* A comparison that never had anything to compare proves nothing. */
	for (int attr = 0; attr < ATTR_MAX; attr++) {
		bool exception = false;

		for (size_t i = 0; i < COUNT(exceptions); i++)
			exception |= (int)exceptions[i].attr == attr;
		if (compared[attr] && !seen[attr] && !exception)
			fail_msg("attribute %d was never there", attr);
	}
}

/* What the library cannot be asked, or not in both directions. */
static void
beyond_the_library(void **unused)
{
	struct nlmsghdr *message;
	char buffer[2048];
	struct ct_flow flow;

	(void)unused;
	message = full_message(buffer, sizeof(buffer), AF_INET, IPPROTO_ICMP, true);
	decode_message("icmp", message, &flow);
	assert_int_equal(flow.has & (CT_ORIG_TUPLE | CT_REPLY_TUPLE | CT_MASTER_TUPLE),
			 CT_ORIG_TUPLE | CT_REPLY_TUPLE | CT_MASTER_TUPLE);
	assert_int_equal(flow.reply.icmp_id, 0x1200 + 20);
	assert_int_equal(flow.reply.icmp_type, 8);
	assert_int_equal(flow.reply.icmp_code, 3);
	assert_int_equal(flow.master.icmp_id, 0x1200 + 40);
	assert_true(flow.has & CT_EVENT_TIME);
	assert_true(flow.event_time == UINT64_C(0x1722232425262728));
	assert_int_equal(flow.seqadj[CT_ORIG].offset_before, -70001);
	assert_int_equal(flow.seqadj[CT_REPLY].offset_after, 70002);
	message = full_message(buffer, sizeof(buffer), AF_INET6, IPPROTO_ICMPV6, false);
	decode_message("icmpv6", message, &flow);
	assert_int_equal(flow.reply.icmp_id, 0x3400 + 20);
	assert_int_equal(flow.reply.icmp_type, 128);
	assert_int_equal(flow.reply.icmp_code, 4);
	assert_int_equal(flow.reply.has, CT_TUPLE_ADDRS | CT_TUPLE_PROTO |
						 CT_TUPLE_ICMP | CT_TUPLE_ZONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_library),
		cmocka_unit_test(beyond_the_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
