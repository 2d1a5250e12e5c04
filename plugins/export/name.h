/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_NAME_H
#define EXPORT_NAME_H
/*
 * Patterns for names of files, as "flows-%h-%Y%m%dT%H%M%S.xml": which name a time, a
 * host and a network namespace make, and which names a pattern can have made.
 *
 *	%Y %m %d %H %M %S	the time, in UTC; %s: as seconds since 1970
 *	%h %n			the host, the namespace ("self" for the present one)
 *	%%			a percent sign
 *
 * They stand in the last part of a path only.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/parse.h"

struct output_name {
	uint64_t time; /* seconds since 1970 */
	const char *host;
	const char *netns; /* NULL: the present one */
};

/* Returns 0, or -EINVAL and why. */
int output_name_check(const char *pattern, struct ct_why *why);

/* Does the pattern have a time, or a namespace, in it?  Is a time in it to the second,
 * so that no two make the same name? */
bool output_name_has_time(const char *pattern);
bool output_name_tells_time(const char *pattern);
bool output_name_has_netns(const char *pattern);

/*
 * Writes the name that a pattern makes.  What should not stand in a file's name is
 * written as in a URL: a blank as %20.  Returns 0 or -ENAMETOOLONG.
 */
int output_name_make(const char *pattern, const struct output_name *name,
		     char path[PATH_MAX]);

/*
 * Removes all files that this pattern can have made, for this host and namespace and
 * any time, except for the `keep` youngest, of which `newest` (a path, or NULL) is the
 * first, whatever its time.  What is no plain file stays.  Returns how many were
 * removed, or -errno when the directory cannot be read, or a file not be removed.
 */
int output_name_prune(const char *pattern, const struct output_name *name,
		      const char *newest, size_t keep);

#endif
