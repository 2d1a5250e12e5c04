/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flood: fills the connection tracking table of the current network namespace
 * with a production-like mix of flows, for the benchmark.
 *
 * Flow number i is always the same flow for the same seed, so that a part of the
 * table can be deleted and made again (--step).  Every 7th carries mark 7.  Many
 * CREATE messages go into one send, and only the last of them asks for an ACK: the
 * kernel answers the others when they fail, and then by their sequence number.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_sctp.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

enum {
	BATCH_BYTES = 60 * 1024,
	MESSAGE_MAX = 512, /* the longest that put_flow makes is below 400 */
	ERRNO_MAX = 256,
	MARK = 7,
	MARK_EVERY = 7,
};

/* When every message of a batch fails, all the answers must fit. */
#define RCVBUF (4 << 20)

#define UNREPLIED IPS_CONFIRMED
#define REPLIED (IPS_CONFIRMED | IPS_SEEN_REPLY)
#define ASSURED (IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED)

struct recipe {
	unsigned int per_mille;
	uint8_t proto;
	uint8_t state;
	uint32_t status;
};

/* The mix: 60 % TCP, 30 % UDP, 5 % ICMP, 5 % others; the shares add up to 1000. */
static const struct recipe recipes[] = {
	{ 370, IPPROTO_TCP, TCP_CONNTRACK_ESTABLISHED, ASSURED },
	{ 132, IPPROTO_TCP, TCP_CONNTRACK_TIME_WAIT, ASSURED },
	{ 30, IPPROTO_TCP, TCP_CONNTRACK_SYN_SENT, UNREPLIED },
	{ 12, IPPROTO_TCP, TCP_CONNTRACK_SYN_RECV, REPLIED },
	{ 18, IPPROTO_TCP, TCP_CONNTRACK_FIN_WAIT, ASSURED },
	{ 18, IPPROTO_TCP, TCP_CONNTRACK_CLOSE_WAIT, ASSURED },
	{ 8, IPPROTO_TCP, TCP_CONNTRACK_LAST_ACK, ASSURED },
	{ 12, IPPROTO_TCP, TCP_CONNTRACK_CLOSE, ASSURED },
	{ 200, IPPROTO_UDP, 0, ASSURED },
	{ 60, IPPROTO_UDP, 0, REPLIED },
	{ 40, IPPROTO_UDP, 0, UNREPLIED },
	{ 40, IPPROTO_ICMP, 0, REPLIED },
	{ 10, IPPROTO_ICMP, 0, UNREPLIED },
	{ 20, IPPROTO_SCTP, SCTP_CONNTRACK_ESTABLISHED, ASSURED },
	{ 10, IPPROTO_GRE, 0, ASSURED },
	{ 15, IPPROTO_ESP, 0, REPLIED },
	{ 5, IPPROTO_AH, 0, UNREPLIED },
};

