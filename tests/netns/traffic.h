/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the traffic generator share: a row of its table of kinds, and
 * sockets in the client's and the server's network namespaces.
 *
 * Nothing here returns an error unless it says so: a test program that cannot do what
 * it was asked for says what failed and ends with status 1.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define CLIENT4 "10.0.1.2"
#define SERVER4 "10.0.2.2"
#define VIRTUAL4 "192.0.2.2"    /* the gateway translates it to SERVER4 */
#define SWALLOW4 "198.51.100.7" /* answers nothing */

#define CLIENT6 "fd00:1::2"
#define SERVER6 "fd00:2::2"
#define VIRTUAL6 "2001:db8::2"
#define SWALLOW6 "2001:db8:dead::7"

enum side {
	CLIENT,
	SERVER,
};

/* The two ends of one flow: sockets in the client and in the server. */
struct pair {
	int client;
	int server;
};

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* One kind of traffic: where the client sends, and where the server gets it. */
struct kind {
	const char *name;
	/* Returns 0, or -errno when this kernel does not have the protocol. */
	int (*run)(const struct kind *kind);
	const char *to;
	uint16_t port;
	const char *at;   /* NULL: the same as TO */
	uint16_t at_port; /* 0: the same as PORT */
	int protocol;
	const char *needs; /* a word of CONNTAP_LAB_HAS */
};

/* traffic.c */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* traffic_net.c */
void net_open(void);

/* A socket in that side's namespace, or -errno.  Closing a stream resets it. */
int net_socket(enum side side, int family, int type, int protocol);

/* A socket bound to HOST and PORT, listening if it is a stream, or -errno. */
int net_bound(enum side side, int type, int protocol, const char *host, uint16_t port);

/* Connects to HOST and PORT, from the local port FROM unless that is 0. */
int net_connect(enum side side, const char *host, uint16_t port, uint16_t from);

int net_accept(int listener);

/* The local port of FD. */
uint16_t net_port(int fd);

socklen_t net_address(union address *address, const char *host, uint16_t port);

int net_family(const char *host);

/* Waits until FD is ready for EVENTS; WHAT names the wait when it takes too long. */
void net_wait(int fd, short events, const char *what);

void net_send(int fd, const void *data, size_t size);

/* Waits for data; returns its length, 0 at the end of a stream. */
size_t net_receive(int fd, void *data, size_t size, const char *what);

/*
 * Waits until both ends of a stream have acknowledged everything: the flow's counters
 * do not move any more.
 */
void net_settle(struct pair pair);

/* Sends a few bytes both ways and settles. */
void net_exchange(struct pair pair);

/* A connected stream for KIND, with data exchanged. */
struct pair net_stream(const struct kind *kind);

/* The source port that belongs to KIND, so that one run's flows are like another's. */
uint16_t kind_source(const struct kind *kind);

const char *kind_at(const struct kind *kind);

uint16_t kind_at_port(const struct kind *kind);

/* traffic_raw.c: packets made by hand */
int raw_echo(const struct kind *kind);

int raw_echo_unanswered(const struct kind *kind);

int raw_sctp(const struct kind *kind);

int raw_sctp_init(const struct kind *kind);

int raw_dccp(const struct kind *kind);

int raw_gre(const struct kind *kind);

int raw_other(const struct kind *kind);

/* traffic_helper.c: protocols with a conntrack helper */
int helper_ftp_passive(const struct kind *kind);

int helper_ftp_active(const struct kind *kind);

int helper_tftp(const struct kind *kind);

int helper_pptp(const struct kind *kind);

#endif
