/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H
/* Documents: a format, what goes into it, and where it goes. */
#include "cli.h"
#include "plugins/export/name.h"
#include "plugins/export/sink.h"

struct cli_show {
	const struct output *output;
	struct output_view view;
	struct output_end end;
	const char *path;     /* as it was given; NULL: stdout */
	struct ct_text *text; /* what the format writes to */
	struct output_sink *sink;
	struct ct_labels *labels;
};

/*
 * Begins a document; `kernel` is what is known of the table then, or NULL.  Returns
 * CLI_OK, or CLI_FAILED after saying why; then there is nothing to be done.
 */
int cli_show_open(struct cli_show *show, const struct cli *cli,
		  const struct output *output, const struct output_sink_how *how,
		  const struct ct_kernel *kernel);

/* The same on stdout, for what comes little by little. */
int cli_show_init(struct cli_show *show, const struct cli *cli,
		  const struct output *output, const struct ct_kernel *kernel);

/* Ends the document, and puts a file in its place.  Returns what that came to. */
int cli_show_end(struct cli_show *show);

/* Without cli_show_end() before, there is no file.  A second time does nothing. */
void cli_show_done(struct cli_show *show);

/*
 * --keep, where it was given: before a file is written, with NULL, as the older ones
 * may be what fills the disk, and with its path afterwards.  Returns CLI_OK, or
 * CLI_FAILED after saying that older files stay, which is for afterwards.
 */
int cli_prune(const struct cli *cli, const struct output_name *name,
	      const char *written);

/*
 * A document of the chosen flows, and of what else the command line asks for, in the
 * file `path`, or on stdout where it is NULL.  A file is there when all of it could be
 * read.  Returns the exit status.
 */
int cli_export(struct cli *cli, const struct output *output, const char *path);

#endif
