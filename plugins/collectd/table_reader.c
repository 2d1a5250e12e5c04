/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the table is made of, from one pass over all flows.  The passes have a thread of
 * their own: collectd waits for its reading threads before it tells anybody that it
 * wants to end, and a pass may take seconds.
 *
 * Each group of values parts the table, so that its sum is the number of flows; what
 * has no flows is told as 0.  A pass that was not whole tells nothing.
 */
#include "readers.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "common/census.h"
#include "common/dump.h"
#include "common/kernel.h"
#include "common/text.h"
#include "emit.h"
#include "pause.h"
#include "space.h"

/* Zones that get a value each, those with most flows; the others are one, "other". */
#define ZONES_SHOWN 64
/* Public addresses and their protocols, likewise: those that run out first. */
#define POOLS_SHOWN 256
/* So many good rounds and passes are said to be within their interval again: where one
 * takes about an interval, that is not said all the time. */
#define GOOD_ROUNDS 10

struct tap_table_reader {
	const struct tap_settings *settings;
	struct tap_spaces spaces;
	pthread_t thread;
	bool running;
	struct tap_pause pause;
	cdtime_t interval;
	cdtime_t begun;    /* this round over all namespaces */
	cdtime_t took;     /* the last one */
	unsigned int good; /* rounds in a row that were within the interval */
	c_complain_t slow;
	/* Of the pass at hand: */
	struct ct_census census;
	struct ct_summary summary;
	struct ct_nat *nat; /* NULL: not asked for */
	struct ct_tally matches[TAP_MATCHES_MAX];
	struct ct_tally marks[TAP_MARKS_MAX];
	struct ct_tally unmarked; /* by none of them */
};

static void
count_marks(struct tap_table_reader *reader, const struct ct_flow *flow,
	    const struct ct_tally *one)
{
	const struct tap_settings *settings = reader->settings;

	for (size_t i = 0; i < settings->mark_count; i++)
		if ((flow->mark & settings->marks[i].mask) ==
		    settings->marks[i].value) {
			ct_tally_add(&reader->marks[i], one);
			return;
		}
	ct_tally_add(&reader->unmarked, one);
}

static int
count_flow(const struct ct_flow *flow, void *data)
{
	struct tap_table_reader *reader = data;
	const struct tap_settings *settings = reader->settings;
	const struct ct_tally one = ct_tally_of(flow);

	if (settings->mark_count)
		count_marks(reader, flow, &one);
	for (size_t i = 0; i < settings->match_count; i++)
		if (ct_filter_match(settings->matches[i].filter, flow))
			ct_tally_add(&reader->matches[i], &one);
	if (reader->nat && ct_nat_add(reader->nat, flow) < 0)
		return ENOMEM;
	return ct_census_add(&reader->census, flow) < 0 ? ENOMEM : 0;
}

static void
clear(struct tap_table_reader *reader)
{
	const struct tap_settings *settings = reader->settings;
	uint64_t now = CDTIME_T_TO_NS(cdtime());

	ct_census_clear(&reader->census);
	if (reader->nat)
		ct_nat_clear(reader->nat);
	memset(reader->matches, 0, sizeof(reader->matches));
	memset(reader->marks, 0, sizeof(reader->marks));
	memset(&reader->unmarked, 0, sizeof(reader->unmarked));
	for (size_t i = 0; i < settings->match_count; i++)
		ct_filter_set_now(settings->matches[i].filter, now);
}

/*
 * Beside a full table, a pass over an empty one would search the whole of the hash that
 * they share, and delay packets, for nothing: so the kernel is asked first.
 */
static int
pass(struct tap_table_reader *reader, const struct tap_space *space,
     struct ct_dump_result *result)
{
	const struct ct_dump_options options = {
		.reader_thread = true,
		.stop = &reader->pause.over,
	};
	struct ct_netlink *netlink;
	struct ct_kernel kernel;
	int status = ct_netlink_open(&netlink, space->netns);

