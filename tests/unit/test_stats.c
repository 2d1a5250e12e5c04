/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processors' counters: as kernels of all ages show them, from both sources, over
 * the wraps and resets of their 32 bits; and what is no such thing, which must change
 * nothing that it does not have to.
 */
#include "support_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats.h"

#define CPUS 2 /* of the files */
#define ALL ((1u << CT_STATS) - 1)
#define BIT(stat) (1u << CT_STAT_##stat)
#define TEXT_MAX 262144

#define TITLES                                                                  \
	"entries  clashres found new invalid ignore delete chainlength insert " \
	"insert_failed drop early_drop icmp_error  expect_new expect_create "   \
	"expect_delete search_restart\n"
#define ROW                                                                         \
	"00000003  00000004 00000005 00000000 00000006 00000000 00000000 00000007 " \
	"00000008 00000009 0000000a 0000000b 0000000c  0000000d 0000000e 0000000f " \
	"00000010\n"
#define COLUMNS 17

/* Of netlink; the last two are younger than some headers. */
static const uint16_t attributes[CT_STATS] = {
	[CT_STAT_FOUND] = CTA_STATS_FOUND,
	[CT_STAT_INVALID] = CTA_STATS_INVALID,
	[CT_STAT_INSERT] = CTA_STATS_INSERT,
	[CT_STAT_INSERT_FAILED] = CTA_STATS_INSERT_FAILED,
	[CT_STAT_DROP] = CTA_STATS_DROP,
	[CT_STAT_EARLY_DROP] = CTA_STATS_EARLY_DROP,
	[CT_STAT_ERROR] = CTA_STATS_ERROR,
	[CT_STAT_SEARCH_RESTART] = CTA_STATS_SEARCH_RESTART,
	[CT_STAT_CLASH_RESOLVE] = 14,
	[CT_STAT_CHAIN_TOOLONG] = 15,
	[CT_STAT_EXPECT_NEW] = CTA_STATS_EXP_NEW,
	[CT_STAT_EXPECT_CREATE] = CTA_STATS_EXP_CREATE,
	[CT_STAT_EXPECT_DELETE] = CTA_STATS_EXP_DELETE,
};

/* And of the text. */
static const char *const columns[CT_STATS] = {
	[CT_STAT_FOUND] = "found",
	[CT_STAT_INVALID] = "invalid",
	[CT_STAT_INSERT] = "insert",
	[CT_STAT_INSERT_FAILED] = "insert_failed",
	[CT_STAT_DROP] = "drop",
	[CT_STAT_EARLY_DROP] = "early_drop",
	[CT_STAT_ERROR] = "icmp_error",
	[CT_STAT_SEARCH_RESTART] = "search_restart",
	[CT_STAT_CLASH_RESOLVE] = "clashres",
	[CT_STAT_CHAIN_TOOLONG] = "chainlength",
	[CT_STAT_EXPECT_NEW] = "expect_new",
	[CT_STAT_EXPECT_CREATE] = "expect_create",
	[CT_STAT_EXPECT_DELETE] = "expect_delete",
};

/* Columns that are no counters of ours, and what is only nearly called as one is. */
static const char *const strangers[] = {
	"entries",     "searched", "new",           "ignore", "delete",
	"delete_list", "foundx",   "insert_faile",  "inser",  "error",
	"Found",       "chain",    "clash_resolve",
};

static void
assert_stats_equal(const struct ct_stats *stats, const struct ct_stats *expected)
{
	assert_int_equal(stats->has, expected->has);
	assert_int_equal(stats->count, expected->count);
	for (size_t i = 0; i < stats->count; i++) {
		assert_int_equal(stats->cpus[i].cpu, expected->cpus[i].cpu);
		for (enum ct_stat s = 0; s < CT_STATS; s++) {
			assert_int_equal(stats->cpus[i].last[s],
					 expected->cpus[i].last[s]);
			assert_int_equal(stats->cpus[i].value[s],
					 expected->cpus[i].value[s]);
		}
	}
}

static struct ct_stats
copy_of(const struct ct_stats *stats)
{
	struct ct_stats copy = *stats;

	copy.cpus = calloc(stats->count + 1, sizeof(*copy.cpus));
	assert_non_null(copy.cpus);
	if (stats->count)
		memcpy(copy.cpus, stats->cpus, stats->count * sizeof(*copy.cpus));
	return copy;
}

/* The whole file, ended by a '\0'; to be freed. */
static char *
read_data(const char *name, size_t *size)
{
	const char *directory = getenv("CONNTAP_DATA");
	char *bytes = calloc(1, TEXT_MAX);
	char path[512];
	FILE *stream;

	snprintf(path, sizeof(path), "%s/stats/%s",
		 directory ? directory : "tests/data", name);
	stream = fopen(path, "rb");
	if (!stream || !bytes)
		fail_msg("%s cannot be opened", path);
	*size = fread(bytes, 1, TEXT_MAX - 1, stream);
	assert_true(*size > 0 && *size < TEXT_MAX - 1);
	fclose(stream);
	return bytes;
}

static void
parse_file(struct ct_stats *stats, const char *name)
{
	size_t size;
	char *text = read_data(name, &size);

	if (ct_stats_parse(stats, text) != 0)
		fail_msg("%s cannot be parsed", name);
	free(text);
}

