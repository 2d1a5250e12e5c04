/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floor: one full dump of the connection tracking table, received and dropped.
 *
 * This is the least that any reader of the table can take: the kernel's part and
 * the copy.  The benchmark measures the other programs against it.  With -v the
 * message headers are walked too, and counted.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

enum { SEQ = 0x666c6f6f };

/* A dump's end: the header and the status that the kernel puts behind it. */
struct done {
	struct nlmsghdr nlh;
	int status;
};

struct totals {
	unsigned long long bytes, messages, receives;
};

static _Alignas(8) char buffer[64 * 1024];

static int
ask_for_dump(int fd)
{
	struct {
		struct nlmsghdr nlh;
		struct nfgenmsg nfg;
	} request = {
		.nlh = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = SEQ,
		},
		.nfg = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 },
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

/*
 * 1 when the dump goes on, 0 at its end, else -errno.  The kernel puts the end into
 * a datagram of its own or behind the last messages, so that looking at the first
 * header and at the last bytes is enough.
 */
static int
check(const char *data, size_t len)
{
	const struct nlmsghdr *first = (const void *)data;
	const struct done *last = (const void *)(data + len - sizeof(*last));
	const struct nlmsgerr *err = (const void *)(first + 1);

	if (len < sizeof(*last) || len % NLMSG_ALIGNTO != 0)
		return -EBADMSG;
	if (first->nlmsg_type == NLMSG_ERROR)
		return err->error ? err->error : -EBADMSG;
	if (first->nlmsg_type == NLMSG_DONE)
		return ((const struct done *)first)->status;
	if (last->nlh.nlmsg_type == NLMSG_DONE && last->nlh.nlmsg_seq == SEQ &&
	    last->nlh.nlmsg_len == sizeof(*last))
		return last->status;
	return 1;
}

static unsigned int
count_messages(const char *data, size_t len)
{
	unsigned int n = 0;
	size_t at = 0;

	while (at + sizeof(struct nlmsghdr) <= len) {
		const struct nlmsghdr *nlh = (const void *)(data + at);

		if (nlh->nlmsg_len < sizeof(*nlh))
			break;
		n += nlh->nlmsg_type != NLMSG_DONE;
		at += NLMSG_ALIGN(nlh->nlmsg_len);
	}
	return n;
}

static int
receive_and_drop(int fd, bool verbose, struct totals *totals)
{
	int more;

	do {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);

		if (got < 0)
			return -errno;
		more = check(buffer, (size_t)got);
		if (verbose) {
			totals->bytes += (size_t)got;
			totals->messages += count_messages(buffer, (size_t)got);
			totals->receives++;
		}
	} while (more > 0);
	return more;
}

int
main(int argc, char **argv)
{
	bool verbose = argc == 2 && strcmp(argv[1], "-v") == 0;
	struct totals totals = { 0 };
	int fd, err;

	if (argc > 1 + verbose) {
		fputs("usage: floor [-v]\n", stderr);
		return 2;
	}
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	err = fd < 0 ? -errno : ask_for_dump(fd);
	if (err == 0)
		err = receive_and_drop(fd, verbose, &totals);
	if (err < 0) {
		fprintf(stderr, "floor: dump: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	if (verbose)
		fprintf(stderr, "%llu messages, %llu bytes, %llu receives\n",
			totals.messages, totals.bytes, totals.receives);
	close(fd);
	return EXIT_SUCCESS;
}
