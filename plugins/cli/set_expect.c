/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of the options that are about an expectation. */
#include <stdio.h>
#include <string.h>

#include "set.h"

static int
one_addr(struct ct_tuple *tuple, uint16_t bit, struct ct_addr *addr, const char *value,
	 struct ct_why *why)
{
	struct ct_addr_range range;
	int error = ct_parse_addr(value, &range, why);

	if (!error && memcmp(&range.low, &range.high, sizeof(range.low)) != 0)
		error = ct_parse_failed(why, "%.100s is not one address", value);
	if (error)
		return error;
	*addr = range.low;
	tuple->family = range.family;
	tuple->has |= bit;
	return 0;
}

static int
one_port(struct ct_tuple *tuple, uint16_t bit, uint16_t *port, const char *value,
	 struct ct_why *why)
{
	struct ct_range range;
	int error = ct_parse_port(value, &range, why);

	if (!error && range.low != range.high)
		error = ct_parse_failed(why, "%.100s is not one port", value);
	if (error)
		return error;
	*port = (uint16_t)range.low;
	tuple->has |= bit;
	return 0;
}

#define ADDR_SETTER(name, member, field, bit)                            \
	int name(struct cli *cli, const char *value, struct ct_why *why) \
	{                                                                \
		struct ct_tuple *tuple = &cli->expect.member;            \
                                                                         \
		return one_addr(tuple, bit, &tuple->field, value, why);  \
	}

#define PORT_SETTER(name, member, field, bit)                            \
	int name(struct cli *cli, const char *value, struct ct_why *why) \
	{                                                                \
		struct ct_tuple *tuple = &cli->expect.member;            \
                                                                         \
		return one_port(tuple, bit, &tuple->field, value, why);  \
	}

ADDR_SETTER(cli_set_tuple_src, tuple, src, CT_TUPLE_SRC)
ADDR_SETTER(cli_set_tuple_dst, tuple, dst, CT_TUPLE_DST)
PORT_SETTER(cli_set_tuple_sport, tuple, sport, CT_TUPLE_SPORT)
PORT_SETTER(cli_set_tuple_dport, tuple, dport, CT_TUPLE_DPORT)
ADDR_SETTER(cli_set_mask_src, mask, src, CT_TUPLE_SRC)
ADDR_SETTER(cli_set_mask_dst, mask, dst, CT_TUPLE_DST)
PORT_SETTER(cli_set_mask_sport, mask, sport, CT_TUPLE_SPORT)
PORT_SETTER(cli_set_mask_dport, mask, dport, CT_TUPLE_DPORT)

ADDR_SETTER(cli_set_nat_addr, nat, src, CT_TUPLE_SRC)
PORT_SETTER(cli_set_nat_port, nat, sport, CT_TUPLE_SPORT)

int
cli_set_nat_dir(struct cli *cli, const char *value, struct ct_why *why)
{
	if (ct_same_word(value, "original"))
		cli->expect.nat_dir = CT_ORIG;
	else if (ct_same_word(value, "reply"))
		cli->expect.nat_dir = CT_REPLY;
	else
		return ct_parse_failed(
			why, "%.60s is not a direction (original or reply)", value);
	return 0;
}

int
cli_set_class(struct cli *cli, const char *value, struct ct_why *why)
{
	uint64_t number = 0;
	int error = ct_parse_number(value, UINT32_MAX, "a class", &number, why);

	cli->expect.helper_class = (uint32_t)number;
	cli->expect.has |= CT_EXPECT_HAS_CLASS;
	return error;
}

int
cli_set_flags(struct cli *cli, const char *value, struct ct_why *why)
{
	char list[128], *rest = list, *word;
	int bit;

	snprintf(list, sizeof(list), "%s", value);
	while ((word = strsep(&rest, ","))) {
		bit = ct_expect_flag_value(word);
		if (bit < 0)
			return ct_parse_failed(
				why,
				"%.60s is not a flag (permanent, inactive, userspace)",
				word);
		cli->expect.flags |= 1u << bit;
	}
	cli->expect.has |= CT_EXPECT_HAS_FLAGS;
	return 0;
}
