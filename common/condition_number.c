/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions that hold a number of the flow's against a range. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "condition_kinds.h"

#define NS_PER_SECOND UINT64_C(1000000000)

static bool
age_of(const struct ct_flow *flow, uint64_t now, uint64_t *age)
{
	uint64_t end = flow->has & CT_STOP ? flow->stop : now;

	*age = end > flow->start ? (end - flow->start) / NS_PER_SECOND : 0;
	return flow->has & CT_START;
}

/* A sum that ends at the largest number: more than any bound is still more. */
static uint64_t
sum(uint64_t a, uint64_t b)
{
	uint64_t total;

	return __builtin_add_overflow(a, b, &total) ? UINT64_MAX : total;
}

/* The keys of GRE travel as ports. */
static bool
key_of(const struct ct_tuple *tuple, uint16_t has, uint16_t key, uint64_t *number)
{
	*number = key;
	return tuple->proto == IPPROTO_GRE && tuple->has & has;
}

/* False when the flow has no such number. */
static bool
number_of(int which, const struct ct_flow *flow, uint64_t now, uint64_t *number)
{
	switch (which) {
	case CT_NUMBER_FAMILY:
		*number = flow->orig.family;
		return true;
	case CT_NUMBER_PROTO:
		*number = flow->orig.proto;
		return flow->orig.has & CT_TUPLE_PROTO;
	case CT_NUMBER_ICMP_TYPE:
		*number = flow->orig.icmp_type;
		return flow->orig.has & CT_TUPLE_ICMP_TYPE;
	case CT_NUMBER_ICMP_CODE:
		*number = flow->orig.icmp_code;
		return flow->orig.has & CT_TUPLE_ICMP_CODE;
	case CT_NUMBER_ICMP_ID:
		*number = flow->orig.icmp_id;
		return flow->orig.has & CT_TUPLE_ICMP_ID;
	case CT_NUMBER_SRCKEY:
		return key_of(&flow->orig, CT_TUPLE_SPORT, flow->orig.sport, number);
	case CT_NUMBER_DSTKEY:
		return key_of(&flow->orig, CT_TUPLE_DPORT, flow->orig.dport, number);
	case CT_NUMBER_REPLY_SRCKEY:
		return key_of(&flow->reply, CT_TUPLE_SPORT, flow->reply.sport, number);
	case CT_NUMBER_REPLY_DSTKEY:
		return key_of(&flow->reply, CT_TUPLE_DPORT, flow->reply.dport, number);
	case CT_NUMBER_ORIG_VTAG:
		*number = flow->sctp.vtag[CT_ORIG];
		return flow->has & CT_SCTP_VTAG_ORIG;
	case CT_NUMBER_REPLY_VTAG:
		*number = flow->sctp.vtag[CT_REPLY];
		return flow->has & CT_SCTP_VTAG_REPLY;
	case CT_NUMBER_ZONE: /* of both directions; a directional zone is not in it */
		*number = flow->zone;
		return !((flow->orig.has | flow->reply.has) & CT_TUPLE_ZONE);
	case CT_NUMBER_ORIG_ZONE:
		*number = ct_flow_zone(flow, CT_ORIG);
		return true;
	case CT_NUMBER_REPLY_ZONE:
		*number = ct_flow_zone(flow, CT_REPLY);
		return true;
	case CT_NUMBER_BYTES:
		*number = sum(flow->counters[CT_ORIG].bytes,
			      flow->counters[CT_REPLY].bytes);
		return flow->has & CT_COUNTERS;
	case CT_NUMBER_PACKETS:
		*number = sum(flow->counters[CT_ORIG].packets,
			      flow->counters[CT_REPLY].packets);
		return flow->has & CT_COUNTERS;
	case CT_NUMBER_AGE:
		return age_of(flow, now, number);
	case CT_NUMBER_TIMEOUT:
		*number = flow->timeout;
		return flow->has & CT_TIMEOUT;
	default:
		return false;
	}
}

bool
ct_number_match(const struct ct_condition *condition, const union ct_wanted *wanted,
		const struct ct_flow *flow, uint64_t now)
{
	uint64_t number;

	return number_of(condition->which, flow, now, &number) &&
	       number >= wanted->range.low && number <= wanted->range.high;
}

int
ct_family_parse(const struct ct_condition *condition, const char *value,
		union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	if (ct_same_word(value, "ipv4") || ct_same_word(value, "inet"))
		wanted->range.low = AF_INET;
	else if (ct_same_word(value, "ipv6") || ct_same_word(value, "inet6"))
		wanted->range.low = AF_INET6;
	else
		return ct_parse_failed(why, "%.100s is not a family (ipv4 or ipv6)",
				       value);
	wanted->range.high = wanted->range.low;
	return 0;
}

void
ct_family_ask(const struct ct_condition *condition, const union ct_wanted *wanted,
	      struct ct_dump_ask *ask)
{
	(void)condition;
	ask->family = (uint8_t)wanted->range.low;
}

int
ct_proto_parse(const struct ct_condition *condition, const char *value,
	       union ct_wanted *wanted, struct ct_why *why)
{
	int number = ct_proto_value(value);
	struct ct_why unused;

	(void)condition;
	wanted->range.low = wanted->range.high = (uint64_t)number;
	if (number >= 0 || ct_parse_range(value, 255, "", &wanted->range, &unused) == 0)
		return 0;
	return ct_parse_failed(
		why,
		"%.100s is not a protocol (tcp, udp, udplite, icmp, icmpv6, "
		"sctp, dccp, gre, …, or 0-255)",
		value);
}

