/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A filter is a list of terms, one for each condition used; a term is a list of values.
 */
#include "filter.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "condition_kinds.h"

struct term {
	const struct ct_condition *condition;
	union ct_wanted *wanted;
	size_t count;
};

/* Terms for which there is room at a time; a filter has few. */
#define TERMS_STEP 16

struct ct_filter {
	struct term *terms;
	size_t count;
	uint64_t now;
};

struct ct_filter *
ct_filter_new(void)
{
	struct ct_filter *filter = calloc(1, sizeof(*filter));
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (filter)
		filter->now = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return filter;
}

void
ct_filter_free(struct ct_filter *filter)
{
	if (!filter)
		return;
	for (size_t i = 0; i < filter->count; i++)
		free(filter->terms[i].wanted);
	free(filter->terms);
	free(filter);
}

static struct term *
term_for(struct ct_filter *filter, const struct ct_condition *condition)
{
	struct term *terms;

	for (size_t i = 0; i < filter->count; i++)
		if (filter->terms[i].condition == condition)
			return &filter->terms[i];
	if (filter->count % TERMS_STEP == 0) {
		terms = reallocarray(filter->terms, filter->count + TERMS_STEP,
				     sizeof(*terms));
		if (!terms)
			return NULL;
		filter->terms = terms;
	}
	filter->terms[filter->count] = (struct term){ .condition = condition };
	return &filter->terms[filter->count++];
}

