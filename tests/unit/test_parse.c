/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words that are taken, and what is said of those that are not. */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/parse.h"

/* The system's list of services is not the same everywhere. */
struct servent *
getservbyname(const char *name, const char *proto)
{
	static const struct {
		const char *name;
		uint16_t port;
	} services[] = { { "https", 443 }, { "domain", 53 }, { "ms-sql-s", 1433 } };
	static struct servent found;

	assert_null(proto);
	for (size_t i = 0; i < COUNT(services); i++) {
		if (strcmp(name, services[i].name) != 0)
			continue;
		found.s_port = htons(services[i].port);
		return &found;
	}
	return NULL;
}

struct bad {
	const char *word;
	const char *why;
};

/* The error, and the whole of what is said about it. */
static void
assert_bad(const struct bad *bad, int error, const struct ct_why *why)
{
	if (error != -EINVAL)
		fail_msg("'%s' is taken (%d)", bad->word, error);
	assert_string_equal(why->text, bad->why);
}

static void
assert_good(const char *word, int error, const struct ct_why *why)
{
	if (error)
		fail_msg("'%s' is not taken (%d): %s", word, error, why->text);
}

struct good_number {
	const char *word;
	uint64_t number;
};

static void
good_numbers(void **unused)
{
	static const struct good_number cases[] = {
		{ "0", 0 },
		{ "7", 7 },
		{ "007", 7 },
		{ "0010", 10 },
		{ "10", 10 },
		{ "4294967296", UINT64_C(4294967296) },
		{ "18446744073709551615", UINT64_MAX },
		{ "0x0", 0 },
		{ "0x2a", 42 },
		{ "0X2A", 42 },
		{ "0xffffffffffffffff", UINT64_MAX },
		{ "0x00000000000000000001", 1 },
	};
	struct ct_why why;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t number = 99;

		assert_good(cases[i].word,
			    ct_parse_number(cases[i].word, UINT64_MAX, "a number",
					    &number, &why),
			    &why);
		assert_true(number == cases[i].number);
	}
}

static void
bad_numbers(void **unused)
{
	static const struct bad cases[] = {
		{ "", " is not a mark (0-4294967295)" },
		{ " 7", " 7 is not a mark (0-4294967295)" },
		{ "7 ", "7  is not a mark (0-4294967295)" },
		{ "+7", "+7 is not a mark (0-4294967295)" },
		{ "-7", "-7 is not a mark (0-4294967295)" },
		{ "7x", "7x is not a mark (0-4294967295)" },
		{ "abc", "abc is not a mark (0-4294967295)" },
		{ "ff", "ff is not a mark (0-4294967295)" },
		{ "1e3", "1e3 is not a mark (0-4294967295)" },
		{ "1.0", "1.0 is not a mark (0-4294967295)" },
		{ "0x", "0x is not a mark (0-4294967295)" },
		{ "0xg", "0xg is not a mark (0-4294967295)" },
		{ "x7", "x7 is not a mark (0-4294967295)" },
		{ "0x-7", "0x-7 is not a mark (0-4294967295)" },
		{ "0x 7", "0x 7 is not a mark (0-4294967295)" },
		{ "4294967296", "4294967296 is not a mark (0-4294967295)" },
		{ "0x100000000", "0x100000000 is not a mark (0-4294967295)" },
		{ "18446744073709551616",
		  "18446744073709551616 is not a mark (0-4294967295)" },
		{ "0x10000000000000000",
		  "0x10000000000000000 is not a mark (0-4294967295)" },
	};
	struct ct_why why;
	uint64_t number;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_bad(&cases[i],
			   ct_parse_number(cases[i].word, UINT32_MAX, "a mark", &number,
					   &why),
			   &why);
}

/* One prefix is enough. */
static void
hex_twice(void **unused)
{
	static const struct bad bad = { "0x0x7", "0x0x7 is not a mark (0-4294967295)" };
	struct ct_why why;
	uint64_t number;

	(void)unused;
	assert_bad(&bad, ct_parse_number(bad.word, UINT32_MAX, "a mark", &number, &why),
		   &why);
}

