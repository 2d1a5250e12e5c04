/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets made by hand, for protocols without sockets of their own in the kernel. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "traffic.h"

#define PACKET_SIZE 512

struct sctp_packet {
	uint16_t source;
	uint16_t dest;
	uint32_t tag;
	uint32_t checksum;
	uint8_t chunk;
	uint8_t flags;
	uint16_t length; /* of the chunk */
	uint32_t body[6];
};

enum sctp_chunk {
	SCTP_INIT = 1,
	SCTP_INIT_ACK = 2,
	SCTP_COOKIE_ECHO = 10,
	SCTP_COOKIE_ACK = 11,
};

#define SCTP_CLIENT_TAG 0xc11e4701
#define SCTP_SERVER_TAG 0x5e47e402

/* A raw socket at either end: without one the kernel says "protocol unreachable". */
static struct pair
raw_pair(const struct kind *kind)
{
	int family = net_family(kind->to);
	struct pair pair = {
		.client = net_socket(CLIENT, family, SOCK_RAW, kind->protocol),
		.server = net_socket(SERVER, family, SOCK_RAW, kind->protocol),
	};

	if (pair.client < 0 || pair.server < 0)
		fail("cannot open a raw socket for protocol %d", kind->protocol);
	return pair;
}

static void
raw_send(int fd, const char *host, const void *data, size_t size)
{
	union address to;
	socklen_t length = net_address(&to, host, 0);

	if (sendto(fd, data, size, 0, &to.any, length) != (ssize_t)size)
		fail("send a packet to %s: %s", host, strerror(errno));
}

/* The payload: raw sockets give the header of IPv4 with it, but not that of IPv6. */
static size_t
raw_receive(int fd, int family, uint8_t data[PACKET_SIZE], const char *what)
{
	size_t size = net_receive(fd, data, PACKET_SIZE, what);
	size_t header = family == AF_INET ? (data[0] & 0x0f) * 4 : 0;

	if (size < header)
		fail("%s is too short", what);
	memmove(data, data + header, size - header);
	return size - header;
}

static void
raw_round_trip(const struct kind *kind, const void *data, size_t size)
{
	struct pair pair = raw_pair(kind);
	int family = net_family(kind->to);
	uint8_t packet[PACKET_SIZE];

	raw_send(pair.client, kind->to, data, size);
	raw_receive(pair.server, family, packet, "the client's packet");
	raw_send(pair.server, family == AF_INET6 ? CLIENT6 : CLIENT4, data, size);
	raw_receive(pair.client, family, packet, "the server's packet");
}

/* The checksum of the Internet protocols, continued from SUM. */
static uint32_t
sum_words(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < size; i++)
		sum += (uint32_t)byte[i] << (i % 2 ? 0 : 8);
	return sum;
}

