/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * synthesise DIRECTORY: writes conntrack messages which the kernel of the recordings
 * cannot be brought to send, as synth-*.nl files of the same layout.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_STATUS (IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED)
#define ALL_STATUS ((1 << __IPS_MAX_BIT) - 1)
#define UNKNOWN_ATTRIBUTE 1000
#define DCCP_OPEN 4

static void
put_tuple(struct nlmsghdr *message, uint16_t type, uint8_t protocol, int reply)
{
	const char *const hosts[] = { "10.0.1.2", "10.0.2.2" };
	const uint16_t ports[] = { 40000, 7001 };
	struct nlattr *tuple = mnl_attr_nest_start(message, type);
	struct nlattr *nest;

	nest = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	mnl_attr_put_u32(message, CTA_IP_V4_SRC, inet_addr(hosts[reply]));
	mnl_attr_put_u32(message, CTA_IP_V4_DST, inet_addr(hosts[!reply]));
	mnl_attr_nest_end(message, nest);
	nest = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(message, CTA_PROTO_NUM, protocol);
	mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(ports[reply]));
	mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(ports[!reply]));
	mnl_attr_nest_end(message, nest);
	mnl_attr_nest_end(message, tuple);
}

static void
put_counters(struct nlmsghdr *message, uint16_t type, uint64_t packets, uint64_t bytes)
{
	struct nlattr *nest = mnl_attr_nest_start(message, type);

	mnl_attr_put_u64(message, CTA_COUNTERS_PACKETS, htobe64(packets));
	mnl_attr_put_u64(message, CTA_COUNTERS_BYTES, htobe64(bytes));
	mnl_attr_nest_end(message, nest);
}

/* What every flow has. */
static void
put_flow(struct nlmsghdr *message, uint8_t protocol, uint32_t status)
{
	put_tuple(message, CTA_TUPLE_ORIG, protocol, 0);
	put_tuple(message, CTA_TUPLE_REPLY, protocol, 1);
	mnl_attr_put_u32(message, CTA_STATUS, htonl(status));
	mnl_attr_put_u32(message, CTA_ID, htonl(0x01020304));
	mnl_attr_put_u32(message, CTA_USE, htonl(1));
}

static void
put_timeout(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, CTA_TIMEOUT, htonl(300));
}

static void
put_tcp(struct nlmsghdr *message)
{
	const struct nf_ct_tcp_flags flags = { .flags = IP_CT_TCP_FLAG_WINDOW_SCALE };
	struct nlattr *info = mnl_attr_nest_start(message, CTA_PROTOINFO);
	struct nlattr *tcp = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);

	mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, 7);
	mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_WSCALE_REPLY, 7);
	mnl_attr_put(message, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, sizeof(flags), &flags);
	mnl_attr_put(message, CTA_PROTOINFO_TCP_FLAGS_REPLY, sizeof(flags), &flags);
	mnl_attr_nest_end(message, tcp);
	mnl_attr_nest_end(message, info);
}

static void
fill_dccp(struct nlmsghdr *message)
{
	struct nlattr *info, *dccp;

	put_flow(message, IPPROTO_DCCP, PLAIN_STATUS);
	put_timeout(message);
	info = mnl_attr_nest_start(message, CTA_PROTOINFO);
	dccp = mnl_attr_nest_start(message, CTA_PROTOINFO_DCCP);
	mnl_attr_put_u8(message, CTA_PROTOINFO_DCCP_STATE, DCCP_OPEN);
	mnl_attr_put_u8(message, CTA_PROTOINFO_DCCP_ROLE, 0);
	mnl_attr_put_u64(message, CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ,
			 htobe64(0x010203040506));
	mnl_attr_nest_end(message, dccp);
	mnl_attr_nest_end(message, info);
}

static void
fill_secctx(struct nlmsghdr *message)
{
	struct nlattr *context;

	put_flow(message, IPPROTO_TCP, PLAIN_STATUS);
	put_timeout(message);
	put_tcp(message);
	context = mnl_attr_nest_start(message, CTA_SECCTX);
	mnl_attr_put_strz(message, CTA_SECCTX_NAME,
			  "system_u:object_r:http_packet_t:s0");
	mnl_attr_nest_end(message, context);
}

/* Old kernels sent the number of the context. */
static void
fill_secmark(struct nlmsghdr *message)
{
	put_flow(message, IPPROTO_TCP, PLAIN_STATUS);
	put_timeout(message);
	put_tcp(message);
	mnl_attr_put_u32(message, CTA_SECMARK, htonl(42));
}

/* An offloaded flow has neither a timeout nor protocol information. */
static void
fill_offload(struct nlmsghdr *message)
{
	put_flow(message, IPPROTO_TCP, PLAIN_STATUS | IPS_OFFLOAD);
	put_counters(message, CTA_COUNTERS_ORIG, 1000, 64000);
	put_counters(message, CTA_COUNTERS_REPLY, 2000, 3000000);
}

static void
fill_hardware_offload(struct nlmsghdr *message)
{
	put_flow(message, IPPROTO_UDP, PLAIN_STATUS | IPS_OFFLOAD | IPS_HW_OFFLOAD);
	put_counters(message, CTA_COUNTERS_ORIG, 1000, 64000);
	put_counters(message, CTA_COUNTERS_REPLY, 2000, 3000000);
}

