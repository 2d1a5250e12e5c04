/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TAP_READERS_H
#define TAP_READERS_H
/*
 * The three that read: the kernel's own numbers (cheap, always), the table (a pass over
 * all flows, in a thread), and events (a thread that listens).  For module.c, which
 * starts, calls and ends them, from one thread at a time.
 */
#include "host.h"

#include "settings.h"

/* Reads what costs nothing, and dispatches it.  Nothing here returns an error: what is
 * wrong is said in the log, once. */
struct tap_kernel_reader;
struct tap_kernel_reader *tap_kernel_new(const struct tap_settings *settings);
void tap_kernel_read(struct tap_kernel_reader *reader);
void tap_kernel_free(struct tap_kernel_reader *reader);

/* Makes one pass over each table in each interval, by itself. */
struct tap_table_reader;
struct tap_table_reader *tap_table_new(const struct tap_settings *settings);
void tap_table_free(struct tap_table_reader *reader);

/* Dispatches what has been heard so far. */
struct tap_events_reader;
struct tap_events_reader *tap_events_new(const struct tap_settings *settings);
void tap_events_read(struct tap_events_reader *reader);
void tap_events_free(struct tap_events_reader *reader);

#endif
