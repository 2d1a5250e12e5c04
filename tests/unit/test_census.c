/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The census of random flows against a count of each property by itself; the tables of
 * numbers that it is made of, against plain arrays.
 */
#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/census.h"

#define FLOWS 4000
#define ZONES 40
#define MARKS 60

static void
assert_tally_equal(const char *what, unsigned int number, const struct ct_tally *tally,
		   const struct ct_tally *expected)
{
	if (memcmp(tally, expected, sizeof(*tally)) != 0)
		fail_msg("%s %u: %llu flows, %llu of them accounted, not %llu, %llu",
			 what, number, (unsigned long long)tally->flows,
			 (unsigned long long)tally->accounted,
			 (unsigned long long)expected->flows,
			 (unsigned long long)expected->accounted);
}

static struct ct_tally
random_tally(void)
{
	struct ct_tally tally = {
		.flows = 1 + random_below(5),
		.accounted = random_below(5),
	};

	for (int dir = 0; dir < CT_DIRS; dir++) {
		tally.sum[dir].packets = random_below(1000);
		tally.sum[dir].bytes = random_u64() >> 20;
	}
	return tally;
}

static void
tallies_add_up(void **unused)
{
	struct ct_tally sum = { 1, 2, { { 3, 4 }, { 5, 6 } } };
	const struct ct_tally more = { 10,
				       20,
				       { { 30, UINT64_C(40) << 32 }, { 50, 60 } } };
	const struct ct_tally expected = {
		11, 22, { { 33, (UINT64_C(40) << 32) + 4 }, { 55, 66 } }
	};

	(void)unused;
	ct_tally_add(&sum, &more);
	assert_tally_equal("sum", 0, &sum, &expected);
}

/* Bins against an array of keys. */
struct model {
	uint64_t *keys;
	struct ct_tally *tallies;
	size_t count;
	struct ct_tally others;
};

static void
model_init(struct model *model, size_t keys)
{
	memset(model, 0, sizeof(*model));
	model->keys = calloc(keys, sizeof(*model->keys));
	model->tallies = calloc(keys, sizeof(*model->tallies));
	assert_true(model->keys && model->tallies);
}

static void
model_done(struct model *model)
{
	free(model->keys);
	free(model->tallies);
}

static void
model_add(struct model *model, uint64_t key, const struct ct_tally *more, size_t limit)
{
	size_t i = 0;

	while (i < model->count && model->keys[i] != key)
		i++;
	if (i == limit) {
		ct_tally_add(&model->others, more);
		return;
	}
	if (i == model->count) {
		model->keys[i] = key;
		memset(&model->tallies[i], 0, sizeof(model->tallies[i]));
		model->count++;
	}
	ct_tally_add(&model->tallies[i], more);
}

static void
add_both(struct ct_bins *bins, struct model *model, uint64_t key)
{
	const struct ct_tally more = random_tally();
	struct ct_tally *tally = ct_bins_at(bins, key);

	assert_non_null(tally);
	ct_tally_add(tally, &more);
	model_add(model, key, &more, bins->limit);
}

static int
check_bin(const struct ct_bin *bin, void *data)
{
	struct model *model = data;

	for (size_t i = 0; i < model->count; i++)
		if (model->keys[i] == bin->key) {
			assert_tally_equal("bin", (unsigned int)i, &bin->tally,
					   &model->tallies[i]);
			/* Each comes once. */
			model->keys[i] = model->keys[--model->count];
			model->tallies[i] = model->tallies[model->count];
			return 0;
		}
	fail_msg("a key that was never added: %llu", (unsigned long long)bin->key);
	return 0;
}

/* Uses the model up. */
static void
check_bins(const struct ct_bins *bins, struct model *model)
{
	assert_int_equal(bins->count, model->count);
	assert_tally_equal("others", 0, &bins->others, &model->others);
	assert_int_equal(ct_bins_each(bins, check_bin, model), 0);
	assert_int_equal(model->count, 0);
	memset(&model->others, 0, sizeof(model->others));
}

/* Keys that random numbers seldom are: all of them close, or far, or alike below. */
static uint64_t
likely_key(unsigned int kind, uint32_t number)
{
	switch (kind) {
	case 0:
		return number;
	case 1:
		return (uint64_t)number << 32;
	case 2:
		return (uint64_t)number << 32 | number;
	case 3:
		return UINT64_MAX - number;
	case 4:
		return (uint64_t)number << 52;
	default:
		return (uint64_t)number * 0x10001;
	}
}

