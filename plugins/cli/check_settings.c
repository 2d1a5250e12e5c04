/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The switches of the kernel, and what this user may do. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "common/events.h"

/* Of an event socket's receive buffer; an event takes so much of it. */
#define BUFFER_ENOUGH (8u << 20)
#define EVENT_BYTES 1280

#define MODULE_PREFIX "/sys/module/nf_conntrack_"
/* Before Linux 6.0: every flow to a port that a helper knows is given the helper. */
#define AUTOMATIC_HELPERS "/proc/sys/net/netfilter/nf_conntrack_helper"

static const char *const helpers[] = {
	"amanda", "ftp",  "h323", "irc",  "netbios_ns",
	"pptp",   "sane", "sip",  "snmp", "tftp",
};

/* What makes netlink work, or may do so. */
static void
set_remedy(struct check *check, int error)
{
	char program[PATH_MAX] = "conntap";
	ssize_t length;

	if (error == -EPROTONOSUPPORT) {
		snprintf(check->remedy, sizeof(check->remedy),
			 "modprobe nf_conntrack_netlink");
	} else if (error == -EPERM || error == -EACCES) {
		length = readlink("/proc/self/exe", program, sizeof(program) - 1);
		if (length > 0)
			program[length] = '\0';
		snprintf(check->remedy, sizeof(check->remedy),
			 "run it as root, or: setcap cap_net_admin+ep %.200s", program);
	} else {
		snprintf(check->remedy, sizeof(check->remedy), "conntap check, again");
	}
}

void
check_netlink(struct check *check)
{
	struct ct_netlink *another = NULL;
	struct ct_kernel kernel;
	int error = check->netlink ? ct_kernel_count(check->netlink, &kernel)
				   : ct_netlink_open(&another, NULL);
	const char *value = "permitted";

	ct_netlink_free(another);
	set_remedy(check, error);
	if (error == -EPROTONOSUPPORT)
		value = "not in the kernel";
	else if (error == -EPERM || error == -EACCES)
		value = "not permitted";
	else if (error)
		value = strerror(-error);
	if (error)
		check_put(check, "netlink", CHECK_WARNING, value, "%s", check->remedy);
	else
		check_put(check, "netlink", CHECK_OK, value, NULL);
}

/* A setting that makes the kernel note more of new flows. */
static void
check_switch(struct check *check, const char *name, uint32_t has, const char *key)
{
	uint32_t value;

	if (!ct_kernel_value(&check->kernel, has, &value))
		check_put(check, name, CHECK_NOTE, "not in the kernel",
			  "there is no sysctl net.netfilter.%s", key);
	else if (value)
		check_put(check, name, CHECK_OK, "on", NULL);
	else
		check_put(check, name, CHECK_NOTE, "off",
			  "%ssysctl -w net.netfilter.%s=1, for new flows", check->in,
			  key);
}

void
check_accounting(struct check *check)
{
	check_switch(check, "accounting", CT_KERNEL_ACCT, "nf_conntrack_acct");
}

void
check_timestamps(struct check *check)
{
	check_switch(check, "timestamps", CT_KERNEL_TIMESTAMP,
		     "nf_conntrack_timestamp");
}

void
check_events(struct check *check)
{
	const struct ct_kernel *kernel = &check->kernel;

	if (!(kernel->has & CT_KERNEL_EVENTS))
		check_put(check, "events", CHECK_WARNING, "not in the kernel",
			  "a kernel with CONFIG_NF_CONNTRACK_EVENTS has them");
	else if (kernel->events == 0)
		check_put(check, "events", CHECK_WARNING, "off",
			  "%ssysctl -w net.netfilter.nf_conntrack_events=1, for new "
			  "flows",
			  check->in);
	else if (kernel->events == 1)
		check_put(check, "events", CHECK_OK, "on", NULL);
	else
		check_put(check, "events", CHECK_OK, "while listened to",
			  "flows made while nobody listened send none");
}

void
check_buffer(struct check *check)
{
	struct ct_netlink *netlink = NULL;
	int error = ct_netlink_open(&netlink, NULL);
	uint32_t bytes;
	char value[64];

	if (error) {
		check_put(check, "buffer", CHECK_NOTE, "unknown", "%s", check->remedy);
		return;
	}
	bytes = ct_netlink_set_buffer(netlink, CT_EVENTS_BUFFER);
	ct_netlink_free(netlink);
	snprintf(value, sizeof(value), "%.1f MiB, %u events", bytes / 1048576.0,
		 bytes / EVENT_BYTES);
	if (bytes >= BUFFER_ENOUGH)
		check_put(check, "buffer", CHECK_OK, value, NULL);
	else
		/* The kernel grants twice of it. */
		check_put(check, "buffer", CHECK_WARNING, value,
			  "run it as root, or: sysctl -w net.core.rmem_max=%u",
			  CT_EVENTS_BUFFER / 2);
}

/* A list in the making. */
struct list {
	char text[160];
	size_t used;
};

