/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notifications: when there is one to send, and what it carries. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <string.h>

#include "notifications.h"
#include "regions.h"

enum notification {
	USAGE_HIGH = 1,
	USAGE_CLEARED,
	TABLE_FULL,
	EVENT_LOSS,
};

/* An object that a notification carries: one of the scalars. */
struct object {
	const struct agx_region *region;
	unsigned int column; /* 0 behind the last */
};

#define STAT(name) AGX_STATS_FIRST + CT_STAT_##name

static const struct object usage_objects[] = {
	{ &agx_general, AGX_ENTRIES },
	{ &agx_general, AGX_MAX_ENTRIES },
	{ &agx_general, AGX_USAGE_PERCENT },
	{ &agx_general, AGX_NETNS },
	{ NULL, 0 },
};

static const struct object full_objects[] = {
	{ &agx_general, AGX_ENTRIES },
	{ &agx_general, AGX_MAX_ENTRIES },
	{ &agx_stats, STAT(INSERT_FAILED) },
	{ &agx_stats, STAT(DROP) },
	{ &agx_stats, STAT(EARLY_DROP) },
	{ &agx_general, AGX_NETNS },
	{ NULL, 0 },
};

static const struct object loss_objects[] = {
	{ &agx_general, AGX_EVENTS_LOST },
	{ &agx_general, AGX_NETNS },
	{ NULL, 0 },
};

static const struct object *const objects[] = {
	[USAGE_HIGH] = usage_objects,
	[USAGE_CLEARED] = usage_objects,
	[TABLE_FULL] = full_objects,
	[EVENT_LOSS] = loss_objects,
};

static const oid trap_oid[] = { 1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0 };

struct root {
	const agx_id *ids;
	size_t length;
};

static void
add_object(netsnmp_variable_list **variables, struct agx_space *space, struct root root,
	   const struct object *object)
{
	oid name[MAX_OID_LEN];
	size_t length = root.length;
	netsnmp_variable_list *variable;
	struct agx_value value;

	if (!object->region->value(space, object->column, 0, &value))
		return;
	memcpy(name, root.ids, root.length * sizeof(*name));
	for (size_t i = 0; i < object->region->place_length; i++)
		name[length++] = object->region->place[i];
	name[length++] = object->column;
	name[length++] = 0;
	variable =
		snmp_varlist_add_variable(variables, name, length, ASN_NULL, NULL, 0);
	if (variable)
		agx_value_put(&value, variable);
}

static void
send_one(struct agx_space *space, struct root root, enum notification which)
{
	netsnmp_variable_list *variables = NULL;
	oid name[MAX_OID_LEN];
	size_t length = root.length;

	memcpy(name, root.ids, root.length * sizeof(*name));
	name[length++] = 0;
	name[length++] = which;
	snmp_varlist_add_variable(&variables, trap_oid, OID_LENGTH(trap_oid),
				  ASN_OBJECT_ID, name, length * sizeof(*name));
	for (const struct object *at = objects[which]; at->column; at++)
		add_object(&variables, space, root, at);
	if (*space->context)
		send_trap_vars_with_context(-1, -1, variables, space->context);
	else
		send_v2trap(variables);
	snmp_free_varbind(variables);
}

/* Not too soon after the last of its kind. */
static bool
tell(struct agx_space *space, struct agx_told *told, struct root root,
     enum notification which)
{
	uint64_t now = agx_milliseconds();
	uint64_t interval = (uint64_t)space->controls.interval * 1000;

	if (told->sent[which] && now < told->sent[which] + interval)
		return false;
	send_one(space, root, which);
	told->sent[which] = now;
	return true;
}

static void
look_at_usage(struct agx_space *space, struct agx_told *told, struct root root)
{
	const struct agx_controls *controls = &space->controls;
	uint32_t percent;

	if (!agx_usage(space, &percent))
		return;
	if (!told->high && controls->usage_high >= 0 &&
	    percent >= (uint32_t)controls->usage_high)
		told->high = tell(space, told, root, USAGE_HIGH);
	else if (told->high && controls->usage_low >= 0 &&
		 percent <= (uint32_t)controls->usage_low)
		told->high = !tell(space, told, root, USAGE_CLEARED);
}

static uint64_t
harm_of(const struct ct_stats *stats)
{
	return ct_stats_sum(stats, CT_STAT_DROP) +
	       ct_stats_sum(stats, CT_STAT_EARLY_DROP) +
	       ct_stats_sum(stats, CT_STAT_INSERT_FAILED);
}

void
agx_notify(struct agx_space *space, struct agx_told *told, const agx_id *base,
	   size_t base_length)
{
	struct root root = { base, base_length };
	uint64_t harm;

	agx_space_look(space);
	if (space->look_error)
		return;
	harm = harm_of(&space->stats);
	if (!told->began)
		told->harm = harm;
	told->began = true;
	/* What nobody wanted to hear is not told later. */
	if (!space->controls.notifications) {
		told->harm = harm;
		told->lost = space->heard.lost;
		return;
	}
	look_at_usage(space, told, root);
	if (harm > told->harm && tell(space, told, root, TABLE_FULL))
		told->harm = harm;
	if (space->heard.lost > told->lost && tell(space, told, root, EVENT_LOSS))
		told->lost = space->heard.lost;
}
