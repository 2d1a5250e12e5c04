/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables to the byte: their alignment, units and JSON, and what happens on errors. */
#include "support.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/export/report.h"

#define SINK_SIZE ((size_t)16 << 20)
#define MANY_ROWS 70000

/* Both replace the C library's, to count them and to let one fail. */
static unsigned int allocations;
static unsigned int fail_at; /* this one fails, and all after it; 0: none does */

static bool
allocation_fails(void)
{
	allocations++;
	return fail_at && allocations >= fail_at;
}

void *
calloc(size_t count, size_t size)
{
	volatile char *bytes;

	if (allocation_fails() || (size && count > SIZE_MAX / size))
		return NULL;
	bytes = malloc(count * size);
	/* Volatile, lest the compiler makes a call of calloc() of it. */
	for (size_t i = 0; bytes && i < count * size; i++)
		bytes[i] = 0;
	return (void *)(uintptr_t)bytes;
}

void *
realloc(void *old, size_t size)
{
	size_t used = old ? malloc_usable_size(old) : 0;
	void *bytes;

	if (allocation_fails())
		return NULL;
	bytes = malloc(size);
	if (bytes && old)
		memcpy(bytes, old, used < size ? used : size);
	if (bytes)
		free(old);
	return bytes;
}

/* A report, and what was written of it; its text's buffer is as small as can be. */
struct trial {
	struct report *report;
	struct ct_text text;
	char buffer[CT_TEXT_MIN];
	char *bytes;
	size_t used;
	int flush_error;
};

static int
collect(const char *bytes, size_t size, void *data)
{
	struct trial *trial = data;

	if (trial->flush_error)
		return trial->flush_error;
	assert_true(size < SINK_SIZE - trial->used);
	memcpy(trial->bytes + trial->used, bytes, size);
	trial->used += size;
	return 0;
}

static void
trial_begin(struct trial *trial, const struct report_column *columns, bool json)
{
	*trial = (struct trial){ .bytes = malloc(SINK_SIZE) };
	assert_non_null(trial->bytes);
	ct_text_init(&trial->text, trial->buffer, sizeof(trial->buffer), collect,
		     trial);
	trial->report = report_new(&trial->text, columns, json);
	assert_non_null(trial->report);
}

static void
trial_free(struct trial *trial)
{
	report_free(trial->report);
	free(trial->bytes);
}

static void
trial_expect(struct trial *trial, const char *expected)
{
	report_end(trial->report);
	assert_int_equal(ct_text_flush(&trial->text), 0);
	trial->bytes[trial->used] = '\0';
	assert_string_equal(trial->bytes, expected);
	trial_free(trial);
}

static const struct report_column one_text[] = { { "name", REPORT_TEXT }, { NULL, 0 } };

static const struct report_column flow_columns[] = {
	{ "proto", REPORT_TEXT },      { "flows", REPORT_NUMBER },
	{ "volume", REPORT_BYTES },    { "of all", REPORT_PERCENT },
	{ "top talker", REPORT_TEXT }, { NULL, 0 },
};

static void
put_flows(struct report *report)
{
	report_text(report, "tcp");
	report_number(report, 1234567);
	report_number(report, 1536);
	report_number(report, 98765);
	report_text(report, "192.0.2.1");
	report_end_row(report);
	report_text(report, "icmpv6");
	report_number(report, 7);
	report_number(report, 512);
	report_none(report);
	report_text(report, "2001:db8::1");
	report_end_row(report);
	report_none(report);
	report_none(report);
	report_none(report);
	report_number(report, 100000);
	report_none(report);
	report_end_row(report);
}

static void
aligned(void **unused)
{
	struct trial trial;

	(void)unused;
	trial_begin(&trial, flow_columns, false);
	put_flows(trial.report);
	trial_expect(&trial, "proto     flows   volume   of all  top talker\n"
			     "tcp     1234567  1.5 KiB   98.8 %  192.0.2.1\n"
			     "icmpv6        7    512 B        -  2001:db8::1\n"
			     "-             -        -  100.0 %  -\n");
}

