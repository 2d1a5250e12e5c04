/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole files.  What is written has no name until it is complete, where the file system
 * can do that, so that nothing is left of it when the program is killed.  Then, or from
 * the beginning on other file systems, it has a temporary name in the same directory,
 * and is renamed over the old file.  The temporary name is hidden and has none of the
 * usual suffixes, so that who reads *.prom does not see it; the file is locked for as
 * long as its process lives, which tells litter from work.
 */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_MARK ".conntap-"
#define TEMPORARY_DIGITS 8
#define TEMPORARY_TRIES 16
#define UMASK_USUAL 022

struct output_file {
	int fd;
	int directory;
	int error; /* the first of the writes */
	struct output_file_how how;
	const char *name; /* in `directory` */
	char path[PATH_MAX];
	char temporary[32]; /* "": it has no name yet */
};

static const char *
name_in(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool
is_temporary_name(const char *name)
{
	const size_t length = strlen(TEMPORARY_MARK);

	return strncmp(name, TEMPORARY_MARK, length) == 0 &&
	       strspn(name + length, "0123456789abcdef") == TEMPORARY_DIGITS &&
	       name[length + TEMPORARY_DIGITS] == '\0';
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
	if (is_temporary_name(name))
		return -ENOTUNIQ;
	/* Whether the directory can be used is found out soon. */
	if (lstat(path, &status) < 0 || S_ISREG(status.st_mode))
		return 0;
	if (S_ISLNK(status.st_mode))
		return -ELOOP;
	return S_ISDIR(status.st_mode) ? -EISDIR : -ENOTSUP;
}

/* All that follows is done in this directory, whatever its path comes to mean. */
static int
open_directory(struct output_file *file)
{
	char path[PATH_MAX];

	memcpy(path, file->path, sizeof(path));
	strcpy(path + (file->name - file->path), ".");
	file->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return file->directory < 0 ? -errno : 0;
}

/* The same for all files, as their names may have a time in them. */
static int
make_temporary_name(struct output_file *file)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -EIO;
	snprintf(file->temporary, sizeof(file->temporary), TEMPORARY_MARK "%0*x",
		 TEMPORARY_DIGITS, number);
	return 0;
}

/* Its process is dead if nobody holds the lock.  NFS locks only what can be written. */
static void
remove_if_stale(int directory, const char *name)
{
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(directory, name, O_RDWR | flags);
	struct stat status;

	if (fd < 0)
		fd = openat(directory, name, O_RDONLY | flags);
	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(directory, name, 0);
	close(fd);
}

/* Cleaning up is a kindness: what cannot be looked at stays. */
static void
remove_litter(const struct output_file *file)
{
	int fd = openat(file->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!entries) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(entries)))
		if (is_temporary_name(entry->d_name))
			remove_if_stale(file->directory, entry->d_name);
	closedir(entries);
}

/* To be given a name later, it has to be reached through /proc. */
static int
open_nameless(struct output_file *file)
{
	if (access("/proc/self/fd", X_OK) < 0)
		return -EOPNOTSUPP;
	file->fd = openat(file->directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	return file->fd < 0 ? -errno : 0;
}

/*
 * Somebody who cleans up may come between the name and the lock.  Where there are no
 * locks at all, there is nobody who cleans up.
 */
static int
open_named(struct output_file *file)
{
	struct stat status;
	int error;

	for (int i = 0; i < TEMPORARY_TRIES; i++) {
		error = make_temporary_name(file);
		if (error)
			return error;
		file->fd = openat(file->directory, file->temporary,
				  O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (file->fd < 0 && errno == EEXIST)
			continue;
		if (file->fd < 0)
			return -errno;
		if ((flock(file->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
		    fstat(file->fd, &status) == 0 && status.st_nlink > 0)
			return 0;
		close(file->fd);
		file->fd = -1;
	}
	return -EEXIST;
}

static int
open_temporary(struct output_file *file)
{
	int error = open_nameless(file);

	/* Some file systems, and old kernels, have no files without names. */
	if (error == -EOPNOTSUPP || error == -EISDIR || error == -EINVAL)
		return open_named(file);
	if (error == 0)
		flock(file->fd, LOCK_EX | LOCK_NB);
	return error;
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
output_file_open(struct output_file **result, const char *path,
		 const struct output_file_how *how)
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
	file->how = *how;
	strcpy(file->path, path);
	file->name = name_in(file->path);
	error = open_directory(file);
	if (!error) {
		remove_litter(file);
		error = open_temporary(file);
	}
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

/* The owner first: a change of it takes away bits of the mode. */
static int
set_owner_and_mode(const struct output_file *file)
{
	const struct output_file_how *how = &file->how;
	mode_t mode = how->mode < 0 ? 0666 & ~current_umask() : (mode_t)how->mode;

	if ((how->user != (uid_t)-1 || how->group != (gid_t)-1) &&
	    fchown(file->fd, how->user, how->group) < 0)
		return -errno;
	return fchmod(file->fd, mode) < 0 ? -errno : 0;
}

static int
give_name(struct output_file *file)
{
	char path[64];
	int error = file->temporary[0] ? 0 : -EEXIST;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	for (int i = 0; error == -EEXIST && i < TEMPORARY_TRIES; i++) {
		error = make_temporary_name(file);
		if (!error && linkat(AT_FDCWD, path, file->directory, file->temporary,
				     AT_SYMLINK_FOLLOW) < 0)
			error = -errno;
	}
	if (error)
		file->temporary[0] = '\0';
	return error;
}

static int
put_in_place(struct output_file *file)
{
	int error = set_owner_and_mode(file);

	if (!error && fsync(file->fd) < 0)
		error = -errno;
	if (!error)
		error = give_name(file);
	if (!error &&
	    renameat(file->directory, file->temporary, file->directory, file->name) < 0)
		error = -errno;
	return error;
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
	if (file->temporary[0])
		unlinkat(file->directory, file->temporary, 0);
	release(file);
}