	memset(result, 0, sizeof(*result));
	clear(reader);
	if (status)
		return status;
	status = ct_kernel_count(netlink, &kernel);
	if (!status && (!(kernel.has & CT_KERNEL_COUNT) || kernel.count > 0))
		status = ct_dump(netlink, &options, count_flow, reader, result);
	ct_netlink_free(netlink);
	if (status == 0 && result->malformed)
		return -EBADMSG;
	return status > 0 ? -status : status;
}

static void
emit_flows(const struct tap_emitter *emitter, const char *group, const char *instance,
	   uint64_t flows)
{
	tap_gauge(emitter, group, "current_connections", instance, (double)flows);
}

static void
emit_protos(const struct tap_emitter *emitter, const struct ct_summary *summary)
{
	uint64_t other = 0;

	for (unsigned int proto = 0; proto < 256; proto++)
		if (ct_proto_is_usual((uint8_t)proto))
			emit_flows(emitter, NULL, ct_proto_name((uint8_t)proto),
				   summary->proto[proto].flows);
		else
			other += summary->proto[proto].flows;
	emit_flows(emitter, NULL, "other", other);
}

/* TCP has a type of its own; the others that have states, a group each. */
static void
emit_states(const struct tap_emitter *emitter, const struct ct_summary *summary)
{
	for (unsigned int i = 0; i < CT_STATEFUL; i++) {
		uint8_t proto = ct_stateful_proto(i);
		uint64_t other = summary->proto[proto].flows;

		for (uint8_t state = 0; ct_state_name(proto, state); state++) {
			uint64_t flows = summary->state[i][state].flows;
			const char *name = ct_state_name(proto, state);

			other -= flows;
			if (i == CT_STATES_TCP)
				tap_gauge(emitter, NULL, "tcp_connections", name,
					  (double)flows);
			else
				emit_flows(emitter, ct_proto_name(proto), name, flows);
		}
		if (i == CT_STATES_TCP)
			tap_gauge(emitter, NULL, "tcp_connections", "other",
				  (double)other);
		else
			emit_flows(emitter, ct_proto_name(proto), "other", other);
	}
}

static void
emit_status(const struct tap_emitter *emitter, const struct ct_summary *summary)
{
	uint64_t all = summary->all.flows;
	uint64_t unreplied = summary->trait[CT_TRAIT_UNREPLIED].flows;
	uint64_t unassured = summary->trait[CT_TRAIT_UNASSURED].flows;
	uint64_t nat = summary->trait[CT_TRAIT_NAT].flows;
	uint64_t offloaded = summary->status[ct_status_value("offload")].flows;

	emit_flows(emitter, "reply", "unreplied", unreplied);
	emit_flows(emitter, "reply", "replied", all - unreplied);
	emit_flows(emitter, "assurance", "unassured", unassured);
	emit_flows(emitter, "assurance", "assured", all - unassured);
	emit_flows(emitter, "translation", "nat", nat);
	emit_flows(emitter, "translation", "none", all - nat);
	emit_flows(emitter, "path", "offloaded", offloaded);
	emit_flows(emitter, "path", "kernel", all - offloaded);
	emit_flows(emitter, "family", "ipv4", summary->family[CT_IPV4].flows);
	emit_flows(emitter, "family", "ipv6", summary->family[CT_IPV6].flows);
}

static void
emit_zones(const struct tap_emitter *emitter, const struct ct_census *census)
{
	struct ct_tally others;
	struct ct_bin *zones;
	size_t count;
	char name[16];
	bool has_default = false;

	if (ct_bins_list(&census->zones, ZONES_SHOWN, &zones, &count, &others) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%u", (unsigned int)zones[i].key);
		emit_flows(emitter, "zone", name, zones[i].tally.flows);
		has_default |= zones[i].key == 0;
	}
	if (!has_default && others.flows == 0)
		emit_flows(emitter, "zone", "0", 0);
	emit_flows(emitter, "zone", "other", others.flows);
	free(zones);
}