static void
fill_all_status(struct nlmsghdr *message)
{
	put_flow(message, IPPROTO_UDP, ALL_STATUS);
	put_timeout(message);
}

/* The proxy of the recordings does without time stamps. */
static void
fill_synproxy(struct nlmsghdr *message)
{
	struct nlattr *proxy;

	put_flow(message, IPPROTO_TCP, PLAIN_STATUS | IPS_SEQ_ADJUST);
	put_timeout(message);
	put_tcp(message);
	proxy = mnl_attr_nest_start(message, CTA_SYNPROXY);
	mnl_attr_put_u32(message, CTA_SYNPROXY_ISN, htonl(0x01020304));
	mnl_attr_put_u32(message, CTA_SYNPROXY_ITS, htonl(0x05060708));
	mnl_attr_put_u32(message, CTA_SYNPROXY_TSOFF, htonl(0x090a0b0c));
	mnl_attr_nest_end(message, proxy);
}

/* A kernel sends 16 bytes; one built for fewer or more labels would send these. */
static void
fill_short_labels(struct nlmsghdr *message)
{
	const uint32_t labels[] = { 1u << 3 };

	put_flow(message, IPPROTO_UDP, PLAIN_STATUS);
	put_timeout(message);
	mnl_attr_put(message, CTA_LABELS, sizeof(labels), labels);
}

static void
fill_long_labels(struct nlmsghdr *message)
{
	const uint32_t labels[8] = { [0] = 1u << 3, [3] = 1u << 31, [7] = 1u << 31 };

	put_flow(message, IPPROTO_UDP, PLAIN_STATUS);
	put_timeout(message);
	mnl_attr_put(message, CTA_LABELS, sizeof(labels), labels);
}

static void
fill_full_counters(struct nlmsghdr *message)
{
	put_flow(message, IPPROTO_UDP, PLAIN_STATUS);
	put_timeout(message);
	put_counters(message, CTA_COUNTERS_ORIG, UINT64_MAX, UINT64_MAX);
	put_counters(message, CTA_COUNTERS_REPLY, UINT64_MAX, UINT64_MAX - 1);
}

/* What a later kernel may add, at the top and in the nests. */
static void
fill_unknown(struct nlmsghdr *message)
{
	struct nlattr *nest;

	mnl_attr_put_u64(message, UNKNOWN_ATTRIBUTE, htobe64(1));
	put_flow(message, IPPROTO_TCP, PLAIN_STATUS);
	put_timeout(message);
	put_tcp(message);
	nest = mnl_attr_nest_start(message, CTA_COUNTERS_ORIG);
	mnl_attr_put_u8(message, UNKNOWN_ATTRIBUTE, 1);
	mnl_attr_put_u64(message, CTA_COUNTERS_PACKETS, htobe64(5));
	mnl_attr_put_u64(message, CTA_COUNTERS_BYTES, htobe64(273));
	mnl_attr_nest_end(message, nest);
	nest = mnl_attr_nest_start(message, UNKNOWN_ATTRIBUTE + 1);
	mnl_attr_put_strz(message, UNKNOWN_ATTRIBUTE, "from the future");
	mnl_attr_nest_end(message, nest);
}

static void
fill_bare(struct nlmsghdr *message)
{
	put_tuple(message, CTA_TUPLE_ORIG, IPPROTO_UDP, 0);
	put_tuple(message, CTA_TUPLE_REPLY, IPPROTO_UDP, 1);
}

static const struct {
	const char *name;
	void (*fill)(struct nlmsghdr *message);
} messages[] = {
	{ "ipv4-dccp-open", fill_dccp },
	{ "ipv4-tcp-secctx", fill_secctx },
	{ "ipv4-tcp-secmark", fill_secmark },
	{ "ipv4-tcp-synproxy", fill_synproxy },
	{ "ipv4-tcp-offload", fill_offload },
	{ "ipv4-udp-hw-offload", fill_hardware_offload },
	{ "ipv4-udp-all-status", fill_all_status },
	{ "ipv4-udp-short-labels", fill_short_labels },
	{ "ipv4-udp-long-labels", fill_long_labels },
	{ "ipv4-udp-full-counters", fill_full_counters },
	{ "ipv4-tcp-unknown", fill_unknown },
	{ "ipv4-udp-bare", fill_bare },
};

static void
write_message(const char *directory, const char *name, const struct nlmsghdr *message)
{
	char path[4096];
	FILE *stream;

	snprintf(path, sizeof(path), "%s/synth-%s.nl", directory, name);
	stream = fopen(path, "wb");
	if (!stream || fwrite(message, message->nlmsg_len, 1, stream) != 1 ||
	    fclose(stream) != 0) {
		fprintf(stderr, "synthesise: %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: synthesise DIRECTORY\n", stderr);
		return 1;
	}
	for (size_t i = 0; i < MNL_ARRAY_SIZE(messages); i++) {
		char buffer[1024] = { 0 };
		struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
		struct nfgenmsg *header;

		message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
		message->nlmsg_flags = NLM_F_MULTI;
		message->nlmsg_seq = 1;
		header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
		header->nfgen_family = AF_INET;
		header->version = NFNETLINK_V0;
		messages[i].fill(message);
		write_message(argv[1], messages[i].name, message);
	}
	return 0;
}