static void
bins_of_any_keys(void **unused)
{
	(void)unused;
	for (unsigned int round = 0; round < 60; round++) {
		static const uint32_t limits[] = { 0, 1, 47, 48, 49, 100, 5000 };
		uint32_t keys = 1 + random_below(400);
		struct model model;
		struct ct_bins bins;

		ct_bins_init(&bins, limits[round % COUNT(limits)]);
		model_init(&model, 401);
		/* Cleared, it begins anew. */
		for (int again = 0; again < 3; again++) {
			for (int i = 0; i < 1500; i++)
				add_both(&bins, &model,
					 likely_key(round % 6, random_below(keys)));
			check_bins(&bins, &model);
			ct_bins_clear(&bins);
			check_bins(&bins, &model);
		}
		model_done(&model);
		ct_bins_done(&bins);
	}
}

/*
 * The table grows while the limit is reached: at 48 keys of 64 slots.  What was there
 * is then somewhere else.
 */
static void
bins_full_when_they_grow(void **unused)
{
	struct model model;
	struct ct_bins bins;

	(void)unused;
	ct_bins_init(&bins, 48);
	model_init(&model, 49);
	for (uint64_t key = 0; key < 48; key++)
		add_both(&bins, &model, key);
	add_both(&bins, &model, 47);
	add_both(&bins, &model, 1000);
	add_both(&bins, &model, 47);
	add_both(&bins, &model, 1001);
	add_both(&bins, &model, 47);
	check_bins(&bins, &model);
	model_done(&model);
	ct_bins_done(&bins);
}

static void
bins_of_nothing(void **unused)
{
	struct ct_tally others = { .flows = 7 };
	struct ct_bin *list;
	struct ct_bins bins;
	size_t count = 7;

	(void)unused;
	ct_bins_init(&bins, 10);
	assert_int_equal(ct_bins_each(&bins, check_bin, NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ct_bins_list(&bins, 3, &list, &count, &others), 0);
		assert_non_null(list);
		assert_int_equal(count, 0);
		assert_int_equal(others.flows, 0);
		free(list);
		ct_bins_clear(&bins);
	}
	ct_bins_done(&bins);
	ct_bins_done(&bins);
}

/* 0 is a key like any other, and not what an empty slot has. */
static void
bins_of_key_zero(void **unused)
{
	struct model model;
	struct ct_bins bins;

	(void)unused;
	ct_bins_init(&bins, 10);
	model_init(&model, 11);
	add_both(&bins, &model, 0);
	add_both(&bins, &model, 0);
	assert_int_equal(bins.count, 1);
	add_both(&bins, &model, 1);
	add_both(&bins, &model, 0);
	check_bins(&bins, &model);
	/* The last key asked for is forgotten with the others. */
	ct_bins_clear(&bins);
	add_both(&bins, &model, 0);
	check_bins(&bins, &model);
	model_done(&model);
	ct_bins_done(&bins);
}

static int
stop_at_third(const struct ct_bin *bin, void *data)
{
	int *calls = data;

	(void)bin;
	return ++*calls == 3 ? -42 : 0;
}

static void
bins_stop(void **unused)
{
	struct ct_bins bins;
	int calls = 0;

	(void)unused;
	ct_bins_init(&bins, 10);
	for (uint64_t key = 0; key < 10; key++)
		ct_bins_at(&bins, key)->flows++;
	assert_int_equal(ct_bins_each(&bins, stop_at_third, &calls), -42);
	assert_int_equal(calls, 3);
	ct_bins_done(&bins);
}

static void
check_list(const struct ct_bins *bins, size_t most)
{
	struct ct_tally others, all = { 0 }, listed;
	struct ct_bin *list, *whole;
	size_t count, total;

	assert_int_equal(ct_bins_list(bins, 0, &whole, &total, &all), 0);
	assert_int_equal(total, bins->count);
	assert_tally_equal("others", 0, &all, &bins->others);
	assert_int_equal(ct_bins_list(bins, most, &list, &count, &others), 0);
	assert_int_equal(count, most && most < total ? most : total);
	listed = others;
	for (size_t i = 0; i < total; i++)
		ct_tally_add(&all, &whole[i].tally);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(list[i].key, whole[i].key);
		ct_tally_add(&listed, &list[i].tally);
		if (i == 0)
			continue;
		assert_true(list[i].tally.flows <= list[i - 1].tally.flows);
		if (list[i].tally.flows == list[i - 1].tally.flows)
			assert_true(list[i].key > list[i - 1].key);
	}
	assert_tally_equal("all", 0, &listed, &all);
	free(list);
	free(whole);
}

