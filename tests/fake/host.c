/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's functions that the plugin calls, and what calls the plugin's. */
#include "host.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <collectd/core/daemon/utils_complain.h>
#include <collectd/core/utils/common/common.h>

#define VALUES_MAX 65536
#define LINES_MAX 1024
#define LINE_MAX_SIZE 512
#define WORDS_MAX 8
#define PATIENCE_S 20
#define INTERVAL TIME_T_TO_CDTIME_T_STATIC(1)

/* eventfd(2) is looked for here before it is in the C library. */
int eventfd(unsigned int count, int flags);

static struct {
	void *library;
	int (*configure)(oconfig_item_t *block);
	int (*init)(void);
	int (*read)(user_data_t *data);
	int (*shutdown)(void);
	bool no_eventfd;

	pthread_mutex_t mutex; /* of what follows: */
	struct host_value values[VALUES_MAX];
	size_t value_count;
	char lines[LINES_MAX][LINE_MAX_SIZE];
	size_t line_count;
	int threads;
	int allowed_threads;
	unsigned int delay; /* milliseconds */
} host = { .mutex = PTHREAD_MUTEX_INITIALIZER, .allowed_threads = -1 };

char *hostname_g = "fake";

static _Thread_local plugin_ctx_t context = { .interval = INTERVAL };

/* The functions of the daemon. */

__attribute__((format(printf, 1, 0))) static void
put_line(const char *format, va_list arguments)
{
	pthread_mutex_lock(&host.mutex);
	if (host.line_count < LINES_MAX)
		vsnprintf(host.lines[host.line_count++], LINE_MAX_SIZE, format,
			  arguments);
	pthread_mutex_unlock(&host.mutex);
}

void
plugin_log(int level, const char *format, ...)
{
	va_list arguments;

	(void)level;
	va_start(arguments, format);
	put_line(format, arguments);
	va_end(arguments);
}

void
c_complain(int level, c_complain_t *complaint, const char *format, ...)
{
	va_list arguments;

	(void)level;
	complaint->interval = INTERVAL;
	va_start(arguments, format);
	put_line(format, arguments);
	va_end(arguments);
}

void
c_complain_once(int level, c_complain_t *complaint, const char *format, ...)
{
	va_list arguments;

	(void)level;
	if (complaint->complained_once)
		return;
	complaint->complained_once = true;
	complaint->interval = INTERVAL;
	va_start(arguments, format);
	put_line(format, arguments);
	va_end(arguments);
}

void
c_do_release(int level, c_complain_t *complaint, const char *format, ...)
{
	va_list arguments;

	(void)level;
	if (complaint->interval == 0)
		return;
	C_COMPLAIN_INIT(complaint);
	va_start(arguments, format);
	put_line(format, arguments);
	va_end(arguments);
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

plugin_ctx_t
plugin_get_ctx(void)
{
	return context;
}

plugin_ctx_t
plugin_set_ctx(plugin_ctx_t now)
{
	plugin_ctx_t before = context;

	context = now;
	return before;
}

cdtime_t
plugin_get_interval(void)
{
	return context.interval;
}

static void
take_delay(void)
{
	struct timespec pause = { 0 };

	pthread_mutex_lock(&host.mutex);
	pause.tv_sec = host.delay / 1000;
	pause.tv_nsec = host.delay % 1000 * 1000000;
	host.delay = 0;
	pthread_mutex_unlock(&host.mutex);
	nanosleep(&pause, NULL);
}

int
plugin_dispatch_values(value_list_t const *list)
{
	take_delay();
	pthread_mutex_lock(&host.mutex);
	if (host.value_count < VALUES_MAX) {
		struct host_value *value = &host.values[host.value_count++];

		memcpy(value->plugin, list->plugin, sizeof(value->plugin));
		memcpy(value->instance, list->plugin_instance, sizeof(value->instance));
		memcpy(value->type, list->type, sizeof(value->type));
		memcpy(value->type_instance, list->type_instance,
		       sizeof(value->type_instance));
		memcpy(value->host, list->host, sizeof(value->host));
		value->count = list->values_len;
		value->value = list->values[0];
		value->time = list->time;
		value->interval = list->interval ? list->interval : context.interval;
	}
	pthread_mutex_unlock(&host.mutex);
	return 0;
}

int
plugin_dispatch_notification(const notification_t *notification)
{
	plugin_log(LOG_INFO, "notification of %s: %s", notification->host,
		   notification->message);
	return 0;
}

int
plugin_register_complex_config(const char *name, int (*callback)(oconfig_item_t *))
{
	assert_string_equal(name, "conntap");
	host.configure = callback;
	return 0;
}

int
plugin_register_init(const char *name, plugin_init_cb callback)
{
	assert_string_equal(name, "conntap");
	host.init = callback;
	return 0;
}

int
plugin_register_shutdown(const char *name, plugin_shutdown_cb callback)
{
	assert_string_equal(name, "conntap");
	host.shutdown = callback;
	return 0;
}

int
plugin_register_complex_read(const char *group, const char *name,
			     plugin_read_cb callback, cdtime_t interval,
			     user_data_t const *data)
{
	(void)group;
	assert_string_equal(name, "conntap");
	assert_int_equal(interval, 0);
	assert_null(data);
	host.read = callback;
	return 0;
}

struct start {
	void *(*run)(void *data);
	void *data;
	plugin_ctx_t context;
};

static void
count_threads(int more)
{
	pthread_mutex_lock(&host.mutex);
	host.threads += more;
	pthread_mutex_unlock(&host.mutex);
}

static void *
run_thread(void *data)
{
	struct start start = *(struct start *)data;
	void *result;

	free(data);
	context = start.context;
	result = start.run(start.data);
	count_threads(-1);
	return result;
}

int
plugin_thread_create(pthread_t *thread, void *(*run)(void *), void *data,
		     char const *name)
{
	struct start *start;

	/* The kernel cuts longer ones. */
	assert_in_range(strlen(name), 1, 15);
	if (host.allowed_threads == 0)
		return EAGAIN;
	if (host.allowed_threads > 0)
		host.allowed_threads--;
	start = malloc(sizeof(*start));
	*start = (struct start){ run, data, context };
	count_threads(1);
	return pthread_create(thread, NULL, run_thread, start);
}

int
eventfd(unsigned int count, int flags)
{
	if (host.no_eventfd) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_eventfd2, count, flags);
}

