/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record [-e] DIRECTORY TRAFFIC [KIND...]: runs the traffic generator TRAFFIC in the
 * gateway of lab.sh and writes the conntrack table it leaves into DIRECTORY: each flow
 * is one netlink message as the kernel sent it, in a file named after what is in it.
 * Of several flows with the same name the first one is kept, and so is a file which
 * is there already.
 *
 * With -e it records the events instead: those of the traffic, and those of deleting
 * its flows afterwards.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_compat.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_S 10
#define ATTRIBUTES 64
#define BUFFER_SIZE 65536

/* The attributes of one nest, by type. */
struct nest {
	const struct nlattr *at[ATTRIBUTES];
};

struct name {
	char text[128];
};

__attribute__((format(printf, 1, 2))) static _Noreturn void
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("record: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static int
keep_attribute(const struct nlattr *attr, void *data)
{
	struct nest *nest = data;

	if (mnl_attr_get_type(attr) < ATTRIBUTES)
		nest->at[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static struct nest
open_nest(const struct nlattr *attr)
{
	struct nest nest = { { NULL } };

	if (attr)
		mnl_attr_parse_nested(attr, keep_attribute, &nest);
	return nest;
}

static struct nest
open_message(const struct nlmsghdr *message)
{
	struct nest nest = { { NULL } };

	mnl_attr_parse(message, sizeof(struct nfgenmsg), keep_attribute, &nest);
	return nest;
}

__attribute__((format(printf, 2, 3))) static void
add(struct name *name, const char *format, ...)
{
	size_t used = strlen(name->text);
	va_list args;

	va_start(args, format);
	vsnprintf(name->text + used, sizeof(name->text) - used, format, args);
	va_end(args);
}

static void
add_protocol(struct name *name, uint8_t number)
{
	static const char *const names[256] = {
		[IPPROTO_TCP] = "tcp",         [IPPROTO_UDP] = "udp",
		[IPPROTO_UDPLITE] = "udplite", [IPPROTO_ICMP] = "icmp",
		[IPPROTO_ICMPV6] = "icmp",     [IPPROTO_SCTP] = "sctp",
		[IPPROTO_GRE] = "gre",
	};

	if (names[number])
		add(name, "-%s", names[number]);
	else
		add(name, "-proto%u", number);
}

static void
add_state(struct name *name, const struct nest *flow)
{
	static const char *const tcp_states[] = {
		"none",       "syn-sent", "syn-recv",  "established", "fin-wait",
		"close-wait", "last-ack", "time-wait", "close",       "syn-sent2",
	};
	static const char *const sctp_states[] = {
		"none",
		"closed",
		"cookie-wait",
		"cookie-echoed",
		"established",
		"shutdown-sent",
		"shutdown-received",
		"shutdown-acked",
		"heartbeat-sent",
	};
	struct nest info = open_nest(flow->at[CTA_PROTOINFO]);
	struct nest tcp = open_nest(info.at[CTA_PROTOINFO_TCP]);
	struct nest sctp = open_nest(info.at[CTA_PROTOINFO_SCTP]);
	const struct nlattr *state;

	state = tcp.at[CTA_PROTOINFO_TCP_STATE];
	if (state && mnl_attr_get_u8(state) < MNL_ARRAY_SIZE(tcp_states))
		add(name, "-%s", tcp_states[mnl_attr_get_u8(state)]);
	state = sctp.at[CTA_PROTOINFO_SCTP_STATE];
	if (state && mnl_attr_get_u8(state) < MNL_ARRAY_SIZE(sctp_states))
		add(name, "-%s", sctp_states[mnl_attr_get_u8(state)]);
}

static void
add_zone(struct name *name, const char *direction, const struct nlattr *zone)
{
	if (zone)
		add(name, "-zone%s%u", direction, ntohs(mnl_attr_get_u16(zone)));
}

static void
add_helper(struct name *name, const struct nest *flow)
{
	struct nest help = open_nest(flow->at[CTA_HELP]);

	if (help.at[CTA_HELP_NAME])
		add(name, "-helper-%s", mnl_attr_get_str(help.at[CTA_HELP_NAME]));
}

/* What makes the flow special; only a flow without anything special has its state. */
static void
add_traits(struct name *name, const struct nest *flow, uint32_t status)
{
	struct nest orig = open_nest(flow->at[CTA_TUPLE_ORIG]);
	struct nest reply = open_nest(flow->at[CTA_TUPLE_REPLY]);
	const struct nlattr *mark = flow->at[CTA_MARK];

	add_helper(name, flow);
	if (flow->at[CTA_TUPLE_MASTER])
		add(name, "-expected");
	if (status & IPS_SRC_NAT)
		add(name, "-snat");
	if (status & IPS_DST_NAT)
		add(name, "-dnat");
	if (flow->at[CTA_SEQ_ADJ_ORIG] || flow->at[CTA_SEQ_ADJ_REPLY])
		add(name, "-seqadj");
	add_zone(name, "", flow->at[CTA_ZONE]);
	add_zone(name, "-orig", orig.at[CTA_TUPLE_ZONE]);
	add_zone(name, "-reply", reply.at[CTA_TUPLE_ZONE]);
	if (mark && mnl_attr_get_u32(mark))
		add(name, "-mark%x", ntohl(mnl_attr_get_u32(mark)));
	if (flow->at[CTA_LABELS])
		add(name, "-labels");
	if (flow->at[CTA_SYNPROXY])
		add(name, "-synproxy");
}

static struct name
name_flow(const struct nlmsghdr *message, const char *prefix)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	struct nest flow = open_message(message);
	struct nest tuple = open_nest(flow.at[CTA_TUPLE_ORIG]);
	struct nest proto = open_nest(tuple.at[CTA_TUPLE_PROTO]);
	struct name name = { "" };
	uint32_t status = 0;
	size_t plain;

	if (!proto.at[CTA_PROTO_NUM])
		fail("the kernel sent a flow without a protocol");
	if (flow.at[CTA_STATUS])
		status = ntohl(mnl_attr_get_u32(flow.at[CTA_STATUS]));
	add(&name, "%s%s", prefix, header->nfgen_family == AF_INET6 ? "ipv6" : "ipv4");
	add_protocol(&name, mnl_attr_get_u8(proto.at[CTA_PROTO_NUM]));
	plain = strlen(name.text);
	add_traits(&name, &flow, status);
	if (!name.text[plain])
		add_state(&name, &flow);
	if (!name.text[plain] && !(status & IPS_SEEN_REPLY))
		add(&name, "-unreplied");
	if (!*prefix && !flow.at[CTA_COUNTERS_ORIG])
		add(&name, "-noacct");
	return name;
}

static void
write_message(const char *directory, const struct name *name,
	      const struct nlmsghdr *message)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s.nl", directory, name->text);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return;
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	if (write(fd, message, message->nlmsg_len) != (ssize_t)message->nlmsg_len ||
	    close(fd) < 0)
		fail("%s: %s", path, strerror(errno));
}

static struct mnl_socket *
open_socket(unsigned groups)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (!nl || mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID) < 0)
		fail("netlink: %s", strerror(errno));
	return nl;
}

