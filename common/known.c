/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash table with open addressing; what is removed is closed up, not marked. */
#include "known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define SLOTS_MIN 1024 /* a power of two, as every size of the table */

/* Hashed and compared as bytes, so it has no padding. */
struct key {
	struct ct_tuple orig;
	uint32_t zone; /* and 1 << 16, to tell zone 0 from none */
};

/* The highest that fits into a slot. */
#define ROUND_MAX UINT32_C(0x7fffffff)

struct slot {
	struct key key;
	uint32_t id;
	uint32_t round : 31; /* of the last time it was seen; 0: the slot is empty */
	uint32_t wanted : 1;
};

struct ct_known {
	struct slot *slots;
	size_t size;
	size_t count;
	uint32_t round;
	uint64_t seed;
};

_Static_assert(sizeof(struct key) == sizeof(struct ct_tuple) + sizeof(uint32_t),
	       "no padding in the key");

struct ct_known *
ct_known_new(void)
{
	struct ct_known *known = calloc(1, sizeof(*known));

	if (!known)
		return NULL;
	known->round = 1;
	known->seed = ct_hash_seed();
	known->size = SLOTS_MIN;
	known->slots = calloc(known->size, sizeof(*known->slots));
	if (!known->slots) {
		free(known);
		return NULL;
	}
	return known;
}

void
ct_known_free(struct ct_known *known)
{
	if (!known)
		return;
	free(known->slots);
	free(known);
}

size_t
ct_known_count(const struct ct_known *known)
{
	return known->count;
}

static struct key
key_of(const struct ct_flow *flow)
{
	struct key key = { .orig = flow->orig };

	if (flow->has & CT_ZONE)
		key.zone = (uint32_t)flow->zone | 1 << 16;
	return key;
}

static size_t
home_of(const struct ct_known *known, const struct key *key)
{
	return ct_hash(known->seed, key, sizeof(*key)) & (known->size - 1);
}

/* The key's slot, or the empty one where it belongs. */
static struct slot *
find(const struct ct_known *known, const struct key *key)
{
	size_t at = home_of(known, key);

	while (known->slots[at].round &&
	       memcmp(&known->slots[at].key, key, sizeof(*key)) != 0)
		at = (at + 1) & (known->size - 1);
	return &known->slots[at];
}

static int
grow(struct ct_known *known)
{
	struct ct_known larger = *known;

	larger.size *= 2;
	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < known->size; i++)
		if (known->slots[i].round)
			*find(&larger, &known->slots[i].key) = known->slots[i];
	free(known->slots);
	*known = larger;
	return 0;
}

int
ct_known_add(struct ct_known *known, const struct ct_flow *flow, bool wanted)
{
	struct key key = key_of(flow);
	struct slot *slot;
	bool is_new;

	if (known->count * 4 >= known->size * 3 && grow(known) < 0)
		return -ENOMEM;
	slot = find(known, &key);
	is_new = !slot->round || slot->id != flow->id;
	known->count += !slot->round;
	slot->key = key;
	slot->id = flow->id;
	slot->round = known->round & ROUND_MAX;
	slot->wanted = wanted;
	return is_new;
}

void
ct_known_change(struct ct_known *known, const struct ct_flow *flow, bool wanted)
{
	struct key key = key_of(flow);
	struct slot *slot = find(known, &key);

	if (slot->round && slot->id == flow->id)
		slot->wanted = wanted;
}

/* Empties the slot and moves up those behind it that it had kept from their place. */
static void
empty(struct ct_known *known, size_t hole)
{
	size_t mask = known->size - 1, at = hole;

	known->count--;
	for (;;) {
		size_t home;

		at = (at + 1) & mask;
		if (!known->slots[at].round)
			break;
		home = home_of(known, &known->slots[at].key);
		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		known->slots[hole] = known->slots[at];
		hole = at;
	}
	known->slots[hole].round = 0;
}

bool
ct_known_remove(struct ct_known *known, const struct ct_flow *flow)
{
	struct key key = key_of(flow);
	struct slot *slot = find(known, &key);

	if (!slot->round)
		return false;
	empty(known, (size_t)(slot - known->slots));
	return true;
}

void
ct_known_begin(struct ct_known *known)
{
	known->round = known->round == ROUND_MAX ? 1 : known->round + 1;
}

int
ct_known_sweep(struct ct_known *known,
	       int (*flow_fn)(const struct ct_flow *flow, void *data), void *data)
{
	int status = 0;

	/* What empty() moves comes from behind, or has been looked at already. */
	for (size_t i = 0; i < known->size && status == 0;) {
		const struct slot *slot = &known->slots[i];
		struct ct_flow flow = { .has = CT_ORIG_TUPLE | CT_ID };
		bool wanted = slot->wanted;

		if (!slot->round || slot->round == known->round) {
			i++;
			continue;
		}
		flow.orig = slot->key.orig;
		flow.id = slot->id;
		flow.zone = (uint16_t)slot->key.zone;
		flow.has |= slot->key.zone ? CT_ZONE : 0;
		empty(known, i);
		if (wanted)
			status = flow_fn(&flow, data);
	}
	return status;
}
