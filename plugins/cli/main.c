/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program `conntap`: its commands, its options, its signals. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "set.h"
#include "set_file.h"
#include "set_report.h"

volatile sig_atomic_t cli_stop;

const struct cli_command cli_commands[] = {
	{ "list", "print one line for each flow",
	  "  conntap list --proto tcp --dport 80,443\n"
	  "  conntap list --orig-src 192.168.0.0/16 --status unreplied --format json\n",
	  cli_list },
	{ "xml",
	  "print the flows as an XML document, or write it, once or periodically",
	  "  conntap xml --any-nat > nat.xml\n"
	  "  conntap xml --dialect flows --family ipv6\n"
	  "  conntap xml --stats --output /var/lib/conntap/flows.xml --every 60s\n"
	  "  conntap xml --events --every 1h --keep 24 --compress zstd \\\n"
	  "      --output /var/lib/conntap/ended-%Y%m%dT%H%M%S.xml.zst\n",
	  cli_xml },
	{ "count", "print how many flows there are",
	  "  conntap count\n"
	  "  conntap count --state SYN_SENT --any-addr 2001:db8::/32\n",
	  cli_count },
	{ "get", "print the one flow that has this tuple",
	  "  conntap get -p tcp -s 192.0.2.7 -d 198.51.100.1 --sport 40000 --dport "
	  "80\n",
	  cli_get },
	{ "create", "create a flow, or a file of them",
	  "  conntap create -p udp -s 192.0.2.7 -d 198.51.100.1 --sport 5000 --dport "
	  "53\n"
	  "  conntap list --format save > flows; conntap create --load flows\n",
	  cli_create },
	{ "update", "change the flows that meet the conditions",
	  "  conntap update --orig-src 192.0.2.7 --set-mark 0x10/0xf0\n"
	  "  conntap update --proto udp --dport domain --set-timeout 10\n",
	  cli_update },
	{ "delete", "delete the flows that meet the conditions",
	  "  conntap delete --orig-src 192.0.2.7 --dry-run\n"
	  "  conntap delete --proto udp --dport domain --min-timeout 1m\n",
	  cli_delete },
	{ "flush", "delete every flow, or those of a family or a zone",
	  "  conntap flush --family ipv6\n", cli_flush },
	{ "events", "print what happens in the table, as it happens",
	  "  conntap events --proto tcp --dport 22 --timestamp\n"
	  "  conntap events --event destroy --format json --for 1m\n",
	  cli_events },
	{ "expect",
	  "list, get, create, delete, flush: what helpers expect; or its events",
	  "  conntap expect list\n"
	  "  conntap expect events --timestamp\n",
	  cli_expect },
	{ "stats", "print what the kernel counts, per processor: drops, failures",
	  "  conntap stats\n"
	  "  conntap stats --every 1\n",
	  cli_stats },
	{ "census", "print how many flows are of which kind, with their bytes",
	  "  conntap census\n"
	  "  conntap census --orig-src 192.168.0.0/16\n",
	  cli_census },
	{ "top", "print who fills the table: by address, port or pair",
	  "  conntap top\n"
	  "  conntap top --by pair --order bytes --prefix4 24 --prefix6 64\n"
	  "  conntap top --by port --status unreplied\n",
	  cli_top },
	{ "nat", "print how many ports of each public address are in use",
	  "  conntap nat\n"
	  "  conntap nat --public 203.0.113.5 --ports 1024-32767\n",
	  cli_nat },
	{ "check", "print what the kernel, its settings and your rights allow",
	  "  conntap check\n"
	  "  conntap check --warning 70 --critical 90 --format json\n",
	  cli_check },
	{ "metrics", "print all these numbers for Prometheus and the like",
	  "  conntap metrics\n"
	  "  conntap metrics --format prometheus \\\n"
	  "      --output /var/lib/prometheus/node-exporter/conntap.prom\n",
	  cli_metrics },
	{ .name = NULL },
};

_Static_assert(sizeof(cli_commands) / sizeof(cli_commands[0]) == 17,
	       "CLI_ALL knows all");

static int
set_dialect(struct cli *cli, const char *value, struct ct_why *why)
{
	cli->dialect = output_dialect(value);
	if (!cli->dialect)
		return ct_parse_failed(
			why, "%.100s is not a dialect (conntracks or flows)", value);
	return 0;
}

