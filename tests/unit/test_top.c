/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sketch of the heaviest keys against a count of all of them: exact as long as they
 * have room, and what top.h promises beyond, for streams of every kind.  What the keys
 * of flows are.
 */
#include "support.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/top.h"

#define KEYS 8192
#define STEPS 6000

/* What really was added, by the number of the key. */
struct truth {
	uint64_t value[KEYS];
	uint64_t beside[KEYS];
	bool there[KEYS];
	size_t distinct;
	uint64_t total;
};

/*
 * Keys whose order is not that of their numbers.  Each field has some bits of the
 * number, so that there are keys which differ in that one only.
 */
static struct ct_top_key
key_of(uint32_t number)
{
	return (struct ct_top_key){
		.addr = { { { [3] = number & 7 } }, { { [15] = number >> 3 & 7 } } },
		.port = (uint16_t)(number >> 6 & 3),
		.zone = (uint16_t)((number >> 8 & 3) << 8),
		.family = number >> 10 & 1 ? AF_INET6 : AF_INET,
		.proto = (uint8_t)(number >> 11),
	};
}

static uint32_t
number_of(const struct ct_top_key *key)
{
	uint32_t number =
		key->addr[0].bytes[3] | (uint32_t)key->addr[1].bytes[15] << 3 |
		(uint32_t)key->port << 6 | (uint32_t)key->zone >> 8 << 8 |
		(uint32_t)(key->family == AF_INET6) << 10 | (uint32_t)key->proto << 11;
	const struct ct_top_key again = key_of(number);

	assert_true(number < KEYS);
	assert_memory_equal(key, &again, sizeof(again));
	return number;
}

static void
add(struct ct_top *top, struct truth *truth, uint32_t number, uint64_t value,
    uint64_t beside)
{
	const struct ct_top_key key = key_of(number);

	ct_top_add(top, &key, value, beside);
	if (!truth)
		return;
	truth->value[number] += value;
	truth->beside[number] += beside;
	truth->distinct += !truth->there[number];
	truth->there[number] = true;
	truth->total += value;
}

static void
check_order(const struct ct_top_entry *list, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		assert_true(list[i].value <= list[i - 1].value);
		if (list[i].value == list[i - 1].value)
			assert_true(memcmp(&list[i - 1].key, &list[i].key,
					   sizeof(list[i].key)) < 0);
	}
}

static void
check_entry(const struct ct_top_entry *entry, const struct truth *truth)
{
	uint32_t number = number_of(&entry->key);

	assert_true(truth->there[number]);
	assert_true(entry->excess <= entry->value);
	assert_true(entry->value - entry->excess <= truth->value[number]);
	assert_true(truth->value[number] <= entry->value);
	assert_true(entry->beside <= truth->beside[number]);
}

/* What top.h promises, of this moment. */
static void
check(struct ct_top *top, const struct truth *truth, size_t capacity)
{
	static bool listed[KEYS];
	const struct ct_top_entry *list;
	uint64_t share = truth->total / capacity;
	bool exact = truth->distinct <= capacity;
	size_t count;

	memset(listed, 0, sizeof(listed));
	list = ct_top_list(top, &count);
	assert_int_equal(ct_top_total(top), truth->total);
	assert_int_equal(ct_top_is_exact(top), exact);
	assert_int_equal(count, exact ? truth->distinct : capacity);
	check_order(list, count);
	for (size_t i = 0; i < count; i++) {
		uint32_t number = number_of(&list[i].key);

		check_entry(&list[i], truth);
		assert_true(list[i].excess <= share);
		if (exact) {
			assert_int_equal(list[i].value, truth->value[number]);
			assert_int_equal(list[i].excess, 0);
			assert_int_equal(list[i].beside, truth->beside[number]);
		}
		assert_false(listed[number]);
		listed[number] = true;
	}
	for (uint32_t i = 0; i < KEYS; i++)
		if (truth->value[i] > share)
			assert_true(listed[i]);
}

/* Streams: the number of the key that comes at `step`. */
typedef uint32_t (*stream_fn)(uint32_t step, size_t capacity);

static uint32_t
uniform(uint32_t step, size_t capacity)
{
	(void)step;
	(void)capacity;
	return random_below(300);
}