static void
decode_file(struct ct_stats *stats, const char *name)
{
	size_t size;
	char *bytes = read_data(name, &size);

	for (size_t at = 0; at < size;) {
		const struct nlmsghdr *message = (const void *)(bytes + at);

		assert_in_range(message->nlmsg_len, sizeof(*message), size - at);
		assert_int_equal(ct_stats_decode(stats, message, message->nlmsg_len),
				 0);
		at += NLMSG_ALIGN(message->nlmsg_len);
	}
	free(bytes);
}

/* In the order of enum ct_stat. */
struct expected {
	const char *file;
	uint32_t has;
	uint64_t values[CPUS][CT_STATS];
};

static const struct expected kernels[] = {
	{ "linux-6.18-before.txt",
	  ALL,
	  { { 0x11, 0xc, 0, 0x1d6, 0x1d6, 0, 9, 0, 0x359, 0, 1, 1, 1 },
	    { 0, 0, 0, 0x20e, 0x20e, 0, 0, 0, 0x370, 0, 1, 1, 1 } } },
	{ "linux-2.6.32.txt",
	  ALL & ~(BIT(SEARCH_RESTART) | BIT(CLASH_RESOLVE) | BIT(CHAIN_TOOLONG)),
	  { { 0x2ac6b0, 0xd86, 0x45d56, 0x12, 0x13, 0x14, 0x27b, 0, 0, 0, 0x31, 0x32,
	      0x2f },
	    { 0x4a157d, 0x209e, 0x156173, 0x22, 0x23, 0x24, 0x166, 0, 0, 0, 1, 4,
	      5 } } },
	{ "linux-4.4.txt",
	  ALL & ~(BIT(CLASH_RESOLVE) | BIT(CHAIN_TOOLONG)),
	  { { 0x7782a9, 0x60a, 0x1e5a5, 0x41, 0x42, 0x43, 0x44, 0x51, 0, 0, 0x23, 1,
	      0x24 },
	    { 0x53a15, 0x41, 0x1ce58, 5, 6, 7, 8, 0xb, 0, 0, 9, 0xf, 0xa } } },
	{ "linux-5.10.txt",
	  ALL & ~BIT(CHAIN_TOOLONG),
	  { { 0x1b, 0x77c, 6, 0x61, 0x62, 0x63, 0x64, 0x71, 0x8f4, 0, 0x65, 0x67,
	      0x66 },
	    { 0x1c, 0x781, 7, 0x81, 0x82, 0x83, 0x84, 0x91, 0x8e1, 0, 0x85, 0x87,
	      0x86 } } },
};

static void
assert_expected(const struct ct_stats *stats, const struct expected *expected)
{
	assert_int_equal(stats->has, expected->has);
	assert_int_equal(stats->count, CPUS);
	for (uint32_t i = 0; i < CPUS; i++) {
		assert_int_equal(stats->cpus[i].cpu, i);
		for (enum ct_stat s = 0; s < CT_STATS; s++)
			if (stats->cpus[i].value[s] != expected->values[i][s])
				fail_msg("%s: %s of processor %u is %#llx",
					 expected->file, ct_stat_name(s), i,
					 (unsigned long long)stats->cpus[i].value[s]);
	}
	for (enum ct_stat s = 0; s < CT_STATS; s++)
		assert_int_equal(ct_stats_sum(stats, s),
				 expected->values[0][s] + expected->values[1][s]);
}

static void
each_kernel(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(kernels); i++) {
		struct ct_stats stats = { 0 };

		parse_file(&stats, kernels[i].file);
		assert_expected(&stats, &kernels[i]);
		ct_stats_done(&stats);
		assert_int_equal(stats.has, 0);
		assert_int_equal(stats.count, 0);
		assert_null(stats.cpus);
		/* And then it can be used again. */
		parse_file(&stats, kernels[i].file);
		assert_expected(&stats, &kernels[i]);
		ct_stats_done(&stats);
	}
}

struct pair {
	const char *before;
	const char *after;
	uint64_t added[CPUS][CT_STATS];
};

static const struct pair pairs[] = {
	{ "linux-6.18-before.txt",
	  "linux-6.18-after.txt",
	  { { 0, 0, 0, 0x16a, 0x16a, 0, 0, 0, 0x35c, 0, 0, 0, 0 },
	    { 0x15, 0xc, 0, 0x1c4, 0x1c4, 0, 9, 0, 0x305, 0, 1, 1, 1 } } },
	{ "wraps-before.txt",
	  "wraps-after.txt",
	  { { 2, 1, 0, 0x7fffffff, 0, 0x7fffffff, 0, 0x1ffe, 0x20, 0, 0, 0, 0 },
	    { 0, 1, 0, 2, 0, 0, 0x80000000, 1, 0x20, 0, 0, 0, 0 } } },
	/* Smaller than before: all of it is new.  Larger: only what is beyond. */
	{ "reset-before.txt",
	  "reset-after.txt",
	  { { 0, 0xb, 1, 0, 4, 0x7ffffffe, 0, 1, 3, 1, 0, 0, 0 },
	    { 1, 1, 2, 1, 0x20e, 0, 8, 0x4fffffff, 0, 0, 0, 1, 0 } } },
};

