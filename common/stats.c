/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The per-processor counters: two dumps by netlink, or one file of /proc. */
#include "stats.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "walk.h"

/* Of the calling thread, which may be away from its process's namespace. */
#define PROC_FILE "/proc/thread-self/net/stat/nf_conntrack"
/* Linux 5.10 and 5.15: younger than some headers that this is built with. */
#define ATTR_CLASH_RESOLVE 14
#define ATTR_CHAIN_TOOLONG 15

#define COLUMNS_MAX 64 /* of PROC_FILE; it has 17 */
#define NONE CT_STATS

struct source {
	const char *name;
	const char *column; /* of PROC_FILE, as Linux 5.15 and later name it */
	uint16_t attribute; /* CTA_STATS_*, or CTA_STATS_EXP_* */
	const char *help;
};

/*
 * What they mean since Linux 4.9; before, `found` and `insert` counted every packet's
 * lookup and flow.  PROC_FILE's "searched" and "delete_list" became "clashres" and
 * "chainlength", which count other things: so columns go by their names, and old names
 * are not known here.
 */
/* clang-format off */
static const struct source sources[] = {
	[CT_STAT_FOUND] = { "found", "found", CTA_STATS_FOUND,
		"Ports that NAT found taken, so that it tried another" },
	[CT_STAT_INVALID] = { "invalid", "invalid", CTA_STATS_INVALID,
		"Packets that fit no flow, or not the state of theirs" },
	[CT_STAT_INSERT] = { "insert", "insert", CTA_STATS_INSERT,
		"Flows inserted by request, not by a packet" },
	[CT_STAT_INSERT_FAILED] = { "insert_failed", "insert_failed",
		CTA_STATS_INSERT_FAILED,
		"Flows that were not inserted as their tuple was taken" },
	[CT_STAT_DROP] = { "drop", "drop", CTA_STATS_DROP,
		"Packets dropped: table full, NAT out of ports, or a lost race" },
	[CT_STAT_EARLY_DROP] = { "early_drop", "early_drop", CTA_STATS_EARLY_DROP,
		"Flows evicted to make room for new ones" },
	[CT_STAT_ERROR] = { "error", "icmp_error", CTA_STATS_ERROR,
		"ICMP packets refused as malformed" },
	[CT_STAT_SEARCH_RESTART] = { "search_restart", "search_restart",
		CTA_STATS_SEARCH_RESTART,
		"Lookups begun again as the table was in motion" },
	[CT_STAT_CLASH_RESOLVE] = { "clash_resolve", "clashres", ATTR_CLASH_RESOLVE,
		"Races for one tuple that were settled without a loss" },
	[CT_STAT_CHAIN_TOOLONG] = { "chain_toolong", "chainlength",
		ATTR_CHAIN_TOOLONG,
		"Flows refused as their hash bucket was too long" },
	[CT_STAT_EXPECT_NEW] = { "expect_new", "expect_new", CTA_STATS_EXP_NEW,
		"Flows begun that a helper had expected" },
	[CT_STAT_EXPECT_CREATE] = { "expect_create", "expect_create",
		CTA_STATS_EXP_CREATE, "Expectations created" },
	[CT_STAT_EXPECT_DELETE] = { "expect_delete", "expect_delete",
		CTA_STATS_EXP_DELETE, "Expectations deleted" },
};
/* clang-format on */

_Static_assert(sizeof(sources) / sizeof(sources[0]) == CT_STATS, "a row for each");

const char *
ct_stat_name(enum ct_stat stat)
{
	return sources[stat].name;
}

const char *
ct_stat_help(enum ct_stat stat)
{
	return sources[stat].help;
}

void
ct_stats_done(struct ct_stats *stats)
{
	free(stats->cpus);
	memset(stats, 0, sizeof(*stats));
}

