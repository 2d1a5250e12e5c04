/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TAP_SETTINGS_H
#define TAP_SETTINGS_H
/*
 * <Plugin conntap>, understood.  collectd reads its configuration before anything else
 * of a plugin's is called, and stops for good when that fails; so nothing here does: an
 * option that is not known is a warning, a bad value an error, and the default stays.
 */
#include "host.h"

#include "common/filter.h"
#include "common/nat.h"

#define TAP_NAME 64 /* of marks and matches */
#define TAP_MARKS_MAX 64
#define TAP_MATCHES_MAX 64
#define TAP_NETNS_MAX 256
#define TAP_PUBLICS_MAX 256

struct tap_mark {
	char name[TAP_NAME];
	uint32_t value;
	uint32_t mask;
};

struct tap_match {
	char name[TAP_NAME];
	struct ct_filter *filter;
};

struct tap_public {
	uint8_t family;
	struct ct_addr addr;
};

struct tap_settings {
	bool report_by_cpu;
	bool notify; /* of drops */
	bool table;
	bool events;
	cdtime_t table_interval; /* 0: that of the plugin */
	uint32_t events_buffer;  /* 0: CT_EVENTS_BUFFER */

	struct tap_mark marks[TAP_MARKS_MAX];
	size_t mark_count;
	struct tap_match matches[TAP_MATCHES_MAX];
	size_t match_count;

	bool nat; /* without `publics`: of every address that a source is changed to */
	bool nat_ranged;
	uint16_t nat_low;
	uint16_t nat_high;
	struct tap_public publics[TAP_PUBLICS_MAX];
	size_t public_count;

	bool all_netns;             /* and collectd's own */
	char *netns[TAP_NETNS_MAX]; /* none: collectd's own */
	size_t netns_count;
};

void tap_settings_init(struct tap_settings *settings);
void tap_settings_done(struct tap_settings *settings);

/* Takes a block; there may be several. */
void tap_settings_take(struct tap_settings *settings, const oconfig_item_t *block);

/* Says what tells nothing, as it needs an option that is not there. */
void tap_settings_check(const struct tap_settings *settings);

/* NAT as it is to be looked at, to be freed; NULL where it is not, or without memory.
 */
struct ct_nat *tap_settings_nat(const struct tap_settings *settings);

#endif