struct address {
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

/* One flow to make; ports and the ICMP id are in host order. */
struct plan {
	const struct recipe *recipe;
	bool ipv6;
	uint8_t proto;
	struct address client, server;
	uint16_t client_port, server_port;
	uint32_t mark;
	uint32_t timeout;
	uint32_t snat; /* 0: none */
};

struct flood {
	struct mnl_socket *nl;
	uint32_t first, span, step;
	uint64_t seed;
	uint32_t asked, refused, first_refused;
	unsigned int errors[ERRNO_MAX];
	_Alignas(8) char batch[BATCH_BYTES];
	_Alignas(8) char answer[32 * 1024];
};

static const struct recipe *recipe_of[1000];

static void
fill_recipe_of(void)
{
	size_t at = 0;

	for (size_t i = 0; i < MNL_ARRAY_SIZE(recipes); i++)
		for (unsigned int n = 0; n < recipes[i].per_mille; n++)
			recipe_of[at++] = &recipes[i];
}

/* The finalizer of splitmix64. */
static uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* One to one on 32 bits: different flow numbers never share a client and port. */
static uint32_t
scatter(uint32_t x, uint64_t seed)
{
	x ^= (uint32_t)seed;
	x *= 0x9e3779b1u;
	x ^= x >> 15;
	x *= 0x85ebca6bu;
	return x ^ x >> 13;
}

static void
plan_addresses(struct plan *p, uint32_t key, uint64_t random)
{
	uint32_t client = key >> 15;
	uint32_t server = random >> 40 & 0xfff;

	p->client_port = 0x8000 | (key & 0x7fff);
	if (p->proto == IPPROTO_ESP || p->proto == IPPROTO_AH) {
		/* No ports: the addresses alone have to hold all of the key. */
		client = key >> 12;
		server = key & 0xfff;
	}
	if (p->ipv6) {
		inet_pton(AF_INET6, "2001:db8:c::", &p->client.v6);
		inet_pton(AF_INET6, "2001:db8:5::443", &p->server.v6);
		p->client.v6.s6_addr32[2] = htonl((uint32_t)(mix(client) >> 32));
		p->client.v6.s6_addr32[3] = htonl(client);
		p->server.v6.s6_addr32[2] = htonl(server);
	} else {
		p->client.v4.s_addr = htonl(0x0a000000 | client);
		p->server.v4.s_addr = htonl(0xc6120000 | server);
	}
}

static void
plan_flow(struct plan *p, uint32_t number, uint64_t seed)
{
	static const uint16_t services[] = { 443, 443, 443, 80,   53,   53,   22,
					     25,  123, 993, 3306, 5060, 6881, 8080 };
	uint64_t random = mix(seed ^ (uint64_t)number << 20);

	*p = (struct plan){ .recipe = recipe_of[random % 1000] };
	p->proto = p->recipe->proto;
	p->ipv6 = (random >> 12) % 5 == 0;
	if (p->ipv6 && p->proto == IPPROTO_ICMP)
		p->proto = IPPROTO_ICMPV6;
	plan_addresses(p, scatter(number, seed), random);
	p->server_port = services[(random >> 32 & 0xff) % MNL_ARRAY_SIZE(services)];
	p->mark = number % MARK_EVERY == 0 ? MARK : 0;
	/* From one to five days: nothing may expire while the benchmark runs. */
	p->timeout = 86400 + (random >> 16) % 345600;
	if (!p->ipv6 && (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP) &&
	    (random >> 52) % 4 == 0)
		p->snat = 0xcb007100 | (random >> 56);
}

static void
put_address(struct nlmsghdr *nlh, const struct plan *p, const struct address *a,
	    uint16_t v4, uint16_t v6)
{
	if (p->ipv6)
		mnl_attr_put(nlh, v6, sizeof(a->v6), &a->v6);
	else
		mnl_attr_put(nlh, v4, sizeof(a->v4), &a->v4);
}

static void
put_ports(struct nlmsghdr *nlh, const struct plan *p, bool reply)
{
	uint16_t from = reply ? p->server_port : p->client_port;
	uint16_t to = reply ? p->client_port : p->server_port;

	switch (p->proto) {
	case IPPROTO_ICMP:
		mnl_attr_put_u16(nlh, CTA_PROTO_ICMP_ID, htons(p->client_port));
		mnl_attr_put_u8(nlh, CTA_PROTO_ICMP_TYPE, reply ? 0 : 8);
		mnl_attr_put_u8(nlh, CTA_PROTO_ICMP_CODE, 0);
		break;
	case IPPROTO_ICMPV6:
		mnl_attr_put_u16(nlh, CTA_PROTO_ICMPV6_ID, htons(p->client_port));
		mnl_attr_put_u8(nlh, CTA_PROTO_ICMPV6_TYPE, reply ? 129 : 128);
		mnl_attr_put_u8(nlh, CTA_PROTO_ICMPV6_CODE, 0);
		break;
	case IPPROTO_ESP:
	case IPPROTO_AH:
		break;
	default:
		mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(from));
		mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(to));
	}
}

static void
put_tuple(struct nlmsghdr *nlh, const struct plan *p, bool reply)
{
	struct nlattr *tuple, *nest;

	tuple = mnl_attr_nest_start(nlh, reply ? CTA_TUPLE_REPLY : CTA_TUPLE_ORIG);
	nest = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	put_address(nlh, p, reply ? &p->server : &p->client, CTA_IP_V4_SRC,
		    CTA_IP_V6_SRC);
	put_address(nlh, p, reply ? &p->client : &p->server, CTA_IP_V4_DST,
		    CTA_IP_V6_DST);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, p->proto);
	put_ports(nlh, p, reply);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, tuple);
}

