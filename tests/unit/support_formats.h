/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_SUPPORT_FORMATS_H
#define UNIT_SUPPORT_FORMATS_H
/*
 * All formats, and things of whatever kind written in each of them: for the tests that
 * hold these against the files in golden/.
 */
#include "support.h"

struct ct_text;
struct output;

/* The first of them, XML in both dialects, make documents with heads and metrics. */
enum { XML_FORMATS = 2, FORMATS = 5 };

struct format {
	const struct output *output;
	const char *extension; /* of the files in golden/ */
};

extern const struct format formats[FORMATS];

/* Writes the thing: a table of flows, a document, … */
typedef void (*write_fn)(struct ct_text *text, const struct output *output,
			 const void *thing);

/* All that is written, which is good until the next call. */
char *text_of(write_fn put, const struct output *output, const void *thing);

/* However small the buffer, the text is the same. */
void assert_same_text(write_fn put, const struct output *output, const void *thing,
		      size_t buffer_size);

/* A test of one thing in one format; the state of that test. */
struct golden_case {
	const void *thing;
	const struct format *format;
	char name[64]; /* also of the file in golden/ */
};

/* The text is decent, and what the file has; see support_golden.h. */
void assert_golden_case(const struct golden_case *c, const char *text);

/* Fills in tests, and their states, of the thing in the first `count` formats. */
void golden_tests(struct CMUnitTest *tests, struct golden_case *cases, size_t count,
		  CMUnitTestFunction golden, const char *name, const void *thing);

#endif