static void
lists(void **unused)
{
	struct ct_bins bins;

	(void)unused;
	ct_bins_init(&bins, 200);
	for (int i = 0; i < 3000; i++) {
		const struct ct_tally more = random_tally();

		ct_tally_add(ct_bins_at(&bins, random_u64() % 220 << random_below(40)),
			     &more);
	}
	assert_true(bins.others.flows > 0);
	for (size_t most = 0; most < 210; most++)
		check_list(&bins, most);
	ct_bins_done(&bins);
}

/* Random flows, of which many are alike. */
static void
set_zone(struct ct_flow *flow)
{
	switch (random_below(4)) {
	case 0:
		flow->has |= CT_ZONE;
		flow->zone = (uint16_t)random_below(ZONES);
		break;
	case 1:
		flow->orig.has |= CT_TUPLE_ZONE;
		flow->orig.zone = (uint16_t)random_below(ZONES);
		break;
	case 2:
		flow->reply.has |= CT_TUPLE_ZONE;
		flow->reply.zone = (uint16_t)random_below(ZONES);
		break;
	default:
		break;
	}
}

static void
set_counters(struct ct_flow *flow)
{
	for (int dir = 0; dir < CT_DIRS; dir++) {
		if (random_below(3) == 0)
			continue;
		flow->has |= dir == CT_ORIG ? CT_COUNTERS_ORIG : CT_COUNTERS_REPLY;
		flow->counters[dir].packets = random_below(1000);
		flow->counters[dir].bytes = random_u64() >> (20 + random_below(44));
	}
}

static struct ct_flow
random_flow(const uint32_t marks[MARKS])
{
	static const uint8_t protos[] = { IPPROTO_TCP,  IPPROTO_UDP,
					  IPPROTO_SCTP, IPPROTO_DCCP,
					  IPPROTO_ICMP, IPPROTO_ICMPV6,
					  IPPROTO_GRE,  0,
					  253,          255 };
	uint8_t proto = protos[random_below(COUNT(protos))];
	bool v6 = random_below(2);
	struct ct_flow flow = flow_of(proto, v6 ? "2001:db8::1" : "192.0.2.1", 1,
				      v6 ? "2001:db8::2" : "192.0.2.2", 2);

	flow.has |= CT_STATUS | CT_MARK;
	flow.status = (uint32_t)(random_u64() & random_u64() & 0xffff);
	/* Bits that this version has no name for are not mixed with those it has. */
	if (random_below(10) == 0)
		flow.status |= (uint32_t)random_u64() << 16;
	if (random_below(4)) {
		/* Of other protocols too; some are beyond all that are known. */
		flow.has |= CT_STATE;
		flow.state = (uint8_t)random_below(random_below(4) ? 12 : 256);
	}
	flow.mark = marks[random_below(MARKS)];
	set_zone(&flow);
	set_counters(&flow);
	return flow;
}

/* Has the flow the property?  `what` is which one, of those of its kind. */
typedef bool (*property_fn)(const struct ct_flow *flow, unsigned int what);

static bool
is_any(const struct ct_flow *flow, unsigned int what)
{
	(void)flow;
	(void)what;
	return true;
}

static bool
is_family(const struct ct_flow *flow, unsigned int what)
{
	return flow->orig.family == (what == CT_IPV4 ? AF_INET : AF_INET6);
}

static bool
is_proto(const struct ct_flow *flow, unsigned int what)
{
	return flow->orig.proto == what;
}

static bool
is_proto_family(const struct ct_flow *flow, unsigned int what)
{
	return is_proto(flow, what / CT_FAMILIES) &&
	       is_family(flow, what % CT_FAMILIES);
}

static bool
is_proto_unreplied(const struct ct_flow *flow, unsigned int what)
{
	return is_proto(flow, what) && !(flow->status & CT_SEEN_REPLY);
}

