/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events, expectations and namespaces in each format, byte by byte against the files in
 * golden/; see support_golden.h.
 */
#include "support.h"
#include "support_formats.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "plugins/export/output.h"

#define NS UINT64_C(1000000000)
#define NOW (UINT64_C(1700000000) * NS + 123456789)
#define ITEMS_MAX 8

/* One thing that is shown: an event, or the flow or expectation alone. */
struct item {
	bool is_event;
	enum ct_event_kind kind;
	bool has_flow;
	struct ct_flow flow;
	bool has_expect;
	struct ct_expect expect;
	uint64_t lost;
	const char *netns;
	bool timeless; /* the view has no time */
};

static struct ct_flow
new_flow(void)
{
	struct ct_flow flow =
		flow_of(IPPROTO_TCP, "192.0.2.1", 40000, "198.51.100.1", 80);

	flow.has |= CT_ID | CT_STATUS | CT_TIMEOUT | CT_STATE;
	flow.id = 5;
	flow.status = CT_CONFIRMED;
	flow.timeout = 120;
	flow.state = 1;
	return flow;
}

static struct ct_flow
ended_flow(void)
{
	struct ct_flow flow = new_flow();

	flow.has &= ~CT_TIMEOUT;
	flow.has |= CT_COUNTERS | CT_START | CT_STOP | CT_EVENT_TIME;
	flow.status |= CT_SEEN_REPLY | CT_ASSURED | CT_SRC_NAT;
	flow.state = 7;
	flow.reply.dst = addr_of("203.0.113.1");
	flow.counters[CT_ORIG] = (struct ct_counters){ 5, 300 };
	flow.counters[CT_REPLY] = (struct ct_counters){ 4, 4000000000 };
	flow.start = NOW - 10 * NS;
	flow.stop = NOW - NS;
	flow.event_time = NOW - NS + 1;
	return flow;
}

/* The data connection of FTP, from any port of the server's. */
static struct ct_expect
ftp_expect(void)
{
	struct ct_expect expect = {
		.has = CT_EXPECT_HAS_TUPLE | CT_EXPECT_HAS_MASK | CT_EXPECT_HAS_MASTER |
		       CT_EXPECT_HAS_TIMEOUT | CT_EXPECT_HAS_ID | CT_EXPECT_HAS_FLAGS |
		       CT_EXPECT_HAS_CLASS | CT_EXPECT_HAS_HELPER,
		.timeout = 299,
		.id = 4294967295,
		.helper = "ftp",
	};

	expect.tuple = flow_of(IPPROTO_TCP, "10.0.0.2", 0, "10.0.0.3", 40000).orig;
	expect.mask =
		flow_of(IPPROTO_TCP, "255.255.255.255", 0, "255.255.255.255", 65535)
			.orig;
	expect.master = flow_of(IPPROTO_TCP, "10.0.0.2", 1, "10.0.0.3", 21).orig;
	return expect;
}

/* All that there can be, with a master that speaks another protocol. */
static struct ct_expect
full_expect(void)
{
	struct ct_expect expect = ftp_expect();

	expect.has |= CT_EXPECT_HAS_NAT | CT_EXPECT_HAS_ZONE | CT_EXPECT_HAS_FN;
	expect.tuple = flow_of(IPPROTO_GRE, "10.0.0.2", 0, "10.0.0.3", 0xbeef).orig;
	expect.mask = flow_of(IPPROTO_GRE, "0.0.0.0", 0, "255.255.255.255", 65535).orig;
	expect.nat = flow_of(IPPROTO_TCP, "203.0.113.9", 1025, "0.0.0.0", 0).orig;
	expect.nat_dir = CT_REPLY;
	expect.flags = CT_EXPECT_PERMANENT | CT_EXPECT_INACTIVE | CT_EXPECT_USERSPACE |
		       1u << 31;
	expect.helper_class = 1;
	expect.zone = 7;
	strcpy(expect.helper, "\"<&>\x01\xc3\xa9");
	strcpy(expect.fn, "nat-follow-master");
	return expect;
}

static struct ct_expect
sip_expect(void)
{
	struct ct_expect expect = {
		.has = CT_EXPECT_HAS_TUPLE | CT_EXPECT_HAS_MASK | CT_EXPECT_HAS_FLAGS,
	};

	expect.tuple = flow_of(IPPROTO_UDP, "2001:db8::1", 0, "2001:db8::2", 5060).orig;
	expect.mask = flow_of(IPPROTO_UDP, "::", 0,
			      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535)
			      .orig;
	return expect;
}

