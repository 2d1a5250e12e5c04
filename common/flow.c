/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of families, protocols, states and status bits; facts about tuples. */
#include "flow.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct proto {
	uint8_t number;
	bool has_ports;
	const char *name;
};

/* The first name of a number is the one that is printed. */
static const struct proto protos[] = {
	{ IPPROTO_TCP, true, "tcp" },
	{ IPPROTO_UDP, true, "udp" },
	{ IPPROTO_ICMP, false, "icmp" },
	{ IPPROTO_ICMPV6, false, "icmpv6" },
	{ IPPROTO_ICMPV6, false, "ipv6-icmp" },
	{ IPPROTO_SCTP, true, "sctp" },
	{ IPPROTO_DCCP, true, "dccp" },
	{ IPPROTO_UDPLITE, true, "udplite" },
	{ IPPROTO_GRE, true, "gre" },
	{ IPPROTO_IGMP, false, "igmp" },
	{ IPPROTO_IPIP, false, "ipip" },
	{ IPPROTO_IPV6, false, "ipv6" },
	{ IPPROTO_ESP, false, "esp" },
	{ IPPROTO_AH, false, "ah" },
	{ 89, false, "ospf" },
	{ IPPROTO_PIM, false, "pim" },
	{ 112, false, "vrrp" },
	{ 115, false, "l2tp" },
};

static const char *const tcp_states[] = {
	"NONE",       "SYN_SENT", "SYN_RECV",  "ESTABLISHED", "FIN_WAIT",
	"CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",       "SYN_SENT2",
};

static const char *const sctp_states[] = {
	"NONE",           "CLOSED",          "COOKIE_WAIT",   "COOKIE_ECHOED",
	"ESTABLISHED",    "SHUTDOWN_SENT",   "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT",
	"HEARTBEAT_SENT", "HEARTBEAT_ACKED",
};

static const char *const dccp_states[] = {
	"NONE",     "REQUEST", "RESPOND",  "PARTOPEN", "OPEN",
	"CLOSEREQ", "CLOSING", "TIMEWAIT", "IGNORE",   "INVALID",
};

static const char *const status_bits[] = {
	"expected",     "seen_reply", "assured",       "confirmed",
	"src_nat",      "dst_nat",    "seq_adjust",    "src_nat_done",
	"dst_nat_done", "dying",      "fixed_timeout", "template",
	"nat_clash",    "helper",     "offload",       "hw_offload",
};

_Static_assert(CT_HW_OFFLOAD == 1 << (COUNT(status_bits) - 1), "a name for each bit");

static char
plain(char c)
{
	return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

bool
ct_same_word(const char *name, const char *word)
{
	while (*name && plain(*name) == plain(*word)) {
		name++;
		word++;
	}
	return *name == '\0' && *word == '\0';
}

static int
find_word(const char *const *words, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (ct_same_word(name, words[i]))
			return (int)i;
	return -1;
}

const char *
ct_family_name(uint8_t family)
{
	switch (family) {
	case AF_INET:
		return "ipv4";
	case AF_INET6:
		return "ipv6";
	default:
		return NULL;
	}
}

const char *
ct_proto_name(uint8_t proto)
{
	for (size_t i = 0; i < COUNT(protos); i++)
		if (protos[i].number == proto)
			return protos[i].name;
	return NULL;
}

const char *
ct_proto_label(uint8_t proto, char number[CT_PROTO_NUMBER])
{
	const char *name = ct_proto_name(proto);

	if (!name)
		snprintf(number, CT_PROTO_NUMBER, "%u", proto);
	return name ? name : number;
}

int
ct_proto_value(const char *name)
{
	for (size_t i = 0; i < COUNT(protos); i++)
		if (ct_same_word(name, protos[i].name))
			return protos[i].number;
	return -1;
}

bool
ct_proto_has_ports(uint8_t proto)
{
	for (size_t i = 0; i < COUNT(protos); i++)
		if (protos[i].number == proto)
			return protos[i].has_ports;
	return false;
}

static const char *const *
states_of(uint8_t proto, size_t *count)
{
	switch (proto) {
	case IPPROTO_TCP:
		*count = COUNT(tcp_states);
		return tcp_states;
	case IPPROTO_SCTP:
		*count = COUNT(sctp_states);
		return sctp_states;
	case IPPROTO_DCCP:
		*count = COUNT(dccp_states);
		return dccp_states;
	default:
		*count = 0;
		return NULL;
	}
}

bool
ct_proto_has_states(uint8_t proto)
{
	size_t count;

	return states_of(proto, &count) != NULL;
}

const char *
ct_state_name(uint8_t proto, uint8_t state)
{
	size_t count;
	const char *const *states = states_of(proto, &count);

	return state < count ? states[state] : NULL;
}

int
ct_state_value(uint8_t proto, const char *name)
{
	size_t count;
	const char *const *states = states_of(proto, &count);

	return find_word(states, count, name);
}

const char *
ct_status_name(unsigned int bit)
{
	return bit < COUNT(status_bits) ? status_bits[bit] : NULL;
}

int
ct_status_value(const char *name)
{
	return find_word(status_bits, COUNT(status_bits), name);
}

/* Echo, timestamp, information and address-mask messages come in pairs. */
static int
icmp_answer(uint8_t proto, uint8_t type)
{
	static const uint8_t icmp[][2] = {
		{ 8, 0 }, { 13, 14 }, { 15, 16 }, { 17, 18 }
	};
	static const uint8_t icmpv6[][2] = { { 128, 129 }, { 139, 140 } };
	const uint8_t(*pairs)[2] = proto == IPPROTO_ICMP ? icmp : icmpv6;
	size_t count = proto == IPPROTO_ICMP ? COUNT(icmp) : COUNT(icmpv6);

	for (size_t i = 0; i < count; i++) {
		if (pairs[i][0] == type)
			return pairs[i][1];
		if (pairs[i][1] == type)
			return pairs[i][0];
	}
	return -1;
}

bool
ct_tuple_is_mirror(const struct ct_tuple *orig, const struct ct_tuple *reply)
{
	if (orig->proto != reply->proto || orig->family != reply->family ||
	    memcmp(&orig->src, &reply->dst, sizeof(orig->src)) != 0 ||
	    memcmp(&orig->dst, &reply->src, sizeof(orig->dst)) != 0)
		return false;
	if (orig->has & CT_TUPLE_ICMP)
		return orig->icmp_id == reply->icmp_id &&
		       orig->icmp_code == reply->icmp_code &&
		       icmp_answer(orig->proto, orig->icmp_type) == reply->icmp_type;
	return orig->sport == reply->dport && orig->dport == reply->sport;
}

void
ct_tuple_mirror(struct ct_tuple *reply, const struct ct_tuple *orig)
{
	int answer = icmp_answer(orig->proto, orig->icmp_type);

	*reply = *orig;
	reply->src = orig->dst;
	reply->dst = orig->src;
	reply->sport = orig->dport;
	reply->dport = orig->sport;
	if (orig->has & CT_TUPLE_ICMP_TYPE && answer >= 0)
		reply->icmp_type = (uint8_t)answer;
}
