/* SPDX-License-Identifier: GPL-2.0-or-later */
/* argv → struct cli.  getopt_long() gets its list from our two tables. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* What getopt_long() returns for an entry: its place in these tables. */
enum {
	OPTION_BASE = 0x100,
	CONDITION_BASE = 0x200,
	LONG_MAX_COUNT = 256,
};

struct tables {
	struct option longs[LONG_MAX_COUNT];
	size_t count;
	char shorts[128];
	size_t shorts_size;
};

static void
add_long(struct tables *tables, const char *name, int has_arg, int value)
{
	if (name && tables->count < LONG_MAX_COUNT - 1)
		tables->longs[tables->count++] = (struct option){ .name = name,
								  .has_arg = has_arg,
								  .val = value };
}

static void
add_short(struct tables *tables, char letter, int has_arg)
{
	if (!letter || tables->shorts_size + 4 > sizeof(tables->shorts))
		return;
	tables->shorts[tables->shorts_size++] = letter;
	/* Two colons, where the argument can be left out. */
	for (int i = no_argument; i < has_arg; i++)
		tables->shorts[tables->shorts_size++] = ':';
	tables->shorts[tables->shorts_size] = '\0';
}

static void
fill_tables(struct tables *tables)
{
	memset(tables, 0, sizeof(*tables));
	tables->shorts[tables->shorts_size++] = ':'; /* tell missing from unknown */
	for (int i = 0; cli_options[i].name; i++) {
		int has_arg = cli_options[i].argument ? required_argument : no_argument;

		add_long(tables, cli_options[i].name, has_arg, OPTION_BASE + i);
		add_short(tables, cli_options[i].letter, has_arg);
	}
	for (int i = 0; ct_conditions[i].name; i++) {
		const struct ct_condition *condition = &ct_conditions[i];
		int has_arg = condition->bare ? optional_argument : required_argument;

		add_long(tables, condition->name, has_arg, CONDITION_BASE + i);
		add_long(tables, condition->alias[0], has_arg, CONDITION_BASE + i);
		add_long(tables, condition->alias[1], has_arg, CONDITION_BASE + i);
		add_short(tables, condition->letter, has_arg);
	}
}

static int
usage_error(const char *name, const char *why)
{
	cli_say("%s: %s", name, why);
	return CLI_USAGE;
}

/* The table's value for a short option's letter. */
static int
value_of_letter(int letter)
{
	for (int i = 0; cli_options[i].name; i++)
		if (cli_options[i].letter == letter)
			return OPTION_BASE + i;
	for (int i = 0; ct_conditions[i].name; i++)
		if (ct_conditions[i].letter == letter)
			return CONDITION_BASE + i;
	return -1;
}

/*
 * "--src-nat 192.0.2.1" and "--src-nat list": the next word belongs to the option if it
 * looks like an address, of which no command does.
 */
static const char *
optional_value(int argc, char **argv)
{
	const char *word = optind < argc ? argv[optind] : "";

	if (optarg || !(isdigit((unsigned char)*word) || strchr(word, ':')))
		return optarg;
	return argv[optind++];
}

/* By its first name, however it was written; what is too long to tell ends with
 * "...". */
static void
remember_condition(struct cli *cli, const char *name, const char *argument)
{
	static const char more[] = " ...";
	size_t used = strlen(cli->conditions), room = sizeof(cli->conditions) - used;
	int length =
		snprintf(cli->conditions + used, room, "%s--%s%s%s", used ? " " : "",
			 name, argument ? " " : "", argument ? argument : "");

	if (length >= 0 && (size_t)length < room)
		return;
	if (room > sizeof(more) || used > sizeof(more))
		strcpy(cli->conditions + sizeof(cli->conditions) - sizeof(more), more);
}

static int
take(struct cli *cli, int value, const char *name, int argc, char **argv)
{
	struct ct_why why;
	int error;

	if (value >= CONDITION_BASE) {
		const struct ct_condition *condition =
			&ct_conditions[value - CONDITION_BASE];
		const char *argument =
			condition->bare ? optional_value(argc, argv) : optarg;

		error = ct_filter_add(cli->filter, condition, argument, &why);
		remember_condition(cli, condition->name, argument);
	} else {
		const struct cli_option *option = &cli_options[value - OPTION_BASE];

		cli->used |= UINT64_C(1) << (value - OPTION_BASE);
		error = option->set ? option->set(cli, optarg, &why) : 0;
	}
	if (error == -ENOMEM)
		return cli_failed("cannot read the command line", error);
	return error ? usage_error(name, why.text) : CLI_OK;
}

