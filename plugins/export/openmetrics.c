/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk over the metrics, written as lines. */
#include "openmetrics.h"

#define PREFIX "conntap_"

struct page {
	struct ct_text *text;
	bool prometheus;
	const struct ct_metric *metric; /* the one announced last */
};

static void
put_name(const struct page *page, const struct ct_metric *metric, bool sample)
{
	ct_text_str(page->text, PREFIX);
	ct_text_str(page->text, metric->name);
	if (metric->unit) {
		ct_text_char(page->text, '_');
		ct_text_str(page->text, metric->unit);
	}
	if (sample && metric->kind == CT_COUNTER)
		ct_text_str(page->text, "_total");
	if (sample && metric->kind == CT_INFO)
		ct_text_str(page->text, "_info");
}

static void
put_line(const struct page *page, const char *what, const struct ct_metric *metric,
	 const char *value)
{
	ct_text_str(page->text, what);
	/* To Prometheus, a metric is called as its samples are. */
	put_name(page, metric, page->prometheus);
	ct_text_char(page->text, ' ');
	ct_text_str(page->text, value);
	ct_text_char(page->text, '\n');
}

static const char *
kind_of(const struct page *page, const struct ct_metric *metric)
{
	switch (metric->kind) {
	case CT_COUNTER:
		return "counter";
	case CT_INFO:
		return page->prometheus ? "gauge" : "info";
	default:
		return "gauge";
	}
}

static void
announce(struct page *page, const struct ct_metric *metric)
{
	page->metric = metric;
	put_line(page, "# HELP ", metric, metric->help);
	put_line(page, "# TYPE ", metric, kind_of(page, metric));
	if (metric->unit && !page->prometheus)
		put_line(page, "# UNIT ", metric, metric->unit);
}

/* How many bytes the character at `at` has in UTF-8; 0: it is none. */
static unsigned int
utf8_length(const char *at)
{
	const unsigned char *byte = (const unsigned char *)at;
	unsigned int length = byte[0] < 0x80   ? 1
			      : byte[0] < 0xc2 ? 0
			      : byte[0] < 0xe0 ? 2
			      : byte[0] < 0xf0 ? 3
			      : byte[0] < 0xf5 ? 4
					       : 0;

	for (unsigned int i = 1; i < length; i++)
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, a surrogate, beyond the last one. */
	if ((byte[0] == 0xe0 && byte[1] < 0xa0) ||
	    (byte[0] == 0xed && byte[1] > 0x9f) ||
	    (byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] > 0x8f))
		return 0;
	return length;
}

/* The document is UTF-8; a name may be anything, and is then taken for Latin 1. */
static bool
is_utf8(const char *string)
{
	while (*string) {
		unsigned int length = utf8_length(string);

		if (length == 0)
			return false;
		string += length;
	}
	return true;
}

/* `sep` is what goes before the next label, and begins as '{'. */
static void
put_label(const struct page *page, char *sep, const char *name, const char *value)
{
	bool utf8 = is_utf8(value);

	ct_text_char(page->text, *sep);
	*sep = ',';
	ct_text_str(page->text, name);
	ct_text_str(page->text, "=\"");
	for (; *value; value++) {
		unsigned char byte = (unsigned char)*value;

		if (byte == '\\' || byte == '"' || byte == '\n')
			ct_text_char(page->text, '\\');
		if (byte >= 0x80 && !utf8) {
			ct_text_char(page->text, (char)(0xc0 | byte >> 6));
			byte = 0x80 | (byte & 0x3f);
		}
		ct_text_char(page->text, byte == '\n' ? 'n' : (char)byte);
	}
	ct_text_char(page->text, '"');
}

static void
put_value(const struct page *page, uint64_t value, unsigned int decimals)
{
	uint64_t unit = 1;

	for (unsigned int i = 0; i < decimals; i++)
		unit *= 10;
	ct_text_u64(page->text, value / unit);
	if (decimals) {
		ct_text_char(page->text, '.');
		ct_text_padded(page->text, value % unit, decimals);
	}
}

static int
put_sample(const struct ct_sample *sample, void *data)
{
	struct page *page = data;
	const struct ct_metric *metric = sample->metric;
	char sep = '{';

	if (metric != page->metric)
		announce(page, metric);
	put_name(page, metric, true);
	if (sample->source->netns)
		put_label(page, &sep, "netns", sample->source->netns);
	for (int i = 0; i < CT_METRIC_LABELS && metric->labels[i]; i++)
		put_label(page, &sep, metric->labels[i], sample->labels[i]);
	if (sep == ',')
		ct_text_char(page->text, '}');
	ct_text_char(page->text, ' ');
	put_value(page, sample->value, metric->decimals);
	ct_text_char(page->text, '\n');
	return 0;
}

int
output_metrics(struct ct_text *text, const struct ct_metric_source *sources,
	       size_t count, bool prometheus)
{
	struct page page = { .text = text, .prometheus = prometheus };
	int error = ct_metric_walk(sources, count, put_sample, &page);

	if (error == 0 && !prometheus)
		ct_text_str(text, "# EOF\n");
	return error;
}
