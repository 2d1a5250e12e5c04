/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which names a pattern makes, which it can have made, and what of these stays. */
#include "support_directory.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugins/export/name.h"

#define NOBODY 65534
#define LAST_TIME UINT64_C(253402300799) /* 9999-12-31T23:59:59 */
#define SECONDS_DIGITS 18                /* that %s may have */
#define NAMES 64

/* What goes wrong, instead of the C library's. */
static int unlink_error;
static int read_error;
static const char *unlink_fails; /* this file only */

int
unlinkat(int fd, const char *name, int flags)
{
	if (unlink_error && (!unlink_fails || strcmp(name, unlink_fails) == 0)) {
		errno = unlink_error;
		return -1;
	}
	return (int)syscall(SYS_unlinkat, fd, name, flags);
}

struct dirent *
readdir(DIR *stream)
{
	static struct dirent *(*real)(DIR * stream);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	if (!read_error)
		return real(stream);
	errno = read_error;
	return NULL;
}

static int
enter(void **unused)
{
	(void)unused;
	return enter_directory("name");
}

static int
leave(void **unused)
{
	(void)unused;
	unlink_error = 0;
	unlink_fails = NULL;
	read_error = 0;
	leave_directory();
	return 0;
}

static void
make_file_of(const char *name, time_t seconds, long nanoseconds)
{
	const struct timespec times[] = {
		{ .tv_sec = 1700000000 }, { .tv_sec = seconds, .tv_nsec = nanoseconds }
	};

	make_file(name, "");
	assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
}

static bool
is_there(const char *name)
{
	struct stat status;

	return lstat(name, &status) == 0;
}

static const struct output_name usual = { .time = 1700000000, .host = "web1" };

static void
assert_good(const char *pattern)
{
	struct ct_why why = { "" };

	if (output_name_check(pattern, &why) != 0)
		fail_msg("'%s': %s", pattern, why.text);
}

static void
assert_wrong(const char *pattern, const char *expected)
{
	struct ct_why why = { "" };

	assert_int_equal(output_name_check(pattern, &why), -EINVAL);
	assert_string_equal(why.text, expected);
}

#define LETTERS "%Y %m %d %H %M %S %s %h %n %%"

static void
good_patterns(void **unused)
{
	char pattern[] = "x%?y";

	(void)unused;
	assert_good("flows.xml");
	assert_good("/var/lib/flows-%h-%n-%Y%m%dT%H%M%S-%s.xml");
	assert_good("%%");
	assert_good("a%%%%b%%");
	assert_good("%%%Y");
	assert_good("");
	assert_good("dir/");
	for (int byte = 1; byte < 256; byte++) {
		struct ct_why why;

		pattern[2] = (char)byte;
		assert_int_equal(output_name_check(pattern, &why),
				 strchr("YmdHMSshn%", byte) ? 0 : -EINVAL);
	}
}

static void
wrong_patterns(void **unused)
{
	(void)unused;
	assert_wrong("%", "%: % is not one of " LETTERS);
	assert_wrong("flows-%", "flows-%: % is not one of " LETTERS);
	assert_wrong("a%%%", "a%%%: % is not one of " LETTERS);
	assert_wrong("%y", "%y: %y is not one of " LETTERS);
	assert_wrong("%Y%m%q.xml", "%Y%m%q.xml: %q is not one of " LETTERS);
	assert_wrong("%%%D", "%%%D: %D is not one of " LETTERS);
	assert_wrong("% Y", "% Y: %  is not one of " LETTERS);
	assert_wrong("%Y/x", "%Y/x has a % in a directory's name");
	assert_wrong("/a/%h/x", "/a/%h/x has a % in a directory's name");
	assert_wrong("a%%/x", "a%%/x has a % in a directory's name");
	assert_wrong("%/x", "%/x has a % in a directory's name");
	assert_wrong("a%Y/", "a%Y/ has a % in a directory's name");
	assert_wrong("a/%/%Y", "a/%/%Y has a % in a directory's name");
}

/* In the message, that is. */
static void
long_patterns(void **unused)
{
	char pattern[400], expected[512];

	(void)unused;
	memset(pattern, 'x', sizeof(pattern) - 1);
	pattern[sizeof(pattern) - 1] = '\0';
	assert_good(pattern);
	pattern[300] = '%';
	snprintf(expected, sizeof(expected), "%.100s: %s", pattern,
		 "%x is not one of " LETTERS);
	assert_wrong(pattern, expected);
	pattern[350] = '/';
	snprintf(expected, sizeof(expected), "%.100s %s", pattern,
		 "has a % in a directory's name");
	assert_wrong(pattern, expected);
}