static size_t
flow_events(struct item *items)
{
	items[0].has_flow = items[1].has_flow = items[2].has_flow = true;
	items[0].kind = CT_EVENT_NEW;
	items[0].flow = new_flow();
	items[1].kind = CT_EVENT_UPDATE;
	items[1].flow = new_flow();
	items[1].flow.state = 3;
	items[1].timeless = true;
	items[2].kind = CT_EVENT_DESTROY;
	items[2].flow = ended_flow();
	items[3].kind = CT_EVENT_LOST;
	items[3].lost = UINT64_MAX;
	items[4].kind = CT_EVENT_LOST;
	items[4].lost = 1;
	items[4].netns = "blue";
	items[4].timeless = true;
	items[5].has_flow = true;
	items[5].kind = CT_EVENT_DESTROY;
	items[5].flow = new_flow();
	items[5].netns = "\"<&>\x01\xc3\xa9";
	for (int i = 0; i < 6; i++)
		items[i].is_event = true;
	return 6;
}

static size_t
expect_events(struct item *items)
{
	for (int i = 0; i < 3; i++) {
		items[i].is_event = items[i].has_expect = true;
		items[i].kind = (enum ct_event_kind)(CT_EVENT_NEW + i);
		items[i].expect = ftp_expect();
	}
	items[2].expect = full_expect();
	items[2].netns = "red";
	return 3;
}

static size_t
expects(struct item *items)
{
	items[0].expect = ftp_expect();
	items[1].expect = full_expect();
	items[2].expect = sip_expect();
	items[3].expect = ftp_expect();
	items[3].netns = "blue";
	for (int i = 0; i < 4; i++)
		items[i].has_expect = true;
	return 4;
}

static size_t
namespaces(struct item *items)
{
	items[0].has_flow = items[1].has_flow = true;
	items[0].flow = items[1].flow = new_flow();
	items[0].netns = "blue";
	items[1].netns = "red\n";
	return 2;
}

static const struct scene {
	const char *name;
	size_t (*fill)(struct item *items);
	enum output_subject subject;
	bool early;
	uint64_t lost;
} scenes[] = {
	{ "events", flow_events, OUTPUT_EVENTS, false, UINT64_MAX },
	{ "events-early", flow_events, OUTPUT_EVENTS, true, 2 },
	{ "expect-events", expect_events, OUTPUT_EVENTS, false, 0 },
	{ "expects", expects, OUTPUT_EXPECTATIONS, false, 0 },
	{ "namespaces", namespaces, OUTPUT_FLOWS, false, 0 },
};

static void
write_item(struct ct_text *text, const struct output *output, const struct item *item)
{
	const struct output_view view = { .netns = item->netns,
					  .now = item->timeless ? 0 : NOW,
					  .show_time = true };
	const struct ct_event event = { .kind = item->kind,
					.flow = item->has_flow ? &item->flow : NULL,
					.expect =
						item->has_expect ? &item->expect : NULL,
					.lost = item->lost,
					.nsid = CT_NSID_HERE };

	if (item->is_event)
		output->event(text, &view, &event);
	else if (item->has_flow)
		output->flow(text, &view, &item->flow);
	else
		output->expect(text, &view, &item->expect);
}

static void
write_scene(struct ct_text *text, const struct output *output, const void *thing)
{
	const struct scene *scene = thing;
	struct item items[ITEMS_MAX];
	struct output_end end = { .complete = !scene->early,
				  .lost = scene->lost,
				  .subject = scene->subject };

	memset(items, 0, sizeof(items));
	end.flows = scene->fill(items);
	output->begin(text, NULL);
	for (uint64_t i = 0; i < end.flows; i++)
		write_item(text, output, &items[i]);
	output->end(text, &end);
}

static void
golden(void **state)
{
	const struct golden_case *c = *state;

	assert_golden_case(c, text_of(write_scene, c->format->output, c->thing));
}

/* Without show_time, lines have no time, though it is known. */
static void
no_time(void **unused)
{
	const struct output_view view = { .now = NOW };
	const struct ct_event event = { .kind = CT_EVENT_LOST, .lost = 3 };
	char buffer[CT_TEXT_MIN];
	struct ct_text text;

	(void)unused;
	ct_text_init(&text, buffer, sizeof(buffer), NULL, NULL);
	output_text.event(&text, &view, &event);
	ct_text_char(&text, '\0');
	assert_string_equal(buffer, "[LOST] 3 event(s)\n");
}

static void
small_buffer(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(scenes); i++)
		for (size_t j = 0; j < FORMATS; j++)
			assert_same_text(write_scene, formats[j].output, &scenes[i],
					 CT_TEXT_MIN);
}

int
main(void)
{
	static struct golden_case cases[COUNT(scenes)][FORMATS];
	struct CMUnitTest tests[2 + COUNT(scenes) * FORMATS] = {
		cmocka_unit_test(no_time),
		cmocka_unit_test(small_buffer),
	};

	for (size_t i = 0; i < COUNT(scenes); i++)
		golden_tests(&tests[2 + i * FORMATS], cases[i], FORMATS, golden,
			     scenes[i].name, &scenes[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
