/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntapControl, and the one scalar of conntapGeneral that can be set. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <stdlib.h>

#include "regions.h"
#include "space.h"

#define CHANGE "conntap setting"

enum {
	USAGE_HIGH = 1,
	USAGE_LOW,
	INTERVAL,
	NOTIFICATIONS,
};

static bool
control_value(struct agx_space *space, unsigned int column, uint32_t row,
	      struct agx_value *value)
{
	const struct agx_controls *controls = &space->controls;

	(void)row;
	switch (column) {
	case USAGE_HIGH:
		return agx_integer(value, controls->usage_high);
	case USAGE_LOW:
		return agx_integer(value, controls->usage_low);
	case INTERVAL:
		return agx_gauge(value, controls->interval);
	default:
		return agx_truth(value, controls->notifications);
	}
}

/* What a scalar that can be set has to be. */
struct setting {
	unsigned int column;
	u_char type;
	long low;
	long high;
};

static const struct setting general_settings[] = {
	{ AGX_SNAPSHOT_MAX_AGE, ASN_UNSIGNED, 1, 86400 },
	{ 0 },
};

static const struct setting control_settings[] = {
	{ USAGE_HIGH, ASN_INTEGER, -1, 100 },
	{ USAGE_LOW, ASN_INTEGER, -1, 100 },
	{ INTERVAL, ASN_UNSIGNED, 0, 86400 },
	{ NOTIFICATIONS, ASN_INTEGER, 1, 2 },
	{ 0 },
};

static const struct setting *
find(const struct setting *settings, const netsnmp_request_info *request)
{
	unsigned int column;
	const agx_id *index;
	size_t length;

	if (!agx_request_name(request, &column, &index, &length) || length != 1 ||
	    index[0] != 0)
		return NULL;
	while (settings->column && settings->column != column)
		settings++;
	return settings->column ? settings : NULL;
}

static int
check(const struct agx_space *space, const struct setting *setting,
      const netsnmp_variable_list *variable)
{
	if (!setting || !space->options->allow_write)
		return SNMP_ERR_NOTWRITABLE;
	if (variable->type != setting->type)
		return SNMP_ERR_WRONGTYPE;
	if (*variable->val.integer < setting->low ||
	    *variable->val.integer > setting->high)
		return SNMP_ERR_WRONGVALUE;
	return SNMP_ERR_NOERROR;
}

static long
number_of(const struct agx_controls *controls, const struct setting *setting)
{
	if (setting == general_settings)
		return controls->snapshot_age;
	switch (setting->column) {
	case USAGE_HIGH:
		return controls->usage_high;
	case USAGE_LOW:
		return controls->usage_low;
	case INTERVAL:
		return controls->interval;
	default:
		return controls->notifications ? 1 : 2;
	}
}

static void
apply(struct agx_controls *controls, const struct setting *setting, long number)
{
	if (setting == general_settings) {
		controls->snapshot_age = (uint32_t)number;
		return;
	}
	switch (setting->column) {
	case USAGE_HIGH:
		controls->usage_high = (int32_t)number;
		break;
	case USAGE_LOW:
		controls->usage_low = (int32_t)number;
		break;
	case INTERVAL:
		controls->interval = (uint32_t)number;
		break;
	default:
		controls->notifications = number == 1;
	}
}

/* What one variable of a request changes; it goes with the request through the modes.
 */
struct change {
	const struct setting *setting;
	long before;
	bool done;
};

static struct change *
change_of(netsnmp_request_info *request)
{
	return netsnmp_request_get_list_data(request, CHANGE);
}

static int
begin(const struct agx_space *space, const struct setting *settings,
      netsnmp_request_info *request)
{
	const struct setting *setting = find(settings, request);
	int error = check(space, setting, request->requestvb);
	struct change *change;

	if (error)
		return error;
	change = calloc(1, sizeof(*change));
	if (!change)
		return SNMP_ERR_RESOURCEUNAVAILABLE;
	change->setting = setting;
	netsnmp_request_add_list_data(request,
				      netsnmp_create_data_list(CHANGE, change, free));
	return SNMP_ERR_NOERROR;
}

/* The controls as all of the request's variables together make them. */
static struct agx_controls
after(const struct agx_space *space, netsnmp_request_info *requests)
{
	struct agx_controls controls = space->controls;

	for (; requests; requests = requests->next)
		apply(&controls, change_of(requests)->setting,
		      *requests->requestvb->val.integer);
	return controls;
}

static void
act(struct agx_space *space, netsnmp_request_info *requests)
{
	const struct agx_controls before = space->controls;

	space->controls = after(space, requests);
	agx_order_set_age(space->order, space->controls.snapshot_age);
	/* What is there twice goes back to what was before both, too. */
	for (; requests; requests = requests->next) {
		struct change *change = change_of(requests);

		change->before = number_of(&before, change->setting);
		change->done = true;
	}
}

/* Only what this registration's variables have changed: others undo theirs. */
static void
undo(struct agx_space *space, netsnmp_request_info *requests)
{
	for (; requests; requests = requests->next) {
		const struct change *change = change_of(requests);

		if (change->done)
			apply(&space->controls, change->setting, change->before);
	}
	agx_order_set_age(space->order, space->controls.snapshot_age);
}

static bool
is_consistent(const struct agx_controls *controls)
{
	return controls->usage_high < 0 || controls->usage_low <= controls->usage_high;
}

static void
set(struct agx_space *space, int mode, netsnmp_request_info *requests,
    const struct setting *settings)
{
	struct agx_controls controls;

	switch (mode) {
	case MODE_SET_RESERVE1:
		for (netsnmp_request_info *at = requests; at; at = at->next) {
			int error = begin(space, settings, at);

			if (error)
				netsnmp_request_set_error(at, error);
		}
		break;
	case MODE_SET_RESERVE2:
		controls = after(space, requests);
		if (!is_consistent(&controls))
			netsnmp_request_set_error(requests, SNMP_ERR_INCONSISTENTVALUE);
		break;
	case MODE_SET_ACTION:
		act(space, requests);
		break;
	case MODE_SET_UNDO:
		undo(space, requests);
		break;
	default:
		break;
	}
}

void
agx_general_set(struct agx_space *space, int mode, netsnmp_request_info *requests)
{
	set(space, mode, requests, general_settings);
}

static void
control_set(struct agx_space *space, int mode, netsnmp_request_info *requests)
{
	set(space, mode, requests, control_settings);
}

const struct agx_region agx_controls = {
	.name = "conntapControl",
	.place = { 1, 4 },
	.place_length = 2,
	.first_column = USAGE_HIGH,
	.last_column = NOTIFICATIONS,
	.row_after = agx_scalar_after,
	.value = control_value,
	.set = control_set,
};
