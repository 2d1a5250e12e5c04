/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics: that all of them can be told apart, and which there are of which source;
 * the two texts, against files in golden/ and against the rules of OpenMetrics.
 */
#include "support.h"
#include "support_golden.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "common/metric.h"
#include "plugins/export/openmetrics.h"

#define SAMPLES_MAX 32768
#define TEXT_SIZE 262144
#define KERNEL_ALL 0xff
#define BUILD "version=\"VERSION\",kernel=\"RELEASE\""

/* A namespace with all that can be measured of it. */
struct scene {
	struct ct_kernel kernel;
	struct ct_stats stats;
	struct ct_census census;
	struct ct_nat *nat;
	struct ct_pass_report pass;
	struct ct_metric_source source;
};

static void
count_flow(struct scene *scene, struct ct_flow flow, uint32_t status, uint32_t mark)
{
	flow.has |= CT_STATUS | CT_MARK;
	flow.status = status;
	flow.mark = mark;
	assert_int_equal(ct_census_add(&scene->census, &flow), 0);
	assert_int_equal(ct_nat_add(scene->nat, &flow), 0);
}

static struct ct_flow
counted(struct ct_flow flow, uint64_t number)
{
	flow.has |= CT_COUNTERS;
	flow.counters[CT_ORIG] = (struct ct_counters){ number, 100 * number };
	flow.counters[CT_REPLY] = (struct ct_counters){ number + 1, 1000 * number };
	return flow;
}

static struct ct_flow
with_state(struct ct_flow flow, uint8_t state)
{
	flow.has |= CT_STATE;
	flow.state = state;
	return flow;
}

static struct ct_flow
in_zone(struct ct_flow flow, uint16_t zone)
{
	flow.has |= CT_ZONE;
	flow.zone = zone;
	return flow;
}

static struct ct_flow
from(struct ct_flow flow, const char *addr, uint16_t port)
{
	flow.reply.dst = addr_of(addr);
	flow.reply.dport = port;
	return flow;
}

static void
count_flows(struct scene *scene)
{
	const uint32_t plain = CT_SEEN_REPLY | CT_ASSURED | CT_CONFIRMED;
	const uint32_t nat = plain | CT_SRC_NAT | CT_SRC_NAT_DONE;
	struct ct_flow tcp = flow_of(IPPROTO_TCP, "10.0.0.1", 40000, "192.0.2.7", 443);
	struct ct_flow udp6 = flow_of(IPPROTO_UDP, "fd00::1", 5353, "2001:db8::7", 53);
	struct ct_flow echo = echo_of("10.0.0.1", "192.0.2.7", 4711);

	count_flow(scene, with_state(counted(tcp, 5), 3), plain, 0);
	count_flow(scene, with_state(counted(tcp, 70), 3), plain, 0);
	count_flow(scene, with_state(tcp, 1), CT_CONFIRMED, 7);
	/* A state without a name. */
	count_flow(scene, with_state(tcp, 15), plain, 0);
	count_flow(scene, counted(udp6, 1), CT_CONFIRMED, 0x2a0001);
	count_flow(scene, in_zone(counted(udp6, 1), 5), CT_CONFIRMED, UINT32_MAX);
	count_flow(scene, in_zone(udp6, 65535), plain | CT_OFFLOAD, 7);
	count_flow(scene, in_zone(counted(echo, 3), 5), CT_SEEN_REPLY | CT_CONFIRMED,
		   0);
	count_flow(scene, counted(flow_of(253, "fd00::1", 0, "fd00::2", 0), 9), 0, 0);
	count_flow(scene, with_state(from(tcp, "203.0.113.9", 40000), 3), nat, 0);
	count_flow(scene, with_state(from(tcp, "203.0.113.9", 40001), 7), nat, 1);
	count_flow(scene, in_zone(from(udp6, "2001:db8::9", 5353), 5), nat, 2);
}

static void
scene_init(struct scene *scene, const char *netns)
{
	static const char stats[] =
		"entries  clashres found new invalid ignore delete chainlength insert "
		"insert_failed drop early_drop icmp_error  expect_new expect_create "
		"expect_delete search_restart\n"
		"00000003  00000004 00000005 00000000 00000006 00000000 00000000 "
		"00000007 00000008 00000009 0000000a 0000000b 0000000c  0000000d "
		"0000000e 0000000f 00000010\n"
		"00000003  00000000 00000000 00000000 00000000 00000000 00000000 "
		"00000000 00000000 00000000 00000000 ffffffff 00000000  00000000 "
		"00000000 00000000 00000000\n";

	memset(scene, 0, sizeof(*scene));
	scene->kernel = (struct ct_kernel){
		.has = KERNEL_ALL,
		.count = 12,
		.max = 262144,
		.buckets = 65536,
		.acct = 1,
		.events = 2,
		.expect_max = 1024,
		.expects = 3,
	};
	assert_int_equal(ct_stats_parse(&scene->stats, stats), 0);
	ct_census_init(&scene->census);
	scene->nat = ct_nat_new();
	assert_non_null(scene->nat);
	scene->pass = (struct ct_pass_report){
		.nanoseconds = 1020304050,
		.flows = 12,
		.repeated = 2,
		.malformed = 1,
	};
	scene->source = (struct ct_metric_source){
		.netns = netns,
		.kernel = &scene->kernel,
		.stats = &scene->stats,
		.census = &scene->census,
		.nat = scene->nat,
		.pass = &scene->pass,
	};
}

