/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports: cells are kept as the strings that they are shown as, one after the other,
 * until it is known how wide the columns are.  JSON needs no widths, so it keeps the
 * cells of one row only.
 */
#include "report.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "json.h"

#define GAP 2 /* blanks between columns */

#define STRINGS_FIRST_ROOM 1024

/* Strings, each with its '\0', without gaps. */
struct strings {
	char *bytes;
	size_t used;
	size_t room;
};

struct column {
	size_t width; /* of its widest cell */
	bool absent;  /* in the row that is being put */
	bool used;    /* by a row so far */
};

struct report {
	struct ct_text *text;
	const struct report_column *columns;
	const char *netns;
	const char *time;
	struct strings cells;
	struct strings lines_above;
	struct strings lines_below;
	bool json;
	unsigned int at;    /* the column of the next cell */
	unsigned int count; /* of columns */
	struct column column[];
};

struct report *
report_new(struct ct_text *text, const struct report_column *columns, bool json)
{
	struct report *report;
	unsigned int count = 0;

	while (columns[count].title)
		count++;
	assert(count > 0);
	report = calloc(1, sizeof(*report) + count * sizeof(report->column[0]));
	if (!report)
		return NULL;
	report->text = text;
	report->columns = columns;
	report->json = json;
	report->count = count;
	for (unsigned int i = 0; i < count; i++)
		report->column[i].width = strlen(columns[i].title);
	return report;
}

void
report_free(struct report *report)
{
	if (!report)
		return;
	free(report->cells.bytes);
	free(report->lines_above.bytes);
	free(report->lines_below.bytes);
	free(report);
}

void
report_set_netns(struct report *report, const char *netns)
{
	report->netns = netns;
}

void
report_set_time(struct report *report, const char *time)
{
	report->time = time;
}

/* As the errors of text.c: it sticks, and leaves no room for what comes after it. */
static void
fail(struct ct_text *text, int error)
{
	text->error = error;
	text->end = text->at;
}

/* Room for a string of `length`, which is used then; NULL: no memory. */
static char *
reserve(struct strings *strings, size_t length)
{
	size_t needed = strings->used + length + 1;
	size_t room = strings->room ? strings->room : STRINGS_FIRST_ROOM;
	char *bytes = strings->bytes;

	if (needed > strings->room) {
		while (room < needed)
			room *= 2;
		bytes = realloc(bytes, room);
		if (!bytes)
			return NULL;
		strings->bytes = bytes;
		strings->room = room;
	}
	bytes += strings->used;
	strings->used = needed;
	return bytes;
}

static void
put_cell(struct report *report, const char *cell, size_t length, bool absent)
{
	struct column *column = &report->column[report->at++];
	char *room;

	column->absent = absent;
	column->used |= !absent;
	if (length > column->width)
		column->width = length;
	if (report->text->error)
		return;
	room = reserve(&report->cells, length);
	if (!room) {
		fail(report->text, -ENOMEM);
		return;
	}
	memcpy(room, cell, length);
	room[length] = '\0';
}

void
report_text(struct report *report, const char *cell)
{
	assert(report->at < report->count);
	assert(report->columns[report->at].kind == REPORT_TEXT);
	put_cell(report, cell, strlen(cell), false);
}

void
report_addr(struct report *report, uint8_t family, const struct ct_addr *addr,
	    unsigned int prefix)
{
	char cell[64];
	struct ct_text line;

	assert(report->at < report->count);
	assert(report->columns[report->at].kind == REPORT_TEXT);
	ct_text_init(&line, cell, sizeof(cell), NULL, NULL);
	ct_text_addr(&line, family, addr);
	if (prefix < (family == AF_INET ? 32 : 128)) {
		ct_text_char(&line, '/');
		ct_text_u64(&line, prefix);
	}
	put_cell(report, cell, (size_t)(line.at - cell), false);
}

/* The unit is that of the rounded number: one byte less than a MiB is 1.0 MiB. */
static void
put_bytes(struct ct_text *text, uint64_t bytes)
{
	unsigned int shift = 0;
	uint64_t tenths;

	if (bytes < 1024) {
		ct_text_u64(text, bytes);
		ct_text_str(text, " B");
		return;
	}
	do {
		uint64_t half, rest;

		shift += 10;
		half = UINT64_C(1) << (shift - 1);
		rest = bytes & (2 * half - 1);
		tenths = (bytes >> shift) * 10 + ((rest * 10 + half) >> shift);
	} while (tenths >= 10240);
	ct_text_u64(text, tenths / 10);
	ct_text_char(text, '.');
	ct_text_u64(text, tenths % 10);
	ct_text_char(text, ' ');
	ct_text_char(text, "KMGTPE"[shift / 10 - 1]);
	ct_text_str(text, "iB");
}

/* Both are of a number of thousandths. */
static void
put_percent(struct ct_text *text, uint64_t percent)
{
	uint64_t tenths = percent / 100 + (percent % 100 >= 50);

	ct_text_u64(text, tenths / 10);
	ct_text_char(text, '.');
	ct_text_u64(text, tenths % 10);
	ct_text_str(text, " %");
}

static void
put_json_percent(struct ct_text *text, uint64_t percent)
{
	ct_text_u64(text, percent / 1000);
	ct_text_char(text, '.');
	ct_text_padded(text, percent % 1000, 3);
}

