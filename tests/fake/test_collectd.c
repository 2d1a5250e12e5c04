/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin for collectd in a daemon that is not there: what it takes from its
 * configuration, and its life.  Without the right to look into the table, so that this
 * is the same for everybody.
 */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define COUNT_FILE "/proc/sys/net/netfilter/nf_conntrack_count"
#define LONG63 "012345678901234567890123456789012345678901234567890123456789012"
#define LONG64 LONG63 "3"
#define LONG320 LONG64 LONG64 LONG64 LONG64 LONG64

static int
open_host(void **unused)
{
	(void)unused;
	host_open();
	return 0;
}

/* Whatever the test has done, this has to work. */
static int
close_host(void **unused)
{
	(void)unused;
	host_shutdown();
	host_close();
	return 0;
}

static void
good_options(void **unused)
{
	static const char *const good[] = {
		"",
		"ReportByCpu true\n",
		"reportbycpu \"YES\"\n",
		"ReportByCpu off\n",
		"Notify \"false\"\n",
		"Table true\nTable false\n",
		"TableInterval 0.1\n",
		"TableInterval 86400\nTableInterval 3\n",
		"Mark 7\n",
		"Mark \"7\"\n",
		"Mark 0x2a \"forty-two\"\n",
		"Mark \"0x10/0xf0\" \"voip\"\n",
		"Mark \"0x1f/0xf0\" 16\n",
		"Mark 4294967295 \"a/b c\\\\d\"\n",
		"Mark 1 \"" LONG320 "\"\n",
		"Mark 1\nMark 2\nMark 1 \"again\"\n",
		"<Match \"a\">\nProto tcp\n</Match>\n",
		"<Match \"a\">\norig-src 10.0.0.0/8\nORIG_DST \"fd00::1\"\n</Match>\n",
		"<Match 5>\nDport 80\nDport \"443,8000-8010\"\n</Match>\n",
		"<Match \"nat\">\nAnyNat true\nSrcNat \"192.0.2.1\"\n</Match>\n",
		"<Match \"" LONG320 "\">\nMark 7\nZone 0\nMinBytes \"1k\"\n</Match>\n",
		"Nat auto\n",
		"Nat \"auto\"\nNat 192.0.2.1\nNat \"2001:db8::1\"\n",
		"<Nat \"192.0.2.1\">\n</Nat>\n",
		"<Match \"a\">\n<Proto \"tcp\">\n</Proto>\n</Match>\n",
		"NatPorts \"1024-65535\"\nNatPorts 5\n",
		"Events true\nEventsBuffer \"1M\"\nEventsBuffer 4096\n",
		"EventsBuffer 2147483647\n",
		"Netns \"one\"\nNetns all\nNetns \"one\"\nNetns \"/run/x/y\"\n",
		"Netns \"" LONG320 "\"\n",
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(good); i++) {
		host_configure(good[i]);
		if (host_lines() > 0)
			fail_msg("%s was refused", good[i]);
		host_shutdown();
	}
}