/* It must hold what comes until the traffic is ready: 1,280 bytes for each event. */
static struct mnl_socket *
open_event_socket(void)
{
	const int size = 1 << 20;
	struct mnl_socket *nl =
		open_socket(NF_NETLINK_CONNTRACK_NEW | NF_NETLINK_CONNTRACK_UPDATE |
			    NF_NETLINK_CONNTRACK_DESTROY);

	/* Refused in a user namespace; the default holds the events of a few kinds. */
	setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		   sizeof(size));
	return nl;
}

static size_t
receive(struct mnl_socket *nl, void *buffer)
{
	struct pollfd pollfd = { .fd = mnl_socket_get_fd(nl), .events = POLLIN };
	ssize_t size;

	if (poll(&pollfd, 1, PATIENCE_S * 1000) <= 0)
		fail("the kernel sends nothing for %d s", PATIENCE_S);
	size = mnl_socket_recvfrom(nl, buffer, BUFFER_SIZE);
	if (size < 0)
		fail("receive: %s", strerror(errno));
	return size;
}

static struct nlmsghdr *
new_request(void *buffer, unsigned type, unsigned flags, uint8_t family)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	request->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	request->nlmsg_seq = 1;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	return request;
}

static void
send_request(struct mnl_socket *nl, const struct nlmsghdr *request)
{
	if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		fail("send: %s", strerror(errno));
}

