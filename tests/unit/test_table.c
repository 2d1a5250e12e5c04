/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sorted snapshot against a plain list of the same flows: every flow is found, the
 * one behind any key is the least of those that are greater, and flows come out as they
 * went in.
 */
#include "support.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/table.h"

#define FLOWS 3000

/* What a snapshot keeps of a flow. */
#define KEPT                                                                         \
	(CT_ORIG_TUPLE | CT_REPLY_TUPLE | CT_ID | CT_STATUS | CT_TIMEOUT | CT_MARK | \
	 CT_USE | CT_ZONE | CT_STATE | CT_COUNTERS | CT_START | CT_LABELS |          \
	 CT_HELPER_NAME)

static void
random_addr(struct ct_addr *addr, uint8_t family)
{
	/* Few different ones, so that the other parts of a key decide, too. */
	memset(addr, 0, sizeof(*addr));
	addr->bytes[0] = (uint8_t)(random_below(2) * 255);
	addr->bytes[family == AF_INET ? 3 : 15] = (uint8_t)random_below(4);
}

static void
random_tuple(struct ct_tuple *tuple, uint8_t family, uint8_t proto)
{
	tuple->family = family;
	tuple->proto = proto;
	tuple->has = CT_TUPLE_ADDRS | CT_TUPLE_PROTO;
	random_addr(&tuple->src, family);
	random_addr(&tuple->dst, family);
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
		tuple->icmp_id = (uint16_t)(random_below(3) * 0x7fff);
		tuple->icmp_type = (uint8_t)random_below(3);
		tuple->icmp_code = (uint8_t)random_below(3);
		tuple->has |= CT_TUPLE_ICMP;
	} else if (ct_proto_has_ports(proto)) {
		tuple->sport = (uint16_t)(random_below(4) * 0x5555);
		tuple->dport = (uint16_t)(random_below(4) * 0x5555);
		tuple->has |= CT_TUPLE_PORTS;
	}
}

static void
random_flow(struct ct_flow *flow)
{
	static const uint8_t protos[] = { IPPROTO_ICMP, IPPROTO_TCP,    IPPROTO_UDP,
					  IPPROTO_GRE,  IPPROTO_ICMPV6, 253 };
	uint8_t family = random_below(2) ? AF_INET : AF_INET6;
	uint8_t proto = protos[random_below(COUNT(protos))];

	memset(flow, 0, sizeof(*flow));
	random_tuple(&flow->orig, family, proto);
	random_tuple(&flow->reply, family, proto);
	flow->has = CT_ORIG_TUPLE | CT_REPLY_TUPLE | CT_ID | CT_STATUS | CT_TIMEOUT |
		    CT_MARK | CT_USE | CT_STATE | CT_COUNTERS | CT_START;
	flow->id = (uint32_t)random_u64();
	flow->status = (uint32_t)random_u64();
	flow->timeout = (uint32_t)random_u64();
	flow->mark = (uint32_t)random_u64();
	flow->use = (uint32_t)random_u64();
	flow->state = (uint8_t)random_below(11);
	flow->start = random_u64();
	random_bytes(flow->counters, sizeof(flow->counters));
	if (random_below(3) == 0) {
		flow->zone = (uint16_t)(random_below(2) + 1);
		flow->has |= CT_ZONE;
	}
	if (random_below(4) == 0) {
		random_bytes(flow->labels, sizeof(flow->labels));
		flow->has |= CT_LABELS;
	}
	if (random_below(4) == 0) {
		flow->helper[0] = (char)('a' + random_below(20));
		flow->has |= CT_HELPER_NAME;
	}
}

static struct ct_table_key
key_of(const struct ct_flow *flow)
{
	struct ct_table_key key;

	ct_table_key_of(&key, flow);
	return key;
}

/* A flow as it comes out again: the zone of both directions is that of each. */
static struct ct_flow
as_kept(const struct ct_flow *flow)
{
	struct ct_flow kept = *flow;

	kept.has &= KEPT;
	kept.reply.zone = ct_flow_zone(flow, CT_REPLY);
	return kept;
}

