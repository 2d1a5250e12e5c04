/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_FLOW_LOG_H
#define CLI_FLOW_LOG_H
/* xml --events: what has ended, with what it carried; on stdout, or a file a period. */
#include "cli.h"

int cli_flow_log(struct cli *cli, const struct output *output);

#endif