static bool
is_state(const struct ct_flow *flow, unsigned int what)
{
	static const uint8_t protos[CT_STATEFUL] = { IPPROTO_TCP, IPPROTO_SCTP,
						     IPPROTO_DCCP };

	return flow->has & CT_STATE &&
	       flow->orig.proto == protos[what / CT_STATES_MAX] &&
	       flow->state == what % CT_STATES_MAX;
}

static bool
is_status(const struct ct_flow *flow, unsigned int what)
{
	return flow->status & 1u << what;
}

static bool
is_trait(const struct ct_flow *flow, unsigned int what)
{
	switch (what) {
	case CT_TRAIT_UNREPLIED:
		return !(flow->status & CT_SEEN_REPLY);
	case CT_TRAIT_UNASSURED:
		return !(flow->status & CT_ASSURED);
	default:
		return flow->status & (CT_SRC_NAT | CT_DST_NAT);
	}
}

static bool
is_zone(const struct ct_flow *flow, unsigned int what)
{
	if (flow->has & CT_ZONE)
		return flow->zone == what;
	return (flow->orig.has & CT_TUPLE_ZONE ? flow->orig.zone : 0) == what;
}

static bool
is_mark(const struct ct_flow *flow, unsigned int what)
{
	return flow->mark == what;
}

static struct ct_tally
naive(const struct ct_flow *flows, property_fn property, unsigned int what)
{
	struct ct_tally tally = { 0 };

	for (size_t i = 0; i < FLOWS; i++) {
		const struct ct_flow *flow = &flows[i];

		if (!property(flow, what))
			continue;
		tally.flows++;
		tally.accounted += (flow->has & CT_COUNTERS) != 0;
		for (int dir = 0; dir < CT_DIRS; dir++) {
			tally.sum[dir].packets += flow->counters[dir].packets;
			tally.sum[dir].bytes += flow->counters[dir].bytes;
		}
	}
	return tally;
}

static void
check_properties(const char *name, const struct ct_flow *flows,
		 const struct ct_tally *tallies, unsigned int count,
		 property_fn property)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct ct_tally expected = naive(flows, property, i);

		assert_tally_equal(name, i, &tallies[i], &expected);
	}
}

static void
check_summary(const struct ct_census *census, const struct ct_flow *flows)
{
	static struct ct_summary s;

	memset(&s, 0xa5, sizeof(s));
	ct_census_summary(census, &s);
	check_properties("all", flows, &s.all, 1, is_any);
	check_properties("family", flows, s.family, CT_FAMILIES, is_family);
	check_properties("protocol", flows, s.proto, 256, is_proto);
	check_properties("protocol and family", flows, s.proto_family[0],
			 256 * CT_FAMILIES, is_proto_family);
	check_properties("unreplied of", flows, s.proto_unreplied, 256,
			 is_proto_unreplied);
	check_properties("state", flows, s.state[0], CT_STATEFUL * CT_STATES_MAX,
			 is_state);
	check_properties("status", flows, s.status, CT_STATUS_BITS, is_status);
	check_properties("trait", flows, s.trait, CT_TRAITS, is_trait);
}

/* All bins, and that there are no more. */
static void
check_bins_of(const char *name, const struct ct_bins *bins, const struct ct_flow *flows,
	      property_fn property)
{
	const struct ct_tally all = naive(flows, is_any, 0);
	struct ct_tally sum = { 0 };
	struct ct_bin *list;
	size_t count;

	assert_int_equal(ct_bins_list(bins, 0, &list, &count, &sum), 0);
	assert_int_equal(sum.flows, 0);
	for (size_t i = 0; i < count; i++) {
		const struct ct_tally expected =
			naive(flows, property, (unsigned int)list[i].key);

		assert_tally_equal(name, (unsigned int)list[i].key, &list[i].tally,
				   &expected);
		ct_tally_add(&sum, &list[i].tally);
	}
	assert_tally_equal(name, 0, &sum, &all);
	free(list);
}

