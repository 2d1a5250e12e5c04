/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line → one flow, by the conditions of it; hundreds of thousands a second. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_SIZE 4096

struct batch {
	struct ct_flow flows[CT_CHANGE_MAX];
	unsigned long lines[CT_CHANGE_MAX]; /* where each of them stood */
	size_t count;
};

/* One thread reads lines into a batch while another has the kernel make the last one.
 */
struct load {
	struct ct_netlink *netlink;
	const char *name; /* of the file */
	unsigned long line;
	struct batch *filling; /* the reading thread's */

	pthread_mutex_t mutex; /* of what follows, while both threads run */
	pthread_cond_t changed;
	struct batch *sending; /* the making thread's; NULL: it waits */
	bool ended;            /* nothing more will come */
	int error;             /* of a whole batch: the rest is not made */

	/* The making thread's, until it has ended. */
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

/*
 * conntrack(8) writes the port of a translation behind its address, "192.0.2.1:80" or
 * "[2001:db8::1]:80".  Cuts it off; NULL where there is none.
 */
static const char *
cut_port(char *value)
{
	char *colon = strrchr(value, ':');
	bool bracket = value[0] == '[';

	if (!colon || (bracket ? colon[-1] != ']' : strchr(value, ':') != colon))
		return NULL;
	*colon = '\0';
	if (bracket) {
		colon[-1] = '\0';
		memmove(value, value + 1, strlen(value));
	}
	return colon + 1;
}

/* The port that a translation puts into the reply is a condition of its own. */
static int
add_condition(struct ct_filter *filter, const struct ct_condition *condition,
	      char *value, struct ct_why *why)
{
	const char *port = condition->bare ? cut_port(value) : NULL;
	const char *name =
		condition->which == CT_SRC_NAT ? "reply-dst-port" : "reply-src-port";
	int error = ct_filter_add(filter, condition, value, why);

	if (!error && port)
		error = ct_filter_add(filter, ct_condition_find(name), port, why);
	return error == -ENOMEM ? ct_parse_failed(why, "%s", strerror(ENOMEM)) : error;
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
	if (strcmp(word, "--role") == 0) {
		flow->dccp.role = strcmp(value, "server") == 0;
		flow->has |= CT_DCCP_ROLE;
		if (flow->dccp.role || strcmp(value, "client") == 0)
			return 0;
		return ct_parse_failed(why, "%.60s is not a role (client or server)",
				       value);
	}
	/* What conntrack(8) writes where no bit of the status is set. */
	if (strcmp(word, "-u") == 0 && strcmp(value, "UNSET") == 0)
		return 0;
	return -1;
}

static int
take_option(struct ct_filter *filter, struct ct_flow *special, const char *word,
	    char *value, struct ct_why *why)
{
	const struct ct_condition *condition = condition_of(word);
	struct ct_why inner;
	int error = take_special(special, word, value, &inner);

	if (error == -1 && (!condition || !condition->describe))
		return ct_parse_failed(why, "%.60s is not an option of create", word);
	if (error == -1)
		error = add_condition(filter, condition, value, &inner);
	return error ? ct_parse_failed(why, "%.60s: %s", word, inner.text) : 0;
}

/*
 * conntrack(8) takes the tags of SCTP in network byte order for numbers, and so does
 * the format.
 */
static int
describe(const struct ct_filter *filter, const struct ct_flow *special,
	 struct ct_flow *flow, struct ct_why *why)
{
	int error = ct_filter_describe(filter, flow, why);

	if (error)
		return error;
	if (!(special->has & CT_TIMEOUT))
		return ct_parse_failed(why, "the timeout is missing (-t)");
	flow->timeout = special->timeout;
	flow->dccp = special->dccp;
	flow->has |= special->has | CT_ORIG_TUPLE;
	for (int dir = 0; dir < CT_DIRS; dir++)
		flow->sctp.vtag[dir] = ntohl(flow->sctp.vtag[dir]);
	cli_complete_reply(flow);
	return 0;
}

/* One line's options → filter and special; 1 for a line without any. */
static int
read_options(char *line, struct ct_filter *filter, struct ct_flow *special,
	     struct ct_why *why)
{
	char *rest = line, *word, *value;
	int error = 1;

