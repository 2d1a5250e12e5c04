/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks for one flow; exits with 1 when there is none, with 2 on an error. */
#include <arpa/inet.h>
#include <conntap/conntap.h>
#include <errno.h>
#include <stdio.h>

static bool
read_addr(struct ct_tuple *tuple, struct ct_addr *addr, const char *word)
{
	tuple->family = strchr(word, ':') ? AF_INET6 : AF_INET;
	return inet_pton(tuple->family, word, addr->bytes) == 1;
}

static bool
read_port(uint16_t *port, const char *word)
{
	struct ct_why why;
	uint64_t number;

	if (ct_parse_number(word, UINT16_MAX, "a port", &number, &why) != 0)
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool
read_tuple(struct ct_tuple *tuple, char **words)
{
	int proto = ct_proto_value(words[0]);

	if (proto < 0 || !ct_proto_has_ports((uint8_t)proto))
		return false;
	tuple->proto = (uint8_t)proto;
	tuple->has = CT_TUPLE_ADDRS | CT_TUPLE_PROTO | CT_TUPLE_PORTS;
	return read_addr(tuple, &tuple->src, words[1]) &&
	       read_port(&tuple->sport, words[2]) &&
	       read_addr(tuple, &tuple->dst, words[3]) &&
	       read_port(&tuple->dport, words[4]);
}

/* What the kernel did not send is not shown. */
static void
show(const struct ct_flow *flow)
{
	const char *state = ct_state_name(flow->orig.proto, flow->state);

	printf("id %u", flow->id);
	if (flow->has & CT_STATE && state)
		printf(", %s", state);
	if (flow->has & CT_TIMEOUT)
		printf(", %u s left", flow->timeout);
	if (flow->has & CT_MARK)
		printf(", mark %u", flow->mark);
	if (ct_flow_is_nat(flow))
		fputs(", translated", stdout);
	putchar('\n');
}

int
main(int argc, char **argv)
{
	struct ct_flow asked = { .has = CT_ORIG_TUPLE }, found;
	struct ct_netlink *netlink = NULL;
	int error;

	if (argc != 6 || !read_tuple(&asked.orig, argv + 1)) {
		fputs("usage: lookup PROTO SOURCE PORT DESTINATION PORT\n", stderr);
		return 2;
	}
	error = ct_netlink_open(&netlink, NULL);
	if (!error)
		error = ct_get(netlink, &asked, &found);
	ct_netlink_free(netlink);
	if (error) {
		fprintf(stderr, "lookup: %s\n",
			error == -ENOENT ? "no such flow" : strerror(-error));
		return error == -ENOENT ? 1 : 2;
	}
	show(&found);
	return 0;
}
