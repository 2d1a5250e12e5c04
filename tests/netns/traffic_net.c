/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets in the namespaces of client and server, and bounded waits on them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "traffic.h"

#define PATIENCE_MS 5000

static int home_space;
static int spaces[2];

static int
open_space(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail("%s: %s; this runs inside lab.sh", path, strerror(errno));
	return fd;
}

void
net_open(void)
{
	home_space = open_space("/proc/self/ns/net");
	spaces[CLIENT] = open_space("/run/netns/client");
	spaces[SERVER] = open_space("/run/netns/server");
}

/* A stream that just ends resets: nothing lingers that a second run could meet. */
int
net_socket(enum side side, int family, int type, int protocol)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd;

	if (setns(spaces[side], CLONE_NEWNET) < 0)
		fail("enter a namespace: %s", strerror(errno));
	fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		fd = -errno;
	else if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (setns(home_space, CLONE_NEWNET) < 0)
		fail("leave a namespace: %s", strerror(errno));
	return fd;
}

int
net_family(const char *host)
{
	return strchr(host, ':') ? AF_INET6 : AF_INET;
}

socklen_t
net_address(union address *address, const char *host, uint16_t port)
{
	int family = net_family(host);
	void *bytes;

	memset(address, 0, sizeof(*address));
	address->any.sa_family = family;
	if (family == AF_INET6) {
		address->in6.sin6_port = htons(port);
		bytes = &address->in6.sin6_addr;
	} else {
		address->in.sin_port = htons(port);
		bytes = &address->in.sin_addr;
	}
	if (inet_pton(family, host, bytes) != 1)
		fail("no address: %s", host);
	return family == AF_INET6 ? sizeof(address->in6) : sizeof(address->in);
}

int
net_bound(enum side side, int type, int protocol, const char *host, uint16_t port)
{
	const int yes = 1;
	union address address;
	socklen_t length = net_address(&address, host, port);
	int fd = net_socket(side, address.any.sa_family, type, protocol);

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, &address.any, length) < 0)
		fail("bind to %s port %u: %s", host, port, strerror(errno));
	if (type == SOCK_STREAM && listen(fd, 8) < 0)
		fail("listen on %s port %u: %s", host, port, strerror(errno));
	return fd;
}

static long long
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void
net_wait(int fd, short events, const char *what)
{
	struct pollfd pollfd = { .fd = fd, .events = events };
	long long deadline = now_ms() + PATIENCE_MS;

	for (;;) {
		long long left = deadline - now_ms();
		int n = left > 0 ? poll(&pollfd, 1, left) : 0;

		if (n > 0)
			return;
		if (n == 0)
			fail("no sign of %s for %d ms", what, PATIENCE_MS);
		if (errno != EINTR)
			fail("wait for %s: %s", what, strerror(errno));
	}
}

int
net_connect(enum side side, const char *host, uint16_t port, uint16_t from)
{
	const int yes = 1;
	union address address;
	socklen_t length;
	int fd = net_socket(side, net_family(host), SOCK_STREAM, IPPROTO_TCP);
	int error = 0;

	if (fd < 0)
		fail("socket: %s", strerror(-fd));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	length = net_address(&address, net_family(host) == AF_INET6 ? "::" : "0.0.0.0",
			     from);
	if (bind(fd, &address.any, length) < 0)
		fail("bind to port %u: %s", from, strerror(errno));
	length = net_address(&address, host, port);
	if (connect(fd, &address.any, length) < 0 && errno != EINPROGRESS)
		fail("connect to %s port %u: %s", host, port, strerror(errno));
	net_wait(fd, POLLOUT, "a connection");
	length = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error)
		fail("connect to %s port %u: %s", host, port, strerror(error));
	return fd;
}

int
net_accept(int listener)
{
	int fd;

	net_wait(listener, POLLIN, "a caller");
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		fail("accept: %s", strerror(errno));
	return fd;
}

uint16_t
net_port(int fd)
{
	union address address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, &address.any, &length) < 0)
		fail("getsockname: %s", strerror(errno));
	return ntohs(address.any.sa_family == AF_INET6 ? address.in6.sin6_port
						       : address.in.sin_port);
}

void
net_send(int fd, const void *data, size_t size)
{
	if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
		fail("send %zu bytes: %s", size, strerror(errno));
}

size_t
net_receive(int fd, void *data, size_t size, const char *what)
{
	ssize_t n;

	net_wait(fd, POLLIN, what);
	n = recv(fd, data, size, 0);
	if (n < 0)
		fail("receive %s: %s", what, strerror(errno));
	return n;
}

static int
unacknowledged(int fd)
{
	int bytes;

	if (ioctl(fd, SIOCOUTQ, &bytes) < 0)
		fail("SIOCOUTQ: %s", strerror(errno));
	return bytes;
}

void
net_settle(struct pair pair)
{
	long long deadline = now_ms() + PATIENCE_MS;

	while (unacknowledged(pair.client) || unacknowledged(pair.server)) {
		if (now_ms() > deadline)
			fail("data is not acknowledged after %d ms", PATIENCE_MS);
		poll(NULL, 0, 1);
	}
}

void
net_exchange(struct pair pair)
{
	char data[16];

	net_send(pair.client, "hello", 5);
	net_receive(pair.server, data, sizeof(data), "the client's data");
	net_send(pair.server, "hello, too", 10);
	net_receive(pair.client, data, sizeof(data), "the server's data");
	net_settle(pair);
}

struct pair
net_stream(const struct kind *kind)
{
	struct pair pair;
	int listener = net_bound(SERVER, SOCK_STREAM, IPPROTO_TCP, kind_at(kind),
				 kind_at_port(kind));

	if (listener < 0)
		fail("listen: %s", strerror(-listener));
	pair.client = net_connect(CLIENT, kind->to, kind->port, kind_source(kind));
	pair.server = net_accept(listener);
	close(listener);
	net_exchange(pair);
	return pair;
}
