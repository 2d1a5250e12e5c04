/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_HASH_H
#define CT_HASH_H
/*
 * The hash of the tables that hold flows' keys, within the library.  Whoever sends
 * packets chooses keys; the seed keeps from them which keys fall together.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

static inline uint64_t
ct_hash_seed(void)
{
	uint64_t seed;

	/* Early in a system's life there may be nothing random; then it is no worse. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = 0x9e3779b97f4a7c15;
	return seed;
}

/* Multiplies and mixes, 8 bytes at a time. */
static inline uint64_t
ct_hash(uint64_t seed, const void *bytes, size_t size)
{
	const char *at = bytes;
	uint64_t sum = seed, word;

	for (; size >= sizeof(word); size -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = (sum ^ word) * 0xff51afd7ed558ccd;
		sum ^= sum >> 32;
	}
	word = 0;
	memcpy(&word, at, size);
	sum = (sum ^ word) * 0xc4ceb9fe1a85ec53;
	return sum ^ sum >> 29;
}

#endif
