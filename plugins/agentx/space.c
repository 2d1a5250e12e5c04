/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a namespace, and when it is asked for again. */
#include "space.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "common/change.h"
#include "log.h"

/* The kernel's numbers may be that old: all of one walk over them are of one time. */
#define FRESH_MS 100
/* So many rows are remembered as set even where nobody walks and wants a snapshot. */
#define TOUCHED_MANY 1000

struct agx_space *
agx_space_new(const struct agx_options *options, const struct agx_netns *netns,
	      struct agx_builder *builder, struct agx_listener *listener)
{
	struct agx_space *space = calloc(1, sizeof(*space));

	if (!space)
		return NULL;
	space->options = options;
	space->context = netns ? netns->context : "";
	space->netns = netns ? netns->name : NULL;
	space->begun = agx_now();
	space->look_error = -EAGAIN;
	space->controls = (struct agx_controls){
		.usage_high = options->usage_high,
		.usage_low = options->usage_low,
		.interval = options->notification_interval,
		.snapshot_age = options->snapshot_age,
		.notifications = !options->no_notifications,
	};
	/* In this order, so that nothing happens between the table and the events. */
	space->ear = agx_listener_add(listener, space->netns);
	space->order = agx_builder_add(builder, space->netns);
	if (space->order && space->ear)
		return space;
	agx_space_free(space);
	return NULL;
}

void
agx_space_free(struct agx_space *space)
{
	if (!space)
		return;
	ct_netlink_free(space->netlink);
	ct_stats_done(&space->stats);
	agx_snapshot_free(space->snapshot);
	agx_touched_done(&space->touched);
	free(space);
}

const char *
agx_space_label(const struct agx_space *space, char buffer[300])
{
	buffer[0] = '\0';
	if (space->netns)
		snprintf(buffer, 300, "%s: ", space->netns);
	return buffer;
}

/* Both ways of looking mostly fail alike, which is said once: so is that it is over. */
static void
say(const struct agx_space *space, struct agx_trouble *trouble,
    const struct agx_trouble *other, const char *what, int error)
{
	bool was_said = trouble->said;
	char label[300];

	if (error == trouble->error)
		return;
	trouble->error = error;
	trouble->said = error && !(other->said && other->error == error);
	agx_space_label(space, label);
	if (trouble->said)
		agx_log(LOG_WARNING, "%scannot read %s: %s%s", label, what,
			strerror(-error), agx_advice(error));
	else if (!error && was_said)
		agx_log(LOG_INFO, "%sreading %s again", label, what);
}

/*
 * Is the namespace another one, under the same name?  Then the kernel's counters have
 * begun at 0, and ours count on from where they are.  In the namespace.
 */
static void
recognise(struct agx_space *space)
{
	struct ct_netns_id id = { 0 };

	if (ct_netns_identify(NULL, &id) < 0 ||
	    (id.device == space->id.device && id.inode == space->id.inode))
		return;
	space->id = id;
	if (space->stats.count == 0)
		return;
	for (size_t i = 0; i < space->stats.count; i++)
		memset(space->stats.cpus[i].last, 0, sizeof(space->stats.cpus[i].last));
	space->begun = agx_now();
}

/* In the namespace. */
static int
read_kernel(struct agx_space *space)
{
	int error = ct_netlink_open(&space->netlink, NULL);

	if (error)
		space->netlink = NULL;
	error = ct_kernel_read(space->netlink, &space->kernel);
	if (error)
		return error;
	ct_kernel_read_expects(space->netlink, &space->kernel);
	return ct_stats_read(&space->stats, space->netlink);
}

/* The socket is opened anew each time: the name may be another namespace's by now. */
static int
look(struct agx_space *space)
{
	int home, error;

	ct_netlink_free(space->netlink);
	space->netlink = NULL;
	space->kernel = (struct ct_kernel){ 0 };
	error = ct_netns_enter(space->netns, &home);
	/* The next one of this name may come to have the id of this one. */
	if (error == -ENOENT)
		space->id = (struct ct_netns_id){ 0 };
	if (error)
		return error;
	recognise(space);
	error = read_kernel(space);
	ct_netns_leave(home);
	return error;
}

void
agx_space_look(struct agx_space *space)
{
	uint64_t now = agx_milliseconds();

	if (space->looked_ms && now < space->looked_ms + FRESH_MS)
		return;
	space->looked_ms = now;
	space->look_error = look(space);
	say(space, &space->look_trouble, &space->snapshot_trouble,
	    "the kernel's numbers", space->look_error);
	if (space->kernel.has & CT_KERNEL_COUNT)
		agx_ear_note(space->ear, space->kernel.count);
	agx_ear_read(space->ear, &space->heard);
}

void
agx_space_begin(struct agx_space *space)
{
	space->renewed = false;
	space->asked = false;
}

static void
renew(struct agx_space *space)
{
	struct agx_snapshot *newer = agx_order_take(space->order);

	if (!newer)
		return;
	agx_snapshot_free(space->snapshot);
	space->snapshot = newer;
	agx_touched_forget(&space->touched, newer->begun_ms);
	say(space, &space->snapshot_trouble, &space->look_trouble, "the table",
	    newer->error);
}

const struct agx_snapshot *
agx_space_snapshot(struct agx_space *space)
{
	if (!space->renewed)
		renew(space);
	space->renewed = true;
	return space->snapshot && !space->snapshot->error ? space->snapshot : NULL;
}

/* The kernel finds a flow by its reply, too; that is another row. */
static int
ask(struct agx_space *space, const struct ct_table_key *key, struct ct_flow *flow)
{
	struct ct_table_key found;
	struct ct_flow wanted;
	int error;

	agx_space_look(space);
	/* -ENOENT would be a flow that is not there, and not its namespace. */
	if (!space->netlink)
		return -ENODEV;
	ct_table_key_flow(key, &wanted);
	error = ct_get(space->netlink, &wanted, flow);
	if (error)
		return error;
	ct_table_key_of(&found, flow);
	return ct_table_key_compare(&found, key) == 0 ? 0 : -ENOENT;
}

int
agx_space_get(struct agx_space *space, const struct ct_table_key *key,
	      struct ct_flow *flow)
{
	if (!space->asked || ct_table_key_compare(&space->asked_key, key) != 0) {
		space->asked = true;
		space->asked_key = *key;
		space->asked_error = ask(space, key, &space->asked_flow);
	}
	if (!space->asked_error)
		*flow = space->asked_flow;
	return space->asked_error;
}

void
agx_space_touch(struct agx_space *space, const struct ct_table_key *key)
{
	char label[300];

	space->asked = false;
	if (space->touched.count >= TOUCHED_MANY)
		renew(space);
	if (agx_touched_add(&space->touched, key, agx_milliseconds()) < 0)
		agx_log(LOG_WARNING,
			"%sno memory: walks show a row as it was until the "
			"next snapshot",
			agx_space_label(space, label));
}
