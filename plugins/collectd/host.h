/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TAP_HOST_H
#define TAP_HOST_H
/*
 * The host: what collectd 5.12 offers to a plugin.  Its headers in the order that they
 * need.  They also declare functions that the daemon does not export, and one call to
 * such a function keeps collectd from starting; tests/symbols.t looks for that.
 */
#include <collectd/core/daemon/collectd.h>

#include <collectd/core/daemon/plugin.h>
#include <collectd/core/daemon/utils_complain.h>
#include <collectd/core/utils/common/common.h>

#define TAP_PLUGIN "conntap"

/* There is no check when a plugin is loaded that both mean the same structs. */
_Static_assert(DATA_MAX_NAME_LEN == 128, "the structs of collectd 5.7 to 5.12");

#endif