static void
random_flows(void **unused)
{
	struct ct_flow *flows = calloc(FLOWS, sizeof(*flows));
	struct ct_census census;

	(void)unused;
	assert_non_null(flows);
	ct_census_init(&census);
	/* The same census for another table. */
	for (int round = 0; round < 2; round++) {
		uint32_t marks[MARKS] = { 0, UINT32_MAX };

		random_bytes(&marks[2], sizeof(marks) - 2 * sizeof(marks[0]));
		ct_census_clear(&census);
		for (size_t i = 0; i < FLOWS; i++) {
			flows[i] = random_flow(marks);
			assert_int_equal(ct_census_add(&census, &flows[i]), 0);
		}
		check_summary(&census, flows);
		check_bins_of("zone", &census.zones, flows, is_zone);
		check_bins_of("mark", &census.marks, flows, is_mark);
	}
	ct_census_done(&census);
	free(flows);
}

static void
empty_census(void **unused)
{
	static const struct ct_summary nothing;
	static struct ct_summary summary;
	struct ct_census census;

	(void)unused;
	ct_census_init(&census);
	for (int i = 0; i < 2; i++) {
		const struct ct_flow flow = echo_of("::1", "::2", 5);

		memset(&summary, 0xa5, sizeof(summary));
		ct_census_summary(&census, &summary);
		assert_memory_equal(&summary, &nothing, sizeof(summary));
		assert_int_equal(ct_census_add(&census, &flow), 0);
		ct_census_clear(&census);
	}
	ct_census_done(&census);
	ct_census_done(&census);
}

/* The zone is that of the original direction: replies in another are not counted. */
static void
zones_of_one_direction(void **unused)
{
	struct ct_flow flow = flow_of(IPPROTO_UDP, "10.0.0.1", 1, "10.0.0.2", 2);
	struct ct_tally others;
	struct ct_census census;
	struct ct_bin *list;
	size_t count;

	(void)unused;
	ct_census_init(&census);
	flow.reply.has |= CT_TUPLE_ZONE;
	flow.reply.zone = 8;
	assert_int_equal(ct_census_add(&census, &flow), 0);
	flow.orig.has |= CT_TUPLE_ZONE;
	flow.orig.zone = 7;
	assert_int_equal(ct_census_add(&census, &flow), 0);
	assert_int_equal(ct_census_add(&census, &flow), 0);
	assert_int_equal(ct_bins_list(&census.zones, 0, &list, &count, &others), 0);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].key, 7);
	assert_int_equal(list[0].tally.flows, 2);
	assert_int_equal(list[1].key, 0);
	assert_int_equal(list[1].tally.flows, 1);
	free(list);
	ct_census_done(&census);
}

/* "No counters" is not "counters at 0". */
static void
flows_without_counters(void **unused)
{
	struct ct_flow flow = flow_of(IPPROTO_UDP, "10.0.0.1", 1, "10.0.0.2", 2);
	static struct ct_summary summary;
	struct ct_census census;

	(void)unused;
	ct_census_init(&census);
	assert_int_equal(ct_census_add(&census, &flow), 0);
	ct_census_summary(&census, &summary);
	assert_int_equal(summary.all.accounted, 0);
	flow.has |= CT_COUNTERS;
	assert_int_equal(ct_census_add(&census, &flow), 0);
	flow.has &= ~(uint64_t)CT_COUNTERS_ORIG;
	assert_int_equal(ct_census_add(&census, &flow), 0);
	ct_census_summary(&census, &summary);
	assert_int_equal(summary.all.flows, 3);
	assert_int_equal(summary.all.accounted, 2);
	assert_int_equal(summary.all.sum[CT_ORIG].bytes, 0);
	ct_census_done(&census);
}

/* Every zone there is has its bin, and so many marks; what is beyond is one. */
static void
limits(void **unused)
{
	struct ct_flow flow = flow_of(IPPROTO_TCP, "10.0.0.1", 1, "10.0.0.2", 2);
	const uint32_t beyond = 1000;
	uint64_t bytes = 0;
	struct ct_tally others, sum;
	struct ct_census census;
	struct ct_bin *list;
	size_t count;

	(void)unused;
	ct_census_init(&census);
	flow.has |= CT_ZONE | CT_COUNTERS;
	for (uint32_t i = 0; i < CT_CENSUS_MARKS + beyond; i++) {
		flow.zone = (uint16_t)i;
		flow.mark = i * 0x1003;
		flow.counters[CT_REPLY].bytes = i;
		bytes += i;
		assert_int_equal(ct_census_add(&census, &flow), 0);
	}
	assert_int_equal(census.zones.count, CT_CENSUS_ZONES);
	assert_int_equal(census.zones.others.flows, 0);
	assert_int_equal(ct_bins_list(&census.marks, 0, &list, &count, &others), 0);
	assert_int_equal(count, CT_CENSUS_MARKS);
	assert_int_equal(others.flows, beyond);
	sum = others;
	for (size_t i = 0; i < count; i++)
		ct_tally_add(&sum, &list[i].tally);
	free(list);
	assert_int_equal(sum.flows, CT_CENSUS_MARKS + beyond);
	assert_int_equal(sum.sum[CT_REPLY].bytes, bytes);
	/* One that was there in time still has its own. */
	flow.mark = 0x1003;
	assert_int_equal(ct_census_add(&census, &flow), 0);
	assert_int_equal(census.marks.others.flows, beyond);
	ct_census_done(&census);
}