/* The namespace and the time are for programs; people have them in titles. */
static void
members_not_in_text(void **unused)
{
	struct trial trial;

	(void)unused;
	trial_begin(&trial, one_text, false);
	report_set_netns(trial.report, "blue");
	report_set_time(trial.report, "noon");
	report_text(trial.report, "tcp");
	report_end_row(trial.report);
	trial_expect(&trial, "name\ntcp\n");
}

/* A wide title, on either side, and numbers at the line's end. */
static void
wide_titles(void **unused)
{
	static const struct report_column columns[] = {
		{ "a long title", REPORT_TEXT },
		{ "another one", REPORT_NUMBER },
		{ NULL, 0 },
	};
	struct trial trial;

	(void)unused;
	trial_begin(&trial, columns, false);
	report_text(trial.report, "x");
	report_number(trial.report, 1);
	report_end_row(trial.report);
	report_none(trial.report);
	report_number(trial.report, UINT64_MAX);
	report_end_row(trial.report);
	trial_expect(&trial, "a long title           another one\n"
			     "x                                1\n"
			     "-             18446744073709551615\n");
}

static void
put_words(struct report *report, const char *a, const char *b, const char *c)
{
	report_text(report, a);
	report_text(report, b);
	report_text(report, c);
	report_end_row(report);
}

static void
no_blanks_at_the_end(void **unused)
{
	static const struct report_column columns[] = {
		{ "a", REPORT_TEXT },
		{ "b", REPORT_TEXT },
		{ "c ", REPORT_TEXT },
		{ NULL, 0 },
	};
	struct trial trial;

	(void)unused;
	trial_begin(&trial, columns, false);
	put_words(trial.report, "", "", "");
	put_words(trial.report, "1", "", "");
	put_words(trial.report, "", "22", "");
	put_words(trial.report, "", "", "333");
	put_words(trial.report, "1 ", "2 3  ", "    ");
	put_words(trial.report, " 1", " 2", " 3 3 ");
	trial_expect(&trial, "a   b      c\n"
			     "\n"
			     "1\n"
			     "    22\n"
			     "           333\n"
			     "1   2 3\n"
			     " 1   2      3 3\n");
}

static void
no_rows(void **unused)
{
	struct trial trial;

	(void)unused;
	trial_begin(&trial, flow_columns, false);
	trial_expect(&trial, "");
	trial_begin(&trial, flow_columns, true);
	trial_expect(&trial, "");
	trial_begin(&trial, flow_columns, false);
	report_note(trial.report, "There are no flows.");
	trial_expect(&trial, "There are no flows.\n");
	report_free(NULL);
}

/* What is nowhere has no column, at either end and in between; JSON is as always. */
static void
columns_without_values(void **unused)
{
	struct trial trial;

	(void)unused;
	for (int json = 0; json <= 1; json++) {
		trial_begin(&trial, flow_columns, json);
		for (unsigned int i = 0; i < 2; i++) {
			report_none(trial.report);
			report_number(trial.report, i);
			report_none(trial.report);
			if (i == 0)
				report_none(trial.report);
			else
				report_number(trial.report, 500);
			report_none(trial.report);
			report_end_row(trial.report);
		}
		trial_expect(&trial, json ? "{\"flows\":0}\n"
					    "{\"flows\":1,\"of_all\":0.500}\n"
					  : "flows  of all\n"
					    "    0       -\n"
					    "    1   0.5 %\n");
	}
}

static void
no_values(void **unused)
{
	struct trial trial;

	(void)unused;
	for (int json = 0; json <= 1; json++) {
		trial_begin(&trial, one_text, json);
		report_none(trial.report);
		report_end_row(trial.report);
		report_note(trial.report, "note");
		trial_expect(&trial, json ? "{}\n" : "note\n");
	}
}

/* They follow the table, whenever they are put, and JSON has none. */
static void
notes(void **unused)
{
	struct trial trial;

	(void)unused;
	for (int json = 0; json <= 1; json++) {
		trial_begin(&trial, one_text, json);
		report_note(trial.report, "%d of %s", 3, "many");
		report_text(trial.report, "tcp");
		report_note(trial.report, "%s", "");
		report_end_row(trial.report);
		report_note(trial.report, "100 %% \x1b[31mred\n ");
		trial_expect(&trial, json ? "{\"name\":\"tcp\"}\n"
					  : "name\ntcp\n"
					    "3 of many\n\n100 % ?[31mred?\n");
	}
}

