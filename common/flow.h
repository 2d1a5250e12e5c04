/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_FLOW_H
#define CT_FLOW_H
/*
 * One conntrack entry as plain data.  Read this file first: everything else in
 * conntap either makes a struct ct_flow (decode, dump) or uses one (filter, export,
 * change).
 *
 * A flow holds no pointers, so it can be copied with = and compared with memcmp().
 * Numbers are in host byte order, addresses in network byte order.  What the kernel
 * did not send is not in `has`, and its field is zero: test `has` before you show a
 * value, because "no counters" and "counters at 0" are two different facts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CT_ORIG, CT_REPLY, CT_DIRS };

/* Big enough for both families; an IPv4 address is in the first four bytes. */
struct ct_addr {
	uint8_t bytes[16];
};

/* What identifies one direction of a flow. */
struct ct_tuple {
	struct ct_addr src;
	struct ct_addr dst;
	uint16_t sport; /* ports, or the GRE keys */
	uint16_t dport;
	uint16_t icmp_id; /* ICMP and ICMPv6 */
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint16_t zone;  /* of this direction only; see ct_flow.zone */
	uint8_t family; /* AF_INET or AF_INET6, from the message's header */
	uint8_t proto;  /* IPPROTO_* */
	uint16_t has;   /* CT_TUPLE_* */
	uint16_t unused;
};

enum {
	CT_TUPLE_SRC = 1 << 0,
	CT_TUPLE_DST = 1 << 1,
	CT_TUPLE_PROTO = 1 << 2,
	CT_TUPLE_SPORT = 1 << 3,
	CT_TUPLE_DPORT = 1 << 4,
	CT_TUPLE_ICMP_ID = 1 << 5,
	CT_TUPLE_ICMP_TYPE = 1 << 6,
	CT_TUPLE_ICMP_CODE = 1 << 7,
	CT_TUPLE_ZONE = 1 << 8,

	CT_TUPLE_ADDRS = CT_TUPLE_SRC | CT_TUPLE_DST,
	CT_TUPLE_PORTS = CT_TUPLE_SPORT | CT_TUPLE_DPORT,
	CT_TUPLE_ICMP = CT_TUPLE_ICMP_ID | CT_TUPLE_ICMP_TYPE | CT_TUPLE_ICMP_CODE,
};

/* Bits of ct_flow.status: linux/netfilter/nf_conntrack_common.h, IPS_*. */
enum {
	CT_EXPECTED = 1 << 0,
	CT_SEEN_REPLY = 1 << 1,
	CT_ASSURED = 1 << 2,
	CT_CONFIRMED = 1 << 3,
	CT_SRC_NAT = 1 << 4,
	CT_DST_NAT = 1 << 5,
	CT_SEQ_ADJUST = 1 << 6,
	CT_SRC_NAT_DONE = 1 << 7,
	CT_DST_NAT_DONE = 1 << 8,
	CT_DYING = 1 << 9,
	CT_FIXED_TIMEOUT = 1 << 10,
	CT_TEMPLATE = 1 << 11,
	CT_NAT_CLASH = 1 << 12,
	CT_HELPER = 1 << 13,
	CT_OFFLOAD = 1 << 14,
	CT_HW_OFFLOAD = 1 << 15,

	CT_NAT_MASK = CT_SRC_NAT | CT_DST_NAT,
};

struct ct_counters {
	uint64_t packets;
	uint64_t bytes;
};

/* How far a helper has shifted the TCP sequence numbers of one direction. */
struct ct_seqadj {
	uint32_t correction_pos;
	int32_t offset_before;
	int32_t offset_after;
};

struct ct_synproxy {
	uint32_t isn;
	uint32_t its;
	uint32_t tsoff;
};

struct ct_tcp {
	uint8_t wscale[CT_DIRS];
	uint8_t flags[CT_DIRS]; /* IP_CT_TCP_FLAG_* */
};

