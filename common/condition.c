/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each condition: how its value is read, how a flow is held against it. */
#include "condition.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "label.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* Ends of a flow, for `which` of addresses and ports. */
enum {
	ORIG_SRC = 1 << 0,
	ORIG_DST = 1 << 1,
	REPLY_SRC = 1 << 2,
	REPLY_DST = 1 << 3,
	ANY_END = ORIG_SRC | ORIG_DST | REPLY_SRC | REPLY_DST,
};

/* Numbers, for `which` of what is held against a range. */
enum {
	NUMBER_FAMILY,
	NUMBER_PROTO,
	NUMBER_ICMP_TYPE,
	NUMBER_ICMP_CODE,
	NUMBER_ICMP_ID,
	NUMBER_ZONE,
	NUMBER_ORIG_ZONE,
	NUMBER_REPLY_ZONE,
	NUMBER_BYTES,
	NUMBER_PACKETS,
	NUMBER_AGE,
	NUMBER_TIMEOUT,
};

/* --- numbers ------------------------------------------------------------------- */

static bool
age_of(const struct ct_flow *flow, uint64_t now, uint64_t *age)
{
	uint64_t end = flow->has & CT_STOP ? flow->stop : now;

	*age = end > flow->start ? (end - flow->start) / NS_PER_SECOND : 0;
	return flow->has & CT_START;
}

/* False when the flow has no such number. */
static bool
number_of(int which, const struct ct_flow *flow, uint64_t now, uint64_t *number)
{
	switch (which) {
	case NUMBER_FAMILY:
		*number = flow->orig.family;
		return true;
	case NUMBER_PROTO:
		*number = flow->orig.proto;
		return true;
	case NUMBER_ICMP_TYPE:
		*number = flow->orig.icmp_type;
		return flow->orig.has & CT_TUPLE_ICMP_TYPE;
	case NUMBER_ICMP_CODE:
		*number = flow->orig.icmp_code;
		return flow->orig.has & CT_TUPLE_ICMP_CODE;
	case NUMBER_ICMP_ID:
		*number = flow->orig.icmp_id;
		return flow->orig.has & CT_TUPLE_ICMP_ID;
	case NUMBER_ZONE: /* of both directions; a directional zone is not in it */
		*number = flow->zone;
		return !((flow->orig.has | flow->reply.has) & CT_TUPLE_ZONE);
	case NUMBER_ORIG_ZONE:
		*number = ct_flow_zone(flow, CT_ORIG);
		return true;
	case NUMBER_REPLY_ZONE:
		*number = ct_flow_zone(flow, CT_REPLY);
		return true;
	case NUMBER_BYTES:
		*number =
			flow->counters[CT_ORIG].bytes + flow->counters[CT_REPLY].bytes;
		return flow->has & CT_COUNTERS;
	case NUMBER_PACKETS:
		*number = flow->counters[CT_ORIG].packets +
			  flow->counters[CT_REPLY].packets;
		return flow->has & CT_COUNTERS;
	case NUMBER_AGE:
		return age_of(flow, now, number);
	case NUMBER_TIMEOUT:
		*number = flow->timeout;
		return flow->has & CT_TIMEOUT;
	default:
		return false;
	}
}

static bool
match_number(const struct ct_condition *condition, const union ct_wanted *wanted,
	     const struct ct_flow *flow, uint64_t now)
{
	uint64_t number;

	return number_of(condition->which, flow, now, &number) &&
	       number >= wanted->range.low && number <= wanted->range.high;
}

static int
parse_family(const struct ct_condition *condition, const char *value,
	     union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	if (ct_same_word(value, "ipv4") || ct_same_word(value, "inet"))
		wanted->range.low = AF_INET;
	else if (ct_same_word(value, "ipv6") || ct_same_word(value, "inet6"))
		wanted->range.low = AF_INET6;
	else
		return ct_parse_failed(why, "%.100s is not a family (ipv4 or ipv6)",
				       value);
	wanted->range.high = wanted->range.low;
	return 0;
}

