/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole files: a temporary one in the same directory, renamed over the old one.  It is
 * hidden and has none of the usual suffixes, so that who reads *.prom does not see it.
 * It stays behind only where the program is killed.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_END ".XXXXXX" /* for mkostemp() */
#define UMASK_USUAL 022

struct output_file {
	int fd;
	int directory;
	int error; /* the first of the writes */
	char path[PATH_MAX];
	char temporary[PATH_MAX];
};

static const char *
name_in(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * Whoever names a directory or a device does not want to have it replaced, nor a link:
 * it may be /dev/stdout.
 */
static int
check_target(const char *path)
{
	const char *name = name_in(path);
	struct stat status;

	if (!*path)
		return -ENOENT;
	if (!*name)
		return -EISDIR;
	if (strlen(path) >= PATH_MAX || strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	/* Whether the directory can be used is found out soon. */
	if (lstat(path, &status) < 0 || S_ISREG(status.st_mode))
		return 0;
	if (S_ISLNK(status.st_mode))
		return -ELOOP;
	return S_ISDIR(status.st_mode) ? -EISDIR : -ENOTSUP;
}

/* Opened before anything is done, so that little can go wrong after the rename. */
static int
open_directory(struct output_file *file)
{
	char path[PATH_MAX];

	memcpy(path, file->path, sizeof(path));
	strcpy(path + (name_in(path) - path), ".");
	file->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return file->directory < 0 ? -errno : 0;
}

/* The name is cut where, with what is put around it, it would be too long. */
static int
open_temporary(struct output_file *file)
{
	const char *path = file->path, *name = name_in(path);
	int room = NAME_MAX - 1 - (int)strlen(TEMPORARY_END);
	int length;

	length = snprintf(file->temporary, sizeof(file->temporary),
			  "%.*s.%.*s" TEMPORARY_END, (int)(name - path), path, room,
			  name);
	if (length >= (int)sizeof(file->temporary))
		return -ENAMETOOLONG;
	file->fd = mkostemp(file->temporary, O_CLOEXEC);
	return file->fd < 0 ? -errno : 0;
}

static void
release(struct output_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	if (file->directory >= 0)
		close(file->directory);
	free(file);
}

int
output_file_open(struct output_file **result, const char *path)
{
	struct output_file *file;
	int error = check_target(path);

	*result = NULL;
	if (error)
		return error;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->fd = -1;
	file->directory = -1;
	strcpy(file->path, path);
	error = open_directory(file);
	if (!error)
		error = open_temporary(file);
	if (error)
		release(file);
	else
		*result = file;
	return error;
}

int
output_file_write(const char *bytes, size_t size, void *data)
{
	struct output_file *file = data;

	while (size > 0 && !file->error) {
		ssize_t written = write(file->fd, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0) {
			file->error = -errno;
		} else {
			bytes += written;
			size -= (size_t)written;
		}
	}
	return file->error;
}

/*
 * umask() tells it only by changing it, under the other threads' feet.  The kernel's
 * answer has it in the second line, after the name.
 */
static mode_t
current_umask(void)
{
	int fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
	static const char title[] = "\nUmask:";
	char answer[512] = "", *line;

	if (fd >= 0) {
		ssize_t length = read(fd, answer, sizeof(answer) - 1);

		answer[length > 0 ? length : 0] = '\0';
		close(fd);
	}
	line = strstr(answer, title);
	if (!line)
		return UMASK_USUAL;
	return (mode_t)strtoul(line + strlen(title), NULL, 8);
}

static int
put_in_place(struct output_file *file)
{
	if (fchmod(file->fd, 0666 & ~current_umask()) < 0 || fsync(file->fd) < 0 ||
	    rename(file->temporary, file->path) < 0)
		return -errno;
	return 0;
}

/* Without it, the new file would be gone if the power were.  Not all systems can. */
static int
sync_directory(const struct output_file *file)
{
	if (fsync(file->directory) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}

int
output_file_commit(struct output_file *file)
{
	int error = file->error;

	if (!error)
		error = put_in_place(file);
	if (error) {
		output_file_abort(file);
		return error;
	}
	error = sync_directory(file);
	release(file);
	return error;
}

void
output_file_abort(struct output_file *file)
{
	if (!file)
		return;
	unlink(file->temporary);
	release(file);
}