static uint16_t
sum_finish(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

static int
send_echo(const struct kind *kind)
{
	int family = net_family(kind->to);
	/* ICMPv6 has the same layout; the kernel fills in its checksum. */
	struct icmphdr echo = {
		.type = family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
		.un.echo.id = htons(kind_source(kind)),
		.un.echo.sequence = htons(1),
	};
	int fd = net_socket(CLIENT, family, SOCK_RAW, kind->protocol);

	if (fd < 0)
		fail("cannot open a raw socket: %s", strerror(-fd));
	if (family == AF_INET)
		echo.checksum = sum_finish(sum_words(&echo, sizeof(echo), 0));
	raw_send(fd, kind->to, &echo, sizeof(echo));
	return fd;
}

int
raw_echo_unanswered(const struct kind *kind)
{
	send_echo(kind);
	return 0;
}

int
raw_echo(const struct kind *kind)
{
	int family = net_family(kind->to);
	uint8_t reply = family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
	uint8_t packet[PACKET_SIZE];
	int fd = send_echo(kind);

	/* Neighbour discovery arrives here as well. */
	do
		raw_receive(fd, family, packet, "the echo");
	while (packet[0] != reply);
	return 0;
}

static uint32_t
crc32c(const void *data, size_t size)
{
	const uint8_t *byte = data;
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < size; i++) {
		crc ^= byte[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* TAG is the receiver's, OWN_TAG what the sender announces in INIT and INIT ACK. */
static size_t
sctp_make(struct sctp_packet *packet, enum sctp_chunk chunk, uint32_t tag,
	  uint32_t own_tag)
{
	static const size_t body_sizes[] = {
		[SCTP_INIT] = 16,
		[SCTP_INIT_ACK] = 24,
		[SCTP_COOKIE_ECHO] = 4,
		[SCTP_COOKIE_ACK] = 0,
	};
	size_t body = body_sizes[chunk];
	size_t size = offsetof(struct sctp_packet, body) + body;

	packet->tag = htonl(tag);
	packet->checksum = 0;
	packet->chunk = chunk;
	packet->flags = 0;
	packet->length = htons(4 + body);
	if (chunk == SCTP_COOKIE_ECHO) {
		packet->body[0] = htonl(0xc00c1e00);
	} else {
		packet->body[0] = htonl(own_tag);
		packet->body[1] = htonl(65536);       /* window */
		packet->body[2] = htonl(1 << 16 | 1); /* streams out and in */
		packet->body[3] = htonl(1);           /* first sequence number */
		packet->body[4] = htonl(7 << 16 | 8); /* the cookie, 8 bytes long */
		packet->body[5] = htonl(0xc00c1e00);
	}
	packet->checksum = htole32(crc32c(packet, size));
	return size;
}

static void
sctp_pass(int from, int to, const char *host, const struct sctp_packet *packet,
	  size_t size)
{
	uint8_t arrived[PACKET_SIZE];

	raw_send(from, host, packet, size);
	if (raw_receive(to, net_family(host), arrived, "an SCTP packet") != size)
		fail("an SCTP packet changed on its way");
}

int
raw_sctp(const struct kind *kind)
{
	const char *client = net_family(kind->to) == AF_INET6 ? CLIENT6 : CLIENT4;
	struct pair pair = raw_pair(kind);
	struct sctp_packet there = {
		.source = htons(kind_source(kind)),
		.dest = htons(kind->port),
	};
	struct sctp_packet back = { .source = there.dest, .dest = there.source };
	size_t size;

	size = sctp_make(&there, SCTP_INIT, 0, SCTP_CLIENT_TAG);
	sctp_pass(pair.client, pair.server, kind->to, &there, size);
	size = sctp_make(&back, SCTP_INIT_ACK, SCTP_CLIENT_TAG, SCTP_SERVER_TAG);
	sctp_pass(pair.server, pair.client, client, &back, size);
	size = sctp_make(&there, SCTP_COOKIE_ECHO, SCTP_SERVER_TAG, SCTP_CLIENT_TAG);
	sctp_pass(pair.client, pair.server, kind->to, &there, size);
	size = sctp_make(&back, SCTP_COOKIE_ACK, SCTP_CLIENT_TAG, SCTP_SERVER_TAG);
	sctp_pass(pair.server, pair.client, client, &back, size);
	return 0;
}

int
raw_sctp_init(const struct kind *kind)
{
	struct pair pair = raw_pair(kind);
	struct sctp_packet packet = {
		.source = htons(kind_source(kind)),
		.dest = htons(kind->port),
	};
	size_t size = sctp_make(&packet, SCTP_INIT, 0, SCTP_CLIENT_TAG);

	raw_send(pair.client, kind->to, &packet, size);
	return 0;
}

/* A valid DCCP request.  New kernels see nothing but protocol 33 in it. */
int
raw_dccp(const struct kind *kind)
{
	struct {
		uint16_t source;
		uint16_t dest;
		uint8_t data_offset; /* in words */
		uint8_t coverage;
		uint16_t checksum;
		uint8_t type; /* 0, a request, and X: long sequence numbers */
		uint8_t sequence[7];
		uint32_t service;
	} request = {
		.source = htons(kind_source(kind)),
		.dest = htons(kind->port),
		.data_offset = sizeof(request) / 4,
		.type = 1,
		.sequence = { [6] = 1 },
		.service = htonl(1),
	};
	struct {
		struct in_addr source;
		struct in_addr dest;
		uint16_t protocol;
		uint16_t length;
	} pseudo = { .protocol = htons(IPPROTO_DCCP),
		     .length = htons(sizeof(request)) };
	struct pair pair = raw_pair(kind);
	uint8_t packet[PACKET_SIZE];

	inet_pton(AF_INET, CLIENT4, &pseudo.source);
	inet_pton(AF_INET, kind->to, &pseudo.dest);
	request.checksum = sum_finish(sum_words(&request, sizeof(request),
						sum_words(&pseudo, sizeof(pseudo), 0)));
	raw_send(pair.client, kind->to, &request, sizeof(request));
	raw_receive(pair.server, AF_INET, packet, "the DCCP request");
	return 0;
}

/* Version 0 around nothing: conntrack has no key for it. */
int
raw_gre(const struct kind *kind)
{
	const uint16_t gre[] = { 0, htons(0x0800) };

	raw_round_trip(kind, gre, sizeof(gre));
	return 0;
}

int
raw_other(const struct kind *kind)
{
	raw_round_trip(kind, "hello", 5);
	return 0;
}
