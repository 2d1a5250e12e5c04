/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registrations as they pass by on their way to the master agent. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <stdlib.h>
#include <string.h>

#include "refused.h"

/* What they point to is there as long as what was registered with Net-SNMP. */
static struct register_parameters last;
static struct register_parameters *refused;
static size_t count;
static size_t room;

static int
remember(int major, int minor, void *registration, void *unused)
{
	(void)major;
	(void)minor;
	(void)unused;
	last = *(const struct register_parameters *)registration;
	return 0;
}

void
agx_refused_watch(void)
{
	netsnmp_register_callback(SNMP_CALLBACK_APPLICATION,
				  SNMPD_CALLBACK_REGISTER_OID, remember, NULL,
				  NETSNMP_CALLBACK_HIGHEST_PRIORITY);
}

void
agx_refused_note(void)
{
	if (count == room) {
		size_t wanted = room ? 2 * room : 8;
		struct register_parameters *more =
			reallocarray(refused, wanted, sizeof(*more));

		/* Then it is not asked for again. */
		if (!more)
			return;
		refused = more;
		room = wanted;
	}
	refused[count++] = last;
}

void
agx_refused_retry(void)
{
	size_t before = count;

	/* What is refused again takes a place that has been read already. */
	count = 0;
	for (size_t i = 0; i < before; i++) {
		struct register_parameters again = refused[i];

		snmp_call_callbacks(SNMP_CALLBACK_APPLICATION,
				    SNMPD_CALLBACK_REGISTER_OID, &again);
	}
}

void
agx_refused_forget(void)
{
	count = 0;
}

bool
agx_refused_any(void)
{
	return count > 0;
}

bool
agx_refused_in(const char *context)
{
	for (size_t i = 0; i < count; i++) {
		const char *of = refused[i].contextName;

		if (strcmp(of ? of : "", context) == 0)
			return true;
	}
	return false;
}
