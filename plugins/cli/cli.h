/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_CLI_H
#define CLI_CLI_H
/*
 * What the commands of the program `conntap` share.  A command is one file and one row
 * of cli_commands[]; an option is one row of cli_options[] or a condition of the
 * filter.
 */
#include <signal.h>
#include <stdbool.h>

#include "common/dump.h"
#include "common/filter.h"
#include "common/kernel.h"
#include "plugins/export/output.h"

/* Exit statuses; a signal's is 128 + its number. */
enum {
	CLI_OK = 0,
	CLI_FAILED = 1, /* the kernel refused, or not all of it was done */
	CLI_USAGE = 2,  /* the command line makes no sense; nothing was done */
};

/* Which commands an option is for: bits, one for each row of cli_commands[]. */
enum {
	CLI_LIST = 1 << 0,
	CLI_XML = 1 << 1,
	CLI_DELETE = 1 << 2,
	CLI_COUNT = 1 << 3,
	CLI_ALL = CLI_LIST | CLI_XML | CLI_DELETE | CLI_COUNT,
};

/* The command line, understood. */
struct cli {
	const struct cli_command *command;
	struct ct_filter *filter;
	const struct output *dialect;
	uint64_t now;      /* when the program began: ns since 1970 */
	unsigned int used; /* options that were given: bits of cli_options[] */
};

struct cli_command {
	const char *name;
	const char *summary;
	const char *examples; /* lines for --help */
	int (*run)(struct cli *cli);
};

struct cli_option {
	const char *name;
	char letter;
	const char *argument; /* NULL: a flag */
	const char *help;
	unsigned int commands; /* CLI_LIST … */
	/* For an option with an argument: 0, or -EINVAL and why. */
	int (*set)(struct cli *cli, const char *value, struct ct_why *why);
};

/* The rows of cli_options[], in its order. */
enum cli_option_index {
	CLI_DIALECT,
	CLI_DRY_RUN,
	CLI_QUIET,
	CLI_KERNEL_FILTER,
	CLI_VERBOSE,
	CLI_HELP,
	CLI_VERSION,
};

static inline bool
cli_used(const struct cli *cli, enum cli_option_index option)
{
	return cli->used >> option & 1;
}

/* Ends with a NULL name. */
extern const struct cli_command cli_commands[];
extern const struct cli_option cli_options[];

/* The signal that asked for an end; 0 while none has. */
extern volatile sig_atomic_t cli_stop;

int cli_list(struct cli *cli);
int cli_xml(struct cli *cli);
int cli_delete(struct cli *cli);
int cli_count(struct cli *cli);

/* Reads the command line into *cli.  Returns CLI_OK, or CLI_USAGE after saying why. */
int cli_parse(struct cli *cli, int argc, char **argv);

/* The help of a command, or of the program when it is NULL. */
void cli_help(const struct cli_command *command);

/* One line on stderr: "conntap: …". */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says what could not be done, why, and what helps.  Returns CLI_FAILED. */
int cli_failed(const char *what, int error);

/*
 * Opens ctnetlink and asks for the table's size; loads the kernel's module where it is
 * missing and this is root.  Returns 0, or -errno after saying why.
 */
int cli_open(struct ct_netlink **netlink, struct ct_kernel *kernel);

/*
 * Calls `flow_fn` for each flow that the command line's conditions choose; it returns
 * 0, or a positive value to end the pass.  Returns 0 after a whole pass, that positive
 * value, -ECANCELED after a signal, or another -errno after saying why.
 */
int cli_pass(struct cli *cli, ct_flow_fn flow_fn, void *data,
	     struct ct_dump_result *result);

/* Lists the chosen flows on stdout; `list` and `xml` are this. */
int cli_show(struct cli *cli, const struct output *output);

/*
 * stdout as a text's sink: writes all of it or fails.  A closed pipe is -EPIPE, which
 * is no error to speak of: cli_written() turns the text's final error into an exit
 * status and says what has to be said.
 */
#define CLI_BUFFER (128 * 1024)
int cli_write(const char *bytes, size_t size, void *unused);
int cli_written(int error);

/* The exit status of a command that `cli_stop` ended. */
int cli_stopped(void);

#endif
