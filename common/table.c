/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two lists of packed rows, one a family, as addresses differ in length; what is asked
 * of both is answered by the one whose flow comes first.  A key is a string of bytes
 * that compares as the key does.
 */
#include "table.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* zone, protocol, source, destination, ports; one byte to fill it up. */
#define KEY4 16
#define KEY6 40
#define KEY_MAX KEY6

#define HELPERS_MAX 255
#define NO_LABELS UINT32_MAX
/* The most that a number of a row can name; a table of some 400 GB. */
#define ROWS_MAX UINT32_MAX

/* What a row keeps of a flow. */
#define KEPT                                                                         \
	(CT_ORIG_TUPLE | CT_REPLY_TUPLE | CT_ID | CT_STATUS | CT_TIMEOUT | CT_MARK | \
	 CT_USE | CT_ZONE | CT_STATE | CT_COUNTERS | CT_START | CT_LABELS |          \
	 CT_HELPER_NAME)

/* What rows of both families have, behind the key. */
struct rest {
	uint64_t has;
	struct ct_counters counters[CT_DIRS];
	uint64_t start;
	uint32_t id;
	uint32_t status;
	uint32_t timeout;
	uint32_t mark;
	uint32_t use;
	uint32_t labels; /* their place */
	uint16_t reply_sport;
	uint16_t reply_dport;
	uint16_t reply_zone;
	uint8_t state;
	uint8_t helper; /* its place, and 1 */
};

struct row4 {
	unsigned char key[KEY4];
	unsigned char reply_src[4];
	unsigned char reply_dst[4];
	struct rest rest;
};

struct row6 {
	unsigned char key[KEY6];
	unsigned char reply_src[16];
	unsigned char reply_dst[16];
	struct rest rest;
};

struct list {
	size_t row_size;
	size_t key_size;
	char *rows;
	size_t count;
	size_t room;
};

struct labels {
	uint8_t bits[CT_LABEL_BITS / 8];
};

struct ct_table {
	struct list ipv4;
	struct list ipv6;
	struct labels *labels;
	size_t label_count;
	size_t label_room;
	char helpers[HELPERS_MAX][CT_HELPER_LEN];
	size_t helper_count;
	uint64_t has; /* of all flows together */
};

/* Keys. */

static void
put_u16(unsigned char *at, uint16_t number)
{
	at[0] = (unsigned char)(number >> 8);
	at[1] = (unsigned char)number;
}

