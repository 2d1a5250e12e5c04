/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bare_agent SOCKET ROWS: a subagent with the least that a table of flows can be, to
 * compare the real one with: rows like those of flood, made up, in a sorted array, and
 * one handler that finds the next by halves.  It stays until it is killed.
 *
 * Its objects are below enterprises.8072.9999.9999.77777, with the numbers and types of
 * conntapFlowTable; only GETNEXT is answered.  One row of it has, behind the column,
 *
 *	zone.protocol.type.length.source.type.length.destination.port.port
 */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "bare_agent"

/* Numbers in network order, so that bytes are in the order of names. */
struct key {
	uint8_t zone[2];
	uint8_t proto;
	uint8_t type; /* 1: IPv4, 2: IPv6 */
	uint8_t src[16];
	uint8_t dst[16];
	uint8_t sport[2];
	uint8_t dport[2];
};

struct row {
	struct key key;
	uint64_t counters[4];
	uint32_t timeout;
	uint32_t id;
	uint8_t status[2];
	uint8_t start[11];
};

/* Those of conntapFlowTable that all flows have. */
enum column {
	STATUS = 9,
	TIMEOUT = 11,
	ORIG_PACKETS = 13,
	REPLY_BYTES = 16,
	REPLY_SRC = 18,
	REPLY_DST = 21,
	START = 23,
	ID = 26,
	END,
};

static const oid root[] = { 1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 77777, 1, 3, 1, 1 };

static struct row *rows;
static size_t count;

static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static void
put_u16(uint8_t at[2], uint64_t number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
}

static void
put_u32(uint8_t at[4], uint64_t number)
{
	put_u16(at, number >> 16);
	put_u16(at + 2, number);
}

static uint8_t
make_proto(uint64_t random)
{
	unsigned int percent = random % 100;

	if (percent < 60)
		return IPPROTO_TCP;
	if (percent < 90)
		return IPPROTO_UDP;
	if (percent < 95)
		return random >> 12 & 3 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	return IPPROTO_SCTP;
}

/* As flood does: every fifth is IPv6, servers are few, clients and ports differ. */
static void
make_row(struct row *row, uint32_t number)
{
	static const uint8_t start[] = { 7, 0xea, 11, 22, 11, 12, 13, 1, '+', 0, 0 };
	static const uint16_t services[] = { 443, 80, 53, 22, 25, 123, 993, 8080 };
	uint32_t client = number * 0x9e3779b1u;
	uint64_t random = mix(number);
	struct key *key = &row->key;

	key->proto = make_proto(random);
	key->type = (random >> 12) % 5 == 0 ? 2 : 1;
	if (key->type == 1) {
		put_u32(key->src, 0x0a000000 | client >> 15);
		put_u32(key->dst, 0xc6120000 | (random >> 40 & 0xfff));
	} else {
		put_u32(key->src, 0x20010db8);
		put_u32(key->src + 12, client >> 15);
		put_u32(key->dst, 0x20010db8);
		put_u32(key->dst + 8, random >> 40 & 0xfff);
	}
	put_u16(key->sport, 0x8000 | (client & 0x7fff));
	put_u16(key->dport, services[random >> 32 & 7]);
	for (int i = 0; i < 4; i++)
		row->counters[i] = mix(random + (uint64_t)i) >> 24;
	row->timeout = (uint32_t)(random >> 16) % 432000;
	row->id = (uint32_t)random;
	row->status[0] = 0x70;
	row->status[1] = 0x10;
	memcpy(row->start, start, sizeof(start));
}

static int
by_key(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	return memcmp(&left->key, &right->key, sizeof(left->key));
}

static int
make_rows(const char *text)
{
	count = strtoul(text, NULL, 10);
	rows = calloc(count, sizeof(*rows));
	if (!rows)
		return -1;
	for (uint32_t i = 0; i < count; i++)
		make_row(&rows[i], i);
	qsort(rows, count, sizeof(*rows), by_key);
	return 0;
}

/* Names. */

static size_t
addr_size(uint8_t type)
{
	return type == 1 ? 4 : 16;
}

/* A name that ends early stands before all rows that go on from it. */
static void
read_key(const oid *ids, size_t length, struct key *key)
{
	oid whole[40] = { 0 };
	size_t size;

	if (length > sizeof(whole) / sizeof(*whole))
		length = sizeof(whole) / sizeof(*whole);
	memcpy(whole, ids, length * sizeof(*ids));
	memset(key, 0, sizeof(*key));
	put_u16(key->zone, whole[0]);
	key->proto = (uint8_t)whole[1];
	key->type = (uint8_t)whole[2];
	size = addr_size(key->type);
	for (size_t i = 0; i < size; i++) {
		key->src[i] = (uint8_t)whole[4 + i];
		key->dst[i] = (uint8_t)whole[6 + size + i];
	}
	put_u16(key->sport, whole[6 + 2 * size]);
	put_u16(key->dport, whole[7 + 2 * size]);
}