static void
ask_family(const struct ct_condition *condition, const union ct_wanted *wanted,
	   struct ct_dump_ask *ask)
{
	(void)condition;
	ask->family = (uint8_t)wanted->range.low;
}

static int
parse_proto(const struct ct_condition *condition, const char *value,
	    union ct_wanted *wanted, struct ct_why *why)
{
	int number = ct_proto_value(value);
	struct ct_why unused;

	(void)condition;
	wanted->range.low = wanted->range.high = (uint64_t)number;
	if (number >= 0 || ct_parse_range(value, 255, "", &wanted->range, &unused) == 0)
		return 0;
	return ct_parse_failed(
		why,
		"%.100s is not a protocol (tcp, udp, udplite, icmp, icmpv6, "
		"sctp, dccp, gre, …, or 0-255)",
		value);
}

static void
ask_proto(const struct ct_condition *condition, const union ct_wanted *wanted,
	  struct ct_dump_ask *ask)
{
	(void)condition;
	if (wanted->range.low != wanted->range.high)
		return;
	ask->tuple[CT_ORIG].proto = (uint8_t)wanted->range.low;
	ask->tuple[CT_ORIG].has |= CT_TUPLE_PROTO;
}

static int
parse_octet(const struct ct_condition *condition, const char *value,
	    union ct_wanted *wanted, struct ct_why *why)
{
	return ct_parse_range(value, 255,
			      condition->which == NUMBER_ICMP_TYPE ? "an ICMP type"
								   : "an ICMP code",
			      &wanted->range, why);
}

static int
parse_u16(const struct ct_condition *condition, const char *value,
	  union ct_wanted *wanted, struct ct_why *why)
{
	return ct_parse_range(value, UINT16_MAX,
			      condition->which == NUMBER_ICMP_ID ? "an ICMP id"
								 : "a zone",
			      &wanted->range, why);
}

static void
ask_zone(const struct ct_condition *condition, const union ct_wanted *wanted,
	 struct ct_dump_ask *ask)
{
	(void)condition;
	if (wanted->range.low != wanted->range.high)
		return;
	ask->zone = (uint16_t)wanted->range.low;
	ask->has |= CT_ASK_ZONE;
}

/* Amounts and times come as minimum and maximum: the name begins with it. */
static void
bound(const struct ct_condition *condition, union ct_wanted *wanted, uint64_t number)
{
	bool minimum = strncmp(condition->name, "min-", 4) == 0;

	wanted->range.low = minimum ? number : 0;
	wanted->range.high = minimum ? UINT64_MAX : number;
}

static int
parse_amount(const struct ct_condition *condition, const char *value,
	     union ct_wanted *wanted, struct ct_why *why)
{
	uint64_t number;
	int error = ct_parse_amount(value, &number, why);

	if (!error)
		bound(condition, wanted, number);
	return error;
}

static int
parse_duration(const struct ct_condition *condition, const char *value,
	       union ct_wanted *wanted, struct ct_why *why)
{
	uint64_t number;
	int error = ct_parse_duration(value, &number, why);

	if (!error)
		bound(condition, wanted, number);
	return error;
}

/* --- addresses and ports ------------------------------------------------------- */

static bool
addr_in(const struct ct_addr_range *range, uint8_t family, const struct ct_addr *addr)
{
	return family == range->family &&
	       memcmp(addr, &range->low, sizeof(*addr)) >= 0 &&
	       memcmp(addr, &range->high, sizeof(*addr)) <= 0;
}

static int
parse_addr(const struct ct_condition *condition, const char *value,
	   union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	return ct_parse_addr(value, &wanted->addr, why);
}

