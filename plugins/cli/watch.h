/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H
/* The events of all namespaces of the command line, for events and xml --events. */
#include <poll.h>

#include "common/events.h"
#include "common/netns.h"
#include "resync.h"
#include "show.h"

struct cli_watch {
	struct cli *cli;
	struct cli_show *show; /* what events are written to */
	size_t count; /* of subscriptions: one a namespace, or one for all (`shared`) */
	struct ct_events *events[CLI_NETNS_MAX];
	struct pollfd polls[CLI_NETNS_MAX];
	bool shared;
	int nsids[CLI_NETNS_MAX];              /* of the namespaces, when `shared` */
	size_t spaces;                         /* how many namespaces there are */
	size_t heard;                          /* of how many it listens to */
	struct ct_netns_id ids[CLI_NETNS_MAX]; /* which they are, in cli's order */
	struct cli_resync *resync;             /* of each, with --resync */
	size_t current;                        /* the namespace of the event at hand */
	bool enough;
};

/* NULL: no memory, which is said.  `free` takes NULL, and what could not be opened. */
struct cli_watch *cli_watch_new(struct cli *cli);
void cli_watch_free(struct cli_watch *watch);

/*
 * Subscribes.  Returns CLI_OK, or another status after saying why; then `heard` tells
 * whether there are others that it listens to, and events of those can be had.
 */
int cli_watch_open(struct cli_watch *watch);

/* What the kernels count and keep of each flow, for the head of a document. */
void cli_watch_settings(const struct cli *cli, struct ct_kernel *kernel);

/* Are the namespaces of the command line others than those that are listened to? */
bool cli_watch_is_stale(const struct cli_watch *watch);

/*
 * Writes what all subscriptions have to `show`, and hands it on.  Returns 0, a positive
 * value to end, or -errno.
 */
int cli_watch_step(struct cli_watch *watch);

/* Messages that could not be read, since the beginning. */
uint64_t cli_watch_malformed(const struct cli_watch *watch);

#endif
