/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration: a table of options, and the blocks Match and Nat. */
#include "settings.h"

#include <errno.h>
#include <strings.h>

#include "common/parse.h"
#include "emit.h"

void
tap_settings_init(struct tap_settings *settings)
{
	*settings = (struct tap_settings){ .notify = true };
}

void
tap_settings_done(struct tap_settings *settings)
{
	for (size_t i = 0; i < settings->match_count; i++)
		ct_filter_free(settings->matches[i].filter);
	for (size_t i = 0; i < settings->netns_count; i++)
		free(settings->netns[i]);
	tap_settings_init(settings);
}

/* Says what is wrong with an option: "Mark: 5g is not a mark (…)". */
static void
refuse(const oconfig_item_t *item, const char *why)
{
	ERROR(TAP_PLUGIN " plugin: %s: %s; it is left out", item->key, why);
}

/* One of the option's values as a word, which numbers are too. */
static const char *
word_at(const oconfig_item_t *item, int place, char *buffer, size_t size)
{
	const oconfig_value_t *value = &item->values[place];

	switch (value->type) {
	case OCONFIG_TYPE_STRING:
		return value->value.string;
	case OCONFIG_TYPE_NUMBER:
		snprintf(buffer, size, "%.15g", value->value.number);
		return buffer;
	default:
		return value->value.boolean ? "true" : "false";
	}
}

/* Its only value; NULL after saying why. */
static const char *
word_of(const oconfig_item_t *item, char *buffer, size_t size)
{
	if (item->values_num == 1)
		return word_at(item, 0, buffer, size);
	refuse(item, "one value is expected");
	return NULL;
}

#define WORD_MAX 64

static void
take_bool(const oconfig_item_t *item, bool *setting)
{
	char buffer[WORD_MAX];
	const char *word = word_of(item, buffer, sizeof(buffer));

	if (!word)
		return;
	if (strcasecmp(word, "true") == 0 || strcasecmp(word, "yes") == 0 ||
	    strcasecmp(word, "on") == 0)
		*setting = true;
	else if (strcasecmp(word, "false") == 0 || strcasecmp(word, "no") == 0 ||
		 strcasecmp(word, "off") == 0)
		*setting = false;
	else
		refuse(item, "true or false is expected");
}

static void
take_report_by_cpu(struct tap_settings *settings, const oconfig_item_t *item)
{
	take_bool(item, &settings->report_by_cpu);
}

static void
take_notify(struct tap_settings *settings, const oconfig_item_t *item)
{
	take_bool(item, &settings->notify);
}

static void
take_table(struct tap_settings *settings, const oconfig_item_t *item)
{
	take_bool(item, &settings->table);
}

static void
take_events(struct tap_settings *settings, const oconfig_item_t *item)
{
	take_bool(item, &settings->events);
}

static void
take_table_interval(struct tap_settings *settings, const oconfig_item_t *item)
{
	double seconds;

	if (item->values_num != 1 || item->values[0].type != OCONFIG_TYPE_NUMBER) {
		refuse(item, "a number of seconds is expected");
		return;
	}
	seconds = item->values[0].value.number;
	if (seconds >= 0.1 && seconds <= 86400)
		settings->table_interval = DOUBLE_TO_CDTIME_T(seconds);
	else
		refuse(item, "0.1 to 86400 seconds are expected");
}

static void
take_events_buffer(struct tap_settings *settings, const oconfig_item_t *item)
{
	char buffer[WORD_MAX];
	const char *word = word_of(item, buffer, sizeof(buffer));
	struct ct_why why;
	uint64_t bytes;

	if (!word)
		return;
	if (ct_parse_amount(word, &bytes, &why) < 0)
		refuse(item, why.text);
	else if (bytes < 4096 || bytes > INT32_MAX)
		refuse(item, "4096 to 2147483647 bytes are expected");
	else
		settings->events_buffer = (uint32_t)bytes;
}

static void
take_netns(struct tap_settings *settings, const oconfig_item_t *item)
{
	char buffer[WORD_MAX];
	const char *word = word_of(item, buffer, sizeof(buffer));

	if (!word)
		return;
	if (strcmp(word, "all") == 0)
		settings->all_netns = true;
	else if (!*word)
		refuse(item, "a name is expected");
	else if (settings->netns_count == TAP_NETNS_MAX)
		refuse(item, "too many namespaces");
	else if ((settings->netns[settings->netns_count] = strdup(word)))
		settings->netns_count++;
}

/* Two values of one name would be one for collectd, which takes but the first. */
static bool
is_mark_named(const struct tap_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->mark_count; i++)
		if (strcmp(settings->marks[i].name, name) == 0)
			return true;
	return strcmp(name, TAP_OTHER) == 0;
}

static bool
is_match_named(const struct tap_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->match_count; i++)
		if (strcmp(settings->matches[i].name, name) == 0)
			return true;
	return false;
}