static bool
match_addr(const struct ct_condition *condition, const union ct_wanted *wanted,
	   const struct ct_flow *flow, uint64_t now)
{
	const struct ct_tuple *orig = &flow->orig, *reply = &flow->reply;
	const struct ct_addr_range *range = &wanted->addr;
	int which = condition->which;

	(void)now;
	return (which & ORIG_SRC && addr_in(range, orig->family, &orig->src)) ||
	       (which & ORIG_DST && addr_in(range, orig->family, &orig->dst)) ||
	       (which & REPLY_SRC && addr_in(range, reply->family, &reply->src)) ||
	       (which & REPLY_DST && addr_in(range, reply->family, &reply->dst));
}

static struct ct_tuple *
asked_tuple(const struct ct_condition *condition, struct ct_dump_ask *ask)
{
	return &ask->tuple[condition->which & (ORIG_SRC | ORIG_DST) ? CT_ORIG
								    : CT_REPLY];
}

/* The kernel's test of IPv6 addresses is the wrong way round, so it gets none. */
static void
ask_addr(const struct ct_condition *condition, const union ct_wanted *wanted,
	 struct ct_dump_ask *ask)
{
	struct ct_tuple *tuple = asked_tuple(condition, ask);
	const struct ct_addr_range *range = &wanted->addr;

	if (ask->family == AF_UNSPEC)
		ask->family = range->family;
	if (range->family != AF_INET || ask->family != AF_INET ||
	    memcmp(&range->low, &range->high, sizeof(range->low)) != 0)
		return;
	tuple->family = AF_INET;
	if (condition->which & (ORIG_SRC | REPLY_SRC)) {
		tuple->src = range->low;
		tuple->has |= CT_TUPLE_SRC;
	} else {
		tuple->dst = range->low;
		tuple->has |= CT_TUPLE_DST;
	}
}

static void
ask_any_addr(const struct ct_condition *condition, const union ct_wanted *wanted,
	     struct ct_dump_ask *ask)
{
	(void)condition;
	if (ask->family == AF_UNSPEC)
		ask->family = wanted->addr.family;
}

static int
parse_port(const struct ct_condition *condition, const char *value,
	   union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	return ct_parse_port(value, &wanted->range, why);
}

static bool
port_in(const struct ct_range *range, const struct ct_tuple *tuple, uint16_t has,
	uint16_t port)
{
	return tuple->has & has && port >= range->low && port <= range->high;
}

static bool
match_port(const struct ct_condition *condition, const union ct_wanted *wanted,
	   const struct ct_flow *flow, uint64_t now)
{
	const struct ct_tuple *orig = &flow->orig, *reply = &flow->reply;
	const struct ct_range *range = &wanted->range;
	int which = condition->which;

	(void)now;
	if (orig->proto == IPPROTO_GRE) /* its keys travel as ports, but are none */
		return false;
	return (which & ORIG_SRC &&
		port_in(range, orig, CT_TUPLE_SPORT, orig->sport)) ||
	       (which & ORIG_DST &&
		port_in(range, orig, CT_TUPLE_DPORT, orig->dport)) ||
	       (which & REPLY_SRC &&
		port_in(range, reply, CT_TUPLE_SPORT, reply->sport)) ||
	       (which & REPLY_DST &&
		port_in(range, reply, CT_TUPLE_DPORT, reply->dport));
}

static void
ask_port(const struct ct_condition *condition, const union ct_wanted *wanted,
	 struct ct_dump_ask *ask)
{
	struct ct_tuple *tuple = asked_tuple(condition, ask);

	if (wanted->range.low != wanted->range.high)
		return;
	if (condition->which & (ORIG_SRC | REPLY_SRC)) {
		tuple->sport = (uint16_t)wanted->range.low;
		tuple->has |= CT_TUPLE_SPORT;
	} else {
		tuple->dport = (uint16_t)wanted->range.low;
		tuple->has |= CT_TUPLE_DPORT;
	}
}

/* --- address translation ------------------------------------------------------- */

static int
parse_nat(const struct ct_condition *condition, const char *value,
	  union ct_wanted *wanted, struct ct_why *why)
{
	wanted->nat.status = (uint32_t)condition->which;
	wanted->nat.any = value == NULL;
	return value ? ct_parse_addr(value, &wanted->nat.addr, why) : 0;
}