/* More kinds of flows than are told apart: the total has them all. */
static void
too_many_kinds(void **unused)
{
	struct ct_flow flow = flow_of(IPPROTO_TCP, "10.0.0.1", 1, "10.0.0.2", 2);
	static struct ct_summary summary;
	struct ct_census census;

	(void)unused;
	ct_census_init(&census);
	assert_true(census.cells.limit >= 65536);
	census.cells.limit = 4;
	for (uint32_t i = 0; i < 10; i++) {
		flow.status = i;
		assert_int_equal(ct_census_add(&census, &flow), 0);
	}
	ct_census_summary(&census, &summary);
	assert_int_equal(summary.all.flows, 10);
	assert_int_equal(summary.family[CT_IPV4].flows, 4);
	assert_int_equal(summary.status[1].flows, 2);
	ct_census_done(&census);
}

static void
names(void **unused)
{
	(void)unused;
	assert_string_equal(ct_trait_name(CT_TRAIT_UNREPLIED), "unreplied");
	assert_string_equal(ct_trait_name(CT_TRAIT_UNASSURED), "unassured");
	assert_string_equal(ct_trait_name(CT_TRAIT_NAT), "nat");
	assert_int_equal(ct_stateful_proto(CT_STATES_TCP), IPPROTO_TCP);
	assert_int_equal(ct_stateful_proto(CT_STATES_SCTP), IPPROTO_SCTP);
	assert_int_equal(ct_stateful_proto(CT_STATES_DCCP), IPPROTO_DCCP);
	for (unsigned int proto = 0; proto < 256; proto++) {
		unsigned int found = 0;

		for (unsigned int i = 0; i < CT_STATEFUL; i++)
			found += ct_stateful_proto(i) == proto;
		assert_int_equal(found, ct_proto_has_states((uint8_t)proto));
		/* What is usual has a name. */
		if (ct_proto_is_usual((uint8_t)proto))
			assert_non_null(ct_proto_name((uint8_t)proto));
	}
	assert_true(ct_proto_is_usual(IPPROTO_TCP));
	assert_true(ct_proto_is_usual(IPPROTO_UDP));
	assert_true(ct_proto_is_usual(IPPROTO_ICMPV6));
	assert_false(ct_proto_is_usual(0));
	assert_false(ct_proto_is_usual(253));
}

/* The arrays of a summary have room for all that has a name. */
static void
room_for_every_state(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < CT_STATEFUL; i++)
		for (unsigned int state = CT_STATES_MAX; state < 256; state++)
			assert_null(
				ct_state_name(ct_stateful_proto(i), (uint8_t)state));
	for (unsigned int bit = 0; bit < 32; bit++)
		assert_int_equal(ct_status_name(bit) != NULL, bit < CT_STATUS_BITS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tallies_add_up),
		cmocka_unit_test(bins_of_any_keys),
		cmocka_unit_test(bins_full_when_they_grow),
		cmocka_unit_test(bins_of_nothing),
		cmocka_unit_test(bins_of_key_zero),
		cmocka_unit_test(bins_stop),
		cmocka_unit_test(lists),
		cmocka_unit_test(random_flows),
		cmocka_unit_test(empty_census),
		cmocka_unit_test(zones_of_one_direction),
		cmocka_unit_test(flows_without_counters),
		cmocka_unit_test(limits),
		cmocka_unit_test(too_many_kinds),
		cmocka_unit_test(names),
		cmocka_unit_test(room_for_every_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