static void
put_protoinfo(struct nlmsghdr *nlh, const struct plan *p)
{
	struct nf_ct_tcp_flags flags = {
		.flags = IP_CT_TCP_FLAG_WINDOW_SCALE | IP_CT_TCP_FLAG_SACK_PERM,
		.mask = 0xff,
	};
	struct nlattr *info, *nest;

	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_SCTP)
		return;
	info = mnl_attr_nest_start(nlh, CTA_PROTOINFO);
	if (p->proto == IPPROTO_TCP) {
		nest = mnl_attr_nest_start(nlh, CTA_PROTOINFO_TCP);
		mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_STATE, p->recipe->state);
		mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, 7);
		mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_WSCALE_REPLY, 7);
		mnl_attr_put(nlh, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, sizeof(flags),
			     &flags);
		mnl_attr_put(nlh, CTA_PROTOINFO_TCP_FLAGS_REPLY, sizeof(flags), &flags);
	} else {
		nest = mnl_attr_nest_start(nlh, CTA_PROTOINFO_SCTP);
		mnl_attr_put_u8(nlh, CTA_PROTOINFO_SCTP_STATE, p->recipe->state);
		mnl_attr_put_u32(nlh, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL,
				 htonl(p->timeout));
		mnl_attr_put_u32(nlh, CTA_PROTOINFO_SCTP_VTAG_REPLY,
				 htonl(~p->timeout));
	}
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, info);
}

static struct nlmsghdr *
put_flow(char *at, const struct plan *p, uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct nfgenmsg *nfg;
	struct nlattr *nest;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
	nlh->nlmsg_seq = seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = p->ipv6 ? AF_INET6 : AF_INET;
	nfg->version = NFNETLINK_V0;

	put_tuple(nlh, p, false);
	put_tuple(nlh, p, true);
	mnl_attr_put_u32(nlh, CTA_STATUS, htonl(p->recipe->status));
	mnl_attr_put_u32(nlh, CTA_TIMEOUT, htonl(p->timeout));
	put_protoinfo(nlh, p);
	if (p->mark)
		mnl_attr_put_u32(nlh, CTA_MARK, htonl(p->mark));
	if (p->snat) {
		/* The kernel rewrites the reply tuple and sets the NAT bits. */
		nest = mnl_attr_nest_start(nlh, CTA_NAT_SRC);
		mnl_attr_put_u32(nlh, CTA_NAT_V4_MINIP, htonl(p->snat));
		mnl_attr_put_u32(nlh, CTA_NAT_V4_MAXIP, htonl(p->snat));
		mnl_attr_nest_end(nlh, nest);
	}
	return nlh;
}

static void
count_answer(struct flood *f, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	int e;

	if (nlh->nlmsg_type != NLMSG_ERROR || err->error == 0)
		return;
	e = -err->error;
	f->errors[e > 0 && e < ERRNO_MAX ? e : 0]++;
	if (f->refused++ == 0)
		f->first_refused = f->first + (nlh->nlmsg_seq - 1) * f->step;
}

/* Reads up to the answer to message last, the one that asked for an ACK. */
static int
read_answers(struct flood *f, uint32_t last)
{
	bool done = false;

	while (!done) {
		ssize_t got = mnl_socket_recvfrom(f->nl, f->answer, sizeof(f->answer));
		const struct nlmsghdr *nlh = (const void *)f->answer;
		int left = (int)got;

		if (got < 0)
			return -errno;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			count_answer(f, nlh);
			done |= nlh->nlmsg_seq == last;
		}
	}
	return 0;
}

static int
send_batch(struct flood *f, size_t len, struct nlmsghdr *last)
{
	if (last == NULL)
		return 0;
	last->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(f->nl, f->batch, len) < 0)
		return -errno;
	return read_answers(f, last->nlmsg_seq);
}

static int
flood(struct flood *f)
{
	uint64_t end = (uint64_t)f->first + f->span;
	struct nlmsghdr *last = NULL;
	struct plan plan;
	size_t len = 0;
	int err;

	for (uint64_t i = f->first; i < end; i += f->step) {
		if (len + MESSAGE_MAX > sizeof(f->batch)) {
			err = send_batch(f, len, last);
			if (err < 0)
				return err;
			len = 0;
		}
		plan_flow(&plan, (uint32_t)i, f->seed);
		last = put_flow(f->batch + len, &plan, ++f->asked);
		len += MNL_ALIGN(last->nlmsg_len);
	}
	return send_batch(f, len, last);
}