/* Translated sources show as the reply's destination, and the other way round. */
static bool
match_nat(const struct ct_condition *condition, const union ct_wanted *wanted,
	  const struct ct_flow *flow, uint64_t now)
{
	const struct ct_tuple *reply = &flow->reply;
	uint32_t nat = flow->status & wanted->nat.status;

	(void)condition;
	(void)now;
	if (wanted->nat.any)
		return nat != 0;
	return (nat & CT_SRC_NAT &&
		addr_in(&wanted->nat.addr, reply->family, &reply->dst)) ||
	       (nat & CT_DST_NAT &&
		addr_in(&wanted->nat.addr, reply->family, &reply->src));
}

static void
ask_nat(const struct ct_condition *condition, const union ct_wanted *wanted,
	struct ct_dump_ask *ask)
{
	if (condition->which == CT_NAT_MASK) /* the kernel cannot say "one of" */
		return;
	ask->status |= wanted->nat.status;
	ask->status_mask |= wanted->nat.status;
	ask->has |= CT_ASK_STATUS;
}

/* --- state and status ---------------------------------------------------------- */

static bool
match_state(const struct ct_condition *condition, const union ct_wanted *wanted,
	    const struct ct_flow *flow, uint64_t now)
{
	(void)condition;
	(void)now;
	if (!(flow->has & CT_STATE) || flow->state >= 16)
		return false;
	switch (flow->orig.proto) {
	case IPPROTO_TCP:
		return wanted->states.tcp >> flow->state & 1;
	case IPPROTO_SCTP:
		return wanted->states.sctp >> flow->state & 1;
	case IPPROTO_DCCP:
		return wanted->states.dccp >> flow->state & 1;
	default:
		return false;
	}
}

static uint16_t
state_bit(uint8_t proto, const char *name)
{
	int state = ct_state_value(proto, name);

	return state < 0 ? 0 : (uint16_t)(1u << state);
}

/* Writes "TCP: NONE, SYN_SENT …" behind what is in `text`. */
static void
list_states(char *text, size_t size, uint8_t proto, const char *title)
{
	size_t used = strlen(text);
	const char *name;

	for (uint8_t i = 0; used < size && (name = ct_state_name(proto, i)); i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
					 i ? " " : title, name);
}

static int
parse_state(const struct ct_condition *condition, const char *value,
	    union ct_wanted *wanted, struct ct_why *why)
{
	char names[CT_WHY_SIZE] = "";

	(void)condition;
	wanted->states.tcp = state_bit(IPPROTO_TCP, value);
	wanted->states.sctp = state_bit(IPPROTO_SCTP, value);
	wanted->states.dccp = state_bit(IPPROTO_DCCP, value);
	if (wanted->states.tcp || wanted->states.sctp || wanted->states.dccp)
		return 0;
	list_states(names, sizeof(names), IPPROTO_TCP, "TCP: ");
	list_states(names, sizeof(names), IPPROTO_SCTP, "; SCTP: ");
	list_states(names, sizeof(names), IPPROTO_DCCP, "; DCCP: ");
	return ct_parse_failed(why, "%.30s is not a state (%.440s)", value, names);
}

/* Takes "!", "not-" or "no-" off the word; true when there was one. */
static bool
negated(const char **word)
{
	static const char *const prefixes[] = { "!", "not-", "not_", "no-", "no_" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t length = strlen(prefixes[i]);

		if (strncasecmp(*word, prefixes[i], length) == 0) {
			*word += length;
			return true;
		}
	}
	return false;
}

/* The bits that a word of the user's stands for; 0 for no such word. */
static uint32_t
status_bits(const char *word, bool *absent)
{
	static const struct {
		const char *word;
		uint32_t bits;
		bool absent;
	} others[] = {
		{ "unreplied", CT_SEEN_REPLY, true },
		{ "replied", CT_SEEN_REPLY, false },
		{ "unassured", CT_ASSURED, true },
		{ "snat", CT_SRC_NAT, false },
		{ "dnat", CT_DST_NAT, false },
		{ "nat", CT_NAT_MASK, false },
	};
	int bit = ct_status_value(word);

	*absent = false;
	if (bit >= 0)
		return 1u << bit;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (ct_same_word(word, others[i].word)) {
			*absent = others[i].absent;
			return others[i].bits;
		}
	return 0;
}