struct model {
	struct ct_flow *flows;
	size_t count;
	struct ct_table *table;
};

/* Flows with other keys each, in a table and in a list. */
static void
model_init(struct model *model, size_t flows)
{
	model->flows = calloc(flows, sizeof(*model->flows));
	model->table = ct_table_new();
	model->count = 0;
	assert_non_null(model->flows);
	assert_non_null(model->table);
	for (size_t i = 0; i < flows; i++) {
		struct ct_flow flow;
		struct ct_table_key key;
		size_t at = 0;

		random_flow(&flow);
		assert_int_equal(ct_table_add(model->table, &flow), 0);
		key = key_of(&flow);
		for (; at < model->count; at++) {
			struct ct_table_key other = key_of(&model->flows[at]);

			if (ct_table_key_compare(&key, &other) == 0)
				break;
		}
		model->flows[at] = flow; /* the one that came last */
		model->count += at == model->count;
	}
	assert_int_equal(ct_table_seal(model->table), 0);
	assert_int_equal(ct_table_count(model->table), model->count);
}

static void
model_done(struct model *model)
{
	ct_table_free(model->table);
	free(model->flows);
}

/* The flow with the least key that is greater, or equal, and with what is wanted. */
static const struct ct_flow *
model_next(const struct model *model, const struct ct_table_key *key, bool inclusive,
	   uint64_t wanted)
{
	const struct ct_flow *best = NULL;
	struct ct_table_key best_key;

	for (size_t i = 0; i < model->count; i++) {
		struct ct_table_key other = key_of(&model->flows[i]);

		if (wanted && !(model->flows[i].has & wanted))
			continue;
		if (ct_table_key_compare(&other, key) > (inclusive ? -1 : 0) &&
		    (!best || ct_table_key_compare(&other, &best_key) < 0)) {
			best = &model->flows[i];
			best_key = other;
		}
	}
	return best;
}

static void
gets(void **unused)
{
	struct model model;
	struct ct_flow found;

	(void)unused;
	model_init(&model, FLOWS);
	for (size_t i = 0; i < model.count; i++) {
		struct ct_table_key key = key_of(&model.flows[i]);
		struct ct_flow kept = as_kept(&model.flows[i]);

		assert_true(ct_table_get(model.table, &key, &found));
		assert_flow_equal("get", &found, &kept);
	}
	model_done(&model);
}

static void
nexts(void **unused)
{
	struct model model;

	(void)unused;
	model_init(&model, 300);
	for (int i = 0; i < 3000; i++) {
		const uint64_t wishes[] = { 0, CT_STATE, CT_LABELS | CT_HELPER_NAME,
					    CT_COUNTERS };
		struct ct_flow flow = model.flows[(size_t)i % model.count], found;
		uint64_t wanted = wishes[i / 2 % 4];
		bool inclusive = i % 2;
		struct ct_table_key key;
		const struct ct_flow *expected;

		if (i % 3)
			random_flow(&flow);
		key = key_of(&flow);
		expected = model_next(&model, &key, inclusive, wanted);
		assert_int_equal(
			ct_table_next(model.table, &key, inclusive, wanted, &found),
			expected != NULL);
		if (expected) {
			struct ct_flow kept = as_kept(expected);
			struct ct_table_key expected_key = key_of(expected);

			assert_flow_equal("next", &found, &kept);
			assert_int_equal(ct_table_key_compare(&key, &expected_key), 0);
		}
	}
	model_done(&model);
}

/* From the least key there is, all are seen once, each greater than the one before. */
static void
walks(void **unused)
{
	struct ct_table_key key = { .family = AF_INET }, before;
	struct ct_flow found;
	struct model model;
	size_t count = 0;

	(void)unused;
	model_init(&model, FLOWS);
	for (before = key; ct_table_next(model.table, &key, false, 0, &found);
	     before = key) {
		assert_true(ct_table_key_compare(&key, &before) > 0);
		count++;
	}
	assert_int_equal(count, model.count);
	model_done(&model);
}

