/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_REPORT_H
#define EXPORT_REPORT_H
/*
 * Small tables for people and for programs: rows of named cells, as aligned columns or
 * as JSON, an object a row.  For the commands that show numbers instead of flows.
 *
 * A row is put cell by cell, in the order of the columns:
 *
 *	report_text(report, "tcp");
 *	report_number(report, 17);
 *	report_none(report);
 *	report_end_row(report);
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

enum report_kind {
	REPORT_TEXT, /* to the left, all others to the right; for people, ASCII alone */
	REPORT_NUMBER,
	REPORT_BYTES,   /* for people in KiB, MiB …; JSON has it whole */
	REPORT_PERCENT, /* given in thousandths of a percent: 12345 is "12.3 %" */
};

struct report_column {
	const char *title; /* and the JSON member: "original bytes", original_bytes */
	enum report_kind kind;
};

struct report;

/*
 * A report with those columns, which must stay; it ends with a NULL title.  Rows go to
 * `text` as they end (JSON), or all together at report_end().  NULL: no memory.
 */
struct report *report_new(struct ct_text *text, const struct report_column *columns,
			  bool json);

/*
 * The last call but for report_free(): writes what is not written yet.  For people, the
 * titles come first, unless there are no rows.  The errors are in `text`; -ENOMEM too.
 */
void report_end(struct report *report);
/* Takes NULL. */
void report_free(struct report *report);

/* The JSON member "netns" of the rows to come, which must stay; NULL: none. */
void report_set_netns(struct report *report, const char *netns);
/* The same of the JSON member "time". */
void report_set_time(struct report *report, const char *time);

void report_text(struct report *report, const char *cell);
/* An address, or with `prefix` shorter than it, a network. */
void report_addr(struct report *report, uint8_t family, const struct ct_addr *addr,
		 unsigned int prefix);
/* For the columns of any kind but text. */
void report_number(struct report *report, uint64_t number);
/*
 * A cell without a value: "-", and no member.  For people, a column that has no other
 * cells is left out.
 */
void report_none(struct report *report);
void report_end_row(struct report *report);

/* A line above the table, and one below it, for people: JSON has none. */
void report_title(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void report_note(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
