/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin for collectd in a daemon that is not there, with a table of its own: in a
 * network namespace that nobody else is in, where that is allowed.  What the values are
 * is for the tests with a real daemon; here it is what they are called, and threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

#define TYPES_DB "/usr/share/collectd/types.db"
#define PATIENCE_S 20
#define LONG64 "0123456789012345678901234567890123456789012345678901234567890123"
#define LONG320 LONG64 LONG64 LONG64 LONG64 LONG64

static const char *no_table; /* NULL: there is one */

static int
open_host(void **unused)
{
	(void)unused;
	host_open();
	return 0;
}

static int
close_host(void **unused)
{
	(void)unused;
	host_shutdown();
	host_close();
	return 0;
}

static void
need_table(void)
{
	if (!no_table)
		return;
	print_message("# no table: %s\n", no_table);
	skip();
}

__attribute__((format(printf, 1, 2))) static int
run_conntap(const char *format, ...)
{
	const char *build = getenv("CONNTAP_BUILD");
	char arguments[256], command[4096];
	va_list list;

	va_start(list, format);
	vsnprintf(arguments, sizeof(arguments), format, list);
	va_end(list);
	snprintf(command, sizeof(command), "%s/conntap %s", build ? build : "build",
		 arguments);
	return system(command);
}

static void
make_flow(unsigned int port)
{
	assert_int_equal(run_conntap("create -p udp --orig-src 192.0.2.1 --orig-dst "
				     "192.0.2.2 --sport %u --dport 53",
				     port),
			 0);
}

/* Reads until a counter has come so far. */
static void
read_until(const char *instance, const char *type, const char *type_instance,
	   derive_t expected)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	time_t deadline = time(NULL) + PATIENCE_S;
	struct host_value value = { .count = 0 };

	while (host_count(instance, type, type_instance, &value) == 0 ||
	       value.value.derive < expected) {
		if (time(NULL) > deadline)
			fail_msg("%s %s %s does not come to %lld", instance, type,
				 type_instance, (long long)expected);
		nanosleep(&pause, NULL);
		host_forget();
		host_read();
	}
	assert_int_equal(value.value.derive, expected);
}

static bool
is_type(const char *type)
{
	FILE *file = fopen(TYPES_DB, "re");
	char line[1024];
	bool found = false;

	if (!file)
		return true;
	while (!found && fgets(line, sizeof(line), file))
		found = strcspn(line, " \t") == strlen(type) &&
			strncmp(line, type, strlen(type)) == 0;
	fclose(file);
	return found;
}

/* As both collectd, for which it is a file's, and Prometheus want it. */
static void
check_name(const char *name)
{
	size_t length = strnlen(name, DATA_MAX_NAME_LEN);

	assert_in_range(length, 1, DATA_MAX_NAME_LEN - 1);
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~' || strchr("/\"\\", name[i]))
			fail_msg("a bad name: %s", name);
}

static void
check_value(const struct host_value *value)
{
	assert_string_equal(value->plugin, "conntap");
	assert_string_equal(value->host, "");
	assert_int_equal(value->count, 1);
	assert_true(value->time > 0);
	check_name(value->instance);
	check_name(value->type_instance);
	if (!is_type(value->type))
		fail_msg("no such type: %s", value->type);
}

static bool
is_same(const struct host_value *a, const struct host_value *b)
{
	return strcmp(a->instance, b->instance) == 0 && strcmp(a->type, b->type) == 0 &&
	       strcmp(a->type_instance, b->type_instance) == 0;
}

/* Two values of one name and time are one value to the daemon. */
static void
check_values(void)
{
	struct host_value *values;
	size_t count = host_values(&values);

	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		check_value(&values[i]);
		for (size_t k = 0; k < i; k++)
			if (is_same(&values[i], &values[k]) &&
			    values[i].time == values[k].time)
				fail_msg("twice: %s %s %s", values[i].instance,
					 values[i].type, values[i].type_instance);
	}
	free(values);
}

static void
names_of_all_kinds(void **unused)
{
	struct host_value value;

	(void)unused;
	need_table();
	host_configure(
		"Table true\nEvents true\nTableInterval 86400\nNat auto\n"
		"ReportByCpu true\n"
		"Mark 1 \"a/b \\\" c\"\nMark 2 \"gr\xc3\xbc\xc3\x9f dich\"\n"
		"Mark 3 \"" LONG320 "\"\nMark \"0x4/0xf\"\nMark 5 \"\t\x01\"\n"
		"Mark 6 \"%s%n%d\"\nMark 7 \"../../etc\"\nMark 8 \"a-b-c\"\n"
		"<Match \"x/y z\">\nDport 53\n</Match>\n"
		"<Match \"" LONG320 "\">\nDport 53\n</Match>\n"
		"<Match \"{}=,\">\nDport 54\n</Match>\n"
		"Netns \"/proc/self/ns/net\"\nNetns \"/proc/self/ns/./net\"\n"
		"Netns \"/proc/self/ns/././././././././././././././././././././././"
		"./././././././././././././././././././././././././././././././net\""
		"\n");
	assert_int_equal(host_lines(), 0);
	make_flow(1000);
	host_init();
	host_wait("_proc_self_ns_net-self", "objects", "flows", 1);
	host_wait("_proc_self_ns_._net-self", "objects", "flows", 1);
	host_read();
	check_values();
	host_count("_proc_self_ns_net-match", "current_connections", "x_y_z", &value);
	assert_true(value.value.gauge >= 1);
	assert_int_equal(host_count("_proc_self_ns_net-mark", "current_connections",
				    "gr______dich", NULL),
			 0);
	assert_int_equal(host_count("_proc_self_ns_net-mark", "current_connections",
				    "gr_____dich", NULL),
			 1);
	assert_int_equal(host_count("_proc_self_ns_net-mark", "current_connections",
				    ".._.._etc", NULL),
			 1);
}

