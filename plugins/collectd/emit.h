/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TAP_EMIT_H
#define TAP_EMIT_H
/*
 * How a number becomes a value of collectd's: the one place that knows value lists and
 * how they are named.  For everything that reads.
 *
 * Both instances are always set, because write_prometheus would name a value without
 * them by other labels.  The plugin instance is the namespace ("all" for collectd's
 * own) and, behind a dash, a group of values.  The values of one type in one group can
 * be added up.
 */
#include <stdint.h>

#include "host.h"

struct tap_emitter {
	cdtime_t time;     /* the same for all values of one reading */
	cdtime_t interval; /* until the next ones; 0: the plugin's */
	const char *netns; /* NULL: collectd's own */
};

/* Makes a name of any text: collectd takes it for a path, Prometheus for a label. */
void tap_clean(char *name);

/* What is left when others of a group have names. */
#define TAP_OTHER "other"

/* `group` is NULL for what is about the table as a whole. */
void tap_gauge(const struct tap_emitter *emitter, const char *group, const char *type,
	       const char *instance, double value);
void tap_derive(const struct tap_emitter *emitter, const char *group, const char *type,
		const char *instance, uint64_t value);

/* A notification about the namespace, of severity NOTIF_*. */
void tap_notify(const struct tap_emitter *emitter, int severity, const char *format,
		...) __attribute__((format(printf, 3, 4)));

#endif
