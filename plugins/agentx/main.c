/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program `conntap-agentx`.  The first thread talks to the master agent and
 * answers; it alone uses Net-SNMP.  A second makes snapshots, a third listens.
 */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <errno.h>
#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <net-snmp/library/large_fd_set.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "builder.h"
#include "common/kernel.h"
#include "common/netlink.h"
#include "listener.h"
#include "log.h"
#include "notifications.h"
#include "options.h"
#include "privileges.h"
#include "regions.h"
#include "space.h"

#define NAME "conntap-agentx"

/* So long the first snapshots are waited for before the master agent is told. */
#define FIRST_MS 10000

/* What is registered as one; flows and expectations by themselves, as snmpd then passes
 * them by where a view hides them. */
static const struct agx_region *const groups[][8] = {
	{ &agx_general },
	{ &agx_stats, &agx_cpus, &agx_protos, &agx_tcp_states, &agx_sctp_states,
	  &agx_zones },
	{ &agx_flows },
	{ &agx_expects },
	{ &agx_controls },
};

struct agent {
	struct agx_options options;
	struct agx_builder *builder;
	struct agx_listener *listener;
	struct agx_space *spaces[AGX_NETNS_MAX + 1];
	struct agx_told told[AGX_NETNS_MAX + 1];
	size_t count;
	bool connected;
	bool was_told; /* that there is no master agent */
};

/* For callbacks of Net-SNMP's, which in the end frees what it is given for them. */
static struct agent the_agent;

static int stop_fd;
static volatile sig_atomic_t stopped;

static void
stop(int number)
{
	uint64_t one = 1;
	int error = errno;

	(void)number;
	stopped = 1;
	(void)!write(stop_fd, &one, sizeof(one));
	errno = error;
}

static int
catch_signals(void)
{
	struct sigaction action = { .sa_handler = stop };

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return -1;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	return 0;
}

/* Net-SNMP. */

/*
 * Its own lines about the connection are said here, once and with what helps; and that
 * a notification would not fit into SNMPv1 is nothing to complain of, as it has gone
 * out.
 */
static int
take_log(int major, int minor, void *line, void *unused)
{
	static const char *const known[] = { "AgentX subagent connected",
					     "AgentX master disconnected us",
					     "failed to respond to ping",
					     "v1 traps can't carry Counter64",
					     "failed to convert v2->v1" };
	const struct snmp_log_message *message = line;
	size_t length = strcspn(message->msg, "\n");

	(void)major;
	(void)minor;
	(void)unused;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(message->msg, known[i]))
			return 0;
	if (length > 0)
		agx_log(message->priority, "%.*s", (int)length, message->msg);
	return 0;
}

static int
master_is_there(int major, int minor, void *session, void *unused)
{
	struct agent *agent = &the_agent;

	(void)major;
	(void)minor;
	(void)session;
	(void)unused;
	agx_log(LOG_INFO, "connected to the master agent at %s", agent->options.socket);
	agent->connected = true;
	agent->was_told = false;
	return 0;
}

static void
say_no_master(struct agent *agent, const char *how)
{
	if (agent->was_told)
		return;
	agent->was_told = true;
	agx_log(LOG_WARNING,
		"%s the master agent at %s: trying again every %u s (is snmpd running, "
		"with \"master agentx\", and may this user use its socket?)",
		how, agent->options.socket, agent->options.ping_interval);
}

static int
master_is_gone(int major, int minor, void *session, void *unused)
{
	struct agent *agent = &the_agent;

	(void)major;
	(void)minor;
	(void)session;
	(void)unused;
	agent->connected = false;
	say_no_master(agent, "lost");
	return 0;
}

static void
set_up_net_snmp(struct agent *agent)
{
	snmp_disable_log();
	snmp_enable_calllog();
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, take_log,
			       NULL);
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_START,
			       master_is_there, NULL);
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP,
			       master_is_gone, NULL);
	/* It needs no MIB, no configuration of its own, and keeps nothing. */
	setenv("MIBS", "", 1);
	setenv("MIBDIRS", "", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE,
			       1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS,
			       1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_ALARM_DONT_USE_SIG,
			       1);
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID,
			       NETSNMP_DS_AGENT_NO_CONNECTION_WARNINGS, 1);
	netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET,
			      agent->options.socket);
	netsnmp_enable_subagent();
	init_agent(NAME);
	/* After init_agent(), which sets it to its own. */
	netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID,
			   NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL,
			   (int)agent->options.ping_interval);
}

static bool
is_shown(const struct agx_options *options, const struct agx_region *region)
{
	return !options->no_flow_table ||
	       (region != &agx_flows && region != &agx_expects);
}

static int
register_space(const struct agx_options *options, struct agx_space *space)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (is_shown(options, groups[i][0]) &&
		    !agx_regions_register(groups[i], space, agx_space_context(space),
					  options->base, options->base_length))
			return -1;
	return 0;
}

static int
register_spaces(struct agent *agent)
{
	int error = 0;

	for (size_t i = 0; !error && i < agent->count; i++)
		error = register_space(&agent->options, agent->spaces[i]);
	return error;
}

