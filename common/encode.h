/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_ENCODE_H
#define CT_ENCODE_H
/*
 * decode the other way round, as far as requests need it: a tuple → the attributes of
 * a ctnetlink message.  For dump and change.
 */
#include <stdint.h>

#include "flow.h"

struct nlmsghdr;

/* No tuple takes more bytes than this. */
#define CT_ENCODE_TUPLE_MAX 96

/* Adds `tuple` as attribute `type` (CTA_TUPLE_ORIG …): the fields that it has. */
void ct_encode_tuple(struct nlmsghdr *message, uint16_t type,
		     const struct ct_tuple *tuple);

#endif
