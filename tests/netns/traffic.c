/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * traffic [KIND...]: makes real traffic through the gateway of lab.sh, every kind of
 * its table or those named, prints "ready" and keeps the sockets open until its
 * standard input ends.  A kind this kernel cannot do is one line "without KIND: why"
 * before that.  "traffic --list" prints the kinds.
 *
 * After "ready" no flow's counters change any more.
 */
#include <errno.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traffic.h"

static const char *current_kind = "start";

static int
tcp_established(const struct kind *kind)
{
	net_stream(kind);
	return 0;
}

/* Closed at once, the socket does not repeat its SYN: the flow's counters stay. */
static int
tcp_syn_sent(const struct kind *kind)
{
	union address to;
	socklen_t length = net_address(&to, kind->to, kind->port);
	union address from;
	const char *any = to.any.sa_family == AF_INET6 ? "::" : "0.0.0.0";
	int fd = net_socket(CLIENT, to.any.sa_family, SOCK_STREAM, IPPROTO_TCP);

	if (fd < 0)
		return fd;
	if (bind(fd, &from.any, net_address(&from, any, kind_source(kind))) < 0)
		fail("bind: %s", strerror(errno));
	if (connect(fd, &to.any, length) == 0 || errno != EINPROGRESS)
		fail("a connection that nobody answers is not in progress");
	close(fd);
	return 0;
}

/*
 * The gateway drops the last packet of the handshake.  Without its listener the server
 * does not repeat the second one.
 */
static int
tcp_syn_recv(const struct kind *kind)
{
	int listener = net_bound(SERVER, SOCK_STREAM, IPPROTO_TCP, kind_at(kind),
				 kind_at_port(kind));

	net_connect(CLIENT, kind->to, kind->port, kind_source(kind));
	close(listener);
	return 0;
}

static int
tcp_close_wait(const struct kind *kind)
{
	struct pair pair = net_stream(kind);
	char byte;

	shutdown(pair.client, SHUT_WR);
	if (net_receive(pair.server, &byte, 1, "the client's FIN") != 0)
		fail("data after the end");
	return 0;
}

static int
tcp_time_wait(const struct kind *kind)
{
	const struct linger orderly = { 0 };
	struct pair pair = net_stream(kind);
	char byte;

	setsockopt(pair.server, SOL_SOCKET, SO_LINGER, &orderly, sizeof(orderly));
	shutdown(pair.client, SHUT_WR);
	if (net_receive(pair.server, &byte, 1, "the client's FIN") != 0)
		fail("data after the end");
	close(pair.server);
	if (net_receive(pair.client, &byte, 1, "the server's FIN") != 0)
		fail("data after the end");
	close(pair.client);
	return 0;
}

static int
tcp_close(const struct kind *kind)
{
	struct pair pair = net_stream(kind);

	close(pair.server);
	net_wait(pair.client, POLLIN, "the server's RST");
	return 0;
}

static int
client_datagram(const struct kind *kind)
{
	const char *any = net_family(kind->to) == AF_INET6 ? "::" : "0.0.0.0";
	union address to;
	socklen_t length = net_address(&to, kind->to, kind->port);
	int fd = net_bound(CLIENT, SOCK_DGRAM, kind->protocol, any, kind_source(kind));

	if (fd < 0)
		return fd;
	if (connect(fd, &to.any, length) < 0)
		fail("connect a datagram socket: %s", strerror(errno));
	return fd;
}

static int
datagram_unanswered(const struct kind *kind)
{
	int fd = client_datagram(kind);

	if (fd < 0)
		return fd;
	net_send(fd, "hello", 5);
	return 0;
}

static int
datagram_answered(const struct kind *kind)
{
	union address from;
	socklen_t length = sizeof(from);
	char data[16];
	struct pair pair;

	pair.client = client_datagram(kind);
	if (pair.client < 0)
		return pair.client;
	pair.server = net_bound(SERVER, SOCK_DGRAM, kind->protocol, kind_at(kind),
				kind_at_port(kind));
	if (pair.server < 0)
		return pair.server;
	net_send(pair.client, "hello", 5);
	net_wait(pair.server, POLLIN, "the client's datagram");
	if (recvfrom(pair.server, data, sizeof(data), 0, &from.any, &length) != 5)
		fail("the client's datagram: %s", strerror(errno));
	if (sendto(pair.server, "hello, too", 10, 0, &from.any, length) != 10)
		fail("answer a datagram: %s", strerror(errno));
	if (net_receive(pair.client, data, sizeof(data), "the answer") != 10)
		fail("the answer has a wrong length");
	return 0;
}