static void
long_note(void **unused)
{
	enum { LENGTH = 300000 };
	static char expected[LENGTH + 10];
	struct trial trial;

	(void)unused;
	trial_begin(&trial, one_text, false);
	report_note(trial.report, "%0*d", LENGTH, 7);
	report_note(trial.report, "the end");
	memset(expected, '0', LENGTH);
	strcpy(expected + LENGTH - 1, "7\nthe end\n");
	trial_expect(&trial, expected);
}

/* What a column of that kind, as wide as its one cell, shows. */
static void
assert_cell(enum report_kind kind, bool json, uint64_t number, const char *expected)
{
	const struct report_column columns[] = { { "x", kind }, { NULL, 0 } };
	char buffer[256], lines[256];
	struct report *report;
	struct ct_text text;

	ct_text_init(&text, buffer, sizeof(buffer), NULL, NULL);
	report = report_new(&text, columns, json);
	assert_non_null(report);
	report_number(report, number);
	report_end_row(report);
	report_end(report);
	report_free(report);
	ct_text_char(&text, '\0');
	assert_int_equal(text.error, 0);
	if (json)
		snprintf(lines, sizeof(lines), "{\"x\":%s}\n", expected);
	else
		snprintf(lines, sizeof(lines), "%*s\n%s\n", (int)strlen(expected), "x",
			 expected);
	assert_string_equal(buffer, lines);
}

static void
plain_numbers(void **unused)
{
	(void)unused;
	for (int json = 0; json <= 1; json++) {
		assert_cell(REPORT_NUMBER, json, 0, "0");
		assert_cell(REPORT_NUMBER, json, 1024, "1024");
		assert_cell(REPORT_NUMBER, json, UINT64_MAX, "18446744073709551615");
	}
}

