/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * collectd_host: the plugin for collectd without collectd, one pass over the table.
 *
 * It configures, starts and ends the plugin as the daemon does, and dispatches to
 * nobody, so that the benchmark can hold the plugin's own cost against a program that
 * only receives.  With --all the plugin is asked for NAT, marks and matches, too; with
 * -v it is said what came.  Whatever the plugin complains about is a failure: it would
 * have done less than what is measured.
 */
#include <dlfcn.h>
#include <getopt.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <collectd/core/daemon/collectd.h>

#include <collectd/core/daemon/plugin.h>
#include <collectd/core/daemon/utils_complain.h>
#include <collectd/core/utils/common/common.h>

enum {
	SECONDS_MAX = 120, /* it is killed then */
	A_DAY = 86400,     /* the plugin's longest interval: there is no second pass */
};

static struct {
	int (*configure)(oconfig_item_t *block);
	int (*init)(void);
	int (*shutdown)(void);

	pthread_mutex_t mutex; /* of what follows: */
	pthread_cond_t changed;
	unsigned int values, passes, complaints;
	double flows;   /* of all protocols together */
	double seconds; /* of the pass, as the plugin tells */
} host = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

/* --- the daemon's functions ------------------------------------------------ */

char *hostname_g = "bench";

__attribute__((format(printf, 2, 0))) static void
say(int level, const char *format, va_list arguments)
{
	pthread_mutex_lock(&host.mutex);
	fputs("collectd_host: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	if (level <= LOG_WARNING)
		host.complaints++;
	pthread_cond_signal(&host.changed);
	pthread_mutex_unlock(&host.mutex);
}

void
plugin_log(int level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(level, format, arguments);
	va_end(arguments);
}

void
c_complain(int level, c_complain_t *complaint, const char *format, ...)
{
	va_list arguments;

	(void)complaint;
	va_start(arguments, format);
	say(level, format, arguments);
	va_end(arguments);
}

void
c_complain_once(int level, c_complain_t *complaint, const char *format, ...)
{
	va_list arguments;

	(void)complaint;
	va_start(arguments, format);
	say(level, format, arguments);
	va_end(arguments);
}

/* Nothing that was complained about is well again: it is the end. */
void
c_do_release(int level, c_complain_t *complaint, const char *format, ...)
{
	(void)level;
	(void)complaint;
	(void)format;
}

cdtime_t
cdtime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return TIMESPEC_TO_CDTIME_T(&now);
}

char *
sstrncpy(char *to, const char *from, size_t size)
{
	strncpy(to, from, size);
	to[size - 1] = '\0';
	return to;
}

char *
sstrerror(int error, char *buffer, size_t size)
{
	return sstrncpy(buffer, strerror(error), size);
}

cdtime_t
plugin_get_interval(void)
{
	return TIME_T_TO_CDTIME_T_STATIC(10);
}

plugin_ctx_t
plugin_get_ctx(void)
{
	return (plugin_ctx_t){ .interval = plugin_get_interval() };
}

plugin_ctx_t
plugin_set_ctx(plugin_ctx_t context)
{
	(void)context;
	return plugin_get_ctx();
}

int
plugin_dispatch_values(value_list_t const *list)
{
	const char *group = list->plugin_instance;

	pthread_mutex_lock(&host.mutex);
	host.values++;
	if (strcmp(group, "all") == 0 && strcmp(list->type, "current_connections") == 0)
		host.flows += list->values[0].gauge;
	if (strcmp(group, "all-self") == 0 && strcmp(list->type, "duration") == 0 &&
	    strcmp(list->type_instance, "pass") == 0) {
		host.passes++;
		host.seconds = list->values[0].gauge;
		pthread_cond_signal(&host.changed);
	}
	pthread_mutex_unlock(&host.mutex);
	return 0;
}

int
plugin_dispatch_notification(const notification_t *notification)
{
	(void)notification;
	return 0;
}

int
plugin_register_complex_config(const char *name, int (*callback)(oconfig_item_t *))
{
	(void)name;
	host.configure = callback;
	return 0;
}

int
plugin_register_init(const char *name, plugin_init_cb callback)
{
	(void)name;
	host.init = callback;
	return 0;
}

int
plugin_register_shutdown(const char *name, plugin_shutdown_cb callback)
{
	(void)name;
	host.shutdown = callback;
	return 0;
}