static void
what_is_in_it(void **unused)
{
	static const struct {
		const char *pattern;
		bool time;
		bool netns;
	} cases[] = {
		{ "flows.xml", false, false }, { "%h", false, false },
		{ "%%", false, false },        { "%%Y%%n%%s", false, false },
		{ "%Y", true, false },         { "%m", true, false },
		{ "x%d", true, false },        { "%H", true, false },
		{ "%M", true, false },         { "%S", true, false },
		{ "%h%%%s", true, false },     { "%n", false, true },
		{ "%h-%n", false, true },      { "%%%n%Y", true, true },
		{ "n/Y/s/%n", false, true },   { "", false, false },
		{ "%%%%%h%%n", false, false },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(output_name_has_time(cases[i].pattern), cases[i].time);
		assert_int_equal(output_name_has_netns(cases[i].pattern),
				 cases[i].netns);
	}
}

static void
assert_made(const char *pattern, const struct output_name *name, const char *expected)
{
	char path[PATH_MAX];

	assert_good(pattern);
	assert_int_equal(output_name_make(pattern, name, path), 0);
	assert_string_equal(path, expected);
}

static uint64_t
random_time(void)
{
	switch (random_below(4)) {
	case 0:
		return random_below(2000000000);
	case 1: /* around the first seconds of the years */
		return random_below(8030) * UINT64_C(31556952) + random_below(200000);
	default:
		return random_u64() % (LAST_TIME + 1);
	}
}

static void
assert_as_strftime(uint64_t seconds)
{
	struct output_name name = usual;
	time_t time = (time_t)seconds;
	char expected[128], format[] = "%?";
	struct tm tm;

	name.time = seconds;
	assert_non_null(gmtime_r(&time, &tm));
	for (const char *letter = "YmdHMS"; *letter; letter++) {
		format[1] = *letter;
		assert_true(strftime(expected, sizeof(expected), format, &tm) > 0);
		assert_made(format, &name, expected);
	}
	assert_true(strftime(expected, sizeof(expected), "x-%d%m%Y.%S%M%H%%Y.%Y", &tm) >
		    0);
	assert_made("x-%d%m%Y.%S%M%H%%Y.%Y", &name, expected);
	snprintf(expected, sizeof(expected), "%llu", (unsigned long long)seconds);
	assert_made("%s", &name, expected);
}

/* In UTC, wherever we are. */
static void
times(void **unused)
{
	static const uint64_t edges[] = {
		0,         59,         60,         68169599,   68169600,
		68255999,  951782400,  951868799,  951868800,  1700000000,
		LAST_TIME, 4107542399, 4107542400, 2147483647, 2147483648,
	};

	(void)unused;
	assert_int_equal(setenv("TZ", "XYZ-5:30ZYX", 1), 0);
	tzset();
	for (size_t i = 0; i < COUNT(edges); i++)
		assert_as_strftime(edges[i]);
	for (int i = 0; i < 20000; i++)
		assert_as_strftime(random_time());
	unsetenv("TZ");
	tzset();
}

/* It has to end somewhere; a crash would not be the place. */
static void
no_calendar(void **unused)
{
	static const uint64_t times_[] = {
		UINT64_C(67768036191676799),  UINT64_C(67768036191676800),
		UINT64_C(67767976233532799),  UINT64_C(67767976233532800),
		UINT64_C(999999999999999999), INT64_MAX,
	};
	struct output_name name = usual;
	char path[PATH_MAX], expected[64];

	(void)unused;
	for (size_t i = 0; i < COUNT(times_); i++) {
		name.time = times_[i];
		snprintf(expected, sizeof(expected), "%llu",
			 (unsigned long long)times_[i]);
		assert_made("%s", &name, expected);
		for (const char *letter = "YmdHMS"; *letter; letter++) {
			char pattern[] = { '%', *letter, '\0' };
			int error = output_name_make(pattern, &name, path);

			assert_true(error == 0 || error == -ENAMETOOLONG);
		}
	}
}