static int
add_wanted(struct ct_filter *filter, const struct ct_condition *condition,
	   const union ct_wanted *wanted)
{
	struct term *term = term_for(filter, condition);
	union ct_wanted *grown;

	if (!term)
		return -ENOMEM;
	grown = reallocarray(term->wanted, term->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	grown[term->count++] = *wanted;
	term->wanted = grown;
	return 0;
}

static int
add_value(struct ct_filter *filter, const struct ct_condition *condition,
	  const char *value, struct ct_why *why)
{
	union ct_wanted wanted;
	int error;

	memset(&wanted, 0, sizeof(wanted));
	error = condition->parse(condition, value, &wanted, why);
	return error ? error : add_wanted(filter, condition, &wanted);
}

int
ct_filter_add(struct ct_filter *filter, const struct ct_condition *condition,
	      const char *value, struct ct_why *why)
{
	char *list, *rest, *word;
	int error = 0;

	if (!value && !condition->bare)
		return ct_parse_failed(why, "a value is missing (%s)",
				       condition->argument);
	if (!value || condition->joined || (*value && !strchr(value, ',')))
		return add_value(filter, condition, value, why);
	rest = list = strdup(value);
	if (!list)
		return -ENOMEM;
	while (!error && (word = strsep(&rest, ","))) {
		if (*word)
			error = add_value(filter, condition, word, why);
		else
			error = ct_parse_failed(why, "'%.100s' has an empty value",
						value);
	}
	free(list);
	return error;
}

bool
ct_filter_is_empty(const struct ct_filter *filter)
{
	return filter->count == 0;
}

void
ct_filter_set_now(struct ct_filter *filter, uint64_t now)
{
	filter->now = now;
}

static bool
term_matches(const struct term *term, const struct ct_flow *flow, uint64_t now)
{
	for (size_t i = 0; i < term->count; i++)
		if (term->condition->match(term->condition, &term->wanted[i], flow,
					   now))
			return true;
	return false;
}

bool
ct_filter_match(const struct ct_filter *filter, const struct ct_flow *flow)
{
	for (size_t i = 0; i < filter->count; i++)
		if (!term_matches(&filter->terms[i], flow, filter->now))
			return false;
	return true;
}

const struct ct_condition *
ct_filter_needing(const struct ct_filter *filter, enum ct_need need)
{
	for (size_t i = 0; i < filter->count; i++)
		if (filter->terms[i].condition->need == need)
			return filter->terms[i].condition;
	return NULL;
}

/*
 * The kernel wants a family with every tuple and a protocol with every port, and looks
 * at the ports of TCP and UDP only.
 */
static void
settle(struct ct_dump_ask *ask)
{
	struct ct_tuple *orig = &ask->tuple[CT_ORIG], *reply = &ask->tuple[CT_REPLY];

	if (!(orig->has & CT_TUPLE_PROTO) ||
	    (orig->proto != IPPROTO_TCP && orig->proto != IPPROTO_UDP)) {
		orig->has &= (uint16_t)~CT_TUPLE_PORTS;
		reply->has &= (uint16_t)~CT_TUPLE_PORTS;
	}
	if (reply->has & CT_TUPLE_PORTS) {
		reply->proto = orig->proto;
		reply->has |= CT_TUPLE_PROTO;
	}
	if (ask->family != AF_INET) {
		orig->has &= (uint16_t)~CT_TUPLE_ADDRS;
		reply->has &= (uint16_t)~CT_TUPLE_ADDRS;
	}
	if (ask->family == AF_UNSPEC)
		orig->has = reply->has = 0;
	orig->family = reply->family = ask->family;
}

void
ct_filter_ask(const struct ct_filter *filter, struct ct_dump_ask *ask)
{
	memset(ask, 0, sizeof(*ask));
	for (size_t i = 0; i < filter->count; i++) {
		const struct term *term = &filter->terms[i];

		if (term->count == 1 && term->condition->ask)
			term->condition->ask(term->condition, &term->wanted[0], ask);
	}
	settle(ask);
}

/* Both tuples are of one family and protocol, and count as there if an address is. */
static void
complete_tuples(struct ct_flow *flow)
{
	struct ct_tuple *orig = &flow->orig, *reply = &flow->reply;

	if (!orig->family)
		orig->family = reply->family;
	reply->family = orig->family;
	reply->proto = orig->proto;
	reply->has |= orig->has & CT_TUPLE_PROTO;
	if (orig->has & CT_TUPLE_ADDRS)
		flow->has |= CT_ORIG_TUPLE;
	if (reply->has & CT_TUPLE_ADDRS)
		flow->has |= CT_REPLY_TUPLE;
}

static bool
families_agree(const struct ct_flow *flow)
{
	const struct ct_tuple *orig = &flow->orig, *reply = &flow->reply;

	return !reply->family || !orig->family || reply->family == orig->family;
}

static bool
names_ports(const struct ct_filter *filter)
{
	for (size_t i = 0; i < filter->count; i++)
		if (filter->terms[i].condition->match == ct_port_match)
			return true;
	return false;
}

/* The same value again leaves no choice. */
static bool
has_one_value(const struct term *term)
{
	for (size_t i = 1; i < term->count; i++)
		if (memcmp(&term->wanted[i], &term->wanted[0], sizeof(*term->wanted)) !=
		    0)
			return false;
	return true;
}

static int
describe_term(const struct term *term, struct ct_flow *flow, struct ct_why *why)
{
	const struct ct_condition *condition = term->condition;

	if (has_one_value(term) && condition->describe &&
	    condition->describe(condition, &term->wanted[0], flow))
		return 0;
	return ct_parse_failed(
		why,
		"--%s leaves a choice, or contradicts another condition; "
		"this is about one flow",
		condition->name);
}

int
ct_filter_describe(const struct ct_filter *filter, struct ct_flow *flow,
		   struct ct_why *why)
{
	int error = 0;

	memset(flow, 0, sizeof(*flow));
	/* A state can be understood only when the protocol is known. */
	for (int states = 0; states <= 1; states++)
		for (size_t i = 0; !error && i < filter->count; i++)
			if ((filter->terms[i].condition->match == ct_state_match) ==
			    states)
				error = describe_term(&filter->terms[i], flow, why);
	if (!error && !families_agree(flow))
		error = ct_parse_failed(why,
					"IPv4 and IPv6 do not go together in one flow");
	complete_tuples(flow);
	if (!error && flow->orig.proto == IPPROTO_GRE && names_ports(filter))
		error = ct_parse_failed(
			why, "GRE has no ports, but keys (--srckey, --dstkey)");
	/* One may have taken back what another said, or be of another protocol. */
	for (size_t i = 0; !error && i < filter->count; i++)
		if (!term_matches(&filter->terms[i], flow, filter->now))
			error = ct_parse_failed(why,
						"--%s contradicts another condition",
						filter->terms[i].condition->name);
	return error;
}
