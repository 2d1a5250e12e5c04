/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_SUPPORT_H
#define UNIT_SUPPORT_H
/*
 * What several unit tests need: cmocka itself, random numbers that can be repeated,
 * memory that ends at a guard page, the messages of the corpus, flows made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/flow.h"

struct nlmsghdr;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Random numbers.  The first call prints the seed; SEED=… in the environment gives the
 * same numbers again.  `limit` is not 0.
 */
uint64_t random_u64(void);
uint32_t random_below(uint32_t limit);
void random_bytes(void *bytes, size_t size);

/* Up to `room` bytes, the last of which stands before a page that faults. */
struct guard {
	uint8_t *map;
	size_t map_size;
	uint8_t *end;
};

void guard_init(struct guard *guard, size_t room);
void guard_done(struct guard *guard);

/* Calls `message` for each message of CONNTAP_DATA; without any, the test fails. */
typedef void (*message_fn)(const char *name, const struct nlmsghdr *message,
			   void *data);
void each_message(message_fn message, void *data);

/* The address that `word` stands for; its family is where the colons are. */
struct ct_addr addr_of(const char *word);

/* A flow of which nothing is known but its two tuples, the one the other's mirror. */
struct ct_flow flow_of(uint8_t proto, const char *src, uint16_t sport, const char *dst,
		       uint16_t dport);

/* The same for ICMP and ICMPv6: an echo request and its reply. */
struct ct_flow echo_of(const char *src, const char *dst, uint16_t id);

/* Fails, with the offset of the first difference, unless the flows are the same. */
void assert_flow_equal(const char *name, const struct ct_flow *flow,
		       const struct ct_flow *expected);

#endif