/* clang-format off */
const struct cli_option cli_options[] = {
	[CLI_FORMAT] = { "format", 'o', "FORMAT", "text (default) or json; of flows also "
		"xml, flows, save; of xml: xml (default), flows, json; of metrics "
		"openmetrics (default) or prometheus",
		CLI_SHOWS | CLI_REPORTS | CLI_METRICS, cli_set_format },
	[CLI_DIALECT] = { "dialect", 0, "DIALECT",
		"conntracks (default), or flows as conntrack(8) has them",
		CLI_XML, set_dialect },
	[CLI_NETNS] = { "netns", 0, "NAME",
		"work in this network namespace (see ip netns); again for more, all for all",
		CLI_ALL, cli_set_netns },
	[CLI_DRY_RUN] = { "dry-run", 0, NULL, "say what would be deleted, delete nothing",
		CLI_DELETE, NULL },
	[CLI_QUIET] = { "quiet", 0, NULL, "print no line for each deleted flow",
		CLI_DELETE, NULL },
	[CLI_YES] = { "yes", 0, NULL, "do not ask", CLI_FLUSH | CLI_EXPECT, NULL },
	[CLI_TIMEOUT] = { "timeout", 't', "TIME", "until the kernel forgets it (120)",
		CLI_CREATE | CLI_EXPECT, cli_set_timeout },
	[CLI_LOAD] = { "load", 0, "FILE", "create all flows of a file in the format save",
		CLI_CREATE, cli_set_load },
	[CLI_SET_TIMEOUT] = { "set-timeout", 0, "TIME", "until the kernel forgets it",
		CLI_UPDATE, cli_set_timeout },
	[CLI_SET_MARK] = { "set-mark", 0, "MARK", "a mark; or MARK/MASK: only those bits",
		CLI_UPDATE, cli_set_mark },
	[CLI_SET_STATE] = { "set-state", 0, "STATE", "a state of TCP",
		CLI_UPDATE, cli_set_state },
	[CLI_SET_STATUS] = { "set-status", 0, "STATUS", "seen-reply, assured, fixed-timeout, …",
		CLI_UPDATE, cli_set_status },
	[CLI_SET_LABEL] = { "set-label", 0, "LABEL", "add labels, or take away not-LABEL",
		CLI_UPDATE, cli_set_label },
	[CLI_TUPLE_SRC] = { "tuple-src", 0, "ADDR", "source of what is expected",
		CLI_EXPECT, cli_set_tuple_src },
	[CLI_TUPLE_DST] = { "tuple-dst", 0, "ADDR", "its destination",
		CLI_EXPECT, cli_set_tuple_dst },
	[CLI_TUPLE_SPORT] = { "tuple-port-src", 0, "PORT", "its source port",
		CLI_EXPECT, cli_set_tuple_sport },
	[CLI_TUPLE_DPORT] = { "tuple-port-dst", 0, "PORT", "its destination port",
		CLI_EXPECT, cli_set_tuple_dport },
	[CLI_MASK_SRC] = { "mask-src", 0, "ADDR", "the bits that count (default: all)",
		CLI_EXPECT, cli_set_mask_src },
	[CLI_MASK_DST] = { "mask-dst", 0, "ADDR", "likewise", CLI_EXPECT, cli_set_mask_dst },
	[CLI_MASK_SPORT] = { "mask-port-src", 0, "PORT", "likewise (default: none of a port "
		"that is not given)", CLI_EXPECT, cli_set_mask_sport },
	[CLI_MASK_DPORT] = { "mask-port-dst", 0, "PORT", "likewise",
		CLI_EXPECT, cli_set_mask_dport },
	[CLI_NAT_ADDR] = { "nat-addr", 0, "ADDR", "what its source is translated to",
		CLI_EXPECT, cli_set_nat_addr },
	[CLI_NAT_PORT] = { "nat-port", 0, "PORT", "and its source port",
		CLI_EXPECT, cli_set_nat_port },
	[CLI_NAT_DIR] = { "nat-direction", 0, "DIR", "original (default) or reply",
		CLI_EXPECT, cli_set_nat_dir },
	[CLI_CLASS] = { "class", 0, "N", "of the helper's expectations (0)",
		CLI_EXPECT, cli_set_class },
	[CLI_FLAGS] = { "flags", 0, "FLAGS", "permanent, inactive, userspace",
		CLI_EXPECT, cli_set_flags },
	[CLI_EVENT] = { "event", 'e', "KIND",
		"new, update, destroy, of flows; expect, all of expectations (default: "
		"new,destroy)",
		CLI_EVENTS, cli_set_event },
	[CLI_FOR] = { "for", 0, "TIME", "end after this time",
		CLI_EVENTS | CLI_EXPECT | CLI_STATS, cli_set_for },
	[CLI_EVENT_COUNT] = { "count", 0, "N", "end after so many events, or reports",
		CLI_EVENTS | CLI_EXPECT | CLI_STATS, cli_set_count },
	[CLI_BUFFER_SIZE] = { "buffer", 0, "BYTES", "of the socket's receive buffer (64Mi)",
		CLI_EVENTS | CLI_EXPECT | CLI_XML, cli_set_buffer },
	[CLI_RESYNC] = { "resync", 0, NULL,
		"after a loss, look at the table and print what changed unseen",
		CLI_EVENTS, NULL },
	[CLI_TIMESTAMP] = { "timestamp", 'T', NULL, "begin each line with the time",
		CLI_EVENTS | CLI_EXPECT, NULL },
	[CLI_BY] = { "by", 0, "KEY", "source (default), destination, port, pair, "
		"reply-source, reply-destination", CLI_TOP, cli_set_by },
	[CLI_ORDER] = { "order", 0, "VALUE", "rank by flows (default) or bytes",
		CLI_TOP, cli_set_order },
	[CLI_LIMIT] = { "limit", 0, "N", "print so many rows, 0 for all (top, nat: 10; "
		"zones and marks: 20, of metrics 100)",
		CLI_CENSUS | CLI_TOP | CLI_NAT | CLI_METRICS, cli_set_limit },
	[CLI_PREFIX4] = { "prefix4", 0, "BITS", "of IPv4 addresses: 24 for networks (32)",
		CLI_TOP, cli_set_prefix4 },
	[CLI_PREFIX6] = { "prefix6", 0, "BITS", "of IPv6 addresses: 64 for networks (128)",
		CLI_TOP, cli_set_prefix6 },
	[CLI_CAPACITY] = { "capacity", 0, "N", "count so many different ones exactly (65536)",
		CLI_TOP, cli_set_capacity },
	[CLI_PORTS] = { "ports", 0, "RANGE", "that the NAT rules use (1024-65535)",
		CLI_NAT | CLI_METRICS, cli_set_ports },
	[CLI_PUBLIC] = { "public", 0, "ADDR", "look at this public address, and at the "
		"gateway's own flows from it, too; again for more (all translated ones)",
		CLI_NAT | CLI_METRICS, cli_set_public },
	[CLI_EVERY] = { "every", 0, "TIME", "again and again: stats what was added, xml "
		"the file, at multiples of that time",
		CLI_STATS | CLI_XML, cli_set_every },
	[CLI_WARNING] = { "warning", 0, "PERCENT", "of the limit (80)",
		CLI_CHECK, cli_set_warning },
	[CLI_CRITICAL] = { "critical", 0, "PERCENT", "of the limit (95)",
		CLI_CHECK, cli_set_critical },
	[CLI_OUTPUT] = { "output", 0, "FILE", "write this file, whole or not at all; of xml, "
		"%Y %m %d %H %M %S %h %n are time, host and namespace",
		CLI_METRICS | CLI_XML, cli_set_output },
	[CLI_KEEP] = { "keep", 0, "N", "remove all but the N youngest of the files that "
		"differ by the time in their name only",
		CLI_XML, cli_set_keep },
	[CLI_COMPRESS] = { "compress", 0, "HOW", "gzip or zstd; gzip:9, zstd:19 for smaller ones",
		CLI_XML, cli_set_compress },
	[CLI_MODE] = { "mode", 0, "MODE", "of the file, as chmod(1) has it in digits (0644)",
		CLI_XML, cli_set_mode },
	[CLI_OWNER] = { "owner", 0, "USER[:GROUP]", "of the file", CLI_XML, cli_set_owner },
	[CLI_WITH_STATS] = { "stats", 0, NULL, "add all that conntap metrics tells",
		CLI_XML, NULL },
	[CLI_WITH_EXPECT] = { "expect", 0, NULL, "add what helpers expect", CLI_XML, NULL },
	[CLI_WITH_EVENTS] = { "events", 0, NULL, "the flows that end, as they end, instead of "
		"those that are there", CLI_XML, NULL },
	[CLI_NO_FLOWS] = { "no-flows", 0, NULL,
		"make no pass over the table: needs no rights, costs nothing",
		CLI_METRICS, NULL },
	[CLI_KERNEL_FILTER] = { "kernel-filter", 0, NULL,
		"let the kernel leave out what it can; on a large table a search that "
		"matches little delays packets",
		CLI_PASSES, NULL },
	[CLI_VERBOSE] = { "verbose", 'v', NULL, "say more: the limit, repetitions, buffers",
		CLI_ALL, NULL },
	[CLI_HELP] = { "help", 'h', NULL, "explain the program, or a command", CLI_ALL, NULL },
	[CLI_VERSION] = { "version", 'V', NULL, "print the version", CLI_ALL, NULL },
	{ .name = NULL },
};
/* clang-format on */

uint64_t
cli_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

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

/*
 * A file that we open is not to become stdout or stderr, where these were closed.  What
 * is in their place fails as they would: it cannot be written to, or read for stdin.
 */
static void
occupy_standard_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_WRONLY);
		if (fd > STDIN_FILENO && fd <= STDERR_FILENO) {
			close(fd);
			fd = open("/dev/null", O_RDONLY);
		}
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
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
	struct cli cli = {
		.dialect = &output_xml,
		.format = &output_text,
		.prefix4 = 32,
		.prefix6 = 128,
		.capacity = 65536,
		.ports = { CT_NAT_PORT_LOW, CT_NAT_PORT_HIGH },
		.warning = 80,
		.critical = 95,
		.file = OUTPUT_FILE_USUAL,
	};
	int status;

	occupy_standard_streams();
	cli.now = cli_clock(CLOCK_REALTIME);
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
	for (size_t i = 0; i < cli.netns_count; i++)
		free(cli.netns[i]);
	ct_filter_free(cli.filter);
	return status;
}
