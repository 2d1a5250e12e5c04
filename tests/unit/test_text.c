/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written, where the buffer's end may fall, and what happens on errors. */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/text.h"

#define SINK_SIZE 8192

/* Takes what is flushed. */
struct sink {
	char bytes[SINK_SIZE];
	size_t used;
	unsigned int calls;
	unsigned int fail_at; /* this call fails; 0: none does */
};

static int
sink_flush(const char *bytes, size_t size, void *data)
{
	struct sink *sink = data;

	if (++sink->calls == sink->fail_at)
		return -EIO;
	assert_in_range(size, 1, SINK_SIZE - sink->used);
	memcpy(sink->bytes + sink->used, bytes, size);
	sink->used += size;
	return 0;
}

/* One put each, and what it should write. */
struct put {
	void (*put)(struct ct_text *text);
	const char *expected;
};

static void
put_char(struct ct_text *text)
{
	ct_text_char(text, 'x');
}

static void
put_literal(struct ct_text *text)
{
	ct_text_str(text, "<literal attribute=\"value\">");
}

static void
put_string(struct ct_text *text)
{
	const char *volatile string = "a string of unknown length";

	ct_text_str(text, string);
}

static void
put_bytes(struct ct_text *text)
{
	ct_text_bytes(text, "with\nlines\n", 11);
}

static void
put_nothing(struct ct_text *text)
{
	ct_text_bytes(text, "", 0);
}

static void
put_digit(struct ct_text *text)
{
	ct_text_u64(text, 7);
}

static void
put_number(struct ct_text *text)
{
	ct_text_u64(text, UINT64_MAX);
}

static void
put_padded(struct ct_text *text)
{
	ct_text_padded(text, 1234567, 9);
}

static void
put_hex(struct ct_text *text)
{
	ct_text_hex(text, 0x2a);
}

static void
put_long_hex(struct ct_text *text)
{
	ct_text_hex(text, UINT64_C(0xfedcba9876543210));
}

static void
put_ipv4(struct ct_text *text)
{
	const struct ct_addr addr = { { 1, 20, 3, 255 } };

	ct_text_addr(text, AF_INET, &addr);
}

static void
put_ipv6(struct ct_text *text)
{
	struct ct_addr addr;

	memset(&addr, 0xab, sizeof(addr));
	ct_text_addr(text, AF_INET6, &addr);
}

static void
put_short_ipv6(struct ct_text *text)
{
	const struct ct_addr addr = { { [15] = 1 } };

	ct_text_addr(text, AF_INET6, &addr);
}

static void
put_escapes(struct ct_text *text)
{
	ct_text_xml(text, "a<b>&\"c\x01\xc3\xa9'");
}

static void
put_printf(struct ct_text *text)
{
	ct_text_printf(text, "%s-%05d", "formatted", 42);
}

static const struct put puts_[] = {
	{ put_char, "x" },
	{ put_literal, "<literal attribute=\"value\">" },
	{ put_string, "a string of unknown length" },
	{ put_bytes, "with\nlines\n" },
	{ put_nothing, "" },
	{ put_digit, "7" },
	{ put_number, "18446744073709551615" },
	{ put_padded, "001234567" },
	{ put_hex, "2a" },
	{ put_long_hex, "fedcba9876543210" },
	{ put_ipv4, "1.20.3.255" },
	{ put_ipv6, "abab:abab:abab:abab:abab:abab:abab:abab" },
	{ put_short_ipv6, "::1" },
	{ put_escapes, "a&lt;b&gt;&amp;&quot;c\?\?\?'" },
	{ put_printf, "formatted-00042" },
};

/* The end of the text, what is held back in the buffer included. */
static void
assert_written(struct ct_text *text, const struct sink *sink, size_t skipped,
	       const char *expected)
{
	assert_int_equal(ct_text_flush(text), 0);
	assert_int_equal(text->error, 0);
	assert_int_equal(sink->used, skipped + strlen(expected));
	assert_memory_equal(sink->bytes + skipped, expected, strlen(expected));
}

