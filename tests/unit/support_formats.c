/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support_formats.h"

#include "support_golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/export/output.h"

#define TEXT_SIZE 65536

const struct format formats[FORMATS] = {
	{ &output_xml, "conntracks.xml" }, { &output_xml_flows, "flows.xml" },
	{ &output_text, "txt" },           { &output_json, "json" },
	{ &output_save, "save" },
};

char *
text_of(write_fn put, const struct output *output, const void *thing)
{
	static char whole[TEXT_SIZE];
	struct ct_text text;

	ct_text_init(&text, whole, sizeof(whole), NULL, NULL);
	put(&text, output, thing);
	ct_text_char(&text, '\0');
	assert_int_equal(text.error, 0);
	return whole;
}

static int
append(const char *bytes, size_t size, void *data)
{
	strncat(data, bytes, size);
	return 0;
}

void
assert_same_text(write_fn put, const struct output *output, const void *thing,
		 size_t buffer_size)
{
	static char pieces[TEXT_SIZE];
	char *buffer = malloc(buffer_size);
	struct ct_text text;

	assert_non_null(buffer);
	pieces[0] = '\0';
	ct_text_init(&text, buffer, buffer_size, append, pieces);
	put(&text, output, thing);
	assert_int_equal(ct_text_flush(&text), 0);
	free(buffer);
	assert_string_equal(pieces, text_of(put, output, thing));
}

void
assert_golden_case(const struct golden_case *c, const char *text)
{
	assert_printable(c->name, text);
	if (c->format->output == &output_json)
		assert_json(c->name, text);
	assert_golden(c->name, text);
}

void
golden_tests(struct CMUnitTest *tests, struct golden_case *cases, size_t count,
	     CMUnitTestFunction golden, const char *name, const void *thing)
{
	for (size_t i = 0; i < count; i++) {
		struct golden_case *c = &cases[i];

		c->thing = thing;
		c->format = &formats[i];
		snprintf(c->name, sizeof(c->name), "%s.%s", name, c->format->extension);
		tests[i] = (struct CMUnitTest){ .name = c->name,
						.test_func = golden,
						.initial_state = c };
	}
}
