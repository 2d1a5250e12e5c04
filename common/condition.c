/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of conditions, and what reading their values shares. */
#include "condition.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "condition_kinds.h"

/* clang-format off */
#define ADDR(ends, asks) \
	.topic = CT_TOPIC_ADDRESS, .argument = "ADDR", .which = (ends), \
	.parse = ct_addr_parse, .match = ct_addr_match, .ask = (asks), \
	.describe = (ends) == CT_ANY_END ? NULL : ct_addr_describe
#define PORT(ends, asks) \
	.topic = CT_TOPIC_ADDRESS, .argument = "PORT", .which = (ends), \
	.parse = ct_port_parse, .match = ct_port_match, .ask = (asks), \
	.describe = (ends) == CT_ANY_END ? NULL : ct_port_describe
#define NAT(bits) \
	.topic = CT_TOPIC_ADDRESS, .argument = "ADDR", .bare = true, .which = (bits), \
	.parse = ct_nat_parse, .match = ct_nat_match, .ask = ct_nat_ask, \
	.describe = ct_nat_describe
#define PROTOCOL(of, word, reads) \
	.topic = CT_TOPIC_PROTOCOL, .argument = (word), .which = CT_NUMBER_##of, \
	.parse = (reads), .match = ct_number_match, .describe = ct_number_describe
#define ZONE(of) \
	.topic = CT_TOPIC_TAG, .argument = "ZONE", .which = CT_NUMBER_##of, \
	.parse = ct_u16_parse, .match = ct_number_match, .describe = ct_number_describe
#define AMOUNT(of, needs) \
	.topic = CT_TOPIC_AMOUNT, .argument = "N", .which = CT_NUMBER_##of, \
	.need = (needs), .parse = ct_amount_parse, .match = ct_number_match
#define DURATION(of, needs) \
	.topic = CT_TOPIC_AMOUNT, .argument = "TIME", .which = CT_NUMBER_##of, \
	.need = (needs), .parse = ct_duration_parse, .match = ct_number_match