static void
words(void **unused)
{
	static const struct {
		const char *word;
		const char *made; /* by x%h and x%n */
	} cases[] = {
		{ "web1", "xweb1" },
		{ "web1.example.org", "xweb1.example.org" },
		{ "A-Z_a+b@c:d09", "xA-Z_a+b@c:d09" },
		{ "a/b", "xa%2Fb" },
		{ "../../etc", "x..%2F..%2Fetc" },
		{ ".", "x." },
		{ "..", "x.." },
		{ "\x01\n\t\x7f\r", "x%01%0A%09%7F%0D" },
		{ " *?'\"$`\\|", "x%20%2A%3F%27%22%24%60%5C%7C" },
		{ "&;<>(){}", "x%26%3B%3C%3E%28%29%7B%7D" },
		{ "[]#~!^,=", "x%5B%5D%23%7E%21%5E%2C%3D" },
		{ "\xc3\xa9", "x%C3%A9" },
		{ "%Y%h%%", "x%25Y%25h%25%25" },
		{ "", "x" },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct output_name name = { .host = cases[i].word,
						  .netns = cases[i].word };
		char expected[PATH_MAX];

		assert_made("x%h", &name, cases[i].made);
		assert_made("x%n", &name, cases[i].made);
		snprintf(expected, sizeof(expected), "./d.d/%s-%s", cases[i].made,
			 cases[i].made + 1);
		assert_made("./d.d/x%h-%n", &name, expected);
	}
	assert_made("%n", &usual, "self");
	assert_made("%h-%n", &usual, "web1-self");
}

/* Nothing leads elsewhere, and a name that does not hide by itself is not hidden. */
static void
first_of_a_name(void **unused)
{
	const struct output_name dots = { .host = "..", .netns = ".hidden" };

	(void)unused;
	assert_made("%h", &dots, "%2E.");
	assert_made("%n", &dots, "%2Ehidden");
	assert_made("d/%h", &dots, "d/%2E.");
	assert_made("/%n%h", &dots, "/%2Ehidden..");
	assert_made("%%%h", &dots, "%..");
	assert_made(".%h", &dots, "...");
}

/* All bytes, in any place of a word. */
static void
bytes_of_words(void **unused)
{
	char word[] = "a?b", path[PATH_MAX], expected[8];
	const struct output_name name = { .host = word };

	(void)unused;
	for (int byte = 1; byte < 256; byte++) {
		bool fine = (byte >= 'a' && byte <= 'z') ||
			    (byte >= 'A' && byte <= 'Z') ||
			    (byte >= '0' && byte <= '9') || strchr("-_+@:.", byte);

		word[1] = (char)byte;
		assert_int_equal(output_name_make("%h", &name, path), 0);
		snprintf(expected, sizeof(expected), fine ? "a%cb" : "a%%%02Xb", byte);
		assert_string_equal(path, expected);
	}
}

static void
long_names(void **unused)
{
	char word[400], path[PATH_MAX];
	struct output_name name = { .host = word, .netns = "12345" };

	(void)unused;
	for (size_t length = NAME_MAX - 10; length < sizeof(word); length++) {
		memset(word, 'x', length);
		word[length] = '\0';
		assert_int_equal(output_name_make("%h", &name, path),
				 length <= NAME_MAX ? 0 : -ENAMETOOLONG);
		if (length <= NAME_MAX)
			assert_string_equal(path, word);
		assert_int_equal(output_name_make("some/directory/%n%h", &name, path),
				 length + 5 <= NAME_MAX ? 0 : -ENAMETOOLONG);
		assert_int_equal(output_name_make(word, &name, path),
				 length <= NAME_MAX ? 0 : -ENAMETOOLONG);
	}
}

static void
long_paths(void **unused)
{
	static char pattern[2 * PATH_MAX];
	struct guard guard;
	char *path;

	(void)unused;
	guard_init(&guard, PATH_MAX);
	path = (char *)guard.end - PATH_MAX;
	for (size_t length = PATH_MAX - 10; length < PATH_MAX + 10; length++) {
		memset(pattern, '/', length);
		strcpy(pattern + length - 4, "%h");
		assert_int_equal(output_name_make(pattern, &usual, path),
				 length < PATH_MAX ? 0 : -ENAMETOOLONG);
		if (length < PATH_MAX)
			assert_int_equal(strlen(path), length);
		strcpy(pattern + length - 1, "x");
		assert_int_equal(output_name_make(pattern, &usual, path),
				 length < PATH_MAX ? 0 : -ENAMETOOLONG);
	}
	memset(pattern, '/', sizeof(pattern) - 1);
	assert_int_equal(output_name_make(pattern, &usual, path), -ENAMETOOLONG);
	guard_done(&guard);
}

/*
 * Which names there can be, found in another way: what stands for each letter is
 * gathered, and then it has to be a time.  -1: it does not say.
 */
struct reading {
	const struct output_name *like;
	int64_t seconds;
	int fields[6]; /* Y m d H M S */
};

static const char field_letters[] = "YmdHMS";

