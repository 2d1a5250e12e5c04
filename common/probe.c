/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One flush by all filters at once, and a look at who is left: one flow that they all
 * fit, and for each filter one that only this filter spares.
 *
 * All of it happens in a child, because a process that has left its user namespace
 * cannot come back.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "change.h"
#include "encode.h"
#include "kernel.h"
#include "netlink.h"

/* The child makes a dozen small requests; so long is as good as never. */
#define PATIENCE_MS (3 * CT_NETLINK_TIMEOUT_SECONDS * 1000)

/* Linux 5.15, 5.8 and 5.8: younger than some headers that this is built with. */
#define ATTR_FILTER 25
#define ATTR_STATUS_MASK 26
#define ATTR_FILTER_ORIG_FLAGS 1
#define FILTER_PROTO (1u << 3)
#define FILTER_DPORT (1u << 5)

#define MARK 1
#define ZONE 1
#define DPORT 7

/* What all filters fit, and then, for bit n of CT_PROBE_*, what only n + 1 spares. */
enum { GOES, OTHER_FAMILY, OTHER_MARK, OTHER_STATUS, OTHER_ZONE, OTHER_TUPLE, FLOWS };

struct trial {
	struct ct_netlink *netlink;
	struct ct_flow flows[FLOWS];
	int left[FLOWS]; /* after the flush: 1, 0, or -errno: it could not be made */
	bool zones;      /* the kernel has them */
	bool by_tuple;   /* it flushes by tuples */
};

/* What the child tells its parent. */
struct verdict {
	int error;
	struct ct_probe probe;
};

static void
set_address(struct ct_addr *addr, uint8_t family, uint8_t last)
{
	/* The networks of RFC 5737 and RFC 3849, for documentation. */
	static const struct ct_addr v4 = { { 192, 0, 2 } };
	static const struct ct_addr v6 = { { 0x20, 0x01, 0x0d, 0xb8 } };

	*addr = family == AF_INET6 ? v6 : v4;
	addr->bytes[family == AF_INET6 ? 15 : 3] = last;
}

static void
make_flow(const struct trial *trial, int which, struct ct_flow *flow)
{
	uint8_t family = which == OTHER_FAMILY ? AF_INET6 : AF_INET;

	memset(flow, 0, sizeof(*flow));
	flow->has = CT_ORIG_TUPLE | CT_REPLY_TUPLE | CT_TIMEOUT | CT_MARK | CT_STATUS;
	flow->timeout = 600;
	flow->mark = which == OTHER_MARK ? MARK + 1 : MARK;
	flow->status = which == OTHER_STATUS ? 0 : CT_SEEN_REPLY;
	if (trial->zones) {
		flow->has |= CT_ZONE;
		flow->zone = which == OTHER_ZONE ? ZONE + 1 : ZONE;
	}
	flow->orig.has = CT_TUPLE_ADDRS | CT_TUPLE_PROTO | CT_TUPLE_PORTS;
	flow->orig.family = family;
	flow->orig.proto = IPPROTO_UDP;
	flow->orig.sport = (uint16_t)(1 + which);
	flow->orig.dport = which == OTHER_TUPLE ? DPORT + 1 : DPORT;
	set_address(&flow->orig.src, family, 1);
	set_address(&flow->orig.dst, family, 2);
	ct_tuple_mirror(&flow->reply, &flow->orig);
}

static int
make_flows(struct trial *trial)
{
	for (int i = 0; i < FLOWS; i++)
		make_flow(trial, i, &trial->flows[i]);
	return ct_change(trial->netlink, CT_CREATE, trial->flows, FLOWS, NULL,
			 trial->left);
}

static void
put_filter(struct nlmsghdr *request)
{
	struct nlattr *nest = mnl_attr_nest_start(request, ATTR_FILTER);

	mnl_attr_put_u32(request, ATTR_FILTER_ORIG_FLAGS, FILTER_PROTO | FILTER_DPORT);
	mnl_attr_nest_end(request, nest);
}

static void
put_everything(struct nlmsghdr *request, const struct trial *trial)
{
	const struct ct_tuple part = {
		.has = CT_TUPLE_PROTO | CT_TUPLE_DPORT,
		.family = AF_INET,
		.proto = IPPROTO_UDP,
		.dport = DPORT,
	};

	mnl_attr_put_u32(request, CTA_MARK, htonl(MARK));
	mnl_attr_put_u32(request, CTA_MARK_MASK, htonl(UINT32_MAX));
	mnl_attr_put_u32(request, CTA_STATUS, htonl(CT_SEEN_REPLY));
	mnl_attr_put_u32(request, ATTR_STATUS_MASK, htonl(CT_SEEN_REPLY));
	if (trial->zones)
		mnl_attr_put_u16(request, CTA_ZONE, htons(ZONE));
	/* With a tuple, but not knowing the filter, this would be no flush. */
	if (trial->by_tuple) {
		ct_encode_tuple(request, CTA_TUPLE_ORIG, &part);
		put_filter(request);
	}
}

static struct nlmsghdr *
begin_flush(struct ct_netlink *netlink, void *bytes)
{
	struct nlmsghdr *request = ct_netlink_request(
		netlink, bytes, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, AF_INET);
	struct nfgenmsg *message = mnl_nlmsg_get_payload(request);

	/* Version 0 would mean both families. */
	message->version = 1;
	return request;
}

