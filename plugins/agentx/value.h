/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_VALUE_H
#define AGX_VALUE_H
/*
 * The value of one object, with its SNMP type, on its way into an answer.  For
 * everything that knows values.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/flow.h"

#define AGX_OCTETS_MAX 256

struct agx_value {
	unsigned char type; /* ASN_* */
	uint64_t number;
	size_t size;
	unsigned char octets[AGX_OCTETS_MAX];
};

/*
 * Each sets the value, and returns true: there is one.  What is greater than a gauge
 * can be is its greatest value, as SNMP wants it; counters wrap.
 */
bool agx_gauge(struct agx_value *value, uint64_t number);
bool agx_integer(struct agx_value *value, int32_t number);
bool agx_counter32(struct agx_value *value, uint64_t number);
bool agx_counter64(struct agx_value *value, uint64_t number);
bool agx_truth(struct agx_value *value, bool truth);
bool agx_string(struct agx_value *value, const char *string);
bool agx_octets(struct agx_value *value, const void *octets, size_t size);

/* The lowest `count` bits of the word as BITS: bit 0 is the first. */
bool agx_bits(struct agx_value *value, uint32_t bits, unsigned int count);

/* DateAndTime, in UTC; `ns` since 1970. */
bool agx_date(struct agx_value *value, uint64_t ns);

/* InetAddressType and InetAddress. */
bool agx_addr_type(struct agx_value *value, uint8_t family);
bool agx_addr(struct agx_value *value, uint8_t family, const struct ct_addr *addr);

struct variable_list;
/* Puts it into a variable of an answer.  False: no memory. */
bool agx_value_put(const struct agx_value *value, struct variable_list *variable);

#endif