/* What it wants to be called for is the kernel's numbers, and not the table. */
int
plugin_register_complex_read(const char *group, const char *name,
			     plugin_read_cb callback, cdtime_t interval,
			     user_data_t const *data)
{
	(void)group;
	(void)name;
	(void)callback;
	(void)interval;
	(void)data;
	return 0;
}

int
plugin_thread_create(pthread_t *thread, void *(*run)(void *), void *data,
		     char const *name)
{
	(void)name;
	return pthread_create(thread, NULL, run, data);
}

/* --- the configuration ----------------------------------------------------- */

#define TRUE_VALUE                                               \
	{                                                        \
		.type = OCONFIG_TYPE_BOOLEAN, .value.boolean = 1 \
	}
#define NUMBER(x)                                                \
	{                                                        \
		.type = OCONFIG_TYPE_NUMBER, .value.number = (x) \
	}
#define STRING(text)                                                \
	{                                                           \
		.type = OCONFIG_TYPE_STRING, .value.string = (text) \
	}
#define VALUES(...)                                   \
	.values = (oconfig_value_t[]){ __VA_ARGS__ }, \
	.values_num = STATIC_ARRAY_SIZE(((oconfig_value_t[]){ __VA_ARGS__ }))
#define LINES(array) .children = (array), .children_num = STATIC_ARRAY_SIZE(array)

static oconfig_item_t dns[] = {
	{ .key = "Proto", VALUES(STRING("udp,tcp")) },
	{ .key = "DPort", VALUES(NUMBER(53)) },
};

static oconfig_item_t half_open[] = {
	{ .key = "Proto", VALUES(STRING("tcp")) },
	{ .key = "State", VALUES(STRING("SYN_SENT,SYN_RECV")) },
};

static oconfig_item_t lines[] = {
	{ .key = "Table", VALUES(TRUE_VALUE) },
	{ .key = "TableInterval", VALUES(NUMBER(A_DAY)) },
	/* With --all: */
	{ .key = "Nat", VALUES(STRING("auto")) },
	{ .key = "Mark", VALUES(NUMBER(7), STRING("every_seventh")) },
	{ .key = "Mark", VALUES(STRING("0x10/0xf0"), STRING("voip")) },
	{ .key = "Mark", VALUES(STRING("0x20/0xf0"), STRING("guests")) },
	{ .key = "Match", VALUES(STRING("dns")), LINES(dns) },
	{ .key = "Match", VALUES(STRING("half-open")), LINES(half_open) },
};

enum { LINES_ALWAYS = 2 };

/* --- running --------------------------------------------------------------- */

static bool
load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void (*module_register)(void) = NULL;

	if (library)
		module_register = (void (*)(void))dlsym(library, "module_register");
	if (!module_register) {
		fprintf(stderr, "collectd_host: %s\n", dlerror());
		return false;
	}
	module_register();
	if (!host.configure || !host.init || !host.shutdown) {
		fprintf(stderr, "collectd_host: %s: not the plugin\n", path);
		return false;
	}
	return true;
}

static void
wait_for_pass(void)
{
	pthread_mutex_lock(&host.mutex);
	while (host.passes == 0 && host.complaints == 0)
		pthread_cond_wait(&host.changed, &host.mutex);
	pthread_mutex_unlock(&host.mutex);
}

static int
run(const char *path, oconfig_item_t *block)
{
	if (!load(path) || host.configure(block) || host.init())
		return EXIT_FAILURE;
	wait_for_pass();
	host.shutdown();
	return host.passes == 1 && host.complaints == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ 0 },
	};
	oconfig_item_t block = { .key = "Plugin",
				 .children = lines,
				 .children_num = LINES_ALWAYS };
	bool verbose = false, bad = false;
	int c, status;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 'a')
			block.children_num = STATIC_ARRAY_SIZE(lines);
		else if (c == 'v')
			verbose = true;
		else
			bad = true;
	}
	if (bad || optind != argc - 1) {
		fputs("usage: collectd_host [-v] [--all] PLUGIN.so\n", stderr);
		return 2;
	}
	alarm(SECONDS_MAX);
	status = run(argv[optind], &block);
	if (verbose)
		fprintf(stderr, "%.0f flows, %u values, a pass of %.3f s\n", host.flows,
			host.values, host.seconds);
	return status;
}