static void
counts_on(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct ct_stats before = { 0 }, stats = { 0 };
		const struct pair *pair = &pairs[i];

		parse_file(&before, pair->before);
		parse_file(&stats, pair->before);
		parse_file(&stats, pair->after);
		assert_int_equal(stats.count, CPUS);
		for (uint32_t cpu = 0; cpu < CPUS; cpu++)
			for (enum ct_stat s = 0; s < CT_STATS; s++)
				if (stats.cpus[cpu].value[s] !=
				    before.cpus[cpu].value[s] + pair->added[cpu][s])
					fail_msg("%s: %s of processor %u", pair->after,
						 ct_stat_name(s), cpu);
		ct_stats_done(&before);
		ct_stats_done(&stats);
	}
}

/* The same text again adds nothing. */
static void
nothing_new(void **unused)
{
	struct ct_stats stats = { 0 };

	(void)unused;
	for (int i = 0; i < 3; i++) {
		parse_file(&stats, kernels[0].file);
		assert_expected(&stats, &kernels[0]);
		decode_file(&stats, "linux-6.18-before.nl");
		assert_expected(&stats, &kernels[0]);
	}
	ct_stats_done(&stats);
}

static void
both_sources_agree(void **unused)
{
	struct ct_stats text = { 0 }, netlink = { 0 }, mixed = { 0 };

	(void)unused;
	parse_file(&text, "linux-6.18-before.txt");
	decode_file(&netlink, "linux-6.18-before.nl");
	assert_stats_equal(&netlink, &text);
	decode_file(&mixed, "linux-6.18-before.nl");
	parse_file(&text, "linux-6.18-after.txt");
	decode_file(&netlink, "linux-6.18-after.nl");
	parse_file(&mixed, "linux-6.18-after.txt");
	assert_stats_equal(&netlink, &text);
	assert_stats_equal(&mixed, &text);
	ct_stats_done(&text);
	ct_stats_done(&netlink);
	ct_stats_done(&mixed);
}

/* One column of a text: a counter, or NULL and what there is instead. */
struct column {
	const char *title;
	enum ct_stat stat; /* CT_STATS: none */
};

struct sheet {
	struct column columns[CT_STATS + COUNT(strangers)];
	size_t count;
	uint32_t has;
};

/* Some of the columns, `found` always, in any order. */
static void
make_sheet(struct sheet *sheet)
{
	sheet->count = 0;
	sheet->has = 0;
	for (size_t i = 0; i < COUNT(sheet->columns); i++) {
		size_t at = random_below((uint32_t)sheet->count + 1);
		bool ours = i < CT_STATS;

		if (i != CT_STAT_FOUND && random_below(4) == 0)
			continue;
		sheet->columns[sheet->count++] = sheet->columns[at];
		sheet->columns[at].title = ours ? columns[i] : strangers[i - CT_STATS];
		sheet->columns[at].stat = ours ? (enum ct_stat)i : CT_STATS;
		if (ours)
			sheet->has |= 1u << i;
	}
}

static void
put_blanks(FILE *stream)
{
	static const char *const blanks[] = { " ", "  ", "\t", "   \t " };

	fputs(blanks[random_below(COUNT(blanks))], stream);
}

/* `values` of the counters; strangers are never 0.  To be freed. */
static char *
text_of(const struct sheet *sheet, uint32_t (*values)[CT_STATS], size_t cpus)
{
	FILE *stream;
	size_t size;
	char *text;

	stream = open_memstream(&text, &size);
	assert_non_null(stream);
	for (size_t i = 0; i < sheet->count; i++) {
		fputs(sheet->columns[i].title, stream);
		put_blanks(stream);
	}
	for (size_t cpu = 0; cpu < cpus; cpu++) {
		fputc('\n', stream);
		for (size_t i = 0; i < sheet->count; i++) {
			enum ct_stat stat = sheet->columns[i].stat;

			fprintf(stream, "%08x",
				stat < CT_STATS ? values[cpu][stat] : 0xbadu);
			put_blanks(stream);
		}
	}
	if (random_below(2))
		fputc('\n', stream);
	fclose(stream);
	return text;
}

static void
columns_by_name(void **unused)
{
	(void)unused;
	for (int round = 0; round < 2000; round++) {
		size_t cpus = 1 + random_below(5);
		struct ct_stats stats = { 0 };
		uint32_t values[5][CT_STATS];
		struct sheet sheet;
		char *text;

		make_sheet(&sheet);
		random_bytes(values, sizeof(values));
		text = text_of(&sheet, values, cpus);
		assert_int_equal(ct_stats_parse(&stats, text), 0);
		assert_int_equal(stats.has, sheet.has);
		assert_int_equal(stats.count, cpus);
		for (size_t cpu = 0; cpu < cpus; cpu++)
			for (enum ct_stat s = 0; s < CT_STATS; s++)
				assert_int_equal(stats.cpus[cpu].value[s],
						 sheet.has >> s & 1 ? values[cpu][s]
								    : 0);
		free(text);
		ct_stats_done(&stats);
	}
}

