/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TAP_SPACE_H
#define TAP_SPACE_H
/*
 * The network namespaces that are watched: a list that is brought up to date before
 * each reading, for namespaces come and go.  Every reader has a list of its own, as
 * readers run at the same time.
 */
#include "host.h"

#include "settings.h"

struct tap_space {
	struct tap_space *next;
	char *netns;            /* NULL: collectd's own */
	bool present;           /* as the list was last brought up to date */
	c_complain_t complaint; /* what is wrong with it was said */
	uint64_t failures;      /* readings that came to nothing */
	void *data;             /* the reader's */
};

struct tap_spaces {
	struct tap_space *first;
	/* Makes and ends `data`; either may be NULL.  `make` returns NULL: no memory.
	 */
	void *(*make)(struct tap_space *space);
	void (*done)(void *data);
	c_complain_t complaint; /* about the list */
};

/* Adds namespaces that are new, and drops those of `all` that are gone. */
void tap_spaces_update(struct tap_spaces *spaces, const struct tap_settings *settings);
void tap_spaces_free(struct tap_spaces *spaces);

/* What a log line calls it: " (namespace NAME)", or nothing. */
const char *tap_space_label(const struct tap_space *space, char buffer[128]);

/*
 * Says once what could not be done there and what helps, counts it; and, when it works
 * again, that it does.
 */
void tap_space_failed(struct tap_space *space, const char *what, int error);
void tap_space_works(struct tap_space *space);

/*
 * Enters the namespace and opens ctnetlink.  Returns 0, or -errno: -EPERM without
 * CAP_NET_ADMIN, -ENOENT where there is no such namespace, …
 */
int tap_space_open(const struct tap_space *space, struct ct_netlink **netlink);

#endif
