/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap list: one line a flow. */
#include "cli.h"

int
cli_list(struct cli *cli)
{
	return cli_show(cli, &output_text);
}
