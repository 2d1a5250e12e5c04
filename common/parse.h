/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_PARSE_H
#define CT_PARSE_H
/*
 * A user's words → numbers, ranges and addresses.  For the conditions of a filter and
 * the options of the faces.
 *
 * Every function returns 0, or -EINVAL and one half sentence in `why` that names the
 * word and says what was expected, to be put behind the option's name:
 * "70000 is not a port (0-65535, a range like 80-90, or a service's name)".
 */
#include <stddef.h>
#include <stdint.h>

#include "flow.h"

#define CT_WHY_SIZE 512

struct ct_why {
	char text[CT_WHY_SIZE];
};

struct ct_range {
	uint64_t low;
	uint64_t high;
};

struct ct_addr_range {
	uint8_t family;
	struct ct_addr low;
	struct ct_addr high;
};

/* Sets why->text and returns -EINVAL. */
int ct_parse_failed(struct ct_why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A whole number, decimal or 0x…, from 0 to `max`; `what` as in "is not a mark". */
int ct_parse_number(const char *word, uint64_t max, const char *what, uint64_t *number,
		    struct ct_why *why);

/* "5" or "5-9". */
int ct_parse_range(const char *word, uint64_t max, const char *what,
		   struct ct_range *range, struct ct_why *why);

/* "80", "80-90", "https". */
int ct_parse_port(const char *word, struct ct_range *range, struct ct_why *why);

/* Bytes or packets: "1500", "10k", "2M", "1G" (powers of 1000), "1Gi" (of 1024). */
int ct_parse_amount(const char *word, uint64_t *amount, struct ct_why *why);

/* A time in seconds: "90", "90s", "5m", "2h", "1d", "1w", "1h30m". */
int ct_parse_duration(const char *word, uint64_t *seconds, struct ct_why *why);

/* A host, a network ("10.0.0.0/8", "10.0.0.0/255.0.0.0"), a range
 * ("10.0.0.2-10.0.0.9"). */
int ct_parse_addr(const char *word, struct ct_addr_range *range, struct ct_why *why);

#endif