static int
parse_status_word(const char *word, union ct_wanted *wanted, struct ct_why *why)
{
	const char *name = word;
	bool negative = negated(&name), absent;
	uint32_t bits = status_bits(name, &absent);

	if (!bits)
		return ct_parse_failed(
			why,
			"%.60s is not a status (expected, seen-reply, assured, "
			"confirmed, "
			"src-nat, dst-nat, nat, seq-adjust, dying, fixed-timeout, "
			"helper, "
			"offload, hw-offload, unreplied, …; not-NAME for its absence)",
			word);
	if (negative != absent) {
		wanted->bits.mask |= bits;
	} else if (bits == CT_NAT_MASK) {
		wanted->bits.any |= bits;
	} else {
		wanted->bits.mask |= bits;
		wanted->bits.value |= bits;
	}
	return 0;
}

/* Calls `parse` for each word of a list with commas. */
static int
each_word(const char *value, union ct_wanted *wanted, struct ct_why *why,
	  int (*parse)(const char *word, union ct_wanted *wanted, struct ct_why *why))
{
	char list[256], *rest = list, *word;
	int error = 0;

	if (strlen(value) >= sizeof(list))
		return ct_parse_failed(why, "%.60s… is too long", value);
	snprintf(list, sizeof(list), "%s", value);
	while (!error && (word = strsep(&rest, ",")))
		error = parse(word, wanted, why);
	return error;
}

static int
parse_status(const struct ct_condition *condition, const char *value,
	     union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	return each_word(value, wanted, why, parse_status_word);
}

static bool
match_status(const struct ct_condition *condition, const union ct_wanted *wanted,
	     const struct ct_flow *flow, uint64_t now)
{
	(void)condition;
	(void)now;
	return flow->has & CT_STATUS &&
	       (flow->status & wanted->bits.mask) == wanted->bits.value &&
	       (!wanted->bits.any || flow->status & wanted->bits.any);
}

static void
ask_status(const struct ct_condition *condition, const union ct_wanted *wanted,
	   struct ct_dump_ask *ask)
{
	(void)condition;
	if (!wanted->bits.mask)
		return;
	ask->status |= wanted->bits.value;
	ask->status_mask |= wanted->bits.mask;
	ask->has |= CT_ASK_STATUS;
}

/* --- mark, labels, helper ------------------------------------------------------ */

static int
parse_mark(const struct ct_condition *condition, const char *value,
	   union ct_wanted *wanted, struct ct_why *why)
{
	const char *slash = strchr(value, '/');
	uint64_t mark, mask = UINT32_MAX;
	struct ct_why unused;
	char left[32];

	(void)condition;
	snprintf(left, sizeof(left), "%.*s", slash ? (int)(slash - value) : 31, value);
	if (ct_parse_number(left, UINT32_MAX, "", &mark, &unused) < 0 ||
	    (slash && ct_parse_number(slash + 1, UINT32_MAX, "", &mask, &unused) < 0))
		return ct_parse_failed(
			why, "%.100s is not a mark (like 7, 0x2a, or 0x2a/0xff)",
			value);
	if (mark & ~mask)
		return ct_parse_failed(
			why, "%.100s: no mark has bits outside of its mask", value);
	wanted->bits.value = (uint32_t)mark;
	wanted->bits.mask = (uint32_t)mask;
	return 0;
}

/* The kernel sends no mark where it is 0. */
static bool
match_mark(const struct ct_condition *condition, const union ct_wanted *wanted,
	   const struct ct_flow *flow, uint64_t now)
{
	(void)condition;
	(void)now;
	return (flow->mark & wanted->bits.mask) == wanted->bits.value;
}