static void
bad_options(void **unused)
{
	static const struct {
		const char *lines;
		const char *why;
		size_t more; /* lines that say so */
	} bad[] = {
		{ "Frobnicate true\n", "there is no option Frobnicate", 0 },
		{ "\x01\xff true\n", "there is no option", 0 },
		{ "ReportByCpu\n", "ReportByCpu: one value is expected", 0 },
		{ "ReportByCpu true true\n", "ReportByCpu: one value is expected", 0 },
		{ "Notify 1\n", "Notify: true or false is expected", 0 },
		{ "Table \"\"\n", "Table: true or false is expected", 0 },
		{ "Events \"" LONG320 "\"\n", "Events: true or false", 0 },
		{ "TableInterval\n", "TableInterval: a number of seconds", 0 },
		{ "TableInterval \"3\"\n", "TableInterval: a number of seconds", 0 },
		{ "TableInterval true\n", "TableInterval: a number of seconds", 0 },
		{ "TableInterval 0\n", "TableInterval: 0.1 to 86400", 0 },
		{ "TableInterval -1\n", "TableInterval: 0.1 to 86400", 0 },
		{ "TableInterval 1e300\n", "TableInterval: 0.1 to 86400", 0 },
		{ "TableInterval inf\n", "TableInterval: 0.1 to 86400", 0 },
		{ "TableInterval nan\n", "TableInterval: 0.1 to 86400", 0 },
		{ "Mark\n", "Mark: a mark and a name", 0 },
		{ "Mark 1 2 3\n", "Mark: a mark and a name", 0 },
		{ "Mark true \"x\"\n", "Mark: true is not a mark", 0 },
		{ "Mark 4294967296 \"x\"\n", "Mark: 4294967296 is not a mark", 0 },
		{ "Mark 1.5 \"x\"\n", "Mark: 1.5 is not a mark", 0 },
		{ "Mark -1 \"x\"\n", "Mark: -1 is not a mark", 0 },
		{ "Mark \"\" \"x\"\n", "is not a mark", 0 },
		{ "Mark \"1/\" \"x\"\n", "is not a mask", 0 },
		{ "Mark \"1/2/3\" \"x\"\n", "is not a mask", 0 },
		{ "Mark \"" LONG320 "\" \"x\"\n", "Mark: it is too long", 0 },
		{ "Mark \"" LONG64 "\" \"x\"\n", "Mark: it is too long", 0 },
		{ "Mark \"" LONG63 "\" \"x\"\n", "is not a mark", 0 },
		{ "Mark 1 \"\"\n", "Mark: its name is empty", 0 },
		{ "Mark 1 \"other\"\n", "Mark: its name is another's", 0 },
		{ "Mark 1\nMark 1\n", "Mark: its name is another's", 0 },
		{ "Mark 1 \"a b\"\nMark 2 \"a/b\"\n", "its name is another's", 0 },
		{ "Match\n", "Match: one value is expected", 0 },
		{ "<Match \"\">\nProto tcp\n</Match>\n", "its name is empty", 0 },
		{ "<Match \"x\">\n</Match>\n", "<Match \"x\"> is left out: it has no",
		  0 },
		{ "Match \"x\"\n", "<Match \"x\"> is left out: it has no", 0 },
		{ "<Match \"x\">\nProto tcp\nColour blue\n</Match>\n",
		  "Colour: there is no such condition", 1 },
		{ "<Match \"x\">\nDport 70000\n</Match>\n", "70000 is not a port", 1 },
		{ "<Match \"x\">\nDport\n</Match>\n", "Dport: one value is expected",
		  1 },
		{ "<Match \"x\">\nDport 80\n<Proto \"tcp\">\nDport 1\n</Proto>\n"
		  "</Match>\n",
		  "Proto: a line is expected, not a block", 1 },
		{ "<Match \"x\">\nAnyNat false\n</Match>\n", "AnyNat: ", 1 },
		{ "<Match \"x\">\nProto 6\n</Match>\n<Match \"x\">\nProto "
		  "17\n</Match>\n",
		  "Match: its name is another's", 0 },
		{ "Nat\n", "Nat: one value is expected", 0 },
		{ "Nat \"\"\n", "is not an address", 0 },
		{ "Nat 10.0.0.0/8\n", "Nat: a single address is expected, or auto", 0 },
		{ "Nat \"10.0.0.1-10.0.0.2\"\n", "a single address is expected", 0 },
		{ "Nat 7\n", "7 is not an address", 0 },
		{ "<Nat auto>\nPorts 5\n</Nat>\n", "there is no option Ports", 0 },
		{ "NatPorts \"9-8\"\n", "NatPorts: 9-8", 0 },
		{ "NatPorts 65536\n", "NatPorts: 65536 is not", 0 },
		{ "EventsBuffer 4095\n", "EventsBuffer: 4096 to", 0 },
		{ "EventsBuffer \"2Gi\"\n", "EventsBuffer: 4096 to", 0 },
		{ "EventsBuffer -1\n", "EventsBuffer: -1 is not an amount", 0 },
		{ "EventsBuffer \"1x\"\n", "EventsBuffer: 1x is not an amount", 0 },
		{ "Netns\n", "Netns: one value is expected", 0 },
		{ "Netns \"\"\n", "Netns: a name is expected", 0 },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(bad); i++) {
		host_configure(bad[i].lines);
		if (host_said(bad[i].why) != 1 || host_lines() != 1 + bad[i].more)
			fail_msg("%sis told in %zu lines, %zu as expected",
				 bad[i].lines, host_lines(), host_said(bad[i].why));
		host_shutdown();
		host_forget();
	}
}

static void
repeat(const char *format, int count)
{
	char line[128];

	for (int i = 0; i < count; i++) {
		snprintf(line, sizeof(line), format, i, i);
		host_configure(line);
	}
}

static void
no_more_than_there_is_room_for(void **unused)
{
	(void)unused;
	repeat("Mark %d \"m%d\"\n", 64);
	repeat("<Match \"m%d\">\nDport %d\n</Match>\n", 64);
	repeat("Netns \"n%d\"\n", 256);
	repeat("Nat \"10.0.0.%d\"\n", 256);
	repeat("Nat \"10.0.0.%d\"\n", 256);
	assert_int_equal(host_lines(), 0);
	host_configure("Mark 64 \"more\"\n<Match \"more\">\nDport 64\n</Match>\n"
		       "Netns \"more\"\nNat 10.0.1.0\n");
	assert_int_equal(host_lines(), 4);
	assert_int_equal(host_said("too many"), 4);
}

