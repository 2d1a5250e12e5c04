/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of the options of stats, census, top, nat, check and metrics. */
#include "set_report.h"

#include <errno.h>
#include <string.h>

int
cli_set_by(struct cli *cli, const char *value, struct ct_why *why)
{
	int by = ct_top_by_value(value);

	if (by < 0)
		return ct_parse_failed(why,
				       "%.100s is no way to tell flows apart (source, "
				       "destination, port, pair, reply-source, "
				       "reply-destination)",
				       value);
	cli->by = (enum ct_top_by)by;
	return 0;
}

int
cli_set_order(struct cli *cli, const char *value, struct ct_why *why)
{
	cli->by_bytes = ct_same_word(value, "bytes");
	if (!cli->by_bytes && !ct_same_word(value, "flows"))
		return ct_parse_failed(why, "%.100s is no order (flows, bytes)", value);
	return 0;
}

int
cli_set_limit(struct cli *cli, const char *value, struct ct_why *why)
{
	return ct_parse_number(value, UINT32_MAX, "a number of rows", &cli->limit, why);
}

int
cli_set_prefix4(struct cli *cli, const char *value, struct ct_why *why)
{
	return ct_parse_number(value, 32, "a length of an IPv4 prefix", &cli->prefix4,
			       why);
}

int
cli_set_prefix6(struct cli *cli, const char *value, struct ct_why *why)
{
	return ct_parse_number(value, 128, "a length of an IPv6 prefix", &cli->prefix6,
			       why);
}

int
cli_set_capacity(struct cli *cli, const char *value, struct ct_why *why)
{
	int error = ct_parse_number(value, CT_TOP_MAX, "a number of keys",
				    &cli->capacity, why);

	if (!error && cli->capacity == 0)
		return ct_parse_failed(why, "0 is no number of keys (1-%u)",
				       CT_TOP_MAX);
	return error;
}

int
cli_set_ports(struct cli *cli, const char *value, struct ct_why *why)
{
	return ct_parse_range(value, UINT16_MAX, "a range of ports", &cli->ports, why);
}

int
cli_set_public(struct cli *cli, const char *value, struct ct_why *why)
{
	struct ct_addr_range range;
	int error = ct_parse_addr(value, &range, why);

	if (error)
		return error;
	if (memcmp(&range.low, &range.high, sizeof(range.low)) != 0)
		return ct_parse_failed(why, "%.100s is not a single address", value);
	if (cli->public_count == CLI_PUBLIC_MAX)
		return ct_parse_failed(why, "more than %d addresses", CLI_PUBLIC_MAX);
	cli->publics[cli->public_count++] = range;
	return 0;
}

int
cli_set_every(struct cli *cli, const char *value, struct ct_why *why)
{
	int error = ct_parse_duration(value, &cli->every, why);

	if (!error && (cli->every == 0 || cli->every > UINT32_MAX))
		return ct_parse_failed(why, "%.100s is no time to wait (1s or more)",
				       value);
	return error;
}

int
cli_set_warning(struct cli *cli, const char *value, struct ct_why *why)
{
	return ct_parse_number(value, 100, "a percentage", &cli->warning, why);
}

int
cli_set_critical(struct cli *cli, const char *value, struct ct_why *why)
{
	return ct_parse_number(value, 100, "a percentage", &cli->critical, why);
}