/* The configuration. */

static char *
copy_of(const char *text, size_t size)
{
	char *copy = calloc(1, size + 1);

	assert_non_null(copy);
	memcpy(copy, text, size);
	return copy;
}

/* Takes what is in quotes; within, a backslash makes any character one of the text. */
static const char *
take_quoted(const char *at, oconfig_value_t *value)
{
	char *to = copy_of(at, strlen(at));

	*value = (oconfig_value_t){ .type = OCONFIG_TYPE_STRING };
	value->value.string = to;
	for (at++; *at != '"'; at++) {
		at += *at == '\\';
		*to++ = *at;
	}
	*to = '\0';
	return at + 1;
}

/* Takes a value; what is not in quotes may be a number, or true or false. */
static const char *
take_value(const char *at, oconfig_value_t *value)
{
	size_t size = strcspn(at, " \n>");
	char *word, *end;
	double number;

	if (*at == '"')
		return take_quoted(at, value);
	word = copy_of(at, size);
	number = strtod(word, &end);
	*value = (oconfig_value_t){ .type = OCONFIG_TYPE_STRING };
	if (end > word && !*end) {
		value->type = OCONFIG_TYPE_NUMBER;
		value->value.number = number;
	} else if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) {
		value->type = OCONFIG_TYPE_BOOLEAN;
		value->value.boolean = word[0] == 't';
	} else {
		value->value.string = word;
		return at + size;
	}
	free(word);
	return at + size;
}

static oconfig_item_t *
add_child(oconfig_item_t *parent)
{
	size_t size = sizeof(*parent) * (size_t)(parent->children_num + 1);

	parent->children = realloc(parent->children, size);
	assert_non_null(parent->children);
	memset(&parent->children[parent->children_num], 0, sizeof(*parent));
	return &parent->children[parent->children_num++];
}

/* Takes the lines of a block, up to its end. */
static const char *
take_lines(const char *at, oconfig_item_t *block)
{
	while (*at && strncmp(at, "</", 2) != 0) {
		bool opens = *at == '<';
		oconfig_item_t *item = add_child(block);

		at += opens;
		item->key = copy_of(at, strcspn(at, " \n>"));
		at += strlen(item->key);
		item->values = calloc(WORDS_MAX, sizeof(*item->values));
		assert_non_null(item->values);
		for (at += *at == ' '; *at != '\n' && *at != '>'; at += *at == ' ')
			at = take_value(at, &item->values[item->values_num++]);
		at += strcspn(at, "\n") + 1;
		if (!opens)
			continue;
		at = take_lines(at, item);
		at += strcspn(at, "\n") + 1;
	}
	return at;
}

static void
free_item(oconfig_item_t *item)
{
	for (int i = 0; i < item->values_num; i++)
		if (item->values[i].type == OCONFIG_TYPE_STRING)
			free(item->values[i].value.string);
	for (int i = 0; i < item->children_num; i++)
		free_item(&item->children[i]);
	free(item->values);
	free(item->children);
	free(item->key);
}

