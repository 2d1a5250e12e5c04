/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntap xml: a document of all flows. */
#include "cli.h"

int
cli_xml(struct cli *cli)
{
	return cli_show(cli, cli->dialect);
}