static void
bytes(void **unused)
{
	static const struct {
		uint64_t bytes;
		const char *expected;
	} cases[] = {
		{ 0, "0 B" },
		{ 1, "1 B" },
		{ 512, "512 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1075, "1.0 KiB" },
		{ 1076, "1.1 KiB" },
		{ 1280, "1.3 KiB" },
		{ 1536, "1.5 KiB" },
		{ 1996, "1.9 KiB" },
		{ 1997, "2.0 KiB" },
		{ 10239, "10.0 KiB" },
		{ 102400, "100.0 KiB" },
		{ 1048524, "1023.9 KiB" },
		{ 1048525, "1.0 MiB" },
		{ 1048575, "1.0 MiB" },
		{ 1048576, "1.0 MiB" },
		{ (UINT64_C(1) << 30) - 52429, "1023.9 MiB" },
		{ (UINT64_C(1) << 30) - 52428, "1.0 GiB" },
		{ UINT64_C(12) << 30, "12.0 GiB" },
		{ (UINT64_C(1) << 40) - 1, "1.0 TiB" },
		{ UINT64_C(5) << 39, "2.5 TiB" },
		{ (UINT64_C(1) << 50) - 1, "1.0 PiB" },
		{ UINT64_C(1000) << 50, "1000.0 PiB" },
		{ (UINT64_C(1) << 60) - 1, "1.0 EiB" },
		{ UINT64_C(1) << 60, "1.0 EiB" },
		{ UINT64_C(5) << 58, "1.3 EiB" },
		{ UINT64_C(31) << 59, "15.5 EiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	char whole[32];

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_cell(REPORT_BYTES, false, cases[i].bytes, cases[i].expected);
		snprintf(whole, sizeof(whole), "%llu",
			 (unsigned long long)cases[i].bytes);
		assert_cell(REPORT_BYTES, true, cases[i].bytes, whole);
	}
}

/* The same by other means: the smallest unit of which there are less than 1024.0. */
static void
random_bytes_of_any_size(void **unused)
{
	static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	char expected[64];

	(void)unused;
	for (int i = 0; i < 100000; i++) {
		uint64_t number = random_u64() >> random_below(64);
		unsigned __int128 unit = 1, tenths;
		size_t at = 0;

		/* Close to the border of two units. */
		if (i % 4 == 0)
			number = (UINT64_C(1) << 10 * random_below(7)) +
				 random_below(200000) - 100000;
		tenths = (unsigned __int128)number * 10;
		while ((2 * tenths + unit) / (2 * unit) >= 10240) {
			unit *= 1024;
			at++;
		}
		tenths = (2 * tenths + unit) / (2 * unit);
		if (at == 0)
			snprintf(expected, sizeof(expected), "%u B", (unsigned)number);
		else
			snprintf(expected, sizeof(expected), "%u.%u %s",
				 (unsigned)(tenths / 10), (unsigned)(tenths % 10),
				 units[at]);
		assert_cell(REPORT_BYTES, false, number, expected);
	}
}

static void
percents(void **unused)
{
	static const struct {
		uint64_t percent;
		const char *expected, *json;
	} cases[] = {
		{ 0, "0.0 %", "0.000" },
		{ 1, "0.0 %", "0.001" },
		{ 49, "0.0 %", "0.049" },
		{ 50, "0.1 %", "0.050" },
		{ 149, "0.1 %", "0.149" },
		{ 150, "0.2 %", "0.150" },
		{ 949, "0.9 %", "0.949" },
		{ 950, "1.0 %", "0.950" },
		{ 1000, "1.0 %", "1.000" },
		{ 12345, "12.3 %", "12.345" },
		{ 12350, "12.4 %", "12.350" },
		{ 99949, "99.9 %", "99.949" },
		{ 99950, "100.0 %", "99.950" },
		{ 100000, "100.0 %", "100.000" },
		{ 250000, "250.0 %", "250.000" },
		{ UINT64_MAX, "18446744073709551.6 %", "18446744073709551.615" },
		{ UINT64_MAX - 15, "18446744073709551.6 %", "18446744073709551.600" },
		{ UINT64_MAX - 65, "18446744073709551.6 %", "18446744073709551.550" },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_cell(REPORT_PERCENT, false, cases[i].percent, cases[i].expected);
		assert_cell(REPORT_PERCENT, true, cases[i].percent, cases[i].json);
	}
}

static void
put_addr(struct report *report, const char *word, unsigned int prefix)
{
	struct ct_addr addr = addr_of(word);

	report_addr(report, strchr(word, ':') ? AF_INET6 : AF_INET, &addr, prefix);
	report_end_row(report);
}

static void
addresses(void **unused)
{
	struct trial trial;

	(void)unused;
	for (int json = 0; json <= 1; json++) {
		trial_begin(&trial, one_text, json);
		put_addr(trial.report, "192.0.2.1", 32);
		put_addr(trial.report, "192.0.2.0", 31);
		put_addr(trial.report, "0.0.0.0", 0);
		put_addr(trial.report, "2001:db8::1", 128);
		put_addr(trial.report, "2001:db8::", 127);
		put_addr(trial.report, "2001:db8::", 32);
		put_addr(trial.report, "1111:2222:3333:4444:5555:6666:7777:8888", 127);
		trial_expect(&trial,
			     json ? "{\"name\":\"192.0.2.1\"}\n"
				    "{\"name\":\"192.0.2.0/31\"}\n"
				    "{\"name\":\"0.0.0.0/0\"}\n"
				    "{\"name\":\"2001:db8::1\"}\n"
				    "{\"name\":\"2001:db8::/127\"}\n"
				    "{\"name\":\"2001:db8::/32\"}\n"
				    "{\"name\":\"1111:2222:3333:4444:5555:6666:7777:"
				    "8888/127\"}\n"
				  : "name\n"
				    "192.0.2.1\n"
				    "192.0.2.0/31\n"
				    "0.0.0.0/0\n"
				    "2001:db8::1\n"
				    "2001:db8::/127\n"
				    "2001:db8::/32\n"
				    "1111:2222:3333:4444:5555:6666:7777:8888/127\n");
	}
}

static void
json_rows(void **unused)
{
	struct trial trial;

	(void)unused;
	trial_begin(&trial, flow_columns, true);
	put_flows(trial.report);
	trial_expect(&trial, "{\"proto\":\"tcp\",\"flows\":1234567,\"volume\":1536,"
			     "\"of_all\":98.765,\"top_talker\":\"192.0.2.1\"}\n"
			     "{\"proto\":\"icmpv6\",\"flows\":7,\"volume\":512,"
			     "\"top_talker\":\"2001:db8::1\"}\n"
			     "{\"of_all\":100.000}\n");
}

static void
put_name(struct report *report, const char *name)
{
	if (name)
		report_text(report, name);
	else
		report_none(report);
	report_end_row(report);
}

/* Also: a text that looks like an absent cell is none. */
static void
json_netns_and_time(void **unused)
{
	struct trial trial;

	(void)unused;
	trial_begin(&trial, one_text, true);
	put_name(trial.report, NULL);
	report_set_netns(trial.report, "a \"b\"");
	put_name(trial.report, NULL);
	put_name(trial.report, "-");
	report_set_time(trial.report, "1\n");
	put_name(trial.report, "");
	report_set_netns(trial.report, NULL);
	put_name(trial.report, "tcp");
	report_set_time(trial.report, NULL);
	put_name(trial.report, "udp");
	trial_expect(&trial, "{}\n"
			     "{\"netns\":\"a \\\"b\\\"\"}\n"
			     "{\"netns\":\"a \\\"b\\\"\",\"name\":\"-\"}\n"
			     "{\"netns\":\"a \\\"b\\\"\",\"time\":\"1\\u000a\","
			     "\"name\":\"\"}\n"
			     "{\"time\":\"1\\u000a\",\"name\":\"tcp\"}\n"
			     "{\"name\":\"udp\"}\n");
}

static void
hostile_cells(void **unused)
{
	static const char hostile[] = "a\"b\\c\n\t\x01\x1b\x7f\xc3\xa9/'";
	struct trial trial;

	(void)unused;
	for (int json = 0; json <= 1; json++) {
		trial_begin(&trial, one_text, json);
		report_text(trial.report, hostile);
		report_end_row(trial.report);
		trial_expect(&trial,
			     json ? "{\"name\":\"a\\\"b\\\\c\\u000a\\u0009\\u0001"
				    "\\u001b\\u007f\\u00c3\\u00a9/'\"}\n"
				  : "name\na\"b\\c\?\?\?\?\?\?\?/'\n");
	}
}

/* A row of JSON is written when it ends, not sooner; a table only at its own end. */
static void
when_it_is_written(void **unused)
{
	struct trial trial;

	(void)unused;
	for (int json = 0; json <= 1; json++) {
		const char *row = json ? "{\"name\":\"tcp\"}\n" : "";

		trial_begin(&trial, one_text, json);
		for (int i = 0; i < 3; i++) {
			ptrdiff_t before = trial.text.at - trial.text.start;

			assert_int_equal(before, strlen(row) * (size_t)i);
			report_text(trial.report, "tcp");
			assert_int_equal(trial.text.at - trial.text.start, before);
			report_end_row(trial.report);
			assert_int_equal(trial.text.at - trial.text.start,
					 (size_t)before + strlen(row));
		}
		report_note(trial.report, "note");
		assert_int_equal(trial.text.at - trial.text.start, strlen(row) * 3);
		trial_free(&trial);
	}
}

/* Unlike the text's buffer, a cell has no bounds. */
static void
long_cell(void **unused)
{
	enum { LENGTH = 1 << 20 };
	char *cell = malloc(LENGTH + 1), *expected = malloc(LENGTH + 64);
	struct trial trial;

	(void)unused;
	assert_non_null(cell);
	assert_non_null(expected);
	memset(cell, 'x', LENGTH);
	cell[LENGTH] = '\0';
	for (int json = 0; json <= 1; json++) {
		trial_begin(&trial, one_text, json);
		report_text(trial.report, cell);
		report_end_row(trial.report);
		sprintf(expected, json ? "{\"name\":\"%s\"}\n" : "name\n%s\n", cell);
		trial_expect(&trial, expected);
	}
	free(expected);
	free(cell);
}

static const struct report_column port_columns[] = {
	{ "address", REPORT_TEXT },
	{ "port", REPORT_NUMBER },
	{ NULL, 0 },
};

static void
put_many_rows(struct trial *trial, char *expected, bool json)
{
	char *at = expected;

	if (!json)
		at += sprintf(at, "%-12s  %5s\n", "address", "port");
	for (unsigned int i = 0; i < MANY_ROWS; i++) {
		const struct ct_addr addr = { { 10, 0, i >> 8 & 255, i & 255 } };
		char word[32];

		sprintf(word, "10.0.%u.%u", i >> 8 & 255, i & 255);
		report_addr(trial->report, AF_INET, &addr, 32);
		report_number(trial->report, i);
		report_end_row(trial->report);
		at += sprintf(at,
			      json ? "{\"address\":\"%s\",\"port\":%u}\n"
				   : "%-12s  %5u\n",
			      word, i);
	}
}

static void
many_rows(void **unused)
{
	char *expected = malloc(SINK_SIZE);
	struct trial trial;

	(void)unused;
	assert_non_null(expected);
	for (int json = 0; json <= 1; json++) {
		unsigned int before;

		trial_begin(&trial, port_columns, json);
		before = allocations;
		put_many_rows(&trial, expected, json);
		/* A table's memory doubles; JSON keeps one row. */
		assert_in_range(allocations - before, 1, json ? 1 : 16);
		trial_expect(&trial, expected);
	}
	free(expected);
}

static void
no_memory_at_first(void **unused)
{
	char buffer[CT_TEXT_MIN];
	struct report *report;
	struct ct_text text;

	(void)unused;
	ct_text_init(&text, buffer, sizeof(buffer), NULL, NULL);
	fail_at = allocations + 1;
	report = report_new(&text, flow_columns, false);
	fail_at = 0;
	assert_null(report);
	assert_int_equal(text.error, 0);
}

/* Rows and notes of several thousand bytes; returns the allocations that it took. */
static unsigned int
run_out(struct trial *trial, unsigned int failing)
{
	unsigned int before = allocations;

	fail_at = failing ? before + failing : 0;
	for (int i = 0; i < 100; i++) {
		put_flows(trial->report);
		report_note(trial->report, "%0100d", i);
	}
	fail_at = 0;
	return allocations - before;
}

static void
no_memory_later(void **unused)
{
	struct trial trial;
	unsigned int needed;

	(void)unused;
	trial_begin(&trial, flow_columns, false);
	needed = run_out(&trial, 0);
	assert_true(needed > 6);
	trial_free(&trial);
	for (unsigned int failing = 1; failing <= needed; failing++) {
		trial_begin(&trial, flow_columns, false);
		ct_text_str(&trial.text, "before");
		run_out(&trial, failing);
		assert_int_equal(trial.text.error, -ENOMEM);
		/* Memory there is again does not make whole what is not. */
		put_flows(trial.report);
		report_end(trial.report);
		assert_int_equal(ct_text_flush(&trial.text), -ENOMEM);
		assert_false(ct_text_room(&trial.text, 1));
		assert_int_equal(trial.used, 0);
		assert_int_equal(trial.text.at - trial.text.start, strlen("before"));
		trial_free(&trial);
	}
}

static void
no_memory_for_a_note(void **unused)
{
	struct trial trial;

	(void)unused;
	trial_begin(&trial, one_text, false);
	fail_at = allocations + 1;
	report_note(trial.report, "note");
	fail_at = 0;
	assert_int_equal(trial.text.error, -ENOMEM);
	assert_false(ct_text_room(&trial.text, 1));
	trial_free(&trial);
}

static void
no_memory_in_json(void **unused)
{
	struct trial trial;

	(void)unused;
	trial_begin(&trial, flow_columns, true);
	/* Its notes take none. */
	fail_at = allocations + 1;
	report_note(trial.report, "note");
	assert_int_equal(trial.text.error, 0);
	fail_at = 0;
	run_out(&trial, 1);
	assert_int_equal(trial.text.error, -ENOMEM);
	report_end(trial.report);
	assert_int_equal(trial.text.at - trial.text.start, 0);
	trial_free(&trial);
}

static void
failing_flush(void **unused)
{
	struct trial trial;

	(void)unused;
	for (int json = 0; json <= 1; json++) {
		unsigned int before;

		trial_begin(&trial, flow_columns, json);
		trial.flush_error = -EPIPE;
		run_out(&trial, 0);
		report_end(trial.report);
		assert_int_equal(trial.text.error, -EPIPE);
		assert_int_equal(trial.used, 0);
		/* What nobody will see takes no memory, so that this error stays. */
		before = allocations;
		run_out(&trial, 1);
		report_end(trial.report);
		assert_int_equal(allocations, before);
		assert_int_equal(trial.text.error, -EPIPE);
		trial_free(&trial);
	}
}

static void
no_room_without_flush(void **unused)
{
	char buffer[64];
	struct report *report;
	struct ct_text text;

	(void)unused;
	for (int json = 0; json <= 1; json++) {
		ct_text_init(&text, buffer, sizeof(buffer), NULL, NULL);
		report = report_new(&text, flow_columns, json);
		assert_non_null(report);
		put_flows(report);
		report_end(report);
		assert_int_equal(text.error, -ENOSPC);
		report_free(report);
	}
}

#ifndef NDEBUG
static void
too_many_cells(struct report *report)
{
	put_flows(report);
	for (int i = 0; i < 6; i++)
		report_none(report);
}

static void
too_many_numbers(struct report *report)
{
	for (int i = 0; i < 5; i++)
		report_none(report);
	report_number(report, 1);
}

static void
too_many_texts(struct report *report)
{
	for (int i = 0; i < 5; i++)
		report_none(report);
	report_text(report, "");
}

static void
too_few_cells(struct report *report)
{
	report_none(report);
	report_end_row(report);
}

static void
end_within_a_row(struct report *report)
{
	report_none(report);
	report_end(report);
}

static void
number_as_text(struct report *report)
{
	report_number(report, 1);
}

static void
text_as_number(struct report *report)
{
	report_none(report);
	report_text(report, "1");
}

static void
address_as_number(struct report *report)
{
	const struct ct_addr addr = { { 0 } };

	report_none(report);
	report_addr(report, AF_INET, &addr, 32);
}

static void
wrong_use(void **unused)
{
	static void (*const wrong[])(struct report * report) = {
		too_many_cells,   too_many_numbers, too_many_texts, too_few_cells,
		end_within_a_row, number_as_text,   text_as_number, address_as_number,
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0) {
			const struct rlimit none = { 0, 0 };
			struct trial trial;

			setrlimit(RLIMIT_CORE, &none);
			signal(SIGABRT, SIG_DFL);
			close(STDERR_FILENO);
			trial_begin(&trial, flow_columns, false);
			wrong[i](trial.report);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("wrong use %zu is not found", i);
	}
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligned),
		cmocka_unit_test(members_not_in_text),
		cmocka_unit_test(wide_titles),
		cmocka_unit_test(no_blanks_at_the_end),
		cmocka_unit_test(no_rows),
		cmocka_unit_test(columns_without_values),
		cmocka_unit_test(no_values),
		cmocka_unit_test(notes),
		cmocka_unit_test(long_note),
		cmocka_unit_test(plain_numbers),
		cmocka_unit_test(bytes),
		cmocka_unit_test(random_bytes_of_any_size),
		cmocka_unit_test(percents),
		cmocka_unit_test(addresses),
		cmocka_unit_test(json_rows),
		cmocka_unit_test(json_netns_and_time),
		cmocka_unit_test(hostile_cells),
		cmocka_unit_test(when_it_is_written),
		cmocka_unit_test(long_cell),
		cmocka_unit_test(many_rows),
		cmocka_unit_test(no_memory_at_first),
		cmocka_unit_test(no_memory_later),
		cmocka_unit_test(no_memory_for_a_note),
		cmocka_unit_test(no_memory_in_json),
		cmocka_unit_test(failing_flush),
		cmocka_unit_test(no_room_without_flush),
#ifndef NDEBUG
		cmocka_unit_test(wrong_use),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