/* getopt_long() could make nothing of this word. */
static int
refuse(int result, char **argv)
{
	char letter[] = { '-', (char)optopt, '\0' };
	bool is_short = optopt > 0 && optopt < OPTION_BASE;
	const char *name = is_short ? letter : argv[optind - 1];

	if (result == ':')
		return usage_error(name, "a value is missing (see conntap --help)");
	if (optopt >= OPTION_BASE) /* a long flag that was given a value */
		return usage_error(name, "takes no value");
	return usage_error(name,
			   "no such option, or short for several (see conntap --help)");
}

static int
parse_options(struct cli *cli, int argc, char **argv)
{
	struct tables tables;
	int result, index, status = CLI_OK;

	fill_tables(&tables);
	opterr = 0;
	while (status == CLI_OK) {
		char name[64];

		index = -1;
		result = getopt_long(argc, argv, tables.shorts, tables.longs, &index);
		if (result == -1)
			break;
		if (result == '?' || result == ':')
			return refuse(result, argv);
		if (result < OPTION_BASE) {
			snprintf(name, sizeof(name), "-%c", result);
			result = value_of_letter(result);
		} else {
			snprintf(name, sizeof(name), "--%s", tables.longs[index].name);
		}
		status = take(cli, result, name, argc, argv);
	}
	return status;
}

static int
refuse_command(const char *word, const char *why)
{
	char names[256] = "";
	size_t used = 0;

	for (int i = 0; cli_commands[i].name && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
					 i ? ", " : "", cli_commands[i].name);
	cli_say("%s: %s %s (see conntap --help)", word, why, names);
	return CLI_USAGE;
}

static int
find_command(struct cli *cli, int argc, char **argv)
{
	if (optind == argc) {
		if (cli_used(cli, CLI_HELP) || cli_used(cli, CLI_VERSION))
			return CLI_OK;
		return refuse_command("no command", "say one of");
	}
	for (int i = 0; cli_commands[i].name; i++)
		if (strcmp(argv[optind], cli_commands[i].name) == 0)
			cli->command = &cli_commands[i];
	if (!cli->command)
		return refuse_command(argv[optind], "is not a command; say one of");
	optind++;
	if (cli->command->run == cli_expect && optind < argc)
		cli->subcommand = argv[optind++];
	if (optind < argc)
		return usage_error(argv[optind],
				   "one word too many (conditions begin with --)");
	return CLI_OK;
}

static int
check_applicable(const struct cli *cli)
{
	char name[64];

	for (int i = 0; cli->command && cli_options[i].name; i++) {
		if (!(cli->used >> i & 1) ||
		    cli_options[i].commands >> (cli->command - cli_commands) & 1)
			continue;
		snprintf(name, sizeof(name), "--%s", cli_options[i].name);
		cli_say("%s: %s has no such option (see conntap %s --help)", name,
			cli->command->name, cli->command->name);
		return CLI_USAGE;
	}
	return CLI_OK;
}

/* What restores a table says nothing of events, expectations or whose table it was. */
static int
check_save(const struct cli *cli)
{
	if (cli->format != &output_save)
		return CLI_OK;
	if (cli->command->run == cli_events || cli->command->run == cli_expect)
		return usage_error("--format", "save is a format for flows only");
	if (cli->netns_count > 1)
		return usage_error("--format",
				   "save is a format for one --netns at a time");
	return CLI_OK;
}

static int
refuse_format(const struct cli *cli, const char *formats)
{
	cli_say("--format: %.100s is not a format of %s (%s)", cli->format_word,
		cli->command->name, formats);
	return CLI_USAGE;
}

/* Every kind of command has formats of its own. */
static int
take_format(struct cli *cli)
{
	const char *word = cli->format_word;
	unsigned int command;

	if (!cli->command || !word)
		return CLI_OK;
	command = 1u << (cli->command - cli_commands);
	if (command & CLI_REPORTS) {
		cli->json = ct_same_word(word, "json");
		if (!cli->json && !ct_same_word(word, "text"))
			return refuse_format(cli, "text, json");
	} else if (command & CLI_METRICS) {
		cli->prometheus = ct_same_word(word, "prometheus");
		if (!cli->prometheus && !ct_same_word(word, "openmetrics"))
			return refuse_format(cli, "openmetrics, prometheus");
	} else {
		bool is_xml = command & CLI_XML;

		cli->format = output_format(word);
		if (is_xml &&
		    (cli->format == &output_text || cli->format == &output_save))
			cli->format = NULL;
		if (!cli->format)
			return refuse_format(cli,
					     is_xml ? "xml, flows, json"
						    : "text, xml, flows, json, save");
	}
	return check_save(cli);
}

int
cli_parse(struct cli *cli, int argc, char **argv)
{
	int status = parse_options(cli, argc, argv);

	if (status == CLI_OK)
		status = find_command(cli, argc, argv);
	if (status == CLI_OK)
		status = check_applicable(cli);
	return status == CLI_OK ? take_format(cli) : status;
}
