/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define FDS 1024 /* more than there ever are */

char directory[PATH_MAX];

int
enter_directory(const char *name)
{
	const char *top = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%s/conntap-%s.XXXXXX",
		 top ? top : "/tmp", name);
	return mkdtemp(directory) ? chdir(directory) : -1;
}

static int
is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

void
leave_directory(void)
{
	struct dirent **entries;
	int count;

	/* A test that failed may have been elsewhere. */
	assert_int_equal(chdir(directory), 0);
	count = scandir(".", &entries, is_entry, NULL);
	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		if (unlink(entries[i]->d_name) < 0)
			rmdir(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(directory), 0);
}

void
list_entries(char names[ENTRIES_SIZE])
{
	struct dirent **entries;
	int count = scandir(".", &entries, is_entry, alphasort);
	size_t used = 0;

	assert_true(count >= 0);
	names[0] = '\0';
	for (int i = 0; i < count; i++) {
		used += (size_t)snprintf(names + used, ENTRIES_SIZE - used, "%s%s",
					 i > 0 ? " " : "", entries[i]->d_name);
		assert_true(used < ENTRIES_SIZE);
		free(entries[i]);
	}
	free(entries);
}

void
assert_entries(const char *expected)
{
	char names[ENTRIES_SIZE];

	list_entries(names);
	assert_string_equal(names, expected);
}

void
make_file(const char *name, const char *contents)
{
	FILE *stream = fopen(name, "w");

	if (!stream)
		fail_msg("'%s' cannot be made: %s", name, strerror(errno));
	assert_true(fputs(contents, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
}

unsigned int
count_fds(bool inherited)
{
	unsigned int count = 0;

	for (int fd = 0; fd < FDS; fd++) {
		int flags = fcntl(fd, F_GETFD);

		count += flags >= 0 && !(inherited && flags & FD_CLOEXEC);
	}
	return count;
}

bool
cover(const char *path, const char *options)
{
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", path, "tmpfs", 0, options) == 0)
		return true;
	print_message("# no mounts of our own here\n");
	return false;
}
