/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The numbers of the table: how near its limits it is, and what they have cost. */
#include <stdio.h>
#include <sys/stat.h>

#include "check.h"

#define SYSCTL_DIR "/proc/sys/net/netfilter/"

/*
 * Flows of a full table that share a bucket.  With 4, the kernel's own choice for long,
 * a search looks at eight entries, for each flow has two.
 */
#define FLOWS_PER_BUCKET 8

/* Some settings are everybody's, and to be written in the initial namespace only. */
static const char *
where_to_set(const char *path)
{
	struct stat file;

	return stat(path, &file) == 0 && !(file.st_mode & S_IWUSR)
		       ? "in the initial namespace: "
		       : "";
}

static enum check_level
level_of(const struct check *check, uint32_t count, uint32_t max)
{
	uint64_t hundredths = (uint64_t)count * 100;

	if (hundredths >= check->cli->critical * max)
		return CHECK_CRITICAL;
	return hundredths >= check->cli->warning * max ? CHECK_WARNING : CHECK_OK;
}

static void
print_share(char *value, size_t size, uint32_t count, uint32_t max)
{
	snprintf(value, size, "%u of %u (%.1f %%)", count, max,
		 max ? 100.0 * count / max : 100.0);
}

/* Doubled, or as much as there can be. */
static uint32_t
twice(uint32_t number)
{
	return number < UINT32_MAX / 2 ? number * 2 : UINT32_MAX;
}

void
check_tracking(struct check *check)
{
	uint64_t counted = check->kernel.count;

	for (int i = 0; i < CT_STATS; i++)
		counted += ct_stats_sum(&check->stats, (enum ct_stat)i);
	if (counted || check->stats_error)
		check_put(check, "tracking", CHECK_OK, "yes", NULL);
	else
		check_put(check, "tracking", CHECK_NOTE, "no flow so far",
			  "idle, or no rule asks for it (ct state, NAT): "
			  "%snft list ruleset",
			  check->in);
}

/* The limit is one number for all, but each namespace's flows are held against it. */
void
check_table(struct check *check)
{
	const struct ct_kernel *kernel = &check->kernel;
	enum check_level level = CHECK_OK;
	char value[64];

	if (!(kernel->has & CT_KERNEL_MAX)) {
		snprintf(value, sizeof(value), "%u, limit unknown", kernel->count);
		check_put(check, "table", CHECK_NOTE, value,
			  "sysctl net.netfilter.nf_conntrack_max");
		return;
	}
	if (kernel->max) {
		level = level_of(check, kernel->count, kernel->max);
		print_share(value, sizeof(value), kernel->count, kernel->max);
	} else {
		snprintf(value, sizeof(value), "%u, no limit", kernel->count);
	}
	if (level == CHECK_OK)
		check_put(check, "table", level, value, NULL);
	else
		check_put(check, "table", level, value,
			  "see %sconntap top; %ssysctl -w "
			  "net.netfilter.nf_conntrack_max=%u",
			  check->in, where_to_set(SYSCTL_DIR "nf_conntrack_max"),
			  twice(kernel->max));
}

/* To move all flows into more buckets, the kernel makes packets wait. */
static void
put_more_buckets(struct check *check, const char *name, enum check_level level,
		 const char *value, uint32_t buckets)
{
	check_put(check, name, level, value,
		  "at a quiet time, %ssysctl -w net.netfilter.nf_conntrack_buckets=%u",
		  where_to_set(SYSCTL_DIR "nf_conntrack_buckets"), buckets);
}

void
check_buckets(struct check *check)
{
	const struct ct_kernel *kernel = &check->kernel;
	uint32_t most = kernel->max ? kernel->max : kernel->count;
	char value[64];

	if (!(kernel->has & CT_KERNEL_BUCKETS) || kernel->buckets == 0) {
		check_put(check, "buckets", CHECK_NOTE, "unknown",
			  "sysctl net.netfilter.nf_conntrack_buckets");
		return;
	}
	snprintf(value, sizeof(value), "%u for %u flows", kernel->buckets, most);
	if (most <= (uint64_t)kernel->buckets * FLOWS_PER_BUCKET)
		check_put(check, "buckets", CHECK_OK, value, NULL);
	else
		put_more_buckets(check, "buckets", CHECK_WARNING, value, most);
}

static void
check_drop(struct check *check, enum ct_stat stat, const char *why, const char *command)
{
	uint64_t sum = ct_stats_sum(&check->stats, stat);
	const char *name = ct_stat_name(stat);
	char value[64];

	snprintf(value, sizeof(value), "%llu so far", (unsigned long long)sum);
	if (check->stats_error)
		check_put(check, name, CHECK_NOTE, "unknown", "%s", check->remedy);
	else if (!(check->stats.has & 1u << stat))
		check_put(check, name, CHECK_NOTE, "not counted",
			  "a newer kernel counts it");
	else if (sum == 0)
		check_put(check, name, CHECK_OK, "0", NULL);
	else if (stat == CT_STAT_CHAIN_TOOLONG)
		put_more_buckets(check, name, CHECK_NOTE, value,
				 twice(check->kernel.buckets));
	else
		check_put(check, name, CHECK_NOTE, value, "%s: %sconntap %s", why,
			  check->in, command);
}

/* They count since the namespace began: notes, whatever they come to. */
void
check_drops(struct check *check)
{
	check_drop(check, CT_STAT_DROP,
		   "the table was full, NAT had no port, or races were lost; still",
		   "stats --every 1");
	check_drop(check, CT_STAT_EARLY_DROP, "the table was full; of whose flows",
		   "top");
	check_drop(check, CT_STAT_INSERT_FAILED, "tuples were taken; are they NAT's",
		   "nat");
	check_drop(check, CT_STAT_CHAIN_TOOLONG, NULL, NULL);
}

void
check_expectations(struct check *check)
{
	const struct ct_kernel *kernel = &check->kernel;
	enum check_level level;
	char value[64];

	if (!(kernel->has & CT_KERNEL_EXPECT_MAX)) {
		check_put(check, "expectations", CHECK_NOTE, "limit unknown",
			  "sysctl net.netfilter.nf_conntrack_expect_max");
		return;
	}
	if (!(kernel->has & CT_KERNEL_EXPECTS)) {
		snprintf(value, sizeof(value), "unknown of %u", kernel->expect_max);
		check_put(check, "expectations", CHECK_NOTE, value, "%s",
			  check->remedy);
		return;
	}
	level = level_of(check, kernel->expects, kernel->expect_max);
	print_share(value, sizeof(value), kernel->expects, kernel->expect_max);
	if (level == CHECK_OK)
		check_put(check, "expectations", level, value, NULL);
	else
		check_put(check, "expectations", level, value,
			  "see %sconntap expect list; %ssysctl -w "
			  "net.netfilter.nf_conntrack_expect_max=%u",
			  check->in, where_to_set(SYSCTL_DIR "nf_conntrack_expect_max"),
			  twice(kernel->expect_max));
}