static void
assert_number(uint64_t number)
{
	char buffer[64], expected[64];
	struct ct_text text;

	ct_text_init(&text, buffer, sizeof(buffer), NULL, NULL);
	ct_text_u64(&text, number);
	ct_text_char(&text, ' ');
	ct_text_hex(&text, number);
	ct_text_char(&text, '\0');
	snprintf(expected, sizeof(expected), "%" PRIu64 " %" PRIx64, number, number);
	assert_int_equal(text.error, 0);
	assert_string_equal(buffer, expected);
}

static void
numbers(void **unused)
{
	uint64_t power = 1;

	(void)unused;
	for (uint64_t number = 0; number < 20000; number++)
		assert_number(number);
	for (int i = 0; i < 20; i++, power *= 10) {
		assert_number(power - 1);
		assert_number(power);
		assert_number(power + 1);
	}
	for (int shift = 0; shift < 64; shift++) {
		assert_number((UINT64_C(1) << shift) - 1);
		assert_number(UINT64_C(1) << shift);
	}
	assert_number(UINT64_MAX);
	assert_number(UINT64_MAX - 1);
	for (int i = 0; i < 200000; i++)
		assert_number(random_u64() >> random_below(64));
}

static void
padded_numbers(void **unused)
{
	char buffer[64], expected[64];
	struct ct_text text;

	(void)unused;
	for (unsigned int count = 0; count <= 19; count++) {
		uint64_t limit = 1;

		for (unsigned int i = 0; i < count; i++)
			limit *= 10;
		for (int i = 0; i < 5000; i++) {
			uint64_t number = random_u64() >> random_below(64);

			ct_text_init(&text, buffer, sizeof(buffer), NULL, NULL);
			ct_text_padded(&text, number, count);
			ct_text_char(&text, '\0');
			snprintf(expected, sizeof(expected), "%0*" PRIu64, (int)count,
				 number % limit);
			assert_int_equal(text.error, 0);
			assert_string_equal(buffer, count ? expected : "");
		}
	}
}

static void
assert_addr(uint8_t family, const struct ct_addr *addr)
{
	char buffer[64], expected[INET6_ADDRSTRLEN];
	struct ct_text text;

	ct_text_init(&text, buffer, sizeof(buffer), NULL, NULL);
	ct_text_addr(&text, family, addr);
	ct_text_char(&text, '\0');
	assert_non_null(inet_ntop(family, addr->bytes, expected, sizeof(expected)));
	assert_int_equal(text.error, 0);
	assert_string_equal(buffer, expected);
}

static void
ipv4_addresses(void **unused)
{
	struct ct_addr addr = { { 0 } };

	(void)unused;
	for (int place = 0; place < 4; place++) {
		for (int byte = 0; byte < 256; byte++) {
			memset(&addr, place * 77, 4);
			addr.bytes[place] = (uint8_t)byte;
			assert_addr(AF_INET, &addr);
		}
	}
	for (int i = 0; i < 200000; i++) {
		random_bytes(&addr, 4);
		assert_addr(AF_INET, &addr);
	}
}

/* Every pattern of zero groups, with groups of each length between them. */
static void
ipv6_patterns(void **unused)
{
	static const uint16_t values[] = { 0x1, 0x10, 0x100, 0x1000, 0xffff, 0xabc };
	struct ct_addr addr;

	(void)unused;
	for (unsigned int pattern = 0; pattern < 256; pattern++) {
		for (size_t i = 0; i < COUNT(values); i++) {
			memset(&addr, 0, sizeof(addr));
			for (int group = 0; group < 8; group++) {
				if (!(pattern >> group & 1))
					continue;
				addr.bytes[2 * group] = (uint8_t)(values[i] >> 8);
				addr.bytes[2 * group + 1] = (uint8_t)values[i];
			}
			assert_addr(AF_INET6, &addr);
		}
	}
}