static void
limits(void **unused)
{
	struct ct_why why;
	uint64_t number;

	(void)unused;
	assert_int_equal(ct_parse_number("127", 127, "a bit", &number, &why), 0);
	assert_int_equal(ct_parse_number("128", 127, "a bit", &number, &why), -EINVAL);
	assert_string_equal(why.text, "128 is not a bit (0-127)");
	assert_int_equal(ct_parse_number("0", 0, "a bit", &number, &why), 0);
	assert_int_equal(ct_parse_number("1", 0, "a bit", &number, &why), -EINVAL);
	assert_int_equal(ct_parse_number("18446744073709551616", UINT64_MAX, "a number",
					 &number, &why),
			 -EINVAL);
	assert_string_equal(
		why.text,
		"18446744073709551616 is not a number (0-18446744073709551615)");
}

static void
good_ranges(void **unused)
{
	static const struct {
		const char *word;
		uint64_t low, high;
	} cases[] = {
		{ "0", 0, 0 },
		{ "5", 5, 5 },
		{ "5-9", 5, 9 },
		{ "5-5", 5, 5 },
		{ "0-65535", 0, 65535 },
		{ "0x10-0x1f", 16, 31 },
		{ "65535", 65535, 65535 },
	};
	struct ct_range range;
	struct ct_why why;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_good(
			cases[i].word,
			ct_parse_range(cases[i].word, 65535, "a zone", &range, &why),
			&why);
		assert_int_equal(range.low, cases[i].low);
		assert_int_equal(range.high, cases[i].high);
	}
}

static void
bad_ranges(void **unused)
{
#define FORMS " is not a zone (0-65535, or a range like 2-5)"
	static const struct bad cases[] = {
		{ "", FORMS },
		{ "-", "-" FORMS },
		{ "5-", "5-" FORMS },
		{ "-5", "-5" FORMS },
		{ "5--9", "5--9" FORMS },
		{ "5-9-", "5-9-" FORMS },
		{ "5-7-9", "5-7-9" FORMS },
		{ "5 - 9", "5 - 9" FORMS },
		{ "5:9", "5:9" FORMS },
		{ "a-b", "a-b" FORMS },
		{ "65536", "65536" FORMS },
		{ "5-65536", "5-65536" FORMS },
		{ "65536-65537", "65536-65537" FORMS },
		{ "9-5", "9-5 is a range that ends before it begins" },
	};
#undef FORMS
	struct ct_range range;
	struct ct_why why;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_bad(&cases[i],
			   ct_parse_range(cases[i].word, 65535, "a zone", &range, &why),
			   &why);
}

static void
good_ports(void **unused)
{
	static const struct {
		const char *word;
		uint64_t low, high;
	} cases[] = {
		{ "0", 0, 0 },
		{ "80", 80, 80 },
		{ "80-90", 80, 90 },
		{ "0x50", 80, 80 },
		{ "1024-65535", 1024, 65535 },
		{ "https", 443, 443 },
		{ "domain", 53, 53 },
		{ "ms-sql-s", 1433, 1433 },
	};
	struct ct_range range;
	struct ct_why why;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_good(cases[i].word, ct_parse_port(cases[i].word, &range, &why),
			    &why);
		assert_int_equal(range.low, cases[i].low);
		assert_int_equal(range.high, cases[i].high);
	}
}

static void
bad_ports(void **unused)
{
#define FORMS " is not a port (0-65535, a range like 80-90, or a service's name)"
	static const struct bad cases[] = {
		{ "", FORMS },
		{ "65536", "65536" FORMS },
		{ "70000", "70000" FORMS },
		{ "-1", "-1" FORMS },
		{ "80-", "80-" FORMS },
		{ "80-70000", "80-70000" FORMS },
		{ "no-such-service", "no-such-service" FORMS },
		{ "HTTPS!", "HTTPS!" FORMS },
		{ "https-domain", "https-domain" FORMS },
		{ "90-80", "90-80 is a range that ends before it begins" },
		{ "4294967376", "4294967376" FORMS },
	};
#undef FORMS
	struct ct_range range;
	struct ct_why why;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_bad(&cases[i], ct_parse_port(cases[i].word, &range, &why), &why);
}

