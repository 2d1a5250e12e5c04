/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_SUPPORT_DIRECTORY_H
#define UNIT_SUPPORT_DIRECTORY_H
/*
 * A directory of a test's own, in which the test stands, and what it looks at there:
 * for the tests of what makes and removes files.
 */
#include "support.h"

#include <limits.h>

#define ENTRIES_SIZE 8192

/* The path of the present one. */
extern char directory[PATH_MAX];

/* Makes one below TMPDIR, with this in its name, and goes there; 0 or -1. */
int enter_directory(const char *name);

/* Removes it, and what is in it but for full directories; the test fails if it stays.
 */
void leave_directory(void);

/* All that is where the test stands, sorted, with a blank between two names. */
void list_entries(char names[ENTRIES_SIZE]);
void assert_entries(const char *expected);

/* A file by ordinary means. */
void make_file(const char *name, const char *contents);

/* Those that are open, or only those that a program started from here would have. */
unsigned int count_fds(bool inherited);

/*
 * Mounts a tmpfs with these options, or NULL, over `path`, for this process alone. That
 * may be forbidden: then it says so, for the test to go without.
 */
bool cover(const char *path, const char *options);

#endif
