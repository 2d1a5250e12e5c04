/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sorted array: there are few, and each step of a walk looks for one. */
#include "touched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
agx_touched_done(struct agx_touched *touched)
{
	free(touched->rows);
	*touched = (struct agx_touched){ 0 };
}

/* The first place whose key is not less. */
static size_t
place_of(const struct agx_touched *touched, const struct ct_table_key *key)
{
	size_t low = 0, high = touched->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ct_table_key_compare(&touched->rows[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_at(const struct agx_touched *touched, size_t place, const struct ct_table_key *key)
{
	return place < touched->count &&
	       ct_table_key_compare(&touched->rows[place].key, key) == 0;
}

bool
agx_touched_has(const struct agx_touched *touched, const struct ct_table_key *key)
{
	return touched->count > 0 && is_at(touched, place_of(touched, key), key);
}

int
agx_touched_add(struct agx_touched *touched, const struct ct_table_key *key,
		uint64_t ms)
{
	size_t place = place_of(touched, key);

	if (is_at(touched, place, key)) {
		touched->rows[place].ms = ms;
		return 0;
	}
	if (touched->count == touched->room) {
		size_t room = touched->room * 2 + 64;
		struct agx_touch *rows =
			reallocarray(touched->rows, room, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		touched->rows = rows;
		touched->room = room;
	}
	memmove(&touched->rows[place + 1], &touched->rows[place],
		(touched->count - place) * sizeof(*touched->rows));
	touched->rows[place] = (struct agx_touch){ .key = *key, .ms = ms };
	touched->count++;
	return 0;
}

void
agx_touched_forget(struct agx_touched *touched, uint64_t before_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < touched->count; i++)
		if (touched->rows[i].ms >= before_ms)
			touched->rows[kept++] = touched->rows[i];
	touched->count = kept;
}