static void
ipv6_special(void **unused)
{
	static const char *const words[] = {
		"::",
		"::1",
		"::2",
		"::0.1.0.0",
		"::192.0.2.1",
		"::255.255.255.255",
		"::ffff:0.0.0.0",
		"::ffff:192.0.2.1",
		"::ffff:255.255.255.255",
		"::fffe:192.0.2.1",
		"::ffff:0:192.0.2.1",
		"::1:ffff:1:1",
		"64:ff9b::192.0.2.1",
		"64:ff9b:1::",
		"100::",
		"2001::",
		"2001:db8::",
		"2001:db8::1",
		"2001:db8:0:1::1",
		"2001:db8:0:0:1:0:0:1",
		"2001:0:0:1:0:0:0:1",
		"1:0:0:0:1:0:0:0",
		"0:0:0:1::",
		"0:1::",
		"1:0:1:0:1:0:1:0",
		"0:1:0:1:0:1:0:1",
		"1:2:3:4:5:6:7:0",
		"0:2:3:4:5:6:7:8",
		"2002:c000:201::",
		"fc00::",
		"fe80::1",
		"fec0::1",
		"ff02::1",
		"ff02::1:ff00:1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(words); i++) {
		struct ct_addr addr = addr_of(words[i]);

		assert_addr(AF_INET6, &addr);
	}
}

static void
ipv6_random(void **unused)
{
	struct ct_addr addr;

	(void)unused;
	for (int i = 0; i < 200000; i++) {
		uint64_t dice = random_u64();

		random_bytes(&addr, sizeof(addr));
		for (int byte = 0; byte < 16; byte++)
			if (dice >> byte & 1 || dice >> (16 + byte / 2) & 1)
				addr.bytes[byte] = 0;
		assert_addr(AF_INET6, &addr);
	}
}

/* Every byte, alone and among others. */
static void
xml_bytes(void **unused)
{
	char buffer[64], string[4] = "a?b", expected[16];
	struct ct_text text;

	(void)unused;
	for (int byte = 1; byte < 256; byte++) {
		const char *entity = byte == '<'   ? "&lt;"
				     : byte == '>' ? "&gt;"
				     : byte == '&' ? "&amp;"
				     : byte == '"' ? "&quot;"
						   : NULL;

		string[1] = (char)byte;
		if (entity)
			snprintf(expected, sizeof(expected), "a%sb", entity);
		else
			snprintf(expected, sizeof(expected), "a%cb",
				 byte >= ' ' && byte <= '~' ? byte : '?');
		ct_text_init(&text, buffer, sizeof(buffer), NULL, NULL);
		ct_text_xml(&text, string);
		ct_text_char(&text, '\0');
		assert_int_equal(text.error, 0);
		assert_string_equal(buffer, expected);
	}
}

static void
printf_limit(void **unused)
{
	char buffer[2 * CT_TEXT_MIN];
	struct ct_text text;

	(void)unused;
	ct_text_init(&text, buffer, sizeof(buffer), NULL, NULL);
	ct_text_printf(&text, "%0*d", CT_TEXT_MIN / 2, 1);
	assert_int_equal(text.error, 0);
	assert_int_equal(text.at - text.start, CT_TEXT_MIN / 2);
	/* Longer than any single put may be: an error, not a text cut short. */
	ct_text_printf(&text, "%0*d", 4 * CT_TEXT_MIN, 1);
	assert_int_not_equal(text.error, 0);
	assert_int_equal(text.at - text.start, CT_TEXT_MIN / 2);
}

/* The buffer ends at a guard page and begins behind a byte that must not change. */
static char *
guarded(const struct guard *guard, size_t size)
{
	char *buffer = (char *)guard->end - size;

	buffer[-1] = '#';
	return buffer;
}

static void
flush_at_every_position(void **unused)
{
	struct guard guard;
	struct ct_text text;
	char *buffer;

	(void)unused;
	guard_init(&guard, CT_TEXT_MIN + 1);
	buffer = guarded(&guard, CT_TEXT_MIN);
	for (size_t i = 0; i < COUNT(puts_); i++) {
		for (size_t before = 0; before <= CT_TEXT_MIN; before++) {
			struct sink sink = { .used = 0 };

			ct_text_init(&text, buffer, CT_TEXT_MIN, sink_flush, &sink);
			for (size_t j = 0; j < before; j++)
				ct_text_char(&text, '.');
			puts_[i].put(&text);
			assert_written(&text, &sink, before, puts_[i].expected);
			assert_int_equal(buffer[-1], '#');
		}
	}
	guard_done(&guard);
}

