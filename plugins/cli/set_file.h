/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_SET_FILE_H
#define CLI_SET_FILE_H
/* The options of the commands that write files; see set.h. */
#include "set.h"

cli_set_fn cli_set_output, cli_set_keep, cli_set_compress, cli_set_mode, cli_set_owner;

#endif