/* What belongs to an expectation, or else to a flow. */
static bool
is_expect(enum ct_stat stat)
{
	return stat >= CT_STAT_EXPECT_NEW;
}

static struct nlmsghdr *
begin_stats(void *buffer, size_t size, bool expect, uint16_t cpu)
{
	struct nlmsghdr *message = begin_message(buffer, size, AF_UNSPEC);
	struct nfgenmsg *head = mnl_nlmsg_get_payload(message);

	message->nlmsg_type =
		NFNL_SUBSYS_CTNETLINK << 8 |
		(expect ? IPCTNL_MSG_EXP_GET_STATS_CPU : IPCTNL_MSG_CT_GET_STATS_CPU);
	head->res_id = htons(cpu);
	return message;
}

static struct nlmsghdr *
stats_message(void *buffer, size_t size, bool expect, uint16_t cpu,
	      const uint32_t values[CT_STATS])
{
	struct nlmsghdr *message = begin_stats(buffer, size, expect, cpu);

	for (enum ct_stat s = 0; s < CT_STATS; s++)
		if (is_expect(s) == expect)
			put_be32(message, attributes[s], values[s]);
	return message;
}

static int
decode_cpu(struct ct_stats *stats, uint16_t cpu, const uint32_t values[CT_STATS])
{
	_Alignas(struct nlmsghdr) char buffer[512];
	int error = 0;

	for (int expect = 0; error == 0 && expect < 2; expect++) {
		const struct nlmsghdr *message =
			stats_message(buffer, sizeof(buffer), expect, cpu, values);

		error = ct_stats_decode(stats, message, message->nlmsg_len);
	}
	return error;
}

/* Reads through one source or the other. */
static void
read_values(struct ct_stats *stats, uint32_t (*values)[CT_STATS], size_t cpus)
{
	static struct sheet all;

	if (random_below(2)) {
		char *text;

		do
			make_sheet(&all);
		while (all.has != ALL);
		text = text_of(&all, values, cpus);
		assert_int_equal(ct_stats_parse(stats, text), 0);
		free(text);
	} else {
		for (size_t i = 0; i < cpus; i++)
			assert_int_equal(decode_cpu(stats, (uint16_t)i, values[i]), 0);
	}
}

/* Counters of 64 bits, of which the kernel shows 32, read often enough. */
static void
long_run(void **unused)
{
	static uint64_t truth[5][CT_STATS];
	struct ct_stats stats = { 0 };

	(void)unused;
	memset(truth, 0, sizeof(truth));
	for (int step = 0; step < 300; step++) {
		size_t cpus = 1 + (size_t)step * 5 / 300;
		uint32_t shown[5][CT_STATS];

		for (size_t cpu = 0; cpu < cpus; cpu++)
			for (enum ct_stat s = 0; s < CT_STATS; s++) {
				truth[cpu][s] +=
					random_u64() >> (33 + random_below(31));
				shown[cpu][s] = (uint32_t)truth[cpu][s];
			}
		read_values(&stats, shown, cpus);
		assert_int_equal(stats.count, cpus);
		for (size_t cpu = 0; cpu < cpus; cpu++)
			for (enum ct_stat s = 0; s < CT_STATS; s++)
				assert_int_equal(stats.cpus[cpu].value[s],
						 truth[cpu][s]);
	}
	ct_stats_done(&stats);
}

/* Nothing was before it: even a large number is no fall. */
static void
new_processors(void **unused)
{
	struct ct_stats stats = { 0 };

	(void)unused;
	assert_int_equal(ct_stats_parse(&stats, "found\n00000007\n"), 0);
	assert_int_equal(stats.count, 1);
	assert_int_equal(
		ct_stats_parse(&stats, "found\n00000009\nfffffff0\n00000001\n"), 0);
	assert_int_equal(stats.count, 3);
	assert_int_equal(ct_stats_sum(&stats, CT_STAT_FOUND),
			 UINT64_C(9) + 0xfffffff0 + 1);
	/* Those that are gone keep what they had. */
	assert_int_equal(ct_stats_parse(&stats, "found\n0000000a"), 0);
	assert_int_equal(stats.count, 3);
	assert_int_equal(ct_stats_sum(&stats, CT_STAT_FOUND),
			 UINT64_C(10) + 0xfffffff0 + 1);
	assert_int_equal(ct_stats_sum(&stats, CT_STAT_DROP), 0);
	ct_stats_done(&stats);
}

static uint64_t
value_after(uint32_t before, uint32_t after)
{
	struct ct_stats stats = { 0 };
	char text[64];
	uint64_t value;

	snprintf(text, sizeof(text), "drop\n%08x\n", before);
	assert_int_equal(ct_stats_parse(&stats, text), 0);
	snprintf(text, sizeof(text), "drop\n%08x\n", after);
	assert_int_equal(ct_stats_parse(&stats, text), 0);
	assert_int_equal(stats.cpus[0].last[CT_STAT_DROP], after);
	value = ct_stats_sum(&stats, CT_STAT_DROP) - before;
	ct_stats_done(&stats);
	return value;
}