/* The first keys come often, the last hardly ever. */
static uint32_t
skewed(uint32_t step, size_t capacity)
{
	(void)step;
	(void)capacity;
	return random_below(1 + random_below(1 + random_below(KEYS)));
}

static uint32_t
ever_new(uint32_t step, size_t capacity)
{
	(void)capacity;
	return step;
}

/* One key more than there is room for, in turn: each comes when it has just gone. */
static uint32_t
in_turn(uint32_t step, size_t capacity)
{
	return step % (uint32_t)(capacity + 1);
}

/* Some heavy keys, new ones until those have to go, and the heavy ones again. */
static uint32_t
driven_out(uint32_t step, size_t capacity)
{
	uint32_t phase = step % 2000;

	return phase < 200 ? random_below(1 + (uint32_t)capacity / 2) : 2000 + phase;
}

/* As many as there is room for, and once in a while another one. */
static uint32_t
nearly_full(uint32_t step, size_t capacity)
{
	if (step % 500 == 499)
		return KEYS - 1 - step / 500;
	return random_below((uint32_t)capacity);
}

static const stream_fn streams[] = {
	uniform, skewed, ever_new, in_turn, driven_out, nearly_full,
};

static uint64_t
weight(unsigned int kind)
{
	switch (kind) {
	case 0:
		return 1;
	case 1:
		return random_below(2) ? 0 : random_below(1000);
	default:
		return random_u64() >> (20 + random_below(44));
	}
}

/* Two sketches, whose hashes have other seeds, list the same all the time. */
static void
check_alike(struct ct_top *left, struct ct_top *right)
{
	size_t left_count, right_count;
	const struct ct_top_entry *a = ct_top_list(left, &left_count);
	const struct ct_top_entry *b = ct_top_list(right, &right_count);

	assert_int_equal(left_count, right_count);
	assert_memory_equal(a, b, left_count * sizeof(*a));
}

/* `top` is listed now and then; `unlisted` only in the end. */
static void
run_stream(stream_fn stream, unsigned int kind, size_t capacity)
{
	struct truth *truth = calloc(1, sizeof(*truth));
	struct ct_top *top = ct_top_new(capacity), *twin = ct_top_new(capacity);
	struct ct_top *unlisted = ct_top_new(capacity);

	assert_true(truth && top && twin && unlisted);
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t number = stream(step, capacity);
		uint64_t value = weight(kind), beside = random_below(3);

		add(top, truth, number, value, beside);
		add(twin, NULL, number, value, beside);
		add(unlisted, NULL, number, value, beside);
		if (random_below(1000) == 0) {
			check(top, truth, capacity);
			check_alike(top, twin);
		}
	}
	check(top, truth, capacity);
	check_alike(top, twin);
	check(unlisted, truth, capacity);
	ct_top_free(top);
	ct_top_free(twin);
	ct_top_free(unlisted);
	free(truth);
}

static void
promises(void **unused)
{
	static const size_t capacities[] = { 1, 2, 3, 16, 63, 1000 };

	(void)unused;
	for (size_t i = 0; i < COUNT(streams); i++)
		for (unsigned int kind = 0; kind < 3; kind++)
			for (size_t j = 0; j < COUNT(capacities); j++)
				run_stream(streams[i], kind, capacities[j]);
}

/* Exact up to the last place, and not beyond. */
static void
exact_while_it_fits(void **unused)
{
	(void)unused;
	for (size_t capacity = 1; capacity <= 100; capacity++) {
		struct truth *truth = calloc(1, sizeof(*truth));
		struct ct_top *top = ct_top_new(capacity);

		assert_true(truth && top);
		for (uint32_t i = 0; i < 20 * capacity; i++)
			add(top, truth, random_below((uint32_t)capacity), i, 1);
		for (uint32_t i = 0; i < capacity; i++)
			add(top, truth, i, weight(1), 1);
		assert_int_equal(truth->distinct, capacity);
		check(top, truth, capacity);
		assert_true(ct_top_is_exact(top));
		add(top, truth, (uint32_t)capacity, 1, 1);
		assert_false(ct_top_is_exact(top));
		check(top, truth, capacity);
		ct_top_free(top);
		free(truth);
	}
}

/*
 * A heavy key leaves when so many others have come that it is heavy no more, and comes
 * back with the excess that this costs.
 */