static void
ask_mark(const struct ct_condition *condition, const union ct_wanted *wanted,
	 struct ct_dump_ask *ask)
{
	(void)condition;
	ask->mark = wanted->bits.value;
	ask->mark_mask = wanted->bits.mask;
	ask->has |= CT_ASK_MARK;
}

/* A label's number, by number or by its name in connlabel.conf; -1. */
static int
label_bit(const char *word)
{
	struct ct_labels *labels;
	struct ct_why unused;
	uint64_t number;
	int bit;

	if (ct_parse_number(word, CT_LABEL_BITS - 1, "", &number, &unused) == 0)
		return (int)number;
	labels = ct_labels_new();
	bit = ct_label_bit(labels, word);
	ct_labels_free(labels);
	return bit;
}

static int
parse_label_word(const char *word, union ct_wanted *wanted, struct ct_why *why)
{
	const char *name = word;
	bool negative = negated(&name);
	int bit = label_bit(name);

	if (bit < 0)
		return ct_parse_failed(
			why,
			"%.100s is not a label (0-127, or a name in " CT_LABEL_FILE ")",
			word);
	if (negative)
		wanted->labels.clear[bit / 8] |= (uint8_t)(1 << bit % 8);
	else
		wanted->labels.set[bit / 8] |= (uint8_t)(1 << bit % 8);
	return 0;
}

static int
parse_label(const struct ct_condition *condition, const char *value,
	    union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	return each_word(value, wanted, why, parse_label_word);
}

static bool
match_label(const struct ct_condition *condition, const union ct_wanted *wanted,
	    const struct ct_flow *flow, uint64_t now)
{
	(void)condition;
	(void)now;
	for (size_t i = 0; i < sizeof(flow->labels); i++)
		if ((flow->labels[i] & wanted->labels.set[i]) !=
			    wanted->labels.set[i] ||
		    flow->labels[i] & wanted->labels.clear[i])
			return false;
	return true;
}

static int
parse_helper(const struct ct_condition *condition, const char *value,
	     union ct_wanted *wanted, struct ct_why *why)
{
	(void)condition;
	if (!*value || strlen(value) >= sizeof(wanted->helper))
		return ct_parse_failed(why, "%.60s is not a helper's name (like ftp)",
				       *value ? value : "''");
	strcpy(wanted->helper, value);
	return 0;
}

static bool
match_helper(const struct ct_condition *condition, const union ct_wanted *wanted,
	     const struct ct_flow *flow, uint64_t now)
{
	(void)condition;
	(void)now;
	return flow->has & CT_HELPER_NAME && strcmp(flow->helper, wanted->helper) == 0;
}

/* --- the table ----------------------------------------------------------------- */

#define ADDR(ends, asks)                                                               \
	.argument = "ADDR", .which = (ends), .parse = parse_addr, .match = match_addr, \
	.ask = (asks), .topic = CT_TOPIC_ADDRESS
#define PORT(ends, asks)                                                               \
	.argument = "PORT", .which = (ends), .parse = parse_port, .match = match_port, \
	.ask = (asks), .topic = CT_TOPIC_ADDRESS
#define NAT(bits)                                                              \
	.argument = "ADDR", .bare = true, .which = (bits), .parse = parse_nat, \
	.match = match_nat, .topic = CT_TOPIC_ADDRESS, .ask = ask_nat
#define NUMBER(number, reads, heading) \
	.which = (number), .parse = (reads), .match = match_number, .topic = (heading)
#define AMOUNT(number, reads) NUMBER(number, reads, CT_TOPIC_AMOUNT)

