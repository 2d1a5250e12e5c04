/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strict: a word is taken whole or not at all. */
#include "parse.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer words are no numbers, ranges or addresses. */
#define WORD_MAX 128

#define PORT_MAX 65535
#define PORT_FORMS "is not a port (0-65535, a range like 80-90, or a service's name)"
#define ADDR_FORMS                                                                    \
	"is not an address (a host, a network like 10.0.0.0/8 or 10.0.0.0/255.0.0.0," \
	" or a range like 10.0.0.2-10.0.0.9; IPv6 likewise)"

int
ct_parse_failed(struct ct_why *why, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why->text, sizeof(why->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* Digits only: strtoull() alone would take signs, blanks and octal. */
static bool
whole_number(const char *word, uint64_t *number)
{
	bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
	const char *digits = hex ? word + 2 : word;

	if (!*digits ||
	    digits[strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789")])
		return false;
	errno = 0;
	*number = strtoull(digits, NULL, hex ? 16 : 10);
	return errno == 0;
}

int
ct_parse_number(const char *word, uint64_t max, const char *what, uint64_t *number,
		struct ct_why *why)
{
	uint64_t value;

	if (!whole_number(word, &value) || value > max)
		return ct_parse_failed(why, "%.100s is not %s (0-%llu)", word, what,
				       (unsigned long long)max);
	*number = value;
	return 0;
}

/* Copies what stands before `separator` into `left`; *right is what comes after. */
static bool
split(const char *word, char separator, char left[WORD_MAX], const char **right)
{
	const char *at = strchr(word, separator);
	size_t size;

	if (!at)
		return false;
	size = (size_t)(at - word);
	if (size >= WORD_MAX)
		return false;
	memcpy(left, word, size);
	left[size] = '\0';
	*right = at + 1;
	return true;
}

enum reading {
	READ,
	NOT_A_RANGE,
	BACKWARDS,
};

static enum reading
read_range(const char *word, uint64_t max, struct ct_range *range)
{
	char left[WORD_MAX];
	struct ct_range found;
	const char *right;
	bool good;

	if (split(word, '-', left, &right))
		good = whole_number(left, &found.low) &&
		       whole_number(right, &found.high);
	else
		good = whole_number(word, &found.low) &&
		       whole_number(word, &found.high);
	if (!good || found.low > max || found.high > max)
		return NOT_A_RANGE;
	if (found.low > found.high)
		return BACKWARDS;
	*range = found;
	return READ;
}

static int
backwards(struct ct_why *why, const char *word)
{
	return ct_parse_failed(why, "%.100s is a range that ends before it begins",
			       word);
}

int
ct_parse_range(const char *word, uint64_t max, const char *what, struct ct_range *range,
	       struct ct_why *why)
{
	switch (read_range(word, max, range)) {
	case READ:
		return 0;
	case BACKWARDS:
		return backwards(why, word);
	default:
		return ct_parse_failed(why,
				       "%.100s is not %s (0-%llu, or a range like 2-5)",
				       word, what, (unsigned long long)max);
	}
}

static bool
service(const char *name, struct ct_range *range)
{
	const struct servent *found = getservbyname(name, NULL);

	if (!found)
		return false;
	range->low = range->high = ntohs((uint16_t)found->s_port);
	return true;
}

int
ct_parse_port(const char *word, struct ct_range *range, struct ct_why *why)
{
	switch (read_range(word, PORT_MAX, range)) {
	case READ:
		return 0;
	case BACKWARDS:
		return backwards(why, word);
	default:
		if (isalpha((unsigned char)word[0]) && service(word, range))
			return 0;
		return ct_parse_failed(why, "%.100s " PORT_FORMS, word);
	}
}

/* Reads digits from *at, moving it. */
static bool
leading_number(const char **at, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	errno = 0;
	*number = strtoull(*at, &end, 10);
	*at = end;
	return errno == 0;
}

int
ct_parse_amount(const char *word, uint64_t *amount, struct ct_why *why)
{
	static const char letters[] = "kMGTP";
	const char *at = word;
	uint64_t number, factor = 1;

	if (leading_number(&at, &number)) {
		const char *letter =
			*at ? strchr(letters, *at == 'K' ? 'k' : *at) : NULL;

		if (letter) {
			uint64_t base = at[1] == 'i' ? 1024 : 1000;

			for (const char *i = letters; i <= letter; i++)
				factor *= base;
			at += base == 1024 ? 2 : 1;
		}
		if (*at == '\0' && !__builtin_mul_overflow(number, factor, amount))
			return 0;
	}
	return ct_parse_failed(
		why, "%.100s is not an amount (a number, or one like 10k, 2M, 1G, 1Gi)",
		word);
}

static uint64_t
unit_seconds(char unit)
{
	switch (unit) {
	case '\0':
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	default:
		return 0;
	}
}

/* Reads a number and its unit from *at, moving it; only a lone number has none. */
static bool
leading_time(const char **at, bool alone, uint64_t *seconds)
{
	uint64_t number, unit;

	if (!leading_number(at, &number))
		return false;
	unit = unit_seconds(**at);
	if (unit == 0 || (**at == '\0' && !alone))
		return false;
	if (**at)
		++*at;
	return !__builtin_mul_overflow(number, unit, seconds);
}

int
ct_parse_duration(const char *word, uint64_t *seconds, struct ct_why *why)
{
	const char *at = word;
	uint64_t total = 0, part;
	bool good;

	do
		good = leading_time(&at, at == word, &part) &&
		       !__builtin_add_overflow(total, part, &total);
	while (good && *at);
	if (!good)
		return ct_parse_failed(
			why, "%.100s is not a time (seconds, or like 90s, 5m, 1h30m)",
			word);
	*seconds = total;
	return 0;
}

static bool
host(const char *word, uint8_t *family, struct ct_addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	*family = strchr(word, ':') ? AF_INET6 : AF_INET;
	return inet_pton(*family, word, addr->bytes) == 1;
}

static unsigned int
addr_size(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

/* A mask's length in bits; -1 when there are zeros between its ones. */
static int
mask_length(uint8_t family, const struct ct_addr *mask)
{
	unsigned int size = addr_size(family), length = 0;

	while (length < size * 8 && mask->bytes[length / 8] >> (7 - length % 8) & 1)
		length++;
	for (unsigned int i = length; i < size * 8; i++)
		if (mask->bytes[i / 8] >> (7 - i % 8) & 1)
			return -1;
	return (int)length;
}

static int
prefix_length(const char *word, const char *text, uint8_t family, unsigned int *length,
	      struct ct_why *why)
{
	unsigned int max = addr_size(family) * 8;
	uint8_t mask_family;
	struct ct_addr mask;
	uint64_t number;

	if (whole_number(text, &number)) {
		if (number > max)
			return ct_parse_failed(
				why, "%.100s: the prefix is 0-%u bits long", word, max);
		*length = (unsigned int)number;
		return 0;
	}
	if (!host(text, &mask_family, &mask) || mask_family != family)
		return ct_parse_failed(why, "%.100s " ADDR_FORMS, word);
	if (mask_length(family, &mask) < 0)
		return ct_parse_failed(
			why, "%.100s: the mask has zeros between its ones", word);
	*length = (unsigned int)mask_length(family, &mask);
	return 0;
}

static int
network(const char *word, const char *left, const char *right,
	struct ct_addr_range *range, struct ct_why *why)
{
	char first[INET6_ADDRSTRLEN];
	struct ct_addr given;
	unsigned int length = 0;
	int error;

	if (!host(left, &range->family, &given))
		return ct_parse_failed(why, "%.100s " ADDR_FORMS, word);
	error = prefix_length(word, right, range->family, &length, why);
	if (error)
		return error;
	range->low = range->high = given;
	for (unsigned int i = length; i < addr_size(range->family) * 8; i++) {
		range->low.bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
		range->high.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	if (memcmp(&given, &range->low, sizeof(given)) == 0)
		return 0;
	inet_ntop(range->family, range->low.bytes, first, sizeof(first));
	return ct_parse_failed(why, "%.100s has host bits set (the network is %s/%u)",
			       word, first, length);
}

int
ct_parse_addr(const char *word, struct ct_addr_range *range, struct ct_why *why)
{
	char left[WORD_MAX];
	const char *right;
	uint8_t family;

	if (split(word, '/', left, &right))
		return network(word, left, right, range, why);
	if (!split(word, '-', left, &right)) {
		snprintf(left, sizeof(left), "%s", word);
		right = left;
	}
	if (!host(left, &range->family, &range->low) ||
	    !host(right, &family, &range->high) || family != range->family)
		return ct_parse_failed(why, "%.100s " ADDR_FORMS, word);
	if (memcmp(&range->low, &range->high, sizeof(range->low)) > 0)
		return ct_parse_failed(
			why, "%.100s is a range that ends before it begins", word);
	return 0;
}
