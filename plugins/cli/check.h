/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H
/*
 * What the parts of `conntap check` share: a row for each thing looked at, with a level
 * and, where something can be done about it, the command that does it.
 */
#include "cli.h"
#include "common/probe.h"
#include "common/stats.h"

enum check_level {
	CHECK_OK,
	CHECK_NOTE, /* off, or not known: no harm in that */
	CHECK_WARNING,
	CHECK_CRITICAL,
	CHECK_LEVELS,
};

/* What is the same in every namespace, and found out once. */
struct check_kernel {
	bool probed;
	int error; /* of ct_probe() */
	struct ct_probe probe;
};

/* One namespace being looked at, by a thread that is in it. */
struct check {
	const struct cli *cli;
	struct report *report;
	struct ct_netlink *netlink; /* NULL: it could not be opened */
	struct ct_kernel kernel;
	struct ct_stats stats;
	int stats_error; /* of ct_stats_read() */
	struct check_kernel *common;
	char in[320];     /* what a command begins with that shall run in there */
	char remedy[320]; /* what would make netlink work */
	unsigned int count[CHECK_LEVELS]; /* of rows */
};

/* Puts a row.  One that is not CHECK_OK has an advice; NULL is none. */
void check_put(struct check *check, const char *name, enum check_level level,
	       const char *value, const char *advice, ...)
	__attribute__((format(printf, 5, 6)));

/* check_table.c: how full the table is, and what became of flows. */
void check_tracking(struct check *check);
void check_table(struct check *check);
void check_buckets(struct check *check);
void check_drops(struct check *check);
void check_expectations(struct check *check);

/* check_settings.c: what is switched on, and what may be done. */
void check_netlink(struct check *check); /* first: it sets the remedy */
void check_accounting(struct check *check);
void check_timestamps(struct check *check);
void check_events(struct check *check);
void check_buffer(struct check *check);
void check_helpers(struct check *check);
void check_filters(struct check *check);

#endif
