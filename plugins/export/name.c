/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Patterns.  A name is one that a pattern can have made when its times can be read, and
 * the pattern makes the same name of them again.
 */
#include "name.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TIME_LETTERS "YmdHMSs"
#define LETTERS TIME_LETTERS "hn%"
#define PRESENT "self"
#define SECONDS_DIGITS 18

static const char *
last_part(const char *pattern)
{
	const char *slash = strrchr(pattern, '/');

	return slash ? slash + 1 : pattern;
}

int
output_name_check(const char *pattern, struct ct_why *why)
{
	const char *last = last_part(pattern);

	for (const char *at = strchr(pattern, '%'); at; at = strchr(at + 2, '%')) {
		if (at < last)
			return ct_parse_failed(
				why, "%.100s has a %% in a directory's name", pattern);
		if (!at[1] || !strchr(LETTERS, at[1]))
			return ct_parse_failed(why,
					       "%.100s: %%%.1s is not one of %%Y %%m "
					       "%%d %%H %%M %%S %%s %%h %%n %%%%",
					       pattern, at + 1);
	}
	return 0;
}

static bool
has_one_of(const char *pattern, const char *letters)
{
	for (const char *at = strchr(pattern, '%'); at; at = strchr(at + 2, '%'))
		if (strchr(letters, at[1]))
			return true;
	return false;
}

bool
output_name_has_time(const char *pattern)
{
	return has_one_of(pattern, TIME_LETTERS);
}

bool
output_name_tells_time(const char *pattern)
{
	char letter[] = { '\0', '\0' };

	for (const char *at = "YmdHMS"; *at; at++) {
		letter[0] = *at;
		if (!has_one_of(pattern, letter))
			return has_one_of(pattern, "s");
	}
	return true;
}

bool
output_name_has_netns(const char *pattern)
{
	return has_one_of(pattern, "n");
}

/* A path being written; `at` is NULL when it was too long. */
struct writing {
	char *at;
	char *end;
};

static void
put(struct writing *writing, const char *text, size_t length)
{
	if (!writing->at)
		return;
	if (length >= (size_t)(writing->end - writing->at)) {
		writing->at = NULL;
		return;
	}
	memcpy(writing->at, text, length);
	writing->at += length;
}

/*
 * A host or a namespace: it is not to lead to another directory, nor to hide, and two
 * of them are to stay two.
 */
static void
put_word(struct writing *writing, const char *word, bool first)
{
	char hex[4];

	for (size_t i = 0; word[i]; i++) {
		if (isalnum((unsigned char)word[i]) || strchr("-_+@:", word[i]) ||
		    (word[i] == '.' && (i > 0 || !first))) {
			put(writing, &word[i], 1);
			continue;
		}
		snprintf(hex, sizeof(hex), "%%%02X", (unsigned char)word[i]);
		put(writing, hex, 3);
	}
}

static void
put_time(struct writing *writing, char letter, uint64_t seconds)
{
	time_t time = (time_t)seconds;
	char format[] = { '%', letter, '\0' }, text[64];
	struct tm tm;
	int length;

	if (letter == 's') {
		length = snprintf(text, sizeof(text), "%llu",
				  (unsigned long long)seconds);
	} else if (!gmtime_r(&time, &tm)) {
		/* So far away that no calendar has it. */
		writing->at = NULL;
		return;
	} else if (letter == 'Y') {
		length = snprintf(text, sizeof(text), "%04lld", tm.tm_year + 1900LL);
	} else {
		length = (int)strftime(text, sizeof(text), format, &tm);
	}
	put(writing, text, (size_t)length);
}

