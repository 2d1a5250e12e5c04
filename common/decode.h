/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_DECODE_H
#define CT_DECODE_H
/*
 * The bytes of one ctnetlink message → struct ct_flow or struct ct_expect.  For whoever
 * reads messages: dump, events, and the tests.
 *
 * Decoding is pure: it allocates nothing, keeps nothing and trusts nothing but `size`.
 * An attribute that it does not know is passed over, as the kernel's ABI asks; one
 * that it knows but that has an impossible length is -EBADMSG.
 */
#include <stddef.h>
#include <stdint.h>

#include "expect.h"
#include "flow.h"

/*
 * Decodes the message's payload: a struct nfgenmsg and its attributes, which is what
 * follows the struct nlmsghdr.  `payload` is aligned to 4 bytes.
 *
 * Returns 0, or -EBADMSG when the message is malformed; then *flow is not to be used.
 */
int ct_decode_flow(struct ct_flow *flow, const void *payload, size_t size);

/* The same for a message about an expectation. */
int ct_decode_expect(struct ct_expect *expect, const void *payload, size_t size);

/*
 * Adds to *tuple what stands in the attribute of a tuple (CTA_TUPLE_ORIG …), whose
 * content the `size` bytes are.  Its family is the caller's affair.
 */
int ct_decode_tuple(struct ct_tuple *tuple, const void *attributes, size_t size);

#endif
