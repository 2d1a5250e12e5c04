/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_PRIVILEGES_H
#define AGX_PRIVILEGES_H
/* Giving up what the agent does not need; before there is a second thread. */
#include "options.h"

/*
 * Becomes the user that is asked for, if one is, and keeps the capabilities that the
 * work takes.  What fails is logged; returns 0 or -1.
 */
int agx_privileges_drop(const struct agx_options *options);

#endif
