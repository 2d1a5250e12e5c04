/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line → one flow, by the table of conditions; hundreds of thousands a second. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_SIZE 4096

struct load {
	struct ct_netlink *netlink;
	const char *name; /* of the file */
	unsigned long line;
	struct ct_flow *batch; /* CT_CHANGE_MAX of them */
	unsigned long *lines;  /* where each of them stood */
	size_t batched;
	uint64_t created;
	uint64_t existed;
	uint64_t refused;
};

/* The condition of that option, "--dport" or "-s"; NULL. */
static const struct ct_condition *
condition_of(const char *word)
{
	if (word[0] != '-')
		return NULL;
	if (word[1] == '-')
		return ct_condition_find(word + 2);
	for (const struct ct_condition *at = ct_conditions; at->name; at++)
		if (at->letter && word[1] == at->letter && word[2] == '\0')
			return at;
	return NULL;
}

/* conntrack(8) writes the port of a translation behind its address: "192.0.2.1:80". */
static void
cut_nat_port(const struct ct_condition *condition, char *value, struct ct_flow *flow)
{
	char *colon = strrchr(value, ':');
	bool bracket = value[0] == '[';
	bool source = condition->which == CT_SRC_NAT;
	uint16_t port;

	if (!condition->bare || !colon || (!bracket && strchr(value, ':') != colon))
		return;
	port = (uint16_t)strtoul(colon + 1, NULL, 10);
	*colon = '\0';
	if (bracket) {
		colon[-1] = '\0';
		memmove(value, value + 1, strlen(value));
	}
	*(source ? &flow->reply.dport : &flow->reply.sport) = port;
	flow->reply.has |= source ? CT_TUPLE_DPORT : CT_TUPLE_SPORT;
}

/* What is no condition; -1 for none of that. */
static int
take_special(struct ct_flow *flow, const char *word, const char *value,
	     struct ct_why *why)
{
	uint64_t seconds;
	int error;

	if (strcmp(word, "-t") == 0 || strcmp(word, "--timeout") == 0) {
		error = ct_parse_number(value, INT32_MAX, "a time in seconds", &seconds,
					why);
		flow->timeout = error ? 0 : (uint32_t)seconds;
		flow->has |= CT_TIMEOUT;
		return error;
	}
	/* What conntrack(8) writes where no bit of the status is set. */
	if (strcmp(word, "-u") == 0 && strcmp(value, "UNSET") == 0)
		return 0;
	return -1;
}

static int
take_option(struct ct_flow *flow, const char *word, char *value, struct ct_why *why)
{
	const struct ct_condition *condition = condition_of(word);
	union ct_wanted wanted;
	int error = take_special(flow, word, value, why);

	if (error != -1)
		return error;
	if (!condition || !condition->describe)
		return ct_parse_failed(why, "%.60s is not an option of create", word);
	cut_nat_port(condition, value, flow);
	memset(&wanted, 0, sizeof(wanted));
	error = condition->parse(condition, value, &wanted, why);
	if (!error && !condition->describe(condition, &wanted, flow))
		error = ct_parse_failed(why, "%.60s %.60s leaves a choice", word,
					value);
	return error;
}

/* One line's options → a flow; 1 for a line without any. */
static int
read_line(char *line, struct ct_flow *flow, struct ct_why *why)
{
	char *rest = line, *word, *value;
	int error = 1;

	memset(flow, 0, sizeof(*flow));
	while ((word = strsep(&rest, " \t\r\n"))) {
		if (*word == '\0' || strcmp(word, "-A") == 0 || strcmp(word, "-I") == 0)
			continue;
		if (*word == '#' && error == 1)
			return 1;
		value = strsep(&rest, " \t\r\n");
		if (!value || *value == '\0')
			return ct_parse_failed(why, "%.60s: a value is missing", word);
		error = take_option(flow, word, value, why);
		if (error)
			return error;
	}
	if (error)
		return error;
	flow->has |= CT_ORIG_TUPLE;
	cli_complete_reply(flow);
	if (!(flow->has & CT_TIMEOUT))
		return ct_parse_failed(why, "the timeout is missing (-t)");
	return 0;
}

static int
create_batch(struct load *load)
{
	int results[CT_CHANGE_MAX];
	int error = ct_change(load->netlink, CT_CREATE, load->batch, load->batched,
			      NULL, results);

	for (size_t i = 0; !error && i < load->batched; i++) {
		if (results[i] == 0) {
			load->created++;
		} else if (results[i] == -EEXIST) {
			load->existed++;
		} else if (load->refused++ == 0) {
			cli_say("%s: line %lu: the kernel does not take this flow: %s",
				load->name, load->lines[i], strerror(-results[i]));
		}
	}
	load->batched = 0;
	return error ? cli_failed("cannot create flows", error) : CLI_OK;
}

static int
load_stream(struct load *load, FILE *stream)
{
	static char line[LINE_MAX_SIZE];
	int status = CLI_OK;
	struct ct_why why;

	while (status == CLI_OK && !cli_stop && fgets(line, sizeof(line), stream)) {
		int error;

		load->line++;
		error = read_line(line, &load->batch[load->batched], &why);
		if (error < 0) {
			cli_say("%s: line %lu: %s", load->name, load->line, why.text);
			status = CLI_FAILED;
		}
		if (error)
			continue;
		load->lines[load->batched++] = load->line;
		if (load->batched == CT_CHANGE_MAX)
			status = create_batch(load);
	}
	/* What stood before a bad line is created all the same, and told. */
	if (load->batched > 0 && create_batch(load) != CLI_OK)
		status = CLI_FAILED;
	if (ferror(stream))
		status = cli_failed("cannot read the file", -errno);
	return status;
}

static int
load_into(struct load *load)
{
	bool standard = strcmp(load->name, "-") == 0;
	FILE *stream = standard ? stdin : fopen(load->name, "re");
	int status;

	if (!stream) {
		cli_say("--load %s: %s", load->name, strerror(errno));
		return CLI_FAILED;
	}
	status = load_stream(load, stream);
	if (!standard)
		fclose(stream);
	printf("Total: %llu connection(s) created", (unsigned long long)load->created);
	if (load->existed)
		printf(", %llu there already", (unsigned long long)load->existed);
	if (load->refused)
		printf(", %llu refused", (unsigned long long)load->refused);
	putchar('\n');
	if (cli_written(fflush(stdout) == 0 ? 0 : -errno) != CLI_OK || load->refused)
		status = CLI_FAILED;
	return status;
}

int
cli_load(struct cli *cli, const char *netns, void *unused)
{
	struct load load = { .name = cli->load };
	struct ct_kernel kernel;
	int status = CLI_FAILED;

	(void)unused;
	load.batch = calloc(CT_CHANGE_MAX, sizeof(*load.batch));
	load.lines = calloc(CT_CHANGE_MAX, sizeof(*load.lines));
	if (!load.batch || !load.lines)
		cli_failed("cannot start", -ENOMEM);
	else if (cli_open(netns, &load.netlink, &kernel) == 0)
		status = load_into(&load);
	ct_netlink_free(load.netlink);
	free(load.batch);
	free(load.lines);
	return status;
}
