/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sketch: entries, a hash table to find them by, and, from the moment when all are
 * taken, a heap that knows the lightest one.  Until then there is no need for it.
 */
#include "top.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hash.h"

#define NOBODY UINT32_MAX

struct ct_top {
	struct ct_top_entry *entries;
	uint32_t *heap;     /* of places in `entries`, the lightest first */
	uint32_t *position; /* of each entry in `heap` */
	uint32_t *slots;    /* the hash table: places in `entries`, or NOBODY */
	uint32_t capacity;
	uint32_t count;
	uint32_t mask; /* of slots */
	bool heaped;
	uint64_t seed;
	uint64_t evictions;
	uint64_t total;
};

_Static_assert(sizeof(struct ct_top_key) == 40, "no padding in the key");

static uint32_t
slots_for(size_t capacity)
{
	uint32_t slots = 16;

	while (slots < capacity * 2)
		slots *= 2;
	return slots;
}

static void
empty_slots(struct ct_top *top)
{
	memset(top->slots, 0xff, ((size_t)top->mask + 1) * sizeof(*top->slots));
}

struct ct_top *
ct_top_new(size_t capacity)
{
	struct ct_top *top;

	if (capacity == 0 || capacity > CT_TOP_MAX)
		return NULL;
	top = calloc(1, sizeof(*top));
	if (!top)
		return NULL;
	top->capacity = (uint32_t)capacity;
	top->seed = ct_hash_seed();
	top->mask = slots_for(capacity) - 1;
	top->entries = calloc(capacity, sizeof(*top->entries));
	top->heap = calloc(capacity, sizeof(*top->heap));
	top->position = calloc(capacity, sizeof(*top->position));
	top->slots = malloc(((size_t)top->mask + 1) * sizeof(*top->slots));
	if (!top->entries || !top->heap || !top->position || !top->slots) {
		ct_top_free(top);
		return NULL;
	}
	empty_slots(top);
	return top;
}

void
ct_top_free(struct ct_top *top)
{
	if (!top)
		return;
	free(top->entries);
	free(top->heap);
	free(top->position);
	free(top->slots);
	free(top);
}

void
ct_top_clear(struct ct_top *top)
{
	empty_slots(top);
	top->count = 0;
	top->heaped = false;
	top->evictions = 0;
	top->total = 0;
}

static uint32_t
home_of(const struct ct_top *top, const struct ct_top_key *key)
{
	return (uint32_t)ct_hash(top->seed, key, sizeof(*key)) & top->mask;
}

/* The slot that names the key's entry, or the empty one where it belongs. */
static uint32_t
find(const struct ct_top *top, const struct ct_top_key *key)
{
	uint32_t at = home_of(top, key);

	while (top->slots[at] != NOBODY &&
	       memcmp(&top->entries[top->slots[at]].key, key, sizeof(*key)) != 0)
		at = (at + 1) & top->mask;
	return at;
}

/* Empties a slot and moves up those behind it that it had kept from their place. */
static void
empty(struct ct_top *top, uint32_t hole)
{
	uint32_t at = hole;

	for (;;) {
		uint32_t home;

		at = (at + 1) & top->mask;
		if (top->slots[at] == NOBODY)
			break;
		home = home_of(top, &top->entries[top->slots[at]].key);
		if (((at - home) & top->mask) < ((at - hole) & top->mask))
			continue;
		top->slots[hole] = top->slots[at];
		hole = at;
	}
	top->slots[hole] = NOBODY;
}

static void
put(struct ct_top *top, uint32_t position, uint32_t place)
{
	top->heap[position] = place;
	top->position[place] = position;
}

/* The entry has become heavier: it goes down to where it belongs. */
static void
sink(struct ct_top *top, uint32_t position)
{
	const struct ct_top_entry *entries = top->entries;
	uint32_t place = top->heap[position];

	for (;;) {
		uint64_t child = (uint64_t)position * 2 + 1;

		if (child >= top->count)
			break;
		if (child + 1 < top->count && entries[top->heap[child + 1]].value <
						      entries[top->heap[child]].value)
			child++;
		if (entries[top->heap[child]].value >= entries[place].value)
			break;
		put(top, position, top->heap[child]);
		position = (uint32_t)child;
	}
	put(top, position, place);
}

static void
make_heap(struct ct_top *top)
{
	for (uint32_t i = 0; i < top->count; i++)
		put(top, i, i);
	for (uint32_t i = top->count / 2; i > 0; i--)
		sink(top, i - 1);
	top->heaped = true;
}

