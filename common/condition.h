/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_CONDITION_H
#define CT_CONDITION_H
/*
 * The one table of the conditions by which flows can be chosen.  The command line's
 * options, their help and their errors come from it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dump.h"
#include "flow.h"
#include "parse.h"

/* What the kernel must collect, and by default does not. */
enum ct_need {
	CT_NEEDS_NOTHING,
	CT_NEEDS_ACCT,
	CT_NEEDS_TIMESTAMP,
};

/* Headings of the help. */
enum ct_topic {
	CT_TOPIC_ADDRESS,
	CT_TOPIC_PROTOCOL,
	CT_TOPIC_STATE,
	CT_TOPIC_TAG,
	CT_TOPIC_AMOUNT,
	CT_TOPICS,
};

/* One of the values of a condition; which member is used is the condition's affair. */
union ct_wanted {
	struct ct_range range;
	struct {
		uint32_t value; /* (mark & mask) == value */
		uint32_t mask;
	} mark;
	struct {
		uint32_t set;   /* all of these */
		uint32_t clear; /* none of these */
		uint32_t any;   /* unless 0, at least one of these */
	} status;
	struct {
		uint32_t status; /* one of these bits must be set */
		bool any;        /* whatever the address */
		struct ct_addr_range addr;
	} nat;
	struct ct_addr_range addr;
	struct {
		uint16_t tcp; /* a bit for each state */
		uint16_t sctp;
		uint16_t dccp;
	} states;
	struct {
		uint8_t set[CT_LABEL_BITS / 8];
		uint8_t clear[CT_LABEL_BITS / 8];
	} labels;
	char helper[CT_HELPER_LEN];
};

struct ct_condition;

/* One value → *wanted.  Returns 0, or -EINVAL and why. */
typedef int ct_parse_fn(const struct ct_condition *condition, const char *value,
			union ct_wanted *wanted, struct ct_why *why);

/* `now` is in nanoseconds since 1970. */
typedef bool ct_match_fn(const struct ct_condition *condition,
			 const union ct_wanted *wanted, const struct ct_flow *flow,
			 uint64_t now);

/* Adds to what the kernel is asked; called when there is but one value. */
typedef void ct_ask_fn(const struct ct_condition *condition,
		       const union ct_wanted *wanted, struct ct_dump_ask *ask);

/*
 * Sets in *flow what a flow must have to meet the condition; false when the value
 * leaves a choice.
 */
typedef bool ct_describe_fn(const struct ct_condition *condition,
			    const union ct_wanted *wanted, struct ct_flow *flow);

struct ct_condition {
	const char *name;     /* "orig-src" */
	const char *alias[2]; /* other names of the same */
	char letter;          /* 's', or 0 */
	bool bare;            /* the argument may be left out */
	bool joined;          /* in its argument a comma means "and" */
	enum ct_topic topic;
	enum ct_need need;
	const char *argument; /* "ADDRESS" */
	const char *help;

	/* Which of the flow's values: what that means is up to `parse` and `match`. */
	int which;

	ct_parse_fn *parse;
	ct_match_fn *match;
	ct_ask_fn *ask;           /* NULL where the kernel cannot do it */
	ct_describe_fn *describe; /* NULL where no value can do it */
};

/* The table, for the help of a face; the last one's name is NULL. */
extern const struct ct_condition ct_conditions[];

/* The condition with that name or alias; NULL. */
const struct ct_condition *ct_condition_find(const char *name);

const char *ct_topic_title(enum ct_topic topic);

#endif