void
host_configure(const char *lines)
{
	oconfig_item_t block = { .key = copy_of("Plugin", 6) };
	/* Nothing of the plugin's is to point into it. */
	char *copy = copy_of(lines, strlen(lines));

	take_lines(copy, &block);
	free(copy);
	assert_int_equal(host.configure(&block), 0);
	free_item(&block);
}

/* What the tests call. */

void
host_open(void)
{
	const char *build = getenv("CONNTAP_BUILD");
	void (*module_register)(void);
	char path[4096];

	snprintf(path, sizeof(path), "%s%s/collectd/conntap.so",
		 build && build[0] == '/' ? "" : "./", build ? build : "build");
	host.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!host.library)
		fail_msg("%s", dlerror());
	module_register = (void (*)(void))dlsym(host.library, "module_register");
	assert_non_null(module_register);
	module_register();
	assert_non_null(host.configure);
	assert_non_null(host.init);
	assert_non_null(host.shutdown);
	host_forget();
}

void
host_close(void)
{
	assert_int_equal(host_threads(), 0);
	assert_int_equal(dlclose(host.library), 0);
	host.library = NULL;
	host.configure = NULL;
	host.init = NULL;
	host.read = NULL;
	host.shutdown = NULL;
	host_allow_threads(-1);
	host_allow_eventfd(true);
}

void
host_init(void)
{
	assert_int_equal(host.init(), 0);
}

void
host_read(void)
{
	if (host.read)
		assert_int_equal(host.read(NULL), 0);
}

void
host_shutdown(void)
{
	assert_int_equal(host.shutdown(), 0);
}

void
host_allow_threads(int count)
{
	host.allowed_threads = count;
}

int
host_threads(void)
{
	int threads;

	pthread_mutex_lock(&host.mutex);
	threads = host.threads;
	pthread_mutex_unlock(&host.mutex);
	return threads;
}

void
host_allow_eventfd(bool allowed)
{
	host.no_eventfd = !allowed;
}

void
host_delay(unsigned int milliseconds)
{
	pthread_mutex_lock(&host.mutex);
	host.delay = milliseconds;
	pthread_mutex_unlock(&host.mutex);
}

size_t
host_values(struct host_value **values)
{
	size_t count;

	pthread_mutex_lock(&host.mutex);
	count = host.value_count;
	*values = calloc(count + 1, sizeof(**values));
	if (*values)
		memcpy(*values, host.values, count * sizeof(**values));
	pthread_mutex_unlock(&host.mutex);
	assert_non_null(*values);
	return count;
}

size_t
host_count(const char *instance, const char *type, const char *type_instance,
	   struct host_value *last)
{
	size_t count = 0;

	pthread_mutex_lock(&host.mutex);
	for (size_t i = 0; i < host.value_count; i++) {
		const struct host_value *value = &host.values[i];

		if (strcmp(value->instance, instance) != 0 ||
		    strcmp(value->type, type) != 0 ||
		    strcmp(value->type_instance, type_instance) != 0)
			continue;
		count++;
		if (last)
			*last = *value;
	}
	pthread_mutex_unlock(&host.mutex);
	return count;
}

size_t
host_lines(void)
{
	size_t count;

	pthread_mutex_lock(&host.mutex);
	count = host.line_count;
	pthread_mutex_unlock(&host.mutex);
	return count;
}

size_t
host_said(const char *text)
{
	size_t count = 0;

	pthread_mutex_lock(&host.mutex);
	for (size_t i = 0; i < host.line_count; i++)
		count += strstr(host.lines[i], text) != NULL;
	pthread_mutex_unlock(&host.mutex);
	return count;
}

void
host_forget(void)
{
	pthread_mutex_lock(&host.mutex);
	host.value_count = 0;
	host.line_count = 0;
	pthread_mutex_unlock(&host.mutex);
}

void
host_wait(const char *instance, const char *type, const char *type_instance,
	  size_t count)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	time_t deadline = time(NULL) + PATIENCE_S;

	while (host_count(instance, type, type_instance, NULL) < count) {
		if (time(NULL) > deadline)
			fail_msg("no %zu values of %s %s %s", count, instance, type,
				 type_instance);
		nanosleep(&pause, NULL);
	}
}

void
host_wait_line(const char *text)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	time_t deadline = time(NULL) + PATIENCE_S;

	while (host_said(text) == 0) {
		if (time(NULL) > deadline)
			fail_msg("it does not say \"%s\"", text);
		nanosleep(&pause, NULL);
	}
}
