/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions on states and status bits. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "condition_kinds.h"

bool
ct_state_match(const struct ct_condition *condition, const union ct_wanted *wanted,
	       const struct ct_flow *flow, uint64_t now)
{
	(void)condition;
	(void)now;
	if (!(flow->has & CT_STATE) || flow->state >= 16)
		return false;
	switch (flow->orig.proto) {
	case IPPROTO_TCP:
		return wanted->states.tcp >> flow->state & 1;
	case IPPROTO_SCTP:
		return wanted->states.sctp >> flow->state & 1;
	case IPPROTO_DCCP:
		return wanted->states.dccp >> flow->state & 1;
	default:
		return false;
	}
}

static uint16_t
state_bit(uint8_t proto, const char *name)
{
	int state = ct_state_value(proto, name);

	return state < 0 ? 0 : (uint16_t)(1u << state);
}

/* Writes "TCP: NONE, SYN_SENT …" behind what is in `text`. */
static void
list_states(char *text, size_t size, uint8_t proto, const char *title)
{
	size_t used = strlen(text);
	const char *name;

	for (uint8_t i = 0; used < size && (name = ct_state_name(proto, i)); i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
					 i ? " " : title, name);
}

int
ct_state_parse(const struct ct_condition *condition, const char *value,
	       union ct_wanted *wanted, struct ct_why *why)
{
	char names[CT_WHY_SIZE] = "";

	(void)condition;
	wanted->states.tcp = state_bit(IPPROTO_TCP, value);
	wanted->states.sctp = state_bit(IPPROTO_SCTP, value);
	wanted->states.dccp = state_bit(IPPROTO_DCCP, value);
	if (wanted->states.tcp || wanted->states.sctp || wanted->states.dccp)
		return 0;
	list_states(names, sizeof(names), IPPROTO_TCP, "TCP: ");
	list_states(names, sizeof(names), IPPROTO_SCTP, "; SCTP: ");
	list_states(names, sizeof(names), IPPROTO_DCCP, "; DCCP: ");
	return ct_parse_failed(why, "%.30s is not a state (%.440s)", value, names);
}

/* The bits that a word of the user's stands for; 0 for no such word. */
static uint32_t
status_bits(const char *word, bool *absent)
{
	static const struct {
		const char *word;
		uint32_t bits;
		bool absent;
	} others[] = {
		{ "unreplied", CT_SEEN_REPLY, true },
		{ "replied", CT_SEEN_REPLY, false },
		{ "unassured", CT_ASSURED, true },
		{ "snat", CT_SRC_NAT, false },
		{ "dnat", CT_DST_NAT, false },
		{ "nat", CT_NAT_MASK, false },
	};
	int bit = ct_status_value(word);

	*absent = false;
	if (bit >= 0)
		return 1u << bit;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (ct_same_word(word, others[i].word)) {
			*absent = others[i].absent;
			return others[i].bits;
		}
	return 0;
}

static int
parse_status_word(const char *word, union ct_wanted *wanted, struct ct_why *why)
{
	const char *name = word;
	bool negative = ct_word_is_negated(&name), absent;
	uint32_t bits = status_bits(name, &absent);

	if (!bits)
		return ct_parse_failed(
			why,
			"%.60s is not a status (expected, seen-reply, assured, "
			"confirmed, src-nat, dst-nat, nat, seq-adjust, dying, "
			"fixed-timeout, helper, offload, hw-offload, unreplied, "
			"…; not-NAME for its absence)",
			word);
	if (negative != absent)
		wanted->status.clear |= bits;
	else if (bits == CT_NAT_MASK)
		wanted->status.any |= bits;
	else
		wanted->status.set |= bits;
	return 0;
}

int
ct_status_parse(const struct ct_condition *condition, const char *value,
		union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	return ct_each_word(value, wanted, why, parse_status_word);
}

bool
ct_status_match(const struct ct_condition *condition, const union ct_wanted *wanted,
		const struct ct_flow *flow, uint64_t now)
{
	(void)condition;
	(void)now;
	return flow->has & CT_STATUS &&
	       (flow->status & wanted->status.set) == wanted->status.set &&
	       !(flow->status & wanted->status.clear) &&
	       (!wanted->status.any || flow->status & wanted->status.any);
}

void
ct_status_ask(const struct ct_condition *condition, const union ct_wanted *wanted,
	      struct ct_dump_ask *ask)
{
	(void)condition;
	if (!(wanted->status.set | wanted->status.clear))
		return;
	ask->status |= wanted->status.set;
	ask->status_mask |= wanted->status.set | wanted->status.clear;
	ask->has |= CT_ASK_STATUS;
}

/* The protocol must be known by then: ct_filter_describe() sees to it. */
bool
ct_state_describe(const struct ct_condition *condition, const union ct_wanted *wanted,
		  struct ct_flow *flow)
{
	uint16_t bits = flow->orig.proto == IPPROTO_TCP    ? wanted->states.tcp
			: flow->orig.proto == IPPROTO_SCTP ? wanted->states.sctp
			: flow->orig.proto == IPPROTO_DCCP ? wanted->states.dccp
							   : 0;

	(void)condition;
	if (!bits)
		return false;
	flow->state = (uint8_t)__builtin_ctz(bits);
	flow->has |= CT_STATE;
	return true;
}

bool
ct_status_describe(const struct ct_condition *condition, const union ct_wanted *wanted,
		   struct ct_flow *flow)
{
	(void)condition;
	if (wanted->status.any || wanted->status.set & wanted->status.clear)
		return false;
	flow->status |= wanted->status.set;
	flow->has |= CT_STATUS;
	return true;
}
