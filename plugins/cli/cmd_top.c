/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap top: who fills the table. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cli.h"

#define ROWS_SHOWN 10

/* Each way to tell flows apart has a report of its own: what it is, and how much. */
#define MEASURES                                                               \
	{ "flows", REPORT_NUMBER }, { "flows at least", REPORT_NUMBER },       \
		{ "bytes", REPORT_BYTES }, { "bytes at least", REPORT_BYTES }, \
		{ "share", REPORT_PERCENT },                                   \
	{                                                                      \
		NULL, 0                                                        \
	}

static const struct report_column addr_columns[] = { { "address", REPORT_TEXT },
						     MEASURES };
static const struct report_column pair_columns[] = { { "source", REPORT_TEXT },
						     { "destination", REPORT_TEXT },
						     MEASURES };
static const struct report_column port_columns[] = { { "proto", REPORT_TEXT },
						     { "port", REPORT_NUMBER },
						     MEASURES };

struct sampling {
	const struct cli *cli;
	struct ct_top *top;
	uint64_t flows;
	uint64_t accounted;
	uint64_t without; /* flows that have no such key */
};

static int
sample(const struct ct_flow *flow, void *data)
{
	struct sampling *sampling = data;
	const struct cli *cli = sampling->cli;
	uint64_t bytes = flow->counters[CT_ORIG].bytes + flow->counters[CT_REPLY].bytes;
	struct ct_top_key key;

	sampling->flows++;
	sampling->accounted += (flow->has & CT_COUNTERS) != 0;
	if (!ct_top_key_of(flow, cli->by, (unsigned int)cli->prefix4,
			   (unsigned int)cli->prefix6, &key))
		sampling->without++;
	else if (cli->by_bytes)
		ct_top_add(sampling->top, &key, bytes, 1);
	else
		ct_top_add(sampling->top, &key, 1, bytes);
	return 0;
}

static void
put_key(const struct cli *cli, struct report *report, const struct ct_top_key *key)
{
	unsigned int prefix =
		(unsigned int)(key->family == AF_INET ? cli->prefix4 : cli->prefix6);
	char number[CT_PROTO_NUMBER];

	if (cli->by == CT_TOP_PORT) {
		report_text(report, ct_proto_label(key->proto, number));
		report_number(report, key->port);
		return;
	}
	report_addr(report, key->family, &key->addr[0], prefix);
	if (cli->by == CT_TOP_PAIR)
		report_addr(report, key->family, &key->addr[1], prefix);
}

/* A number that may be too high, and what it is at least. */
static void
put_bounds(struct report *report, uint64_t value, uint64_t excess, bool exact)
{
	report_number(report, value);
	if (exact)
		report_none(report);
	else
		report_number(report, value - excess);
}

/* What was counted beside the rank is missing whatever came before the last eviction.
 */
static void
put_beside(struct report *report, uint64_t value, bool whole)
{
	if (whole) {
		report_number(report, value);
		report_none(report);
	} else {
		report_none(report);
		report_number(report, value);
	}
}

/* Flows without counters are not flows of 0 bytes. */
static void
put_bytes(const struct sampling *sampling, struct report *report,
	  const struct ct_top_entry *entry)
{
	bool exact = ct_top_is_exact(sampling->top);
	uint64_t bytes = sampling->cli->by_bytes ? entry->value : entry->beside;

	if (bytes == 0 && sampling->accounted < sampling->flows) {
		report_none(report);
		report_none(report);
	} else if (sampling->cli->by_bytes) {
		put_bounds(report, entry->value, entry->excess, exact);
	} else {
		put_beside(report, entry->beside, exact);
	}
}

static void
put_entry(const struct sampling *sampling, struct report *report,
	  const struct ct_top_entry *entry)
{
	const struct cli *cli = sampling->cli;
	bool exact = ct_top_is_exact(sampling->top);
	uint64_t total = ct_top_total(sampling->top);

	put_key(cli, report, &entry->key);
	if (cli->by_bytes)
		put_beside(report, entry->beside, exact);
	else
		put_bounds(report, entry->value, entry->excess, exact);
	put_bytes(sampling, report, entry);
	if (total)
		report_number(report, cli_share(entry->value, total));
	else
		report_none(report);
	report_end_row(report);
}

static void
put_notes(const struct sampling *sampling, struct report *report, size_t shown,
	  size_t count)
{
	const struct ct_top *top = sampling->top;
	uint64_t error = ct_top_total(top) / sampling->cli->capacity;

	if (ct_top_is_exact(top))
		report_note(report, "%zu of %zu; %llu flows in all", shown, count,
			    (unsigned long long)sampling->flows);
	else
		report_note(report,
			    "%zu; %llu flows in all; more than %llu different ones, so "
			    "a number may be too high by up to %llu (--capacity)",
			    shown, (unsigned long long)sampling->flows,
			    (unsigned long long)sampling->cli->capacity,
			    (unsigned long long)error);
	if (sampling->without)
		report_note(report, "%llu flows have no port",
			    (unsigned long long)sampling->without);
	if (sampling->cli->by_bytes && sampling->accounted < sampling->flows)
		report_note(
			report,
			"%llu flows have no counters: sysctl "
			"net.netfilter.nf_conntrack_acct=1 counts those of new "
			"flows",
			(unsigned long long)(sampling->flows - sampling->accounted));
}

static int
show_top(struct cli *cli, const char *netns, struct report *report, void *data)
{
	struct sampling sampling = { .cli = cli, .top = data };
	size_t most = cli_used(cli, CLI_LIMIT) ? cli->limit : ROWS_SHOWN, count;
	const struct ct_top_entry *entries;
	struct ct_dump_result result;
	int status;

	ct_top_clear(sampling.top);
	status = cli_pass(cli, netns, sample, &sampling, &result);
	if (status < 0)
		return CLI_FAILED;
	entries = ct_top_list(sampling.top, &count);
	if (most == 0 || most > count)
		most = count;
	for (size_t i = 0; i < most; i++)
		put_entry(&sampling, report, &entries[i]);
	put_notes(&sampling, report, most, count);
	return result.malformed ? CLI_FAILED : CLI_OK;
}

int
cli_top(struct cli *cli)
{
	const struct report_column *columns = cli->by == CT_TOP_PAIR   ? pair_columns
					      : cli->by == CT_TOP_PORT ? port_columns
								       : addr_columns;
	struct ct_top *top = ct_top_new(cli->capacity);
	int status;

	if (!top)
		return cli_failed("cannot start", -ENOMEM);
	status = cli_report(cli, columns, show_top, top);
	ct_top_free(top);
	return status;
}