static int
days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool
is_date(const int fields[6])
{
	int year = fields[0] < 0 ? 1972 : fields[0];
	int month = fields[1] < 0 ? 1 : fields[1];
	int day = fields[2] < 0 ? 1 : fields[2];

	return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= days_of(year, month) && fields[3] < 24 && fields[4] < 60 &&
	       fields[5] < 60;
}

static bool
agrees(const struct reading *reading, const struct tm *tm)
{
	const int64_t fields[] = { INT64_C(1900) + tm->tm_year,
				   tm->tm_mon + 1,
				   tm->tm_mday,
				   tm->tm_hour,
				   tm->tm_min,
				   tm->tm_sec };

	for (size_t i = 0; i < COUNT(fields); i++)
		if (reading->fields[i] >= 0 && reading->fields[i] != fields[i])
			return false;
	return true;
}

static bool
is_time(const struct reading *reading)
{
	time_t time = (time_t)reading->seconds;
	bool counted_only = true;
	struct tm tm;

	if (reading->seconds < 0)
		return is_date(reading->fields);
	for (size_t i = 0; i < COUNT(reading->fields); i++)
		counted_only &= reading->fields[i] < 0;
	return counted_only || (gmtime_r(&time, &tm) && agrees(reading, &tm));
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Returns how many of the name's bytes the word has become, or -1. */
static int
match_word(const char *name, const char *word, bool first)
{
	int length = 0;

	for (size_t i = 0; word[i]; i++) {
		bool fine = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY"
				   "Z0123456789-_+@:.",
				   word[i]) &&
			    !(first && i == 0 && word[0] == '.');
		char text[4];

		snprintf(text, sizeof(text), fine ? "%c" : "%%%02X",
			 (unsigned char)word[i]);
		if (strncmp(name + length, text, strlen(text)) != 0)
			return -1;
		length += (int)strlen(text);
	}
	return length;
}

static bool match(const char *pattern, const char *name, struct reading reading,
		  bool first);

static bool
match_seconds(const char *pattern, const char *name, struct reading reading)
{
	int64_t before = reading.seconds, seconds = 0;

	for (int i = 0; i < SECONDS_DIGITS && is_digit(name[i]); i++) {
		if (i == 1 && name[0] == '0')
			return false;
		seconds = 10 * seconds + (name[i] - '0');
		if (before >= 0 && before != seconds)
			continue;
		reading.seconds = seconds;
		if (match(pattern, name + i + 1, reading, false))
			return true;
	}
	return false;
}

static bool
match_field(const char *pattern, const char *name, struct reading reading, char letter)
{
	size_t field = (size_t)(strchr(field_letters, letter) - field_letters);
	int count = letter == 'Y' ? 4 : 2, number = 0;

	for (int i = 0; i < count; i++) {
		if (!is_digit(name[i]))
			return false;
		number = 10 * number + (name[i] - '0');
	}
	if (reading.fields[field] >= 0 && reading.fields[field] != number)
		return false;
	reading.fields[field] = number;
	return match(pattern, name + count, reading, false);
}

static bool
match(const char *pattern, const char *name, struct reading reading, bool first)
{
	const char *word;
	int length;

	if (!*pattern)
		return !*name && is_time(&reading);
	if (*pattern != '%')
		return *pattern == *name &&
		       match(pattern + 1, name + 1, reading, false);
	switch (pattern[1]) {
	case '%':
		return *name == '%' && match(pattern + 2, name + 1, reading, false);
	case 's':
		return match_seconds(pattern + 2, name, reading);
	case 'h':
	case 'n':
		word = pattern[1] == 'h'     ? reading.like->host
		       : reading.like->netns ? reading.like->netns
					     : "self";
		length = match_word(name, word, first);
		return length >= 0 && match(pattern + 2, name + length, reading, false);
	default:
		return match_field(pattern + 2, name, reading, pattern[1]);
	}
}

static bool
some_time_makes(const char *pattern, const char *name, const struct output_name *like)
{
	const struct reading reading = { like, -1, { -1, -1, -1, -1, -1, -1 } };

	return match(pattern, name, reading, true);
}

static const char *
random_word(void)
{
	static const char *const choice[] = {
		"web1", "7",    "12",     ".x", "a/b",  "web",
		"1970", "self", "web1-2", "%Y", "\xff", "2024",
	};

	return choice[random_below(COUNT(choice))];
}

