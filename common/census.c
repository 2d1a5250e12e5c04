/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows that are alike in family, protocol, state and status share a cell; there are
 * few such kinds, however many flows.  So a flow costs one tally, and the summary adds
 * cells up instead of flows.
 */
#include "census.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Kinds of flows there may be; a table of ordinary traffic has less than a hundred. */
#define CELLS 1048576

static const uint8_t stateful[CT_STATEFUL] = {
	[CT_STATES_TCP] = IPPROTO_TCP,
	[CT_STATES_SCTP] = IPPROTO_SCTP,
	[CT_STATES_DCCP] = IPPROTO_DCCP,
};

static const uint8_t usual[] = {
	IPPROTO_TCP,  IPPROTO_UDP,  IPPROTO_ICMP, IPPROTO_ICMPV6,
	IPPROTO_SCTP, IPPROTO_DCCP, IPPROTO_GRE,  IPPROTO_UDPLITE,
};

const char *
ct_trait_name(enum ct_trait trait)
{
	static const char *const names[CT_TRAITS] = {
		[CT_TRAIT_UNREPLIED] = "unreplied",
		[CT_TRAIT_UNASSURED] = "unassured",
		[CT_TRAIT_NAT] = "nat",
	};

	return names[trait];
}

uint8_t
ct_stateful_proto(unsigned int index)
{
	return stateful[index];
}

bool
ct_proto_is_usual(uint8_t proto)
{
	return memchr(usual, proto, sizeof(usual)) != NULL;
}

void
ct_census_init(struct ct_census *census)
{
	ct_bins_init(&census->cells, CELLS);
	ct_bins_init(&census->zones, CT_CENSUS_ZONES);
	ct_bins_init(&census->marks, CT_CENSUS_MARKS);
}

void
ct_census_done(struct ct_census *census)
{
	ct_bins_done(&census->cells);
	ct_bins_done(&census->zones);
	ct_bins_done(&census->marks);
}

void
ct_census_clear(struct ct_census *census)
{
	ct_bins_clear(&census->cells);
	ct_bins_clear(&census->zones);
	ct_bins_clear(&census->marks);
}

/* A cell's key, and what it was made of. */
struct cell {
	uint32_t status;
	uint8_t proto;
	uint8_t state; /* and NO_STATE */
	uint8_t family;
};

#define NO_STATE 0xff

static uint64_t
key_of(const struct ct_flow *flow)
{
	uint8_t state = flow->has & CT_STATE ? flow->state : NO_STATE;

	return (uint64_t)flow->status << 32 |
	       (uint64_t)(flow->orig.family == AF_INET6) << 16 |
	       (uint64_t)flow->orig.proto << 8 | state;
}

static struct cell
cell_of(uint64_t key)
{
	return (struct cell){
		.status = (uint32_t)(key >> 32),
		.family = key >> 16 & 1,
		.proto = key >> 8 & 0xff,
		.state = key & 0xff,
	};
}

static int
count(struct ct_bins *bins, uint64_t key, const struct ct_tally *flow)
{
	struct ct_tally *tally = ct_bins_at(bins, key);

	if (!tally)
		return -ENOMEM;
	ct_tally_add(tally, flow);
	return 0;
}

int
ct_census_add(struct ct_census *census, const struct ct_flow *flow)
{
	const struct ct_tally one = ct_tally_of(flow);
	int error = count(&census->cells, key_of(flow), &one);

	if (error == 0)
		error = count(&census->zones, ct_flow_zone(flow, CT_ORIG), &one);
	if (error == 0)
		error = count(&census->marks, flow->mark, &one);
	return error;
}

static void
add_traits(struct ct_summary *summary, uint32_t status, const struct ct_tally *tally)
{
	if (!(status & CT_SEEN_REPLY))
		ct_tally_add(&summary->trait[CT_TRAIT_UNREPLIED], tally);
	if (!(status & CT_ASSURED))
		ct_tally_add(&summary->trait[CT_TRAIT_UNASSURED], tally);
	if (status & CT_NAT_MASK)
		ct_tally_add(&summary->trait[CT_TRAIT_NAT], tally);
}

static int
add_cell(const struct ct_bin *bin, void *data)
{
	struct ct_summary *summary = data;
	const struct cell cell = cell_of(bin->key);
	const struct ct_tally *tally = &bin->tally;

	ct_tally_add(&summary->all, tally);
	ct_tally_add(&summary->family[cell.family], tally);
	ct_tally_add(&summary->proto[cell.proto], tally);
	ct_tally_add(&summary->proto_family[cell.proto][cell.family], tally);
	if (!(cell.status & CT_SEEN_REPLY))
		ct_tally_add(&summary->proto_unreplied[cell.proto], tally);
	for (size_t i = 0; i < COUNT(stateful); i++)
		if (stateful[i] == cell.proto && cell.state < CT_STATES_MAX)
			ct_tally_add(&summary->state[i][cell.state], tally);
	for (unsigned int bit = 0; bit < CT_STATUS_BITS; bit++)
		if (cell.status >> bit & 1)
			ct_tally_add(&summary->status[bit], tally);
	add_traits(summary, cell.status, tally);
	return 0;
}

void
ct_census_summary(const struct ct_census *census, struct ct_summary *summary)
{
	memset(summary, 0, sizeof(*summary));
	ct_bins_each(&census->cells, add_cell, summary);
	ct_tally_add(&summary->all, &census->cells.others);
}
