/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of options, the command line, the file. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "option.h"
#include "paths.h"

#define DEFAULT_CONFIG "/etc/conntap/agentx.conf"
#define DEFAULT_SOCKET "/var/agentx/master"
#define DEFAULT_LOW 80 /* percent */
#define UNSET (-2)     /* a threshold that nobody has given */
#define LINE_SIZE 1024

enum { GO_ON = -1, DONE = 0, WRONG = 2 };

#define AT(name) offsetof(struct agx_options, name)

/* clang-format off */
static const struct agx_option options_table[] = {
	{ "config", "FILE", agx_set_word, AT(config), 0, 0,
	  "read options from FILE, one a line, without dashes; those of the\n"
	  "command line win (default: " DEFAULT_CONFIG ", where there is one)" },
	{ "agentx-socket", "ADDRESS", agx_set_word, AT(socket), 0, 0,
	  "of the master agent: a path, or tcp:HOST:PORT\n"
	  "(default: " DEFAULT_SOCKET ")" },
	{ "ping-interval", "SECONDS", agx_set_number, AT(ping_interval), 1, 3600,
	  "how often to ask whether the master agent is there, and to look\n"
	  "for one that is not (default: 15)" },
	{ "netns", "[CONTEXT=]NAME", agx_set_netns, 0, 0, 0,
	  "show this network namespace too, in the SNMP context NAME, or in\n"
	  "CONTEXT, as a context has 32 letters at most; again for more" },
	{ "base-oid", "OID", agx_set_base, 0, 0, 0,
	  "register there instead of at " CONNTAP_MIB_ROOT },
	{ "snapshot-age", "SECONDS", agx_set_number, AT(snapshot_age), 1, 86400,
	  "walks see flows that are so old at most, or as old as twenty\n"
	  "passes over the table take (default: 15)" },
	{ "snapshot-idle", "SECONDS", agx_set_number, AT(snapshot_idle), 1, 86400,
	  "so long after the last question snapshots are renewed; the next\n"
	  "question then waits for a new one, but not for long (default: 600)" },
	{ "max-rows", "N", agx_set_number, AT(max_rows), 0, UINT32_MAX,
	  "keep so many flows for walks, and say how many are left out\n"
	  "(default: 0, all)" },
	{ "no-flow-table", NULL, agx_set_flag, AT(no_flow_table), 0, 0,
	  "show no single flows and no expectations, only numbers" },
	{ "events", NULL, agx_set_flag, AT(events), 0, 0,
	  "listen to events: rates of new and ended flows.  It costs the\n"
	  "machine about 2.5 us for each new flow" },
	{ "allow-delete", NULL, agx_set_flag, AT(allow_delete), 0, 0,
	  "let a SET of conntapFlowAction delete a flow" },
	{ "delete-limit", "N", agx_set_number, AT(delete_limit), 1, UINT32_MAX,
	  "so many deletions a second, not more (default: 1000)" },
	{ "allow-write", NULL, agx_set_flag, AT(allow_write), 0, 0,
	  "let a SET change marks, timeouts, thresholds and the age of\n"
	  "snapshots" },
	{ "usage-high", "PERCENT", agx_set_threshold, AT(usage_high), 0, 0,
	  "notify when the table is so full; -1: never (default: 90)" },
	{ "usage-low", "PERCENT", agx_set_threshold, AT(usage_low), 0, 0,
	  "and when it is down at this again, which is not greater than\n"
	  "--usage-high (default: 80, or --usage-high if that is less)" },
	{ "notification-interval", "SECONDS", agx_set_number, AT(notification_interval),
	  0, 86400, "between two notifications of a kind (default: 60)" },
	{ "no-notifications", NULL, agx_set_flag, AT(no_notifications), 0, 0,
	  "send none" },
	{ "user", "NAME", agx_set_word, AT(user), 0, 0,
	  "become this user, keeping CAP_NET_ADMIN (with --netns also\n"
	  "CAP_SYS_ADMIN, which it takes to enter a namespace)" },
	{ "foreground", NULL, agx_set_flag, AT(foreground), 0, 0,
	  "stay in the foreground, and log to stderr" },
	{ "pid-file", "FILE", agx_set_word, AT(pid_file), 0, 0,
	  "write the number of the process there" },
};
/* clang-format on */

