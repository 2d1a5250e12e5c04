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

/* `sep` is what goes before the next label, and begins as '{'. */
static void
put_label(const struct page *page, char *sep, const char *name, const char *value)
{
	ct_text_char(page->text, *sep);
	*sep = ',';
	ct_text_str(page->text, name);
	ct_text_str(page->text, "=\"");
	for (; *value; value++) {
		if (*value == '\\' || *value == '"' || *value == '\n')
			ct_text_char(page->text, '\\');
		ct_text_char(page->text, *value == '\n' ? 'n' : *value);
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