static void
wrap_or_reset(void **unused)
{
	(void)unused;
	assert_int_equal(value_after(0xfffffff0, 0x10), 0x20);
	assert_int_equal(value_after(UINT32_MAX, 0), 1);
	assert_int_equal(value_after(0, UINT32_MAX), UINT32_MAX);
	assert_int_equal(value_after(5, 5), 0);
	assert_int_equal(value_after(5, 4), 4);
	assert_int_equal(value_after(1, 0), 0);
	assert_int_equal(value_after(UINT32_MAX, UINT32_MAX - 1), UINT32_MAX - 1);
	/* By a little less than half of the range, and a little more. */
	assert_int_equal(value_after(0x80000000, 1), 1);
	assert_int_equal(value_after(0x80000001, 0), 0x7fffffff);
}

/* Only what is less than that is a reset. */
static void
half_of_the_range(void **unused)
{
	(void)unused;
	assert_int_equal(value_after(0x80000000, 0), 0x80000000);
	assert_int_equal(value_after(0xc0000000, 0x40000000), 0x80000000);
}

/* How many words there are in a line. */
static size_t
words_of(const char *line)
{
	size_t count = 0;

	while (*line && *line != '\n') {
		line += strspn(line, " \t");
		count += *line && *line != '\n';
		line += strcspn(line, " \t\n");
	}
	return count;
}

/* A copy whose '\0' is the last byte before the guard page. */
static char *
guarded_text(const struct guard *guard, const char *text, size_t size)
{
	char *copy = (char *)guard->end - size - 1;

	memcpy(copy, text, size);
	copy[size] = '\0';
	return copy;
}

static bool
has_whole_rows(const char *text)
{
	const char *line = strchr(text, '\n');
	size_t rows = 0;

	for (; line && line[1]; line = strchr(line + 1, '\n'), rows++)
		if (words_of(line + 1) < words_of(text))
			return false;
	return rows > 0;
}

static void
text_cut_short(void **unused)
{
	struct guard guard;

	(void)unused;
	guard_init(&guard, 4096);
	for (size_t i = 0; i < COUNT(kernels); i++) {
		size_t size;
		char *text = read_data(kernels[i].file, &size);

		for (size_t cut = 0; cut <= size; cut++) {
			const char *copy = guarded_text(&guard, text, cut);
			struct ct_stats stats = { 0 };
			int error = ct_stats_parse(&stats, copy);

			if (error != (has_whole_rows(copy) ? 0 : -EBADMSG))
				fail_msg("%s: %d when cut at %zu", kernels[i].file,
					 error, cut);
			ct_stats_done(&stats);
		}
		free(text);
	}
	guard_done(&guard);
}

static void
text_damaged(void **unused)
{
	static const char bytes[] = { 0, ' ', '\n', '\t', 'x', '-', '+', 'f', '\xff' };
	size_t size, good = 0, bad = 0;
	char *text = read_data(kernels[0].file, &size);
	struct guard guard;

	(void)unused;
	guard_init(&guard, 4096);
	for (size_t i = 0; i < size * COUNT(bytes); i++) {
		char *copy = guarded_text(&guard, text, size);
		struct ct_stats stats = { 0 };
		int error;

		copy[i / COUNT(bytes)] = bytes[i % COUNT(bytes)];
		error = ct_stats_parse(&stats, copy);
		assert_true(error == 0 || error == -EBADMSG);
		assert_int_equal(stats.has & ~ALL, 0);
		good += error == 0;
		bad += error != 0;
		ct_stats_done(&stats);
	}
	assert_true(good > 100 && bad > 100);
	guard_done(&guard);
	free(text);
}

static const char *const no_stats[] = {
	"",
	"\n",
	"\n\n\n",
	" ",
	" \n \n",
	"garbage",
	"garbage\n",
	"\xff\xfe\n\x01\n",
	"found",
	TITLES,
	TITLES "\n",
	TITLES "\n" ROW,
	TITLES ROW "\n" ROW,
	TITLES "00000000\n",
	/* A row ends where it ends: it has no columns of the next one. */
	TITLES "00000001 00000002\n" ROW ROW,
	TITLES ROW "00000001\n" ROW,
	TITLES ROW "no numbers\n",
	"found drop\n00000001 word\n",
	"found drop\nword 00000001\n",
	"found drop\n00000001,00000002\n",
	"found drop\n100000000 00000001\n",
	"found drop\n00000001 -1\n",
	"found drop\n00000001 ffffffffffffffffffffffff\n",
};

static void
text_of_nothing(void **unused)
{
	struct guard guard;

	(void)unused;
	guard_init(&guard, 4096);
	for (size_t i = 0; i < COUNT(no_stats); i++) {
		const char *text =
			guarded_text(&guard, no_stats[i], strlen(no_stats[i]));
		struct ct_stats stats = { 0 };

		if (ct_stats_parse(&stats, text) != -EBADMSG)
			fail_msg("text %zu was parsed", i);
		ct_stats_done(&stats);
	}
	for (int i = 0; i < 20000; i++) {
		size_t size = random_below(120);
		char *text = (char *)guard.end - size - 1;
		struct ct_stats stats = { 0 };

		random_bytes(text, size);
		text[size] = '\0';
		ct_stats_parse(&stats, text);
		assert_int_equal(stats.has, 0);
		ct_stats_done(&stats);
	}
	guard_done(&guard);
}