/* Whatever follows upon what, nothing is lost, doubled or out of order. */
static void
long_mixed_text(void **unused)
{
	struct sink sink = { .used = 0 };
	char expected[SINK_SIZE] = "";
	struct ct_text text;
	struct guard guard;

	(void)unused;
	guard_init(&guard, CT_TEXT_MIN + 1);
	ct_text_init(&text, guarded(&guard, CT_TEXT_MIN), CT_TEXT_MIN, sink_flush,
		     &sink);
	while (strlen(expected) < SINK_SIZE - 100) {
		const struct put *put = &puts_[random_below(COUNT(puts_))];

		put->put(&text);
		strcat(expected, put->expected);
	}
	assert_written(&text, &sink, 0, expected);
	assert_true(sink.calls > 10);
	guard_done(&guard);
}

static void
more_than_the_buffer(void **unused)
{
	struct sink sink = { .used = 0 };
	char large[5 * CT_TEXT_MIN + 7];
	struct ct_text text;
	struct guard guard;

	(void)unused;
	for (size_t i = 0; i < sizeof(large) - 1; i++)
		large[i] = (char)('a' + i % 23);
	large[sizeof(large) - 1] = '\0';
	guard_init(&guard, CT_TEXT_MIN + 1);
	ct_text_init(&text, guarded(&guard, CT_TEXT_MIN), CT_TEXT_MIN, sink_flush,
		     &sink);
	ct_text_char(&text, '!');
	ct_text_bytes(&text, large, sizeof(large) - 1);
	assert_written(&text, &sink, 1, large);
	sink.used = 0;
	ct_text_xml(&text, large);
	assert_written(&text, &sink, 0, large);
	guard_done(&guard);
}

static void
make_room(void **unused)
{
	struct sink sink = { .used = 0 };
	char buffer[CT_TEXT_MIN];
	struct ct_text text;

	(void)unused;
	ct_text_init(&text, buffer, sizeof(buffer), sink_flush, &sink);
	ct_text_char(&text, 'x');
	assert_true(ct_text_make_room(&text, CT_TEXT_MIN));
	assert_true((size_t)(text.end - text.at) >= CT_TEXT_MIN);
	assert_written(&text, &sink, 0, "x");
	assert_false(ct_text_make_room(&text, CT_TEXT_MIN + 1));
	assert_int_equal(text.error, -ENOSPC);
}

/* Nothing changes any more, whatever is put. */
static void
assert_stuck(struct ct_text *text, const struct sink *sink, int error)
{
	unsigned int calls = sink ? sink->calls : 0;
	const char *at = text->at;

	assert_int_equal(text->error, error);
	for (size_t i = 0; i < COUNT(puts_); i++) {
		puts_[i].put(text);
		assert_int_equal(text->error, error);
		assert_ptr_equal(text->at, at);
	}
	assert_false(ct_text_make_room(text, 1));
	assert_false(ct_text_room(text, 1));
	assert_int_equal(ct_text_flush(text), error);
	if (sink)
		assert_int_equal(sink->calls, calls);
}

static void
failing_flush(void **unused)
{
	struct guard guard;
	struct ct_text text;
	char *buffer;

	(void)unused;
	guard_init(&guard, CT_TEXT_MIN + 1);
	buffer = guarded(&guard, CT_TEXT_MIN);
	for (size_t i = 0; i < COUNT(puts_); i++) {
		for (unsigned int fail_at = 1; fail_at <= 3; fail_at++) {
			struct sink sink = { .fail_at = fail_at };

			if (!*puts_[i].expected)
				continue;
			ct_text_init(&text, buffer, CT_TEXT_MIN, sink_flush, &sink);
			for (int j = 0; j < 4 * CT_TEXT_MIN; j++)
				puts_[i].put(&text);
			assert_int_equal(sink.calls, fail_at);
			assert_stuck(&text, &sink, -EIO);
			assert_int_equal(buffer[-1], '#');
		}
	}
	guard_done(&guard);
}

