/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protocols with a conntrack helper: a control flow, and a flow expected from it. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "traffic.h"

#define LINE_SIZE 128
#define HOST_SIZE 48

/* Sends a line; LINE is what arrives, which a helper may have rewritten on the way. */
__attribute__((format(printf, 4, 5))) static void
say(int from, int to, char line[LINE_SIZE], const char *format, ...)
{
	va_list args;
	size_t size;
	int n;

	va_start(args, format);
	n = vsnprintf(line, LINE_SIZE, format, args);
	va_end(args);
	if (n < 0 || n >= LINE_SIZE)
		fail("line too long");
	net_send(from, line, n);
	for (size = 0; size == 0 || line[size - 1] != '\n'; size += n) {
		n = net_receive(to, line + size, LINE_SIZE - 1 - size, "an FTP line");
		if (n == 0)
			fail("an FTP line has no end");
	}
	line[size] = '\0';
}

/* The helper looks only at lines after the first, in either direction. */
static struct pair
ftp_login(const struct kind *kind)
{
	struct pair pair = net_stream(kind);
	char line[LINE_SIZE];

	say(pair.server, pair.client, line, "220 lab\r\n");
	say(pair.client, pair.server, line, "USER lab\r\n");
	say(pair.server, pair.client, line, "230 come in\r\n");
	return pair;
}

/* Reads h1,h2,h3,h4,p1,p2. */
static uint16_t
ftp_parse(const char *text, char host[HOST_SIZE])
{
	unsigned n[6];

	if (!text || sscanf(text, "%u,%u,%u,%u,%u,%u", &n[0], &n[1], &n[2], &n[3],
			    &n[4], &n[5]) != 6)
		fail("no address in the FTP line");
	snprintf(host, HOST_SIZE, "%u.%u.%u.%u", n[0], n[1], n[2], n[3]);
	return n[4] << 8 | n[5];
}

/* The form of ftp_parse(). */
static void
ftp_format(char text[HOST_SIZE], const char *host, uint16_t port)
{
	snprintf(text, HOST_SIZE, "%s,%u,%u", host, port >> 8, port & 0xff);
	for (char *dot = text; (dot = strchr(dot, '.'));)
		*dot = ',';
}

static uint16_t
ftp_ask_passive(struct pair pair, int listener, const char *at, char host[HOST_SIZE])
{
	char line[LINE_SIZE];
	char address[HOST_SIZE];
	const char *bracket;
	unsigned port;

	if (net_family(at) == AF_INET) {
		say(pair.client, pair.server, line, "PASV\r\n");
		ftp_format(address, at, net_port(listener));
		say(pair.server, pair.client, line,
		    "227 Entering Passive Mode (%s)\r\n", address);
		bracket = strchr(line, '(');
		return ftp_parse(bracket ? bracket + 1 : NULL, host);
	}
	say(pair.client, pair.server, line, "EPSV\r\n");
	say(pair.server, pair.client, line,
	    "229 Entering Extended Passive Mode (|||%u|)\r\n", net_port(listener));
	if (sscanf(line, "229 Entering Extended Passive Mode (|||%u|)", &port) != 1)
		fail("no port in the FTP line");
	snprintf(host, HOST_SIZE, "%s", at);
	return port;
}

static uint16_t
ftp_tell_active(struct pair pair, int listener, int family, char host[HOST_SIZE])
{
	char line[LINE_SIZE];
	char address[HOST_SIZE];
	unsigned port;

	if (family == AF_INET) {
		ftp_format(address, CLIENT4, net_port(listener));
		say(pair.client, pair.server, line, "PORT %s\r\n", address);
		return ftp_parse(line + strlen("PORT "), host);
	}
	say(pair.client, pair.server, line, "EPRT |2|%s|%u|\r\n", CLIENT6,
	    net_port(listener));
	if (sscanf(line, "EPRT |2|%47[^|]|%u|", host, &port) != 2)
		fail("no address in the FTP line");
	return port;
}

int
helper_ftp_passive(const struct kind *kind)
{
	struct pair pair = ftp_login(kind);
	int listener = net_bound(SERVER, SOCK_STREAM, IPPROTO_TCP, kind_at(kind), 0);
	char line[LINE_SIZE];
	char host[HOST_SIZE];
	struct pair data;
	uint16_t port;

	port = ftp_ask_passive(pair, listener, kind_at(kind), host);
	data.client = net_connect(CLIENT, host, port, 0);
	data.server = net_accept(listener);
	close(listener);
	net_exchange(data);
	say(pair.server, pair.client, line, "150 here it comes\r\n");
	net_settle(pair);
	return 0;
}

int
helper_ftp_active(const struct kind *kind)
{
	int family = net_family(kind->to);
	struct pair pair = ftp_login(kind);
	int listener = net_bound(CLIENT, SOCK_STREAM, IPPROTO_TCP,
				 family == AF_INET6 ? CLIENT6 : CLIENT4, 0);
	char line[LINE_SIZE];
	char host[HOST_SIZE];
	struct pair data;
	uint16_t port;

	port = ftp_tell_active(pair, listener, family, host);
	say(pair.server, pair.client, line, "200 I shall call\r\n");
	data.server = net_connect(SERVER, host, port, 0);
	data.client = net_accept(listener);
	close(listener);
	net_exchange(data);
	net_settle(pair);
	return 0;
}

