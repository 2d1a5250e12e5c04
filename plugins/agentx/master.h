/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_MASTER_H
#define AGX_MASTER_H
/*
 * The connection to the master agent, by Net-SNMP: what is registered there, that it is
 * found again when it was away, and that it is answered.  There is one in a process, as
 * Net-SNMP has it, and it is one thread's.
 */
#include <stdbool.h>

#include "options.h"
#include "space.h"

/* Before anything else here; the options stay where they are. */
void agx_master_set_up(const struct agx_options *options);

/* Registers the objects of a namespace.  False: refused, which has been logged. */
bool agx_master_register(struct agx_space *space);

/* Looks for the master agent; who is not there is looked for again from serve() on. */
void agx_master_connect(void);

/* Is it there, and is it us who answers for this namespace? */
bool agx_master_has(const struct agx_space *space);

/* Answers, for half a second, or until there is something to read from `stop_fd`. */
void agx_master_serve(int stop_fd);

/* Says goodbye. */
void agx_master_leave(void);

#endif