static void
good_amounts(void **unused)
{
	static const struct good_number cases[] = {
		{ "0", 0 },
		{ "1500", 1500 },
		{ "10k", 10000 },
		{ "10K", 10000 },
		{ "2M", 2000000 },
		{ "1G", 1000000000 },
		{ "3T", UINT64_C(3000000000000) },
		{ "4P", UINT64_C(4000000000000000) },
		{ "1ki", 1024 },
		{ "1Ki", 1024 },
		{ "2Mi", 2097152 },
		{ "1Gi", 1073741824 },
		{ "1Ti", UINT64_C(1) << 40 },
		{ "1Pi", UINT64_C(1) << 50 },
		{ "18446744073709551615", UINT64_MAX },
		{ "18446P", UINT64_C(18446000000000000000) },
		{ "16383Pi", UINT64_C(16383) << 50 },
	};
	struct ct_why why;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t amount;

		assert_good(cases[i].word,
			    ct_parse_amount(cases[i].word, &amount, &why), &why);
		assert_true(amount == cases[i].number);
	}
}

static void
bad_amounts(void **unused)
{
#define FORMS " is not an amount (a number, or one like 10k, 2M, 1G, 1Gi)"
	static const struct bad cases[] = {
		{ "", FORMS },
		{ "k", "k" FORMS },
		{ "10i", "10i" FORMS },
		{ "10m", "10m" FORMS },
		{ "10kB", "10kB" FORMS },
		{ "10kk", "10kk" FORMS },
		{ "10k5", "10k5" FORMS },
		{ "10kii", "10kii" FORMS },
		{ "10 k", "10 k" FORMS },
		{ "-1", "-1" FORMS },
		{ "+1", "+1" FORMS },
		{ "1.5k", "1.5k" FORMS },
		{ "10,5", "10,5" FORMS },
		{ "18446744073709551616", "18446744073709551616" FORMS },
		{ "18447P", "18447P" FORMS },
		{ "16384Pi", "16384Pi" FORMS },
	};
#undef FORMS
	struct ct_why why;
	uint64_t amount;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_bad(&cases[i], ct_parse_amount(cases[i].word, &amount, &why),
			   &why);
}

static void
good_durations(void **unused)
{
	static const struct good_number cases[] = {
		{ "0", 0 },
		{ "90", 90 },
		{ "90s", 90 },
		{ "5m", 300 },
		{ "2h", 7200 },
		{ "1d", 86400 },
		{ "1w", 604800 },
		{ "1h30m", 5400 },
		{ "1w2d3h4m5s", 604800 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5 },
		{ "18446744073709551615", UINT64_MAX },
		{ "18446744073709551614s1s", UINT64_MAX },
	};
	struct ct_why why;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t seconds;

		assert_good(cases[i].word,
			    ct_parse_duration(cases[i].word, &seconds, &why), &why);
		assert_true(seconds == cases[i].number);
	}
}

static void
bad_durations(void **unused)
{
#define FORMS " is not a time (seconds, or like 90s, 5m, 1h30m)"
	static const struct bad cases[] = {
		{ "", FORMS },
		{ "s", "s" FORMS },
		{ "h1", "h1" FORMS },
		{ "5x", "5x" FORMS },
		{ "5M", "5M" FORMS },
		{ "5ms", "5ms" FORMS },
		{ "1h30x", "1h30x" FORMS },
		{ "1h30", "1h30" FORMS },
		{ "1h0", "1h0" FORMS },
		{ "1h-5m", "1h-5m" FORMS },
		{ "1h 5m", "1h 5m" FORMS },
		{ "-5", "-5" FORMS },
		{ "1.5h", "1.5h" FORMS },
		{ "0x10", "0x10" FORMS },
		{ "18446744073709551616", "18446744073709551616" FORMS },
		{ "18446744073709551615s1s", "18446744073709551615s1s" FORMS },
		{ "307445734561825861m", "307445734561825861m" FORMS },
		{ "18446744073709551615w", "18446744073709551615w" FORMS },
	};
#undef FORMS
	struct ct_why why;
	uint64_t seconds;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_bad(&cases[i], ct_parse_duration(cases[i].word, &seconds, &why),
			   &why);
}

