/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_XML_H
#define EXPORT_XML_H
/*
 * Pieces of XML: what both dialects say of the document as a whole, and what is of the
 * dialect "conntracks".  For the files of these formats alone.
 */
#include "output.h"

/* Inlined, so that the length of the name before the number is known in time. */
#define XML_HOT inline __attribute__((always_inline))

static XML_HOT void
xml_put_number(struct ct_text *text, const char *before, uint64_t number)
{
	ct_text_str(text, before);
	ct_text_u64(text, number);
	ct_text_char(text, '"');
}

static XML_HOT void
xml_put_hex(struct ct_text *text, const char *before, uint64_t number)
{
	ct_text_str(text, before);
	ct_text_str(text, "0x");
	ct_text_hex(text, number);
	ct_text_char(text, '"');
}

/* A time as decimal seconds since 1970, to the nanosecond. */
static XML_HOT void
xml_put_time(struct ct_text *text, const char *before, uint64_t ns)
{
	ct_text_str(text, before);
	ct_text_u64(text, ns / 1000000000);
	ct_text_char(text, '.');
	ct_text_padded(text, ns % 1000000000, 9);
	ct_text_char(text, '"');
}

/* What a format has for metrics. */
int xml_put_metrics(struct ct_text *text, const struct ct_metric_source *sources,
		    size_t count);

/* The attributes of a document; none where nothing is known. */
void xml_put_head(struct ct_text *text, const struct output_head *head);

/* What is said at its end: what went wrong, and the totals, its last element. */
void xml_put_end(struct ct_text *text, const char *indent,
		 const struct output_end *end);

/* The attributes of a tuple, and the end of the element that has them. */
void xml_put_tuple(struct ct_text *text, const struct ct_tuple *tuple);

/* The attributes that no plain list has; `event` is NULL there. */
void xml_put_event(struct ct_text *text, const struct output_view *view,
		   const struct ct_event *event);

/* The element <expectation>; `event` is NULL in a plain list. */
void xml_put_expect(struct ct_text *text, const struct output_view *view,
		    const struct ct_expect *expect, const struct ct_event *event);

#endif
