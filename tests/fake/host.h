/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H
/*
 * A collectd that does nothing but load the plugin, call it and write down what it
 * says: for tests.  The program that uses this is linked so that it shows its symbols,
 * as the real daemon does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <collectd/core/daemon/collectd.h>

#include <collectd/core/daemon/plugin.h>

struct host_value {
	char plugin[DATA_MAX_NAME_LEN];
	char instance[DATA_MAX_NAME_LEN];
	char type[DATA_MAX_NAME_LEN];
	char type_instance[DATA_MAX_NAME_LEN];
	char host[DATA_MAX_NAME_LEN];
	size_t count; /* how many numbers it had; there is room for one: */
	value_t value;
	cdtime_t time;
	cdtime_t interval; /* its own, or the thread's */
};

/* Loads $CONNTAP_BUILD/collectd/conntap.so, or skips the test; and unloads it. */
void host_open(void);
void host_close(void);

/*
 * Gives it a <Plugin conntap> with those lines, in collectd's own syntax.  All of it is
 * gone when this returns.
 */
void host_configure(const char *lines);

/* Calls what it has registered; host_read() does nothing when that is nothing. */
void host_init(void);
void host_read(void);
void host_shutdown(void);

/* So many threads can be made (-1: any number); so many are running. */
void host_allow_threads(int count);
int host_threads(void);

/* From now on, eventfd(2) fails, or not. */
void host_allow_eventfd(bool allowed);

/* The next value that is dispatched takes so long. */
void host_delay(unsigned int milliseconds);

/* A copy of all values so far, to be freed. */
size_t host_values(struct host_value **values);

/* How many values there are of that name; the last of them unless `last` is NULL. */
size_t host_count(const char *instance, const char *type, const char *type_instance,
		  struct host_value *last);

/* The lines that were logged, and how many with that text in them. */
size_t host_lines(void);
size_t host_said(const char *text);

/* Waits for a line with that text, or fails. */
void host_wait_line(const char *text);

/* What is logged and dispatched is forgotten. */
void host_forget(void);

/* Waits for so many values of that name, or fails. */
void host_wait(const char *instance, const char *type, const char *type_instance,
	       size_t count);

#endif