void
report_number(struct report *report, uint64_t number)
{
	enum report_kind kind;
	char cell[64];
	struct ct_text line;

	assert(report->at < report->count);
	kind = report->columns[report->at].kind;
	assert(kind != REPORT_TEXT);
	ct_text_init(&line, cell, sizeof(cell), NULL, NULL);
	if (kind == REPORT_PERCENT && report->json)
		put_json_percent(&line, number);
	else if (kind == REPORT_PERCENT)
		put_percent(&line, number);
	else if (kind == REPORT_BYTES && !report->json)
		put_bytes(&line, number);
	else
		ct_text_u64(&line, number);
	put_cell(report, cell, (size_t)(line.at - cell), false);
}

void
report_none(struct report *report)
{
	assert(report->at < report->count);
	put_cell(report, "-", 1, true);
}

/* A title is the program's own and needs no escapes, but may be of several words. */
static void
put_member(struct ct_text *text, char *sep, const char *title)
{
	json_put_key(text, sep, "\"");
	for (; *title; title++)
		ct_text_char(text, *title == ' ' ? '_' : *title);
	ct_text_str(text, "\":");
}

static void
put_object(const struct report *report)
{
	const char *cell = report->cells.bytes;
	struct ct_text *text = report->text;
	char sep = '{';

	if (report->netns) {
		json_put_key(text, &sep, "\"netns\":");
		json_put_string(text, report->netns);
	}
	if (report->time) {
		json_put_key(text, &sep, "\"time\":");
		json_put_string(text, report->time);
	}
	for (unsigned int i = 0; i < report->count; i++, cell += strlen(cell) + 1) {
		if (report->column[i].absent)
			continue;
		put_member(text, &sep, report->columns[i].title);
		if (report->columns[i].kind == REPORT_TEXT)
			json_put_string(text, cell);
		else
			ct_text_str(text, cell);
	}
	json_put_close(text, sep);
	ct_text_char(text, '\n');
}

void
report_end_row(struct report *report)
{
	assert(report->at == report->count);
	report->at = 0;
	if (!report->json || report->text->error)
		return;
	put_object(report);
	report->cells.used = 0;
}

static void
put_line(struct report *report, struct strings *lines, const char *format,
	 va_list arguments)
{
	va_list again;
	char *room;
	int length;

	if (report->json || report->text->error)
		return;
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	room = length < 0 ? NULL : reserve(lines, (size_t)length);
	if (room)
		vsnprintf(room, (size_t)length + 1, format, arguments);
	else
		fail(report->text, length < 0 ? -EOVERFLOW : -ENOMEM);
}

void
report_title(struct report *report, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_line(report, &report->lines_above, format, arguments);
	va_end(arguments);
}

void
report_note(struct report *report, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_line(report, &report->lines_below, format, arguments);
	va_end(arguments);
}

/*
 * Names from elsewhere shall not reach the terminal's controls.  `blanks` are put only
 * when something follows them, so that no line ends with one.
 */
static void
put_printable(struct ct_text *text, const char *string, size_t *blanks)
{
	for (; *string; string++) {
		if (*string == ' ') {
			++*blanks;
			continue;
		}
		for (; *blanks > 0; --*blanks)
			ct_text_char(text, ' ');
		ct_text_char(text, *string < ' ' || *string > '~' ? '?' : *string);
	}
}

static void
put_aligned(const struct report *report, unsigned int i, const char *cell,
	    size_t *blanks)
{
	size_t padding = report->column[i].width - strlen(cell);
	bool left = report->columns[i].kind == REPORT_TEXT;

	if (!report->column[i].used)
		return;
	if (!left)
		*blanks += padding;
	put_printable(report->text, cell, blanks);
	if (left)
		*blanks += padding;
	*blanks += GAP;
}

static bool
has_columns(const struct report *report)
{
	for (unsigned int i = 0; i < report->count; i++)
		if (report->column[i].used)
			return true;
	return false;
}

static void
put_titles(const struct report *report)
{
	size_t blanks = 0;

	for (unsigned int i = 0; i < report->count; i++)
		put_aligned(report, i, report->columns[i].title, &blanks);
	ct_text_char(report->text, '\n');
}

/* Returns the next row's first cell. */
static const char *
put_row(const struct report *report, const char *cell)
{
	size_t blanks = 0;

	for (unsigned int i = 0; i < report->count; i++, cell += strlen(cell) + 1)
		put_aligned(report, i, cell, &blanks);
	ct_text_char(report->text, '\n');
	return cell;
}

static void
put_lines(const struct report *report, const struct strings *lines)
{
	const char *line = lines->bytes;

	while (lines->used > 0 && line < lines->bytes + lines->used) {
		size_t blanks = 0;

		put_printable(report->text, line, &blanks);
		ct_text_char(report->text, '\n');
		line += strlen(line) + 1;
	}
}

void
report_end(struct report *report)
{
	const char *cell = report->cells.bytes;

	assert(report->at == 0);
	/* After an error, rows may be incomplete. */
	if (report->json || report->text->error)
		return;
	put_lines(report, &report->lines_above);
	if (has_columns(report)) {
		put_titles(report);
		while (cell < report->cells.bytes + report->cells.used)
			cell = put_row(report, cell);
	}
	put_lines(report, &report->lines_below);
}
