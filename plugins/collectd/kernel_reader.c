/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says of the table as a whole: how full it is, and was since the last
 * reading, and what it counts as packets pass.
 *
 * The peak comes from a thread that looks at nf_conntrack_count five times a second: a
 * file that everybody may read, kept open, so that a look costs a system call.
 */
#include "readers.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "common/kernel.h"
#include "common/netns.h"
#include "common/stats.h"
#include "emit.h"
#include "pause.h"
#include "space.h"

#define COUNT_FILE "/proc/sys/net/netfilter/nf_conntrack_count"
#define SAMPLE_INTERVAL MS_TO_CDTIME_T(200)

/* What counts packets and flows that were lost; one packet may be in two of them. */
static const enum ct_stat harms[] = {
	CT_STAT_DROP,
	CT_STAT_EARLY_DROP,
	CT_STAT_INSERT_FAILED,
};

/* What is remembered of a namespace. */
struct memory {
	struct ct_stats stats;
	uint64_t harm[STATIC_ARRAY_SIZE(harms)]; /* as of the last reading */
	bool read;                               /* there was one */
	bool harmed;                             /* and it had found some more */
	int count_file;                          /* or -1 */
	uint32_t peak;                           /* since the last reading */
};

struct tap_kernel_reader {
	const struct tap_settings *settings;
	struct tap_spaces spaces;
	pthread_t sampler;
	bool sampling;
	struct tap_pause pause; /* the sampler's */
	/* Guards the list and what the sampler uses of a memory. */
	pthread_mutex_t mutex;
};

static void *
memory_make(struct tap_space *space)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	(void)space;
	if (memory)
		memory->count_file = -1;
	return memory;
}

/* The name is another namespace's now.  That the one before had lost something stays:
 * there is still to be said that this is over. */
static void
forget(struct tap_kernel_reader *reader, struct memory *memory)
{
	pthread_mutex_lock(&reader->mutex);
	if (memory->count_file >= 0)
		close(memory->count_file);
	memory->count_file = -1;
	memory->peak = 0;
	pthread_mutex_unlock(&reader->mutex);
	ct_stats_done(&memory->stats);
	memory->read = false;
}

static void
memory_done(void *data)
{
	struct memory *memory = data;

	ct_stats_done(&memory->stats);
	if (memory->count_file >= 0)
		close(memory->count_file);
	free(memory);
}

/* A file of a namespace that has ended says so, and is opened anew at the next reading.
 */
static void
sample(struct memory *memory)
{
	char text[16];
	ssize_t size;
	unsigned long count;

	if (memory->count_file < 0)
		return;
	size = pread(memory->count_file, text, sizeof(text) - 1, 0);
	if (size <= 0) {
		close(memory->count_file);
		memory->count_file = -1;
		return;
	}
	text[size] = '\0';
	count = strtoul(text, NULL, 10);
	if (count > memory->peak)
		memory->peak = (uint32_t)count;
}

static void *
sampler(void *data)
{
	struct tap_kernel_reader *reader = data;
	cdtime_t begun = tap_pause_now();

	while (tap_pause_wait(&reader->pause, begun, SAMPLE_INTERVAL)) {
		pthread_mutex_lock(&reader->mutex);
		for (struct tap_space *at = reader->spaces.first; at; at = at->next)
			sample(at->data);
		pthread_mutex_unlock(&reader->mutex);
	}
	return NULL;
}

struct tap_kernel_reader *
tap_kernel_new(const struct tap_settings *settings)
{
	struct tap_kernel_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->settings = settings;
	reader->spaces.make = memory_make;
	reader->spaces.done = memory_done;
	reader->spaces.tells = true;
	pthread_mutex_init(&reader->mutex, NULL);
	tap_pause_init(&reader->pause);
	reader->sampling = plugin_thread_create(&reader->sampler, sampler, reader,
						"conntap peak") == 0;
	if (!reader->sampling)
		WARNING(TAP_PLUGIN " plugin: no thread to look for peaks");
	return reader;
}

void
tap_kernel_free(struct tap_kernel_reader *reader)
{
	if (!reader)
		return;
	tap_pause_end(&reader->pause);
	if (reader->sampling)
		pthread_join(reader->sampler, NULL);
	tap_spaces_free(&reader->spaces);
	tap_pause_done(&reader->pause);
	pthread_mutex_destroy(&reader->mutex);
	free(reader);
}

/* How many of `max` there are, as parts that add up to it; without a limit, one part.
 */
static void
emit_fill(const struct tap_emitter *emitter, const char *group, uint32_t count,
	  uint32_t max)
{
	tap_gauge(emitter, group, "conntrack", "used", count);
	if (max == 0)
		return;
	tap_gauge(emitter, group, "conntrack", "free", count < max ? max - count : 0);
	tap_gauge(emitter, group, "percent", "used",
		  count < max ? 100.0 * count / max : 100.0);
}

/* What does harm is an error, everything else an operation. */
static const struct {
	enum ct_stat stat;
	const char *group; /* NULL: the table's, or a processor's */
	const char *type;
	const char *instance;
} statistics[] = {
	{ CT_STAT_FOUND, NULL, "operations", "found" },
	{ CT_STAT_INSERT, NULL, "operations", "insert" },
	{ CT_STAT_SEARCH_RESTART, NULL, "operations", "search_restart" },
	{ CT_STAT_CLASH_RESOLVE, NULL, "operations", "clash_resolve" },
	{ CT_STAT_INVALID, NULL, "errors", "invalid" },
	{ CT_STAT_INSERT_FAILED, NULL, "errors", "insert_failed" },
	{ CT_STAT_DROP, NULL, "errors", "drop" },
	{ CT_STAT_EARLY_DROP, NULL, "errors", "early_drop" },
	{ CT_STAT_ERROR, NULL, "errors", "error" },
	{ CT_STAT_CHAIN_TOOLONG, NULL, "errors", "chain_toolong" },
	{ CT_STAT_EXPECT_NEW, "expect", "operations", "new" },
	{ CT_STAT_EXPECT_CREATE, "expect", "operations", "create" },
	{ CT_STAT_EXPECT_DELETE, "expect", "operations", "delete" },
};