/* Gives the lightest entry's place, and value, to a new key. */
static void
replace_lightest(struct ct_top *top, const struct ct_top_key *key, uint64_t value,
		 uint64_t beside)
{
	struct ct_top_entry *entry;

	if (!top->heaped)
		make_heap(top);
	entry = &top->entries[top->heap[0]];
	empty(top, find(top, &entry->key));
	entry->key = *key;
	entry->excess = entry->value;
	entry->value += value;
	entry->beside = beside;
	top->slots[find(top, key)] = top->heap[0];
	sink(top, 0);
	top->evictions++;
}

void
ct_top_add(struct ct_top *top, const struct ct_top_key *key, uint64_t value,
	   uint64_t beside)
{
	uint32_t slot = find(top, key);
	uint32_t place = top->slots[slot];

	top->total += value;
	if (place != NOBODY) {
		top->entries[place].value += value;
		top->entries[place].beside += beside;
		if (top->heaped)
			sink(top, top->position[place]);
	} else if (top->count < top->capacity) {
		top->slots[slot] = top->count;
		top->entries[top->count++] = (struct ct_top_entry){
			.key = *key,
			.value = value,
			.beside = beside,
		};
	} else {
		replace_lightest(top, key, value, beside);
	}
}

bool
ct_top_is_exact(const struct ct_top *top)
{
	return top->evictions == 0;
}

uint64_t
ct_top_total(const struct ct_top *top)
{
	return top->total;
}

static int
compare(const void *left, const void *right)
{
	const struct ct_top_entry *a = left, *b = right;

	if (a->value != b->value)
		return a->value < b->value ? 1 : -1;
	return memcmp(&a->key, &b->key, sizeof(a->key));
}

const struct ct_top_entry *
ct_top_list(struct ct_top *top, size_t *count)
{
	qsort(top->entries, top->count, sizeof(*top->entries), compare);
	/* Everything has moved. */
	empty_slots(top);
	for (uint32_t i = 0; i < top->count; i++)
		top->slots[find(top, &top->entries[i].key)] = i;
	top->heaped = false;
	*count = top->count;
	return top->entries;
}

static const char *const kinds[CT_TOP_KINDS] = {
	[CT_TOP_SOURCE] = "source",
	[CT_TOP_DESTINATION] = "destination",
	[CT_TOP_PORT] = "port",
	[CT_TOP_PAIR] = "pair",
	[CT_TOP_REPLY_SOURCE] = "reply_source",
	[CT_TOP_REPLY_DESTINATION] = "reply_destination",
};

const char *
ct_top_by_name(enum ct_top_by by)
{
	return kinds[by];
}

int
ct_top_by_value(const char *name)
{
	for (int i = 0; i < CT_TOP_KINDS; i++)
		if (ct_same_word(name, kinds[i]))
			return i;
	return -1;
}

/* The first `bits` of an address; the others are 0. */
static struct ct_addr
cut(const struct ct_addr *addr, unsigned int bits)
{
	struct ct_addr result = { { 0 } };

	memcpy(result.bytes, addr->bytes, bits / 8);
	if (bits % 8)
		result.bytes[bits / 8] =
			(uint8_t)(addr->bytes[bits / 8] & 0xff00 >> bits % 8);
	return result;
}

bool
ct_top_key_of(const struct ct_flow *flow, enum ct_top_by by, unsigned int prefix4,
	      unsigned int prefix6, struct ct_top_key *key)
{
	const struct ct_tuple *orig = &flow->orig, *reply = &flow->reply;
	unsigned int bits = orig->family == AF_INET ? prefix4 : prefix6;

	*key = (struct ct_top_key){ .family = orig->family };
	switch (by) {
	case CT_TOP_SOURCE:
		key->addr[0] = cut(&orig->src, bits);
		return true;
	case CT_TOP_DESTINATION:
		key->addr[0] = cut(&orig->dst, bits);
		return true;
	case CT_TOP_PORT:
		*key = (struct ct_top_key){ .port = orig->dport, .proto = orig->proto };
		return orig->has & CT_TUPLE_DPORT && orig->proto != IPPROTO_GRE;
	case CT_TOP_PAIR:
		key->addr[0] = cut(&orig->src, bits);
		key->addr[1] = cut(&orig->dst, bits);
		return true;
	case CT_TOP_REPLY_SOURCE:
		key->addr[0] = cut(&reply->src, bits);
		return true;
	case CT_TOP_REPLY_DESTINATION:
		key->addr[0] = cut(&reply->dst, bits);
		return true;
	default:
		return false;
	}
}
