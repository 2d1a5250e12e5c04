/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --help, made from the same tables that options are read with. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define NAME_WIDTH 30
#define LINE_WIDTH 79

/* Prints `help` in lines behind a column of names. */
static void
print_wrapped(const char *help)
{
	const char *at = help;
	int column = NAME_WIDTH;

	while (*at) {
		int word = (int)strcspn(at, " ");

		if (column > NAME_WIDTH && column + 1 + word > LINE_WIDTH) {
			printf("\n%*s", NAME_WIDTH, "");
			column = NAME_WIDTH;
		} else if (column > NAME_WIDTH) {
			putchar(' ');
			column++;
		}
		printf("%.*s", word, at);
		column += word;
		at += word + (at[word] == ' ');
	}
	putchar('\n');
}

static void
print_option(char letter, const char *name, const char *argument, bool bare,
	     const char *help)
{
	char text[128];
	int width;

	width = snprintf(text, sizeof(text), "  %c%c%c --%s%s%s%s", letter ? '-' : ' ',
			 letter ? letter : ' ', letter ? ',' : ' ', name,
			 argument ? (bare ? " [" : " ") : "", argument ? argument : "",
			 bare ? "]" : "");
	if (width >= NAME_WIDTH)
		printf("%s\n%*s", text, NAME_WIDTH, "");
	else
		printf("%-*s", NAME_WIDTH, text);
	print_wrapped(help);
}

static void
print_options(const struct cli_command *command)
{
	for (int i = 0; cli_options[i].name; i++) {
		const struct cli_option *option = &cli_options[i];

		if (!command || option->commands >> (command - cli_commands) & 1)
			print_option(option->letter, option->name, option->argument,
				     false, option->help);
	}
}

static void
print_conditions(void)
{
	for (enum ct_topic topic = 0; topic < CT_TOPICS; topic++) {
		printf("\nConditions: %s\n", ct_topic_title(topic));
		for (int i = 0; ct_conditions[i].name; i++) {
			const struct ct_condition *condition = &ct_conditions[i];

			if (condition->topic == topic)
				print_option(condition->letter, condition->name,
					     condition->argument, condition->bare,
					     condition->help);
		}
	}
	printf("\nA flow must meet every condition.  A condition given twice, or with "
	       "several\n"
	       "values (80,443), is met by any of them.  ADDR is a host, a network or "
	       "a range;\n"
	       "a PORT a number, a range or a service; numbers of all kinds may be "
	       "ranges.\n");
}

static void
print_program(void)
{
	printf("Usage: conntap COMMAND [OPTION…] [CONDITION…]\n\n"
	       "Looks at the connections that the Linux kernel tracks, follows and "
	       "changes them.\n\n"
	       "Commands:\n");
	for (int i = 0; cli_commands[i].name; i++)
		printf("  %-10s%s\n", cli_commands[i].name, cli_commands[i].summary);
	printf("\nOptions:\n");
	print_options(NULL);
	printf("\nExamples:\n");
	for (int i = 0; cli_commands[i].name; i++)
		fputs(cli_commands[i].examples, stdout);
	printf("\nconntap COMMAND --help lists the conditions; conntap(1) tells "
	       "all.\n");
}

void
cli_help(const struct cli_command *command)
{
	bool takes_conditions;

	if (!command) {
		print_program();
		return;
	}
	takes_conditions = !(1u << (command - cli_commands) & CLI_NO_CONDITIONS);
	printf("Usage: conntap %s [OPTION…]%s\n\n%c%s.\n\nOptions:\n", command->name,
	       takes_conditions ? " [CONDITION…]" : "", command->summary[0] - 'a' + 'A',
	       command->summary + 1);
	print_options(command);
	printf("\nExamples:\n%s", command->examples);
	if (takes_conditions)
		print_conditions();
}
