/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be the value of an option. */
#include "option.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *
field(struct agx_options *options, const struct agx_option *option)
{
	return (char *)options + option->field;
}

int
agx_set_flag(struct agx_options *options, const struct agx_option *option,
	     const char *value, struct ct_why *why)
{
	(void)value;
	(void)why;
	*(bool *)field(options, option) = true;
	return 0;
}

int
agx_set_word(struct agx_options *options, const struct agx_option *option,
	     const char *value, struct ct_why *why)
{
	if (!*value)
		return ct_parse_failed(why, "is empty (a %s)", option->value);
	*(const char **)field(options, option) = value;
	return 0;
}

int
agx_set_number(struct agx_options *options, const struct agx_option *option,
	       const char *value, struct ct_why *why)
{
	uint64_t number;
	struct ct_why unused;

	if (ct_parse_number(value, option->high, "number", &number, &unused) < 0 ||
	    number < option->low)
		return ct_parse_failed(why, "%.100s is not a number from %llu to %llu",
				       value, (unsigned long long)option->low,
				       (unsigned long long)option->high);
	*(uint32_t *)field(options, option) = (uint32_t)number;
	return 0;
}

int
agx_set_threshold(struct agx_options *options, const struct agx_option *option,
		  const char *value, struct ct_why *why)
{
	uint64_t number;
	struct ct_why unused;

	if (strcmp(value, "-1") == 0) {
		*(int32_t *)field(options, option) = -1;
		return 0;
	}
	if (ct_parse_number(value, 100, "percentage", &number, &unused) < 0)
		return ct_parse_failed(
			why, "%.100s is not a percentage (0 to 100, or -1 for none)",
			value);
	*(int32_t *)field(options, option) = (int32_t)number;
	return 0;
}

/* The context is the namespace's name, or what stands before it. */
static int
parse_netns(const char *value, struct agx_netns *netns, struct ct_why *why)
{
	const char *equals = strchr(value, '=');
	const char *name = equals ? equals + 1 : value;
	size_t length = equals ? (size_t)(equals - value) : strlen(value);

	if (!*name || strlen(name) > 255)
		return ct_parse_failed(why,
				       "%.100s is not the name of a namespace (one to "
				       "255 letters, see ip netns)",
				       value);
	if (length == 0)
		return ct_parse_failed(why,
				       "%.100s: the empty context is that of the "
				       "agent's own namespace",
				       value);
	if (length > AGX_CONTEXT_MAX)
		return ct_parse_failed(why,
				       "%.255s: a context of SNMP has %d letters at "
				       "most; give it a shorter name by CONTEXT=NAME",
				       value, AGX_CONTEXT_MAX);
	*netns = (struct agx_netns){ .name = name };
	memcpy(netns->context, value, length);
	return 0;
}

int
agx_set_netns(struct agx_options *options, const struct agx_option *option,
	      const char *value, struct ct_why *why)
{
	struct agx_netns netns;

	(void)option;
	if (parse_netns(value, &netns, why) < 0)
		return -EINVAL;
	for (size_t i = 0; i < options->netns_count; i++)
		if (strcmp(options->netns[i].context, netns.context) == 0)
			return ct_parse_failed(why,
					       "%.255s: there is a context %s already",
					       value, netns.context);
	if (options->netns_count == AGX_NETNS_MAX)
		return ct_parse_failed(why, "%.100s is one too many (%d at most)",
				       value, AGX_NETNS_MAX);
	options->netns[options->netns_count++] = netns;
	return 0;
}

int
agx_set_base(struct agx_options *options, const struct agx_option *option,
	     const char *value, struct ct_why *why)
{
	const char *at = value + (*value == '.');
	size_t length = 0;

	(void)option;
	for (;;) {
		char *end;
		unsigned long number = strtoul(at, &end, 10);

		if (!isdigit((unsigned char)*at) || number > UINT32_MAX ||
		    length == AGX_OID_MAX)
			break;
		options->base[length++] = number;
		if (!*end && length >= 2) {
			options->base_length = length;
			return 0;
		}
		if (*end != '.')
			break;
		at = end + 1;
	}
	return ct_parse_failed(why,
			       "%.100s is not an object identifier (numbers with dots "
			       "between them, like 1.3.6.1.4.1.8072.9999.9999.77)",
			       value);
}