/* Zone, protocol, family, source, destination, ports: in this order. */
static void
order(void **unused)
{
	static const struct ct_table_key keys[] = {
		{ .zone = 0, .proto = 6, .family = AF_INET, .src = { { 255 } } },
		{ .zone = 0, .proto = 6, .family = AF_INET6, .src = { { 0 } } },
		{ .zone = 0, .proto = 17, .family = AF_INET, .src = { { 1, 255 } } },
		{ .zone = 0, .proto = 17, .family = AF_INET, .src = { { 2 } } },
		{ .zone = 0,
		  .proto = 17,
		  .family = AF_INET,
		  .src = { { 2 } },
		  .dst = { { 0, 0, 0, 1 } } },
		{ .zone = 0,
		  .proto = 17,
		  .family = AF_INET,
		  .src = { { 2 } },
		  .dst = { { 0, 0, 0, 1 } },
		  .sport = 255,
		  .dport = 65535 },
		{ .zone = 0,
		  .proto = 17,
		  .family = AF_INET,
		  .src = { { 2 } },
		  .dst = { { 0, 0, 0, 1 } },
		  .sport = 256 },
		{ .zone = 0, .proto = 255, .family = AF_INET6 },
		{ .zone = 255, .proto = 1, .family = AF_INET },
		{ .zone = 256, .proto = 0, .family = AF_INET },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(keys); i++)
		for (size_t j = 0; j < COUNT(keys); j++) {
			int compared = ct_table_key_compare(&keys[i], &keys[j]);

			assert_int_equal((compared > 0) - (compared < 0),
					 (i > j) - (i < j));
		}
}

static void
keys_are_requests(void **unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++) {
		struct ct_table_key key, again;
		struct ct_flow flow, request;

		random_flow(&flow);
		key = key_of(&flow);
		ct_table_key_flow(&key, &request);
		assert_memory_equal(&request.orig, &flow.orig, sizeof(flow.orig));
		assert_int_equal(ct_flow_zone(&request, CT_ORIG),
				 ct_flow_zone(&flow, CT_ORIG));
		again = key_of(&request);
		assert_int_equal(ct_table_key_compare(&key, &again), 0);
	}
}

static void
empty(void **unused)
{
	struct ct_table *table = ct_table_new();
	struct ct_table_key key = { .family = AF_INET6 };
	struct ct_flow flow;

	(void)unused;
	assert_non_null(table);
	assert_int_equal(ct_table_seal(table), 0);
	assert_int_equal(ct_table_count(table), 0);
	assert_false(ct_table_get(table, &key, &flow));
	assert_false(ct_table_next(table, &key, true, 0, &flow));
	ct_table_free(table);
	ct_table_free(NULL);
}

/* Compact: what a row takes, all included. */
static void
size(void **unused)
{
	struct ct_table *table = ct_table_new();

	(void)unused;
	assert_non_null(table);
	for (uint32_t i = 0; i < 200000; i++) {
		struct ct_flow flow = flow_of(IPPROTO_TCP, "192.0.2.1", (uint16_t)i,
					      "198.51.100.1", 80);

		flow.orig.src.bytes[1] = (uint8_t)(i >> 16);
		assert_int_equal(ct_table_add(table, &flow), 0);
	}
	assert_int_equal(ct_table_seal(table), 0);
	assert_int_equal(ct_table_count(table), 200000);
	assert_true(ct_table_size(table) <= 160 * ct_table_count(table));
	ct_table_free(table);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(gets),
		cmocka_unit_test(nexts),
		cmocka_unit_test(walks),
		cmocka_unit_test(order),
		cmocka_unit_test(keys_are_requests),
		cmocka_unit_test(empty),
		cmocka_unit_test(size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