const struct ct_condition ct_conditions[] = {
	{ "orig-src",
	  { "src" },
	  's',
	  ADDR(ORIG_SRC, ask_addr),
	  .help = "source of the original direction" },
	{ "orig-dst",
	  { "dst" },
	  'd',
	  ADDR(ORIG_DST, ask_addr),
	  .help = "destination of the original direction" },
	{ "reply-src",
	  { 0 },
	  'r',
	  ADDR(REPLY_SRC, ask_addr),
	  .help = "source of the reply direction" },
	{ "reply-dst",
	  { 0 },
	  'q',
	  ADDR(REPLY_DST, ask_addr),
	  .help = "destination of the reply direction" },
	{ "any-addr",
	  { "host" },
	  0,
	  ADDR(ANY_END, ask_any_addr),
	  .help = "either end, in either direction" },
	{ "sport",
	  { "orig-src-port", "orig-port-src" },
	  0,
	  PORT(ORIG_SRC, ask_port),
	  .help = "source port of the original direction" },
	{ "dport",
	  { "orig-dst-port", "orig-port-dst" },
	  0,
	  PORT(ORIG_DST, ask_port),
	  .help = "destination port of the original direction" },
	{ "reply-src-port",
	  { "reply-port-src" },
	  0,
	  PORT(REPLY_SRC, ask_port),
	  .help = "source port of the reply direction" },
	{ "reply-dst-port",
	  { "reply-port-dst" },
	  0,
	  PORT(REPLY_DST, ask_port),
	  .help = "destination port of the reply direction" },
	{ "any-port",
	  { "port" },
	  0,
	  PORT(ANY_END, NULL),
	  .help = "either end, in either direction" },
	{ "src-nat",
	  { "snat" },
	  'n',
	  NAT(CT_SRC_NAT),
	  .help = "its source is translated (to ADDR)" },
	{ "dst-nat",
	  { "dnat" },
	  'g',
	  NAT(CT_DST_NAT),
	  .help = "its destination is translated (to ADDR)" },
	{ "any-nat", { "nat" }, 'j', NAT(CT_NAT_MASK), .help = "either of the two" },

	{ "family",
	  { 0 },
	  'f',
	  NUMBER(NUMBER_FAMILY, parse_family, CT_TOPIC_PROTOCOL),
	  .argument = "FAMILY",
	  .ask = ask_family,
	  .help = "ipv4 or ipv6" },
	{ "protonum",
	  { "proto", "protocol" },
	  'p',
	  NUMBER(NUMBER_PROTO, parse_proto, CT_TOPIC_PROTOCOL),
	  .argument = "PROTO",
	  .ask = ask_proto,
	  .help = "tcp, udp, icmp, icmpv6, sctp, gre, …, or a number" },
	{ "icmp-type",
	  { 0 },
	  0,
	  NUMBER(NUMBER_ICMP_TYPE, parse_octet, CT_TOPIC_PROTOCOL),
	  .argument = "TYPE",
	  .help = "of ICMP and ICMPv6; likewise:" },
	{ "icmp-code",
	  { 0 },
	  0,
	  NUMBER(NUMBER_ICMP_CODE, parse_octet, CT_TOPIC_PROTOCOL),
	  .argument = "CODE",
	  .help = "" },
	{ "icmp-id",
	  { 0 },
	  0,
	  NUMBER(NUMBER_ICMP_ID, parse_u16, CT_TOPIC_PROTOCOL),
	  .argument = "ID",
	  .help = "" },

	{ "state",
	  { 0 },
	  0,
	  .argument = "STATE",
	  .topic = CT_TOPIC_STATE,
	  .parse = parse_state,
	  .match = match_state,
	  .help = "of TCP, SCTP or DCCP: ESTABLISHED, TIME_WAIT, …" },
	{ "status",
	  { 0 },
	  'u',
	  .joined = true,
	  .argument = "STATUS",
	  .topic = CT_TOPIC_STATE,
	  .parse = parse_status,
	  .match = match_status,
	  .ask = ask_status,
	  .help = "all of: assured, seen-reply, unreplied, snat, dnat, nat, offload, "
		  "dying, …; not-NAME for its absence" },

	{ "mark",
	  { 0 },
	  'm',
	  .argument = "MARK",
	  .topic = CT_TOPIC_TAG,
	  .parse = parse_mark,
	  .match = match_mark,
	  .ask = ask_mark,
	  .help = "a mark, or MARK/MASK" },
	{ "zone",
	  { 0 },
	  'w',
	  NUMBER(NUMBER_ZONE, parse_u16, CT_TOPIC_TAG),
	  .argument = "ZONE",
	  .ask = ask_zone,
	  .help = "of both directions" },
	{ "orig-zone",
	  { 0 },
	  0,
	  NUMBER(NUMBER_ORIG_ZONE, parse_u16, CT_TOPIC_TAG),
	  .argument = "ZONE",
	  .help = "of the original direction" },
	{ "reply-zone",
	  { 0 },
	  0,
	  NUMBER(NUMBER_REPLY_ZONE, parse_u16, CT_TOPIC_TAG),
	  .argument = "ZONE",
	  .help = "of the reply direction" },
	{ "label",
	  { 0 },
	  'l',
	  .joined = true,
	  .argument = "LABEL",
	  .topic = CT_TOPIC_TAG,
	  .parse = parse_label,
	  .match = match_label,
	  .help = "all of these, by number or by name in connlabel.conf; not-LABEL" },
	{ "helper",
	  { 0 },
	  0,
	  .argument = "NAME",
	  .topic = CT_TOPIC_TAG,
	  .parse = parse_helper,
	  .match = match_helper,
	  .help = "of the helper that follows the flow: ftp, sip, …" },

	{ "min-bytes",
	  { 0 },
	  0,
	  AMOUNT(NUMBER_BYTES, parse_amount),
	  .argument = "N",
	  .need = CT_NEEDS_ACCT,
	  .help = "of both directions together: 1500, 10k, 2M, 1Gi" },
	{ "max-bytes",
	  { 0 },
	  0,
	  AMOUNT(NUMBER_BYTES, parse_amount),
	  .argument = "N",
	  .need = CT_NEEDS_ACCT,
	  .help = "" },
	{ "min-packets",
	  { 0 },
	  0,
	  AMOUNT(NUMBER_PACKETS, parse_amount),
	  .argument = "N",
	  .need = CT_NEEDS_ACCT,
	  .help = "likewise" },
	{ "max-packets",
	  { 0 },
	  0,
	  AMOUNT(NUMBER_PACKETS, parse_amount),
	  .argument = "N",
	  .need = CT_NEEDS_ACCT,
	  .help = "" },
	{ "min-age",
	  { 0 },
	  0,
	  AMOUNT(NUMBER_AGE, parse_duration),
	  .argument = "TIME",
	  .need = CT_NEEDS_TIMESTAMP,
	  .help = "since the first packet: 90, 5m, 1h30m, 2d" },
	{ "max-age",
	  { 0 },
	  0,
	  AMOUNT(NUMBER_AGE, parse_duration),
	  .argument = "TIME",
	  .need = CT_NEEDS_TIMESTAMP,
	  .help = "" },
	{ "min-timeout",
	  { 0 },
	  0,
	  AMOUNT(NUMBER_TIMEOUT, parse_duration),
	  .argument = "TIME",
	  .help = "left until the kernel forgets the flow" },
	{ "max-timeout",
	  { 0 },
	  0,
	  AMOUNT(NUMBER_TIMEOUT, parse_duration),
	  .argument = "TIME",
	  .help = "" },
	{ .name = NULL },
};

const char *
ct_topic_title(enum ct_topic topic)
{
	static const char *const titles[] = {
		[CT_TOPIC_ADDRESS] = "addresses, ports and their translation",
		[CT_TOPIC_PROTOCOL] = "protocol",
		[CT_TOPIC_STATE] = "state",
		[CT_TOPIC_TAG] = "mark, zone, label and helper",
		[CT_TOPIC_AMOUNT] = "amounts and times",
	};

	_Static_assert(sizeof(titles) / sizeof(titles[0]) == CT_TOPICS, "a title each");
	return titles[topic];
}
