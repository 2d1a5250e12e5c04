/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers, addresses and escapes, written without the C library's formatter. */
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

/* Eight groups, or six and an IPv4 address. */
#define ADDR_MAX 45

void
ct_text_init(struct ct_text *text, char *buffer, size_t size, ct_text_flush_fn flush,
	     void *data)
{
	*text = (struct ct_text){
		.start = buffer,
		.at = buffer,
		.end = buffer + size,
		.flush = flush,
		.data = data,
	};
}

/* The sticky error leaves no room, so every put stops at its first test. */
static void
fail(struct ct_text *text, int error)
{
	text->error = error;
	text->end = text->at;
}

int
ct_text_flush(struct ct_text *text)
{
	int error;

	if (text->error || !text->flush || text->at == text->start)
		return text->error;
	error = text->flush(text->start, (size_t)(text->at - text->start), text->data);
	text->at = text->start;
	if (error)
		fail(text, error);
	return text->error;
}

bool
ct_text_make_room(struct ct_text *text, size_t size)
{
	if (text->error)
		return false;
	if (ct_text_flush(text) == 0 && (size_t)(text->end - text->at) >= size)
		return true;
	if (!text->error)
		fail(text, -ENOSPC);
	return false;
}

void
ct_text_bytes(struct ct_text *text, const char *bytes, size_t size)
{
	while (size > 0) {
		size_t left = (size_t)(text->end - text->at);
		size_t step = size < left ? size : left;

		memcpy(text->at, bytes, step);
		text->at += step;
		bytes += step;
		size -= step;
		if (size > 0 && !ct_text_make_room(text, 1))
			return;
	}
}

static const char digit_pairs[] = "00010203040506070809"
				  "10111213141516171819"
				  "20212223242526272829"
				  "30313233343536373839"
				  "40414243444546474849"
				  "50515253545556575859"
				  "60616263646566676869"
				  "70717273747576777879"
				  "80818283848586878889"
				  "90919293949596979899";

static unsigned int
count_digits(uint64_t number)
{
	unsigned int count = 1;

	while (number >= 10000) {
		number /= 10000;
		count += 4;
	}
	return count + (number >= 10) + (number >= 100) + (number >= 1000);
}

void
ct_text_u64(struct ct_text *text, uint64_t number)
{
	unsigned int count = count_digits(number);
	char *at;

	if (!ct_text_room(text, count))
		return;
	at = text->at += count;
	while (number >= 100) {
		at -= 2;
		memcpy(at, digit_pairs + number % 100 * 2, 2);
		number /= 100;
	}
	if (number >= 10)
		memcpy(at - 2, digit_pairs + number * 2, 2);
	else
		at[-1] = (char)('0' + number);
}

void
ct_text_padded(struct ct_text *text, uint64_t number, unsigned int count)
{
	if (!ct_text_room(text, count))
		return;
	text->at += count;
	for (char *at = text->at; count > 0; count--) {
		*--at = (char)('0' + number % 10);
		number /= 10;
	}
}

static char *
put_hex(char *at, uint64_t number)
{
	int shift = 60;

	while (shift > 0 && number >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[number >> shift & 15];
	return at;
}

void
ct_text_hex(struct ct_text *text, uint64_t number)
{
	char digits[16];

	ct_text_bytes(text, digits, (size_t)(put_hex(digits, number) - digits));
}

static char *
put_byte(char *at, uint8_t byte)
{
	if (byte >= 100) {
		*at++ = (char)('0' + byte / 100);
		byte %= 100;
		memcpy(at, digit_pairs + byte * 2, 2);
		return at + 2;
	}
	if (byte >= 10) {
		memcpy(at, digit_pairs + byte * 2, 2);
		return at + 2;
	}
	*at++ = (char)('0' + byte);
	return at;
}

static char *
put_ipv4(char *at, const uint8_t *bytes)
{
	at = put_byte(at, bytes[0]);
	*at++ = '.';
	at = put_byte(at, bytes[1]);
	*at++ = '.';
	at = put_byte(at, bytes[2]);
	*at++ = '.';
	return put_byte(at, bytes[3]);
}

/* RFC 5952: "::" stands for the first of the longest runs of at least two zeros. */
static void
longest_zeros(const uint16_t *groups, int *start, int *length)
{
	int run = 0;

	*start = -1;
	*length = 1;
	for (int i = 0; i < 8; i++) {
		run = groups[i] ? 0 : run + 1;
		if (run > *length) {
			*length = run;
			*start = i - run + 1;
		}
	}
}

static char *
put_ipv6(char *at, const uint8_t *bytes)
{
	uint16_t groups[8];
	int zeros, length;

	for (int i = 0; i < 8; i++)
		groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
	longest_zeros(groups, &zeros, &length);
	for (int i = 0; i < 8;) {
		if (i == zeros) {
			*at++ = ':';
			i += length;
			if (i == 8)
				*at++ = ':';
			continue;
		}
		if (i > 0)
			*at++ = ':';
		/* ::192.0.2.1 and ::ffff:192.0.2.1, as inet_ntop() has them. */
		if (i == 6 && zeros == 0 &&
		    (length == 6 || (length == 5 && groups[5] == 0xffff)))
			return put_ipv4(at, bytes + 12);
		at = put_hex(at, groups[i++]);
	}
	return at;
}

void
ct_text_addr(struct ct_text *text, uint8_t family, const struct ct_addr *addr)
{
	bool direct = (size_t)(text->end - text->at) >= ADDR_MAX;
	char line[ADDR_MAX];
	char *start = direct ? text->at : line, *end;

	if (family == AF_INET)
		end = put_ipv4(start, addr->bytes);
	else
		end = put_ipv6(start, addr->bytes);
	if (direct)
		text->at = end;
	else
		ct_text_bytes(text, line, (size_t)(end - line));
}

void
ct_addr_string(char buffer[CT_ADDR_STRING], uint8_t family, const struct ct_addr *addr)
{
	struct ct_text text;

	ct_text_init(&text, buffer, CT_ADDR_STRING - 1, NULL, NULL);
	ct_text_addr(&text, family, addr);
	*text.at = '\0';
}

void
ct_text_xml(struct ct_text *text, const char *string)
{
	for (; *string; string++) {
		switch (*string) {
		case '<':
			ct_text_str(text, "&lt;");
			break;
		case '>':
			ct_text_str(text, "&gt;");
			break;
		case '&':
			ct_text_str(text, "&amp;");
			break;
		case '"':
			ct_text_str(text, "&quot;");
			break;
		default:
			ct_text_char(text,
				     *string < ' ' || *string > '~' ? '?' : *string);
			break;
		}
	}
}

void
ct_text_printf(struct ct_text *text, const char *format, ...)
{
	char line[CT_TEXT_MIN];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(line)) {
		if (!text->error)
			fail(text, -EOVERFLOW);
		return;
	}
	ct_text_bytes(text, line, (size_t)length);
}
