/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The set of known flows against a plain array, through random additions and removals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "common/known.h"

#define FLOWS 5000
#define STEPS 200000

struct model {
	bool there[FLOWS];
	bool fresh[FLOWS]; /* seen in this round */
	size_t count;
	size_t swept;
};

static struct ct_flow
flow_of(unsigned int i)
{
	struct ct_flow flow = { .has = CT_ORIG_TUPLE | CT_ID, .id = i * 7 };

	flow.orig.family = AF_INET;
	flow.orig.proto = 17;
	flow.orig.sport = (uint16_t)(i % 1000);
	flow.orig.src.bytes[0] = (uint8_t)(i / 1000);
	/* The same tuples again, in a zone. */
	if (i % 2) {
		flow.orig.sport--;
		flow.zone = 5;
		flow.has |= CT_ZONE;
	}
	return flow;
}

static void
random_steps(void **unused)
{
	const char *given = getenv("SEED");
	unsigned int seed =
		given ? (unsigned int)atoi(given) : (unsigned int)time(NULL);
	struct model *model = calloc(1, sizeof(*model));
	struct ct_known *known = ct_known_new();

	(void)unused;
	print_message("SEED=%u\n", seed);
	srand(seed);
	for (int step = 0; step < STEPS; step++) {
		unsigned int i = (unsigned int)rand() % FLOWS;
		struct ct_flow flow = flow_of(i);

		if (rand() % 3) {
			assert_int_equal(ct_known_add(known, &flow, true),
					 !model->there[i]);
			model->count += !model->there[i];
			model->there[i] = true;
		} else {
			assert_int_equal(ct_known_remove(known, &flow),
					 model->there[i]);
			model->count -= model->there[i];
			model->there[i] = false;
		}
		assert_int_equal(ct_known_count(known), model->count);
	}
	ct_known_free(known);
	free(model);
}

static int
count_swept(const struct ct_flow *flow, void *data)
{
	struct model *model = data;
	unsigned int i = flow->id / 7;
	struct ct_flow expected = flow_of(i);

	assert_true(i < FLOWS);
	assert_memory_equal(flow, &expected, sizeof(expected));
	assert_true(model->there[i]);
	assert_false(model->fresh[i]);
	model->there[i] = false;
	model->swept++;
	return 0;
}

static void
sweep_tells_the_missing(void **unused)
{
	struct model *model = calloc(1, sizeof(*model));
	struct ct_known *known = ct_known_new();
	size_t fresh = 0;

	(void)unused;
	for (unsigned int i = 0; i < FLOWS; i++) {
		struct ct_flow flow = flow_of(i);

		assert_int_equal(ct_known_add(known, &flow, true), 1);
		model->there[i] = true;
	}
	ct_known_begin(known);
	for (unsigned int i = 0; i < FLOWS; i += 3, fresh++) {
		struct ct_flow flow = flow_of(i);

		assert_int_equal(ct_known_add(known, &flow, true), 0);
		model->fresh[i] = true;
	}
	assert_int_equal(ct_known_sweep(known, count_swept, model), 0);
	assert_int_equal(model->swept, FLOWS - fresh);
	assert_int_equal(ct_known_count(known), fresh);
	ct_known_free(known);
	free(model);
}

/* Of the missing, those that were wanted when they were last seen. */
static void
sweep_tells_the_wanted(void **unused)
{
	struct model *model = calloc(1, sizeof(*model));
	struct ct_known *known = ct_known_new();
	struct ct_flow stranger = flow_of(FLOWS);

	(void)unused;
	for (unsigned int i = 0; i < FLOWS; i++) {
		struct ct_flow flow = flow_of(i);

		ct_known_add(known, &flow, i % 2);
		if (i % 3 == 0)
			ct_known_change(known, &flow, !(i % 2));
		flow.id++;
		ct_known_change(known, &flow, !(i % 2));
		model->there[i] = i % 3 == 0 ? !(i % 2) : i % 2;
	}
	ct_known_change(known, &stranger, true);
	ct_known_begin(known);
	assert_int_equal(ct_known_sweep(known, count_swept, model), 0);
	for (unsigned int i = 0; i < FLOWS; i++)
		assert_false(model->there[i]);
	assert_int_equal(ct_known_count(known), 0);
	ct_known_free(known);
	free(model);
}

static void
another_id_is_another_flow(void **unused)
{
	struct ct_known *known = ct_known_new();
	struct ct_flow flow = flow_of(1);

	(void)unused;
	assert_int_equal(ct_known_add(known, &flow, true), 1);
	flow.id++;
	assert_int_equal(ct_known_add(known, &flow, true), 1);
	assert_int_equal(ct_known_count(known), 1);
	ct_known_free(known);
	ct_known_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_steps),
		cmocka_unit_test(sweep_tells_the_missing),
		cmocka_unit_test(sweep_tells_the_wanted),
		cmocka_unit_test(another_id_is_another_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