/* What needs an option that is not there is told of once, as it starts. */
static void
options_in_vain(void **unused)
{
	static const struct {
		const char *lines;
		const char *told; /* NULL: nothing */
	} vain[] = {
		{ "", NULL },
		{ "Nat auto\nTable true\n", NULL },
		{ "Table true\nMark 1\nTableInterval 3\nNatPorts 5\n", NULL },
		{ "EventsBuffer 4096\nEvents true\n", NULL },
		{ "Mark true\nNat \"nowhere\"\nEventsBuffer 1\n", NULL },
		{ "Nat auto\n", ": Nat: no values without \"Table true\"" },
		{ "Nat 192.0.2.1\nMark 1\nEvents true\n",
		  ": Mark, Nat: no values without \"Table true\"" },
		{ "NatPorts 5\nTableInterval 3\n<Match \"a\">\nDport 1\n</Match>\n"
		  "Nat auto\nMark 1\nTable true\nTable false\n",
		  ": TableInterval, Mark, Match, Nat, NatPorts: no values without "
		  "\"Table true\"" },
		{ "EventsBuffer \"64Mi\"\nTable true\n",
		  ": EventsBuffer: no values without \"Events true\"" },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(vain); i++) {
		host_configure(vain[i].lines);
		host_forget();
		host_init();
		host_init();
		if (host_said("no values without") != (vain[i].told != NULL) ||
		    (vain[i].told && host_said(vain[i].told) != 1))
			fail_msg("%sis told in %zu lines", vain[i].lines,
				 host_said("no values without"));
		host_shutdown();
	}
}

/* What /proc tells everybody. */
static void
check_kernel(void)
{
	struct host_value value;

	if (access(COUNT_FILE, R_OK) != 0)
		return;
	assert_int_equal(host_count("all", "conntrack", "used", &value), 1);
	assert_true(value.value.gauge >= 0);
	assert_int_equal(host_count("all-peak", "conntrack", "used", &value), 1);
	assert_int_equal(host_count("all", "errors", "drop", NULL), 1);
}

static void
without_configuration(void **unused)
{
	(void)unused;
	host_init();
	assert_int_equal(host_threads(), 1);
	host_read();
	check_kernel();
	assert_int_equal(host_count("all-self", "errors", "pass", NULL), 0);
	assert_int_equal(host_count("all-events", "objects", "listening", NULL), 0);
}

static void
without_rights(void **unused)
{
	struct host_value *values, value;
	size_t count;

	(void)unused;
	host_configure(
		"Table true\nEvents true\nTableInterval 0.1\nNat auto\nMark 1\n");
	host_init();
	assert_int_equal(host_threads(), 3);
	host_wait("all-self", "errors", "pass", 3);
	host_read();
	check_kernel();
	assert_int_equal(host_count("all-events", "objects", "listening", &value), 1);
	assert_true(value.value.gauge == 0);
	assert_int_equal(host_count("all-events", "errors", "lost", NULL), 0);
	assert_int_equal(host_count("all-new", "connections", "udp", NULL), 0);
	assert_int_equal(host_said("cannot read the table"), 1);
	assert_int_equal(host_said("cannot listen to events"), 1);
	assert_int_equal(host_said("needs CAP_NET_ADMIN"), 2);
	assert_int_equal(host_lines(), 2 + (access(COUNT_FILE, R_OK) != 0));
	count = host_values(&values);
	for (size_t i = 0; i < count; i++) {
		assert_string_not_equal(values[i].type, "current_connections");
		assert_string_not_equal(values[i].type, "tcp_connections");
		assert_string_not_equal(values[i].type_instance, "flows");
	}
	free(values);
}

/* Values have the interval at which they come, and ten good rounds make it well again.
 */
static void
rounds_that_take_long(void **unused)
{
	const cdtime_t interval = DOUBLE_TO_CDTIME_T(0.1);
	struct host_value *values;

	(void)unused;
	host_configure("Table true\nTableInterval 0.1\n");
	host_delay(250);
	host_init();
	host_wait_line("passes are within their interval again");
	assert_true(host_count("all-self", "errors", "pass", NULL) >= 11);
	assert_true(host_said("a pass takes") >= 1);
	host_values(&values);
	assert_int_equal(values[0].interval % interval, 0);
	assert_int_equal(values[1].interval % interval, 0);
	assert_true(values[0].interval >= interval);
	assert_true(values[1].interval >= 3 * interval);
	free(values);
}

