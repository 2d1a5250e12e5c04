/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An expectation in JSON; json.c says with what members. */
#include "json.h"

static void
put_expect_tuples(struct ct_text *text, char *sep, const struct ct_expect *expect)
{
	if (expect->has & CT_EXPECT_HAS_TUPLE) {
		json_put_key(text, sep, "\"expected\":");
		json_put_tuple(text, &expect->tuple);
	}
	if (expect->has & CT_EXPECT_HAS_MASK) {
		json_put_key(text, sep, "\"mask\":");
		json_put_tuple(text, &expect->mask);
	}
	if (expect->has & CT_EXPECT_HAS_MASTER) {
		json_put_key(text, sep, "\"master\":");
		json_put_tuple(text, &expect->master);
	}
	if (expect->has & CT_EXPECT_HAS_NAT) {
		json_put_key(text, sep, "\"nat\":");
		json_put_tuple(text, &expect->nat);
		json_put_name(text, sep, "\"nat_dir\":",
			      expect->nat_dir == CT_ORIG ? "orig" : "reply");
	}
}

void
json_put_expect(struct ct_text *text, const struct ct_expect *expect)
{
	char sep = '{';

	json_put_name(text, &sep, "\"family\":", ct_family_name(expect->tuple.family));
	put_expect_tuples(text, &sep, expect);
	if (expect->has & CT_EXPECT_HAS_HELPER) {
		json_put_key(text, &sep, "\"helper\":");
		json_put_string(text, expect->helper);
	}
	if (expect->has & CT_EXPECT_HAS_CLASS)
		json_put_number(text, &sep, "\"class\":", expect->helper_class);
	if (expect->has & CT_EXPECT_HAS_FN) {
		json_put_key(text, &sep, "\"fn\":");
		json_put_string(text, expect->fn);
	}
	if (expect->has & CT_EXPECT_HAS_FLAGS) {
		json_put_key(text, &sep, "\"flags\":");
		json_put_bits(text, expect->flags, ct_expect_flag_name);
	}
	if (expect->has & CT_EXPECT_HAS_ZONE)
		json_put_number(text, &sep, "\"zone\":", expect->zone);
	if (expect->has & CT_EXPECT_HAS_TIMEOUT)
		json_put_number(text, &sep, "\"timeout\":", expect->timeout);
	if (expect->has & CT_EXPECT_HAS_ID)
		json_put_number(text, &sep, "\"id\":", expect->id);
	json_put_close(text, sep);
}
