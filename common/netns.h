/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_NETNS_H
#define CT_NETNS_H
/*
 * Names of network namespaces, and visits there.  For netlink, which opens sockets
 * there, and for whoever reads /proc there; a socket stays where it was opened, so
 * visits are short.
 */
#include <stdint.h>

/* Where `ip netns` keeps the names. */
#define CT_NETNS_DIR "/run/netns"

/*
 * Moves the calling thread into the namespace `name`, one of CT_NETNS_DIR or, with a
 * slash in it, any path; NULL is the present one.  *home is what ct_netns_leave()
 * needs to bring the thread back.
 * Errors, nothing having changed: -ENOENT for no such name, -EPERM, -EINVAL for a file
 * that is no network namespace, …
 */
int ct_netns_enter(const char *name, int *home);

/* Returns 0, or -errno: then the thread is still away and had better end. */
int ct_netns_leave(int home);

/*
 * The id by which the present namespace knows `name`: the nsid of its events.
 * Returns 0; -ENOENT when it has none (`ip netns set NAME auto` gives one), or when
 * there is no such namespace; or another -errno.
 */
int ct_netns_nsid(const char *name, int *nsid);

/* Which namespace it is, whatever it is called: a name may come to be another's. */
struct ct_netns_id {
	uint64_t device;
	uint64_t inode;
};

/* The id of what `name` means at present (NULL: of the calling thread's).  Returns 0 or
 * -errno. */
int ct_netns_identify(const char *name, struct ct_netns_id *id);

/*
 * Calls `name_fn` with each name of CT_NETNS_DIR, in alphabetical order, until it
 * returns something else than 0, which is then returned.  Names that are no namespace
 * any more are left out.  0 where there are none.
 */
int ct_netns_each(int (*name_fn)(const char *name, void *data), void *data);

#endif