static oid *
write_addr(oid *at, uint8_t type, const uint8_t *addr)
{
	size_t size = addr_size(type);

	*at++ = type;
	*at++ = size;
	for (size_t i = 0; i < size; i++)
		*at++ = addr[i];
	return at;
}

static void
write_name(netsnmp_variable_list *variable, oid column, const struct key *key)
{
	oid name[MAX_OID_LEN], *at = name + OID_LENGTH(root);

	memcpy(name, root, sizeof(root));
	*at++ = column;
	*at++ = (oid)key->zone[0] << 8 | key->zone[1];
	*at++ = key->proto;
	at = write_addr(at, key->type, key->src);
	at = write_addr(at, key->type, key->dst);
	*at++ = (oid)key->sport[0] << 8 | key->sport[1];
	*at++ = (oid)key->dport[0] << 8 | key->dport[1];
	snmp_set_var_objid(variable, name, (size_t)(at - name));
}

/* Answers. */

static void
write_octets(netsnmp_variable_list *variable, const uint8_t *octets, size_t size)
{
	snmp_set_var_typed_value(variable, ASN_OCTET_STR, octets, size);
}

static void
write_counter(netsnmp_variable_list *variable, uint64_t number)
{
	struct counter64 wide = { number >> 32, number & 0xffffffff };

	snmp_set_var_typed_value(variable, ASN_COUNTER64, &wide, sizeof(wide));
}

static void
write_value(netsnmp_variable_list *variable, oid column, const struct row *row)
{
	size_t size = addr_size(row->key.type);

	if (column >= ORIG_PACKETS && column <= REPLY_BYTES)
		write_counter(variable, row->counters[column - ORIG_PACKETS]);
	else if (column == STATUS)
		write_octets(variable, row->status, sizeof(row->status));
	else if (column == REPLY_SRC)
		write_octets(variable, row->key.dst, size);
	else if (column == REPLY_DST)
		write_octets(variable, row->key.src, size);
	else if (column == START)
		write_octets(variable, row->start, sizeof(row->start));
	else
		snmp_set_var_typed_integer(variable, ASN_GAUGE,
					   column == ID ? row->id : row->timeout);
}

/* The first row that is greater; NULL. */
static const struct row *
row_behind(const struct key *key)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(&rows[middle].key, key, sizeof(*key)) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count ? &rows[low] : NULL;
}

static void
next(netsnmp_variable_list *variable)
{
	size_t length = variable->name_length, skip = OID_LENGTH(root) + 1;
	const struct row *row = rows;
	oid column = STATUS;
	struct key key;

	if (length >= skip &&
	    snmp_oid_ncompare(variable->name, length, root, skip - 1, skip - 1) == 0)
		column = variable->name[skip - 1];
	if (column < STATUS)
		column = STATUS;
	if (length > skip) {
		read_key(variable->name + skip, length - skip, &key);
		row = row_behind(&key);
	}
	if (!row) {
		row = rows;
		column++;
	}
	if (column >= END)
		return;
	write_name(variable, column, &row->key);
	write_value(variable, column, row);
}

static int
handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
       netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	(void)handler;
	(void)registration;
	for (; requests && info->mode == MODE_GETNEXT; requests = requests->next)
		if (!requests->processed)
			next(requests->requestvb);
	return SNMP_ERR_NOERROR;
}

static void
set_up(const char *socket)
{
	setenv("MIBS", "", 1);
	snmp_enable_stderrlog();
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE,
			       1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS,
			       1);
	netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET,
			      socket);
	netsnmp_enable_subagent();
	init_agent(NAME);
	netsnmp_register_handler(netsnmp_create_handler_registration(
		NAME, handle, root, OID_LENGTH(root), HANDLER_CAN_RONLY));
	init_snmp(NAME);
}

int
main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: bare_agent SOCKET ROWS\n", stderr);
		return 2;
	}
	if (make_rows(argv[2]) < 0 || count == 0) {
		fputs("bare_agent: no memory for these rows\n", stderr);
		return EXIT_FAILURE;
	}
	set_up(argv[1]);
	while (1)
		agent_check_and_process(1);
}