static void
each_reading_has_one_time(void **unused)
{
	struct host_value *values;
	size_t count;

	(void)unused;
	host_configure("ReportByCpu true\n");
	host_init();
	for (int i = 0; i < 3; i++) {
		host_forget();
		host_read();
		count = host_values(&values);
		for (size_t k = 1; k < count; k++)
			assert_int_equal(values[k].time, values[0].time);
		free(values);
	}
}

/* Namespaces that are not there are told of once, by each that looks. */
static void
namespaces_that_are_missing(void **unused)
{
	(void)unused;
	host_configure(
		"Netns \"no/such/place\"\nNetns \"conntap-no-such\"\nTable true\n"
		"TableInterval 0.1\nEvents true\n");
	host_init();
	host_wait("conntap-no-such-self", "errors", "pass", 3);
	host_read();
	host_read();
	assert_int_equal(host_said("(namespace conntap-no-such)"), 3);
	assert_int_equal(host_said("(namespace no/such/place)"), 3);
	assert_int_equal(host_count("no_such_place-self", "errors", "pass", NULL) > 0,
			 1);
	assert_int_equal(host_count("all", "conntrack", "used", NULL), 0);
}

/* More namespaces than there is room for: one line, with their number. */
static void
namespaces_that_are_too_many(void **unused)
{
	char line[64];

	(void)unused;
	for (int i = 0; i < 256; i++) {
		snprintf(line, sizeof(line), "Netns \"no/such/place%d\"\n", i);
		host_configure(line);
	}
	host_configure("Netns all\nTable true\nTableInterval 0.1\nEvents true\n");
	assert_int_equal(host_lines(), 0);
	host_init();
	host_wait("no_such_place254-self", "errors", "pass", 3);
	host_read();
	host_read();
	assert_int_equal(host_said("namespaces that are not watched: "), 1);
	assert_int_equal(host_said("(namespace no/such/place254)"), 3);
	assert_int_equal(host_said("place255"), 0);
}

static void
init_and_shutdown_many_times(void **unused)
{
	(void)unused;
	host_shutdown();
	for (int i = 0; i < 50; i++) {
		host_configure("Table true\nEvents true\nTableInterval 0.1\nNat auto\n"
			       "Netns all\n<Match \"m\">\nDport 80\n</Match>\n");
		host_init();
		assert_int_equal(host_threads(), 3);
		host_init();
		assert_int_equal(host_threads(), 3);
		if (i % 2)
			host_read();
		host_shutdown();
		assert_int_equal(host_threads(), 0);
		host_shutdown();
		host_read();
	}
}

/* The options of one life are not those of the next. */
static void
shutdown_forgets(void **unused)
{
	(void)unused;
	host_configure("Table true\nEvents true\nReportByCpu true\n");
	host_init();
	host_shutdown();
	host_forget();
	host_init();
	assert_int_equal(host_threads(), 1);
	host_read();
	check_kernel();
}

static void
without_threads(void **unused)
{
	static const char *const told[] = {
		"no thread to look for peaks",
		"no thread to listen to events",
		"no thread, or no memory, to read the table",
	};

	(void)unused;
	for (int allowed = 0; allowed < 3; allowed++) {
		host_forget();
		host_allow_threads(allowed);
		host_configure("Table true\nEvents true\nNat auto\n");
		host_init();
		assert_int_equal(host_threads(), allowed);
		for (int i = allowed; i < 3; i++)
			assert_int_equal(host_said(told[i]), 1);
		host_read();
		check_kernel();
		host_shutdown();
	}
}

static void
without_eventfd(void **unused)
{
	(void)unused;
	host_allow_eventfd(false);
	host_configure("Events true\n");
	host_init();
	assert_int_equal(host_said("no thread to listen to events"), 1);
	host_read();
	check_kernel();
}

/* For this process and all that it starts; nobody notices when there was none. */
static void
give_up_rights(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];

	if (syscall(SYS_capget, &header, sets) < 0)
		return;
	sets[0].effective &= ~(1u << CAP_NET_ADMIN);
	sets[0].permitted &= ~(1u << CAP_NET_ADMIN);
	sets[0].inheritable &= ~(1u << CAP_NET_ADMIN);
	if (syscall(SYS_capset, &header, sets) < 0)
		print_message("# rights are kept\n");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)
	const struct CMUnitTest tests[] = {
		TEST(good_options),
		TEST(bad_options),
		TEST(no_more_than_there_is_room_for),
		TEST(options_in_vain),
		TEST(without_configuration),
		TEST(without_rights),
		TEST(rounds_that_take_long),
		TEST(each_reading_has_one_time),
		TEST(namespaces_that_are_missing),
		TEST(namespaces_that_are_too_many),
		TEST(init_and_shutdown_many_times),
		TEST(shutdown_forgets),
		TEST(without_threads),
		TEST(without_eventfd),
	};

	give_up_rights();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