#define OPTIONS (sizeof(options_table) / sizeof(options_table[0]))

static const struct agx_option *
find(const char *name, size_t length)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (strlen(options_table[i].name) == length &&
		    strncmp(options_table[i].name, name, length) == 0)
			return &options_table[i];
	return NULL;
}

/* Below the option's name; a line of it may have an end. */
static void
print_help(const struct agx_option *option)
{
	printf("  --%s%s%s\n      ", option->name, option->value ? " " : "",
	       option->value ? option->value : "");
	for (const char *at = option->help; *at; at++) {
		putchar(*at);
		if (*at == '\n')
			printf("      ");
	}
	putchar('\n');
}

static int
help(void)
{
	printf("Usage: conntap-agentx [OPTION]...\n"
	       "Shows the connection tracking table by SNMP: a subagent of snmpd, for\n"
	       "the objects of CONNTAP-MIB.\n\n");
	for (size_t i = 0; i < OPTIONS; i++)
		print_help(&options_table[i]);
	printf("  --help\n      print this\n"
	       "  --version\n      print the version\n"
	       "\nExamples:\n"
	       "  conntap-agentx --foreground\n"
	       "  conntap-agentx --user conntap --allow-delete --events\n"
	       "  snmpwalk -v2c -c public localhost CONNTAP-MIB::conntapGeneral\n"
	       "\nsnmpd needs \"master agentx\" in its snmpd.conf; see "
	       "conntap-agentx(8).\n");
	return fflush(stdout) == 0 ? DONE : 1;
}

static int
wrong(const char *where, const char *name, const char *what)
{
	fprintf(stderr, "conntap-agentx: %s%s: %s\n", where, name, what);
	return WRONG;
}

/* `name` as it was written, for messages. */
static int
apply(struct agx_options *options, const struct agx_option *option, const char *where,
      const char *name, const char *value)
{
	struct ct_why why;

	if (option->value && !value)
		return wrong(where, name, "needs a value");
	if (!option->value && value)
		return wrong(where, name, "takes no value");
	if (option->set(options, option, value, &why) < 0)
		return wrong(where, name, why.text);
	return GO_ON;
}

static int
read_arguments(struct agx_options *options, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		const char *equals = strchr(word, '=');
		const char *value = equals ? equals + 1 : NULL;
		size_t length = equals ? (size_t)(equals - word) : strlen(word);
		const struct agx_option *option;
		char name[64];
		int status;

		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
			return help();
		if (strcmp(word, "--version") == 0) {
			printf("conntap-agentx " CONNTAP_VERSION "\n");
			return DONE;
		}
		option = length > 2 && strncmp(word, "--", 2) == 0
				 ? find(word + 2, length - 2)
				 : NULL;
		if (!option)
			return wrong("", word, "no such option; --help lists them");
		if (option->value && !value && i + 1 < argc)
			value = argv[++i];
		snprintf(name, sizeof(name), "--%s", option->name);
		status = apply(options, option, "", name, value);
		if (status != GO_ON)
			return status;
	}
	return GO_ON;
}

/* A word of a file is to stay, where it is not a number. */
static int
apply_line(struct agx_options *options, const struct agx_option *option,
	   const char *where, const char *name, const char *value)
{
	char *copy = *value ? strdup(value) : NULL;
	int status = apply(options, option, where, name, copy);

	if (status != GO_ON ||
	    (option->set != agx_set_word && option->set != agx_set_netns))
		free(copy);
	return status;
}

