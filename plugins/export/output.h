/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_OUTPUT_H
#define EXPORT_OUTPUT_H
/*
 * Formats: what a stream of flows looks like outside.  A format is one file and one
 * row of outputs[].  For the commands that show flows.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/events.h"
#include "common/expect.h"
#include "common/flow.h"
#include "common/kernel.h"
#include "common/label.h"
#include "common/metric.h"
#include "common/text.h"

/* What a format may want to know besides the flow; all of it can be left 0. */
struct output_view {
	const struct ct_labels *labels; /* for their names */
	const char *netns; /* the namespace that the flow is in, when asked for */
	uint64_t now;      /* ns since 1970: for ages, and the time of events */
	bool show_time;    /* text: begin events with their time */
};

/* What a document is about. */
enum output_subject {
	OUTPUT_FLOWS,
	OUTPUT_EVENTS,
	OUTPUT_EXPECTATIONS,
};

/* What XML says of itself at its beginning: whose table this is, when, and what of it.
 */
struct output_head {
	const char *host;
	const char *netns;              /* NULL: the present one, or several */
	const char *filter;             /* the conditions, as they were given */
	uint64_t begun;                 /* ns since 1970 */
	const struct ct_kernel *kernel; /* as it was then; NULL: not looked at */
};

struct output_end {
	enum output_subject subject;
	uint64_t flows;        /* or events, or expectations: the subject */
	uint64_t expectations; /* besides flows */
	uint64_t malformed;    /* not shown, because they could not be read */
	uint64_t lost;         /* events */
	bool complete;         /* false: the pass was ended early */
	bool with_expectations;
	uint64_t ended;                 /* ns since 1970; 0: XML has no totals */
	const struct ct_kernel *kernel; /* as it is now; NULL: not looked at */
};

struct output {
	const char *name;
	/* `head` may be NULL. */
	void (*begin)(struct ct_text *text, const struct output_head *head);
	void (*flow)(struct ct_text *text, const struct output_view *view,
		     const struct ct_flow *flow);
	void (*expect)(struct ct_text *text, const struct output_view *view,
		       const struct ct_expect *expect);
	/* New, changed and ended flows and expectations; losses too. */
	void (*event)(struct ct_text *text, const struct output_view *view,
		      const struct ct_event *event);
	/* All numbers about the table; NULL where the format has no place for them.
	 * Returns 0 or -ENOMEM. */
	int (*metrics)(struct ct_text *text, const struct ct_metric_source *sources,
		       size_t count);
	void (*end)(struct ct_text *text, const struct output_end *end);
};

extern const struct output output_text;
extern const struct output output_xml;       /* the dialect "conntracks" */
extern const struct output output_xml_flows; /* the dialect "flows" */
extern const struct output output_json;      /* an object a line */
extern const struct output output_save;      /* the input of conntrack -R */

/* The XML dialect, and the format (text, xml, flows, json, save), of that name; NULL.
 */
const struct output *output_dialect(const char *name);
const struct output *output_format(const char *name);

/* "new", "update", "destroy", "lost". */
const char *output_event_name(enum ct_event_kind kind);

/* When it happened, in ns since 1970: by the kernel, else by the view; 0: unknown. */
uint64_t output_event_time(const struct output_view *view,
			   const struct ct_event *event);

/* "flows", "events", "expectations". */
const char *output_subject_name(enum output_subject subject);

/* "ipv4 192.0.2.1->198.51.100.1 tcp 40000->80": a flow in a line, without its end. */
void output_text_flow(struct ct_text *text, const struct ct_flow *flow);

#endif
