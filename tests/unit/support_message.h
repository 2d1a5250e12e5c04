/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_SUPPORT_MESSAGE_H
#define UNIT_SUPPORT_MESSAGE_H
/* Conntrack messages made by hand, and their decoding, for the tests of decode. */
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>

#include "support.h"

/* What stands before the attributes in a message's payload. */
#define HEAD ((size_t)MNL_ALIGN(sizeof(struct nfgenmsg)))

#define ATTR_TIMESTAMP_EVENT 27 /* CTA_TIMESTAMP_EVENT, since Linux 6.14 */

/*
 * ct_decode_flow() into memory that is not zero, twice: the test fails when the results
 * depend on what was there.
 */
int decode_twice(struct ct_flow *flow, const void *payload, size_t size);

/* The same for a message that must be good. */
void decode_message(const char *name, const struct nlmsghdr *message,
		    struct ct_flow *flow);

size_t payload_size(const struct nlmsghdr *message);

/* A message without attributes; mnl_attr_put_*() and these add some. */
struct nlmsghdr *begin_message(void *buffer, size_t size, uint8_t family);
void put_be64(struct nlmsghdr *message, uint16_t type, uint64_t number);
void put_be32(struct nlmsghdr *message, uint16_t type, uint32_t number);
void put_be16(struct nlmsghdr *message, uint16_t type, uint16_t number);

/*
 * Every attribute that a flow of this family and protocol can have; one zone for both
 * directions, or one for each.
 */
struct nlmsghdr *full_message(void *buffer, size_t size, uint8_t family, uint8_t proto,
			      bool one_zone);

/* The corpus, and full messages of each protocol. */
void each_whole_message(message_fn call, void *data);

#endif