/* Two flows with equal tuples, in zones 0 and 9. */
static int
datagram_twins(const struct kind *kind)
{
	const int tos = IPTOS_CLASS_CS1;
	int fd = client_datagram(kind);

	if (fd < 0)
		return fd;
	net_send(fd, "elder", 5);
	if (setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)) < 0)
		fail("set the class of service: %s", strerror(errno));
	net_send(fd, "younger", 7);
	return 0;
}

static const struct kind kinds[] = {
	{ "tcp4", tcp_established, SERVER4, .port = 7001 },
	{ "tcp6", tcp_established, SERVER6, .port = 7001 },
	{ "tcp4-syn-sent", tcp_syn_sent, SWALLOW4, .port = 7001 },
	{ "tcp6-syn-sent", tcp_syn_sent, SWALLOW6, .port = 7001 },
	{ "tcp4-syn-recv", tcp_syn_recv, SERVER4, .port = 7050 },
	{ "tcp4-close-wait", tcp_close_wait, SERVER4, .port = 7002 },
	{ "tcp4-time-wait", tcp_time_wait, SERVER4, .port = 7003 },
	{ "tcp6-time-wait", tcp_time_wait, SERVER6, .port = 7003 },
	{ "tcp4-close", tcp_close, SERVER4, .port = 7004 },

	{ "udp4", datagram_answered, SERVER4, .port = 7001, .protocol = IPPROTO_UDP },
	{ "udp6", datagram_answered, SERVER6, .port = 7001, .protocol = IPPROTO_UDP },
	{ "udp4-unreplied", datagram_unanswered, SWALLOW4, .port = 7001,
	  .protocol = IPPROTO_UDP },
	{ "udp6-unreplied", datagram_unanswered, SWALLOW6, .port = 7001,
	  .protocol = IPPROTO_UDP },
	{ "udplite4", datagram_answered, SERVER4, .port = 7001,
	  .protocol = IPPROTO_UDPLITE },
	{ "udplite6", datagram_answered, SERVER6, .port = 7001,
	  .protocol = IPPROTO_UDPLITE },

	{ "icmp4", raw_echo, SERVER4, .protocol = IPPROTO_ICMP },
	{ "icmp6", raw_echo, SERVER6, .protocol = IPPROTO_ICMPV6 },
	{ "icmp4-unreplied", raw_echo_unanswered, SWALLOW4, .protocol = IPPROTO_ICMP },
	{ "icmp6-unreplied", raw_echo_unanswered, SWALLOW6,
	  .protocol = IPPROTO_ICMPV6 },

	{ "sctp4", raw_sctp, SERVER4, .port = 7001, .protocol = IPPROTO_SCTP },
	{ "sctp6", raw_sctp, SERVER6, .port = 7001, .protocol = IPPROTO_SCTP },
	{ "sctp4-init", raw_sctp_init, SWALLOW4, .port = 7001,
	  .protocol = IPPROTO_SCTP },
	{ "dccp4", raw_dccp, SERVER4, .port = 7001, .protocol = IPPROTO_DCCP },
	{ "gre4", raw_gre, SERVER4, .protocol = IPPROTO_GRE },
	{ "gre6", raw_gre, SERVER6, .protocol = IPPROTO_GRE },
	{ "other4", raw_other, SERVER4, .protocol = 253 },
	{ "other6", raw_other, SERVER6, .protocol = 253 },

	{ "tcp4-snat", tcp_established, SERVER4, .port = 7010 },
	{ "tcp6-snat", tcp_established, SERVER6, .port = 7010 },
	{ "tcp4-dnat", tcp_established, VIRTUAL4, .port = 7011, .at = SERVER4,
	  .at_port = 7511 },
	{ "tcp6-dnat", tcp_established, VIRTUAL6, .port = 7011, .at = SERVER6,
	  .at_port = 7511 },
	{ "tcp4-snat-dnat", tcp_established, VIRTUAL4, .port = 7012, .at = SERVER4 },
	{ "tcp6-snat-dnat", tcp_established, VIRTUAL6, .port = 7012, .at = SERVER6 },
	{ "udp4-snat", datagram_answered, SERVER4, .port = 7010,
	  .protocol = IPPROTO_UDP },
	{ "udp6-dnat", datagram_answered, VIRTUAL6, .port = 7011, .at = SERVER6,
	  .at_port = 7511, .protocol = IPPROTO_UDP },

	{ "tcp4-zone5", tcp_established, SERVER4, .port = 7005 },
	{ "udp4-zone5", datagram_answered, SERVER4, .port = 7005,
	  .protocol = IPPROTO_UDP },
	{ "udp6-zone5", datagram_answered, SERVER6, .port = 7005,
	  .protocol = IPPROTO_UDP },
	{ "udp4-zone-orig7", datagram_answered, SERVER4, .port = 7007,
	  .protocol = IPPROTO_UDP },
	{ "udp6-zone-reply8", datagram_answered, SERVER6, .port = 7008,
	  .protocol = IPPROTO_UDP },
	{ "udp4-twins", datagram_twins, SWALLOW4, .port = 7009,
	  .protocol = IPPROTO_UDP },

	{ "tcp4-mark", tcp_established, SERVER4, .port = 7021 },
	{ "udp6-mark", datagram_answered, SERVER6, .port = 7022,
	  .protocol = IPPROTO_UDP },
	{ "tcp4-label", tcp_established, SERVER4, .port = 7030 },
	{ "udp6-label", datagram_answered, SERVER6, .port = 7031,
	  .protocol = IPPROTO_UDP },

	{ "ftp4-passive", helper_ftp_passive, SERVER4, .port = 21 },
	{ "ftp6-passive", helper_ftp_passive, SERVER6, .port = 21 },
	{ "ftp4-passive-dnat", helper_ftp_passive, VIRTUAL4, .port = 21,
	  .at = SERVER4 },
	{ "ftp4-active-snat", helper_ftp_active, SERVER4, .port = 2121 },
	{ "ftp6-active-snat", helper_ftp_active, SERVER6, .port = 2121 },
	{ "tftp4", helper_tftp, SERVER4, .port = 69 },
	{ "pptp4", helper_pptp, SERVER4, .port = 1723, .needs = "pptp" },

	{ "tcp4-synproxy", tcp_established, SERVER4, .port = 7040,
	  .needs = "synproxy" },
	{ "tcp6-synproxy", tcp_established, SERVER6, .port = 7040,
	  .needs = "synproxy" },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

void
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "traffic: %s: ", current_kind);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* Lab.pm counts the same way. */
uint16_t
kind_source(const struct kind *kind)
{
	return 40001 + (kind - kinds);
}