/* A text without a column that is known is none, whatever else is in it. */
static void
text_of_something_else(void **unused)
{
	static const char *const others[] = {
		ROW ROW,
		"some words\n1 2\n",
		("entries  allocs   destroys hash_grows lookups  hits\n"
		 "00000002 00000014 00000012 00000000   00000a31 00000a1f\n"),
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct ct_stats stats = { 0 };
		int error = ct_stats_parse(&stats, others[i]);

		ct_stats_done(&stats);
		if (error != -EBADMSG)
			fail_msg("text %zu was parsed", i);
	}
}

/* A failure keeps what was counted before, but for rows that were good. */
static void
text_half_good(void **unused)
{
	struct ct_stats stats = { 0 };

	(void)unused;
	assert_int_equal(ct_stats_parse(&stats, TITLES ROW ROW), 0);
	assert_int_equal(ct_stats_parse(&stats, TITLES), -EBADMSG);
	assert_int_equal(ct_stats_parse(&stats, ""), -EBADMSG);
	assert_int_equal(ct_stats_parse(&stats, TITLES ROW "ff"), -EBADMSG);
	assert_int_equal(stats.count, 2);
	for (enum ct_stat s = 0; s < CT_STATS; s++)
		assert_int_equal(stats.cpus[0].value[s], stats.cpus[1].value[s]);
	assert_int_equal(ct_stats_sum(&stats, CT_STAT_CLASH_RESOLVE), 8);
	assert_int_equal(ct_stats_sum(&stats, CT_STAT_SEARCH_RESTART), 32);
	ct_stats_done(&stats);
}

/* More columns than are looked at, and a row longer than its titles. */
static void
text_too_wide(void **unused)
{
	struct ct_stats stats = { 0 };
	size_t size;
	FILE *stream;
	char *text;

	(void)unused;
	stream = open_memstream(&text, &size);
	fputs("found", stream);
	for (int i = 0; i < 500; i++)
		fprintf(stream, " column%d", i);
	fputs("\n00000007", stream);
	for (int i = 0; i < 500; i++)
		fputs(" 00000001", stream);
	fclose(stream);
	assert_int_equal(ct_stats_parse(&stats, text), 0);
	free(text);
	assert_int_equal(stats.has, BIT(FOUND));
	assert_int_equal(ct_stats_sum(&stats, CT_STAT_FOUND), 7);
	assert_int_equal(ct_stats_parse(&stats, "found\n00000008 00000001\n"), 0);
	assert_int_equal(ct_stats_sum(&stats, CT_STAT_FOUND), 8);
	assert_int_equal(stats.count, 1);
	ct_stats_done(&stats);
}

/*
 * Decodes a copy that ends at the guard page, or up to three bytes before as it must
 * begin aligned; those then must make no difference.  Into an empty struct: after an
 * error it is as empty.
 */
static int
decode_guarded(const void *bytes, size_t size)
{
	struct ct_stats stats[2] = { { 0 }, { 0 } };
	struct guard guard;
	uint8_t *copy;
	int errors[2];

	guard_init(&guard, size + 3);
	copy = guard.end - (size + 3) / 4 * 4;
	memcpy(copy, bytes, size);
	for (int i = 0; i < 2; i++) {
		memset(copy + size, i ? 0xff : 0, (size_t)(guard.end - copy) - size);
		errors[i] = ct_stats_decode(&stats[i], copy, size);
		if (errors[i])
			assert_int_equal(errors[i], -EBADMSG);
		assert_int_equal(stats[i].has & ~ALL, 0);
		assert_int_equal(stats[i].count, !errors[i]);
		if (errors[i])
			assert_int_equal(stats[i].has, 0);
	}
	assert_int_equal(errors[0], errors[1]);
	assert_stats_equal(&stats[1], &stats[0]);
	ct_stats_done(&stats[0]);
	ct_stats_done(&stats[1]);
	guard_done(&guard);
	return errors[0];
}

/* One at a time, with room behind it. */
static struct nlmsghdr *
random_message(bool expect)
{
	static _Alignas(struct nlmsghdr) char buffer[512];
	uint32_t values[CT_STATS];

	random_bytes(values, sizeof(values));
	return stats_message(buffer, sizeof(buffer), expect, 5, values);
}

/* Less bytes than the message says that it has. */
static void
message_cut_short(void **unused)
{
	(void)unused;
	for (int expect = 0; expect < 2; expect++) {
		struct nlmsghdr *message = random_message(expect);
		size_t size = message->nlmsg_len;

		for (size_t cut = 0; cut < size; cut++)
			assert_int_equal(decode_guarded(message, cut), -EBADMSG);
		assert_int_equal(decode_guarded(message, size), 0);
		/* What is behind it is another's. */
		memset((char *)message + size, 0xff, 32);
		assert_int_equal(decode_guarded(message, size + 32), 0);
		/* And there is no message without its two headers. */
		for (size_t cut = 0; cut < sizeof(*message) + HEAD; cut++) {
			message->nlmsg_len = (uint32_t)cut;
			assert_int_equal(decode_guarded(message, size), -EBADMSG);
		}
	}
}