/* With letters that are likely to be read in several ways. */
static void
random_pattern(char pattern[64])
{
	static const char *const parts[] = {
		"%Y", "%m", "%d", "%H", "%M", "%S", "%s", "%h",   "%n", "%%", "-",
		"T",  "0",  "1",  "2",  "19", ".",  "x",  "self", "%Y", "%m", "%d",
	};
	uint32_t count = 1 + random_below(7);

	strcpy(pattern, random_below(4) ? "f" : "");
	while (count-- > 0)
		strcat(pattern, parts[random_below(COUNT(parts))]);
}

/* What stands for the letters is any number of so many digits. */
static void
random_likeness(const char *pattern, const struct output_name *like, char name[256])
{
	static const int numbers[] = { 0, 1, 2, 12, 13, 23, 24, 28, 29, 30, 31, 32 };
	char *at = name;

	for (; *pattern; pattern++) {
		int number = random_below(4) ? numbers[random_below(COUNT(numbers))]
					     : (int)random_below(100);

		if (*pattern != '%')
			*at++ = *pattern;
		else if (*++pattern == '%')
			*at++ = '%';
		else if (*pattern == 'h')
			at += sprintf(at, "%s", like->host);
		else if (*pattern == 'n')
			at += sprintf(at, "%s", like->netns ? like->netns : "self");
		else if (*pattern == 'Y')
			at += sprintf(at, "%04u",
				      random_below(4) ? 1960 + random_below(80)
						      : random_below(10000));
		else if (*pattern == 's')
			at += sprintf(at, "%llu",
				      (unsigned long long)random_u64() >>
					      random_below(64));
		else
			at += sprintf(at, "%02d", number);
	}
	*at = '\0';
}

static void
mutate(char name[256])
{
	static const char bytes[] = "00112359.-Tx%_";
	uint32_t at = random_below((uint32_t)strlen(name) + 1);
	char byte = bytes[random_below(sizeof(bytes) - 1)];

	switch (random_below(3)) {
	case 0:
		if (name[at])
			name[at] = byte;
		break;
	case 1:
		memmove(name + at + 1, name + at, strlen(name + at) + 1);
		name[at] = byte;
		break;
	default:
		if (name[at])
			memmove(name + at, name + at + 1, strlen(name + at));
	}
}

static void
random_name(const char *pattern, const struct output_name *like, char name[256])
{
	struct output_name other = *like;
	char path[PATH_MAX];

	other.time = random_time();
	if (random_below(8) == 0)
		other.host = random_word();
	if (random_below(8) == 0)
		other.netns = random_word();
	if (random_below(3) > 0 && output_name_make(pattern, &other, path) == 0)
		snprintf(name, 256, "%.200s", path);
	else
		random_likeness(pattern, &other, name);
	if (random_below(3) == 0)
		mutate(name);
}

static bool
can_be_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

/* Of random names those go that some time makes, and no others. */
static void
assert_taken_exactly(const char *pattern, const struct output_name *like, size_t *taken)
{
	static char names[NAMES][256];
	size_t count = 0, expected = 0;

	while (count < 12) {
		random_name(pattern, like, names[count]);
		if (!can_be_name(names[count]) || is_there(names[count])) {
			if (random_below(10) == 0)
				break;
			continue;
		}
		make_file(names[count], "");
		expected += some_time_makes(pattern, names[count++], like);
	}
	*taken += expected;
	assert_int_equal(output_name_prune(pattern, like, NULL, 0), expected);
	for (size_t i = 0; i < count; i++) {
		bool makes = some_time_makes(pattern, names[i], like);

		if (is_there(names[i]) == makes)
			fail_msg("'%s' of %s, %s: '%s' %s", pattern, like->host,
				 like->netns ? like->netns : "self", names[i],
				 makes ? "stays" : "is gone");
		if (!makes)
			assert_int_equal(unlink(names[i]), 0);
	}
	assert_entries("");
}

static void
taken_exactly(void **unused)
{
	size_t taken = 0;
	char pattern[64];

	(void)unused;
	for (int i = 0; i < 1500; i++) {
		const struct output_name like = {
			.time = random_time(),
			.host = random_word(),
			.netns = random_below(3) ? random_word() : NULL,
		};

		random_pattern(pattern);
		assert_good(pattern);
		assert_taken_exactly(pattern, &like, &taken);
	}
	assert_true(taken > 3000);
}

/* What any time makes is recognised. */
static void
round_trip(void **unused)
{
	char pattern[64], path[PATH_MAX];

	(void)unused;
	for (int i = 0; i < 5000; i++) {
		struct output_name name = {
			.time = random_time(),
			.host = random_word(),
			.netns = random_below(3) ? random_word() : NULL,
		};

		random_pattern(pattern);
		assert_int_equal(output_name_make(pattern, &name, path), 0);
		if (!can_be_name(path))
			continue;
		make_file(path, "");
		name.time = random_time();
		if (output_name_prune(pattern, &name, NULL, 0) != 1)
			fail_msg("'%s': '%s' stays", pattern, path);
	}
}