/*
 * To try a dump would cost what probe.h says it does.  But a kernel that filters dumps
 * by tuples knows the attribute in a flush too, and refuses this one: as invalid, for
 * the tuple is missing, or before 6.12 as not supported there.  An older one flushes an
 * empty namespace, which it does at once.
 */
static int
try_tuple(struct trial *trial, struct ct_probe *probe)
{
	_Alignas(struct nlmsghdr) char bytes[64];
	struct nlmsghdr *request = begin_flush(trial->netlink, bytes);
	int error;

	put_filter(request);
	error = ct_netlink_ask(trial->netlink, request, NULL, NULL);
	if (error && error != -EINVAL && error != -EOPNOTSUPP)
		return error;
	probe->known |= CT_PROBE_TUPLE_DUMP;
	probe->has |= error ? CT_PROBE_TUPLE_DUMP : 0;
	trial->by_tuple = error == -EINVAL;
	return 0;
}

/*
 * Which of the flows are left?  They are deleted: with none in it, the kernel need not
 * search the hash for those of a namespace that ends.
 */
static int
take_rest(struct trial *trial)
{
	struct ct_flow found[FLOWS];
	int results[FLOWS];
	size_t count = 0;

	for (int i = 0; i < FLOWS; i++) {
		int error;

		if (trial->left[i] < 0)
			continue;
		error = ct_get(trial->netlink, &trial->flows[i], &found[count]);
		if (error && error != -ENOENT)
			return error;
		trial->left[i] = !error;
		count += !error;
	}
	return ct_change(trial->netlink, CT_DELETE, found, count, NULL, results);
}

static int
try_flush(struct trial *trial)
{
	_Alignas(struct nlmsghdr) char bytes[128 + CT_ENCODE_TUPLE_MAX] = { 0 };
	struct nlmsghdr *request;
	int error = make_flows(trial), left;

	/* One without zones refuses them all. */
	if (!error && trial->left[GOES] == -EOPNOTSUPP) {
		trial->zones = false;
		error = make_flows(trial);
	}
	if (!error)
		error = trial->left[GOES];
	if (error)
		return error;
	request = begin_flush(trial->netlink, bytes);
	put_everything(request, trial);
	error = ct_netlink_ask(trial->netlink, request, NULL, NULL);
	left = take_rest(trial);
	if (!error)
		error = left;
	/* Else what is left proves nothing. */
	return !error && trial->left[GOES] != 0 ? -EPROTO : error;
}

static int
try_all(struct ct_probe *probe)
{
	struct trial trial = { .zones = true };
	struct ct_kernel kernel;
	int error = ct_netlink_open(&trial.netlink, NULL);

	/* Without ctnetlink, everything would be refused. */
	if (!error)
		error = ct_kernel_count(trial.netlink, &kernel);
	if (!error)
		error = try_tuple(&trial, probe);
	if (!error)
		error = try_flush(&trial);
	ct_netlink_free(trial.netlink);
	for (int i = GOES + 1; !error && i < FLOWS; i++) {
		if (trial.left[i] < 0 || (i == OTHER_ZONE && !trial.zones))
			continue;
		probe->known |= 1u << (i - 1);
		probe->has |= trial.left[i] ? 1u << (i - 1) : 0;
	}
	return error;
}

/*
 * In a user namespace of one's own, everybody may make the other one, unless that is
 * forbidden, which has several errors.
 */
static int
leave_for_private_namespace(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 0 : -EPERM;
}

static _Noreturn void
run_child(int out, pid_t parent)
{
	struct verdict verdict = { .error = leave_for_private_namespace() };

	/* After the above, which may take this back. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (!verdict.error)
		verdict.error = try_all(&verdict.probe);
	/* So short a write is whole or fails, and then nobody listens. */
	_exit(write(out, &verdict, sizeof(verdict)) < 0);
}

static int
hear(int in, pid_t child, struct ct_probe *probe)
{
	struct pollfd ready = { .fd = in, .events = POLLIN };
	struct verdict verdict;
	int count;

	do
		count = poll(&ready, 1, PATIENCE_MS);
	while (count < 0 && errno == EINTR);
	if (count <= 0) {
		kill(child, SIGKILL);
		return -ETIMEDOUT;
	}
	if (read(in, &verdict, sizeof(verdict)) != sizeof(verdict))
		return -EIO;
	if (!verdict.error)
		*probe = verdict.probe;
	return verdict.error;
}

/* The caller's signal handlers are not to run in the child. */
static pid_t
fork_quietly(int out)
{
	pid_t parent = getpid(), child;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	child = fork();
	if (child == 0)
		run_child(out, parent);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return child;
}

int
ct_probe(struct ct_probe *probe)
{
	int ends[2], error;
	pid_t child;

	memset(probe, 0, sizeof(*probe));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork_quietly(ends[1]);
	error = child < 0 ? -errno : 0;
	close(ends[1]);
	if (!error) {
		error = hear(ends[0], child, probe);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	return error;
}

const char *
ct_probe_name(unsigned int bit)
{
	static const char *const names[] = {
		"family", "mark", "status", "zone", "tuple-flush", "tuple-dump",
	};

	return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}
