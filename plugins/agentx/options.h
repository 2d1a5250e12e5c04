/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_OPTIONS_H
#define AGX_OPTIONS_H
/*
 * What the agent is told, on its command line and in its file.  Read once, at the
 * start; what can be changed by SNMP later (the age of a snapshot, the thresholds)
 * begins with these values.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index.h"

#define AGX_NETNS_MAX 256
#define AGX_OID_MAX 32
/* Of vacmContextName: nobody can ask in a longer one. */
#define AGX_CONTEXT_MAX 32

/* A namespace that is shown in a context. */
struct agx_netns {
	char context[AGX_CONTEXT_MAX + 1];
	const char *name;
};

struct agx_options {
	const char *config;
	const char *socket;
	struct agx_netns netns[AGX_NETNS_MAX];
	size_t netns_count;
	agx_id base[AGX_OID_MAX];
	size_t base_length;
	uint32_t ping_interval; /* seconds */
	uint32_t snapshot_age;  /* seconds */
	uint32_t snapshot_idle; /* seconds */
	uint32_t max_rows;      /* 0: all */
	uint32_t delete_limit;  /* a second */
	int32_t usage_high;     /* percent; -1: off */
	int32_t usage_low;
	uint32_t notification_interval; /* seconds */
	bool no_notifications;
	bool no_flow_table;
	bool events;
	bool allow_delete;
	bool allow_write;
	bool foreground;
	const char *user;
	const char *pid_file;
};

/*
 * Fills in the defaults, what the file says, and what the command line says; the words
 * stay where they are, or are never freed.  Paths are such that the agent may go to the
 * background.  Returns -1 to go on, or an exit status: 0
 * after --help and --version, 2 when something made no sense, which has been said.
 */
int agx_options_read(struct agx_options *options, int argc, char **argv);

#endif
