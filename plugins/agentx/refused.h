/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_REFUSED_H
#define AGX_REFUSED_H
/*
 * What the master agent did not let us register, as another subagent has it: Net-SNMP
 * only logs that.  For master.c, which asks for it again.
 */
#include <stdbool.h>
#include <stddef.h>

/* From now on it is known what is being registered; before the first connection. */
void agx_refused_watch(void);

/* The last registration was refused. */
void agx_refused_note(void);

/* Registers again what was refused: what is noted then is refused still. */
void agx_refused_retry(void);

/* With the connection, all registrations are over. */
void agx_refused_forget(void);

/* Is anything refused, at all or in this context? */
bool agx_refused_any(void);
bool agx_refused_in(const char *context);

#endif
