/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program `conntap`: its commands, its options, its signals. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"

volatile sig_atomic_t cli_stop;

const struct cli_command cli_commands[] = {
	{ "list", "print one line for each flow",
	  "  conntap list --proto tcp --dport 80,443\n"
	  "  conntap list --orig-src 192.168.0.0/16 --status unreplied\n",
	  cli_list },
	{ "xml", "print the flows as an XML document",
	  "  conntap xml --any-nat > nat.xml\n"
	  "  conntap xml --dialect flows --family ipv6\n",
	  cli_xml },
	{ "delete", "delete the flows that meet the conditions",
	  "  conntap delete --orig-src 192.0.2.7 --dry-run\n"
	  "  conntap delete --proto udp --dport domain --min-timeout 1m\n",
	  cli_delete },
	{ "count", "print how many flows there are",
	  "  conntap count\n"
	  "  conntap count --state SYN_SENT --any-addr 2001:db8::/32\n",
	  cli_count },
	{ .name = NULL },
};

static int
set_dialect(struct cli *cli, const char *value, struct ct_why *why)
{
	cli->dialect = output_dialect(value);
	if (!cli->dialect)
		return ct_parse_failed(
			why, "%.100s is not a dialect (conntracks or flows)", value);
	return 0;
}

const struct cli_option cli_options[] = {
	[CLI_DIALECT] = { "dialect", 0, "DIALECT",
			  "conntracks (default), or flows as conntrack(8) has them",
			  CLI_XML, set_dialect },
	[CLI_DRY_RUN] = { "dry-run", 0, NULL,
			  "say what would be deleted, delete nothing", CLI_DELETE,
			  NULL },
	[CLI_QUIET] = { "quiet", 0, NULL, "print no line for each deleted flow",
			CLI_DELETE, NULL },
	[CLI_KERNEL_FILTER] = { "kernel-filter", 0, NULL,
				"let the kernel leave out what it can; on a large "
				"table "
				"a search that matches little delays packets",
				CLI_ALL, NULL },
	[CLI_VERBOSE] = { "verbose", 'v', NULL, "say more: the limit, repetitions",
			  CLI_ALL, NULL },
	[CLI_HELP] = { "help", 'h', NULL, "explain the program, or a command", CLI_ALL,
		       NULL },
	[CLI_VERSION] = { "version", 'V', NULL, "print the version", CLI_ALL, NULL },
	{ .name = NULL },
};

/* The first signal asks; a second one, with its default action, ends the program. */
static void
on_signal(int number)
{
	cli_stop = number;
}

static void
catch_signals(void)
{
	struct sigaction stop = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	/* A closed pipe shows as the error of a write. */
	sigaction(SIGPIPE, &ignore, NULL);
}

static int
help_or_version(const struct cli *cli)
{
	if (cli_used(cli, CLI_HELP))
		cli_help(cli->command);
	else
		printf("conntap %s\n", CONNTAP_VERSION);
	return cli_written(fflush(stdout) == 0 ? 0 : -errno);
}

int
main(int argc, char **argv)
{
	struct cli cli = { .dialect = &output_xml };
	struct timespec now;
	int status;

	clock_gettime(CLOCK_REALTIME, &now);
	cli.now = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	cli.filter = ct_filter_new();
	if (!cli.filter)
		return cli_failed("cannot start", -ENOMEM);
	status = cli_parse(&cli, argc, argv);
	if (status == CLI_OK &&
	    (cli_used(&cli, CLI_HELP) || cli_used(&cli, CLI_VERSION))) {
		status = help_or_version(&cli);
	} else if (status == CLI_OK) {
		catch_signals();
		status = cli.command->run(&cli);
	}
	ct_filter_free(cli.filter);
	return status;
}
