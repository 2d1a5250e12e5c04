/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that are about an expectation, and what they make together. */
#include "set_expect.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "set.h"

static int
one_addr(struct ct_tuple *tuple, uint16_t bit, struct ct_addr *addr, const char *value,
	 struct ct_why *why)
{
	struct ct_addr_range range;
	int error = ct_parse_addr(value, &range, why);

	if (!error && memcmp(&range.low, &range.high, sizeof(range.low)) != 0)
		error = ct_parse_failed(why, "%.100s is not one address", value);
	if (!error && tuple->family && tuple->family != range.family)
		error = ct_parse_failed(why, "%.100s: IPv4 and IPv6 do not go together",
					value);
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

int
cli_check_expect(const struct cli *cli, unsigned int subcommand)
{
	static const struct {
		enum cli_option_index first, last;
		unsigned int subcommands;
		const char *names;
	} rows[] = {
		{ CLI_TUPLE_SRC, CLI_TUPLE_DPORT,
		  CLI_EXPECT_GET | CLI_EXPECT_CREATE | CLI_EXPECT_DELETE,
		  "get, create and delete" },
		{ CLI_MASK_SRC, CLI_FLAGS, CLI_EXPECT_CREATE, "create" },
		{ CLI_TIMEOUT, CLI_TIMEOUT, CLI_EXPECT_CREATE, "create" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned int at = rows[i].first; at <= rows[i].last; at++) {
			if (!cli_used(cli, at) || rows[i].subcommands & subcommand)
				continue;
			cli_say("expect %s: --%s is for expect %s only",
				cli->subcommand, cli_options[at].name, rows[i].names);
			return CLI_USAGE;
		}
	return CLI_OK;
}

/* Which parts of the tuple count, where that was not said. */
static void
complete_mask(struct ct_expect *expect)
{
	struct ct_tuple *tuple = &expect->tuple, *mask = &expect->mask;
	size_t size = tuple->family == AF_INET ? 4 : 16;

	if (!(mask->has & CT_TUPLE_SRC) && tuple->has & CT_TUPLE_SRC)
		memset(&mask->src, 0xff, size);
	if (!(mask->has & CT_TUPLE_DST) && tuple->has & CT_TUPLE_DST)
		memset(&mask->dst, 0xff, size);
	if (!(mask->has & CT_TUPLE_SPORT) && tuple->has & CT_TUPLE_SPORT)
		mask->sport = UINT16_MAX;
	if (!(mask->has & CT_TUPLE_DPORT) && tuple->has & CT_TUPLE_DPORT)
		mask->dport = UINT16_MAX;
}

static bool
is_of_family(const struct ct_tuple *tuple, uint8_t family)
{
	return !tuple->family || tuple->family == family;
}

/* The kernel knows a master by these, and tells no more of it. */
static bool
is_master(const struct ct_flow *flow)
{
	return !(flow->has & ~(CT_ORIG_TUPLE | CT_ZONE | CT_HELPER_NAME)) &&
	       !(flow->orig.has & CT_TUPLE_ZONE) &&
	       !(flow->reply.has & ~CT_TUPLE_PROTO);
}

/* What is wrong with the options; NULL. */
static const char *
complaint(const struct cli *cli, const struct ct_flow *master)
{
	const struct ct_expect *expect = &cli->expect;
	uint8_t family = expect->tuple.family;

	if (!(expect->tuple.has & CT_TUPLE_ADDRS) ||
	    !(master->orig.has & CT_TUPLE_PROTO))
		return "say what is expected: --tuple-src, --tuple-dst, --proto and "
		       "its ports";
	if (!is_of_family(&expect->mask, family) ||
	    !is_of_family(&expect->nat, family) || !is_of_family(&master->orig, family))
		return "IPv4 and IPv6 do not go together in one expectation";
	if (!is_master(master))
		return "what can be said of the master is its original tuple, --zone "
		       "and --helper";
	if ((cli_used(cli, CLI_NAT_PORT) || cli_used(cli, CLI_NAT_DIR)) &&
	    !(expect->nat.has & CT_TUPLE_ADDRS))
		return "--nat-port and --nat-direction need --nat-addr";
	return NULL;
}

/*
 * The kernel wants every field of tuple and mask, so those that were not given are
 * there as zeros that do not count.
 */
int
cli_read_expect(const struct cli *cli, struct ct_expect *expect)
{
	struct ct_flow master;
	const char *why;

	if (cli_describe(cli, &master) != CLI_OK)
		return CLI_USAGE;
	why = complaint(cli, &master);
	if (why) {
		cli_say("expect %s: %s", cli->subcommand, why);
		return CLI_USAGE;
	}
	*expect = cli->expect;
	complete_mask(expect);
	expect->tuple.proto = master.orig.proto;
	expect->mask.proto = UINT8_MAX;
	expect->mask.family = expect->tuple.family;
	expect->tuple.has = expect->mask.has =
		CT_TUPLE_ADDRS | CT_TUPLE_PROTO | CT_TUPLE_PORTS;
	expect->has |= CT_EXPECT_HAS_TUPLE;
	if (expect->nat.has & CT_TUPLE_ADDRS) {
		expect->nat.proto = master.orig.proto;
		expect->nat.has = expect->tuple.has;
		expect->has |= CT_EXPECT_HAS_NAT;
	}
	expect->master = master.orig;
	expect->zone = master.zone;
	if (master.has & CT_ZONE)
		expect->has |= CT_EXPECT_HAS_ZONE;
	memcpy(expect->helper, master.helper, sizeof(expect->helper));
	if (master.has & CT_HELPER_NAME)
		expect->has |= CT_EXPECT_HAS_HELPER;
	return CLI_OK;
}
