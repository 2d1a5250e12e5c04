/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of options. */
#include "set.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/events.h"
#include "common/netns.h"

/* Which formats there are is up to the command, which is not known yet. */
int
cli_set_format(struct cli *cli, const char *value, struct ct_why *why)
{
	(void)why;
	cli->format_word = value;
	return 0;
}

static int
add_netns(const char *name, struct cli *cli, bool found)
{
	for (size_t i = 0; i < cli->netns_count; i++)
		if (strcmp(cli->netns[i], name) == 0)
			return 0;
	if (cli->netns_count == CLI_NETNS_MAX)
		return -E2BIG;
	cli->netns_found[cli->netns_count] = found;
	cli->netns[cli->netns_count] = strdup(name);
	return cli->netns[cli->netns_count++] ? 0 : -ENOMEM;
}

static int
add_found(const char *name, void *data)
{
	return add_netns(name, data, true);
}

int
cli_set_netns(struct cli *cli, const char *value, struct ct_why *why)
{
	bool all = strcmp(value, "all") == 0;
	int error = all ? ct_netns_each(add_found, cli) : add_netns(value, cli, false);

	cli->all_netns |= all;
	if (error == -E2BIG)
		return ct_parse_failed(why, "more than %d namespaces", CLI_NETNS_MAX);
	if (error && error != -ENOMEM)
		return ct_parse_failed(why, "cannot list " CT_NETNS_DIR ": %s",
				       strerror(-error));
	return error;
}

int
cli_find_netns(struct cli *cli)
{
	size_t kept = 0;
	int error;

	if (!cli->all_netns)
		return CLI_OK;
	for (size_t i = 0; i < cli->netns_count; i++)
		if (cli->netns_found[i])
			free(cli->netns[i]);
		else
			cli->netns[kept++] = cli->netns[i];
	memset(cli->netns_found, 0, sizeof(cli->netns_found));
	cli->netns_count = kept;
	error = ct_netns_each(add_found, cli);
	return error ? cli_failed("--netns all: cannot list " CT_NETNS_DIR, error)
		     : CLI_OK;
}

int
cli_set_load(struct cli *cli, const char *value, struct ct_why *why)
{
	(void)why;
	cli->load = value;
	return 0;
}

int
cli_set_event(struct cli *cli, const char *value, struct ct_why *why)
{
	static const struct {
		const char *word;
		unsigned int groups;
	} kinds[] = {
		{ "new", CT_EVENTS_NEW },
		{ "update", CT_EVENTS_UPDATE },
		{ "updates", CT_EVENTS_UPDATE },
		{ "destroy", CT_EVENTS_DESTROY },
		{ "expect", CT_EVENTS_EXPECTS },
		{ "all", CT_EVENTS_FLOWS | CT_EVENTS_EXPECTS },
	};
	char list[128], *rest = list, *word;
	unsigned int groups = 0, found;

	snprintf(list, sizeof(list), "%s", value);
	while ((word = strsep(&rest, ","))) {
		found = 0;
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (ct_same_word(word, kinds[i].word))
				found = kinds[i].groups;
		if (!found)
			return ct_parse_failed(
				why,
				"%.60s is not an event (new, update, destroy, "
				"expect, all)",
				word);
		groups |= found;
	}
	cli->groups |= groups;
	return 0;
}

int
cli_set_for(struct cli *cli, const char *value, struct ct_why *why)
{
	int error = ct_parse_duration(value, &cli->seconds, why);

	if (!error && (cli->seconds == 0 || cli->seconds > UINT32_MAX))
		return ct_parse_failed(why, "%.100s is no time to wait (1s or more)",
				       value);
	return error;
}

int
cli_set_count(struct cli *cli, const char *value, struct ct_why *why)
{
	int error = ct_parse_number(value, UINT32_MAX, "a number of events",
				    &cli->count, why);

	if (!error && cli->count == 0)
		return ct_parse_failed(why, "%.100s is no number of events (1 or more)",
				       value);
	return error;
}

int
cli_set_buffer(struct cli *cli, const char *value, struct ct_why *why)
{
	uint64_t bytes;
	int error = ct_parse_amount(value, &bytes, why);

	if (!error && (bytes < 4096 || bytes > INT32_MAX))
		return ct_parse_failed(
			why, "%.100s is not a buffer's size (4Ki to 2147483647)",
			value);
	cli->buffer = (uint32_t)bytes;
	return error;
}

int
cli_set_timeout(struct cli *cli, const char *value, struct ct_why *why)
{
	uint64_t seconds;
	int error = ct_parse_duration(value, &seconds, why);

	if (!error && seconds > INT32_MAX)
		return ct_parse_failed(why, "%.100s is more than the kernel can count",
				       value);
	cli->set.timeout = (uint32_t)seconds;
	cli->set.has |= CT_TIMEOUT;
	return error;
}

/* The values of update are written as those of the conditions of the same name. */
static int
parse_as(const char *name, const char *value, union ct_wanted *wanted,
	 struct ct_why *why)
{
	const struct ct_condition *condition = ct_condition_find(name);

	memset(wanted, 0, sizeof(*wanted));
	return condition->parse(condition, value, wanted, why);
}

int
cli_set_mark(struct cli *cli, const char *value, struct ct_why *why)
{
	union ct_wanted wanted;
	int error = parse_as("mark", value, &wanted, why);

	cli->set.mark = wanted.mark.value;
	cli->masks.mark = wanted.mark.mask;
	cli->set.has |= CT_MARK;
	return error;
}

int
cli_set_state(struct cli *cli, const char *value, struct ct_why *why)
{
	int state = ct_state_value(IPPROTO_TCP, value);

	if (state < 0)
		return ct_parse_failed(why,
				       "%.60s is not a state of TCP (SYN_SENT, "
				       "ESTABLISHED, TIME_WAIT, CLOSE, …)",
				       value);
	cli->set.state = (uint8_t)state;
	cli->set.has |= CT_STATE;
	return 0;
}

#define SETTABLE ((uint32_t)(CT_SEEN_REPLY | CT_ASSURED | CT_FIXED_TIMEOUT))

int
cli_set_status(struct cli *cli, const char *value, struct ct_why *why)
{
	union ct_wanted wanted;
	int error = parse_as("status", value, &wanted, why);

	/* The kernel would not say that it leaves the others. */
	if (!error &&
	    (wanted.status.any || wanted.status.clear || wanted.status.set & ~SETTABLE))
		return ct_parse_failed(why,
				       "%.60s cannot be set (seen-reply, assured and "
				       "fixed-timeout can, and stay)",
				       value);
	cli->set.status |= wanted.status.set;
	cli->set.has |= CT_STATUS;
	return error;
}

int
cli_set_label(struct cli *cli, const char *value, struct ct_why *why)
{
	union ct_wanted wanted;
	int error = parse_as("label", value, &wanted, why);

	/* Of several, the last word about a label counts. */
	for (size_t i = 0; i < sizeof(cli->masks.labels); i++) {
		cli->set.labels[i] &= (uint8_t)~wanted.labels.clear[i];
		cli->set.labels[i] |= wanted.labels.set[i];
		cli->masks.labels[i] |= wanted.labels.set[i] | wanted.labels.clear[i];
	}
	cli->set.has |= CT_LABELS;
	return error;
}
