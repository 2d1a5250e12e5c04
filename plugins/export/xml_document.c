/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an XML document says of itself, in both dialects: whose table it is, and when,
 * at the beginning; at the end how much there was, so that a reader knows that this is
 * all; and, where they are asked for, all numbers about the table, in between.
 */
#include <stdio.h>

#include "xml.h"

/* That of the schemas; it grows when a reader has to know. */
#define SCHEMA_VERSION 1

static void
put_text(struct ct_text *text, const char *before, const char *string)
{
	ct_text_str(text, before);
	ct_text_xml(text, string);
	ct_text_char(text, '"');
}

static void
put_bool(struct ct_text *text, const char *before, bool is)
{
	ct_text_str(text, before);
	ct_text_str(text, is ? "true\"" : "false\"");
}

static void
put_kernel(struct ct_text *text, const struct ct_kernel *kernel)
{
	if (kernel->has & CT_KERNEL_COUNT)
		xml_put_number(text, " count=\"", kernel->count);
	if (kernel->has & CT_KERNEL_MAX)
		xml_put_number(text, " max=\"", kernel->max);
	if (kernel->has & CT_KERNEL_ACCT)
		put_bool(text, " accounting=\"", kernel->acct);
	if (kernel->has & CT_KERNEL_TIMESTAMP)
		put_bool(text, " timestamps=\"", kernel->timestamp);
}

void
xml_put_head(struct ct_text *text, const struct output_head *head)
{
	if (!head)
		return;
	xml_put_number(text, " version=\"", SCHEMA_VERSION);
	ct_text_str(text, " generator=\"conntap " CONNTAP_VERSION "\"");
	if (head->host)
		put_text(text, " host=\"", head->host);
	if (head->netns)
		put_text(text, " netns=\"", head->netns);
	if (head->begun)
		xml_put_time(text, " begun=\"", head->begun);
	if (head->kernel)
		put_kernel(text, head->kernel);
	if (head->filter && *head->filter)
		put_text(text, " filter=\"", head->filter);
}

static void
put_totals(struct ct_text *text, const char *indent, const struct output_end *end)
{
	if (!end->ended)
		return;
	ct_text_str(text, indent);
	ct_text_printf(text, "<totals %s=\"%llu\"", output_subject_name(end->subject),
		       (unsigned long long)end->flows);
	if (end->with_expectations)
		xml_put_number(text, " expectations=\"", end->expectations);
	if (end->subject == OUTPUT_EVENTS)
		xml_put_number(text, " lost=\"", end->lost);
	xml_put_number(text, " malformed=\"", end->malformed);
	put_bool(text, " complete=\"", end->complete);
	if (end->kernel && end->kernel->has & CT_KERNEL_COUNT)
		xml_put_number(text, " count=\"", end->kernel->count);
	xml_put_time(text, " ended=\"", end->ended);
	ct_text_str(text, " />\n");
}

void
xml_put_end(struct ct_text *text, const char *indent, const struct output_end *end)
{
	const char *noun = output_subject_name(end->subject);

	if (end->malformed)
		ct_text_printf(text, "%s<!-- %llu %s could not be read -->\n", indent,
			       (unsigned long long)end->malformed, noun);
	if (!end->complete)
		ct_text_printf(text, "%s<!-- ended early, after %llu %s -->\n", indent,
			       (unsigned long long)end->flows, noun);
	put_totals(text, indent, end);
}

static void
put_value(struct ct_text *text, uint64_t value, unsigned int decimals)
{
	uint64_t unit = 1;

	for (unsigned int i = 0; i < decimals; i++)
		unit *= 10;
	ct_text_str(text, " value=\"");
	ct_text_u64(text, value / unit);
	if (decimals) {
		ct_text_char(text, '.');
		ct_text_padded(text, value % unit, decimals);
	}
	ct_text_char(text, '"');
}

static int
put_sample(const struct ct_sample *sample, void *data)
{
	static const char *const kinds[] = {
		[CT_GAUGE] = "gauge",
		[CT_COUNTER] = "counter",
		[CT_INFO] = "info",
	};
	const struct ct_metric *metric = sample->metric;
	struct ct_text *text = data;

	ct_text_printf(text, "      <metric name=\"%s%s%s\" kind=\"%s\"", metric->name,
		       metric->unit ? "_" : "", metric->unit ? metric->unit : "",
		       kinds[metric->kind]);
	if (sample->source->netns)
		put_text(text, " netns=\"", sample->source->netns);
	for (int i = 0; i < CT_METRIC_LABELS && metric->labels[i]; i++) {
		ct_text_printf(text, " %s=\"", metric->labels[i]);
		ct_text_xml(text, sample->labels[i]);
		ct_text_char(text, '"');
	}
	put_value(text, sample->value, metric->decimals);
	ct_text_str(text, " />\n");
	return 0;
}

int
xml_put_metrics(struct ct_text *text, const struct ct_metric_source *sources,
		size_t count)
{
	int error;

	ct_text_str(text, "   <metrics>\n");
	error = ct_metric_walk(sources, count, put_sample, text);
	ct_text_str(text, "   </metrics>\n");
	return error;
}
