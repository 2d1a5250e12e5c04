/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_PROBE_H
#define CT_PROBE_H
/*
 * Which filters the kernel has, found by trying them: distributions take new features
 * back into old kernels, so the version says little, and a kernel ignores what it does
 * not know.  For whoever advises about them.
 *
 * What is tried is a flush by filters, in a private network namespace that holds a few
 * flows made for it: nobody else's are in reach.  Unlike a dump, which would walk the
 * hash that all namespaces share with softirqs off, it lets packets pass meanwhile.  It
 * takes milliseconds; beside a million flows, some tenths of a second.
 */
#include <stdint.h>

/* Bits of struct ct_probe; ct_probe_name() knows them by their number. */
enum {
	/* For dumps as well as for flushes, with the version that began it. */
	CT_PROBE_FAMILY = 1 << 0, /* Linux 5.3; dumps have always had it */
	CT_PROBE_MARK = 1 << 1,
	CT_PROBE_STATUS = 1 << 2, /* 5.15 */
	CT_PROBE_ZONE = 1 << 3,   /* 6.8 */
	/* By single fields of the tuples. */
	CT_PROBE_TUPLE_FLUSH = 1 << 4, /* 6.12 */
	CT_PROBE_TUPLE_DUMP = 1 << 5,  /* 5.8 */

	CT_PROBE_ALL = (1 << 6) - 1,
};

struct ct_probe {
	uint32_t known; /* what could be found out */
	uint32_t has;   /* and is there */
};

/*
 * Tries them all, in a child process that ends before this returns.  What could not be
 * tried (there may be no zones, no IPv6) is not in `known`.
 * Returns 0; -EPERM where this user may make no private namespace, -ENOSPC where there
 * are too many; -EPROTONOSUPPORT where the kernel has no ctnetlink; -ETIMEDOUT when it
 * took too long; or another -errno.  After an error nothing is known.
 */
int ct_probe(struct ct_probe *probe);

/* "family" …; `bit` counts from 0.  NULL for what has no name. */
const char *ct_probe_name(unsigned int bit);

#endif