const char *
kind_at(const struct kind *kind)
{
	return kind->at ? kind->at : kind->to;
}

uint16_t
kind_at_port(const struct kind *kind)
{
	return kind->at_port ? kind->at_port : kind->port;
}

static int
lab_has(const char *word)
{
	const char *has = getenv("CONNTAP_LAB_HAS");

	return !word || (has && strstr(has, word));
}

static void
run_kind(const struct kind *kind)
{
	int error;

	current_kind = kind->name;
	if (!lab_has(kind->needs)) {
		printf("without %s: no %s rules on this kernel\n", kind->name,
		       kind->needs);
		return;
	}
	error = kind->run(kind);
	if (error < 0)
		printf("without %s: %s\n", kind->name, strerror(-error));
}

static void
run_named(const char *name)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			run_kind(&kinds[i]);
			return;
		}
	}
	fail("no such kind of traffic: %s", name);
}

static int
list_kinds(void)
{
	for (size_t i = 0; i < KINDS; i++)
		puts(kinds[i].name);
	return 0;
}

int
main(int argc, char **argv)
{
	char byte;

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list_kinds();
	net_open();
	for (int i = 1; i < argc; i++)
		run_named(argv[i]);
	for (size_t i = 0; argc == 1 && i < KINDS; i++)
		run_kind(&kinds[i]);
	puts("ready");
	if (fflush(stdout) != 0)
		fail("cannot write: %s", strerror(errno));
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