const struct ct_condition ct_conditions[] = {
	{ "orig-src", { "src" }, 's', ADDR(CT_ORIG_SRC, ct_addr_ask),
	  .help = "source of the original direction" },
	{ "orig-dst", { "dst" }, 'd', ADDR(CT_ORIG_DST, ct_addr_ask),
	  .help = "destination of the original direction" },
	{ "reply-src", { 0 }, 'r', ADDR(CT_REPLY_SRC, ct_addr_ask),
	  .help = "source of the reply direction" },
	{ "reply-dst", { 0 }, 'q', ADDR(CT_REPLY_DST, ct_addr_ask),
	  .help = "destination of the reply direction" },
	{ "any-addr", { "host" }, 0, ADDR(CT_ANY_END, ct_any_addr_ask),
	  .help = "either end, in either direction" },
	{ "sport", { "orig-src-port", "orig-port-src" }, 0, PORT(CT_ORIG_SRC, ct_port_ask),
	  .help = "source port of the original direction" },
	{ "dport", { "orig-dst-port", "orig-port-dst" }, 0, PORT(CT_ORIG_DST, ct_port_ask),
	  .help = "destination port of the original direction" },
	{ "reply-src-port", { "reply-port-src" }, 0, PORT(CT_REPLY_SRC, ct_port_ask),
	  .help = "source port of the reply direction" },
	{ "reply-dst-port", { "reply-port-dst" }, 0, PORT(CT_REPLY_DST, ct_port_ask),
	  .help = "destination port of the reply direction" },
	{ "any-port", { "port" }, 0, PORT(CT_ANY_END, NULL),
	  .help = "either end, in either direction" },
	{ "src-nat", { "snat" }, 'n', NAT(CT_SRC_NAT),
	  .help = "its source is translated (to ADDR)" },
	{ "dst-nat", { "dnat" }, 'g', NAT(CT_DST_NAT),
	  .help = "its destination is translated (to ADDR)" },
	{ "any-nat", { "nat" }, 'j', NAT(CT_NAT_MASK),
	  .help = "either of the two" },

	{ "family", { 0 }, 'f', PROTOCOL(FAMILY, "FAMILY", ct_family_parse),
	  .ask = ct_family_ask, .help = "ipv4 or ipv6" },
	{ "protonum", { "proto", "protocol" }, 'p', PROTOCOL(PROTO, "PROTO", ct_proto_parse),
	  .ask = ct_proto_ask, .help = "tcp, udp, icmp, icmpv6, sctp, gre, …, or a number" },
	{ "icmp-type", { "icmpv6-type" }, 0, PROTOCOL(ICMP_TYPE, "TYPE", ct_octet_parse),
	  .help = "type of ICMP or ICMPv6" },
	{ "icmp-code", { "icmpv6-code" }, 0, PROTOCOL(ICMP_CODE, "CODE", ct_octet_parse),
	  .help = "code of ICMP or ICMPv6" },
	{ "icmp-id", { "icmpv6-id" }, 0, PROTOCOL(ICMP_ID, "ID", ct_u16_parse),
	  .help = "id of ICMP or ICMPv6" },
	{ "srckey", { 0 }, 0, PROTOCOL(SRCKEY, "KEY", ct_u16_parse),
	  .help = "source key of GRE (PPTP)" },
	{ "dstkey", { 0 }, 0, PROTOCOL(DSTKEY, "KEY", ct_u16_parse),
	  .help = "destination key of GRE (PPTP)" },
	{ "reply-key-src", { 0 }, 0, PROTOCOL(REPLY_SRCKEY, "KEY", ct_u16_parse),
	  .help = "source key of the reply direction" },
	{ "reply-key-dst", { 0 }, 0, PROTOCOL(REPLY_DSTKEY, "KEY", ct_u16_parse),
	  .help = "destination key of the reply direction" },
	{ "orig-vtag", { 0 }, 0, PROTOCOL(ORIG_VTAG, "TAG", ct_u32_parse),
	  .help = "verification tag of SCTP, original direction" },
	{ "reply-vtag", { 0 }, 0, PROTOCOL(REPLY_VTAG, "TAG", ct_u32_parse),
	  .help = "verification tag of SCTP, reply direction" },

	{ "state", { 0 }, 0, .topic = CT_TOPIC_STATE, .argument = "STATE",
	  .parse = ct_state_parse, .match = ct_state_match, .describe = ct_state_describe,
	  .help = "of TCP, SCTP or DCCP: ESTABLISHED, TIME_WAIT, …" },
	{ "status", { 0 }, 'u', .topic = CT_TOPIC_STATE, .argument = "STATUS",
	  .parse = ct_status_parse, .match = ct_status_match, .ask = ct_status_ask,
	  .describe = ct_status_describe, .joined = true,
	  .help = "all of: assured, seen-reply, unreplied, snat, dnat, nat, offload, "
		  "dying, …; not-NAME for its absence" },

	{ "mark", { 0 }, 'm', .topic = CT_TOPIC_TAG, .argument = "MARK",
	  .parse = ct_mark_parse, .match = ct_mark_match, .ask = ct_mark_ask,
	  .describe = ct_mark_describe,
	  .help = "a mark, or MARK/MASK" },
	{ "zone", { 0 }, 'w', ZONE(ZONE),
	  .ask = ct_zone_ask, .help = "of both directions" },
	{ "orig-zone", { 0 }, 0, ZONE(ORIG_ZONE),
	  .help = "of the original direction" },
	{ "reply-zone", { 0 }, 0, ZONE(REPLY_ZONE),
	  .help = "of the reply direction" },
	{ "label", { 0 }, 'l', .topic = CT_TOPIC_TAG, .argument = "LABEL",
	  .parse = ct_label_parse, .match = ct_label_match,
	  .describe = ct_label_describe, .joined = true,
	  .help = "all of these, by number or by name in connlabel.conf; not-LABEL" },
	{ "helper", { 0 }, 0, .topic = CT_TOPIC_TAG, .argument = "NAME",
	  .parse = ct_helper_parse, .match = ct_helper_match, .describe = ct_helper_describe,
	  .help = "of the helper that follows the flow: ftp, sip, …" },

	{ "min-bytes", { 0 }, 0, AMOUNT(BYTES, CT_NEEDS_ACCT),
	  .help = "of both directions together: 1500, 10k, 2M, 1Gi" },
	{ "max-bytes", { 0 }, 0, AMOUNT(BYTES, CT_NEEDS_ACCT),
	  .help = "likewise" },
	{ "min-packets", { 0 }, 0, AMOUNT(PACKETS, CT_NEEDS_ACCT),
	  .help = "of both directions together" },
	{ "max-packets", { 0 }, 0, AMOUNT(PACKETS, CT_NEEDS_ACCT),
	  .help = "likewise" },
	{ "min-age", { 0 }, 0, DURATION(AGE, CT_NEEDS_TIMESTAMP),
	  .help = "since the first packet: 90, 5m, 1h30m, 2d" },
	{ "max-age", { 0 }, 0, DURATION(AGE, CT_NEEDS_TIMESTAMP),
	  .help = "likewise" },
	{ "min-timeout", { 0 }, 0, DURATION(TIMEOUT, CT_NEEDS_NOTHING),
	  .help = "left until the kernel forgets the flow" },
	{ "max-timeout", { 0 }, 0, DURATION(TIMEOUT, CT_NEEDS_NOTHING),
	  .help = "likewise" },
	{ .name = NULL },
};
/* clang-format on */

bool
ct_word_is_negated(const char **word)
{
	static const char *const prefixes[] = { "!", "not-", "not_", "no-", "no_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t length = strlen(prefixes[i]);

		if (strncasecmp(*word, prefixes[i], length) == 0) {
			*word += length;
			return true;
		}
	}
	return false;
}

int
ct_each_word(const char *value, union ct_wanted *wanted, struct ct_why *why,
	     int (*parse)(const char *word, union ct_wanted *wanted,
			  struct ct_why *why))
{
	char list[256], *rest = list, *word;
	int error = 0;

	if (strlen(value) >= sizeof(list))
		return ct_parse_failed(why, "%.60s… is too long", value);
	snprintf(list, sizeof(list), "%s", value);
	while (!error && (word = strsep(&rest, ",")))
		error = *word ? parse(word, wanted, why)
			      : ct_parse_failed(why, "'%.100s' has an empty value",
						value);
	return error;
}

const char *
ct_topic_title(enum ct_topic topic)
{
	static const char *const titles[] = {
		[CT_TOPIC_ADDRESS] = "addresses, ports and their translation",
		[CT_TOPIC_PROTOCOL] = "protocol",
		[CT_TOPIC_STATE] = "state",
		[CT_TOPIC_TAG] = "mark, zone, label and helper",
		[CT_TOPIC_AMOUNT] = "amounts and times",
	};

	_Static_assert(sizeof(titles) / sizeof(titles[0]) == CT_TOPICS, "a title each");
	return titles[topic];
}

const struct ct_condition *
ct_condition_find(const char *name)
{
	for (const struct ct_condition *at = ct_conditions; at->name; at++)
		if (strcmp(at->name, name) == 0 ||
		    (at->alias[0] && strcmp(at->alias[0], name) == 0) ||
		    (at->alias[1] && strcmp(at->alias[1], name) == 0))
			return at;
	return NULL;
}
