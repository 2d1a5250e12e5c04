/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONNTAP_H
#define CONNTAP_H
/*
 * libconntap: the kernel's connection tracking table for C and C++ programs.  This is
 * the manual's first page; the other pages are the headers below.
 *
 *	#include <conntap/conntap.h>
 *
 *	static int
 *	add(const struct ct_flow *flow, void *bytes)
 *	{
 *		if (flow->has & CT_COUNTERS_ORIG)
 *			*(uint64_t *)bytes += flow->counters[CT_ORIG].bytes;
 *		return 0;
 *	}
 *
 *	int
 *	sent_so_far(uint64_t *bytes)
 *	{
 *		struct ct_dump_options options = { 0 };
 *		struct ct_netlink *netlink = NULL;
 *		int error = ct_netlink_open(&netlink, NULL);
 *
 *		*bytes = 0;
 *		if (!error)
 *			error = ct_dump(netlink, &options, add, bytes, NULL);
 *		ct_netlink_free(netlink);
 *		return error;
 *	}
 *
 *	cc -c sent.c $(pkg-config --cflags conntap)
 *	cc -o sent … $(pkg-config --libs conntap)
 *
 * The nouns are struct ct_flow (flow.h) and struct ct_expect (expect.h): plain data,
 * copied with =.  Three things give them to you:
 *
 *	one pass	ct_netlink_open(), ct_dump() or ct_expect_dump()	dump.h
 *	single ones	ct_netlink_open(), ct_get(), ct_change(), ct_flush()	change.h
 *	as it happens	ct_events_open(), ct_events_fd(), ct_events_step()	events.h
 *
 * What helps to handle them: filter.h chooses flows by the conditions of condition.h,
 * which take a user's words; parse.h reads such words, text.h writes text quickly,
 * label.h names labels, and netns.h visits other network namespaces.  netlink.h,
 * encode.h and decode.h are for requests of your own.
 *
 * And what gives numbers: kernel.h tells how full the table is, stats.h what the kernel
 * has counted, census.h what the table is made of, top.h who fills it, nat.h which
 * public addresses run out of ports; metric.h walks over all of these.  table.h keeps a
 * sorted snapshot, to find the flow with a tuple or the one behind it.  probe.h tells
 * which filters the kernel has.
 *
 * The loop is yours.  One subscription carries flows and expectations; poll its
 * descriptor along with whatever else you wait for, and take a step when it is
 * readable.  Steps do not wait, a pass and a request do: for ten seconds at most.
 *
 * Callbacks run in the calling thread, inside the call that was given them, and what
 * they are handed is theirs until they return.  They return 0 to go on; a positive
 * value ends the call, which returns it.  A pass that has been ended leaves the rest
 * of the kernel's answer in its socket, which is then only good for freeing.
 *
 * Errors are -errno, success is 0.  After an error, what would have been returned by
 * pointer is not to be used, unless its header says so; freeing takes NULL.  Nothing
 * here prints, logs, exits or handles signals.
 *
 * Threads: there is no shared state.  An object (ct_netlink, ct_events, ct_filter,
 * ct_text) is for one thread at a time, but any number may match against one filter or
 * look into one ct_labels.  Reading a port by its service's name asks getservbyname(3),
 * so ct_parse_port() and ct_filter_add() are for one thread at a time altogether.
 *
 * Opening needs CAP_NET_ADMIN, and the kernel's module nf_conntrack_netlink
 * (ct_kernel_load_module()).  The structures are part of the binary interface; when one
 * changes, so does the number in the name of the shared library.
 */

/* These first, so that they are declared as what they are. */
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "bins.h"
#include "census.h"
#include "change.h"
#include "condition.h"
#include "decode.h"
#include "dump.h"
#include "encode.h"
#include "events.h"
#include "expect.h"
#include "filter.h"
#include "flow.h"
#include "kernel.h"
#include "known.h"
#include "label.h"
#include "metric.h"
#include "nat.h"
#include "netlink.h"
#include "netns.h"
#include "parse.h"
#include "probe.h"
#include "stats.h"
#include "table.h"
#include "text.h"
#include "top.h"

#ifdef __cplusplus
}
#endif

#endif
