/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap list: the chosen flows, one line each or in another format. */
#include "show.h"

int
cli_list(struct cli *cli)
{
	return cli_export(cli, cli->format, NULL);
}
