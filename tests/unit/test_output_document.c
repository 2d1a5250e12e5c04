/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What documents say of themselves: heads, totals and metrics in both dialects, byte by
 * byte against the files in golden/; see support_golden.h.
 */
#include "support.h"
#include "support_formats.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "plugins/export/output.h"

#define NS UINT64_C(1000000000)
#define BEGUN (UINT64_C(1700000000) * NS + 1)
#define ENDED (UINT64_C(1700000001) * NS + 999999999)
#define HOSTILE "\"<&>\x01\xc3\xa9'"
#define TEXT_SIZE 65536

static const struct ct_kernel full_kernel = {
	.has = CT_KERNEL_COUNT | CT_KERNEL_MAX | CT_KERNEL_BUCKETS | CT_KERNEL_ACCT |
	       CT_KERNEL_TIMESTAMP | CT_KERNEL_EVENTS | CT_KERNEL_EXPECT_MAX |
	       CT_KERNEL_EXPECTS,
	.count = UINT32_MAX,
	.max = 262144,
	.buckets = 65536,
	.acct = 1,
	.timestamp = 0,
	.events = 2,
	.expect_max = 1024,
	.expects = 3,
};

/* The same, in a namespace without a limit, or from which nothing could be read. */
static const struct ct_kernel other_kernel = {
	.has = CT_KERNEL_MAX | CT_KERNEL_ACCT | CT_KERNEL_TIMESTAMP,
	.count = 7,
	.acct = 0,
	.timestamp = 1,
};
static const struct ct_kernel mute_kernel = {
	.count = 7,
	.max = 8,
	.acct = 1,
	.timestamp = 1,
};

static const struct output_head full_head = {
	.host = "gateway.example.net",
	.netns = "blue",
	.filter = "--protonum tcp --any-nat",
	.begun = BEGUN,
	.kernel = &full_kernel,
};
static const struct output_head hostile_head = {
	.host = HOSTILE,
	.netns = HOSTILE,
	.filter = "--helper " HOSTILE " --any-nat ]]> --> <!--",
	.begun = BEGUN,
	.kernel = &other_kernel,
};
/* As of events; an empty filter is none. */
static const struct output_head little_head = {
	.host = "",
	.filter = "",
	.begun = BEGUN,
};
static const struct output_head mute_head = {
	.host = "gateway",
	.begun = BEGUN,
	.kernel = &mute_kernel,
};
static const struct output_head empty_head = { 0 };

#define WHOLE .complete = true, .ended = ENDED
#define TABLE .kernel = &full_kernel

static const struct document {
	const char *name;
	const struct output_head *head;
	struct output_end end;
	bool metrics;
} documents[] = {
	{ "document", &full_head, { .flows = UINT64_MAX, WHOLE, TABLE }, false },
	{ "document-hostile",
	  &hostile_head,
	  { .flows = 1, .complete = true, .ended = 1, .kernel = &other_kernel },
	  false },
	{ "document-mute", &mute_head, { WHOLE, .kernel = &mute_kernel }, false },
	{ "document-nothing",
	  &empty_head,
	  { .flows = 9, .expectations = 9, .lost = 9, .complete = true },
	  false },
	{ "document-expects",
	  &full_head,
	  { .flows = 3,
	    .expectations = UINT64_MAX,
	    .with_expectations = true,
	    WHOLE,
	    TABLE },
	  false },
	/* Asked for, but there are none; losses are of events only. */
	{ "document-no-expects",
	  &full_head,
	  { .flows = 3, .with_expectations = true, .lost = 9, WHOLE, TABLE },
	  false },
	{ "document-events",
	  &little_head,
	  { .subject = OUTPUT_EVENTS, .flows = 5, WHOLE },
	  false },
	{ "document-losses",
	  &little_head,
	  { .subject = OUTPUT_EVENTS,
	    .flows = 5,
	    .lost = UINT64_MAX,
	    .malformed = 2,
	    WHOLE },
	  false },
	{ "document-expectations",
	  &little_head,
	  { .subject = OUTPUT_EXPECTATIONS, .flows = 4, WHOLE },
	  false },
	{ "document-early",
	  &full_head,
	  { .flows = 2, .malformed = UINT64_MAX, .ended = ENDED, TABLE },
	  false },
	{ "document-metrics", &full_head, { .flows = 1, WHOLE, TABLE }, true },
};