static void
heavy_leaves_and_comes_back(void **unused)
{
	struct truth *truth = calloc(1, sizeof(*truth));
	struct ct_top *top = ct_top_new(4);
	const struct ct_top_entry *list;
	size_t count;

	(void)unused;
	assert_true(truth && top);
	add(top, truth, 7, 100, 5);
	for (uint32_t i = 0; i < 1000; i++)
		add(top, truth, 1000 + i, 1, 1);
	check(top, truth, 4);
	list = ct_top_list(top, &count);
	for (size_t i = 0; i < count; i++)
		assert_int_not_equal(number_of(&list[i].key), 7);
	add(top, truth, 7, 1000, 3);
	check(top, truth, 4);
	list = ct_top_list(top, &count);
	assert_int_equal(number_of(&list[0].key), 7);
	assert_int_equal(list[0].value - list[0].excess, 1000);
	assert_int_equal(list[0].excess, 275);
	assert_int_equal(list[0].beside, 3);
	ct_top_free(top);
	free(truth);
}

/* The lightest goes, and no other, also after the list was put in order. */
static void
the_lightest_goes(void **unused)
{
	(void)unused;
	for (int listed = 0; listed < 2; listed++) {
		struct truth *truth = calloc(1, sizeof(*truth));
		struct ct_top *top = ct_top_new(50);
		const struct ct_top_entry *list;
		size_t count;

		assert_true(truth && top);
		for (uint32_t i = 0; i < 50; i++)
			add(top, truth, i, 1000 + (i * 7 + 3) % 50, 1);
		if (listed)
			ct_top_list(top, &count);
		/* 1000 + 0 becomes 1000 + 100, and then 1000 + 1 has to go. */
		add(top, truth, 100, 100, 1);
		add(top, truth, 101, 200, 1);
		list = ct_top_list(top, &count);
		assert_int_equal(number_of(&list[0].key), 101);
		assert_int_equal(list[0].excess, 1001);
		assert_int_equal(number_of(&list[1].key), 100);
		assert_int_equal(list[1].excess, 1000);
		for (size_t i = 2; i < count; i++)
			assert_int_equal(list[i].value, 1000 + 51 - i);
		check(top, truth, 50);
		ct_top_free(top);
		free(truth);
	}
}

static void
ties_have_an_order(void **unused)
{
	struct ct_top *up = ct_top_new(200), *down = ct_top_new(200);
	size_t count;

	(void)unused;
	assert_true(up && down);
	for (uint32_t i = 0; i < 200; i++) {
		add(up, NULL, i, 5 + i % 3, i);
		add(down, NULL, 199 - i, 5 + (199 - i) % 3, 199 - i);
	}
	check_alike(up, down);
	check_order(ct_top_list(up, &count), 200);
	assert_int_equal(count, 200);
	ct_top_free(up);
	ct_top_free(down);
}

/* Listing changes nothing: neither the list, nor what is added after it. */
static void
list_and_go_on(void **unused)
{
	struct truth *truth = calloc(1, sizeof(*truth));
	struct ct_top *top = ct_top_new(20), *twin = ct_top_new(20);
	size_t count;

	(void)unused;
	assert_true(truth && top && twin);
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t number = random_below(15);

		add(top, truth, number, i, 1);
		add(twin, NULL, number, i, 1);
		ct_top_list(top, &count);
		ct_top_list(top, &count);
	}
	check_alike(top, twin);
	check(top, truth, 20);
	ct_top_free(top);
	ct_top_free(twin);
	free(truth);
}

static void
clear_forgets(void **unused)
{
	static const struct truth nothing;
	struct ct_top *used = ct_top_new(10), *fresh = ct_top_new(10);

	(void)unused;
	assert_true(used && fresh);
	check(used, &nothing, 10);
	/* Cleared when it has had too much, and when it still was exact. */
	for (uint32_t keys = 200; keys > 2; keys = keys / 2) {
		for (uint32_t i = 0; i < 1000; i++)
			add(used, NULL, random_below(keys), i, 1);
		ct_top_clear(used);
		/* To list is to begin anew in part, so not always. */
		if (keys % 2)
			check(used, &nothing, 10);
		ct_top_clear(fresh);
		for (uint32_t i = 0; i < 1000; i++) {
			uint32_t number = random_below(keys);

			add(used, NULL, number, i, 1);
			add(fresh, NULL, number, i, 1);
		}
		assert_int_equal(ct_top_is_exact(used), ct_top_is_exact(fresh));
		assert_int_equal(ct_top_total(used), ct_top_total(fresh));
		check_alike(used, fresh);
	}
	ct_top_free(used);
	ct_top_free(fresh);
}

