/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_OPTION_H
#define AGX_OPTION_H
/* One option, and what may be its value; for the table of options.c alone. */
#include "common/parse.h"
#include "options.h"

struct agx_option;
typedef int (*agx_set_fn)(struct agx_options *options, const struct agx_option *option,
			  const char *value, struct ct_why *why);

struct agx_option {
	const char *name;
	const char *value; /* what it is called in --help; NULL: there is none */
	agx_set_fn set;
	size_t field; /* in struct agx_options */
	uint64_t low;
	uint64_t high;
	const char *help;
};

/*
 * Each sets the field by the option's value.  Returns 0, or a negative number and why
 * it cannot.  Those of a word and of a namespace keep pointers to it.
 */
int agx_set_flag(struct agx_options *options, const struct agx_option *option,
		 const char *value, struct ct_why *why);
int agx_set_word(struct agx_options *options, const struct agx_option *option,
		 const char *value, struct ct_why *why);
int agx_set_number(struct agx_options *options, const struct agx_option *option,
		   const char *value, struct ct_why *why);
int agx_set_threshold(struct agx_options *options, const struct agx_option *option,
		      const char *value, struct ct_why *why);
int agx_set_netns(struct agx_options *options, const struct agx_option *option,
		  const char *value, struct ct_why *why);
int agx_set_base(struct agx_options *options, const struct agx_option *option,
		 const char *value, struct ct_why *why);

#endif