/* Numbers of every kind: of a namespace with a name that wants to be markup, and of one
 * without. */
struct scene {
	struct ct_stats stats;
	struct ct_pass_report pass;
	struct ct_metric_source sources[2];
};

static void
scene_init(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	assert_int_equal(ct_stats_parse(&scene->stats, "entries found drop\n"
						       "00000003 00000004 ffffffff\n"
						       "00000003 00000000 00000000\n"),
			 0);
	scene->pass = (struct ct_pass_report){
		.nanoseconds = 1000000001,
		.flows = UINT64_MAX,
		.malformed = 1,
	};
	scene->sources[0] = (struct ct_metric_source){
		.netns = HOSTILE,
		.kernel = &full_kernel,
		.stats = &scene->stats,
		.pass = &scene->pass,
	};
	scene->sources[1] = (struct ct_metric_source){
		.kernel = &other_kernel,
	};
}

static void
write_metrics(struct ct_text *text, const struct output *output)
{
	static struct scene scene;

	scene_init(&scene);
	assert_int_equal(output->metrics(text, scene.sources, COUNT(scene.sources)), 0);
	ct_stats_done(&scene.stats);
}

static void
write_document(struct ct_text *text, const struct output *output, const void *thing)
{
	const struct document *document = thing;

	output->begin(text, document->head);
	if (document->metrics)
		write_metrics(text, output);
	output->end(text, &document->end);
}

/* As the files in golden/ have it: of any version, on any kernel. */
static void
settle(char *text, const char *present, const char *any)
{
	static char rest[TEXT_SIZE];

	for (char *at = text; (at = strstr(at, present)); at += strlen(any)) {
		strcpy(rest, at + strlen(present));
		strcpy(at, any);
		strcat(at, rest);
	}
}

static void
settle_all(char *text)
{
	struct utsname name;
	char release[sizeof(name.release) + 16];

	assert_int_equal(uname(&name), 0);
	snprintf(release, sizeof(release), " kernel=\"%s\"", name.release);
	settle(text, " generator=\"conntap " CONNTAP_VERSION "\"",
	       " generator=\"conntap VERSION\"");
	settle(text, " version=\"" CONNTAP_VERSION "\"", " version=\"VERSION\"");
	settle(text, release, " kernel=\"RELEASE\"");
}

static void
golden(void **state)
{
	const struct golden_case *c = *state;
	char *text = text_of(write_document, c->format->output, c->thing);

	settle_all(text);
	assert_golden_case(c, text);
}

/* Programs that read lines have no use for all that. */
static void
other_formats(void **unused)
{
	const struct document *document = &documents[0];
	struct document plain = *document;
	char text[CT_TEXT_MIN];

	(void)unused;
	plain.head = NULL;
	plain.end.ended = 0;
	plain.end.kernel = NULL;
	for (size_t i = XML_FORMATS; i < FORMATS; i++) {
		const struct output *output = formats[i].output;

		snprintf(text, sizeof(text), "%s",
			 text_of(write_document, output, document));
		assert_string_equal(text, text_of(write_document, output, &plain));
		assert_null(output->metrics);
	}
}

/* Even where the filter is longer than the buffer. */
static void
small_buffer(void **unused)
{
	static char filter[1024];
	const struct output_head long_head = { .filter = filter };
	const struct document long_document = { .head = &long_head };

	(void)unused;
	memset(filter, '<', sizeof(filter) - 1);
	for (size_t i = 0; i < XML_FORMATS; i++) {
		const struct output *output = formats[i].output;

		assert_same_text(write_document, output, &long_document, CT_TEXT_MIN);
		for (size_t j = 0; j < COUNT(documents); j++)
			assert_same_text(write_document, output, &documents[j],
					 CT_TEXT_MIN);
	}
}

int
main(void)
{
	static struct golden_case cases[COUNT(documents)][XML_FORMATS];
	struct CMUnitTest tests[2 + COUNT(documents) * XML_FORMATS] = {
		cmocka_unit_test(other_formats),
		cmocka_unit_test(small_buffer),
	};

	for (size_t i = 0; i < COUNT(documents); i++)
		golden_tests(&tests[2 + i * XML_FORMATS], cases[i], XML_FORMATS, golden,
			     documents[i].name, &documents[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
