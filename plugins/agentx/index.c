/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of rows, number by number; each has a range that the ones before it give. */
#include "index.h"

#include <string.h>
#include <sys/socket.h>

/* InetAddressType. */
enum { IPV4 = 1, IPV6 = 2 };

/* Where in a name the type of the address is. */
#define TYPE 2

struct range {
	agx_id low;
	agx_id high;
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

/* What may be at this place of a name whose type is known as soon as it has one. */
static struct range
range_at(size_t place, agx_id type)
{
	const size_t addr = addr_length(type);

	if (place == 0)
		return (struct range){ 0, 0xffff };
	if (place == 1)
		return (struct range){ 0, 0xff };
	if (place == TYPE)
		return (struct range){ IPV4, IPV6 };
	if (place == 3 || place == 5 + addr) /* the lengths */
		return (struct range){ addr, addr };
	if (place == 4 + addr) /* both addresses are of one type */
		return (struct range){ type, type };
	if (place < 6 + 2 * addr)
		return (struct range){ 0, 0xff };
	return (struct range){ 0, 0xffff };
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

/* How many numbers of the name, from its beginning, are in their ranges. */
static size_t
good_length(const agx_id *ids, size_t length)
{
	size_t place = 0;

	while (place < length) {
		agx_id type = place > TYPE ? ids[TYPE] : IPV4;
		struct range range;

		if (place > TYPE && place == whole_length(type))
			break;
		range = range_at(place, type);
		if (ids[place] < range.low || ids[place] > range.high)
			break;
		place++;
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
	struct range range;

	for (size_t i = 0; i < good; i++)
		whole[i] = ids[i];
	if (good > TYPE && good == whole_length(ids[TYPE])) {
		*inclusive = false;
		make_key(whole, key);
		return;
	}
	range = range_at(good, good > TYPE ? ids[TYPE] : IPV4);
	*inclusive = good == length || ids[good] < range.low;
	for (size_t i = good; i <= TYPE || i < whole_length(whole[TYPE]); i++) {
		range = range_at(i, i > TYPE ? whole[TYPE] : IPV4);
		whole[i] = *inclusive ? range.low : range.high;
	}
	make_key(whole, key);
}