static void
scene_done(struct scene *scene)
{
	ct_stats_done(&scene->stats);
	ct_census_done(&scene->census);
	ct_nat_free(scene->nat);
}

/* A sample as words, for what a sample points to does not stay. */
struct seen {
	char metric[64]; /* with its unit */
	char labels[256];
	char other[16]; /* the last label */
	uint64_t value;
	enum ct_metric_kind kind;
};

struct walked {
	struct seen seen[SAMPLES_MAX];
	size_t count;
	const struct ct_metric *metric;
	size_t stop; /* at this one; 0: never */
};

static void
name_of(const struct ct_metric *metric, char *name, size_t size)
{
	snprintf(name, size, "%s%s%s", metric->name, metric->unit ? "_" : "",
		 metric->unit ? metric->unit : "");
}

static int
see(const struct ct_sample *sample, void *data)
{
	const char *netns = sample->source->netns;
	struct walked *walked = data;
	struct seen *seen = &walked->seen[walked->count++];
	size_t used;

	assert_true(walked->count <= SAMPLES_MAX);
	memset(seen, 0, sizeof(*seen));
	name_of(sample->metric, seen->metric, sizeof(seen->metric));
	used = (size_t)snprintf(seen->labels, sizeof(seen->labels), "netns=%s",
				netns ? netns : "");
	for (int i = 0; i < CT_METRIC_LABELS && sample->metric->labels[i]; i++) {
		assert_non_null(sample->labels[i]);
		snprintf(seen->other, sizeof(seen->other), "%s", sample->labels[i]);
		used += (size_t)snprintf(seen->labels + used,
					 sizeof(seen->labels) - used, ",%s=%s",
					 sample->metric->labels[i], sample->labels[i]);
		assert_true(used < sizeof(seen->labels));
	}
	seen->value = sample->value;
	seen->kind = sample->metric->kind;
	/* A metric is known by where it is: others are elsewhere. */
	if (walked->count > 1)
		assert_int_equal(sample->metric == walked->metric,
				 strcmp(seen[-1].metric, seen->metric) == 0);
	walked->metric = sample->metric;
	return walked->count == walked->stop ? 42 : 0;
}

/* All samples of the sources; to be freed. */
static struct walked *
walk(const struct ct_metric_source *sources, size_t count)
{
	struct walked *walked = calloc(1, sizeof(*walked));

	assert_non_null(walked);
	assert_int_equal(ct_metric_walk(sources, count, see, walked), 0);
	return walked;
}

/* The sample, NULL where there is none. */
static const struct seen *
seen_of(const struct walked *walked, const char *metric, const char *labels)
{
	for (size_t i = 0; i < walked->count; i++)
		if (strcmp(walked->seen[i].metric, metric) == 0 &&
		    strcmp(walked->seen[i].labels, labels) == 0)
			return &walked->seen[i];
	return NULL;
}

static void
assert_sample(const struct walked *walked, const char *metric, const char *labels,
	      uint64_t value)
{
	const struct seen *seen = seen_of(walked, metric, labels);

	if (!seen)
		fail_msg("no sample %s{%s}", metric, labels);
	else if (seen->value != value)
		fail_msg("%s{%s} is %llu", metric, labels,
			 (unsigned long long)seen->value);
}

static size_t
samples_of(const struct walked *walked, const char *metric)
{
	size_t count = 0;

	for (size_t i = 0; i < walked->count; i++)
		count += strcmp(walked->seen[i].metric, metric) == 0;
	return count;
}

/* The list of metrics. */
struct list {
	struct ct_metric metrics[128];
	char names[128][64];
	size_t count;
	size_t stop;
};

static int
list_metric(const struct ct_metric *metric, void *data)
{
	struct list *list = data;

	assert_true(list->count < COUNT(list->metrics));
	name_of(metric, list->names[list->count], sizeof(list->names[0]));
	list->metrics[list->count++] = *metric;
	return list->count == list->stop ? -7 : 0;
}