/* A tally that the configuration has a name for; bytes where they are counted. */
static void
emit_named(const struct tap_emitter *emitter, const char *group, const char *name,
	   const struct ct_tally *tally)
{
	emit_flows(emitter, group, name, tally->flows);
	if (tally->accounted || tally->flows == 0)
		tap_gauge(emitter, group, "bytes", name, (double)ct_tally_bytes(tally));
}

static void
emit_configured(const struct tap_table_reader *reader,
		const struct tap_emitter *emitter)
{
	const struct tap_settings *settings = reader->settings;

	for (size_t i = 0; i < settings->mark_count; i++)
		emit_named(emitter, "mark", settings->marks[i].name, &reader->marks[i]);
	if (settings->mark_count)
		emit_named(emitter, "mark", TAP_OTHER, &reader->unmarked);
	for (size_t i = 0; i < settings->match_count; i++)
		emit_named(emitter, "match", settings->matches[i].name,
			   &reader->matches[i]);
}

/* "203.0.113.5-tcp", and the zone unless it is 0. */
static void
name_pool(const struct ct_nat_pool *pool, char *name, size_t size)
{
	char addr[CT_ADDR_STRING], number[CT_PROTO_NUMBER];
	const char *proto = ct_proto_label(pool->proto, number);

	ct_addr_string(addr, pool->family, &pool->addr);
	if (pool->zone)
		snprintf(name, size, "%s-%s-zone%u", addr, proto, pool->zone);
	else
		snprintf(name, size, "%s-%s", addr, proto);
}

/* Of an address that the configuration names, these are told in any case. */
static const uint8_t steady_protos[] = { IPPROTO_TCP, IPPROTO_UDP };

static bool
is_steady(const struct tap_settings *settings, const struct ct_nat_pool *pool)
{
	return settings->public_count > 0 && pool->zone == 0 &&
	       memchr(steady_protos, pool->proto, sizeof(steady_protos));
}

static void
emit_pool(const struct tap_emitter *emitter, const struct ct_nat_pool *pool)
{
	char name[DATA_MAX_NAME_LEN];

	name_pool(pool, name, sizeof(name));
	tap_gauge(emitter, "nat", "objects", name, pool->ports);
	tap_gauge(emitter, "nat", "percent", name,
		  100.0 * pool->remote_ports / pool->range);
}

static bool
has_pool(const struct ct_nat_pool *pools, size_t count, const struct ct_nat_pool *like)
{
	for (size_t i = 0; i < count; i++)
		if (pools[i].proto == like->proto && pools[i].zone == like->zone &&
		    pools[i].family == like->family &&
		    memcmp(&pools[i].addr, &like->addr, sizeof(like->addr)) == 0)
			return true;
	return false;
}

/* Those that have no flows. */
static void
emit_idle(const struct tap_settings *settings, const struct tap_emitter *emitter,
	  const struct ct_nat_pool *pools, size_t count)
{
	for (size_t i = 0; i < settings->public_count; i++)
		for (size_t k = 0; k < sizeof(steady_protos); k++) {
			const struct ct_nat_pool idle = {
				.addr = settings->publics[i].addr,
				.family = settings->publics[i].family,
				.proto = steady_protos[k],
				.range = 1,
			};

			if (!has_pool(pools, count, &idle))
				emit_pool(emitter, &idle);
		}
}

static void
emit_nat(const struct tap_table_reader *reader, const struct tap_emitter *emitter)
{
	size_t count;
	const struct ct_nat_pool *pools = ct_nat_list(reader->nat, &count);

	for (size_t i = 0; i < count; i++)
		if (i < POOLS_SHOWN || is_steady(reader->settings, &pools[i]))
			emit_pool(emitter, &pools[i]);
	emit_idle(reader->settings, emitter, pools, count);
}

static void
emit_self(const struct tap_emitter *emitter, const struct tap_space *space,
	  const struct ct_dump_result *result, cdtime_t duration)
{
	tap_gauge(emitter, "self", "duration", "pass", CDTIME_T_TO_DOUBLE(duration));
	tap_gauge(emitter, "self", "objects", "flows", (double)result->flows);
	tap_derive(emitter, "self", "errors", "pass", space->failures);
}