/* What `name` is for a pattern: taken, or not. */
static void
assert_taken(const char *pattern, const char *name, bool taken)
{
	make_file(name, "");
	assert_int_equal(output_name_prune(pattern, &usual, NULL, 0), taken);
	if (is_there(name) == taken)
		fail_msg("'%s': '%s'", pattern, name);
	unlink(name);
}

static void
hostile_names(void **unused)
{
	static const struct {
		const char *pattern;
		const char *name;
		bool taken;
	} cases[] = {
		{ "%s", "0", true },
		{ "%s", "1", true },
		{ "%s", "999999999999999999", true },
		{ "%s", "9999999999999999999", false },
		{ "%s", "18446744073709551616", false },
		{ "%s", "1844674407370955161600000000000000000000000000", false },
		{ "%s", "01", false },
		{ "%s", "00", false },
		{ "%s", "+1", false },
		{ "%s", "-1", false },
		{ "%s", " 1", false },
		{ "%s", "1 ", false },
		{ "%s", "0x1", false },
		{ "%s", "1e3", false },
		{ "%s", "\xd9\xa1", false },
		/* No calendar has these. */
		{ "%s-%Y", "999999999999999999-2024", false },
		{ "%s-%H", "999999999999999999-00", false },
		{ "%s-%Y", "67768036191676799-2147", false },
		{ "%s-%Y", "67767976233532800-2147", false },
		{ "%s-%Y", "67767976233446400-2147", false },
		{ "%s-%m", "253402300800-01", true },
		{ "%Y", "9999", true },
		{ "%Y", "10000", false },
		{ "%Y", "0999", false },
		{ "%Y", "0000", false },
		{ "%Y", "1970", true },
		{ "%Y", "1969", false },
		{ "%Y%m%d%H%M%S", "19691231235959", false },
		{ "%Y%m%d%H%M%S", "19700101000000", true },
		{ "%Y", "-001", false },
		{ "%Y", "20 4", false },
		{ "%Y", "202", false },
		{ "%Y", "20245", false },
		{ "%Y-%m", "2024-00", false },
		{ "%Y-%m", "2024-12", true },
		{ "%Y-%m", "2024-13", false },
		{ "%Y-%m", "2024-1", false },
		{ "%Y-%m", "2024-99", false },
		{ "%Y%m%d", "20240229", true },
		{ "%Y%m%d", "20230229", false },
		{ "%Y%m%d", "21000229", false },
		{ "%Y%m%d", "20000229", true },
		{ "%Y%m%d", "20240230", false },
		{ "%Y%m%d", "20240231", false },
		{ "%Y%m%d", "20240431", false },
		{ "%Y%m%d", "20240100", false },
		{ "%Y%m%d", "20240132", false },
		/* There are years that have this day. */
		{ "%m%d", "0229", true },
		{ "%m%d", "0230", false },
		{ "%d", "31", true },
		{ "%d", "32", false },
		{ "%d", "00", false },
		{ "%H", "23", true },
		{ "%H", "24", false },
		{ "%M", "59", true },
		{ "%M", "60", false },
		{ "%S", "59", true },
		{ "%S", "60", false },
		{ "%S", "61", false },
		{ "%Y%Y", "20242024", true },
		{ "%Y%Y", "20242023", false },
		{ "%s.%s", "17.17", true },
		{ "%s.%s", "17.18", false },
		{ "%s-%Y", "1700000000-2023", true },
		{ "%s-%Y", "1700000000-2024", false },
		/* How many digits are whose? */
		{ "%s%s", "1717", true },
		{ "%s%s", "171", false },
		{ "%s%Y", "17000000002023", true },
		{ "%s0", "170", true },
		{ "%s0", "171", false },
		{ "%s%S", "5959", true },
		{ "%s%S", "5958", false },
		{ "f-%h", "f-web1", true },
		{ "f-%h", "f-web2", false },
		{ "f-%h", "f-web11", false },
		{ "f-%h", "f-web", false },
		{ "f-%n", "f-self", true },
		{ "f-%n", "f-blue", false },
		{ "f%%", "f%", true },
		{ "f%%", "f%%", false },
		{ "f%%", "f", false },
		{ "f.xml", "f.xml", true },
		{ "f.xml", "f.xml.gz", false },
		{ "f.xml", "f.xm", false },
		{ "f-%Y.xml", "f-2024.xml", true },
		{ "f-%Y.xml", "f-2024.xml~", false },
		{ "f-%Y.xml", "f-2024_xml", false },
		{ "f-%Y.xml", ".f-2024.xml.conntap-01234567", false },
		{ "f-%Y.xml", "f-%Y.xml", false },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_taken(cases[i].pattern, cases[i].name, cases[i].taken);
		if (some_time_makes(cases[i].pattern, cases[i].name, &usual) !=
		    cases[i].taken)
			fail_msg("this test disagrees with itself about '%s'",
				 cases[i].name);
	}
}

