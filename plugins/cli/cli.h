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
#include <time.h>

#include "common/change.h"
#include "common/dump.h"
#include "common/filter.h"
#include "common/kernel.h"
#include "common/nat.h"
#include "common/parse.h"
#include "common/top.h"
#include "plugins/export/output.h"
#include "plugins/export/report.h"
#include "plugins/export/sink.h"

/* Exit statuses; a signal's is 128 + its number. */
enum {
	CLI_OK = 0,
	CLI_FAILED = 1, /* the kernel refused, or not all of it was done */
	CLI_USAGE = 2,  /* the command line makes no sense; nothing was done */
	CLI_EXISTS = 3, /* what was to be created is there already */
};

/* Which commands an option is for: bits, one for each row of cli_commands[]. */
enum {
	CLI_LIST = 1 << 0,
	CLI_XML = 1 << 1,
	CLI_COUNT = 1 << 2,
	CLI_GET = 1 << 3,
	CLI_CREATE = 1 << 4,
	CLI_UPDATE = 1 << 5,
	CLI_DELETE = 1 << 6,
	CLI_FLUSH = 1 << 7,
	CLI_EVENTS = 1 << 8,
	CLI_EXPECT = 1 << 9,
	CLI_STATS = 1 << 10,
	CLI_CENSUS = 1 << 11,
	CLI_TOP = 1 << 12,
	CLI_NAT = 1 << 13,
	CLI_CHECK = 1 << 14,
	CLI_METRICS = 1 << 15,
	CLI_ALL = (1 << 16) - 1,
	/* Commands that make a pass over the table. */
	CLI_PASSES = CLI_LIST | CLI_XML | CLI_COUNT | CLI_UPDATE | CLI_DELETE |
		     CLI_CENSUS | CLI_TOP | CLI_NAT,
	/* Commands that show numbers, in rows. */
	CLI_REPORTS = CLI_STATS | CLI_CENSUS | CLI_TOP | CLI_NAT | CLI_CHECK,
	/* Commands about the table as a whole. */
	CLI_NO_CONDITIONS = CLI_STATS | CLI_CHECK | CLI_METRICS,
	/* Commands that show something in a format of one's choice. */
	CLI_SHOWS = CLI_LIST | CLI_XML | CLI_GET | CLI_EVENTS | CLI_EXPECT,
};

#define CLI_NETNS_MAX 256
#define CLI_PUBLIC_MAX 256