static void
capacities(void **unused)
{
	(void)unused;
	assert_null(ct_top_new(0));
	assert_null(ct_top_new((size_t)CT_TOP_MAX + 1));
	assert_null(ct_top_new(SIZE_MAX));
	ct_top_free(NULL);
}

/* Sums may be as large as counters get. */
static void
large_values(void **unused)
{
	struct ct_top *top = ct_top_new(2);
	const struct ct_top_entry *list;
	size_t count;

	(void)unused;
	assert_non_null(top);
	add(top, NULL, 1, UINT64_C(1) << 62, UINT64_C(1) << 40);
	add(top, NULL, 1, UINT64_C(1) << 62, UINT64_C(1) << 40);
	add(top, NULL, 2, UINT32_MAX, 1);
	list = ct_top_list(top, &count);
	assert_int_equal(list[0].value, UINT64_C(1) << 63);
	assert_int_equal(list[0].beside, UINT64_C(1) << 41);
	assert_int_equal(list[1].value, UINT32_MAX);
	ct_top_free(top);
}

/* Bit by bit. */
static struct ct_addr
prefix_of(const struct ct_addr *addr, unsigned int bits)
{
	struct ct_addr prefix = { { 0 } };

	for (unsigned int i = 0; i < bits; i++)
		prefix.bytes[i / 8] |= addr->bytes[i / 8] & 0x80 >> i % 8;
	return prefix;
}

/* The key of a kind of which only addresses matter. */
static void
check_addresses(const struct ct_flow *flow, enum ct_top_by by, unsigned int bits,
		const struct ct_addr *first, const struct ct_addr *second)
{
	unsigned int other = random_below(129);
	struct ct_top_key key, expected;
	bool v6 = flow->orig.family == AF_INET6;
	bool found;

	memset(&expected, 0, sizeof(expected));
	memset(&key, 0xa5, sizeof(key));
	expected.family = flow->orig.family;
	expected.addr[0] = prefix_of(first, bits);
	if (second)
		expected.addr[1] = prefix_of(second, bits);
	found = ct_top_key_of(flow, by, v6 ? other % 33 : bits, v6 ? bits : other,
			      &key);
	assert_true(found);
	assert_memory_equal(&key, &expected, sizeof(key));
}

static void
check_kinds(const struct ct_flow *flow, unsigned int bits)
{
	const struct ct_tuple *orig = &flow->orig, *reply = &flow->reply;

	check_addresses(flow, CT_TOP_SOURCE, bits, &orig->src, NULL);
	check_addresses(flow, CT_TOP_DESTINATION, bits, &orig->dst, NULL);
	check_addresses(flow, CT_TOP_PAIR, bits, &orig->src, &orig->dst);
	check_addresses(flow, CT_TOP_REPLY_SOURCE, bits, &reply->src, NULL);
	check_addresses(flow, CT_TOP_REPLY_DESTINATION, bits, &reply->dst, NULL);
}

static void
keys_of_addresses(void **unused)
{
	struct ct_flow v4 = flow_of(IPPROTO_TCP, "10.0.0.1", 1, "10.0.0.2", 2);
	struct ct_flow v6 = flow_of(IPPROTO_UDP, "2001:db8::1", 1, "2001:db8::2", 2);

	(void)unused;
	for (int i = 0; i < 50; i++) {
		/* All four addresses differ, as with both of them translated. */
		random_bytes(&v4.orig.src, 4);
		random_bytes(&v4.orig.dst, 4);
		random_bytes(&v4.reply.src, 4);
		random_bytes(&v4.reply.dst, 4);
		for (unsigned int bits = 0; bits <= 32; bits++)
			check_kinds(&v4, bits);
		random_bytes(&v6.orig.src, 16);
		random_bytes(&v6.orig.dst, 16);
		random_bytes(&v6.reply.src, 16);
		random_bytes(&v6.reply.dst, 16);
		for (unsigned int bits = 0; bits <= 128; bits++)
			check_kinds(&v6, bits);
	}
}

