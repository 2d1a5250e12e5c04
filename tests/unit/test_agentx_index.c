/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of rows: each has its key, and any name at all has its place among them. */
#include <string.h>
#include <sys/socket.h>

#include "plugins/agentx/index.h"
#include "plugins/agentx/touched.h"
#include "support.h"

/* Keys near each other, so that names differ late. */
static struct ct_table_key
random_key(void)
{
	static const uint16_t numbers[] = { 0, 1, 2, 255, 256, 65534, 65535 };
	struct ct_table_key key = {
		.zone = numbers[random_below(7)],
		.proto = (uint8_t)(random_below(2) ? 6 : random_below(256)),
		.family = random_below(2) ? AF_INET : AF_INET6,
		.sport = numbers[random_below(7)],
		.dport = (uint16_t)random_below(65536),
	};
	size_t size = key.family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < size; i++) {
		key.src.bytes[i] = (uint8_t)(random_below(3) * 127 + random_below(2));
		key.dst.bytes[i] = (uint8_t)(random_below(3) ? 255 : 0);
	}
	return key;
}

/* As snmp_oid_compare(): number by number, the shorter one first. */
static int
compare(const agx_id *a, size_t a_length, const agx_id *b, size_t b_length)
{
	for (size_t i = 0; i < a_length && i < b_length; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return (a_length > b_length) - (a_length < b_length);
}

static void
there_and_back(void **unused)
{
	(void)unused;
	for (int i = 0; i < 10000; i++) {
		struct ct_table_key key = random_key(), back;
		agx_id ids[AGX_INDEX_MAX + 1];
		size_t length = agx_index_of(&key, ids);

		assert_int_equal(length, key.family == AF_INET ? 16 : 40);
		assert_true(agx_index_key(ids, length, &back));
		assert_int_equal(ct_table_key_compare(&key, &back), 0);
		ids[length] = 0;
		assert_false(agx_index_key(ids, length + 1, &back));
		assert_false(agx_index_key(ids, length - 1, &back));
		assert_false(agx_index_key(ids, random_below((uint32_t)length), &back));
	}
}

static void
same_order(void **unused)
{
	(void)unused;
	for (int i = 0; i < 100000; i++) {
		struct ct_table_key a = random_key(), b = random_key();
		agx_id a_ids[AGX_INDEX_MAX], b_ids[AGX_INDEX_MAX];
		size_t a_length = agx_index_of(&a, a_ids);
		size_t b_length = agx_index_of(&b, b_ids);
		int keys = ct_table_key_compare(&a, &b);

		assert_int_equal((keys > 0) - (keys < 0),
				 compare(a_ids, a_length, b_ids, b_length));
	}
}

/* A name like that of a row, cut, extended, or with numbers that do not fit. */
static size_t
random_name(agx_id ids[AGX_INDEX_MAX + 8])
{
	static const agx_id odd[] = { 0,   1,     2,     3,          4,
				      5,   15,    16,    17,         255,
				      256, 65535, 65536, 4294967295, 128,
				      127, 65534, 70000, 2147483648, 1000000000 };
	struct ct_table_key key = random_key();
	size_t length = agx_index_of(&key, ids);

	for (uint32_t changes = random_below(3); changes > 0; changes--)
		ids[random_below((uint32_t)length)] = odd[random_below(20)];
	if (random_below(3) == 0)
		length = random_below((uint32_t)length + 1);
	while (random_below(4) == 0 && length < AGX_INDEX_MAX + 8)
		ids[length++] = odd[random_below(20)];
	return length;
}

/* Every row is on the right side of the place that a name has. */
static void
behind(void **unused)
{
	(void)unused;
	for (int i = 0; i < 200000; i++) {
		agx_id name[AGX_INDEX_MAX + 8], row[AGX_INDEX_MAX];
		size_t length = random_name(name), row_length;
		struct ct_table_key place, key = random_key();
		bool inclusive, is_behind, is_found;
		int order;

		agx_index_behind(name, length, &place, &inclusive);
		/* Often the row that the name is made of, or the place itself. */
		if (random_below(2))
			key = place;
		row_length = agx_index_of(&key, row);
		order = ct_table_key_compare(&key, &place);
		is_behind = compare(row, row_length, name, length) > 0;
		is_found = order > 0 || (order == 0 && inclusive);
		assert_int_equal(is_found, is_behind);
	}
}

static void
remembers(void **unused)
{
	struct agx_touched touched = { 0 };
	struct ct_table_key keys[500];
	const size_t count = sizeof(keys) / sizeof(keys[0]);

	(void)unused;
	for (size_t i = 0; i < count; i++) {
		keys[i] = random_key();
		keys[i].dport = (uint16_t)i;
		assert_false(agx_touched_has(&touched, &keys[i]));
		assert_int_equal(agx_touched_add(&touched, &keys[i], 1000 + i), 0);
		assert_int_equal(agx_touched_add(&touched, &keys[i], 1000 + i), 0);
	}
	assert_int_equal(touched.count, count);
	/* A second time: later. */
	assert_int_equal(agx_touched_add(&touched, &keys[0], 9999), 0);
	agx_touched_forget(&touched, 1200);
	assert_int_equal(touched.count, 301);
	assert_true(agx_touched_has(&touched, &keys[0]));
	for (size_t i = 1; i < count; i++)
		assert_int_equal(agx_touched_has(&touched, &keys[i]), i >= 200);
	agx_touched_forget(&touched, 10000);
	assert_false(agx_touched_has(&touched, &keys[0]));
	agx_touched_done(&touched);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(same_order),
		cmocka_unit_test(behind),
		cmocka_unit_test(remembers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
