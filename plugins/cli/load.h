/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H
/*
 * Flows from a file in the format that `list --format save` writes: for each line, the
 * options of `create`.  For the command create.
 */
#include "cli.h"

/* Creates the flows of cli->load, "-" being stdin, in batches; see cli_each_netns(). */
int cli_load(struct cli *cli, const char *netns, void *unused);

/* Makes the reply tuple whole, from what was said of it and the original. */
void cli_complete_reply(struct ct_flow *flow);

#endif