static void
check_port(const struct ct_flow *flow)
{
	struct ct_top_key key, expected;

	memset(&expected, 0, sizeof(expected));
	memset(&key, 0xa5, sizeof(key));
	expected.proto = flow->orig.proto;
	expected.port = flow->orig.dport;
	assert_true(ct_top_key_of(flow, CT_TOP_PORT, 32, 128, &key));
	assert_memory_equal(&key, &expected, sizeof(key));
}

/* TCP's port 53 is not UDP's; whose it is, and in which family, does not matter. */
static void
keys_of_ports(void **unused)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP,
					  IPPROTO_DCCP, IPPROTO_UDPLITE };
	static const uint16_t ports[] = { 0, 1, 53, 443, 65535 };

	(void)unused;
	for (size_t i = 0; i < COUNT(protos) * COUNT(ports); i++) {
		uint8_t proto = protos[i / COUNT(ports)];
		uint16_t port = ports[i % COUNT(ports)];
		struct ct_flow flow = flow_of(proto, "10.0.0.1", 7, "10.0.0.2", port);

		check_port(&flow);
		/* The port asked for counts, not the one it was translated to. */
		flow.reply.sport = 8080;
		check_port(&flow);
		flow = flow_of(proto, "2001:db8::1", 7, "2001:db8::2", port);
		check_port(&flow);
	}
}

static void
no_ports(void **unused)
{
	const struct ct_flow flows[] = {
		echo_of("10.0.0.1", "10.0.0.2", 7),
		echo_of("2001:db8::1", "2001:db8::2", 7),
		/* What GRE has in their place are keys, which serve nobody. */
		flow_of(IPPROTO_GRE, "10.0.0.1", 7, "10.0.0.2", 8),
	};
	struct ct_flow other = flow_of(253, "10.0.0.1", 0, "10.0.0.2", 0);
	struct ct_top_key key;

	(void)unused;
	for (size_t i = 0; i < COUNT(flows); i++) {
		assert_false(ct_top_key_of(&flows[i], CT_TOP_PORT, 32, 128, &key));
		assert_true(ct_top_key_of(&flows[i], CT_TOP_SOURCE, 32, 128, &key));
		assert_true(ct_top_key_of(&flows[i], CT_TOP_PAIR, 32, 128, &key));
	}
	other.orig.has &= (uint16_t)~CT_TUPLE_PORTS;
	assert_false(ct_top_key_of(&other, CT_TOP_PORT, 32, 128, &key));
}

static void
names(void **unused)
{
	(void)unused;
	for (enum ct_top_by by = 0; by < CT_TOP_KINDS; by++)
		assert_int_equal(ct_top_by_value(ct_top_by_name(by)), by);
	assert_string_equal(ct_top_by_name(CT_TOP_SOURCE), "source");
	assert_string_equal(ct_top_by_name(CT_TOP_PAIR), "pair");
	assert_int_equal(ct_top_by_value("Destination"), CT_TOP_DESTINATION);
	assert_int_equal(ct_top_by_value("PORT"), CT_TOP_PORT);
	assert_int_equal(ct_top_by_value("reply_source"), CT_TOP_REPLY_SOURCE);
	assert_int_equal(ct_top_by_value("reply-destination"),
			 CT_TOP_REPLY_DESTINATION);
	assert_int_equal(ct_top_by_value(""), -1);
	assert_int_equal(ct_top_by_value("sourc"), -1);
	assert_int_equal(ct_top_by_value("sources"), -1);
	assert_int_equal(ct_top_by_value("zone"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promises),
		cmocka_unit_test(exact_while_it_fits),
		cmocka_unit_test(heavy_leaves_and_comes_back),
		cmocka_unit_test(the_lightest_goes),
		cmocka_unit_test(ties_have_an_order),
		cmocka_unit_test(list_and_go_on),
		cmocka_unit_test(clear_forgets),
		cmocka_unit_test(capacities),
		cmocka_unit_test(large_values),
		cmocka_unit_test(keys_of_addresses),
		cmocka_unit_test(keys_of_ports),
		cmocka_unit_test(no_ports),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