static struct ct_stats_cpu *
cpu_of(struct ct_stats *stats, uint32_t cpu)
{
	struct ct_stats_cpu *more;

	/* Mostly all of them are there, in order. */
	if (cpu < stats->count && stats->cpus[cpu].cpu == cpu)
		return &stats->cpus[cpu];
	for (size_t i = 0; i < stats->count; i++)
		if (stats->cpus[i].cpu == cpu)
			return &stats->cpus[i];
	more = reallocarray(stats->cpus, stats->count + 1, sizeof(*more));
	if (!more)
		return NULL;
	stats->cpus = more;
	more += stats->count++;
	*more = (struct ct_stats_cpu){ .cpu = cpu };
	return more;
}

/* A fall by half of the range and more is a wrap; by less, a new beginning. */
static void
count_on(struct ct_stats_cpu *cpu, enum ct_stat stat, uint32_t now)
{
	uint32_t step = now - cpu->last[stat];

	if (now < cpu->last[stat] && step > UINT32_C(1) << 31)
		step = now;
	cpu->value[stat] += step;
	cpu->last[stat] = now;
}

static enum ct_stat
stat_of(uint16_t attribute, bool expect)
{
	enum ct_stat first = expect ? CT_STAT_EXPECT_NEW : CT_STAT_FOUND;
	enum ct_stat end = expect ? CT_STATS : CT_STAT_EXPECT_NEW;

	for (enum ct_stat stat = first; stat < end; stat++)
		if (sources[stat].attribute == attribute)
			return stat;
	return NONE;
}

/* Without `cpu`, only looks whether all is well. */
static int
decode_attributes(struct ct_stats *stats, struct ct_stats_cpu *cpu,
		  const uint8_t *payload, size_t size, bool expect)
{
	struct walk w = walk_start(payload, size);

	while (walk_next(&w)) {
		enum ct_stat stat = stat_of((uint16_t)w.type, expect);
		uint32_t value;

		if (stat == NONE || !take_be32(&w, &value) || !cpu)
			continue;
		count_on(cpu, stat, value);
		stats->has |= 1u << stat;
	}
	return w.error;
}

/* The kernel sends both as the flows' subsystem; the type tells them apart. */
static bool
is_stats(const struct nlmsghdr *header, bool *expect)
{
	unsigned int subsystem = header->nlmsg_type >> 8;
	unsigned int type = header->nlmsg_type & 0xff;

	*expect = type == IPCTNL_MSG_EXP_GET_STATS_CPU;
	return (subsystem == NFNL_SUBSYS_CTNETLINK ||
		subsystem == NFNL_SUBSYS_CTNETLINK_EXP) &&
	       (*expect || type == IPCTNL_MSG_CT_GET_STATS_CPU);
}

int
ct_stats_decode(struct ct_stats *stats, const void *message, size_t size)
{
	const size_t head = NLMSG_HDRLEN + sizeof(struct nfgenmsg);
	const uint8_t *bytes = message;
	struct nlmsghdr header;
	struct nfgenmsg payload;
	struct ct_stats_cpu *cpu;
	bool expect;

	if (size < head)
		return -EBADMSG;
	memcpy(&header, bytes, sizeof(header));
	memcpy(&payload, bytes + NLMSG_HDRLEN, sizeof(payload));
	if (header.nlmsg_len > size || header.nlmsg_len < head ||
	    !is_stats(&header, &expect))
		return -EBADMSG;
	bytes += head;
	size = header.nlmsg_len - head;
	if (decode_attributes(stats, NULL, bytes, size, expect) < 0)
		return -EBADMSG;
	cpu = cpu_of(stats, ntohs(payload.res_id));
	return cpu ? decode_attributes(stats, cpu, bytes, size, expect) : -ENOMEM;
}

static int
take_message(const struct nlmsghdr *message, void *stats)
{
	return ct_stats_decode(stats, message, message->nlmsg_len);
}

