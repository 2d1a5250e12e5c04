/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of rows, number by number; each has a range that the ones before it give. */
#include "index.h"

#include <string.h>
#include <sys/socket.h>

/* InetAddressType. */
enum { IPV4 = 1, IPV6 = 2 };

/* Where in a name the type of the address is. */
#define TYPE 2

/* So many numbers of a name, and what they may be. */
struct field {
	size_t count;
	agx_id low;
	agx_id high;
};

#define FIELDS 9

/* Both addresses are of one type; the one in front of the first says which. */
static const struct field ipv4_fields[FIELDS] = {
	{ 1, 0, 0xffff },  /* zone */
	{ 1, 0, 0xff },    /* protocol */
	{ 1, IPV4, IPV6 }, /* type */
	{ 1, 4, 4 },       /* length */
	{ 4, 0, 0xff },    /* source */
	{ 1, IPV4, IPV4 }, /* type */
	{ 1, 4, 4 },       /* length */
	{ 4, 0, 0xff },    /* destination */
	{ 2, 0, 0xffff },  /* ports */
};

static const struct field ipv6_fields[FIELDS] = {
	{ 1, 0, 0xffff }, { 1, 0, 0xff },  { 1, IPV4, IPV6 },
	{ 1, 16, 16 },    { 16, 0, 0xff }, { 1, IPV6, IPV6 },
	{ 1, 16, 16 },    { 16, 0, 0xff }, { 2, 0, 0xffff },
};

static size_t
addr_length(agx_id type)
{
	return type == IPV4 ? 4 : 16;
}

static size_t
whole_length(agx_id type)
{
	return 8 + 2 * addr_length(type);
}

static const struct field *
fields_of(agx_id type)
{
	return type == IPV4 ? ipv4_fields : ipv6_fields;
}

/* What may be at this place of a name of that type. */
static const struct field *
field_at(size_t place, agx_id type)
{
	const struct field *field = fields_of(type);

	for (; place >= field->count; field++)
		place -= field->count;
	return field;
}

static void
put_addr(agx_id **at, uint8_t family, const struct ct_addr *addr)
{
	size_t size = family == AF_INET ? 4 : 16;

	*(*at)++ = family == AF_INET ? IPV4 : IPV6;
	*(*at)++ = size;
	for (size_t i = 0; i < size; i++)
		*(*at)++ = addr->bytes[i];
}

size_t
agx_index_of(const struct ct_table_key *key, agx_id ids[AGX_INDEX_MAX])
{
	agx_id *at = ids;

	*at++ = key->zone;
	*at++ = key->proto;
	put_addr(&at, key->family, &key->src);
	put_addr(&at, key->family, &key->dst);
	*at++ = key->sport;
	*at++ = key->dport;
	return (size_t)(at - ids);
}

/* From the numbers of a whole name, all of them in their ranges. */
static void
make_key(const agx_id *ids, struct ct_table_key *key)
{
	const size_t addr = addr_length(ids[TYPE]);

	memset(key, 0, sizeof(*key));
	key->zone = (uint16_t)ids[0];
	key->proto = (uint8_t)ids[1];
	key->family = ids[TYPE] == IPV4 ? AF_INET : AF_INET6;
	for (size_t i = 0; i < addr; i++) {
		key->src.bytes[i] = (uint8_t)ids[4 + i];
		key->dst.bytes[i] = (uint8_t)ids[6 + addr + i];
	}
	key->sport = (uint16_t)ids[6 + 2 * addr];
	key->dport = (uint16_t)ids[7 + 2 * addr];
}

/* How many numbers of the name, from its beginning, are as they may be. */
static size_t
good_length(const agx_id *ids, size_t length)
{
	const struct field *fields = ipv4_fields;
	size_t place = 0;

	for (size_t i = 0; i < FIELDS; i++) {
		for (size_t n = 0; n < fields[i].count; n++, place++)
			if (place == length || ids[place] < fields[i].low ||
			    ids[place] > fields[i].high)
				return place;
		if (place == TYPE + 1)
			fields = fields_of(ids[TYPE]);
	}
	return place;
}

bool
agx_index_key(const agx_id *ids, size_t length, struct ct_table_key *key)
{
	if (length <= TYPE || good_length(ids, length) != length ||
	    length != whole_length(ids[TYPE]))
		return false;
	make_key(ids, key);
	return true;
}

/*
 * The name is kept as far as it is good.  From there on: where it ends, or has a number
 * that is too small, the least numbers follow, and rows begin there; where it has one
 * that is too great, the greatest, and rows begin behind it.
 */
void
agx_index_behind(const agx_id *ids, size_t length, struct ct_table_key *key,
		 bool *inclusive)
{
	agx_id whole[AGX_INDEX_MAX];
	size_t good = good_length(ids, length);
	const struct field *field;

	for (size_t i = 0; i < good; i++)
		whole[i] = ids[i];
	if (good > TYPE && good == whole_length(ids[TYPE])) {
		*inclusive = false;
		make_key(whole, key);
		return;
	}
	field = field_at(good, good > TYPE ? ids[TYPE] : IPV4);
	*inclusive = good == length || ids[good] < field->low;
	for (size_t i = good; i <= TYPE || i < whole_length(whole[TYPE]); i++) {
		field = field_at(i, i > TYPE ? whole[TYPE] : IPV4);
		whole[i] = *inclusive ? field->low : field->high;
	}
	make_key(whole, key);
}