/* A message that says itself that it ends there: it may, behind an attribute. */
static void
message_ends_early(void **unused)
{
	(void)unused;
	for (int expect = 0; expect < 2; expect++) {
		struct nlmsghdr *message = random_message(expect);
		size_t size = message->nlmsg_len;

		for (size_t cut = sizeof(*message); cut <= size; cut++) {
			bool whole = cut >= sizeof(*message) + HEAD && cut % 8 == 4;
			int error;

			message->nlmsg_len = (uint32_t)cut;
			error = decode_guarded(message, cut);
			if (error != (whole ? 0 : -EBADMSG))
				fail_msg("%d when it ends at %zu of %zu", error, cut,
					 size);
		}
	}
}

static void
message_damaged(void **unused)
{
	size_t good = 0, bad = 0;

	(void)unused;
	for (int expect = 0; expect < 2; expect++) {
		struct nlmsghdr *message = random_message(expect);
		uint8_t *bytes = (uint8_t *)message;
		size_t size = message->nlmsg_len;

		for (size_t i = 0; i < size * 9; i++) {
			unsigned int bit = i % 9;
			uint8_t flip = bit < 8 ? (uint8_t)(1 << bit) : 0xff;
			int error;

			bytes[i / 9] ^= flip;
			error = decode_guarded(message, size);
			bytes[i / 9] ^= flip;
			good += error == 0;
			bad += error != 0;
		}
	}
	assert_true(good > 100 && bad > 100);
}

/* One attribute of a wrong length, wherever it is, and nothing is counted. */
static void
wrong_lengths(void **unused)
{
	static const size_t lengths[] = { 0, 1, 2, 3, 5, 7, 8, 16 };
	struct ct_stats stats = { 0 }, before;

	(void)unused;
	decode_file(&stats, "linux-6.18-before.nl");
	before = copy_of(&stats);
	for (size_t i = 0; i < CT_STATS * COUNT(lengths); i++) {
		_Alignas(struct nlmsghdr) char buffer[512];
		const uint8_t zeros[16] = { 0 };
		size_t length = lengths[i % COUNT(lengths)];
		enum ct_stat wrong = (enum ct_stat)(i / COUNT(lengths));
		struct nlmsghdr *message =
			begin_stats(buffer, sizeof(buffer), is_expect(wrong), i % 3);

		for (enum ct_stat s = 0; s < CT_STATS; s++)
			if (s == wrong)
				mnl_attr_put(message, attributes[s], length, zeros);
			else if (is_expect(s) == is_expect(wrong))
				put_be32(message, attributes[s], 0x7777777);
		assert_int_equal(ct_stats_decode(&stats, message, message->nlmsg_len),
				 -EBADMSG);
		assert_stats_equal(&stats, &before);
	}
	ct_stats_done(&before);
	ct_stats_done(&stats);
}

/* Of the attributes there are and may be once, only those that are ours count. */
static void
other_attributes(void **unused)
{
	_Alignas(struct nlmsghdr) char buffer[1024];
	static const size_t sizes[] = { 0, 3, 4, 4, 4, 8 };

	(void)unused;
	for (int expect = 0; expect < 2; expect++) {
		struct nlmsghdr *message =
			begin_stats(buffer, sizeof(buffer), expect, 3);
		struct ct_stats stats = { 0 };

		for (uint16_t type = 0; type < 40; type++) {
			const uint32_t ones[2] = { UINT32_MAX, UINT32_MAX };
			bool ours = false;

			for (enum ct_stat s = 0; s < CT_STATS; s++)
				ours |= is_expect(s) == expect && attributes[s] == type;
			if (!ours)
				mnl_attr_put(message, type, sizes[type % 6], ones);
		}
		assert_int_equal(ct_stats_decode(&stats, message, message->nlmsg_len),
				 0);
		assert_int_equal(stats.has, 0);
		assert_int_equal(stats.count, 1);
		assert_int_equal(stats.cpus[0].cpu, 3);
		for (enum ct_stat s = 0; s < CT_STATS; s++)
			assert_int_equal(ct_stats_sum(&stats, s), 0);
		ct_stats_done(&stats);
	}
}

/* Each attribute by itself is one counter, and the only one there is. */
static void
single_attributes(void **unused)
{
	(void)unused;
	for (enum ct_stat stat = 0; stat < CT_STATS; stat++) {
		_Alignas(struct nlmsghdr) char buffer[128];
		struct nlmsghdr *message =
			begin_stats(buffer, sizeof(buffer), is_expect(stat), 0);
		struct ct_stats stats = { 0 };

		put_be32(message, attributes[stat], 0x89abcdef);
		assert_int_equal(ct_stats_decode(&stats, message, message->nlmsg_len),
				 0);
		assert_int_equal(stats.has, 1u << stat);
		for (enum ct_stat s = 0; s < CT_STATS; s++)
			assert_int_equal(ct_stats_sum(&stats, s),
					 s == stat ? 0x89abcdef : 0);
		ct_stats_done(&stats);
	}
}

