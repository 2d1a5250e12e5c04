/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CT_TEXT_H
#define CT_TEXT_H
/*
 * A bounded text writer: the hot path of every format.  Puts go into a buffer of the
 * caller's; a full buffer is handed to `flush`.  The first error sticks and makes every
 * later put a no-op, so that formats are written as straight lines and the error is
 * looked at once, at the end.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "flow.h"

/* Takes all `size` bytes and returns 0, or returns -errno. */
typedef int (*ct_text_flush_fn)(const char *bytes, size_t size, void *data);

struct ct_text {
	char *start;
	char *at;
	char *end;
	int error; /* 0 or the first -errno */
	ct_text_flush_fn flush;
	void *data;
};

/* The smallest buffer that every put fits into. */
#define CT_TEXT_MIN 512

/*
 * Without a flush function the buffer is all there is: what does not fit is left out
 * and the error is -ENOSPC.  `size` is at least CT_TEXT_MIN with one.
 */
void ct_text_init(struct ct_text *text, char *buffer, size_t size,
		  ct_text_flush_fn flush, void *data);

/* Hands on what is in the buffer.  Returns the sticky error. */
int ct_text_flush(struct ct_text *text);

/* Makes room for `size` more bytes; false when there is none and none can be made. */
bool ct_text_make_room(struct ct_text *text, size_t size);

void ct_text_bytes(struct ct_text *text, const char *bytes, size_t size);
void ct_text_u64(struct ct_text *text, uint64_t number);
/* The last `count` digits, with zeros before them: of a fraction, for instance. */
void ct_text_padded(struct ct_text *text, uint64_t number, unsigned int count);
void ct_text_hex(struct ct_text *text, uint64_t number);
void ct_text_addr(struct ct_text *text, uint8_t family, const struct ct_addr *addr);

/* An address by itself: the buffer is big enough for any. */
#define CT_ADDR_STRING 64
void ct_addr_string(char buffer[CT_ADDR_STRING], uint8_t family,
		    const struct ct_addr *addr);

/*
 * Text for XML, in content and in attribute values: escapes what has to be, and
 * writes what is not printable ASCII as '?'.
 */
void ct_text_xml(struct ct_text *text, const char *string);

/* For what is written seldom. */
void ct_text_printf(struct ct_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static inline bool
ct_text_room(struct ct_text *text, size_t size)
{
	return (size_t)(text->end - text->at) >= size || ct_text_make_room(text, size);
}

static inline void
ct_text_char(struct ct_text *text, char c)
{
	if (ct_text_room(text, 1))
		*text->at++ = c;
}

/* A string of the program's own: for a literal, the compiler knows its length. */
static inline void
ct_text_str(struct ct_text *text, const char *string)
{
	size_t size = strlen(string);

	if (__builtin_constant_p(size) && size <= CT_TEXT_MIN) {
		if (ct_text_room(text, size)) {
			memcpy(text->at, string, size);
			text->at += size;
		}
	} else {
		ct_text_bytes(text, string, size);
	}
}

#endif