/* The values of a pass follow each other, up to the last one, `errors pass`. */
static void
passes_have_one_time(void **unused)
{
	struct host_value *values;
	size_t count, passes = 0;

	(void)unused;
	need_table();
	host_configure("Table true\nTableInterval 0.1\nMark 1\nNat auto\n");
	host_init();
	host_wait("all-self", "errors", "pass", 3);
	host_shutdown();
	count = host_values(&values);
	for (size_t i = 0; i < count; i++) {
		bool last = strcmp(values[i].type, "errors") == 0;

		/* One, unless the machine is busy. */
		assert_true(values[i].interval > 0);
		assert_int_equal(values[i].interval % DOUBLE_TO_CDTIME_T(0.1), 0);
		if (i + 1 < count)
			assert_true((values[i].time != values[i + 1].time) == last);
		passes += last;
	}
	free(values);
	assert_true(passes >= 3);
}

/* Addresses that have a name in the configuration. */
static void
idle_addresses(void **unused)
{
	static const char *const names[] = { "192.0.2.77-tcp", "192.0.2.77-udp",
					     "2001:db8::7-tcp", "2001:db8::7-udp" };
	struct host_value value;

	(void)unused;
	need_table();
	host_configure("Table true\nTableInterval 86400\nNat 192.0.2.77\n"
		       "Nat \"2001:db8::7\"\nNat \"192.0.2.77\"\n");
	host_init();
	host_wait("all-self", "errors", "pass", 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(host_count("all-nat", "objects", names[i], &value), 1);
		assert_true(value.value.gauge == 0);
		assert_int_equal(host_count("all-nat", "percent", names[i], &value), 1);
		assert_true(value.value.gauge == 0);
	}
	check_values();
	host_shutdown();
	host_forget();

	/* What has flows is told as before, and only that. */
	make_flow(3000);
	host_configure("Table true\nTableInterval 86400\nNat 192.0.2.1\n");
	host_init();
	host_wait("all-self", "errors", "pass", 1);
	assert_int_equal(host_count("all-nat", "objects", "192.0.2.1-udp", &value), 1);
	assert_true(value.value.gauge >= 1);
	assert_int_equal(host_count("all-nat", "objects", "192.0.2.1-tcp", &value), 1);
	assert_true(value.value.gauge == 0);
	assert_int_equal(host_count("all-nat", "objects", "192.0.2.77-tcp", NULL), 0);
	check_values();
}

/* Readings, passes and events at the same time. */
static void
all_at_once(void **unused)
{
	struct host_value value;

	(void)unused;
	need_table();
	host_configure("Table true\nTableInterval 0.1\nEvents true\nNat auto\n");
	host_init();
	assert_int_equal(host_threads(), 3);
	read_until("all-events", "operations", "subscribe", 1);
	assert_true(host_count("all-events", "objects", "listening", &value) > 0);
	assert_true(value.value.gauge == 1);
	for (unsigned int i = 0; i < 20; i++) {
		make_flow(2000 + i);
		host_read();
	}
	read_until("all-new", "connections", "udp", 20);
	assert_int_equal(host_said("cannot"), 0);
}

static void
restarts(void **unused)
{
	(void)unused;
	need_table();
	for (unsigned int i = 0; i < 20; i++) {
		host_configure("Table true\nTableInterval 0.1\nEvents true\n"
			       "<Match \"m\">\nDport 53\n</Match>\n");
		host_init();
		if (i % 2)
			host_wait("all-self", "objects", "flows", i / 2 + 1);
		host_read();
		host_shutdown();
		assert_int_equal(host_threads(), 0);
	}
	assert_int_equal(host_said("cannot"), 0);
}

static bool
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written =
		fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

/* An ordinary user is root in a user namespace, where that is allowed. */
static void
enter_namespace(void)
{
	char map[64];
	uid_t uid = geteuid();

	if (uid == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			no_table = strerror(errno);
		return;
	}
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ||
	    !put("/proc/self/uid_map", map))
		no_table = strerror(errno);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)
	const struct CMUnitTest tests[] = {
		TEST(names_of_all_kinds), TEST(passes_have_one_time),
		TEST(idle_addresses),     TEST(all_at_once),
		TEST(restarts),
	};

	enter_namespace();
	if (!no_table &&
	    access("/proc/sys/net/netfilter/nf_conntrack_count", R_OK) != 0)
		no_table = "this kernel tracks no connections";
	if (!no_table && run_conntap("list >/dev/null 2>&1") != 0)
		no_table = "conntap cannot read it";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
