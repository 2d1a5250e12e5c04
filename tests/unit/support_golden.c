/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support_golden.h"

#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN "tests/unit/golden"
#define DEPTH_MAX 8

static void
read_golden(const char *path, char *buffer, size_t size)
{
	FILE *stream = fopen(path, "rb");
	size_t length;

	if (!stream)
		fail_msg("%s: %s", path, strerror(errno));
	length = fread(buffer, 1, size, stream);
	assert_true(length < size && !ferror(stream));
	buffer[length] = '\0';
	fclose(stream);
}

static void
write_golden(const char *path, const char *text)
{
	FILE *stream = fopen(path, "wb");

	if (!stream)
		fail_msg("%s: %s", path, strerror(errno));
	fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

static void
fail_at_difference(const char *path, const char *text, const char *expected)
{
	size_t same = 0, start = 0;

	while (text[same] && text[same] == expected[same])
		if (text[same++] == '\n')
			start = same;
	fail_msg("%s differs in byte %zu:\n# expected: %.*s\n#      got: %.*s", path,
		 same, (int)strcspn(expected + start, "\n"), expected + start,
		 (int)strcspn(text + start, "\n"), text + start);
}

void
assert_golden(const char *name, const char *text)
{
	static char expected[65536];
	const char *mode = getenv("CONNTAP_GOLDEN");
	char path[128];

	snprintf(path, sizeof(path), GOLDEN "/%s", name);
	if (mode && strcmp(mode, "update") == 0)
		write_golden(path, text);
	read_golden(path, expected, sizeof(expected));
	if (strcmp(text, expected) != 0)
		fail_at_difference(path, text, expected);
}

void
assert_printable(const char *name, const char *text)
{
	for (const char *at = text; *at; at++)
		if ((*at < ' ' || *at > '~') && *at != '\n')
			fail_msg("%s: byte %#x", name, (unsigned char)*at);
	if (*text && text[strlen(text) - 1] != '\n')
		fail_msg("%s: the last line has no end", name);
}

void
assert_xml(const char *name, const char *xml)
{
	int depth = 0, quotes = 0;
	bool inside = false;

	assert_printable(name, xml);
	for (const char *at = xml; *at; at++) {
		if (*at == '<') {
			assert_false(inside);
			inside = true;
			depth += at[1] == '/' ? -1 : 1;
		} else if (*at == '>') {
			assert_true(inside);
			inside = false;
			depth -= at[-1] == '/';
		} else if (*at == '"' && inside) {
			quotes++;
		}
	}
	if (depth != 0 || inside || quotes % 2 != 0)
		fail_msg("%s: not well-formed", name);
}

/* The functions below return what follows the thing, NULL where it is not there. */

static const char *
skip_json_string(const char *at)
{
	if (*at++ != '"')
		return NULL;
	for (; *at != '"'; at++) {
		if (*at < ' ' || *at > '~')
			return NULL;
		if (*at != '\\')
			continue;
		at++;
		if (*at == 'u' && strspn(at + 1, "0123456789abcdefABCDEF") >= 4)
			at += 4;
		else if (!*at || !strchr("\"\\/bfnrt", *at))
			return NULL;
	}
	return at + 1;
}

static const char *
skip_json_number(const char *at)
{
	size_t digits;

	at += *at == '-';
	digits = strspn(at, "0123456789");
	if (digits == 0 || (digits > 1 && *at == '0'))
		return NULL;
	at += digits;
	if (*at == '.') {
		digits = strspn(++at, "0123456789");
		at = digits ? at + digits : NULL;
	}
	return at;
}

static const char *skip_json(const char *at, int depth);

/* The members of an object or the elements of an array, from behind its bracket. */
static const char *
skip_json_members(const char *at, char close, int depth)
{
	if (*at == close)
		return at + 1;
	for (;;) {
		if (close == '}') {
			at = skip_json_string(at);
			if (!at || *at++ != ':')
				return NULL;
		}
		at = skip_json(at, depth + 1);
		if (!at)
			return NULL;
		if (*at == close)
			return at + 1;
		if (*at++ != ',')
			return NULL;
	}
}

static const char *
skip_json(const char *at, int depth)
{
	if (depth > DEPTH_MAX)
		return NULL;
	if (*at == '{')
		return skip_json_members(at + 1, '}', depth);
	if (*at == '[')
		return skip_json_members(at + 1, ']', depth);
	if (*at == '"')
		return skip_json_string(at);
	if (strncmp(at, "true", 4) == 0)
		return at + 4;
	return skip_json_number(at);
}

void
assert_json(const char *name, const char *text)
{
	while (*text) {
		const char *end = *text == '{' ? skip_json(text, 0) : NULL;

		if (!end || *end != '\n')
			fail_msg("%s: no JSON object: %.*s", name,
				 (int)strcspn(text, "\n"), text);
		text = end + 1;
	}
}