int
output_name_make(const char *pattern, const struct output_name *name,
		 char path[PATH_MAX])
{
	struct writing writing = { .at = path, .end = path + PATH_MAX };
	const char *last = last_part(pattern);

	for (const char *at = pattern; *at; at++) {
		if (*at != '%') {
			put(&writing, at, 1);
			continue;
		}
		if (*++at == '%')
			put(&writing, at, 1);
		else if (*at == 'h')
			put_word(&writing, name->host, at == last + 1);
		else if (*at == 'n')
			put_word(&writing, name->netns ? name->netns : PRESENT,
				 at == last + 1);
		else
			put_time(&writing, *at, name->time);
	}
	if (!writing.at)
		return -ENAMETOOLONG;
	*writing.at = '\0';
	return strlen(last_part(path)) > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* Reads so many digits; false where there are not so many. */
static bool
take_digits(const char **name, size_t count, uint64_t *number)
{
	*number = 0;
	for (; count > 0 && isdigit((unsigned char)**name); count--, ++*name)
		*number = *number * 10 + (uint64_t)(**name - '0');
	return count == 0;
}

static bool
take_time(const char **name, char letter, size_t digits, struct tm *tm,
	  uint64_t *seconds)
{
	uint64_t number;

	if (letter == 's')
		return take_digits(name, digits, seconds);
	if (!take_digits(name, letter == 'Y' ? 4 : 2, &number))
		return false;
	switch (letter) {
	case 'Y':
		tm->tm_year = (int)number - 1900;
		break;
	case 'm':
		tm->tm_mon = (int)number - 1;
		break;
	case 'd':
		tm->tm_mday = (int)number;
		break;
	case 'H':
		tm->tm_hour = (int)number;
		break;
	case 'M':
		tm->tm_min = (int)number;
		break;
	default:
		tm->tm_sec = (int)number;
	}
	return true;
}

/* Passes over what a host or a namespace has become. */
static bool
take_word(const char **name, const char *word, bool first)
{
	char text[PATH_MAX];
	struct writing writing = { .at = text, .end = text + sizeof(text) };
	size_t length;

	put_word(&writing, word, first);
	if (!writing.at)
		return false;
	length = (size_t)(writing.at - text);
	if (strncmp(*name, text, length) != 0)
		return false;
	*name += length;
	return true;
}

/*
 * The time that the last part of the pattern would have made this name of, if its %s
 * were of so many digits: it may be that others follow.
 */
static bool
read_name(const char *pattern, const char *name, const struct output_name *like,
	  size_t digits, uint64_t *time)
{
	/* Where the name does not tell the year, it may have been a leap year. */
	struct tm tm = { .tm_year = 72, .tm_mday = 1 };
	uint64_t seconds = 0;
	bool counted = false;
	time_t date;

	for (const char *at = pattern; *at; at++) {
		bool good;

		if (*at != '%' || at[1] == '%') {
			at += *at == '%';
			good = *name++ == *at;
		} else if (*++at == 'h') {
			good = take_word(&name, like->host, at == pattern + 1);
		} else if (*at == 'n') {
			good = take_word(&name, like->netns ? like->netns : PRESENT,
					 at == pattern + 1);
		} else {
			good = take_time(&name, *at, digits, &tm, &seconds);
			counted |= *at == 's';
		}
		if (!good)
			return false;
	}
	date = timegm(&tm);
	*time = counted ? seconds : (uint64_t)date;
	return *name == '\0' && (counted || date >= 0);
}

static bool
can_have_made(const char *pattern, const char *name, const struct output_name *like)
{
	size_t most = has_one_of(pattern, "s") ? SECONDS_DIGITS : 1;
	struct output_name again = *like;
	char path[PATH_MAX];

	for (size_t digits = 1; digits <= most; digits++)
		if (read_name(pattern, name, like, digits, &again.time) &&
		    output_name_make(pattern, &again, path) == 0 &&
		    strcmp(path, name) == 0)
			return true;
	return false;
}

struct old_file {
	char *name;
	struct timespec written;
};

struct old_files {
	struct old_file *files;
	size_t count;
};

static int
add_file(struct old_files *old, const char *name, const struct stat *status)
{
	struct old_file *more =
		reallocarray(old->files, old->count + 1, sizeof(*old->files));

	if (!more)
		return -ENOMEM;
	old->files = more;
	more[old->count].written = status->st_mtim;
	more[old->count].name = strdup(name);
	return more[old->count].name ? (old->count++, 0) : -ENOMEM;
}

static int
find_files(DIR *directory, const char *pattern, const struct output_name *like,
	   struct old_files *old)
{
	const struct dirent *entry;
	struct stat status;
	int error = 0;

	while (!error) {
		errno = 0;
		entry = readdir(directory);
		if (!entry)
			return -errno;
		if (!can_have_made(pattern, entry->d_name, like) ||
		    fstatat(dirfd(directory), entry->d_name, &status,
			    AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		error = add_file(old, entry->d_name, &status);
	}
	return error;
}

/* Whatever its time: a clock that was set back makes others younger. */
static void
make_youngest(struct old_files *old, const char *name)
{
	for (size_t i = 0; i < old->count; i++)
		if (strcmp(old->files[i].name, name) == 0)
			old->files[i].written.tv_sec = INT64_MAX;
}

/* The youngest first; of equal age, the one that comes later in the alphabet. */
static int
by_age(const void *first, const void *second)
{
	const struct old_file *a = first, *b = second;

	if (a->written.tv_sec != b->written.tv_sec)
		return a->written.tv_sec < b->written.tv_sec ? 1 : -1;
	if (a->written.tv_nsec != b->written.tv_nsec)
		return a->written.tv_nsec < b->written.tv_nsec ? 1 : -1;
	return strcmp(b->name, a->name);
}

/* One that cannot be removed does not keep the others. */
static int
remove_files(int directory, const struct old_files *old, size_t keep)
{
	int removed = 0, error = 0;

	for (size_t i = keep; i < old->count; i++) {
		if (unlinkat(directory, old->files[i].name, 0) == 0)
			removed++;
		else if (errno != ENOENT && !error)
			error = -errno;
	}
	return error ? error : removed;
}

static DIR *
open_directory(const char *pattern)
{
	char path[PATH_MAX];
	size_t length = (size_t)(last_part(pattern) - pattern);

	if (length + 1 >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	memcpy(path, pattern, length);
	strcpy(path + length, ".");
	return opendir(path);
}

int
output_name_prune(const char *pattern, const struct output_name *name,
		  const char *newest, size_t keep)
{
	DIR *directory = open_directory(pattern);
	struct old_files old = { 0 };
	int result;

	if (!directory)
		return -errno;
	result = find_files(directory, last_part(pattern), name, &old);
	if (result == 0 && old.count > keep) {
		if (newest)
			make_youngest(&old, last_part(newest));
		qsort(old.files, old.count, sizeof(*old.files), by_age);
		result = remove_files(dirfd(directory), &old, keep);
	}
	for (size_t i = 0; i < old.count; i++)
		free(old.files[i].name);
	free(old.files);
	closedir(directory);
	return result;
}
