/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_PATHS_H
#define AGX_PATHS_H
/*
 * Paths in options, so that they mean the same wherever the agent is at home, and that
 * something can be there.  What is made anew is never freed.
 */
#include <stdbool.h>

#include "common/parse.h"

/* Makes the path absolute; NULL stays.  Returns 0, or a negative number and why not. */
int agx_path_settle(const char **path, struct ct_why *why);

/*
 * Likewise, of the master agent's address, where that is the path of a socket; it stays
 * relative when that is wanted.  One that is too long for a socket is refused.
 */
int agx_address_settle(const char **address, bool relative, struct ct_why *why);

#endif