/* By their times of writing, to the nanosecond, whatever the names say. */
static void
youngest_stay(void **unused)
{
	(void)unused;
	make_file_of("f-2020", 1000, 5);
	make_file_of("f-2021", 1000, 6);
	make_file_of("f-2022", 999, 999999999);
	make_file_of("f-2023", 4000000000, 0);
	make_file_of("f-2024", -5, 0);
	make_file_of("f-2025", 1000, 4);
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 6), 0);
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 7), 0);
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, SIZE_MAX), 0);
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 5), 1);
	assert_entries("f-2020 f-2021 f-2022 f-2023 f-2025");
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 4), 1);
	assert_entries("f-2020 f-2021 f-2023 f-2025");
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 2), 2);
	assert_entries("f-2021 f-2023");
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 1), 1);
	assert_entries("f-2023");
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 0), 1);
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 0), 0);
	assert_entries("");
}

/* What has just been written stays, however old the clock says that it is. */
static void
newest_stays(void **unused)
{
	(void)unused;
	for (int year = 2020; year < 2026; year++) {
		char name[16];

		snprintf(name, sizeof(name), "f-%d", year);
		make_file_of(name, year * 1000, 0);
	}
	assert_int_equal(output_name_prune("f-%Y", &usual, "f-2021", 4), 2);
	assert_entries("f-2021 f-2023 f-2024 f-2025");
	assert_int_equal(output_name_prune("./f-%Y", &usual, "./f-2023", 2), 2);
	assert_entries("f-2023 f-2025");
	assert_int_equal(output_name_prune("f-%Y", &usual, "f-2019", 1), 1);
	assert_entries("f-2025");
}

/* Of equal age, those with the later names stay. */
static void
equal_ages(void **unused)
{
	char name[16];

	(void)unused;
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f-%04d", 2000 + i * 7 % 40);
		make_file_of(name, 1000, 5);
	}
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 3), 37);
	assert_entries("f-2037 f-2038 f-2039");
}

/* Many, of random ages, against a simple sort. */
static void
many_files(void **unused)
{
	enum { MANY = 300, KEEP = 100 };
	static int64_t ages[MANY];
	char name[32];

	(void)unused;
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f-%d", i);
		ages[i] = (int64_t)random_below(1000000) * 1000 + i;
		make_file_of(name, ages[i] / 1000000, ages[i] % 1000000);
	}
	assert_int_equal(output_name_prune("f-%s", &usual, NULL, KEEP), MANY - KEEP);
	for (int i = 0; i < MANY; i++) {
		int younger = 0;

		for (int j = 0; j < MANY; j++)
			younger += ages[j] > ages[i];
		snprintf(name, sizeof(name), "f-%d", i);
		assert_int_equal(is_there(name), younger < KEEP);
	}
}

static void
others_stay(void **unused)
{
	const struct output_name blue = { .host = "web1", .netns = "blue" };

	(void)unused;
	make_file("web1-self-2024", "");
	make_file("web1-self-2023", "");
	make_file("web1-blue-2024", "");
	make_file("web1-blue-2023", "");
	make_file("web2-self-2024", "");
	make_file("web2-blue-2024", "");
	make_file("web1-self-2024.gz", "");
	make_file("notes", "");
	assert_int_equal(output_name_prune("%h-%n-%Y", &usual, NULL, 0), 2);
	assert_entries("notes web1-blue-2023 web1-blue-2024 web1-self-2024.gz "
		       "web2-blue-2024 web2-self-2024");
	assert_int_equal(output_name_prune("%h-%n-%Y", &blue, NULL, 0), 2);
	assert_entries("notes web1-self-2024.gz web2-blue-2024 web2-self-2024");
}

