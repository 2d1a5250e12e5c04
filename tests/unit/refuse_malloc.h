/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_REFUSE_MALLOC_H
#define UNIT_REFUSE_MALLOC_H
/*
 * Memory that is refused, for a test to include once.  It defines malloc() and calloc()
 * in place of the C library's: a source file of support would do so in every test.
 */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>

/* How often memory was asked for, and from which time on it is refused; of one thread,
 * as a sanitizer needs some for another. */
static _Thread_local size_t allocations, refused_from = SIZE_MAX;

/* It is called before the sanitizers are ready. */
#ifdef __clang__
__attribute__((disable_sanitizer_instrumentation))
#endif
__attribute__((no_sanitize("address", "undefined", "thread"))) void *
malloc(size_t size)
{
	void *volatile none = NULL;

	return allocations++ < refused_from ? realloc(none, size) : NULL;
}

void *
calloc(size_t count, size_t size)
{
	volatile char *bytes = NULL;

	if (!size || count <= SIZE_MAX / size)
		bytes = malloc(count * size);
	/* Volatile, lest the compiler makes a call of calloc() of it. */
	for (size_t i = 0; bytes && i < count * size; i++)
		bytes[i] = 0;
	return (void *)(uintptr_t)bytes;
}

#endif