static int
open_socket(struct flood *f)
{
	int rcvbuf = RCVBUF, on = 1, fd;

	f->nl = mnl_socket_open(NETLINK_NETFILTER);
	if (f->nl == NULL)
		return -errno;
	if (mnl_socket_bind(f->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	fd = mnl_socket_get_fd(f->nl);
	/* In a user namespace the first is refused, and the second gives less. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof(rcvbuf)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)) < 0)
		return -errno;
	/* Errors without a copy of the message that they are about. */
	if (mnl_socket_setsockopt(f->nl, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

static int
report(const struct flood *f, double seconds)
{
	uint32_t made = f->asked - f->refused;

	printf("flood: made %" PRIu32 " flows in %.2f s, %.0f a second\n", made,
	       seconds, made / seconds);
	if (f->refused == 0)
		return EXIT_SUCCESS;
	fflush(stdout);
	fprintf(stderr,
		"flood: the kernel refused %" PRIu32 " of %" PRIu32
		" flows, first flow %" PRIu32 ":\n",
		f->refused, f->asked, f->first_refused);
	for (int e = 0; e < ERRNO_MAX; e++)
		if (f->errors[e] > 0)
			fprintf(stderr, "flood: %10u  %s\n", f->errors[e],
				e ? strerror(e) : "unknown error");
	return EXIT_FAILURE;
}

static uint64_t
number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || value < min ||
	    value > max) {
		fprintf(stderr,
			"flood: %s: %s is not a number from %" PRIu64 " to %" PRIu64
			"\n",
			option, text, min, max);
		exit(2);
	}
	return value;
}

static void
parse_options(struct flood *f, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "step", required_argument, NULL, 'k' },
		{ 0 },
	};
	bool bad = false;
	int c;

	while ((c = getopt_long(argc, argv, "n:f:", options, NULL)) != -1) {
		if (c == 'n')
			f->span = number("-n", optarg, 1, UINT32_MAX);
		else if (c == 'f')
			f->first = number("-f", optarg, 0, UINT32_MAX);
		else if (c == 's')
			f->seed = number("--seed", optarg, 0, UINT64_MAX);
		else if (c == 'k')
			f->step = number("--step", optarg, 1, UINT32_MAX);
		else
			bad = true;
	}
	if (bad || optind != argc) {
		fputs("usage: flood [-n SPAN] [-f FIRST] [--step K] [--seed SEED]\n"
		      "makes flows FIRST, FIRST+K, ... below FIRST+SPAN in this "
		      "network\n"
		      "namespace (default: all of the first 1000000)\n",
		      stderr);
		exit(2);
	}
	if ((uint64_t)f->first + f->span > (uint64_t)UINT32_MAX + 1) {
		fputs("flood: flow numbers end at 2^32 - 1\n", stderr);
		exit(2);
	}
}

/*
 * Flows for days fill the table of a machine in use.  The limit of all tables can be
 * changed in the initial network namespace only.
 */
static bool
is_initial_netns(void)
{
	struct stat limit;

	return stat("/proc/sys/net/netfilter/nf_conntrack_max", &limit) == 0 &&
	       (limit.st_mode & S_IWUSR);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	static struct flood f = { .span = 1000000, .step = 1, .seed = 1 };
	double start;
	int err;

	parse_options(&f, argc, argv);
	if (is_initial_netns()) {
		fputs("flood: this is the machine's own table; unshare -n gives "
		      "another\n",
		      stderr);
		return EXIT_FAILURE;
	}
	fill_recipe_of();
	err = open_socket(&f);
	if (err < 0) {
		fprintf(stderr, "flood: netlink socket: %s (are you root?)\n",
			strerror(-err));
		return EXIT_FAILURE;
	}
	start = now();
	err = flood(&f);
	if (err < 0) {
		fprintf(stderr, "flood: after %" PRIu32 " flows: %s\n", f.asked,
			strerror(-err));
		return EXIT_FAILURE;
	}
	err = report(&f, now() - start);
	mnl_socket_close(f.nl);
	return err;
}