/* They do not count either. */
static void
no_plain_files(void **unused)
{
	(void)unused;
	assert_int_equal(mkdir("f-2020", 0755), 0);
	assert_int_equal(symlink("notes", "f-2021"), 0);
	assert_int_equal(symlink("none", "f-2022"), 0);
	assert_int_equal(mkfifo("f-2023", 0600), 0);
	make_file("notes", "");
	make_file_of("f-2024", 1000, 0);
	make_file_of("f-2025", 2000, 0);
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 2), 0);
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 1), 1);
	assert_entries("f-2020 f-2021 f-2022 f-2023 f-2025 notes");
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 0), 1);
	assert_entries("f-2020 f-2021 f-2022 f-2023 notes");
}

/* The pattern's path, of any kind. */
static void
directories(void **unused)
{
	char pattern[PATH_MAX + 20];

	(void)unused;
	assert_int_equal(mkdir("d", 0755), 0);
	snprintf(pattern, sizeof(pattern), "%.4000s/d/f-%%Y", directory);
	make_file("f-2024", "");
	make_file("d/f-2024", "");
	assert_int_equal(output_name_prune(pattern, &usual, NULL, 0), 1);
	make_file("d/f-2024", "");
	assert_int_equal(output_name_prune("d/f-%Y", &usual, NULL, 0), 1);
	make_file("d/f-2024", "");
	assert_int_equal(output_name_prune(".///d//f-%Y", &usual, NULL, 0), 1);
	assert_entries("d f-2024");
	assert_int_equal(output_name_prune("./f-%Y", &usual, NULL, 0), 1);
	assert_int_equal(output_name_prune("none/f-%Y", &usual, NULL, 0), -ENOENT);
	make_file("file", "");
	assert_int_equal(output_name_prune("file/f-%Y", &usual, NULL, 0), -ENOTDIR);
	assert_entries("d file");
	/* Not to be cut short to the path of another directory. */
	make_file("f-2024", "");
	for (size_t length = PATH_MAX - 10; length < PATH_MAX + 10; length++) {
		memset(pattern, '/', length);
		pattern[0] = '.';
		strcpy(pattern + length, "f-%Y");
		assert_int_equal(output_name_prune(pattern, &usual, NULL, 1),
				 length < PATH_MAX - 1 ? 0 : -ENAMETOOLONG);
	}
	assert_entries("d f-2024 file");
}

static int
prune_as_nobody(void)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 ||
				       setuid(NOBODY) < 0))
			_exit(255);
		_exit(-output_name_prune("f-%Y", &usual, NULL, 0));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void
no_rights(void **unused)
{
	(void)unused;
	make_file("f-2024", "");
	assert_int_equal(chmod(".", 0555), 0);
	assert_int_equal(prune_as_nobody(), -EACCES);
	assert_int_equal(chmod(".", 0333), 0);
	assert_int_equal(prune_as_nobody(), -EACCES);
	assert_int_equal(chmod(".", 0755), 0);
	assert_entries("f-2024");
}

static void
failures(void **unused)
{
	(void)unused;
	make_file_of("f-2022", 1000, 0);
	make_file_of("f-2023", 2000, 0);
	make_file_of("f-2024", 3000, 0);
	read_error = EIO;
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 0), -EIO);
	read_error = 0;
	unlink_error = EROFS;
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 0), -EROFS);
	assert_entries("f-2022 f-2023 f-2024");
	/* One that stays does not keep the others. */
	unlink_fails = "f-2023";
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 1), -EROFS);
	assert_entries("f-2023 f-2024");
	make_file_of("f-2022", 1000, 0);
	/* Somebody else was faster. */
	unlink_error = ENOENT;
	unlink_fails = "f-2023";
	assert_int_equal(output_name_prune("f-%Y", &usual, NULL, 1), 1);
	assert_entries("f-2023 f-2024");
}

#define IN_DIRECTORY(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_patterns),  cmocka_unit_test(wrong_patterns),
		cmocka_unit_test(long_patterns),  cmocka_unit_test(what_is_in_it),
		cmocka_unit_test(times),          cmocka_unit_test(no_calendar),
		cmocka_unit_test(words),          cmocka_unit_test(first_of_a_name),
		cmocka_unit_test(bytes_of_words), cmocka_unit_test(long_names),
		cmocka_unit_test(long_paths),     IN_DIRECTORY(taken_exactly),
		IN_DIRECTORY(round_trip),         IN_DIRECTORY(hostile_names),
		IN_DIRECTORY(youngest_stay),      IN_DIRECTORY(newest_stays),
		IN_DIRECTORY(equal_ages),         IN_DIRECTORY(many_files),
		IN_DIRECTORY(others_stay),        IN_DIRECTORY(no_plain_files),
		IN_DIRECTORY(directories),        IN_DIRECTORY(no_rights),
		IN_DIRECTORY(failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
