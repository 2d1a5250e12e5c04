/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TAP_SPACE_H
#define TAP_SPACE_H
/*
 * The network namespaces that are watched: a list that is brought up to date before
 * each reading, for namespaces come and go.  Every reader has a list of its own, as
 * readers run at the same time.
 */
#include "host.h"

#include "common/netns.h"
#include "settings.h"

struct tap_space {
	struct tap_space *next;
	char *netns;            /* NULL: collectd's own */
	struct ct_netns_id id;  /* which one the name meant when last looked at */
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
	/* One of the readers' lists says how many there was no room for, once. */
	bool tells;
	size_t left_out;
	c_complain_t complaint; /* about that */
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
 * Looks which namespace the name means now.  *another: not the one of the last look, so
 * that what is remembered of that one, or open there, is to be let go: files and
 * sockets go on working as long as anything lives there.
 *
 * Returns 0, or -errno when the name means none; then it is another, too.
 */
int tap_space_look(struct tap_space *space, bool *another);

#endif