void
ct_proto_ask(const struct ct_condition *condition, const union ct_wanted *wanted,
	     struct ct_dump_ask *ask)
{
	(void)condition;
	if (wanted->range.low != wanted->range.high)
		return;
	ask->tuple[CT_ORIG].proto = (uint8_t)wanted->range.low;
	ask->tuple[CT_ORIG].has |= CT_TUPLE_PROTO;
}

int
ct_octet_parse(const struct ct_condition *condition, const char *value,
	       union ct_wanted *wanted, struct ct_why *why)
{
	return ct_parse_range(value, 255,
			      condition->which == CT_NUMBER_ICMP_TYPE ? "an ICMP type"
								      : "an ICMP code",
			      &wanted->range, why);
}

int
ct_u16_parse(const struct ct_condition *condition, const char *value,
	     union ct_wanted *wanted, struct ct_why *why)
{
	const char *what = "a zone";

	if (condition->which == CT_NUMBER_ICMP_ID)
		what = "an ICMP id";
	else if (condition->which >= CT_NUMBER_SRCKEY &&
		 condition->which <= CT_NUMBER_REPLY_DSTKEY)
		what = "a GRE key";
	return ct_parse_range(value, UINT16_MAX, what, &wanted->range, why);
}

int
ct_u32_parse(const struct ct_condition *condition, const char *value,
	     union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	return ct_parse_range(value, UINT32_MAX, "a verification tag", &wanted->range,
			      why);
}

void
ct_zone_ask(const struct ct_condition *condition, const union ct_wanted *wanted,
	    struct ct_dump_ask *ask)
{
	(void)condition;
	if (wanted->range.low != wanted->range.high)
		return;
	ask->zone = (uint16_t)wanted->range.low;
	ask->has |= CT_ASK_ZONE;
}

/* Amounts and times come as minimum and maximum: the name begins with it. */
static void
bound(const struct ct_condition *condition, union ct_wanted *wanted, uint64_t number)
{
	bool minimum = strncmp(condition->name, "min-", 4) == 0;

	wanted->range.low = minimum ? number : 0;
	wanted->range.high = minimum ? UINT64_MAX : number;
}

int
ct_amount_parse(const struct ct_condition *condition, const char *value,
		union ct_wanted *wanted, struct ct_why *why)
{
	uint64_t number;
	int error = ct_parse_amount(value, &number, why);

	if (!error)
		bound(condition, wanted, number);
	return error;
}

int
ct_duration_parse(const struct ct_condition *condition, const char *value,
		  union ct_wanted *wanted, struct ct_why *why)
{
	uint64_t number;
	int error = ct_parse_duration(value, &number, why);

	if (!error)
		bound(condition, wanted, number);
	return error;
}

bool
ct_number_describe(const struct ct_condition *condition, const union ct_wanted *wanted,
		   struct ct_flow *flow)
{
	uint64_t number = wanted->range.low;
	struct ct_tuple *orig = &flow->orig;

	if (wanted->range.high != number)
		return false;
	switch (condition->which) {
	case CT_NUMBER_FAMILY:
		orig->family = (uint8_t)number;
		return true;
	case CT_NUMBER_PROTO:
		orig->proto = (uint8_t)number;
		orig->has |= CT_TUPLE_PROTO;
		return true;
	case CT_NUMBER_ICMP_TYPE:
		orig->icmp_type = (uint8_t)number;
		orig->has |= CT_TUPLE_ICMP_TYPE;
		return true;
	case CT_NUMBER_ICMP_CODE:
		orig->icmp_code = (uint8_t)number;
		orig->has |= CT_TUPLE_ICMP_CODE;
		return true;
	case CT_NUMBER_ICMP_ID:
		orig->icmp_id = (uint16_t)number;
		orig->has |= CT_TUPLE_ICMP_ID;
		return true;
	case CT_NUMBER_SRCKEY:
		orig->sport = (uint16_t)number;
		orig->has |= CT_TUPLE_SPORT;
		return true;
	case CT_NUMBER_DSTKEY:
		orig->dport = (uint16_t)number;
		orig->has |= CT_TUPLE_DPORT;
		return true;
	case CT_NUMBER_REPLY_SRCKEY:
		flow->reply.sport = (uint16_t)number;
		flow->reply.has |= CT_TUPLE_SPORT;
		return true;
	case CT_NUMBER_REPLY_DSTKEY:
		flow->reply.dport = (uint16_t)number;
		flow->reply.has |= CT_TUPLE_DPORT;
		return true;
	case CT_NUMBER_ORIG_VTAG:
		flow->sctp.vtag[CT_ORIG] = (uint32_t)number;
		flow->has |= CT_SCTP_VTAG_ORIG;
		return true;
	case CT_NUMBER_REPLY_VTAG:
		flow->sctp.vtag[CT_REPLY] = (uint32_t)number;
		flow->has |= CT_SCTP_VTAG_REPLY;
		return true;
	case CT_NUMBER_ZONE:
		flow->zone = (uint16_t)number;
		flow->has |= CT_ZONE;
		return true;
	case CT_NUMBER_ORIG_ZONE:
		orig->zone = (uint16_t)number;
		orig->has |= CT_TUPLE_ZONE;
		return true;
	case CT_NUMBER_REPLY_ZONE:
		flow->reply.zone = (uint16_t)number;
		flow->reply.has |= CT_TUPLE_ZONE;
		return true;
	default:
		return false;
	}
}
