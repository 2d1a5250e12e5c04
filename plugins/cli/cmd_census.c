/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap census: how many flows are of which kind. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cli.h"
#include "common/census.h"

/* Zones and marks shown, unless --limit says otherwise. */
#define BINS_SHOWN 20

static const struct report_column columns[] = {
	{ "by", REPORT_TEXT },
	{ "key", REPORT_TEXT },
	{ "flows", REPORT_NUMBER },
	{ "share", REPORT_PERCENT },
	{ "packets", REPORT_NUMBER },
	{ "bytes", REPORT_BYTES },
	{ NULL, 0 },
};

struct showing {
	const struct cli *cli;
	struct report *report;
	const struct ct_summary *summary;
};

static void
put_row(const struct showing *showing, const char *by, const char *key,
	const struct ct_tally *tally)
{
	struct report *report = showing->report;

	if (tally->flows == 0 && !cli_used(showing->cli, CLI_VERBOSE))
		return;
	report_text(report, by);
	if (key)
		report_text(report, key);
	else
		report_none(report);
	report_number(report, tally->flows);
	report_number(report, cli_share(tally->flows, showing->summary->all.flows));
	if (tally->accounted) {
		report_number(report, ct_tally_packets(tally));
		report_number(report, ct_tally_bytes(tally));
	} else {
		report_none(report);
		report_none(report);
	}
	report_end_row(report);
}

/* The protocol with most flows that has less than `before`, or as many behind it. */
static int
next_proto(const struct ct_summary *summary, int before)
{
	const struct ct_tally *protos = summary->proto;
	int best = -1;

	for (int i = 0; i < 256; i++) {
		bool later = before < 0 || protos[i].flows < protos[before].flows ||
			     (protos[i].flows == protos[before].flows && i > before);

		if (later && (best < 0 || protos[i].flows > protos[best].flows))
			best = i;
	}
	return best;
}

static void
put_protos(const struct showing *showing)
{
	const struct ct_summary *summary = showing->summary;
	char number[CT_PROTO_NUMBER];

	for (int i = next_proto(summary, -1); i >= 0; i = next_proto(summary, i))
		if (summary->proto[i].flows || ct_proto_is_usual((uint8_t)i))
			put_row(showing, "proto", ct_proto_label((uint8_t)i, number),
				&summary->proto[i]);
}

static void
put_states(const struct showing *showing)
{
	char key[64];

	for (unsigned int i = 0; i < CT_STATEFUL; i++)
		for (uint8_t state = 0; state < CT_STATES_MAX; state++) {
			uint8_t proto = ct_stateful_proto(i);
			const char *name = ct_state_name(proto, state);

			if (!name)
				continue;
			snprintf(key, sizeof(key), "%s %s", ct_proto_name(proto), name);
			put_row(showing, "state", key,
				&showing->summary->state[i][state]);
		}
}

static void
put_status(const struct showing *showing)
{
	for (unsigned int i = 0; i < CT_STATUS_BITS; i++)
		put_row(showing, "status", ct_status_name(i),
			&showing->summary->status[i]);
	for (enum ct_trait i = 0; i < CT_TRAITS; i++)
		put_row(showing, "status", ct_trait_name(i),
			&showing->summary->trait[i]);
}

/* The bins with most flows, and what the others come to. */
static int
put_bins(const struct showing *showing, const char *by, const char *format,
	 const struct ct_bins *bins)
{
	const struct cli *cli = showing->cli;
	size_t most = cli_used(cli, CLI_LIMIT) ? cli->limit : BINS_SHOWN, count;
	struct ct_tally others;
	struct ct_bin *list;
	char key[32];

	if (ct_bins_list(bins, most, &list, &count, &others) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		snprintf(key, sizeof(key), format, (unsigned int)list[i].key);
		put_row(showing, by, key, &list[i].tally);
	}
	if (others.flows)
		put_row(showing, by, "others", &others);
	free(list);
	return 0;
}

static int
put_all(const struct showing *showing, const struct ct_census *census)
{
	const struct ct_summary *summary = showing->summary;
	int error;

	put_row(showing, "all", NULL, &summary->all);
	put_row(showing, "family", "ipv4", &summary->family[CT_IPV4]);
	put_row(showing, "family", "ipv6", &summary->family[CT_IPV6]);
	put_protos(showing);
	put_states(showing);
	put_status(showing);
	error = put_bins(showing, "zone", "%u", &census->zones);
	return error ? error : put_bins(showing, "mark", "0x%x", &census->marks);
}

/* Why bytes are missing. */
static void
put_notes(const struct showing *showing)
{
	const struct ct_tally *all = &showing->summary->all;

	if (all->flows == 0)
		report_note(showing->report, "no flows");
	else if (all->accounted == 0)
		report_note(showing->report,
			    "no bytes: sysctl net.netfilter.nf_conntrack_acct=1 "
			    "counts those of new flows");
	else if (all->accounted < all->flows)
		report_note(showing->report,
			    "bytes are those of %llu flows; the others began before "
			    "accounting was on",
			    (unsigned long long)all->accounted);
}

static int
count_flow(const struct ct_flow *flow, void *census)
{
	/* Out of memory ends the pass. */
	return ct_census_add(census, flow) < 0;
}

static int
show_census(struct cli *cli, const char *netns, struct report *report, void *data)
{
	struct ct_census census;
	struct ct_dump_result result;
	struct showing showing = { .cli = cli, .report = report, .summary = data };
	int status;

	ct_census_init(&census);
	status = cli_pass(cli, netns, count_flow, &census, &result);
	if (status == 0) {
		ct_census_summary(&census, data);
		status = put_all(&showing, &census);
		put_notes(&showing);
	} else if (status > 0) {
		status = -ENOMEM;
	}
	ct_census_done(&census);
	if (status == -ENOMEM)
		return cli_failed("cannot count the flows", status);
	return status < 0 || result.malformed ? CLI_FAILED : CLI_OK;
}

int
cli_census(struct cli *cli)
{
	struct ct_summary *summary = malloc(sizeof(*summary));
	int status;

	if (!summary)
		return cli_failed("cannot start", -ENOMEM);
	status = cli_report(cli, columns, show_census, summary);
	free(summary);
	return status;
}
