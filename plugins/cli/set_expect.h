/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_SET_EXPECT_H
#define CLI_SET_EXPECT_H
/*
 * What the command line says of one expectation.  For the command expect.
 */
#include "cli.h"

/* The subcommands that are about one expectation. */
enum {
	CLI_EXPECT_GET = 1 << 0,
	CLI_EXPECT_CREATE = 1 << 1,
	CLI_EXPECT_DELETE = 1 << 2,
};

/*
 * Is each option that describes an expectation one of this subcommand, a bit of the
 * above or 0 for others?  Returns CLI_OK, or CLI_USAGE after saying which is not.
 */
int cli_check_expect(const struct cli *cli, unsigned int subcommand);

/*
 * The options → what to ask the kernel for.  The conditions are the master; the
 * expected flow is of its protocol.  Returns CLI_OK, or CLI_USAGE after saying what is
 * missing or makes no sense.
 */
int cli_read_expect(const struct cli *cli, struct ct_expect *expect);

#endif
