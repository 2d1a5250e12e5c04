/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_SET_REPORT_H
#define CLI_SET_REPORT_H
/* The options of the commands that show numbers instead of flows; see set.h. */
#include "set.h"

cli_set_fn cli_set_by, cli_set_order, cli_set_limit, cli_set_prefix4, cli_set_prefix6,
	cli_set_capacity, cli_set_ports, cli_set_public, cli_set_every, cli_set_warning,
	cli_set_critical;

#endif