_Static_assert(STATIC_ARRAY_SIZE(statistics) == CT_STATS, "a row for each");

static void
emit_statistics(const struct tap_kernel_reader *reader,
		const struct tap_emitter *emitter, const struct ct_stats *stats)
{
	for (size_t i = 0; i < STATIC_ARRAY_SIZE(statistics); i++) {
		const enum ct_stat stat = statistics[i].stat;
		char cpu[32];

		if (!(stats->has >> stat & 1))
			continue;
		if (!reader->settings->report_by_cpu || statistics[i].group) {
			tap_derive(emitter, statistics[i].group, statistics[i].type,
				   statistics[i].instance, ct_stats_sum(stats, stat));
			continue;
		}
		for (size_t n = 0; n < stats->count; n++) {
			snprintf(cpu, sizeof(cpu), "cpu%u", stats->cpus[n].cpu);
			tap_derive(emitter, cpu, statistics[i].type,
				   statistics[i].instance, stats->cpus[n].value[stat]);
		}
	}
}

/* A notification when the table has begun to lose something, and when it has stopped.
 */
static void
notify_of_harm(const struct tap_emitter *emitter, struct memory *memory)
{
	unsigned long long more[STATIC_ARRAY_SIZE(harms)];
	bool harmed = false;

	for (size_t i = 0; i < STATIC_ARRAY_SIZE(harms); i++) {
		uint64_t now = ct_stats_sum(&memory->stats, harms[i]);

		more[i] = memory->read && now > memory->harm[i] ? now - memory->harm[i]
								: 0;
		harmed |= more[i] > 0;
		memory->harm[i] = now;
	}
	if (harmed)
		tap_notify(emitter, NOTIF_WARNING,
			   "The connection tracking table lost something since the "
			   "last reading: %llu packets dropped, %llu flows evicted, "
			   "%llu flows not inserted",
			   more[0], more[1], more[2]);
	else if (memory->harmed)
		tap_notify(emitter, NOTIF_OKAY,
			   "The connection tracking table has lost nothing since the "
			   "last reading");
	memory->harmed = harmed;
	memory->read = true;
}

/* The peak since the last reading; a new time begins. */
static uint32_t
take_peak(struct tap_kernel_reader *reader, struct memory *memory, uint32_t count)
{
	uint32_t peak;

	pthread_mutex_lock(&reader->mutex);
	peak = memory->peak > count ? memory->peak : count;
	memory->peak = count;
	pthread_mutex_unlock(&reader->mutex);
	return peak;
}

/* In the namespace: everything that is to be read there. */
static int
look(struct tap_kernel_reader *reader, struct tap_space *space,
     struct ct_kernel *kernel)
{
	struct memory *memory = space->data;
	struct ct_netlink *netlink = NULL;
	bool another;
	int home, error = tap_space_look(space, &another);

	if (another)
		forget(reader, memory);
	if (!error)
		error = ct_netns_enter(space->netns, &home);
	if (error)
		return error;
	/* Without rights, /proc tells all but the expectations. */
	if (ct_netlink_open(&netlink, NULL) < 0)
		netlink = NULL;
	error = ct_kernel_read(netlink, kernel);
	ct_kernel_read_expects(netlink, kernel);
	if (!error)
		error = ct_stats_read(&memory->stats, netlink);
	ct_netlink_free(netlink);
	pthread_mutex_lock(&reader->mutex);
	if (!error && memory->count_file < 0)
		memory->count_file = open(COUNT_FILE, O_RDONLY | O_CLOEXEC);
	pthread_mutex_unlock(&reader->mutex);
	ct_netns_leave(home);
	return error;
}

static void
read_space(struct tap_kernel_reader *reader, struct tap_space *space, cdtime_t now)
{
	const struct tap_emitter emitter = { .time = now, .netns = space->netns };
	struct memory *memory = space->data;
	struct ct_kernel kernel;
	int error = look(reader, space, &kernel);

	if (error) {
		tap_space_failed(space, "cannot read the kernel's numbers", error);
		return;
	}
	tap_space_works(space);
	emit_fill(&emitter, NULL, kernel.count, kernel.max);
	emit_fill(&emitter, "peak", take_peak(reader, memory, kernel.count),
		  kernel.max);
	if (kernel.has & CT_KERNEL_EXPECTS)
		emit_fill(&emitter, "expect", kernel.expects, kernel.expect_max);
	emit_statistics(reader, &emitter, &memory->stats);
	if (reader->settings->notify)
		notify_of_harm(&emitter, memory);
}

void
tap_kernel_read(struct tap_kernel_reader *reader)
{
	cdtime_t now = cdtime();

	pthread_mutex_lock(&reader->mutex);
	tap_spaces_update(&reader->spaces, reader->settings);
	pthread_mutex_unlock(&reader->mutex);
	for (struct tap_space *at = reader->spaces.first; at; at = at->next)
		read_space(reader, at, now);
}
