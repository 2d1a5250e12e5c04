/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setns(2), there and back. */
#include "netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define HOME_NONE (-1)

static int
open_namespace(const char *name)
{
	char path[PATH_MAX];
	int length, fd;

	if (strchr(name, '/'))
		length = snprintf(path, sizeof(path), "%s", name);
	else
		length = snprintf(path, sizeof(path), CT_NETNS_DIR "/%s", name);
	if (length >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int
ct_netns_enter(const char *name, int *home)
{
	int there, error = 0;

	*home = HOME_NONE;
	if (!name)
		return 0;
	there = open_namespace(name);
	if (there < 0)
		return there;
	*home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (*home < 0 || setns(there, CLONE_NEWNET) < 0) {
		error = -errno;
		if (*home >= 0)
			close(*home);
		*home = HOME_NONE;
	}
	close(there);
	return error;
}

int
ct_netns_leave(int home)
{
	int error = 0;

	if (home == HOME_NONE)
		return 0;
	if (setns(home, CLONE_NEWNET) < 0)
		error = -errno;
	close(home);
	return error;
}

/* What `ip netns delete` could not remove is an ordinary empty file. */
static int
is_namespace(const struct dirent *entry)
{
	char path[sizeof(CT_NETNS_DIR) + 1 + NAME_MAX];
	struct statfs fs;

	if (entry->d_name[0] == '.')
		return 0;
	snprintf(path, sizeof(path), CT_NETNS_DIR "/%s", entry->d_name);
	return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

int
ct_netns_each(int (*name_fn)(const char *name, void *data), void *data)
{
	struct dirent **entries;
	int count = scandir(CT_NETNS_DIR, &entries, is_namespace, alphasort);
	int status = 0;

	if (count < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		if (status == 0)
			status = name_fn(entries[i]->d_name, data);
		free(entries[i]);
	}
	free(entries);
	return status;
}
