/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_STATS_H
#define CT_STATS_H
/*
 * What the kernel counts as packets pass, per processor: lookups, insertions, drops.
 * For whoever asks whether the table does its work.  It costs nothing to read.
 *
 * The kernel's counters have 32 bits and wrap.  Those here have 64: reading again into
 * the same struct counts on from where it was.
 */
#include <stddef.h>
#include <stdint.h>

#include "netlink.h"

enum ct_stat {
	CT_STAT_FOUND,          /* ports that NAT found taken */
	CT_STAT_INVALID,        /* packets that fit no flow, or not its state */
	CT_STAT_INSERT,         /* flows inserted by request, not by a packet */
	CT_STAT_INSERT_FAILED,  /* flows that did not get in: their tuple was taken */
	CT_STAT_DROP,           /* packets dropped: table full, no port, a lost race */
	CT_STAT_EARLY_DROP,     /* flows evicted to make room for new ones */
	CT_STAT_ERROR,          /* ICMP packets refused as malformed */
	CT_STAT_SEARCH_RESTART, /* lookups that began again: the table was in motion */
	CT_STAT_CLASH_RESOLVE,  /* insertions that lost a race and were put right */
	CT_STAT_CHAIN_TOOLONG,  /* insertions refused: too many flows in one bucket */
	CT_STAT_EXPECT_NEW,     /* flows that had been expected */
	CT_STAT_EXPECT_CREATE,  /* expectations made */
	CT_STAT_EXPECT_DELETE,  /* expectations used up or withdrawn */
	CT_STATS,
};

/* "found" …; one line that says what is counted. */
const char *ct_stat_name(enum ct_stat stat);
const char *ct_stat_help(enum ct_stat stat);

struct ct_stats_cpu {
	uint32_t cpu;
	uint32_t last[CT_STATS];  /* as the kernel had it */
	uint64_t value[CT_STATS]; /* without wraps */
};

struct ct_stats {
	uint32_t has; /* 1 << enum ct_stat: what this kernel counts */
	size_t count;
	struct ct_stats_cpu *cpus; /* `count` of them */
};

/* All zero is a good beginning; `done` frees what reading has allocated. */
void ct_stats_done(struct ct_stats *stats);

/*
 * Reads the counters of the network namespace: by netlink, or from /proc (of the
 * calling thread's namespace) where `netlink` is NULL or refuses, which everybody may.
 * A counter that has gone back by less than half of its range has been reset, not
 * wrapped, and counts on from 0.
 * Returns 0, -ENOENT where the kernel tracks no connections, or another -errno; then
 * the counters are those of the last time, some of them newer.
 */
int ct_stats_read(struct ct_stats *stats, struct ct_netlink *netlink);

/*
 * The two sources by themselves, pure functions for ct_stats_read() and tests: one
 * message of IPCTNL_MSG_CT_GET_STATS_CPU or IPCTNL_MSG_EXP_GET_STATS_CPU, its header
 * included, and the text of /proc/net/stat/nf_conntrack, whose lines have no numbers:
 * they are taken for processors 0, 1, 2 …
 * Return 0, -EBADMSG for what is none, or -ENOMEM.
 */
int ct_stats_decode(struct ct_stats *stats, const void *message, size_t size);
int ct_stats_parse(struct ct_stats *stats, const char *text);

/* Of all processors together. */
uint64_t ct_stats_sum(const struct ct_stats *stats, enum ct_stat stat);

#endif