static int
read_netlink(struct ct_stats *stats, struct ct_netlink *netlink)
{
	_Alignas(struct nlmsghdr) char bytes[64];
	struct nlmsghdr *request = ct_netlink_request(
		netlink, bytes, IPCTNL_MSG_CT_GET_STATS_CPU, NLM_F_DUMP, AF_UNSPEC);
	int error = ct_netlink_ask(netlink, request, take_message, stats);

	if (error)
		return error;
	request = ct_netlink_request(netlink, bytes, IPCTNL_MSG_EXP_GET_STATS_CPU,
				     NLM_F_DUMP, AF_UNSPEC);
	request->nlmsg_type =
		NFNL_SUBSYS_CTNETLINK_EXP << 8 | IPCTNL_MSG_EXP_GET_STATS_CPU;
	return ct_netlink_ask(netlink, request, take_message, stats);
}

/*
 * Reads the line of titles into `columns`.  Returns how many there are; 0 where none is
 * known.
 */
static size_t
parse_titles(const char *line, size_t length, enum ct_stat columns[COLUMNS_MAX])
{
	const char *end = line + length;
	size_t count = 0, known = 0;

	while (line < end && count < COLUMNS_MAX) {
		size_t space = strspn(line, " \t");
		size_t word;

		line += space;
		word = strcspn(line, " \t\n");
		if (line >= end || word == 0)
			break;
		columns[count] = NONE;
		for (enum ct_stat stat = 0; stat < CT_STATS; stat++)
			if (strlen(sources[stat].column) == word &&
			    memcmp(sources[stat].column, line, word) == 0)
				columns[count] = stat;
		known += columns[count] != NONE;
		count++;
		line += word;
	}
	return known ? count : 0;
}

/* A processor's line of hexadecimal numbers. */
static int
parse_row(struct ct_stats *stats, struct ct_stats_cpu *cpu, const char *line,
	  const char *end, const enum ct_stat *columns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *after;
		unsigned long number = strtoul(line, &after, 16);

		if (after == line || after > end || number > UINT32_MAX)
			return -EBADMSG;
		line = after;
		if (columns[i] == NONE)
			continue;
		count_on(cpu, columns[i], (uint32_t)number);
		stats->has |= 1u << columns[i];
	}
	return 0;
}

int
ct_stats_parse(struct ct_stats *stats, const char *text)
{
	enum ct_stat columns[COLUMNS_MAX];
	size_t length = strcspn(text, "\n");
	size_t count = parse_titles(text, length, columns);
	uint32_t row = 0;
	int error = 0;

	if (count == 0)
		return -EBADMSG;
	for (text += length; error == 0 && *text == '\n' && text[1]; row++) {
		struct ct_stats_cpu *cpu = cpu_of(stats, row);

		text++;
		length = strcspn(text, "\n");
		error = !cpu ? -ENOMEM
			     : parse_row(stats, cpu, text, text + length, columns,
					 count);
		text += length;
	}
	return row == 0 ? -EBADMSG : error;
}

/* The whole file, ended by a '\0'; to be freed. */
static int
read_file(char **text)
{
	size_t size = 0;
	FILE *file = fopen(PROC_FILE, "re");
	int error = 0;

	if (!file)
		return -errno;
	*text = NULL;
	errno = 0;
	if (getdelim(text, &size, '\0', file) < 0)
		error = errno ? -errno : -EBADMSG;
	fclose(file);
	return error;
}

static int
read_proc(struct ct_stats *stats)
{
	char *text = NULL;
	int error = read_file(&text);

	if (error == 0)
		error = ct_stats_parse(stats, text);
	free(text);
	return error;
}

int
ct_stats_read(struct ct_stats *stats, struct ct_netlink *netlink)
{
	if (netlink && read_netlink(stats, netlink) == 0)
		return 0;
	return read_proc(stats);
}

uint64_t
ct_stats_sum(const struct ct_stats *stats, enum ct_stat stat)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < stats->count; i++)
		sum += stats->cpus[i].value[stat];
	return sum;
}