/* When the next values come: rounds begin at whole intervals.  With a shorter time, the
 * daemon would take these for lost before. */
static cdtime_t
cadence(const struct tap_table_reader *reader)
{
	cdtime_t so_far = tap_pause_now() - reader->begun;
	cdtime_t round = so_far > reader->took ? so_far : reader->took;
	cdtime_t intervals = (round + reader->interval - 1) / reader->interval;

	return reader->interval * (intervals > 1 ? intervals : 1);
}

static void
read_space(struct tap_table_reader *reader, struct tap_space *space)
{
	struct tap_emitter emitter = { .netns = space->netns };
	struct ct_dump_result result;
	cdtime_t begun = cdtime();
	int error = pass(reader, space, &result);

	if (error == -ECANCELED)
		return;
	/* Steady, however long a pass takes. */
	emitter.time = begun;
	emitter.interval = cadence(reader);
	if (error) {
		tap_space_failed(space, "cannot read the table", error);
		tap_derive(&emitter, "self", "errors", "pass", space->failures);
		return;
	}
	tap_space_works(space);
	ct_census_summary(&reader->census, &reader->summary);
	emit_protos(&emitter, &reader->summary);
	emit_states(&emitter, &reader->summary);
	emit_status(&emitter, &reader->summary);
	emit_zones(&emitter, &reader->census);
	emit_configured(reader, &emitter);
	if (reader->nat)
		emit_nat(reader, &emitter);
	emit_self(&emitter, space, &result, cdtime() - begun);
}

static void
tell_pace(struct tap_table_reader *reader)
{
	bool good = reader->took <= reader->interval;

	reader->good = good ? reader->good + 1 : 0;
	if (!good)
		c_complain_once(LOG_WARNING, &reader->slow,
				TAP_PLUGIN
				" plugin: a pass takes %.3f s, longer than its "
				"interval of %.3f s: see TableInterval",
				CDTIME_T_TO_DOUBLE(reader->took),
				CDTIME_T_TO_DOUBLE(reader->interval));
	else if (reader->good >= GOOD_ROUNDS)
		c_release(LOG_INFO, &reader->slow,
			  TAP_PLUGIN " plugin: passes are within their interval "
				     "again");
}

static void
read_all(struct tap_table_reader *reader)
{
	reader->begun = tap_pause_now();
	tap_spaces_update(&reader->spaces, reader->settings);
	for (struct tap_space *at = reader->spaces.first; at && !reader->pause.over;
	     at = at->next)
		read_space(reader, at);
	reader->took = tap_pause_now() - reader->begun;
	if (!reader->pause.over)
		tell_pace(reader);
}

static void *
read_on(void *data)
{
	struct tap_table_reader *reader = data;
	cdtime_t begun = tap_pause_now();

	reader->interval = reader->settings->table_interval;
	if (reader->interval == 0)
		reader->interval = plugin_get_interval();
	do
		read_all(reader);
	while (tap_pause_wait(&reader->pause, begun, reader->interval));
	return NULL;
}

struct tap_table_reader *
tap_table_new(const struct tap_settings *settings)
{
	struct tap_table_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->settings = settings;
	reader->nat = tap_settings_nat(settings);
	C_COMPLAIN_INIT(&reader->slow);
	ct_census_init(&reader->census);
	tap_pause_init(&reader->pause);
	if (!settings->nat || reader->nat)
		reader->running = plugin_thread_create(&reader->thread, read_on, reader,
						       "conntap table") == 0;
	if (!reader->running) {
		ERROR(TAP_PLUGIN " plugin: no thread, or no memory, to read the table");
		tap_table_free(reader);
		return NULL;
	}
	return reader;
}

void
tap_table_free(struct tap_table_reader *reader)
{
	if (!reader)
		return;
	tap_pause_end(&reader->pause);
	if (reader->running)
		pthread_join(reader->thread, NULL);
	tap_spaces_free(&reader->spaces);
	ct_census_done(&reader->census);
	ct_nat_free(reader->nat);
	tap_pause_done(&reader->pause);
	free(reader);
}