/* Messages of other types have attributes with the same numbers. */
static void
other_messages(void **unused)
{
	static const uint16_t types[] = {
		NLMSG_NOOP,
		NLMSG_ERROR,
		NLMSG_DONE,
		NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
		NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS,
		NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_DYING,
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(types); i++) {
		_Alignas(struct nlmsghdr) char buffer[128];
		struct nlmsghdr *message =
			begin_stats(buffer, sizeof(buffer), false, 0);
		struct ct_stats stats = { 0 };
		int error;

		message->nlmsg_type = types[i];
		put_be32(message, CTA_STATS_FOUND, 7);
		error = ct_stats_decode(&stats, message, message->nlmsg_len);
		ct_stats_done(&stats);
		if (error != -EBADMSG)
			fail_msg("a message of type %#x was decoded", types[i]);
	}
}

/* Each processor keeps its own, in whatever order they come. */
static void
processors_with_gaps(void **unused)
{
	static const uint16_t cpus[] = { 3, 0, 700, 65535, 2, 1 };
	struct ct_stats stats = { 0 };
	uint32_t values[CT_STATS];

	(void)unused;
	for (uint32_t round = 1; round <= 3; round++)
		for (size_t i = 0; i < COUNT(cpus); i++) {
			size_t at = round % 2 ? i : COUNT(cpus) - 1 - i;

			for (enum ct_stat s = 0; s < CT_STATS; s++)
				values[s] = round * (cpus[at] * 16u + s);
			assert_int_equal(decode_cpu(&stats, cpus[at], values), 0);
		}
	assert_int_equal(stats.has, ALL);
	assert_int_equal(stats.count, COUNT(cpus));
	for (size_t i = 0; i < COUNT(cpus); i++) {
		assert_int_equal(stats.cpus[i].cpu, cpus[i]);
		for (enum ct_stat s = 0; s < CT_STATS; s++)
			assert_int_equal(stats.cpus[i].value[s],
					 3 * (cpus[i] * 16u + s));
	}
	ct_stats_done(&stats);
}

static void
many_processors(void **unused)
{
	static uint32_t values[1024][CT_STATS];
	struct ct_stats text = { 0 }, netlink = { 0 };
	uint64_t sums[CT_STATS] = { 0 };
	struct sheet sheet;
	char *rows;

	(void)unused;
	random_bytes(values, sizeof(values));
	do
		make_sheet(&sheet);
	while (sheet.has != ALL);
	rows = text_of(&sheet, values, COUNT(values));
	assert_int_equal(ct_stats_parse(&text, rows), 0);
	free(rows);
	for (size_t i = 0; i < COUNT(values); i++) {
		assert_int_equal(decode_cpu(&netlink, (uint16_t)i, values[i]), 0);
		for (enum ct_stat s = 0; s < CT_STATS; s++)
			sums[s] += values[i][s];
	}
	assert_stats_equal(&netlink, &text);
	for (enum ct_stat s = 0; s < CT_STATS; s++)
		assert_int_equal(ct_stats_sum(&text, s), sums[s]);
	ct_stats_done(&text);
	ct_stats_done(&netlink);
}

static void
names(void **unused)
{
	(void)unused;
	for (enum ct_stat s = 0; s < CT_STATS; s++) {
		assert_true(strlen(ct_stat_name(s)) > 2);
		assert_true(strlen(ct_stat_help(s)) > 10);
		for (enum ct_stat other = 0; other < s; other++) {
			assert_string_not_equal(ct_stat_name(s), ct_stat_name(other));
			assert_string_not_equal(ct_stat_help(s), ct_stat_help(other));
		}
	}
	assert_string_equal(ct_stat_name(CT_STAT_FOUND), "found");
	assert_string_equal(ct_stat_name(CT_STAT_CHAIN_TOOLONG), "chain_toolong");
	assert_string_equal(ct_stat_name(CT_STAT_EXPECT_DELETE), "expect_delete");
}

/* Of the kernel that this runs on, if it tracks connections. */
static void
this_kernel(void **unused)
{
	struct ct_stats stats = { 0 };
	int error = ct_stats_read(&stats, NULL);

	(void)unused;
	assert_true(error <= 0);
	assert_int_equal(stats.count > 0, error == 0);
	assert_int_equal(stats.has != 0, error == 0);
	ct_stats_done(&stats);
	ct_stats_done(&stats);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(each_kernel),
		cmocka_unit_test(counts_on),
		cmocka_unit_test(nothing_new),
		cmocka_unit_test(both_sources_agree),
		cmocka_unit_test(columns_by_name),
		cmocka_unit_test(long_run),
		cmocka_unit_test(new_processors),
		cmocka_unit_test(wrap_or_reset),
		cmocka_unit_test(half_of_the_range),
		cmocka_unit_test(text_cut_short),
		cmocka_unit_test(text_damaged),
		cmocka_unit_test(text_of_nothing),
		cmocka_unit_test(text_of_something_else),
		cmocka_unit_test(text_half_good),
		cmocka_unit_test(text_too_wide),
		cmocka_unit_test(message_cut_short),
		cmocka_unit_test(message_ends_early),
		cmocka_unit_test(message_damaged),
		cmocka_unit_test(wrong_lengths),
		cmocka_unit_test(other_attributes),
		cmocka_unit_test(single_attributes),
		cmocka_unit_test(other_messages),
		cmocka_unit_test(processors_with_gaps),
		cmocka_unit_test(many_processors),
		cmocka_unit_test(this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