static void
add_to_list(struct list *list, const char *word, const char *more)
{
	int length = snprintf(list->text + list->used, sizeof(list->text) - list->used,
			      "%s%s%s", list->used ? ", " : "", word, more ? more : "");

	if (length > 0 && (size_t)length < sizeof(list->text) - list->used)
		list->used += (size_t)length;
}

/* Those of the kernel itself are here too, unless they have no parameters. */
static unsigned int
list_helpers(struct list *list)
{
	char path[sizeof(MODULE_PREFIX) + 32];
	unsigned int count = 0;

	for (size_t n = 0; n < sizeof(helpers) / sizeof(helpers[0]); n++) {
		snprintf(path, sizeof(path), MODULE_PREFIX "%s", helpers[n]);
		if (access(path, F_OK) == 0) {
			add_to_list(list, helpers[n], NULL);
			count++;
		}
	}
	return count;
}

static bool
are_automatic(void)
{
	FILE *file = fopen(AUTOMATIC_HELPERS, "re");
	int automatic = 0;

	if (!file)
		return false;
	if (fscanf(file, "%d", &automatic) != 1)
		automatic = 0;
	fclose(file);
	return automatic != 0;
}

void
check_helpers(struct check *check)
{
	struct list list = { 0 };
	unsigned int count = list_helpers(&list);
	char value[32];

	snprintf(value, sizeof(value), "%u loaded", count);
	if (are_automatic())
		check_put(check, "helpers", CHECK_WARNING, "assigned by port",
			  "whoever uses the port is helped: %ssysctl -w "
			  "net.netfilter.nf_conntrack_helper=0, and rules (ct helper "
			  "set)",
			  check->in);
	else if (count == 0)
		check_put(check, "helpers", CHECK_OK, "none loaded", NULL);
	else
		check_put(check, "helpers", CHECK_OK, value,
			  "%s; rules assign them (ct helper set)", list.text);
}

/* What the kernel can leave out of a dump, or a flush; and since when. */
struct filter {
	const char *name;
	uint32_t bit; /* CT_PROBE_*; 0: it is always there */
	const char *since;
};

static const struct filter dump_filters[] = {
	{ "family", 0, NULL },
	{ "mark", CT_PROBE_MARK, NULL },
	{ "status", CT_PROBE_STATUS, " (Linux 5.15)" },
	{ "zone", CT_PROBE_ZONE, " (Linux 6.8)" },
	{ "tuple", CT_PROBE_TUPLE_DUMP, " (Linux 5.8)" },
	{ .name = NULL },
};

static const struct filter flush_filters[] = {
	{ "family", CT_PROBE_FAMILY, " (Linux 5.3)" },
	{ "mark", CT_PROBE_MARK, NULL },
	{ "status", CT_PROBE_STATUS, " (Linux 5.15)" },
	{ "zone", CT_PROBE_ZONE, " (Linux 6.8)" },
	{ "tuple", CT_PROBE_TUPLE_FLUSH, " (Linux 6.12)" },
	{ .name = NULL },
};

static void
put_filters(struct check *check, const char *name, const struct filter *filters,
	    const char *instead)
{
	const struct ct_probe *probe = &check->common->probe;
	struct list has = { 0 }, misses = { 0 }, unknown = { 0 };

	for (; filters->name; filters++) {
		if ((probe->has & filters->bit) == filters->bit)
			add_to_list(&has, filters->name, NULL);
		else if (probe->known & filters->bit)
			add_to_list(&misses, filters->name, filters->since);
		else
			add_to_list(&unknown, filters->name, NULL);
	}
	if (!misses.used && !unknown.used)
		check_put(check, name, CHECK_OK, has.text, NULL);
	else
		check_put(check, name, CHECK_NOTE, has.used ? has.text : "none",
			  "%s%s%s%s%s; %s", misses.used ? "without " : "", misses.text,
			  misses.used && unknown.used ? "; " : "",
			  unknown.used ? "could not try " : "", unknown.text, instead);
}

static void
put_unknown(struct check *check, const char *name)
{
	int error = check->common->error;

	if (error == -EPERM)
		check_put(check, name, CHECK_NOTE, "unknown",
			  "run it as root: trying takes a private network namespace");
	else if (error == -ENOSPC)
		check_put(check, name, CHECK_NOTE, "unknown",
			  "too many namespaces: sysctl user.max_net_namespaces");
	else if (error == -EPROTONOSUPPORT)
		check_put(check, name, CHECK_NOTE, "unknown",
			  "modprobe nf_conntrack_netlink");
	else
		check_put(check, name, CHECK_NOTE, "unknown",
			  "%s: conntap check, again", strerror(-error));
}

void
check_filters(struct check *check)
{
	struct check_kernel *common = check->common;

	if (!common->probed)
		common->error = ct_probe(&common->probe);
	common->probed = true;
	if (common->error) {
		put_unknown(check, "filters");
		put_unknown(check, "flush");
		return;
	}
	put_filters(check, "filters", dump_filters,
		    "--kernel-filter leaves it to conntap");
	put_filters(check, "flush", flush_filters, "conntap delete can do it");
}
