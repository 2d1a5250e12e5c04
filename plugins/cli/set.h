/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_SET_H
#define CLI_SET_H
/*
 * What the values of options do to struct cli: the `set` of cli_options[].  Each
 * returns 0, or -EINVAL and why.
 */
#include "cli.h"

typedef int cli_set_fn(struct cli *cli, const char *value, struct ct_why *why);

cli_set_fn cli_set_format, cli_set_netns, cli_set_load, cli_set_event, cli_set_for,
	cli_set_count, cli_set_buffer;
/* What create and update set of a flow. */
cli_set_fn cli_set_timeout, cli_set_mark, cli_set_state, cli_set_status, cli_set_label;
/* What is expected, and which bits of it count. */
cli_set_fn cli_set_tuple_src, cli_set_tuple_dst, cli_set_tuple_sport,
	cli_set_tuple_dport, cli_set_mask_src, cli_set_mask_dst, cli_set_mask_sport,
	cli_set_mask_dport, cli_set_nat_addr, cli_set_nat_port, cli_set_nat_dir,
	cli_set_class, cli_set_flags;

#endif