struct ct_sctp {
	uint32_t vtag[CT_DIRS];
};

struct ct_dccp {
	uint64_t handshake_seq;
	uint8_t role; /* of the original direction: 0 client, 1 server */
};

#define CT_LABEL_BITS 128
/* The kernel has labels as an array of native longs: where our byte i is in there. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CT_LABEL_BYTE(i) (i)
#else
#define CT_LABEL_BYTE(i) ((i) ^ (sizeof(long) - 1))
#endif
#define CT_HELPER_LEN 32  /* the kernel's names have 15 characters at most */
#define CT_SECCTX_LEN 256 /* longer ones are cut, and CT_SECCTX_CUT says so */

struct ct_flow {
	uint64_t has; /* CT_* of the enum below */
	struct ct_tuple orig;
	struct ct_tuple reply;
	struct ct_tuple master; /* the flow that this one was expected by */

	uint32_t id; /* neither unique nor stable: never a key */
	uint32_t status;
	uint32_t timeout; /* seconds left */
	uint32_t mark;
	uint32_t secmark;
	uint32_t use; /* kernel references */
	uint16_t zone;
	uint8_t state; /* of its protocol: ct_state_name() */

	struct ct_tcp tcp;
	struct ct_sctp sctp;
	struct ct_dccp dccp;

	struct ct_counters counters[CT_DIRS]; /* needs nf_conntrack_acct */
	uint64_t start;      /* ns since 1970; needs nf_conntrack_timestamp */
	uint64_t stop;       /* of an ended flow */
	uint64_t event_time; /* when the event happened (Linux 6.14) */

	struct ct_seqadj seqadj[CT_DIRS];
	struct ct_synproxy synproxy;

	uint8_t labels[CT_LABEL_BITS / 8]; /* bit n: labels[n / 8] >> n % 8 & 1 */
	char helper[CT_HELPER_LEN];
	char secctx[CT_SECCTX_LEN];
};

#define CT_BIT(n) (UINT64_C(1) << (n))
#define CT_ORIG_TUPLE CT_BIT(0)
#define CT_REPLY_TUPLE CT_BIT(1)
#define CT_MASTER_TUPLE CT_BIT(2)
#define CT_ID CT_BIT(3)
#define CT_STATUS CT_BIT(4)
#define CT_TIMEOUT CT_BIT(5) /* an offloaded flow has none */
#define CT_MARK CT_BIT(6)
#define CT_SECMARK CT_BIT(7)
#define CT_USE CT_BIT(8)
#define CT_ZONE CT_BIT(9) /* both directions in one zone; absent: zone 0 */
#define CT_STATE CT_BIT(10)
#define CT_TCP_WSCALE_ORIG CT_BIT(11)
#define CT_TCP_WSCALE_REPLY CT_BIT(12)
#define CT_TCP_FLAGS_ORIG CT_BIT(13)
#define CT_TCP_FLAGS_REPLY CT_BIT(14)
#define CT_SCTP_VTAG_ORIG CT_BIT(15)
#define CT_SCTP_VTAG_REPLY CT_BIT(16)
#define CT_DCCP_ROLE CT_BIT(17)
#define CT_DCCP_SEQ CT_BIT(18)
#define CT_COUNTERS_ORIG CT_BIT(19)
#define CT_COUNTERS_REPLY CT_BIT(20)
#define CT_START CT_BIT(21)
#define CT_STOP CT_BIT(22)
#define CT_EVENT_TIME CT_BIT(23)
#define CT_SEQADJ_ORIG CT_BIT(24)
#define CT_SEQADJ_REPLY CT_BIT(25)
#define CT_SYNPROXY CT_BIT(26)
#define CT_LABELS CT_BIT(27)
#define CT_HELPER_NAME CT_BIT(28)
#define CT_SECCTX CT_BIT(29)
#define CT_SECCTX_CUT CT_BIT(30)

