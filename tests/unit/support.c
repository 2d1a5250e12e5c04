/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static uint64_t
first_seed(void)
{
	const char *given = getenv("SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given ? strtoull(given, NULL, 0)
		     : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	print_message("# SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

/* Splitmix64. */
uint64_t
random_u64(void)
{
	static uint64_t state;
	static bool seeded;
	uint64_t z;

	if (!seeded)
		state = first_seed();
	seeded = true;
	z = state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t
random_below(uint32_t limit)
{
	return (uint32_t)(random_u64() >> 32) % limit;
}

void
random_bytes(void *bytes, size_t size)
{
	uint8_t *at = bytes;

	while (size-- > 0)
		*at++ = (uint8_t)random_u64();
}

void
guard_init(struct guard *guard, size_t room)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t used = (room + page - 1) / page * page;

	guard->map_size = used + page;
	guard->map = mmap(NULL, guard->map_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(guard->map != MAP_FAILED);
	guard->end = guard->map + used;
	assert_int_equal(mprotect(guard->end, page, PROT_NONE), 0);
}

void
guard_done(struct guard *guard)
{
	munmap(guard->map, guard->map_size);
}

static int
is_message_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".nl") == 0;
}

static uint8_t *
read_file(const char *path, size_t *size)
{
	FILE *stream = fopen(path, "rb");
	uint8_t *bytes;
	long length;

	if (!stream)
		fail_msg("%s cannot be opened", path);
	fseek(stream, 0, SEEK_END);
	length = ftell(stream);
	rewind(stream);
	assert_true(length > 0);
	*size = (size_t)length;
	bytes = malloc(*size);
	assert_non_null(bytes);
	if (fread(bytes, 1, *size, stream) != *size)
		fail_msg("%s cannot be read", path);
	fclose(stream);
	return bytes;
}

static void
each_of_file(const char *directory, const char *file, message_fn message, void *data)
{
	const struct nlmsghdr *header;
	char path[512], name[300];
	size_t size, offset = 0;
	uint8_t *bytes;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	bytes = read_file(path, &size);
	for (unsigned int i = 0; offset < size; i++) {
		header = (const void *)(bytes + offset);
		if (size - offset < sizeof(*header) ||
		    header->nlmsg_len < sizeof(*header) ||
		    header->nlmsg_len > size - offset)
			fail_msg("%s does not hold whole messages", path);
		snprintf(name, sizeof(name), "%s#%u", file, i);
		message(name, header, data);
		offset += NLMSG_ALIGN(header->nlmsg_len);
	}
	free(bytes);
}

void
each_message(message_fn message, void *data)
{
	const char *directory = getenv("CONNTAP_DATA");
	struct dirent **files;
	int count;

	if (!directory)
		directory = "tests/data";
	count = scandir(directory, &files, is_message_file, alphasort);
	if (count <= 0)
		fail_msg("there are no messages in %s", directory);
	for (int i = 0; i < count; i++) {
		each_of_file(directory, files[i]->d_name, message, data);
		free(files[i]);
	}
	free(files);
}

struct ct_addr
addr_of(const char *word)
{
	struct ct_addr addr = { { 0 } };

	if (inet_pton(strchr(word, ':') ? AF_INET6 : AF_INET, word, addr.bytes) != 1)
		fail_msg("%s is not an address", word);
	return addr;
}

static void
fill_tuple(struct ct_tuple *tuple, uint8_t proto, const char *src, const char *dst)
{
	tuple->src = addr_of(src);
	tuple->dst = addr_of(dst);
	tuple->family = strchr(src, ':') ? AF_INET6 : AF_INET;
	tuple->proto = proto;
	tuple->has = CT_TUPLE_ADDRS | CT_TUPLE_PROTO;
}

static struct ct_flow
pair_of(uint8_t proto, const char *src, const char *dst)
{
	struct ct_flow flow;

	memset(&flow, 0, sizeof(flow));
	flow.has = CT_ORIG_TUPLE | CT_REPLY_TUPLE;
	fill_tuple(&flow.orig, proto, src, dst);
	fill_tuple(&flow.reply, proto, dst, src);
	flow.master.family = flow.orig.family;
	return flow;
}

struct ct_flow
flow_of(uint8_t proto, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	struct ct_flow flow = pair_of(proto, src, dst);

	flow.orig.sport = flow.reply.dport = sport;
	flow.orig.dport = flow.reply.sport = dport;
	flow.orig.has |= CT_TUPLE_PORTS;
	flow.reply.has |= CT_TUPLE_PORTS;
	return flow;
}

struct ct_flow
echo_of(const char *src, const char *dst, uint16_t id)
{
	bool v6 = strchr(src, ':') != NULL;
	struct ct_flow flow = pair_of(v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, src, dst);

	flow.orig.icmp_type = v6 ? 128 : 8;
	flow.reply.icmp_type = v6 ? 129 : 0;
	flow.orig.icmp_id = flow.reply.icmp_id = id;
	flow.orig.has |= CT_TUPLE_ICMP;
	flow.reply.has |= CT_TUPLE_ICMP;
	return flow;
}

void
assert_flow_equal(const char *name, const struct ct_flow *flow,
		  const struct ct_flow *expected)
{
	const uint8_t *a = (const uint8_t *)flow, *b = (const uint8_t *)expected;

	for (size_t i = 0; i < sizeof(*flow); i++)
		if (a[i] != b[i])
			fail_msg("%s: byte %zu of the flow is %#x, expected %#x", name,
				 i, a[i], b[i]);
}