/* NAME [VALUE]; `line` has no end of line, and a # begins a comment. */
static int
read_line(struct agx_options *options, char *line, const char *where)
{
	const struct agx_option *option;
	char *name, *value, *end;

	line[strcspn(line, "#")] = '\0';
	name = line + strspn(line, " \t\r");
	end = name + strlen(name);
	while (end > name && isspace((unsigned char)end[-1]))
		*--end = '\0';
	if (!*name)
		return GO_ON;
	value = name + strcspn(name, " \t");
	option = find(name, (size_t)(value - name));
	if (*value) {
		*value++ = '\0';
		value += strspn(value, " \t");
	}
	if (!option || strcmp(option->name, "config") == 0)
		return wrong(where, name,
			     "no such option in a file; --help lists them");
	return apply_line(options, option, where, name, value);
}

static int
read_lines(struct agx_options *options, FILE *file)
{
	char line[LINE_SIZE], where[512];
	unsigned int number = 0;

	while (fgets(line, sizeof(line), file)) {
		int status;

		snprintf(where, sizeof(where), "%s:%u: ", options->config, ++number);
		if (!strchr(line, '\n') && !feof(file))
			return wrong(where, "this line", "is too long");
		line[strcspn(line, "\n")] = '\0';
		status = read_line(options, line, where);
		if (status != GO_ON)
			return status;
	}
	return ferror(file) ? wrong("", options->config, strerror(EIO)) : GO_ON;
}

static int
read_file(struct agx_options *options)
{
	bool asked = options->config != NULL;
	FILE *file;
	int status;

	if (!asked)
		options->config = DEFAULT_CONFIG;
	file = fopen(options->config, "re");
	if (!file && !asked && errno == ENOENT)
		return GO_ON;
	if (!file)
		return wrong("--config ", options->config, strerror(errno));
	status = read_lines(options, file);
	fclose(file);
	return status;
}

/* Whoever gives the high one alone has a low one that goes with it. */
static int
check_thresholds(struct agx_options *options)
{
	char what[64];

	if (options->usage_low == UNSET)
		options->usage_low =
			options->usage_high >= 0 && options->usage_high < DEFAULT_LOW
				? options->usage_high
				: DEFAULT_LOW;
	if (options->usage_high < 0 || options->usage_low <= options->usage_high)
		return GO_ON;
	snprintf(what, sizeof(what), "%d is greater than --usage-high (%d)",
		 options->usage_low, options->usage_high);
	return wrong("", "--usage-low", what);
}

/* In the background, the directory is another one. */
static int
check_paths(struct agx_options *options)
{
	struct ct_why why;

	if (!options->foreground && agx_path_settle(&options->pid_file, &why) < 0)
		return wrong("", "--pid-file", why.text);
	if (agx_address_settle(&options->socket, options->foreground, &why) < 0)
		return wrong("", "--agentx-socket", why.text);
	return GO_ON;
}

static int
check(struct agx_options *options)
{
	if (check_thresholds(options) != GO_ON || check_paths(options) != GO_ON)
		return WRONG;
	if (options->no_flow_table && options->allow_delete)
		return wrong("", "--allow-delete",
			     "needs the flow table, but there is --no-flow-table");
	return GO_ON;
}

static void
set_defaults(struct agx_options *options)
{
	struct ct_why why;

	*options = (struct agx_options){
		.socket = DEFAULT_SOCKET,
		.ping_interval = 15,
		.snapshot_age = 15,
		.snapshot_idle = 600,
		.delete_limit = 1000,
		.usage_high = 90,
		.usage_low = UNSET,
		.notification_interval = 60,
	};
	agx_set_base(options, NULL, CONNTAP_MIB_ROOT, &why);
}

int
agx_options_read(struct agx_options *options, int argc, char **argv)
{
	struct agx_options first;
	int status;

	/* The command line first, as it names the file; and once more, to win. */
	set_defaults(&first);
	status = read_arguments(&first, argc, argv);
	if (status != GO_ON)
		return status;
	set_defaults(options);
	options->config = first.config;
	status = read_file(options);
	if (status == GO_ON)
		status = read_arguments(options, argc, argv);
	return status == GO_ON ? check(options) : status;
}
