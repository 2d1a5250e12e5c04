/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expectations in the XML dialect "conntracks". */
#include "xml.h"

static void
put_expect_flags(struct ct_text *text, uint32_t flags)
{
	if (!flags)
		return;
	ct_text_str(text, "      <flags>\n");
	for (unsigned int bit = 0; bit < 32 && flags >> bit; bit++) {
		const char *name = ct_expect_flag_name(bit);

		if (!(flags >> bit & 1))
			continue;
		if (name)
			ct_text_printf(text, "         <flag>%s</flag>\n", name);
		else
			ct_text_printf(text, "         <flag>bit%u</flag>\n", bit);
	}
	ct_text_str(text, "      </flags>\n");
}

static void
put_expect_tuples(struct ct_text *text, const struct ct_expect *expect)
{
	if (expect->has & CT_EXPECT_HAS_TUPLE) {
		ct_text_str(text, "      <expected");
		xml_put_tuple(text, &expect->tuple);
	}
	if (expect->has & CT_EXPECT_HAS_MASK) {
		ct_text_str(text, "      <mask");
		xml_put_tuple(text, &expect->mask);
	}
	if (expect->has & CT_EXPECT_HAS_MASTER) {
		ct_text_str(text, "      <master");
		xml_put_tuple(text, &expect->master);
	}
	if (expect->has & CT_EXPECT_HAS_NAT) {
		ct_text_str(text, "      <nat direction=\"");
		ct_text_str(text, expect->nat_dir == CT_ORIG ? "original" : "reply");
		ct_text_char(text, '"');
		xml_put_tuple(text, &expect->nat);
	}
}

static void
put_expect_helper(struct ct_text *text, const struct ct_expect *expect)
{
	if (!(expect->has &
	      (CT_EXPECT_HAS_HELPER | CT_EXPECT_HAS_CLASS | CT_EXPECT_HAS_FN)))
		return;
	ct_text_str(text, "      <helper");
	if (expect->has & CT_EXPECT_HAS_HELPER) {
		ct_text_str(text, " name=\"");
		ct_text_xml(text, expect->helper);
		ct_text_char(text, '"');
	}
	if (expect->has & CT_EXPECT_HAS_CLASS)
		xml_put_number(text, " class=\"", expect->helper_class);
	if (expect->has & CT_EXPECT_HAS_FN) {
		ct_text_str(text, " fn=\"");
		ct_text_xml(text, expect->fn);
		ct_text_char(text, '"');
	}
	ct_text_str(text, " />\n");
}

void
xml_put_expect(struct ct_text *text, const struct output_view *view,
	       const struct ct_expect *expect, const struct ct_event *event)
{
	ct_text_str(text, "   <expectation");
	if (expect->has & CT_EXPECT_HAS_ID)
		xml_put_number(text, " id=\"", expect->id);
	if (expect->has & CT_EXPECT_HAS_TIMEOUT)
		xml_put_number(text, " timeout=\"", expect->timeout);
	xml_put_event(text, view, event);
	ct_text_str(text, ">\n");
	put_expect_flags(text, expect->flags);
	put_expect_tuples(text, expect);
	if (expect->has & CT_EXPECT_HAS_ZONE)
		ct_text_printf(text, "      <zone id=\"%u\" />\n", expect->zone);
	put_expect_helper(text, expect);
	ct_text_str(text, "   </expectation>\n");
}
