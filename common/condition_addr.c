/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions on addresses, ports and their translation. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "condition_kinds.h"

static bool
addr_in(const struct ct_addr_range *range, const struct ct_tuple *tuple, uint16_t has,
	const struct ct_addr *addr)
{
	return tuple->has & has && tuple->family == range->family &&
	       memcmp(addr, &range->low, sizeof(*addr)) >= 0 &&
	       memcmp(addr, &range->high, sizeof(*addr)) <= 0;
}

int
ct_addr_parse(const struct ct_condition *condition, const char *value,
	      union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	return ct_parse_addr(value, &wanted->addr, why);
}

bool
ct_addr_match(const struct ct_condition *condition, const union ct_wanted *wanted,
	      const struct ct_flow *flow, uint64_t now)
{
	const struct ct_tuple *orig = &flow->orig, *reply = &flow->reply;
	const struct ct_addr_range *range = &wanted->addr;
	int which = condition->which;

	(void)now;
	return (which & CT_ORIG_SRC &&
		addr_in(range, orig, CT_TUPLE_SRC, &orig->src)) ||
	       (which & CT_ORIG_DST &&
		addr_in(range, orig, CT_TUPLE_DST, &orig->dst)) ||
	       (which & CT_REPLY_SRC &&
		addr_in(range, reply, CT_TUPLE_SRC, &reply->src)) ||
	       (which & CT_REPLY_DST &&
		addr_in(range, reply, CT_TUPLE_DST, &reply->dst));
}

static struct ct_tuple *
asked_tuple(const struct ct_condition *condition, struct ct_dump_ask *ask)
{
	return &ask->tuple[condition->which & (CT_ORIG_SRC | CT_ORIG_DST) ? CT_ORIG
									  : CT_REPLY];
}

/* The kernel's test of IPv6 addresses is the wrong way round, so it gets none. */
void
ct_addr_ask(const struct ct_condition *condition, const union ct_wanted *wanted,
	    struct ct_dump_ask *ask)
{
	struct ct_tuple *tuple = asked_tuple(condition, ask);
	const struct ct_addr_range *range = &wanted->addr;

	if (ask->family == AF_UNSPEC)
		ask->family = range->family;
	if (range->family != AF_INET || ask->family != AF_INET ||
	    memcmp(&range->low, &range->high, sizeof(range->low)) != 0)
		return;
	tuple->family = AF_INET;
	if (condition->which & (CT_ORIG_SRC | CT_REPLY_SRC)) {
		tuple->src = range->low;
		tuple->has |= CT_TUPLE_SRC;
	} else {
		tuple->dst = range->low;
		tuple->has |= CT_TUPLE_DST;
	}
}

void
ct_any_addr_ask(const struct ct_condition *condition, const union ct_wanted *wanted,
		struct ct_dump_ask *ask)
{
	(void)condition;
	if (ask->family == AF_UNSPEC)
		ask->family = wanted->addr.family;
}

int
ct_port_parse(const struct ct_condition *condition, const char *value,
	      union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	return ct_parse_port(value, &wanted->range, why);
}

static bool
port_in(const struct ct_range *range, const struct ct_tuple *tuple, uint16_t has,
	uint16_t port)
{
	return tuple->has & has && port >= range->low && port <= range->high;
}

bool
ct_port_match(const struct ct_condition *condition, const union ct_wanted *wanted,
	      const struct ct_flow *flow, uint64_t now)
{
	const struct ct_tuple *orig = &flow->orig, *reply = &flow->reply;
	const struct ct_range *range = &wanted->range;
	int which = condition->which;

	(void)now;
	if (orig->proto == IPPROTO_GRE) /* its keys travel as ports, but are none */
		return false;
	return (which & CT_ORIG_SRC &&
		port_in(range, orig, CT_TUPLE_SPORT, orig->sport)) ||
	       (which & CT_ORIG_DST &&
		port_in(range, orig, CT_TUPLE_DPORT, orig->dport)) ||
	       (which & CT_REPLY_SRC &&
		port_in(range, reply, CT_TUPLE_SPORT, reply->sport)) ||
	       (which & CT_REPLY_DST &&
		port_in(range, reply, CT_TUPLE_DPORT, reply->dport));
}

void
ct_port_ask(const struct ct_condition *condition, const union ct_wanted *wanted,
	    struct ct_dump_ask *ask)
{
	struct ct_tuple *tuple = asked_tuple(condition, ask);