/* The command line, understood. */
struct cli {
	const struct cli_command *command;
	const char *subcommand; /* of expect */
	struct ct_filter *filter;
	const struct output *dialect;
	const struct output *format;
	const char *format_word;    /* what was said for --format; NULL: nothing */
	bool json;                  /* reports: an object a row */
	bool prometheus;            /* metrics: the older text format */
	char *netns[CLI_NETNS_MAX]; /* where to work; none: here */
	size_t netns_count;
	bool all_netns;                  /* all that have names, besides */
	bool netns_found[CLI_NETNS_MAX]; /* one of those */
	struct ct_flow set;              /* what create and update set, by its `has` */
	struct ct_encode_masks masks;
	struct ct_expect expect; /* what expect create, get and delete are about */
	const char *load;
	unsigned int groups; /* CT_EVENTS_* */
	uint64_t count;      /* events to wait for; 0: no end */
	uint64_t seconds;    /* to wait for events; 0: no end */
	uint32_t buffer;
	enum ct_top_by by; /* top: what to tell flows apart by */
	bool by_bytes;     /* top: rank by bytes instead of flows */
	uint64_t prefix4;  /* top: bits of addresses that count */
	uint64_t prefix6;
	uint64_t capacity;     /* top: keys to remember */
	uint64_t limit;        /* rows to show */
	struct ct_range ports; /* nat: the range of translated ports */
	struct ct_addr_range publics[CLI_PUBLIC_MAX]; /* nat: addresses to watch */
	size_t public_count;
	uint64_t every;   /* stats, xml: seconds between two; 0: one */
	uint64_t warning; /* check: percent of the limit */
	uint64_t critical;
	const char *path; /* metrics, xml: of the file to write; NULL: stdout */
	struct output_file_how file;
	struct output_compress_how compress;
	uint64_t keep;         /* xml: files to keep */
	char conditions[1024]; /* as they were given, for people */
	bool unwritten;        /* a report could not be written */
	uint64_t now;          /* when the program began: ns since 1970 */
	uint64_t used;         /* options that were given: bits of cli_options[] */
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
	CLI_FORMAT,
	CLI_DIALECT,
	CLI_NETNS,
	CLI_DRY_RUN,
	CLI_QUIET,
	CLI_YES,
	CLI_TIMEOUT,
	CLI_LOAD,
	CLI_SET_TIMEOUT,
	CLI_SET_MARK,
	CLI_SET_STATE,
	CLI_SET_STATUS,
	CLI_SET_LABEL,
	CLI_TUPLE_SRC,
	CLI_TUPLE_DST,
	CLI_TUPLE_SPORT,
	CLI_TUPLE_DPORT,
	CLI_MASK_SRC,
	CLI_MASK_DST,
	CLI_MASK_SPORT,
	CLI_MASK_DPORT,
	CLI_NAT_ADDR,
	CLI_NAT_PORT,
	CLI_NAT_DIR,
	CLI_CLASS,
	CLI_FLAGS,
	CLI_EVENT,
	CLI_FOR,
	CLI_EVENT_COUNT,
	CLI_BUFFER_SIZE,
	CLI_RESYNC,
	CLI_TIMESTAMP,
	CLI_BY,
	CLI_ORDER,
	CLI_LIMIT,
	CLI_PREFIX4,
	CLI_PREFIX6,
	CLI_CAPACITY,
	CLI_PORTS,
	CLI_PUBLIC,
	CLI_EVERY,
	CLI_WARNING,
	CLI_CRITICAL,
	CLI_OUTPUT,
	CLI_KEEP,
	CLI_COMPRESS,
	CLI_MODE,
	CLI_OWNER,
	CLI_WITH_STATS,
	CLI_WITH_EXPECT,
	CLI_WITH_EVENTS,
	CLI_NO_FLOWS,
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

/* In nanoseconds. */
uint64_t cli_clock(clockid_t clock);

/* The signal that asked for an end; 0 while none has. */
extern volatile sig_atomic_t cli_stop;

int cli_list(struct cli *cli);
int cli_xml(struct cli *cli);
int cli_count(struct cli *cli);
int cli_get(struct cli *cli);
int cli_create(struct cli *cli);
int cli_update(struct cli *cli);
int cli_delete(struct cli *cli);
int cli_flush(struct cli *cli);
int cli_events(struct cli *cli);
int cli_expect(struct cli *cli);
int cli_stats(struct cli *cli);
int cli_census(struct cli *cli);
int cli_top(struct cli *cli);
int cli_nat(struct cli *cli);
int cli_check(struct cli *cli);
int cli_metrics(struct cli *cli);

/* Reads the command line into *cli.  Returns CLI_OK, or CLI_USAGE after saying why. */
int cli_parse(struct cli *cli, int argc, char **argv);

/* The help of a command, or of the program when it is NULL. */
void cli_help(const struct cli_command *command);

/*
 * One line on stderr: "conntap: …", about what has failed; and about what may not be
 * what was meant.
 */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The same, of a level of syslog(3): where stderr is the journal's, it is told the
 * level (LOG_ERR and LOG_WARNING of the two before).
 */
void cli_log(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * From now on, what the first two have said is not said again, until cli_forget_said():
 * for what is tried again and again.
 */
void cli_say_once(void);
void cli_forget_said(void);

/* Says what could not be done, why, and what helps.  Returns CLI_FAILED. */
int cli_failed(const char *what, int error);

/*
 * Opens ctnetlink in `netns` (NULL: here) and asks for the table's size; loads the
 * kernel's module where it is missing and this is root.  Returns 0, or -errno after
 * saying why.
 */
int cli_open(const char *netns, struct ct_netlink **netlink, struct ct_kernel *kernel);

/*
 * Calls `run` for each namespace of --netns, or once with NULL.  Returns the first of
 * its statuses that is not CLI_OK; a failure in one does not keep the others waiting,
 * a signal does.
 */
int cli_each_netns(struct cli *cli,
		   int (*run)(struct cli *cli, const char *netns, void *data),
		   void *data);

/*
 * The namespaces of `--netns all` are those that there are now.  Returns CLI_OK, or
 * CLI_FAILED after saying why.
 */
int cli_find_netns(struct cli *cli);

/* What can be read of a namespace without rights; says nothing.  Returns 0 or -errno.
 */
int cli_settings(const char *netns, struct ct_kernel *kernel);

/* The same of all namespaces of the command line, as one: what they do not agree on is
 * left out. */
void cli_settings_of_all(const struct cli *cli, struct ct_kernel *sum);

/* Warns when a condition needs what the kernel does not do there. */
void cli_warn_of_needs(const struct cli *cli, const char *netns);

/*
 * Calls `flow_fn` for each flow of `netns` that the command line's conditions choose;
 * it returns 0, or a positive value to end the pass.  Returns 0 after a whole pass,
 * that positive value, -ECANCELED after a signal, or another -errno after saying why.
 */
int cli_pass(struct cli *cli, const char *netns, ct_flow_fn flow_fn, void *data,
	     struct ct_dump_result *result);

/*
 * Enters `netns` (NULL: stays) for what is read from /proc, and opens ctnetlink there;
 * *netlink is NULL where that cannot be, which is no failure here.  Returns 0, or
 * -errno after saying why; then there is nothing to leave.
 */
int cli_visit(const char *netns, struct ct_netlink **netlink, int *home);
void cli_leave(struct ct_netlink *netlink, int home);

/* CLI_OK, or CLI_USAGE after saying that the command takes no conditions. */
int cli_no_conditions(const struct cli *cli);

/*
 * Shows the command's report on stdout: `run` puts its rows, for each namespace.  A
 * title line tells the namespaces apart, where there are any.  Where the report cannot
 * be written, cli->unwritten is set.
 */
int cli_report(struct cli *cli, const struct report_column *columns,
	       int (*run)(struct cli *cli, const char *netns, struct report *report,
			  void *data),
	       void *data);

/* For a column of percent: `part` of `all` in thousandths of a percent. */
uint64_t cli_share(uint64_t part, uint64_t all);

/*
 * How the command line wants NAT to be looked at, to be freed; NULL after saying that
 * there is no memory.
 */
struct ct_nat *cli_nat_new(const struct cli *cli);

/*
 * Asks on a terminal whether to delete `what`; elsewhere --yes has to be there.
 * Returns CLI_OK for yes.
 */
int cli_confirm(const struct cli *cli, const char *what);

/* The flow that the conditions describe: CLI_OK, or CLI_USAGE after saying why not. */
int cli_describe(const struct cli *cli, struct ct_flow *flow);

/*
 * What the final error of output on stdout, or in the file `path`, comes to: an exit
 * status, after saying what has to be said.  A closed pipe is -EPIPE, which is no error
 * to speak of.  The second takes NULL for stdout.
 */
#define CLI_BUFFER (128 * 1024)
int cli_written(int error);
int cli_not_written(const char *path, int error);

/* The exit status of a command that `cli_stop` ended. */
int cli_stopped(void);

#endif