static uint16_t
get_u16(const unsigned char *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static size_t
addr_size(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static void
pack_key(unsigned char *bytes, const struct ct_table_key *key)
{
	size_t size = addr_size(key->family);

	put_u16(bytes, key->zone);
	bytes[2] = key->proto;
	memcpy(bytes + 3, &key->src, size);
	memcpy(bytes + 3 + size, &key->dst, size);
	put_u16(bytes + 3 + 2 * size, key->sport);
	put_u16(bytes + 5 + 2 * size, key->dport);
	bytes[7 + 2 * size] = 0;
}

static void
unpack_key(struct ct_table_key *key, const unsigned char *bytes, uint8_t family)
{
	size_t size = addr_size(family);

	memset(key, 0, sizeof(*key));
	key->zone = get_u16(bytes);
	key->proto = bytes[2];
	key->family = family;
	memcpy(&key->src, bytes + 3, size);
	memcpy(&key->dst, bytes + 3 + size, size);
	key->sport = get_u16(bytes + 3 + 2 * size);
	key->dport = get_u16(bytes + 5 + 2 * size);
}

static bool
is_icmp(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

void
ct_table_key_of(struct ct_table_key *key, const struct ct_flow *flow)
{
	const struct ct_tuple *orig = &flow->orig;
	bool icmp = is_icmp(orig->proto);

	*key = (struct ct_table_key){
		.zone = ct_flow_zone(flow, CT_ORIG),
		.proto = orig->proto,
		.family = orig->family,
		.src = orig->src,
		.dst = orig->dst,
		.sport = icmp ? orig->icmp_id : orig->sport,
		.dport = icmp ? (uint16_t)(orig->icmp_type << 8 | orig->icmp_code)
			      : orig->dport,
	};
}

void
ct_table_key_flow(const struct ct_table_key *key, struct ct_flow *flow)
{
	struct ct_tuple *orig = &flow->orig;

	memset(flow, 0, sizeof(*flow));
	orig->family = key->family;
	orig->proto = key->proto;
	orig->src = key->src;
	orig->dst = key->dst;
	orig->has = CT_TUPLE_ADDRS | CT_TUPLE_PROTO;
	if (is_icmp(key->proto)) {
		orig->icmp_id = key->sport;
		orig->icmp_type = (uint8_t)(key->dport >> 8);
		orig->icmp_code = (uint8_t)key->dport;
		orig->has |= CT_TUPLE_ICMP;
	} else if (ct_proto_has_ports(key->proto)) {
		orig->sport = key->sport;
		orig->dport = key->dport;
		orig->has |= CT_TUPLE_PORTS;
	}
	flow->zone = key->zone;
	flow->has = CT_ORIG_TUPLE | (key->zone ? CT_ZONE : 0);
}

int
ct_table_key_compare(const struct ct_table_key *a, const struct ct_table_key *b)
{
	unsigned char left[KEY_MAX], right[KEY_MAX];

	if (a->zone != b->zone)
		return a->zone < b->zone ? -1 : 1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->family != b->family)
		return a->family == AF_INET ? -1 : 1;
	pack_key(left, a);
	pack_key(right, b);
	return memcmp(left, right, a->family == AF_INET ? KEY4 : KEY6);
}

/* Filling. */

struct ct_table *
ct_table_new(void)
{
	struct ct_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->ipv4.row_size = sizeof(struct row4);
	table->ipv4.key_size = KEY4;
	table->ipv6.row_size = sizeof(struct row6);
	table->ipv6.key_size = KEY6;
	return table;
}

void
ct_table_free(struct ct_table *table)
{
	if (!table)
		return;
	free(table->ipv4.rows);
	free(table->ipv6.rows);
	free(table->labels);
	free(table);
}

/* A half more each time: a new copy is short-lived, and not much is wasted. */
static void *
add_row(struct list *list)
{
	size_t room = list->room + list->room / 2 + 1024;
	char *rows;

	if (list->count == list->room) {
		if (list->count >= ROWS_MAX / 2)
			return NULL;
		rows = reallocarray(list->rows, room, list->row_size);
		if (!rows)
			return NULL;
		list->rows = rows;
		list->room = room;
	}
	return list->rows + list->count++ * list->row_size;
}

static int
add_labels(struct ct_table *table, const struct ct_flow *flow, uint32_t *place)
{
	size_t room = table->label_room * 2 + 64;
	struct labels *more;

	*place = NO_LABELS;
	if (!(flow->has & CT_LABELS))
		return 0;
	if (table->label_count == table->label_room) {
		more = reallocarray(table->labels, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		table->labels = more;
		table->label_room = room;
	}
	memcpy(&table->labels[table->label_count], flow->labels, sizeof(flow->labels));
	*place = (uint32_t)table->label_count++;
	return 0;
}

/* There are a dozen helpers; a name without a place is left out. */
static uint8_t
helper_place(struct ct_table *table, const struct ct_flow *flow)
{
	size_t i = 0;

	if (!(flow->has & CT_HELPER_NAME))
		return 0;
	while (i < table->helper_count &&
	       strncmp(table->helpers[i], flow->helper, CT_HELPER_LEN) != 0)
		i++;
	if (i == HELPERS_MAX)
		return 0;
	if (i == table->helper_count)
		memcpy(table->helpers[table->helper_count++], flow->helper,
		       CT_HELPER_LEN);
	return (uint8_t)(i + 1);
}

static void
fill_rest(struct rest *rest, const struct ct_flow *flow)
{
	const struct ct_tuple *reply = &flow->reply;
	bool icmp = is_icmp(flow->orig.proto);

	*rest = (struct rest){
		.has = flow->has & KEPT,
		.start = flow->start,
		.id = flow->id,
		.status = flow->status,
		.timeout = flow->timeout,
		.mark = flow->mark,
		.use = flow->use,
		.reply_sport = icmp ? reply->icmp_id : reply->sport,
		.reply_dport =
			icmp ? (uint16_t)(reply->icmp_type << 8 | reply->icmp_code)
			     : reply->dport,
		.reply_zone = ct_flow_zone(flow, CT_REPLY),
		.state = flow->state,
	};
	memcpy(rest->counters, flow->counters, sizeof(rest->counters));
}

int
ct_table_add(struct ct_table *table, const struct ct_flow *flow)
{
	bool is_ipv4 = flow->orig.family == AF_INET;
	void *row = add_row(is_ipv4 ? &table->ipv4 : &table->ipv6);
	struct ct_table_key key;
	struct rest *rest;

	if (!row)
		return -ENOMEM;
	table->has |= flow->has & KEPT;
	ct_table_key_of(&key, flow);
	pack_key(row, &key);
	if (is_ipv4) {
		struct row4 *row4 = row;

		memcpy(row4->reply_src, &flow->reply.src, sizeof(row4->reply_src));
		memcpy(row4->reply_dst, &flow->reply.dst, sizeof(row4->reply_dst));
		rest = &row4->rest;
	} else {
		struct row6 *row6 = row;

		memcpy(row6->reply_src, &flow->reply.src, sizeof(row6->reply_src));
		memcpy(row6->reply_dst, &flow->reply.dst, sizeof(row6->reply_dst));
		rest = &row6->rest;
	}
	fill_rest(rest, flow);
	rest->helper = helper_place(table, flow);
	return add_labels(table, flow, &rest->labels);
}

/* Sorting: the keys by themselves, with the numbers of their rows, as rows are long. */

struct entry4 {
	unsigned char key[KEY4];
	uint32_t row;
};

struct entry6 {
	unsigned char key[KEY6];
	uint32_t row;
};

/* Of equal keys, the row that came last is first. */
static int
by_key4(const void *a, const void *b)
{
	const struct entry4 *left = a, *right = b;
	int order = memcmp(left->key, right->key, KEY4);

	return order ? order : left->row < right->row ? 1 : -1;
}

static int
by_key6(const void *a, const void *b)
{
	const struct entry6 *left = a, *right = b;
	int order = memcmp(left->key, right->key, KEY6);

	return order ? order : left->row < right->row ? 1 : -1;
}

/*
 * Puts the rows in the order of their keys, in place: each to where the row stands that
 * goes on from there, until a circle is closed.  `order` tells for each place which row
 * it is to have, and is used up.
 */
static void
move_rows(struct list *list, uint32_t *order)
{
	char held[sizeof(struct row6)];
	const size_t size = list->row_size;

	for (uint32_t first = 0; first < list->count; first++) {
		uint32_t place = first;

		if (order[first] == first)
			continue;
		memcpy(held, list->rows + first * size, size);
		while (order[place] != first) {
			uint32_t from = order[place];

			memcpy(list->rows + place * size, list->rows + from * size,
			       size);
			order[place] = place;
			place = from;
		}
		memcpy(list->rows + place * size, held, size);
		order[place] = place;
	}
}

/* Of rows with one key, the first stays. */
static void
drop_repeated(struct list *list)
{
	const size_t size = list->row_size;
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		const char *row = list->rows + i * size;

		if (kept > 0 &&
		    memcmp(row, list->rows + (kept - 1) * size, list->key_size) == 0)
			continue;
		if (kept != i)
			memcpy(list->rows + kept * size, row, size);
		kept++;
	}
	list->count = kept;
}

/* The rows' numbers in the order of their keys; NULL: no memory. */
static uint32_t *
order_of(const struct list *list)
{
	bool is_ipv4 = list->key_size == KEY4;
	size_t size = is_ipv4 ? sizeof(struct entry4) : sizeof(struct entry6);
	char *entries = reallocarray(NULL, list->count, size);
	uint32_t *order;

	if (!entries)
		return NULL;
	for (uint32_t i = 0; i < list->count; i++) {
		char *entry = entries + i * size;

		memcpy(entry, list->rows + i * list->row_size, list->key_size);
		memcpy(entry + list->key_size, &i, sizeof(i));
	}
	qsort(entries, list->count, size, is_ipv4 ? by_key4 : by_key6);
	/* The numbers come to the front of what the entries took. */
	order = (uint32_t *)(void *)entries;
	for (size_t i = 0; i < list->count; i++)
		memmove(&order[i], entries + i * size + list->key_size, sizeof(*order));
	return order;
}

static int
sort(struct list *list)
{
	uint32_t *order;
	char *rows;

	if (list->count == 0)
		return 0;
	order = order_of(list);
	if (!order)
		return -ENOMEM;
	move_rows(list, order);
	free(order);
	drop_repeated(list);
	rows = reallocarray(list->rows, list->count, list->row_size);
	if (rows) {
		list->rows = rows;
		list->room = list->count;
	}
	return 0;
}

int
ct_table_seal(struct ct_table *table)
{
	int error = sort(&table->ipv4);

	return error ? error : sort(&table->ipv6);
}

size_t
ct_table_count(const struct ct_table *table)
{
	return table->ipv4.count + table->ipv6.count;
}

static size_t
list_size(const struct list *list)
{
	return list->room * list->row_size;
}

size_t
ct_table_size(const struct ct_table *table)
{
	return sizeof(*table) + list_size(&table->ipv4) + list_size(&table->ipv6) +
	       table->label_room * sizeof(*table->labels);
}

/* Finding. */

static const unsigned char *
row_at(const struct list *list, size_t place)
{
	return (const unsigned char *)list->rows + place * list->row_size;
}

/* The first place whose key is not less. */
static size_t
lower_bound(const struct list *list, const unsigned char *key)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(row_at(list, middle), key, list->key_size) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
unpack_rest(const struct ct_table *table, const struct rest *rest, struct ct_flow *flow)
{
	struct ct_tuple *reply = &flow->reply;

	flow->has = rest->has;
	flow->start = rest->start;
	flow->id = rest->id;
	flow->status = rest->status;
	flow->timeout = rest->timeout;
	flow->mark = rest->mark;
	flow->use = rest->use;
	flow->state = rest->state;
	memcpy(flow->counters, rest->counters, sizeof(flow->counters));
	if (is_icmp(reply->proto)) {
		reply->icmp_id = rest->reply_sport;
		reply->icmp_type = (uint8_t)(rest->reply_dport >> 8);
		reply->icmp_code = (uint8_t)rest->reply_dport;
	} else {
		reply->sport = rest->reply_sport;
		reply->dport = rest->reply_dport;
	}
	reply->zone = rest->reply_zone;
	if (rest->labels != NO_LABELS)
		memcpy(flow->labels, &table->labels[rest->labels],
		       sizeof(flow->labels));
	if (rest->helper)
		memcpy(flow->helper, table->helpers[rest->helper - 1], CT_HELPER_LEN);
	else
		flow->has &= ~CT_HELPER_NAME;
}

static void
unpack(const struct ct_table *table, const unsigned char *row, uint8_t family,
       struct ct_table_key *key, struct ct_flow *flow)
{
	struct ct_tuple *reply = &flow->reply;

	unpack_key(key, row, family);
	ct_table_key_flow(key, flow);
	*reply = flow->orig;
	memset(&reply->src, 0, sizeof(reply->src));
	memset(&reply->dst, 0, sizeof(reply->dst));
	if (family == AF_INET) {
		const struct row4 *row4 = (const void *)row;

		memcpy(&reply->src, row4->reply_src, sizeof(row4->reply_src));
		memcpy(&reply->dst, row4->reply_dst, sizeof(row4->reply_dst));
		unpack_rest(table, &row4->rest, flow);
	} else {
		const struct row6 *row6 = (const void *)row;

		memcpy(&reply->src, row6->reply_src, sizeof(row6->reply_src));
		memcpy(&reply->dst, row6->reply_dst, sizeof(row6->reply_dst));
		unpack_rest(table, &row6->rest, flow);
	}
}

bool
ct_table_get(const struct ct_table *table, const struct ct_table_key *key,
	     struct ct_flow *flow)
{
	const struct list *list = key->family == AF_INET ? &table->ipv4 : &table->ipv6;
	unsigned char bytes[KEY_MAX];
	struct ct_table_key found;
	size_t place;

	pack_key(bytes, key);
	place = lower_bound(list, bytes);
	if (place == list->count ||
	    memcmp(row_at(list, place), bytes, list->key_size) != 0)
		return false;
	unpack(table, row_at(list, place), key->family, &found, flow);
	return true;
}

/* Behind the key, and in both lists alike. */
static const struct rest *
rest_of(const unsigned char *row, uint8_t family)
{
	if (family == AF_INET)
		return &((const struct row4 *)(const void *)row)->rest;
	return &((const struct row6 *)(const void *)row)->rest;
}

/*
 * The first place of a list that is behind the key.  All flows of IPv4 come before
 * those of IPv6 of the same zone and protocol.
 */
static size_t
place_behind(const struct list *list, const struct ct_table_key *key, bool inclusive,
	     uint8_t family)
{
	unsigned char bytes[KEY_MAX];
	size_t place;

	if (key->family == family) {
		pack_key(bytes, key);
	} else {
		put_u16(bytes, key->zone);
		bytes[2] = key->proto;
		memset(bytes + 3, family == AF_INET ? 0xff : 0, KEY_MAX - 3);
	}
	place = lower_bound(list, bytes);
	if (!inclusive && place < list->count && key->family == family &&
	    memcmp(row_at(list, place), bytes, list->key_size) == 0)
		place++;
	return place;
}

static const unsigned char *
row_behind(const struct list *list, const struct ct_table_key *key, bool inclusive,
	   uint64_t wanted, uint8_t family)
{
	size_t place = place_behind(list, key, inclusive, family);

	for (; place < list->count; place++) {
		const unsigned char *row = row_at(list, place);

		if (wanted == 0 || rest_of(row, family)->has & wanted)
			return row;
	}
	return NULL;
}

bool
ct_table_next(const struct ct_table *table, struct ct_table_key *key, bool inclusive,
	      uint64_t wanted, struct ct_flow *flow)
{
	const unsigned char *row, *row4, *row6;

	if (wanted != 0 && !(table->has & wanted))
		return false;
	/* Mostly it is of the same family, zone and protocol as the one before. */
	row = row_behind(key->family == AF_INET ? &table->ipv4 : &table->ipv6, key,
			 inclusive, wanted, key->family);
	if (row && get_u16(row) == key->zone && row[2] == key->proto) {
		unpack(table, row, key->family, key, flow);
		return true;
	}
	row4 = key->family == AF_INET
		       ? row
		       : row_behind(&table->ipv4, key, inclusive, wanted, AF_INET);
	row6 = key->family == AF_INET6
		       ? row
		       : row_behind(&table->ipv6, key, inclusive, wanted, AF_INET6);
	if (!row4 && !row6)
		return false;
	/* By zone and protocol, and then IPv4 first. */
	if (row4 && (!row6 || memcmp(row4, row6, 3) <= 0))
		unpack(table, row4, AF_INET, key, flow);
	else
		unpack(table, row6, AF_INET6, key, flow);
	return true;
}