	while ((word = strsep(&rest, " \t\r\n"))) {
		if (*word == '\0' || strcmp(word, "-A") == 0 || strcmp(word, "-I") == 0)
			continue;
		if (*word == '#' && error == 1)
			return 1;
		value = strsep(&rest, " \t\r\n");
		if (!value || *value == '\0')
			return ct_parse_failed(why, "%.60s: a value is missing", word);
		error = take_option(filter, special, word, value, why);
		if (error)
			return error;
	}
	return error;
}

/* One line → the one flow that it describes; 1 for a line without any. */
static int
read_line(char *line, struct ct_flow *flow, struct ct_why *why)
{
	struct ct_filter *filter = ct_filter_new();
	struct ct_flow special = { 0 };
	int error;

	if (!filter)
		return ct_parse_failed(why, "%s", strerror(ENOMEM));
	error = read_options(line, filter, &special, why);
	if (!error)
		error = describe(filter, &special, flow, why);
	ct_filter_free(filter);
	return error;
}

static int
create_batch(struct load *load, const struct batch *batch)
{
	int results[CT_CHANGE_MAX];
	int error = ct_change(load->netlink, CT_CREATE, batch->flows, batch->count,
			      NULL, results);

	for (size_t i = 0; !error && i < batch->count; i++) {
		if (results[i] == 0) {
			load->created++;
		} else if (results[i] == -EEXIST) {
			load->existed++;
		} else if (load->refused++ == 0) {
			cli_say("%s: line %lu: the kernel does not take this flow: %s",
				load->name, batch->lines[i], strerror(-results[i]));
		}
	}
	return error;
}

static void *
make_flows(void *data)
{
	struct load *load = data;
	int error = 0;

	pthread_mutex_lock(&load->mutex);
	for (;;) {
		while (!load->sending && !load->ended)
			pthread_cond_wait(&load->changed, &load->mutex);
		if (!load->sending)
			break;
		pthread_mutex_unlock(&load->mutex);
		if (!error)
			error = create_batch(load, load->sending);
		pthread_mutex_lock(&load->mutex);
		load->error = error;
		load->sending->count = 0;
		load->sending = NULL;
		pthread_cond_signal(&load->changed);
	}
	pthread_mutex_unlock(&load->mutex);
	return NULL;
}

/* Gives the full batch away for the other one, which is empty.  Returns the error. */
static int
hand_over(struct load *load, struct batch *other)
{
	int error;

	pthread_mutex_lock(&load->mutex);
	while (load->sending)
		pthread_cond_wait(&load->changed, &load->mutex);
	load->sending = load->filling;
	load->filling = other;
	error = load->error;
	pthread_cond_signal(&load->changed);
	pthread_mutex_unlock(&load->mutex);
	return error;
}

/* Returns CLI_OK when each line could be read. */
static int
read_lines(struct load *load, FILE *stream, struct batch batches[2])
{
	static char line[LINE_MAX_SIZE];
	struct ct_why why;
	int error = 0;

	while (!error && !cli_stop && fgets(line, sizeof(line), stream)) {
		struct batch *batch = load->filling;

		load->line++;
		if (strlen(line) == sizeof(line) - 1 && !strchr(line, '\n'))
			error = ct_parse_failed(&why, "longer than %zu bytes",
						sizeof(line) - 2);
		else
			error = read_line(line, &batch->flows[batch->count], &why);
		if (error < 0)
			cli_say("%s: line %lu: %s", load->name, load->line, why.text);
		if (error == 0)
			batch->lines[batch->count++] = load->line;
		if (error > 0)
			error = 0;
		if (batch->count == CT_CHANGE_MAX)
			error = hand_over(load, &batches[batch == batches]);
	}
	/* What stood before a bad line is created all the same, and told. */
	hand_over(load, NULL);
	if (ferror(stream) && !cli_stop)
		return cli_failed("cannot read the file", -errno);
	return error ? CLI_FAILED : CLI_OK;
}

static int
load_stream(struct load *load, FILE *stream)
{
	struct batch *batches = calloc(2, sizeof(*batches));
	pthread_t maker;
	int status = CLI_FAILED;

	load->filling = batches;
	if (batches && pthread_create(&maker, NULL, make_flows, load) == 0) {
		status = read_lines(load, stream, batches);
		pthread_mutex_lock(&load->mutex);
		load->ended = true;
		pthread_cond_signal(&load->changed);
		pthread_mutex_unlock(&load->mutex);
		pthread_join(maker, NULL);
		if (load->error)
			status = cli_failed("cannot create flows", load->error);
	} else {
		cli_failed("cannot start", -ENOMEM);
	}
	free(batches);
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
	struct load load = {
		.name = cli->load,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	struct ct_kernel kernel;
	int status;

	(void)unused;
	if (cli_open(netns, &load.netlink, &kernel) < 0)
		return CLI_FAILED;
	status = load_into(&load);
	ct_netlink_free(load.netlink);
	return status;
}