static bool
is_name(const char *name)
{
	return name && islower((unsigned char)*name) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static bool
ends_in(const char *name, const char *end)
{
	size_t size = strlen(name), length = strlen(end);

	return size >= length && strcmp(name + size - length, end) == 0;
}

/* Endings that OpenMetrics makes itself, or that say a unit which is not given. */
static const char *const endings[] = {
	"_total", "_info",   "_created", "_count", "_sum",
	"_bytes", "_bucket", "_seconds", "_",
};

static void
check_metric(const struct ct_metric *metric)
{
	int labels = 0;

	assert_true(is_name(metric->name));
	for (size_t i = 0; i < COUNT(endings); i++)
		assert_false(ends_in(metric->name, endings[i]));
	if (metric->unit)
		assert_true(strcmp(metric->unit, "bytes") == 0 ||
			    strcmp(metric->unit, "seconds") == 0);
	assert_true(metric->help && strlen(metric->help) > 3);
	/* Half a sentence, without anything that would have to be escaped. */
	for (const char *at = metric->help; *at; at++)
		assert_true(*at >= ' ' && *at <= '~' && *at != '\\' && *at != '"');
	assert_false(ends_in(metric->help, "."));
	while (labels < CT_METRIC_LABELS && metric->labels[labels]) {
		assert_true(is_name(metric->labels[labels]));
		assert_string_not_equal(metric->labels[labels], "netns");
		for (int i = 0; i < labels; i++)
			assert_string_not_equal(metric->labels[i],
						metric->labels[labels]);
		labels++;
	}
	while (labels < CT_METRIC_LABELS)
		assert_null(metric->labels[labels++]);
	assert_in_range(metric->kind, CT_GAUGE, CT_INFO);
	assert_int_equal(metric->decimals != 0,
			 metric->unit && strcmp(metric->unit, "seconds") == 0);
}

static void
each_metric(void **unused)
{
	struct list *list = calloc(1, sizeof(*list));

	(void)unused;
	assert_non_null(list);
	assert_int_equal(ct_metric_each(list_metric, list), 0);
	for (size_t i = 0; i < list->count; i++) {
		check_metric(&list->metrics[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(list->names[i], list->names[j]);
	}
	/* The kernel's counters are all there, and no other counters. */
	for (enum ct_stat s = 0; s < CT_STATS; s++) {
		size_t i = 0;

		while (i < list->count && strcmp(list->names[i], ct_stat_name(s)) != 0)
			i++;
		assert_true(i < list->count);
		assert_int_equal(list->metrics[i].kind, CT_COUNTER);
		assert_string_equal(list->metrics[i].help, ct_stat_help(s));
	}
	free(list);
}

static void
each_stops(void **unused)
{
	struct list *list = calloc(1, sizeof(*list));
	size_t count;

	(void)unused;
	assert_non_null(list);
	assert_int_equal(ct_metric_each(list_metric, list), 0);
	count = list->count;
	for (size_t stop = 1; stop <= count; stop++) {
		list->count = 0;
		list->stop = stop;
		assert_int_equal(ct_metric_each(list_metric, list), -7);
		assert_int_equal(list->count, stop);
	}
	free(list);
}

/* In the order of the list, one behind the other, each series once. */
static void
check_walk(const struct walked *walked)
{
	struct list *list = calloc(1, sizeof(*list));
	size_t at = 0;

	assert_non_null(list);
	assert_int_equal(ct_metric_each(list_metric, list), 0);
	for (size_t i = 0; i < walked->count; i++) {
		const struct seen *seen = &walked->seen[i];

		while (at < list->count && strcmp(list->names[at], seen->metric) != 0)
			at++;
		if (at == list->count)
			fail_msg("%s is not in the list, or not there", seen->metric);
		assert_int_equal(seen->kind, list->metrics[at].kind);
		if (seen->kind == CT_INFO)
			assert_int_equal(seen->value, 1);
		for (size_t j = 0; j < i; j++)
			if (strcmp(walked->seen[j].metric, seen->metric) == 0 &&
			    strcmp(walked->seen[j].labels, seen->labels) == 0)
				fail_msg("%s{%s} twice", seen->metric, seen->labels);
	}
	free(list);
}

static void
walk_of_sources(void **unused)
{
	static struct scene scenes[3];
	struct ct_metric_source sources[3];
	struct walked *walked;

	(void)unused;
	scene_init(&scenes[0], "left");
	scene_init(&scenes[1], NULL);
	scene_init(&scenes[2], "right");
	count_flows(&scenes[0]);
	count_flows(&scenes[2]);
	for (size_t i = 0; i < COUNT(scenes); i++)
		sources[i] = scenes[i].source;
	for (size_t count = 0; count <= COUNT(sources); count++) {
		walked = walk(sources, count);
		check_walk(walked);
		assert_int_equal(samples_of(walked, "build"), count);
		assert_int_equal(samples_of(walked, "entries"), count);
		assert_int_equal(samples_of(walked, "pass_seconds"), count);
		assert_int_equal(samples_of(walked, "drop"), 2 * count);
		free(walked);
	}
	for (size_t i = 0; i < COUNT(scenes); i++)
		scene_done(&scenes[i]);
}

/* Whatever the callback returns ends the walk, and is what the walk returns. */
static void
walk_stops(void **unused)
{
	static struct scene scene;
	struct ct_metric_source sources[2];
	struct walked *walked;
	size_t count;

	(void)unused;
	scene_init(&scene, "one");
	count_flows(&scene);
	scene.source.bins = 2;
	sources[0] = sources[1] = scene.source;
	sources[1].netns = "two";
	walked = walk(sources, 2);
	count = walked->count;
	for (size_t stop = 1; stop <= count; stop++) {
		walked->count = 0;
		walked->stop = stop;
		assert_int_equal(ct_metric_walk(sources, 2, see, walked), 42);
		assert_int_equal(walked->count, stop);
	}
	free(walked);
	scene_done(&scene);
}

/* The source with some of its parts only. */
static struct ct_metric_source
some_of(const struct ct_metric_source *all, unsigned int parts)
{
	struct ct_metric_source some = *all;

	if (!(parts & 1))
		some.kernel = NULL;
	if (!(parts & 2))
		some.stats = NULL;
	if (!(parts & 4))
		some.census = NULL;
	if (!(parts & 8))
		some.nat = NULL;
	if (!(parts & 16))
		some.pass = NULL;
	return some;
}

/* What a part has, it has by itself; what is there always is the build's. */
static void
parts_left_out(void **unused)
{
	static const char *const first[] = { "entries", "found", "flows", "nat_flows",
					     "pass_flows" };
	static struct scene scene;
	size_t counts[5];

	(void)unused;
	scene_init(&scene, NULL);
	count_flows(&scene);
	for (unsigned int parts = 0; parts < 32; parts++) {
		const struct ct_metric_source some = some_of(&scene.source, parts);
		struct walked *walked = walk(&some, 1);
		size_t expected = 1;

		check_walk(walked);
		for (unsigned int i = 0; i < 5; i++) {
			if (parts == 1u << i)
				counts[i] = walked->count - 1;
			if (parts >> i & 1)
				expected += counts[i];
			assert_int_equal(samples_of(walked, first[i]) > 0,
					 parts >> i & 1);
		}
		assert_int_equal(walked->count, expected);
		free(walked);
	}
	scene_done(&scene);
}

static void
values_of_the_kernel(void **unused)
{
	static const char *const names[] = {
		"entries",
		"entries_limit",
		"buckets",
		"accounting",
		"timestamping",
		"events_mode",
		"expectations_limit",
		"expectations",
	};
	static const uint64_t values[] = { 12, 262144, 65536, 1, 0, 2, 1024, 3 };
	struct ct_kernel kernel;
	static struct scene scene;

	(void)unused;
	scene_init(&scene, NULL);
	scene.source = (struct ct_metric_source){ .kernel = &kernel };
	/* Each of them by itself, in the order of CT_KERNEL_*. */
	for (unsigned int i = 0; i < COUNT(names); i++) {
		struct walked *walked;

		kernel = scene.kernel;
		kernel.has = 1u << i;
		walked = walk(&scene.source, 1);
		assert_int_equal(walked->count, 2);
		assert_sample(walked, names[i], "netns=", values[i]);
		free(walked);
	}
	scene_done(&scene);
}

static void
values_of_stats(void **unused)
{
	static struct scene scene;
	struct walked *walked;

	(void)unused;
	scene_init(&scene, "ns");
	walked = walk(&scene.source, 1);
	assert_sample(walked, "clash_resolve", "netns=ns,cpu=0", 4);
	assert_sample(walked, "found", "netns=ns,cpu=0", 5);
	assert_sample(walked, "found", "netns=ns,cpu=1", 0);
	assert_sample(walked, "chain_toolong", "netns=ns,cpu=0", 7);
	assert_sample(walked, "early_drop", "netns=ns,cpu=1", UINT32_MAX);
	assert_sample(walked, "expect_delete", "netns=ns,cpu=0", 15);
	free(walked);
	/* Beyond 32 bits, and with processors that are not there. */
	scene.stats.cpus[1].cpu = 7;
	scene.stats.cpus[1].value[CT_STAT_FOUND] = UINT64_C(5000000000);
	walked = walk(&scene.source, 1);
	assert_sample(walked, "found", "netns=ns,cpu=7", UINT64_C(5000000000));
	free(walked);
	/* What this kernel does not count is not 0. */
	scene.stats.has &= ~(1u << CT_STAT_CHAIN_TOOLONG);
	walked = walk(&scene.source, 1);
	assert_int_equal(samples_of(walked, "chain_toolong"), 0);
	assert_int_equal(samples_of(walked, "clash_resolve"), 2);
	free(walked);
	scene_done(&scene);
}

static void
values_of_the_census(void **unused)
{
	static struct scene scene;
	struct walked *walked;

	(void)unused;
	scene_init(&scene, NULL);
	count_flows(&scene);
	walked = walk(&scene.source, 1);
	assert_sample(walked, "flows", "netns=,family=ipv4,proto=tcp", 6);
	assert_sample(walked, "flows", "netns=,family=ipv6,proto=tcp", 0);
	assert_sample(walked, "flows", "netns=,family=ipv6,proto=253", 1);
	assert_sample(walked, "flows", "netns=,family=ipv4,proto=icmp", 1);
	assert_null(seen_of(walked, "flows", "netns=,family=ipv4,proto=253"));
	assert_null(seen_of(walked, "flows", "netns=,family=ipv6,proto=icmp"));
	assert_null(seen_of(walked, "flows", "netns=,family=ipv4,proto=icmpv6"));
	assert_sample(walked, "flow_bytes",
		      "netns=,family=ipv4,proto=tcp,direction=original", 7500);
	assert_sample(walked, "flow_bytes",
		      "netns=,family=ipv4,proto=tcp,direction=reply", 75000);
	assert_sample(walked, "flow_packets",
		      "netns=,family=ipv4,proto=tcp,direction=reply", 77);
	assert_sample(walked, "unreplied_flows", "netns=,proto=udp", 2);
	assert_sample(walked, "unreplied_flows", "netns=,proto=253", 1);
	assert_sample(walked, "state_flows", "netns=,proto=tcp,state=ESTABLISHED", 3);
	assert_sample(walked, "state_flows", "netns=,proto=tcp,state=TIME_WAIT", 1);
	assert_sample(walked, "state_bytes", "netns=,proto=tcp,state=ESTABLISHED",
		      82500);
	assert_sample(walked, "state_packets", "netns=,proto=tcp,state=ESTABLISHED",
		      152);
	assert_sample(walked, "status_flows", "netns=,status=assured", 7);
	assert_sample(walked, "status_flows", "netns=,status=unassured", 5);
	assert_sample(walked, "status_flows", "netns=,status=unreplied", 4);
	assert_sample(walked, "status_flows", "netns=,status=nat", 3);
	assert_sample(walked, "zone_flows", "netns=,zone=5", 3);
	assert_sample(walked, "zone_flows", "netns=,zone=65535", 1);
	assert_sample(walked, "mark_flows", "netns=,mark=0x2a0001", 1);
	assert_sample(walked, "mark_flows", "netns=,mark=0xffffffff", 1);
	assert_sample(walked, "mark_flows", "netns=,mark=0x0", 6);
	free(walked);
	scene_done(&scene);
}

static void
values_of_nat(void **unused)
{
	static struct scene scene;
	struct walked *walked;
	struct ct_flow flow = flow_of(IPPROTO_TCP, "10.0.0.1", 1, "192.0.2.7", 80);

	(void)unused;
	scene_init(&scene, NULL);
	count_flows(&scene);
	count_flow(&scene, from(flow, "203.0.113.9", 40001), CT_SRC_NAT, 0);
	walked = walk(&scene.source, 1);
	assert_int_equal(samples_of(walked, "nat_flows"), 2);
	assert_sample(walked, "nat_flows",
		      "netns=,address=203.0.113.9,proto=tcp,zone=0", 3);
	assert_sample(walked, "nat_ports",
		      "netns=,address=203.0.113.9,proto=tcp,zone=0", 2);
	assert_sample(walked, "nat_remote_ports",
		      "netns=,address=203.0.113.9,proto=tcp,zone=0", 2);
	assert_sample(walked, "nat_range_ports",
		      "netns=,address=2001:db8::9,proto=udp,zone=5", 64512);
	assert_sample(walked, "nat_ignored_flows", "netns=", 0);
	free(walked);
	scene_done(&scene);
}

/* Of the addresses, those that run out first; what the others have is not said. */
static void
some_addresses(void **unused)
{
	static const char first[] = "netns=,address=203.0.113.9,proto=tcp,zone=0";
	static struct scene scene;

	(void)unused;
	scene_init(&scene, NULL);
	count_flows(&scene);
	for (size_t bins = 0; bins < 4; bins++) {
		struct walked *walked;
		size_t shown = bins == 1 ? 1 : 2;

		scene.source.bins = bins;
		walked = walk(&scene.source, 1);
		assert_int_equal(samples_of(walked, "nat_flows"), shown);
		assert_int_equal(samples_of(walked, "nat_remote_ports"), shown);
		assert_int_equal(samples_of(walked, "nat_ignored_flows"), 1);
		assert_sample(walked, "nat_flows", first, 2);
		free(walked);
	}
	scene_done(&scene);
}

/* Of more addresses than are told apart. */
static void
ignored_flows(void **unused)
{
	static struct scene scene;
	struct walked *walked;
	struct ct_flow flow = flow_of(IPPROTO_TCP, "10.0.0.1", 5000, "192.0.2.7", 80);

	(void)unused;
	scene_init(&scene, NULL);
	for (uint32_t i = 0; i < CT_NAT_POOLS + 3; i++) {
		memcpy(&flow.reply.dst, &i, sizeof(i));
		count_flow(&scene, flow, CT_SRC_NAT, 0);
	}
	walked = walk(&scene.source, 1);
	assert_sample(walked, "nat_ignored_flows", "netns=", 3);
	free(walked);
	scene_done(&scene);
}

/* Nothing was counted: that is not 0 bytes.  One flow that was makes all the others 0.
 */
static void
bytes_only_with_accounting(void **unused)
{
	static const char *const metrics[] = {
		"flow_bytes",   "flow_packets",   "state_bytes", "state_packets",
		"status_bytes", "status_packets", "zone_bytes",  "zone_packets",
		"mark_bytes",   "mark_packets",
	};
	const struct ct_flow flow =
		flow_of(IPPROTO_TCP, "10.0.0.1", 1, "192.0.2.7", 80);
	static struct scene scene;
	struct walked *walked;

	(void)unused;
	scene_init(&scene, NULL);
	count_flow(&scene, with_state(flow, 3), CT_CONFIRMED, 0);
	walked = walk(&scene.source, 1);
	for (size_t i = 0; i < COUNT(metrics); i++)
		assert_int_equal(samples_of(walked, metrics[i]), 0);
	assert_sample(walked, "flows", "netns=,family=ipv4,proto=tcp", 1);
	assert_sample(walked, "state_flows", "netns=,proto=tcp,state=ESTABLISHED", 1);
	free(walked);
	count_flow(&scene, counted(flow, 0), CT_CONFIRMED, 0);
	walked = walk(&scene.source, 1);
	for (size_t i = 0; i < COUNT(metrics); i++)
		assert_true(samples_of(walked, metrics[i]) > 0);
	assert_sample(walked, "zone_bytes", "netns=,zone=0", 0);
	free(walked);
	scene_done(&scene);
}

/* A table without flows has its usual protocols and all states, at 0. */
static void
empty_table(void **unused)
{
	static struct scene scene;
	struct walked *walked;

	(void)unused;
	scene_init(&scene, NULL);
	walked = walk(&scene.source, 1);
	assert_sample(walked, "flows", "netns=,family=ipv4,proto=tcp", 0);
	assert_sample(walked, "flows", "netns=,family=ipv6,proto=icmpv6", 0);
	assert_sample(walked, "unreplied_flows", "netns=,proto=udp", 0);
	assert_sample(walked, "state_flows", "netns=,proto=sctp,state=ESTABLISHED", 0);
	assert_sample(walked, "status_flows", "netns=,status=dying", 0);
	assert_int_equal(samples_of(walked, "zone_flows"), 0);
	assert_int_equal(samples_of(walked, "mark_flows"), 0);
	assert_int_equal(samples_of(walked, "nat_flows"), 0);
	assert_sample(walked, "nat_ignored_flows", "netns=", 0);
	free(walked);
	scene_done(&scene);
}

static uint64_t
sum_of(const struct walked *walked, const char *metric, size_t *others)
{
	uint64_t sum = 0;

	*others = 0;
	for (size_t i = 0; i < walked->count; i++) {
		if (strcmp(walked->seen[i].metric, metric) != 0)
			continue;
		sum += walked->seen[i].value;
		*others += strcmp(walked->seen[i].other, "other") == 0;
	}
	return sum;
}

/* Of the zones and marks, those with most flows by name; the rest is one. */
static void
other_zones_and_marks(void **unused)
{
	static const struct {
		const char *metric;
		size_t kinds;
		uint64_t sum;
	} metrics[] = {
		{ "zone_flows", 3, 12 },    { "mark_flows", 6, 12 },
		{ "zone_bytes", 3, 97900 }, { "mark_bytes", 6, 97900 },
		{ "zone_packets", 3, 184 }, { "mark_packets", 6, 184 },
	};
	static struct scene scene;

	(void)unused;
	scene_init(&scene, NULL);
	count_flows(&scene);
	for (size_t bins = 0; bins < 10; bins++) {
		struct walked *walked;

		scene.source.bins = bins;
		walked = walk(&scene.source, 1);
		for (size_t i = 0; i < COUNT(metrics); i++) {
			size_t shown = bins ? bins : metrics[i].kinds, others;

			assert_int_equal(sum_of(walked, metrics[i].metric, &others),
					 metrics[i].sum);
			assert_int_equal(others, metrics[i].kinds > shown);
			assert_int_equal(samples_of(walked, metrics[i].metric),
					 metrics[i].kinds > shown ? shown + 1
								  : metrics[i].kinds);
		}
		free(walked);
	}
	scene.source.bins = 1;
	{
		struct walked *walked = walk(&scene.source, 1);

		assert_sample(walked, "zone_flows", "netns=,zone=0", 8);
		assert_sample(walked, "zone_flows", "netns=,zone=other", 4);
		free(walked);
	}
	scene_done(&scene);
}

/* A text, as the files in golden/ have it: of any version, on any kernel. */
static char *
write_text(const struct ct_metric_source *sources, size_t count, bool prometheus)
{
	char *bytes = malloc(TEXT_SIZE);
	struct ct_text text;

	assert_non_null(bytes);
	ct_text_init(&text, bytes, TEXT_SIZE - 1, NULL, NULL);
	assert_int_equal(output_metrics(&text, sources, count, prometheus), 0);
	assert_int_equal(text.error, 0);
	*text.at = '\0';
	return bytes;
}

static void
settle(char *text, size_t sources)
{
	struct utsname name;
	char build[256];

	assert_int_equal(uname(&name), 0);
	snprintf(build, sizeof(build), "version=\"%s\",kernel=\"%s\"", CONNTAP_VERSION,
		 name.release);
	for (size_t i = 0; i < sources; i++) {
		char *at = strstr(text, build), *rest;

		if (!at)
			fail_msg("there is no %s", build);
		rest = strdup(at + strlen(build));
		strcpy(at, BUILD);
		strcat(at, rest);
		free(rest);
	}
}

/* Rules that a text must keep, looked at line by line. */
struct reading {
	bool prometheus;
	char families[128][80]; /* announced so far; the last is at hand */
	size_t family_count;
	char kind[16];
	char unit[16];
	char *series[SAMPLES_MAX];
	size_t series_count;
	size_t samples; /* of the family at hand */
	int announced;  /* HELP 1, TYPE 2, UNIT 3 */
};

static const char *
family_of(const struct reading *reading)
{
	return reading->families[reading->family_count - 1];
}

static void
end_family(const struct reading *reading)
{
	if (!reading->family_count)
		return;
	/* What is announced is there. */
	assert_true(reading->samples > 0);
	assert_true(reading->announced >= 2);
}

static void
read_help(struct reading *reading, const char *name, const char *help)
{
	end_family(reading);
	for (size_t i = 0; i < reading->family_count; i++)
		assert_string_not_equal(reading->families[i], name);
	assert_true(reading->family_count < COUNT(reading->families));
	snprintf(reading->families[reading->family_count++],
		 sizeof(reading->families[0]), "%s", name);
	assert_true(strlen(help) > 3);
	reading->announced = 1;
	reading->samples = 0;
	reading->unit[0] = '\0';
}

static void
read_type(struct reading *reading, const char *name, const char *kind)
{
	assert_int_equal(reading->announced, 1);
	assert_string_equal(family_of(reading), name);
	assert_true(strcmp(kind, "gauge") == 0 || strcmp(kind, "counter") == 0 ||
		    (strcmp(kind, "info") == 0 && !reading->prometheus));
	snprintf(reading->kind, sizeof(reading->kind), "%s", kind);
	reading->announced = 2;
}

static void
read_unit(struct reading *reading, const char *name, const char *unit)
{
	assert_false(reading->prometheus);
	assert_int_equal(reading->announced, 2);
	assert_string_equal(family_of(reading), name);
	assert_true(ends_in(name, unit));
	assert_int_equal(name[strlen(name) - strlen(unit) - 1], '_');
	assert_string_not_equal(reading->kind, "info");
	reading->announced = 3;
}

/* "# WORD name rest" */
static void
read_comment(struct reading *reading, char *line)
{
	char *word = line + 2, *name = strchr(word, ' '), *rest;

	assert_non_null(name);
	*name++ = '\0';
	rest = strchr(name, ' ');
	assert_non_null(rest);
	*rest++ = '\0';
	assert_true(is_name(name));
	assert_int_equal(strncmp(name, "conntap_", 8), 0);
	if (strcmp(word, "HELP") == 0)
		read_help(reading, name, rest);
	else if (strcmp(word, "TYPE") == 0)
		read_type(reading, name, rest);
	else if (strcmp(word, "UNIT") == 0)
		read_unit(reading, name, rest);
	else
		fail_msg("a comment: %s", word);
}

/* Behind the '{', up to what is behind the '}'. */
static const char *
skip_labels(const char *at)
{
	for (;;) {
		size_t name = strspn(at, "abcdefghijklmnopqrstuvwxyz_");

		assert_true(name > 0);
		at += name;
		assert_int_equal(strncmp(at, "=\"", 2), 0);
		for (at += 2; *at != '"'; at++) {
			assert_int_not_equal(*at, '\0');
			if (*at == '\\')
				assert_true(strchr("\\\"n", *++at) && *at);
		}
		if (*++at == '}')
			return at + 1;
		assert_int_equal(*at++, ',');
	}
}

static void
read_number(const struct reading *reading, const char *number)
{
	size_t digits = strspn(number, "0123456789");

	assert_true(digits > 0);
	assert_true(digits == 1 || *number != '0');
	if (strcmp(reading->kind, "info") == 0)
		assert_string_equal(number, "1");
	if (number[digits] == '.') {
		number += digits + 1;
		digits = strspn(number, "0123456789");
		assert_true(digits > 0);
	}
	assert_int_equal(number[digits], '\0');
}

/* How the samples of the family at hand are called. */
static void
check_sample_name(const struct reading *reading, const char *name, size_t size)
{
	const char *family = family_of(reading), *ending = "";
	size_t length = strlen(family);

	if (!reading->prometheus && strcmp(reading->kind, "counter") == 0)
		ending = "_total";
	if (!reading->prometheus && strcmp(reading->kind, "info") == 0)
		ending = "_info";
	assert_int_equal(size, length + strlen(ending));
	assert_int_equal(strncmp(name, family, length), 0);
	assert_int_equal(strncmp(name + length, ending, strlen(ending)), 0);
	if (strcmp(reading->kind, "counter") == 0)
		assert_int_equal(strncmp(name + size - 6, "_total", 6), 0);
}

static void
read_sample(struct reading *reading, const char *line)
{
	size_t name = strcspn(line, "{ "), size;
	const char *at = line + name;

	assert_true(reading->announced >= 2);
	check_sample_name(reading, line, name);
	if (*at == '{')
		at = skip_labels(at + 1);
	size = (size_t)(at - line);
	assert_int_equal(*at++, ' ');
	read_number(reading, at);
	for (size_t i = 0; i < reading->series_count; i++)
		assert_false(strlen(reading->series[i]) == size &&
			     strncmp(reading->series[i], line, size) == 0);
	assert_true(reading->series_count < SAMPLES_MAX);
	reading->series[reading->series_count++] = strndup(line, size);
	reading->samples++;
}

/* Returns how many samples there are. */
static size_t
check_text(const char *text, bool prometheus)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	char *copy = strdup(text), *line = copy;
	size_t count;
	bool ended = false;

	assert_true(reading && copy);
	reading->prometheus = prometheus;
	while (*line) {
		char *end = strchr(line, '\n');

		assert_false(ended);
		assert_non_null(end);
		*end = '\0';
		if (strcmp(line, "# EOF") == 0)
			ended = true;
		else if (strncmp(line, "# ", 2) == 0)
			read_comment(reading, line);
		else
			read_sample(reading, line);
		line = end + 1;
	}
	end_family(reading);
	assert_int_equal(ended, !prometheus);
	count = reading->series_count;
	for (size_t i = 0; i < count; i++)
		free(reading->series[i]);
	free(reading);
	free(copy);
	return count;
}

/* One namespace with all there is, one of which only the kernel's numbers are known. */
static size_t
two_namespaces(struct scene *scenes, struct ct_metric_source *sources)
{
	scene_init(&scenes[0], "full");
	count_flows(&scenes[0]);
	scene_init(&scenes[1], "bare");
	scenes[0].source.bins = 2;
	scenes[1].kernel.has &= ~(uint32_t)CT_KERNEL_EXPECT_MAX;
	scenes[1].stats.has &= ~(1u << CT_STAT_CHAIN_TOOLONG);
	sources[0] = scenes[0].source;
	sources[1] = some_of(&scenes[1].source, 3);
	return 2;
}

static void
check_golden(const struct ct_metric_source *sources, size_t count, const char *name,
	     bool prometheus)
{
	char *text = write_text(sources, count, prometheus);
	struct walked *walked = walk(sources, count);

	assert_printable(name, text);
	settle(text, count);
	assert_golden(name, text);
	assert_int_equal(check_text(text, prometheus), walked->count);
	free(walked);
	free(text);
}

static void
golden_namespaces(void **unused)
{
	static struct scene scenes[2];
	struct ct_metric_source sources[2];
	size_t count = two_namespaces(scenes, sources);

	(void)unused;
	check_golden(sources, count, "metrics.openmetrics", false);
	check_golden(sources, count, "metrics.prometheus", true);
	for (size_t i = 0; i < count; i++)
		scene_done(&scenes[i]);
}

/* Without a namespace's name, and without accounting. */
static void
golden_plain(void **unused)
{
	const struct ct_flow flow =
		flow_of(IPPROTO_TCP, "10.0.0.1", 1, "192.0.2.7", 80);
	static struct scene scene;

	(void)unused;
	scene_init(&scene, NULL);
	count_flow(&scene, with_state(flow, 3), CT_CONFIRMED, 0);
	check_golden(&scene.source, 1, "metrics-plain.openmetrics", false);
	check_golden(&scene.source, 1, "metrics-plain.prometheus", true);
	scene_done(&scene);
}

static void
no_sources(void **unused)
{
	(void)unused;
	for (int prometheus = 0; prometheus < 2; prometheus++) {
		char *text = write_text(NULL, 0, prometheus);

		assert_string_equal(text, prometheus ? "" : "# EOF\n");
		free(text);
	}
}

/* Names of namespaces may have anything in them but '/'. */
static void
escapes(void **unused)
{
	static const char expected[] =
		"{netns=\"a\\\"b\\\\c\\nd=,{} \\\\n\",version=\"";
	const struct ct_metric_source source = { .netns = "a\"b\\c\nd=,{} \\n" };

	(void)unused;
	for (int prometheus = 0; prometheus < 2; prometheus++) {
		char *text = write_text(&source, 1, prometheus);

		assert_non_null(strstr(text, expected));
		assert_int_equal(check_text(text, prometheus), 1);
		free(text);
	}
}

/* What is flushed, little by little. */
struct sink {
	char bytes[TEXT_SIZE];
	size_t used;
	int calls_left;
};

static int
take(const char *bytes, size_t size, void *data)
{
	struct sink *sink = data;

	if (sink->calls_left-- == 0)
		return -EIO;
	assert_true(size < TEXT_SIZE - sink->used);
	memcpy(sink->bytes + sink->used, bytes, size);
	sink->used += size;
	return 0;
}

static void
small_buffer(void **unused)
{
	static struct sink sink;
	static struct scene scenes[2];
	struct ct_metric_source sources[2];
	size_t count = two_namespaces(scenes, sources);
	char buffer[CT_TEXT_MIN], *whole = write_text(sources, count, false);
	struct ct_text text;

	(void)unused;
	memset(&sink, 0, sizeof(sink));
	sink.calls_left = -1;
	ct_text_init(&text, buffer, sizeof(buffer), take, &sink);
	assert_int_equal(output_metrics(&text, sources, count, false), 0);
	assert_int_equal(ct_text_flush(&text), 0);
	assert_string_equal(sink.bytes, whole);
	/* An error of writing is one of the text's. */
	sink.calls_left = 3;
	ct_text_init(&text, buffer, sizeof(buffer), take, &sink);
	output_metrics(&text, sources, count, false);
	assert_int_equal(ct_text_flush(&text), -EIO);
	free(whole);
	for (size_t i = 0; i < count; i++)
		scene_done(&scenes[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_metric),
		cmocka_unit_test(each_stops),
		cmocka_unit_test(walk_of_sources),
		cmocka_unit_test(walk_stops),
		cmocka_unit_test(parts_left_out),
		cmocka_unit_test(values_of_the_kernel),
		cmocka_unit_test(values_of_stats),
		cmocka_unit_test(values_of_the_census),
		cmocka_unit_test(values_of_nat),
		cmocka_unit_test(some_addresses),
		cmocka_unit_test(ignored_flows),
		cmocka_unit_test(bytes_only_with_accounting),
		cmocka_unit_test(empty_table),
		cmocka_unit_test(other_zones_and_marks),
		cmocka_unit_test(golden_namespaces),
		cmocka_unit_test(golden_plain),
		cmocka_unit_test(no_sources),
		cmocka_unit_test(escapes),
		cmocka_unit_test(small_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