	if (wanted->range.low != wanted->range.high)
		return;
	if (condition->which & (CT_ORIG_SRC | CT_REPLY_SRC)) {
		tuple->sport = (uint16_t)wanted->range.low;
		tuple->has |= CT_TUPLE_SPORT;
	} else {
		tuple->dport = (uint16_t)wanted->range.low;
		tuple->has |= CT_TUPLE_DPORT;
	}
}

int
ct_nat_parse(const struct ct_condition *condition, const char *value,
	     union ct_wanted *wanted, struct ct_why *why)
{
	wanted->nat.status = (uint32_t)condition->which;
	wanted->nat.any = value == NULL;
	return value ? ct_parse_addr(value, &wanted->nat.addr, why) : 0;
}

/* Translated sources show as the reply's destination, and the other way round. */
bool
ct_nat_match(const struct ct_condition *condition, const union ct_wanted *wanted,
	     const struct ct_flow *flow, uint64_t now)
{
	const struct ct_tuple *reply = &flow->reply;
	uint32_t nat = flow->status & wanted->nat.status;

	(void)condition;
	(void)now;
	if (wanted->nat.any)
		return nat != 0;
	return (nat & CT_SRC_NAT &&
		addr_in(&wanted->nat.addr, reply, CT_TUPLE_DST, &reply->dst)) ||
	       (nat & CT_DST_NAT &&
		addr_in(&wanted->nat.addr, reply, CT_TUPLE_SRC, &reply->src));
}

void
ct_nat_ask(const struct ct_condition *condition, const union ct_wanted *wanted,
	   struct ct_dump_ask *ask)
{
	if (condition->which == CT_NAT_MASK) /* the kernel cannot say "one of" */
		return;
	ask->status |= wanted->nat.status;
	ask->status_mask |= wanted->nat.status;
	ask->has |= CT_ASK_STATUS;
}

static struct ct_tuple *
described_tuple(const struct ct_condition *condition, struct ct_flow *flow)
{
	return condition->which & (CT_ORIG_SRC | CT_ORIG_DST) ? &flow->orig
							      : &flow->reply;
}

static bool
is_host(const struct ct_addr_range *range)
{
	return memcmp(&range->low, &range->high, sizeof(range->low)) == 0;
}

bool
ct_addr_describe(const struct ct_condition *condition, const union ct_wanted *wanted,
		 struct ct_flow *flow)
{
	struct ct_tuple *tuple = described_tuple(condition, flow);
	bool source = condition->which & (CT_ORIG_SRC | CT_REPLY_SRC);

	if (!is_host(&wanted->addr) ||
	    (tuple->family && tuple->family != wanted->addr.family))
		return false;
	tuple->family = wanted->addr.family;
	tuple->has |= source ? CT_TUPLE_SRC : CT_TUPLE_DST;
	*(source ? &tuple->src : &tuple->dst) = wanted->addr.low;
	return true;
}

bool
ct_port_describe(const struct ct_condition *condition, const union ct_wanted *wanted,
		 struct ct_flow *flow)
{
	struct ct_tuple *tuple = described_tuple(condition, flow);
	bool source = condition->which & (CT_ORIG_SRC | CT_REPLY_SRC);

	if (wanted->range.low != wanted->range.high)
		return false;
	tuple->has |= source ? CT_TUPLE_SPORT : CT_TUPLE_DPORT;
	*(source ? &tuple->sport : &tuple->dport) = (uint16_t)wanted->range.low;
	return true;
}

bool
ct_nat_describe(const struct ct_condition *condition, const union ct_wanted *wanted,
		struct ct_flow *flow)
{
	struct ct_tuple *reply = &flow->reply;
	bool source = condition->which == CT_SRC_NAT;

	if (condition->which == CT_NAT_MASK || wanted->nat.any ||
	    !is_host(&wanted->nat.addr) ||
	    (reply->family && reply->family != wanted->nat.addr.family))
		return false;
	flow->status |= (uint32_t)condition->which;
	flow->has |= CT_STATUS;
	reply->family = wanted->nat.addr.family;
	reply->has |= source ? CT_TUPLE_DST : CT_TUPLE_SRC;
	*(source ? &reply->dst : &reply->src) = wanted->nat.addr.low;
	return true;
}
