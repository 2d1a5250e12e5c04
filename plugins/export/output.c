/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of formats. */
#include "output.h"

struct format {
	const char *name;
	const struct output *output;
};

/* As options name them; a dialect's own name is in its struct output. */
static const struct format formats[] = {
	{ "text", &output_text },       { "xml", &output_xml },
	{ "flows", &output_xml_flows }, { "json", &output_json },
	{ "save", &output_save },
};

static const struct output *const dialects[] = { &output_xml, &output_xml_flows };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct output *
output_dialect(const char *name)
{
	for (size_t i = 0; i < COUNT(dialects); i++)
		if (ct_same_word(name, dialects[i]->name))
			return dialects[i];
	return NULL;
}

const struct output *
output_format(const char *name)
{
	for (size_t i = 0; i < COUNT(formats); i++)
		if (ct_same_word(name, formats[i].name))
			return formats[i].output;
	return NULL;
}

const char *
output_subject_name(enum output_subject subject)
{
	static const char *const names[] = {
		[OUTPUT_FLOWS] = "flows",
		[OUTPUT_EVENTS] = "events",
		[OUTPUT_EXPECTATIONS] = "expectations",
	};

	return names[subject];
}

const char *
output_event_name(enum ct_event_kind kind)
{
	static const char *const names[] = {
		[CT_EVENT_NEW] = "new",
		[CT_EVENT_UPDATE] = "update",
		[CT_EVENT_DESTROY] = "destroy",
		[CT_EVENT_LOST] = "lost",
	};

	return names[kind];
}

uint64_t
output_event_time(const struct output_view *view, const struct ct_event *event)
{
	if (event->flow && event->flow->has & CT_EVENT_TIME)
		return event->flow->event_time;
	return view->now;
}