/* The server answers from a port of its own, not from the one that was asked. */
int
helper_tftp(const struct kind *kind)
{
	static const char request[] = "\0\1file\0octet";
	union address to, from;
	socklen_t length = net_address(&to, kind->to, kind->port);
	int client = net_bound(CLIENT, SOCK_DGRAM, 0, CLIENT4, kind_source(kind));
	int server = net_bound(SERVER, SOCK_DGRAM, 0, kind->to, kind->port);
	int data = net_bound(SERVER, SOCK_DGRAM, 0, kind->to, 0);
	char packet[64];

	if (sendto(client, request, sizeof(request), 0, &to.any, length) < 0)
		fail("send a request: %s", strerror(errno));
	net_wait(server, POLLIN, "the request");
	length = sizeof(from);
	if (recvfrom(server, packet, sizeof(packet), 0, &from.any, &length) < 0)
		fail("receive a request: %s", strerror(errno));
	if (connect(data, &from.any, length) < 0)
		fail("connect: %s", strerror(errno));
	net_send(data, "\0\3\0\1hello", 9);
	net_wait(client, POLLIN, "the first block");
	length = sizeof(from);
	if (recvfrom(client, packet, sizeof(packet), 0, &from.any, &length) != 9)
		fail("receive a block: %s", strerror(errno));
	if (sendto(client, "\0\4\0\1", 4, 0, &from.any, length) < 0)
		fail("acknowledge a block: %s", strerror(errno));
	net_receive(data, packet, sizeof(packet), "the acknowledgement");
	return 0;
}

/* All PPTP control messages of RFC 2637 begin like this. */
struct pptp_message {
	uint16_t length;
	uint16_t kind;
	uint32_t magic;
	uint16_t type;
	uint16_t zero;
	uint16_t body[78];
};

enum pptp_type {
	PPTP_START_REQUEST = 1,
	PPTP_START_REPLY = 2,
	PPTP_CALL_REQUEST = 7,
	PPTP_CALL_REPLY = 8,
};

#define PPTP_CLIENT_CALL 0x0101
#define PPTP_SERVER_CALL 0x0202

static void
pptp_pass(int from, int to, enum pptp_type type, uint16_t first, uint16_t second,
	  uint16_t third)
{
	static const uint16_t lengths[] = {
		[PPTP_START_REQUEST] = 156,
		[PPTP_START_REPLY] = 156,
		[PPTP_CALL_REQUEST] = 168,
		[PPTP_CALL_REPLY] = 32,
	};
	struct pptp_message message = {
		.length = htons(lengths[type]),
		.kind = htons(1), /* control */
		.magic = htonl(0x1a2b3c4d),
		.type = htons(type),
		.body = { htons(first), htons(second), htons(third) },
	};

	net_send(from, &message, lengths[type]);
	if (net_receive(to, &message, sizeof(message), "a PPTP message") !=
	    lengths[type])
		fail("a PPTP message was cut");
}

/* GRE of version 1 with a call number, the key of the flow. */
static void
pptp_data(int from, int to, const char *host, uint16_t call)
{
	const uint16_t gre[] = {
		htons(0x3001), htons(0x880b), htons(4), htons(call), 0, htons(1), 0, 0
	};
	union address address;
	socklen_t length = net_address(&address, host, 0);
	char packet[64];

	if (sendto(from, gre, sizeof(gre), 0, &address.any, length) < 0)
		fail("send GRE: %s", strerror(errno));
	net_receive(to, packet, sizeof(packet), "a GRE packet");
}

int
helper_pptp(const struct kind *kind)
{
	const uint16_t version = 0x0100;
	const uint16_t good = 1 << 8; /* the result, then an error code of 0 */
	struct pair pair = {
		.client = net_socket(CLIENT, AF_INET, SOCK_RAW, IPPROTO_GRE),
		.server = net_socket(SERVER, AF_INET, SOCK_RAW, IPPROTO_GRE),
	};
	struct pair control;
	int listener =
		net_bound(SERVER, SOCK_STREAM, IPPROTO_TCP, kind_at(kind), kind->port);

	if (pair.client < 0 || pair.server < 0)
		fail("cannot open raw sockets for GRE");
	control.client = net_connect(CLIENT, kind->to, kind->port, kind_source(kind));
	control.server = net_accept(listener);
	close(listener);
	pptp_pass(control.client, control.server, PPTP_START_REQUEST, version, 0, 0);
	pptp_pass(control.server, control.client, PPTP_START_REPLY, version, good, 0);
	pptp_pass(control.client, control.server, PPTP_CALL_REQUEST, PPTP_CLIENT_CALL,
		  1, 0);
	pptp_pass(control.server, control.client, PPTP_CALL_REPLY, PPTP_SERVER_CALL,
		  PPTP_CLIENT_CALL, good);
	pptp_data(pair.client, pair.server, kind->to, PPTP_SERVER_CALL);
	pptp_data(pair.server, pair.client, CLIENT4, PPTP_CLIENT_CALL);
	net_settle(control);
	return 0;
}
