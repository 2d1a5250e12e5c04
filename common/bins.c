/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash table with open addressing that only grows. */
#include "bins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define SIZE_MIN 64
/* Marks an empty slot: no flow is there without having been counted. */
#define IS_EMPTY(slot) ((slot)->tally.flows == 0)

void
ct_tally_add(struct ct_tally *tally, const struct ct_tally *more)
{
	tally->flows += more->flows;
	tally->accounted += more->accounted;
	for (int dir = 0; dir < CT_DIRS; dir++) {
		tally->sum[dir].packets += more->sum[dir].packets;
		tally->sum[dir].bytes += more->sum[dir].bytes;
	}
}

void
ct_bins_init(struct ct_bins *bins, uint32_t limit)
{
	*bins = (struct ct_bins){ .limit = limit, .seed = ct_hash_seed() };
}

void
ct_bins_done(struct ct_bins *bins)
{
	free(bins->slots);
	ct_bins_init(bins, bins->limit);
}

void
ct_bins_clear(struct ct_bins *bins)
{
	if (bins->slots)
		memset(bins->slots, 0, bins->size * sizeof(*bins->slots));
	bins->count = 0;
	bins->last = NULL;
	memset(&bins->others, 0, sizeof(bins->others));
}

/* The key's slot, or the empty one where it belongs. */
static struct ct_bin *
find(const struct ct_bins *bins, uint64_t key)
{
	uint32_t mask = bins->size - 1;
	uint32_t at = (uint32_t)ct_hash(bins->seed, &key, sizeof(key)) & mask;

	while (!IS_EMPTY(&bins->slots[at]) && bins->slots[at].key != key)
		at = (at + 1) & mask;
	return &bins->slots[at];
}

static int
grow(struct ct_bins *bins)
{
	struct ct_bins larger = *bins;

	larger.size = bins->size ? bins->size * 2 : SIZE_MIN;
	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < bins->size; i++)
		if (!IS_EMPTY(&bins->slots[i]))
			*find(&larger, bins->slots[i].key) = bins->slots[i];
	free(bins->slots);
	larger.last = NULL;
	*bins = larger;
	return 0;
}

struct ct_tally *
ct_bins_at(struct ct_bins *bins, uint64_t key)
{
	struct ct_bin *bin;

	if (bins->last && bins->last->key == key)
		return &bins->last->tally;
	if (bins->count * 4 >= bins->size * 3 && grow(bins) < 0)
		return NULL;
	bin = find(bins, key);
	if (IS_EMPTY(bin)) {
		if (bins->count == bins->limit)
			return &bins->others;
		bin->key = key;
		bins->count++;
	}
	bins->last = bin;
	return &bin->tally;
}

int
ct_bins_each(const struct ct_bins *bins, ct_bin_fn bin_fn, void *data)
{
	int status = 0;

	for (uint32_t i = 0; status == 0 && i < bins->size; i++)
		if (!IS_EMPTY(&bins->slots[i]))
			status = bin_fn(&bins->slots[i], data);
	return status;
}

static int
more_flows_first(const void *left, const void *right)
{
	const struct ct_bin *a = left, *b = right;

	if (a->tally.flows != b->tally.flows)
		return a->tally.flows < b->tally.flows ? 1 : -1;
	return (a->key > b->key) - (a->key < b->key);
}

int
ct_bins_list(const struct ct_bins *bins, size_t most, struct ct_bin **list,
	     size_t *count, struct ct_tally *others)
{
	size_t all = 0;

	*list = calloc((size_t)bins->count + 1, sizeof(**list));
	if (!*list)
		return -ENOMEM;
	for (uint32_t i = 0; i < bins->size; i++)
		if (!IS_EMPTY(&bins->slots[i]))
			(*list)[all++] = bins->slots[i];
	qsort(*list, all, sizeof(**list), more_flows_first);
	*count = most && most < all ? most : all;
	*others = bins->others;
	for (size_t i = *count; i < all; i++)
		ct_tally_add(others, &(*list)[i].tally);
	return 0;
}
