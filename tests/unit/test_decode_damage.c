/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages cut short, damaged and made up, at the edge of memory: each is decoded or
 * -EBADMSG, and nothing behind its end is read.
 */
#include "support_message.h"

#include <errno.h>
#include <string.h>

#define ALL_HAS (CT_SECCTX_CUT | (CT_SECCTX_CUT - 1))
#define ALL_TUPLE_HAS (CT_TUPLE_ZONE | (CT_TUPLE_ZONE - 1))

/* Whatever was in the message, a flow that comes out of it can be relied on. */
static void
assert_sane(const struct ct_flow *flow)
{
	const struct ct_tuple *tuples[] = { &flow->orig, &flow->reply, &flow->master };

	assert_true((flow->has & ~(uint64_t)ALL_HAS) == 0);
	for (size_t i = 0; i < COUNT(tuples); i++) {
		assert_true(tuples[i]->family == AF_INET ||
			    tuples[i]->family == AF_INET6);
		assert_int_equal(tuples[i]->family, tuples[0]->family);
		assert_int_equal(tuples[i]->has & ~ALL_TUPLE_HAS, 0);
		assert_int_equal(tuples[i]->unused, 0);
	}
	assert_non_null(memchr(flow->helper, 0, sizeof(flow->helper)));
	assert_non_null(memchr(flow->secctx, 0, sizeof(flow->secctx)));
}

/*
 * Decodes a copy whose end is at the guard page: exactly there if the size lets it
 * begin aligned, as it must; else up to three bytes before, and then those bytes must
 * make no difference.
 */
static int
decode_guarded(const struct guard *guard, const void *payload, size_t size)
{
	uint8_t *copy = guard->end - (size + 3) / 4 * 4;
	struct ct_flow flow, again;
	int error;

	memcpy(copy, payload, size);
	memset(copy + size, 0x00, (size_t)(guard->end - copy) - size);
	error = decode_twice(&flow, copy, size);
	memset(copy + size, 0xff, (size_t)(guard->end - copy) - size);
	assert_int_equal(decode_twice(&again, copy, size), error);
	if (error) {
		assert_int_equal(error, -EBADMSG);
		return error;
	}
	assert_flow_equal("behind the end", &again, &flow);
	assert_sane(&flow);
	return 0;
}

/* A message may be cut only behind a whole attribute or in the padding behind that. */
static bool
may_end(const uint8_t *payload, size_t size)
{
	size_t at = HEAD;

	while (at < size) {
		struct nlattr head;

		if (size - at < sizeof(head))
			return false;
		memcpy(&head, payload + at, sizeof(head));
		if (head.nla_len > size - at)
			return false;
		at += MNL_ALIGN(head.nla_len);
	}
	return size >= HEAD;
}

static void
cut_message(const char *name, const struct nlmsghdr *message, void *data)
{
	const uint8_t *payload = mnl_nlmsg_get_payload(message);
	const struct guard *guard = data;

	for (size_t size = 0; size <= payload_size(message); size++) {
		int error = decode_guarded(guard, payload, size);

		if (error != (may_end(payload, size) ? 0 : -EBADMSG))
			fail_msg("%s: %d when cut at %zu", name, error, size);
	}
}

static void
every_prefix(void **unused)
{
	struct guard guard;

	(void)unused;
	guard_init(&guard, 4096);
	each_whole_message(cut_message, &guard);
	guard_done(&guard);
}

static void
flip_bytes(const char *name, const struct nlmsghdr *message, void *data)
{
	size_t size = payload_size(message);
	const struct guard *guard = data;
	uint8_t payload[4096];

	(void)name;
	assert_true(size <= sizeof(payload));
	memcpy(payload, mnl_nlmsg_get_payload(message), size);
	for (size_t i = 0; i < size; i++) {
		for (unsigned int bit = 0; bit < 9; bit++) {
			uint8_t flip = bit < 8 ? (uint8_t)(1 << bit) : 0xff;

			payload[i] ^= flip;
			decode_guarded(guard, payload, size);
			payload[i] ^= flip;
		}
	}
}

static void
every_byte_flipped(void **unused)
{
	struct guard guard;

	(void)unused;
	guard_init(&guard, 4096);
	each_whole_message(flip_bytes, &guard);
	guard_done(&guard);
}

/* Attributes with likely types, lengths mostly possible, nests among them. */
static size_t
random_nest(uint8_t *at, size_t room, unsigned int depth)
{
	size_t used = 0;

	while (room - used >= sizeof(struct nlattr) && random_below(8) > 0) {
		static const uint8_t sizes[] = { 0, 1, 2, 4, 8, 16 };
		size_t left = room - used - sizeof(struct nlattr);
		struct nlattr head = { .nla_type = (uint16_t)random_below(30) };
		size_t size;

		if (depth < 4 && random_below(3) == 0) {
			size = random_nest(at + used + sizeof(head), left, depth + 1);
		} else {
			size = sizes[random_below(COUNT(sizes))];
			if (size > left)
				size = left;
			random_bytes(at + used + sizeof(head), size);
		}
		head.nla_len = (uint16_t)(sizeof(head) + size);
		if (random_below(50) == 0)
			head.nla_len = (uint16_t)random_below(64);
		if (random_below(8) == 0)
			head.nla_type |= NLA_F_NESTED;
		memcpy(at + used, &head, sizeof(head));
		used += (sizeof(head) + size + 3) / 4 * 4;
		if (used > room)
			used = room;
	}
	return used;
}

static void
random_nests(void **unused)
{
	unsigned int good = 0, bad = 0;
	struct guard guard;

	(void)unused;
	guard_init(&guard, 4096);
	for (int i = 0; i < 300000; i++) {
		uint8_t payload[512] = { i & 1 ? AF_INET : AF_INET6 };
		size_t size =
			HEAD + random_nest(payload + HEAD,
					   random_below(sizeof(payload) - HEAD), 0);

		if (decode_guarded(&guard, payload, size) == 0)
			good++;
		else
			bad++;
	}
	/* Both ways must have been gone, else the numbers were badly chosen. */
	assert_true(good > 10000 && bad > 10000);
	guard_done(&guard);
}

static void
random_noise(void **unused)
{
	struct guard guard;

	(void)unused;
	guard_init(&guard, 4096);
	for (int i = 0; i < 100000; i++) {
		uint8_t payload[128];
		size_t size = random_below(sizeof(payload));

		random_bytes(payload, sizeof(payload));
		payload[0] = i & 1 ? AF_INET : AF_INET6;
		decode_guarded(&guard, payload, size);
	}
	guard_done(&guard);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_prefix),
		cmocka_unit_test(every_byte_flipped),
		cmocka_unit_test(random_nests),
		cmocka_unit_test(random_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