static void
failing_last_flush(void **unused)
{
	struct sink sink = { .fail_at = 1 };
	char buffer[CT_TEXT_MIN];
	struct ct_text text;

	(void)unused;
	ct_text_init(&text, buffer, sizeof(buffer), sink_flush, &sink);
	ct_text_char(&text, 'x');
	assert_int_equal(text.error, 0);
	assert_int_equal(ct_text_flush(&text), -EIO);
	assert_stuck(&text, &sink, -EIO);
}

/* A buffer of each size up to one in which every put fits. */
static void
no_room_without_flush(void **unused)
{
	struct guard guard;
	struct ct_text text;

	(void)unused;
	guard_init(&guard, CT_TEXT_MIN + 1);
	for (size_t i = 0; i < COUNT(puts_); i++) {
		size_t needed = strlen(puts_[i].expected);

		for (size_t size = 0; size < needed; size++) {
			char *buffer = guarded(&guard, size);

			ct_text_init(&text, buffer, size, NULL, NULL);
			puts_[i].put(&text);
			assert_int_equal(buffer[-1], '#');
			assert_true((size_t)(text.at - buffer) <= size);
			/* What stands there is at least a beginning of the right text.
			 */
			assert_memory_equal(buffer, puts_[i].expected,
					    (size_t)(text.at - buffer));
			assert_stuck(&text, NULL, -ENOSPC);
		}
		for (size_t size = 64; size < 80; size++) {
			char *buffer = guarded(&guard, size);

			ct_text_init(&text, buffer, size, NULL, NULL);
			puts_[i].put(&text);
			assert_int_equal(text.error, 0);
			assert_int_equal(text.at - buffer, needed);
			assert_memory_equal(buffer, puts_[i].expected, needed);
			assert_int_equal(ct_text_flush(&text), 0);
		}
	}
	guard_done(&guard);
}

/* Only what does not fit is left out: a put that fits to the byte is none of that. */
static void
just_enough_without_flush(void **unused)
{
	struct guard guard;
	struct ct_text text;

	(void)unused;
	guard_init(&guard, CT_TEXT_MIN + 1);
	for (size_t i = 0; i < COUNT(puts_); i++) {
		size_t needed = strlen(puts_[i].expected);
		char *buffer = guarded(&guard, needed);

		ct_text_init(&text, buffer, needed, NULL, NULL);
		puts_[i].put(&text);
		if (text.error)
			fail_msg("'%s' has %zu bytes, and no room in as many",
				 puts_[i].expected, needed);
		assert_memory_equal(buffer, puts_[i].expected, needed);
		ct_text_char(&text, 'x');
		assert_int_equal(text.error, -ENOSPC);
	}
	guard_done(&guard);
}

static void
first_error_stays(void **unused)
{
	struct sink sink = { .fail_at = 1 };
	char buffer[CT_TEXT_MIN];
	struct ct_text text;

	(void)unused;
	ct_text_init(&text, buffer, sizeof(buffer), sink_flush, &sink);
	assert_false(ct_text_make_room(&text, CT_TEXT_MIN + 1));
	assert_int_equal(text.error, -ENOSPC);
	ct_text_printf(&text, "%0*d", 4 * CT_TEXT_MIN, 1);
	assert_stuck(&text, &sink, -ENOSPC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(padded_numbers),
		cmocka_unit_test(ipv4_addresses),
		cmocka_unit_test(ipv6_patterns),
		cmocka_unit_test(ipv6_special),
		cmocka_unit_test(ipv6_random),
		cmocka_unit_test(xml_bytes),
		cmocka_unit_test(printf_limit),
		cmocka_unit_test(flush_at_every_position),
		cmocka_unit_test(long_mixed_text),
		cmocka_unit_test(more_than_the_buffer),
		cmocka_unit_test(make_room),
		cmocka_unit_test(failing_flush),
		cmocka_unit_test(failing_last_flush),
		cmocka_unit_test(no_room_without_flush),
		cmocka_unit_test(just_enough_without_flush),
		cmocka_unit_test(first_error_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
