/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_OUTPUT_H
#define EXPORT_OUTPUT_H
/*
 * Formats: what a stream of flows looks like outside.  A format is one file and one
 * row of outputs[].  For the commands that show flows.
 */
#include <stdbool.h>
#include <stdint.h>

#include "common/flow.h"
#include "common/label.h"
#include "common/text.h"

/* What a format may want to know besides the flow; all of it can be left 0. */
struct output_view {
	const struct ct_labels *labels; /* for their names */
	uint64_t now;                   /* ns since 1970, for ages */
};

struct output_end {
	uint64_t flows;
	uint64_t malformed; /* not shown, because they could not be read */
	bool complete;      /* false: the pass was ended early */
};

struct output {
	const char *name;
	void (*begin)(struct ct_text *text);
	void (*flow)(struct ct_text *text, const struct output_view *view,
		     const struct ct_flow *flow);
	void (*end)(struct ct_text *text, const struct output_end *end);
};

extern const struct output output_text;
extern const struct output output_xml;       /* the dialect "conntracks" */
extern const struct output output_xml_flows; /* the dialect "flows" */

/* The XML dialect of that name; NULL. */
const struct output *output_dialect(const char *name);

/* "ipv4 192.0.2.1->198.51.100.1 tcp 40000->80": a flow in a line, without its end. */
void output_text_flow(struct ct_text *text, const struct ct_flow *flow);

#endif