/* Only a number that stands alone may go without its unit, whatever was before it. */
static void
number_behind_nothing(void **unused)
{
	static const struct bad bad = {
		"0h30", "0h30 is not a time (seconds, or like 90s, 5m, 1h30m)"
	};
	struct ct_why why;
	uint64_t seconds;

	(void)unused;
	assert_bad(&bad, ct_parse_duration(bad.word, &seconds, &why), &why);
}

static void
good_addresses(void **unused)
{
	static const struct {
		const char *word, *low, *high;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0", "0.0.0.0" },
		{ "10.0.0.0/8", "10.0.0.0", "10.255.255.255" },
		{ "10.0.0.0/255.0.0.0", "10.0.0.0", "10.255.255.255" },
		{ "192.0.2.8/30", "192.0.2.8", "192.0.2.11" },
		{ "192.0.2.8/255.255.255.252", "192.0.2.8", "192.0.2.11" },
		{ "192.0.2.7/32", "192.0.2.7", "192.0.2.7" },
		{ "192.0.2.6/31", "192.0.2.6", "192.0.2.7" },
		{ "0.0.0.0/0", "0.0.0.0", "255.255.255.255" },
		{ "0.0.0.0/0.0.0.0", "0.0.0.0", "255.255.255.255" },
		{ "128.0.0.0/1", "128.0.0.0", "255.255.255.255" },
		{ "192.168.1.2-192.168.1.3", "192.168.1.2", "192.168.1.3" },
		{ "10.0.0.9-10.0.0.9", "10.0.0.9", "10.0.0.9" },
		{ "9.255.255.255-10.0.0.0", "9.255.255.255", "10.0.0.0" },
		{ "::", "::", "::" },
		{ "2001:db8::1", "2001:db8::1", "2001:db8::1" },
		{ "2001:db8::/32",
		  "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "2001:db8::/ffff:ffff::", "2001:db8::",
		  "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "2001:db8::/127", "2001:db8::", "2001:db8::1" },
		{ "2001:db8::1/128", "2001:db8::1", "2001:db8::1" },
		{ "::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "8000::/1", "8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "2001:db8::2-2001:db8::9", "2001:db8::2", "2001:db8::9" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
	};
	struct ct_addr_range range;
	struct ct_why why;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ct_addr low = addr_of(cases[i].low);
		struct ct_addr high = addr_of(cases[i].high);

		memset(&range, 0xff, sizeof(range));
		assert_good(cases[i].word, ct_parse_addr(cases[i].word, &range, &why),
			    &why);
		assert_int_equal(range.family,
				 strchr(cases[i].word, ':') ? AF_INET6 : AF_INET);
		assert_memory_equal(&range.low, &low, sizeof(low));
		assert_memory_equal(&range.high, &high, sizeof(high));
	}
}

#define ADDR_FORMS                                                  \
	" is not an address (a host, a network like 10.0.0.0/8 or " \
	"10.0.0.0/255.0.0.0, or a range like 10.0.0.2-10.0.0.9; IPv6 likewise)"

static void
bad_addresses(void **unused)
{
	static const struct bad cases[] = {
		{ "", ADDR_FORMS },
		{ "x", "x" ADDR_FORMS },
		{ "localhost", "localhost" ADDR_FORMS },
		{ "1.2.3", "1.2.3" ADDR_FORMS },
		{ "1.2.3.4.5", "1.2.3.4.5" ADDR_FORMS },
		{ "1.2.3.256", "1.2.3.256" ADDR_FORMS },
		{ "1.2.3.04", "1.2.3.04" ADDR_FORMS },
		{ " 1.2.3.4", " 1.2.3.4" ADDR_FORMS },
		{ "1.2.3.4 ", "1.2.3.4 " ADDR_FORMS },
		{ "16909060", "16909060" ADDR_FORMS },
		{ "1.2.3.4-", "1.2.3.4-" ADDR_FORMS },
		{ "-1.2.3.4", "-1.2.3.4" ADDR_FORMS },
		{ "1.2.3.4-5", "1.2.3.4-5" ADDR_FORMS },
		{ "1.2.3.4-1.2.3.5-1.2.3.6", "1.2.3.4-1.2.3.5-1.2.3.6" ADDR_FORMS },
		{ "1.2.3.4-::1", "1.2.3.4-::1" ADDR_FORMS },
		{ "::1-1.2.3.4", "::1-1.2.3.4" ADDR_FORMS },
		{ "1.2.3.4-1.2.3.8/30", "1.2.3.4-1.2.3.8/30" ADDR_FORMS },
		{ ":::", ":::" ADDR_FORMS },
		{ "1:2:3:4:5:6:7", "1:2:3:4:5:6:7" ADDR_FORMS },
		{ "fe80::1%lo", "fe80::1%lo" ADDR_FORMS },
		{ "[::1]", "[::1]" ADDR_FORMS },
		{ "10.0.0.0/", "10.0.0.0/" ADDR_FORMS },
		{ "/8", "/8" ADDR_FORMS },
		{ "10.0.0.0/8/8", "10.0.0.0/8/8" ADDR_FORMS },
		{ "10.0.0.0/-8", "10.0.0.0/-8" ADDR_FORMS },
		{ "10.0.0.0/a", "10.0.0.0/a" ADDR_FORMS },
		{ "10.0.0.0/ffff::", "10.0.0.0/ffff::" ADDR_FORMS },
		{ "2001:db8::/255.0.0.0", "2001:db8::/255.0.0.0" ADDR_FORMS },
		{ "10.0.0.0/33", "10.0.0.0/33: the prefix is 0-32 bits long" },
		{ "2001:db8::/129", "2001:db8::/129: the prefix is 0-128 bits long" },
		{ "10.0.0.0/255.0.255.0",
		  "10.0.0.0/255.0.255.0: the mask has zeros between its ones" },
		{ "2001:db8::/ffff:0:ffff::",
		  "2001:db8::/ffff:0:ffff::: the mask has zeros between its ones" },
		{ "10.0.0.1/8",
		  "10.0.0.1/8 has host bits set (the network is 10.0.0.0/8)" },
		{ "10.0.0.1/255.0.0.0",
		  "10.0.0.1/255.0.0.0 has host bits set (the network is 10.0.0.0/8)" },
		{ "1.2.3.4/0",
		  "1.2.3.4/0 has host bits set (the network is 0.0.0.0/0)" },
		{ "192.0.2.7/31",
		  "192.0.2.7/31 has host bits set (the network is 192.0.2.6/31)" },
		{ "2001:db8::1/32",
		  "2001:db8::1/32 has host bits set (the network is 2001:db8::/32)" },
		{ "10.0.0.9-10.0.0.2",
		  "10.0.0.9-10.0.0.2 is a range that ends before it begins" },
		{ "10.0.0.0-9.255.255.255",
		  "10.0.0.0-9.255.255.255 is a range that ends before it begins" },
		{ "::2-::1", "::2-::1 is a range that ends before it begins" },
	};
	struct ct_addr_range range;
	struct ct_why why;

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_bad(&cases[i], ct_parse_addr(cases[i].word, &range, &why), &why);
}

/* Networks against arithmetic: every length, each of them on random addresses. */
static void
random_networks(void **unused)
{
	char host[INET6_ADDRSTRLEN], word[INET6_ADDRSTRLEN + 8];
	struct ct_addr_range range;
	struct ct_why why;

	(void)unused;
	for (unsigned int i = 0; i < 20000; i++) {
		uint8_t family = i & 1 ? AF_INET : AF_INET6;
		unsigned int bits = family == AF_INET ? 32 : 128;
		unsigned int length = random_below(bits + 1);
		struct ct_addr low = { { 0 } }, high;

		random_bytes(&low, bits / 8);
		high = low;
		for (unsigned int bit = length; bit < bits; bit++) {
			uint8_t mask = (uint8_t)(0x80 >> bit % 8);

			low.bytes[bit / 8] &= (uint8_t)~mask;
			high.bytes[bit / 8] |= mask;
		}
		inet_ntop(family, low.bytes, host, sizeof(host));
		snprintf(word, sizeof(word), "%s/%u", host, length);
		assert_good(word, ct_parse_addr(word, &range, &why), &why);
		assert_int_equal(range.family, family);
		assert_memory_equal(&range.low, &low, sizeof(low));
		assert_memory_equal(&range.high, &high, sizeof(high));
	}
}

static void
failed(void **unused)
{
	struct ct_why why;
	char large[2 * CT_WHY_SIZE];

	(void)unused;
	assert_int_equal(ct_parse_failed(&why, "%s is %d", "this", 7), -EINVAL);
	assert_string_equal(why.text, "this is 7");
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(ct_parse_failed(&why, "%s", large), -EINVAL);
	assert_int_equal(strlen(why.text), CT_WHY_SIZE - 1);
}

/* However long a word is, what is said of it ends with what was expected. */
static void
long_words(void **unused)
{
	static const char fills[] = "1x:.-/,";
	struct ct_addr_range addr;
	struct ct_range range;
	char word[4096];
	uint64_t number;
	struct ct_why why;

	(void)unused;
	for (const char *fill = fills; *fill; fill++) {
		for (size_t size = 90; size < 300; size++) {
			memset(word, *fill, size);
			word[size] = '\0';
			assert_int_equal(
				ct_parse_number(word, 9, "a digit", &number, &why),
				-EINVAL);
			assert_non_null(strstr(why.text, "is not a digit (0-9)"));
			assert_int_equal(
				ct_parse_range(word, 9, "a digit", &range, &why),
				-EINVAL);
			assert_int_equal(ct_parse_port(word, &range, &why), -EINVAL);
			assert_non_null(strstr(why.text, "a service's name)"));
			assert_int_equal(ct_parse_amount(word, &number, &why), -EINVAL);
			assert_non_null(strstr(why.text, "1Gi)"));
			assert_int_equal(ct_parse_duration(word, &number, &why),
					 -EINVAL);
			assert_non_null(strstr(why.text, "1h30m)"));
			assert_int_equal(ct_parse_addr(word, &addr, &why), -EINVAL);
			assert_non_null(strstr(why.text, "IPv6 likewise)"));
		}
	}
}

/* A long word whose beginning would do is not taken for its beginning. */
static void
long_tails(void **unused)
{
	struct ct_addr_range addr;
	struct ct_range range;
	struct ct_why why;
	char word[600];

	(void)unused;
	for (size_t size = 100; size < 500; size++) {
		memset(word, '0', sizeof(word));
		memcpy(word + size, "1-2x", 5);
		assert_int_equal(ct_parse_range(word, 9, "a digit", &range, &why),
				 -EINVAL);
		memset(word, ' ', sizeof(word));
		memcpy(word, "10.0.0.1", 8);
		word[size] = '\0';
		assert_int_equal(ct_parse_addr(word, &addr, &why), -EINVAL);
		memcpy(word, "10.0.0.1-10.0.0.2", 17);
		assert_int_equal(ct_parse_addr(word, &addr, &why), -EINVAL);
		memcpy(word, "10.0.0.0/8       ", 17);
		assert_int_equal(ct_parse_addr(word, &addr, &why), -EINVAL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_numbers),
		cmocka_unit_test(bad_numbers),
		cmocka_unit_test(hex_twice),
		cmocka_unit_test(limits),
		cmocka_unit_test(good_ranges),
		cmocka_unit_test(bad_ranges),
		cmocka_unit_test(good_ports),
		cmocka_unit_test(bad_ports),
		cmocka_unit_test(good_amounts),
		cmocka_unit_test(bad_amounts),
		cmocka_unit_test(good_durations),
		cmocka_unit_test(bad_durations),
		cmocka_unit_test(number_behind_nothing),
		cmocka_unit_test(good_addresses),
		cmocka_unit_test(bad_addresses),
		cmocka_unit_test(random_networks),
		cmocka_unit_test(failed),
		cmocka_unit_test(long_words),
		cmocka_unit_test(long_tails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