/* Calls VISIT for each flow of the table. */
static void
dump(mnl_cb_t visit, void *data)
{
	static char buffer[BUFFER_SIZE];
	struct mnl_socket *nl = open_socket(0);
	size_t size;
	int more;

	send_request(nl, new_request(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC));
	do {
		size = receive(nl, buffer);
		more = mnl_cb_run(buffer, size, 1, mnl_socket_get_portid(nl), visit,
				  data);
		if (more < 0)
			fail("dump: %s", strerror(errno));
	} while (more > 0);
	mnl_socket_close(nl);
}

static int
record_flow(const struct nlmsghdr *message, void *data)
{
	struct name name = name_flow(message, "");

	write_message(data, &name, message);
	return MNL_CB_OK;
}

/* Only a request with a whole tuple deletes a flow; one without would delete all. */
static int
delete_flow(const struct nlmsghdr *message, void *data)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	struct nest flow = open_message(message);
	static const uint16_t keys[] = { CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID };
	char buffer[1024];
	struct mnl_socket *nl = open_socket(0);
	struct nlmsghdr *request;
	unsigned *deleted = data;

	if (!flow.at[CTA_TUPLE_ORIG] || !flow.at[CTA_ID])
		fail("the kernel sent a flow without tuple or id");
	request = new_request(buffer, IPCTNL_MSG_CT_DELETE, 0, header->nfgen_family);
	for (size_t i = 0; i < MNL_ARRAY_SIZE(keys); i++) {
		const struct nlattr *attr = flow.at[keys[i]];

		if (attr)
			mnl_attr_put(request, attr->nla_type,
				     mnl_attr_get_payload_len(attr),
				     mnl_attr_get_payload(attr));
	}
	send_request(nl, request);
	mnl_socket_close(nl);
	++*deleted;
	return MNL_CB_OK;
}

/* Returns 1 when it was the end of a flow. */
static unsigned
record_event(const char *directory, const struct nlmsghdr *message)
{
	unsigned type = NFNL_MSG_TYPE(message->nlmsg_type);
	const char *prefix = "event-update-";
	struct name name;

	if (type == IPCTNL_MSG_CT_DELETE)
		prefix = "event-destroy-";
	else if (message->nlmsg_flags & NLM_F_CREATE)
		prefix = "event-new-";
	name = name_flow(message, prefix);
	write_message(directory, &name, message);
	return type == IPCTNL_MSG_CT_DELETE;
}

static void
record_events(const char *directory, struct mnl_socket *events)
{
	static char buffer[BUFFER_SIZE];
	unsigned deleted = 0;
	unsigned ended = 0;

	dump(delete_flow, &deleted);
	while (ended < deleted) {
		int size = receive(events, buffer);
		const struct nlmsghdr *message = (const void *)buffer;

		for (; mnl_nlmsg_ok(message, size);
		     message = mnl_nlmsg_next(message, &size))
			ended += record_event(directory, message);
	}
}

/* Starts TRAFFIC and waits until it is ready; closing what this returns ends it. */
static int
start_traffic(char **command)
{
	int in[2], out[2];
	char line[256];
	FILE *stream;
	pid_t child;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		fail("pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		fail("fork: %s", strerror(errno));
	if (child == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execv(command[0], command);
		fail("%s: %s", command[0], strerror(errno));
	}
	close(in[0]);
	close(out[1]);
	stream = fdopen(out[0], "r");
	while (stream && fgets(line, sizeof(line), stream)) {
		if (strcmp(line, "ready\n") == 0)
			return in[1];
		fprintf(stderr, "record: %s", line);
	}
	fail("%s did not get ready", command[0]);
}

int
main(int argc, char **argv)
{
	const char *lab = getenv("CONNTAP_LAB");
	int only_events = argc > 1 && strcmp(argv[1], "-e") == 0;
	char **args = argv + 1 + only_events;
	struct mnl_socket *events = NULL;

	if (argc < 3 + only_events)
		fail("usage: record [-e] DIRECTORY TRAFFIC [KIND...]");
	if (!lab || strcmp(lab, "gateway") != 0)
		fail("this runs inside lab.sh only: it deletes flows");
	if (only_events)
		events = open_event_socket();
	start_traffic(args + 1);
	if (only_events)
		record_events(args[0], events);
	else
		dump(record_flow, args[0]);
	return 0;
}