/* One turn: what the master agent wants, what is to be done at times. */
static void
serve(struct agent *agent, struct timeval timeout)
{
	netsnmp_large_fd_set fds;
	int count = 0, block = 0, ready;

	(void)agent;
	netsnmp_large_fd_set_init(&fds, FD_SETSIZE);
	snmp_select_info2(&count, &fds, &timeout, &block);
	netsnmp_large_fd_setfd(stop_fd, &fds);
	if (count <= stop_fd)
		count = stop_fd + 1;
	ready = netsnmp_large_fd_set_select(count, &fds, NULL, NULL, &timeout);
	if (ready > 0)
		snmp_read2(&fds);
	else if (ready == 0)
		snmp_timeout();
	netsnmp_large_fd_set_cleanup(&fds);
	run_alarms();
	netsnmp_check_outstanding_agent_requests();
}

static void
look_around(struct agent *agent)
{
	const struct agx_options *options = &agent->options;

	if (!agent->connected)
		return;
	for (size_t i = 0; i < agent->count; i++)
		agx_notify(agent->spaces[i], &agent->told[i], options->base,
			   options->base_length);
}

static void
run(struct agent *agent)
{
	uint64_t looked = 0;

	while (!stopped) {
		uint64_t now = agx_milliseconds();

		if (now >= looked + 1000) {
			look_around(agent);
			looked = now;
		}
		serve(agent, (struct timeval){ .tv_sec = 0, .tv_usec = 500000 });
	}
}

/* The parts. */

static int
add_space(struct agent *agent, const char *netns)
{
	struct agx_space *space =
		agx_space_new(&agent->options, netns, agent->builder, agent->listener);

	if (!space)
		return -ENOMEM;
	agent->spaces[agent->count++] = space;
	return 0;
}

static int
start(struct agent *agent)
{
	const struct agx_options *options = &agent->options;
	int error;

	agent->builder = agx_builder_new(options);
	agent->listener = agx_listener_new(options->events);
	if (!agent->builder || !agent->listener)
		return -ENOMEM;
	error = add_space(agent, NULL);
	for (size_t i = 0; !error && i < options->netns_count; i++)
		error = add_space(agent, options->netns[i]);
	return error;
}

/* Whoever asks first shall not find a table that is not made yet. */
static void
wait_for_snapshots(struct agent *agent)
{
	uint64_t until = agx_milliseconds() + FIRST_MS;

	for (size_t i = 0; i < agent->count && !stopped; i++) {
		uint64_t now = agx_milliseconds();

		agx_order_wait(agent->spaces[i]->order, until > now ? until - now : 0);
		agx_space_look(agent->spaces[i]);
		agx_space_renew(agent->spaces[i]);
	}
}

static void
end(struct agent *agent)
{
	agx_builder_free(agent->builder);
	agx_listener_free(agent->listener);
	for (size_t i = 0; i < agent->count; i++)
		agx_space_free(agent->spaces[i]);
}

/* A kernel without conntrack netlink may have it as a module. */
static void
load_module(void)
{
	struct ct_netlink *netlink = NULL;
	struct ct_kernel kernel = { 0 };
	int error = ct_netlink_open(&netlink, NULL);

	if (!error)
		error = ct_kernel_count(netlink, &kernel);
	ct_netlink_free(netlink);
	if (error == -EPROTONOSUPPORT && geteuid() == 0)
		ct_kernel_load_module();
}

/* While it may still be; the number is known when there is no other process to come. */
static int
open_pid_file(const struct agx_options *options, FILE **file)
{
	*file = NULL;
	if (!options->pid_file)
		return 0;
	*file = fopen(options->pid_file, "we");
	if (*file)
		return 0;
	agx_log(LOG_ERR, "--pid-file %s: %s", options->pid_file, strerror(errno));
	return -1;
}

static int
write_pid_file(const struct agx_options *options, FILE *file)
{
	if (!file)
		return 0;
	fprintf(file, "%ld\n", (long)getpid());
	if (fclose(file) == 0)
		return 0;
	agx_log(LOG_ERR, "--pid-file %s: %s", options->pid_file, strerror(errno));
	return -1;
}

/* What goes wrong before is said where the agent was started. */
static int
go_to_background(const struct agx_options *options)
{
	if (options->foreground)
		return 0;
	if (daemon(0, 0) < 0) {
		agx_log(LOG_ERR, "cannot go to the background: %s", strerror(errno));
		return -1;
	}
	agx_log_to_syslog();
	return 0;
}

static int
prepare(const struct agx_options *options)
{
	FILE *pid_file;

	if (catch_signals() < 0 || open_pid_file(options, &pid_file) < 0)
		return -1;
	load_module();
	if (agx_privileges_drop(options) < 0 || go_to_background(options) < 0)
		return -1;
	return write_pid_file(options, pid_file);
}

int
main(int argc, char **argv)
{
	struct agent *agent = &the_agent;
	int status = agx_options_read(&agent->options, argc, argv);

	if (status >= 0)
		return status;
	if (prepare(&agent->options) < 0)
		return EXIT_FAILURE;
	status = start(agent);
	if (status == 0) {
		wait_for_snapshots(agent);
		set_up_net_snmp(agent);
		status = register_spaces(agent);
	} else {
		agx_log(LOG_ERR, "cannot start: %s", strerror(-status));
	}
	if (status == 0) {
		init_snmp(NAME);
		if (!agent->connected)
			say_no_master(agent, "cannot reach");
		run(agent);
		snmp_shutdown(NAME);
	}
	end(agent);
	/* Where that is still allowed. */
	if (agent->options.pid_file)
		unlink(agent->options.pid_file);
	return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
