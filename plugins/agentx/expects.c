/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntapExpectTable: what helpers expect, as the snapshot has it. */
#include "index.h"
#include "regions.h"
#include "space.h"

enum column {
	MASK_SRC = 9,
	MASK_DST,
	MASK_SPORT,
	MASK_DPORT,
	TIMEOUT,
	HELPER,
	FUNCTION,
	CLASS,
	FLAGS,
	MASTER_PROTOCOL,
	MASTER_SRC_TYPE,
	MASTER_SRC,
	MASTER_SPORT,
	MASTER_DST_TYPE,
	MASTER_DST,
	MASTER_DPORT,
	ID,
};

#define EXPECT_FLAGS 3

/* The family of a mask is that of what it masks. */
static bool
mask_value(const struct ct_expect *expect, enum column column, struct agx_value *value)
{
	const struct ct_tuple *mask = &expect->mask;
	const uint8_t family = expect->tuple.family;

	if (!(expect->has & CT_EXPECT_HAS_MASK))
		return false;
	switch (column) {
	case MASK_SRC:
		return agx_addr(value, family, &mask->src);
	case MASK_DST:
		return agx_addr(value, family, &mask->dst);
	case MASK_SPORT:
		return agx_gauge(value, mask->sport);
	default:
		return agx_gauge(value, mask->dport);
	}
}

static bool
master_value(const struct ct_expect *expect, enum column column,
	     struct agx_value *value)
{
	const struct ct_tuple *master = &expect->master;

	if (!(expect->has & CT_EXPECT_HAS_MASTER))
		return false;
	switch (column) {
	case MASTER_PROTOCOL:
		return agx_gauge(value, master->proto);
	case MASTER_SRC:
		return agx_addr(value, master->family, &master->src);
	case MASTER_DST:
		return agx_addr(value, master->family, &master->dst);
	case MASTER_SPORT:
		return agx_gauge(value, master->sport);
	case MASTER_DPORT:
		return agx_gauge(value, master->dport);
	default:
		return agx_addr_type(value, master->family);
	}
}

static bool
has(const struct ct_expect *expect, uint32_t what)
{
	return expect->has & what;
}

static bool
expect_value(const struct ct_expect *expect, enum column column,
	     struct agx_value *value)
{
	switch (column) {
	case MASK_SRC:
	case MASK_DST:
	case MASK_SPORT:
	case MASK_DPORT:
		return mask_value(expect, column, value);
	case TIMEOUT:
		return has(expect, CT_EXPECT_HAS_TIMEOUT) &&
		       agx_gauge(value, expect->timeout);
	case HELPER:
		return has(expect, CT_EXPECT_HAS_HELPER) &&
		       agx_string(value, expect->helper);
	case FUNCTION:
		return has(expect, CT_EXPECT_HAS_FN) && agx_string(value, expect->fn);
	case CLASS:
		return has(expect, CT_EXPECT_HAS_CLASS) &&
		       agx_gauge(value, expect->helper_class);
	case FLAGS:
		return has(expect, CT_EXPECT_HAS_FLAGS) &&
		       agx_bits(value, expect->flags, EXPECT_FLAGS);
	case ID:
		return has(expect, CT_EXPECT_HAS_ID) && agx_gauge(value, expect->id);
	default:
		return master_value(expect, column, value);
	}
}

static bool
expect_get(struct agx_space *space, unsigned int column, const agx_id *index,
	   size_t length, struct agx_value *value)
{
	const struct agx_snapshot *snapshot = agx_space_snapshot(space);
	const struct agx_expect *found;
	struct ct_table_key key;

	if (!snapshot || !agx_index_key(index, length, &key))
		return false;
	found = agx_snapshot_expect(snapshot, &key);
	return found && expect_value(&found->expect, (enum column)column, value);
}

static bool
expect_next(struct agx_space *space, unsigned int column, const agx_id *index,
	    size_t length, struct agx_row *row, struct agx_value *value)
{
	const struct agx_snapshot *snapshot = agx_space_snapshot(space);
	const struct agx_expect *found;
	struct ct_table_key key;
	bool inclusive;

	if (!snapshot)
		return false;
	agx_index_behind(index, length, &key, &inclusive);
	while ((found = agx_snapshot_expect_next(snapshot, &key, inclusive))) {
		if (expect_value(&found->expect, (enum column)column, value)) {
			row->length = agx_index_of(&found->key, row->ids);
			return true;
		}
		key = found->key;
		inclusive = false;
	}
	return false;
}

const struct agx_region agx_expects = {
	.name = "conntapExpectTable",
	.place = { 1, 3, 2, 1 },
	.place_length = 4,
	.first_column = MASK_SRC,
	.last_column = ID,
	.get = expect_get,
	.next = expect_next,
};
