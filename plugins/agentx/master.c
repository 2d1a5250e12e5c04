/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Net-SNMP as a subagent: set up, registered, connected, served. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/agent/agent_sysORTable.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <net-snmp/library/large_fd_set.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "log.h"
#include "master.h"
#include "refused.h"
#include "regions.h"

#define NAME "conntap-agentx"
/* How Net-SNMP logs that: 263 is AgentX's duplicateRegistration. */
#define DUPLICATE "registering pdu failed: 263"

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

/* For callbacks of Net-SNMP's, which in the end frees what it is given for them. */
static const struct agx_options *options;
static bool connected;
static bool was_told;       /* that there is no master agent */
static bool was_told_other; /* that there is another subagent */

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
	if (strstr(message->msg, DUPLICATE))
		agx_refused_note();
	else if (length > 0)
		agx_log(message->priority, "%.*s", (int)length, message->msg);
	return 0;
}

static int
is_there(int major, int minor, void *session, void *unused)
{
	(void)major;
	(void)minor;
	(void)session;
	(void)unused;
	agx_log(LOG_INFO, "connected to the master agent at %s", options->socket);
	connected = true;
	was_told = false;
	return 0;
}

static void
say_no_master(const char *how)
{
	if (was_told)
		return;
	was_told = true;
	agx_log(LOG_WARNING,
		"%s the master agent at %s: trying again every %u s (is snmpd running, "
		"with \"master agentx\", and may this user use its socket?)",
		how, options->socket, options->ping_interval);
}

static int
is_gone(int major, int minor, void *session, void *unused)
{
	(void)major;
	(void)minor;
	(void)session;
	(void)unused;
	connected = false;
	was_told_other = false;
	agx_refused_forget();
	say_no_master("lost");
	return 0;
}

bool
agx_master_has(const struct agx_space *space)
{
	return connected && !agx_refused_in(space->context);
}

/*
 * Where another subagent answers for some of our objects, as a second one of us does,
 * we are there when it ends.
 */
static void
look_for_other(void)
{
	static uint64_t looked;
	uint64_t now = agx_milliseconds();

	if (agx_refused_any() && !was_told_other) {
		was_told_other = true;
		looked = now;
		agx_log(LOG_WARNING,
			"another subagent answers for these objects (is " NAME
			" running twice?): asking for them every %u s",
			options->ping_interval);
	}
	if (!was_told_other || now < looked + options->ping_interval * 1000ULL)
		return;
	looked = now;
	agx_refused_retry();
	if (!connected || agx_refused_any())
		return;
	was_told_other = false;
	agx_log(LOG_INFO, "the other subagent has ended: answering for all objects");
}

static void
set_callbacks(void)
{
	snmp_disable_log();
	snmp_enable_calllog();
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, take_log,
			       NULL);
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_START,
			       is_there, NULL);
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP,
			       is_gone, NULL);
	agx_refused_watch();
}

/* It needs no MIB, no configuration of its own, keeps nothing, and has no alarm(2). */
static void
set_manners(void)
{
	static const int library[] = {
		NETSNMP_DS_LIB_DONT_PERSIST_STATE,
		NETSNMP_DS_LIB_DONT_READ_CONFIGS,
		NETSNMP_DS_LIB_ALARM_DONT_USE_SIG,
	};

	setenv("MIBS", "", 1);
	setenv("MIBDIRS", "", 1);
	for (size_t i = 0; i < sizeof(library) / sizeof(library[0]); i++)
		netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, library[i], 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID,
			       NETSNMP_DS_AGENT_NO_CONNECTION_WARNINGS, 1);
}

void
agx_master_set_up(const struct agx_options *those)
{
	options = those;
	set_callbacks();
	set_manners();
	netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET,
			      options->socket);
	netsnmp_enable_subagent();
	init_agent(NAME);
	/* After init_agent(), which sets it to its own. */
	netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID,
			   NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL,
			   (int)options->ping_interval);
}

static bool
is_shown(const struct agx_region *region)
{
	return !options->no_flow_table ||
	       (region != &agx_flows && region != &agx_expects);
}

bool
agx_master_register(struct agx_space *space)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (is_shown(groups[i][0]) &&
		    !agx_regions_register(groups[i], space, space->context,
					  options->base, options->base_length))
			return false;
	return true;
}

void
agx_master_connect(void)
{
	oid root[AGX_OID_MAX];

	memcpy(root, options->base, options->base_length * sizeof(*root));
	init_snmp(NAME);
	/* What SNMPv2-MIB's sysORTable says of this agent. */
	register_sysORTable(root, options->base_length,
			    "The connection tracking table (CONNTAP-MIB)");
	if (!connected)
		say_no_master("cannot reach");
}

void
agx_master_serve(int stop_fd)
{
	struct timeval timeout = { .tv_usec = 500000 };
	netsnmp_large_fd_set fds;
	int count = 0, block = 0, ready;

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
	look_for_other();
}

void
agx_master_leave(void)
{
	snmp_shutdown(NAME);
}