/* "0x10/0xf0"; says what is wrong. */
static bool
parse_mark(const oconfig_item_t *item, const char *word, struct tap_mark *mark)
{
	uint64_t value, mask = UINT32_MAX;
	char copy[WORD_MAX], *slash;
	struct ct_why why;

	if (strlen(word) >= sizeof(copy)) {
		refuse(item, "it is too long");
		return false;
	}
	sstrncpy(copy, word, sizeof(copy));
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (ct_parse_number(copy, UINT32_MAX, "a mark", &value, &why) < 0 ||
	    (slash && ct_parse_number(slash, UINT32_MAX, "a mask", &mask, &why) < 0)) {
		refuse(item, why.text);
		return false;
	}
	mark->value = (uint32_t)(value & mask);
	mark->mask = (uint32_t)mask;
	return true;
}

/* Mark "0x10/0xf0" "voip": the second value is its name, or else the first. */
static void
take_mark(struct tap_settings *settings, const oconfig_item_t *item)
{
	char buffer[WORD_MAX], other[WORD_MAX];
	struct tap_mark mark;
	const char *word;

	if (item->values_num < 1 || item->values_num > 2) {
		refuse(item, "a mark and a name are expected");
		return;
	}
	word = word_at(item, 0, buffer, sizeof(buffer));
	if (!parse_mark(item, word, &mark))
		return;
	sstrncpy(mark.name,
		 item->values_num == 2 ? word_at(item, 1, other, sizeof(other)) : word,
		 sizeof(mark.name));
	tap_clean(mark.name);
	if (!mark.name[0])
		refuse(item, "its name is empty");
	else if (is_mark_named(settings, mark.name))
		refuse(item, "its name is another's");
	else if (settings->mark_count == TAP_MARKS_MAX)
		refuse(item, "too many of them");
	else
		settings->marks[settings->mark_count++] = mark;
}

/* Are they the same word but for case, '-' and '_'?  OrigSrc is orig-src. */
static bool
is_condition(const char *key, const char *name)
{
	while (*key && *name) {
		if (*name == '-') {
			name++;
			if (*key == '_' || *key == '-')
				key++;
			continue;
		}
		if (tolower((unsigned char)*key) != *name)
			return false;
		key++;
		name++;
	}
	return !*key && !*name;
}

static const struct ct_condition *
condition_of(const char *key)
{
	for (const struct ct_condition *at = ct_conditions; at->name; at++)
		if (is_condition(key, at->name) ||
		    (at->alias[0] && is_condition(key, at->alias[0])) ||
		    (at->alias[1] && is_condition(key, at->alias[1])))
			return at;
	return NULL;
}

/* No line of a configuration is without a value: a condition alone is said to be true.
 */
static bool
stands_alone(const struct ct_condition *condition, const oconfig_item_t *item)
{
	return condition->bare && (item->values_num == 0 ||
				   (item->values_num == 1 &&
				    item->values[0].type == OCONFIG_TYPE_BOOLEAN &&
				    item->values[0].value.boolean));
}

/* One line of a Match block. */
static bool
take_condition(struct ct_filter *filter, const oconfig_item_t *item)
{
	const struct ct_condition *condition = condition_of(item->key);
	char buffer[WORD_MAX];
	const char *word = NULL;
	struct ct_why why;

	if (!condition) {
		refuse(item, "there is no such condition (see conntap(1))");
		return false;
	}
	if (item->children_num) {
		refuse(item, "a line is expected, not a block");
		return false;
	}
	if (!stands_alone(condition, item)) {
		word = word_of(item, buffer, sizeof(buffer));
		if (!word)
			return false;
	}
	if (ct_filter_add(filter, condition, word, &why) < 0) {
		refuse(item, why.text);
		return false;
	}
	return true;
}

/* What the block asks for; NULL after saying what is wrong. */
static struct ct_filter *
filter_of(const oconfig_item_t *item, const char *name)
{
	struct ct_filter *filter = ct_filter_new();
	bool good = filter != NULL;

	for (int i = 0; filter && i < item->children_num; i++)
		good &= take_condition(filter, &item->children[i]);
	if (good && !ct_filter_is_empty(filter))
		return filter;
	ERROR(TAP_PLUGIN " plugin: <Match \"%s\"> is left out%s", name,
	      good ? ": it has no condition" : "");
	ct_filter_free(filter);
	return NULL;
}

/* A match with a line less would count other flows than were meant: all or nothing. */
static void
take_match(struct tap_settings *settings, const oconfig_item_t *item)
{
	char buffer[WORD_MAX];
	const char *word = word_of(item, buffer, sizeof(buffer));
	struct tap_match match;

	if (!word)
		return;
	sstrncpy(match.name, word, sizeof(match.name));
	tap_clean(match.name);
	if (!match.name[0])
		refuse(item, "its name is empty");
	else if (is_match_named(settings, match.name))
		refuse(item, "its name is another's");
	else if (settings->match_count == TAP_MATCHES_MAX)
		refuse(item, "too many of them");
	else if ((match.filter = filter_of(item, word)))
		settings->matches[settings->match_count++] = match;
}

