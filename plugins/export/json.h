/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_JSON_H
#define EXPORT_JSON_H
/*
 * How JSON is put together; for the files json*.c alone.  An object is put by members;
 * `sep` is what goes before the next of them, and begins as '{'.
 */
#include "output.h"

/* Inlined, so that the length of the name before the number is known in time. */
#define JSON_HOT inline __attribute__((always_inline))

static JSON_HOT void
json_put_key(struct ct_text *text, char *sep, const char *key)
{
	ct_text_char(text, *sep);
	*sep = ',';
	ct_text_str(text, key);
}

/* Also of an object without members. */
static JSON_HOT void
json_put_close(struct ct_text *text, char sep)
{
	if (sep == '{')
		ct_text_char(text, '{');
	ct_text_char(text, '}');
}

static JSON_HOT void
json_put_number(struct ct_text *text, char *sep, const char *key, uint64_t number)
{
	json_put_key(text, sep, key);
	ct_text_u64(text, number);
}

static JSON_HOT void
json_put_time(struct ct_text *text, char *sep, const char *key, uint64_t ns)
{
	json_put_key(text, sep, key);
	ct_text_u64(text, ns / 1000000000);
	ct_text_char(text, '.');
	ct_text_padded(text, ns % 1000000000, 9);
}

/* A string of the program's own, which needs no escapes. */
static JSON_HOT void
json_put_name(struct ct_text *text, char *sep, const char *key, const char *name)
{
	json_put_key(text, sep, key);
	ct_text_char(text, '"');
	ct_text_bytes(text, name, strlen(name));
	ct_text_char(text, '"');
}

/* Text of unknown encoding: what is not ASCII is taken for Latin 1. */
void json_put_string(struct ct_text *text, const char *string);

/* The names of the bits that are set: ["seen_reply", "bit16"]. */
void json_put_bits(struct ct_text *text, uint32_t bits,
		   const char *(*name_of)(unsigned int bit));

/* A tuple that stands for itself, with its protocol. */
void json_put_tuple(struct ct_text *text, const struct ct_tuple *tuple);

/* The value of "expect". */
void json_put_expect(struct ct_text *text, const struct ct_expect *expect);

#endif