#define CT_PROTOINFO                                                                  \
	(CT_STATE | CT_TCP_WSCALE_ORIG | CT_TCP_WSCALE_REPLY | CT_TCP_FLAGS_ORIG |    \
	 CT_TCP_FLAGS_REPLY | CT_SCTP_VTAG_ORIG | CT_SCTP_VTAG_REPLY | CT_DCCP_ROLE | \
	 CT_DCCP_SEQ)
#define CT_COUNTERS (CT_COUNTERS_ORIG | CT_COUNTERS_REPLY)
#define CT_SEQADJ (CT_SEQADJ_ORIG | CT_SEQADJ_REPLY)

/*
 * Names.  The strings are constants.  A name function returns NULL for what has no
 * name; a value function takes either case, reads '-' and '_' alike, and returns -1
 * for what is no name.
 */

/* "ipv4", "ipv6". */
const char *ct_family_name(uint8_t family);

/* "tcp", "icmpv6", "sctp" … */
const char *ct_proto_name(uint8_t proto);
int ct_proto_value(const char *name);

/* The name, or where there is none the number, which is written into `number`. */
#define CT_PROTO_NUMBER 4
const char *ct_proto_label(uint8_t proto, char number[CT_PROTO_NUMBER]);

/* Are there ports (or, for GRE, keys) in this protocol's tuples? */
bool ct_proto_has_ports(uint8_t proto);
bool ct_proto_has_states(uint8_t proto);

/* "ESTABLISHED" …; `state` as the protocol `proto` counts it. */
const char *ct_state_name(uint8_t proto, uint8_t state);
int ct_state_value(uint8_t proto, const char *name);

/* "assured" …; `bit` counts from 0. */
const char *ct_status_name(unsigned int bit);
int ct_status_value(const char *name);

/* Is `name` the same word as `word`, but for case, '-' and '_'? */
bool ct_same_word(const char *name, const char *word);

/* Is `reply` what `orig` makes without address translation? */
bool ct_tuple_is_mirror(const struct ct_tuple *orig, const struct ct_tuple *reply);

/* Makes the reply that `orig` has without address translation. */
void ct_tuple_mirror(struct ct_tuple *reply, const struct ct_tuple *orig);

static inline bool
ct_flow_is_nat(const struct ct_flow *flow)
{
	return flow->status & CT_NAT_MASK;
}

/* How long a flow that has ended had lasted, in ns; false where it is not known. */
static inline bool
ct_flow_duration(const struct ct_flow *flow, uint64_t *ns)
{
	if (!(flow->has & CT_START) || !(flow->has & CT_STOP) ||
	    flow->stop < flow->start)
		return false;
	*ns = flow->stop - flow->start;
	return true;
}

/* Is the source, or the destination, translated; and its port? */
static inline bool
ct_flow_is_snat(const struct ct_flow *flow)
{
	return flow->status & CT_SRC_NAT;
}

static inline bool
ct_flow_is_dnat(const struct ct_flow *flow)
{
	return flow->status & CT_DST_NAT;
}

static inline bool
ct_flow_is_spat(const struct ct_flow *flow)
{
	return ct_flow_is_snat(flow) && flow->orig.sport != flow->reply.dport;
}

static inline bool
ct_flow_is_dpat(const struct ct_flow *flow)
{
	return ct_flow_is_dnat(flow) && flow->orig.dport != flow->reply.sport;
}

/* The zone of one direction; 0, the default, where the kernel named none. */
static inline uint16_t
ct_flow_zone(const struct ct_flow *flow, int dir)
{
	const struct ct_tuple *tuple = dir == CT_ORIG ? &flow->orig : &flow->reply;

	return flow->has & CT_ZONE ? flow->zone : tuple->zone;
}

static inline bool
ct_flow_label(const struct ct_flow *flow, unsigned int bit)
{
	return bit < CT_LABEL_BITS && flow->labels[bit / 8] >> bit % 8 & 1;
}

#endif
