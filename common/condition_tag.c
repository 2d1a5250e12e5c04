/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conditions on what an administrator attaches: marks, labels, helpers. */
#include <stdio.h>
#include <string.h>

#include "condition_kinds.h"
#include "label.h"

int
ct_mark_parse(const struct ct_condition *condition, const char *value,
	      union ct_wanted *wanted, struct ct_why *why)
{
	const char *slash = strchr(value, '/');
	uint64_t mark, mask = UINT32_MAX;
	struct ct_why unused;
	size_t length = slash ? (size_t)(slash - value) : strlen(value);
	char left[32];

	(void)condition;
	snprintf(left, sizeof(left), "%.*s", (int)length, value);
	if (length >= sizeof(left) ||
	    ct_parse_number(left, UINT32_MAX, "", &mark, &unused) < 0 ||
	    (slash && ct_parse_number(slash + 1, UINT32_MAX, "", &mask, &unused) < 0))
		return ct_parse_failed(
			why, "%.100s is not a mark (like 7, 0x2a, or 0x2a/0xff)",
			value);
	if (mark & ~mask)
		return ct_parse_failed(
			why, "%.100s: no mark has bits outside of its mask", value);
	wanted->mark.value = (uint32_t)mark;
	wanted->mark.mask = (uint32_t)mask;
	return 0;
}

/* The kernel sends no mark where it is 0. */
bool
ct_mark_match(const struct ct_condition *condition, const union ct_wanted *wanted,
	      const struct ct_flow *flow, uint64_t now)
{
	(void)condition;
	(void)now;
	return (flow->mark & wanted->mark.mask) == wanted->mark.value;
}

void
ct_mark_ask(const struct ct_condition *condition, const union ct_wanted *wanted,
	    struct ct_dump_ask *ask)
{
	(void)condition;
	ask->mark = wanted->mark.value;
	ask->mark_mask = wanted->mark.mask;
	ask->has |= CT_ASK_MARK;
}

/* A label's number, by number or by its name in connlabel.conf; -1. */
static int
label_bit(const char *word)
{
	struct ct_labels *labels;
	struct ct_why unused;
	uint64_t number;
	int bit;

	if (ct_parse_number(word, CT_LABEL_BITS - 1, "", &number, &unused) == 0)
		return (int)number;
	labels = ct_labels_new();
	bit = ct_label_bit(labels, word);
	ct_labels_free(labels);
	return bit;
}

/* A name that begins like a negation is a name nevertheless. */
static int
parse_label_word(const char *word, union ct_wanted *wanted, struct ct_why *why)
{
	const char *name = word;
	int bit = label_bit(name);
	bool negative = bit < 0 && ct_word_is_negated(&name);

	if (negative)
		bit = label_bit(name);
	if (bit < 0)
		return ct_parse_failed(
			why,
			"%.100s is not a label (0-127, or a name in " CT_LABEL_FILE ")",
			word);
	if (negative)
		wanted->labels.clear[bit / 8] |= (uint8_t)(1 << bit % 8);
	else
		wanted->labels.set[bit / 8] |= (uint8_t)(1 << bit % 8);
	return 0;
}

int
ct_label_parse(const struct ct_condition *condition, const char *value,
	       union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	return ct_each_word(value, wanted, why, parse_label_word);
}

bool
ct_label_match(const struct ct_condition *condition, const union ct_wanted *wanted,
	       const struct ct_flow *flow, uint64_t now)
{
	(void)condition;
	(void)now;
	for (size_t i = 0; i < sizeof(flow->labels); i++)
		if ((flow->labels[i] & wanted->labels.set[i]) !=
			    wanted->labels.set[i] ||
		    flow->labels[i] & wanted->labels.clear[i])
			return false;
	return true;
}

int
ct_helper_parse(const struct ct_condition *condition, const char *value,
		union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	if (!*value || strlen(value) >= sizeof(wanted->helper))
		return ct_parse_failed(why, "%.60s is not a helper's name (like ftp)",
				       *value ? value : "''");
	strcpy(wanted->helper, value);
	return 0;
}

bool
ct_helper_match(const struct ct_condition *condition, const union ct_wanted *wanted,
		const struct ct_flow *flow, uint64_t now)
{
	(void)condition;
	(void)now;
	return flow->has & CT_HELPER_NAME && strcmp(flow->helper, wanted->helper) == 0;
}

bool
ct_mark_describe(const struct ct_condition *condition, const union ct_wanted *wanted,
		 struct ct_flow *flow)
{
	(void)condition;
	flow->mark = wanted->mark.value;
	flow->has |= CT_MARK;
	return wanted->mark.mask == UINT32_MAX;
}

bool
ct_label_describe(const struct ct_condition *condition, const union ct_wanted *wanted,
		  struct ct_flow *flow)
{
	(void)condition;
	memcpy(flow->labels, wanted->labels.set, sizeof(flow->labels));
	flow->has |= CT_LABELS;
	return true;
}

bool
ct_helper_describe(const struct ct_condition *condition, const union ct_wanted *wanted,
		   struct ct_flow *flow)
{
	(void)condition;
	memcpy(flow->helper, wanted->helper, sizeof(flow->helper));
	flow->has |= CT_HELPER_NAME;
	return true;
}
