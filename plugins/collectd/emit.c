/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Value lists and notifications. */
#include "emit.h"

#include <stdarg.h>
#include <stdio.h>

void
tap_clean(char *name)
{
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || *name == '/' || *name == '"' ||
		    *name == '\\')
			*name = '_';
}

static void
set_plugin(char plugin[DATA_MAX_NAME_LEN], char instance[DATA_MAX_NAME_LEN],
	   const struct tap_emitter *emitter, const char *group)
{
	const char *netns = emitter->netns ? emitter->netns : "all";

	sstrncpy(plugin, TAP_PLUGIN, DATA_MAX_NAME_LEN);
	snprintf(instance, DATA_MAX_NAME_LEN, "%.*s%s%s", DATA_MAX_NAME_LEN - 40, netns,
		 group ? "-" : "", group ? group : "");
	tap_clean(instance);
}

static void
dispatch(const struct tap_emitter *emitter, const char *group, const char *type,
	 const char *instance, value_t value)
{
	value_list_t list = VALUE_LIST_INIT;

	list.values = &value;
	list.values_len = 1;
	list.time = emitter->time;
	list.interval = emitter->interval;
	set_plugin(list.plugin, list.plugin_instance, emitter, group);
	sstrncpy(list.type, type, sizeof(list.type));
	sstrncpy(list.type_instance, instance, sizeof(list.type_instance));
	tap_clean(list.type_instance);
	plugin_dispatch_values(&list);
}

void
tap_gauge(const struct tap_emitter *emitter, const char *group, const char *type,
	  const char *instance, double value)
{
	dispatch(emitter, group, type, instance, (value_t){ .gauge = value });
}

void
tap_derive(const struct tap_emitter *emitter, const char *group, const char *type,
	   const char *instance, uint64_t value)
{
	dispatch(emitter, group, type, instance,
		 (value_t){ .derive = (derive_t)value });
}

void
tap_notify(const struct tap_emitter *emitter, int severity, const char *format, ...)
{
	notification_t notification = { .severity = severity, .time = emitter->time };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(notification.message, sizeof(notification.message), format,
		  arguments);
	va_end(arguments);
	/* The daemon fills it in for values only. */
	sstrncpy(notification.host, hostname_g, sizeof(notification.host));
	set_plugin(notification.plugin, notification.plugin_instance, emitter, NULL);
	plugin_dispatch_notification(&notification);
}
