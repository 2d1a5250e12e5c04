/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_CONDITION_KINDS_H
#define CT_CONDITION_KINDS_H
/*
 * The kinds of conditions, for the table in condition.c: of each kind its parser
 * (value → union ct_wanted), its match and, where the kernel can do it, its ask; their
 * contracts are in struct ct_condition.
 */
#include "condition.h"

/* Ends of a flow, for `which` of addresses and ports. */
enum {
	CT_ORIG_SRC = 1 << 0,
	CT_ORIG_DST = 1 << 1,
	CT_REPLY_SRC = 1 << 2,
	CT_REPLY_DST = 1 << 3,
	CT_ANY_END = CT_ORIG_SRC | CT_ORIG_DST | CT_REPLY_SRC | CT_REPLY_DST,
};

/* Numbers, for `which` of what is held against a range. */
enum {
	CT_NUMBER_FAMILY,
	CT_NUMBER_PROTO,
	CT_NUMBER_ICMP_TYPE,
	CT_NUMBER_ICMP_CODE,
	CT_NUMBER_ICMP_ID,
	CT_NUMBER_SRCKEY,
	CT_NUMBER_DSTKEY,
	CT_NUMBER_REPLY_SRCKEY,
	CT_NUMBER_REPLY_DSTKEY,
	CT_NUMBER_ORIG_VTAG,
	CT_NUMBER_REPLY_VTAG,
	CT_NUMBER_ZONE,
	CT_NUMBER_ORIG_ZONE,
	CT_NUMBER_REPLY_ZONE,
	CT_NUMBER_BYTES,
	CT_NUMBER_PACKETS,
	CT_NUMBER_AGE,
	CT_NUMBER_TIMEOUT,
};

/* condition_number.c; amounts and durations read bounds: "min-…" and "max-…". */
ct_match_fn ct_number_match;
ct_parse_fn ct_family_parse, ct_proto_parse, ct_octet_parse, ct_u16_parse, ct_u32_parse;
ct_parse_fn ct_amount_parse, ct_duration_parse;
ct_ask_fn ct_family_ask, ct_proto_ask, ct_zone_ask;
ct_describe_fn ct_number_describe;

/* condition_addr.c; `which` of nat is the status bits that it is about. */
ct_parse_fn ct_addr_parse, ct_port_parse, ct_nat_parse;
ct_match_fn ct_addr_match, ct_port_match, ct_nat_match;
ct_ask_fn ct_addr_ask, ct_any_addr_ask, ct_port_ask, ct_nat_ask;
ct_describe_fn ct_addr_describe, ct_port_describe, ct_nat_describe;

/* condition_state.c */
ct_parse_fn ct_state_parse, ct_status_parse;
ct_match_fn ct_state_match, ct_status_match;
ct_ask_fn ct_status_ask;
ct_describe_fn ct_state_describe, ct_status_describe;

/* condition_tag.c */
ct_parse_fn ct_mark_parse, ct_label_parse, ct_helper_parse;
ct_match_fn ct_mark_match, ct_label_match, ct_helper_match;
ct_ask_fn ct_mark_ask;
ct_describe_fn ct_mark_describe, ct_label_describe, ct_helper_describe;

/* condition.c: takes "!", "not-" or "no-" off the word; true when there was one. */
bool ct_word_is_negated(const char **word);

/* condition.c: calls `parse` for each word of a list with commas. */
int ct_each_word(const char *value, union ct_wanted *wanted, struct ct_why *why,
		 int (*parse)(const char *word, union ct_wanted *wanted,
			      struct ct_why *why));

#endif