static void
take_ports(struct tap_settings *settings, const oconfig_item_t *item)
{
	char buffer[WORD_MAX];
	const char *word = word_of(item, buffer, sizeof(buffer));
	struct ct_range range;
	struct ct_why why;

	if (!word)
		return;
	if (ct_parse_range(word, UINT16_MAX, "a range of ports", &range, &why) < 0) {
		refuse(item, why.text);
		return;
	}
	settings->nat_ranged = true;
	settings->nat_low = (uint16_t)range.low;
	settings->nat_high = (uint16_t)range.high;
}

static bool
is_public(const struct tap_settings *settings, const struct ct_addr_range *range)
{
	for (size_t i = 0; i < settings->public_count; i++)
		if (settings->publics[i].family == range->family &&
		    memcmp(&settings->publics[i].addr, &range->low,
			   sizeof(range->low)) == 0)
			return true;
	return false;
}

/* Nat "auto", or an address; NatPorts "1024-65535" is for all of them. */
static void
take_nat(struct tap_settings *settings, const oconfig_item_t *item)
{
	char buffer[WORD_MAX];
	const char *word = word_of(item, buffer, sizeof(buffer));
	struct ct_addr_range range;
	struct ct_why why;

	if (!word)
		return;
	for (int i = 0; i < item->children_num; i++)
		WARNING(TAP_PLUGIN " plugin: Nat: there is no option %s",
			item->children[i].key);
	if (strcasecmp(word, "auto") == 0) {
		settings->nat = true;
	} else if (ct_parse_addr(word, &range, &why) < 0) {
		refuse(item, why.text);
	} else if (memcmp(&range.low, &range.high, sizeof(range.low)) != 0) {
		refuse(item, "a single address is expected, or auto");
	} else if (is_public(settings, &range)) {
		return;
	} else if (settings->public_count == TAP_PUBLICS_MAX) {
		refuse(item, "too many of them");
	} else {
		settings->nat = true;
		settings->publics[settings->public_count++] =
			(struct tap_public){ range.family, range.low };
	}
}

static const struct {
	const char *key;
	void (*take)(struct tap_settings *settings, const oconfig_item_t *item);
} options[] = {
	{ "ReportByCpu", take_report_by_cpu },
	{ "Notify", take_notify },
	{ "Table", take_table },
	{ "TableInterval", take_table_interval },
	{ "Mark", take_mark },
	{ "Match", take_match },
	{ "Nat", take_nat },
	{ "NatPorts", take_ports },
	{ "Events", take_events },
	{ "EventsBuffer", take_events_buffer },
	{ "Netns", take_netns },
};

void
tap_settings_take(struct tap_settings *settings, const oconfig_item_t *block)
{
	for (int i = 0; i < block->children_num; i++) {
		const oconfig_item_t *item = &block->children[i];
		size_t n = 0;

		while (n < STATIC_ARRAY_SIZE(options) &&
		       strcasecmp(options[n].key, item->key) != 0)
			n++;
		if (n < STATIC_ARRAY_SIZE(options))
			options[n].take(settings, item);
		else
			WARNING(TAP_PLUGIN " plugin: there is no option %s", item->key);
	}
}

struct option {
	const char *name;
	bool given;
};

/* One line with the names of those that are given. */
static void
tell_vain(const struct option *first, size_t count, const char *needed)
{
	char names[128] = "";

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(names);

		if (first[i].given)
			snprintf(names + length, sizeof(names) - length, "%s%s",
				 length ? ", " : "", first[i].name);
	}
	if (names[0])
		WARNING(TAP_PLUGIN " plugin: %s: no values without \"%s true\"", names,
			needed);
}

void
tap_settings_check(const struct tap_settings *settings)
{
	const struct option of_table[] = {
		{ "TableInterval", settings->table_interval > 0 },
		{ "Mark", settings->mark_count > 0 },
		{ "Match", settings->match_count > 0 },
		{ "Nat", settings->nat },
		{ "NatPorts", settings->nat_ranged },
	};
	const struct option of_events[] = {
		{ "EventsBuffer", settings->events_buffer > 0 },
	};

	if (!settings->table)
		tell_vain(of_table, STATIC_ARRAY_SIZE(of_table), "Table");
	if (!settings->events)
		tell_vain(of_events, STATIC_ARRAY_SIZE(of_events), "Events");
}

struct ct_nat *
tap_settings_nat(const struct tap_settings *settings)
{
	struct ct_nat *nat = settings->nat ? ct_nat_new() : NULL;

	for (size_t i = 0; nat && i < settings->public_count; i++)
		ct_nat_watch(nat, settings->publics[i].family,
			     &settings->publics[i].addr);
	if (nat && settings->nat_ranged)
		ct_nat_set_range(nat, settings->nat_low, settings->nat_high);
	return nat;
}
