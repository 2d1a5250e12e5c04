/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that are whole or absent, whatever fails, and no litter beside them.  Most is
 * shown twice: where files without names can be had, and where they cannot.
 */
#include "refuse_malloc.h"
#include "support_directory.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/export/file.h"

#define NOBODY 65534
#define TRIES 16     /* for a temporary name */
#define PATIENCE 100 /* seconds, for all */

/* What goes wrong; the functions below replace the C library's to see to it. */
static struct {
	char calls[256]; /* t, c: openat, nameless or with a name; k: flock; w: write;
			    o: fchown; m: fchmod; f, d: fsync; l: linkat; r: renameat;
			    u: unlinkat */
	void (*before)(char call);
	int write_errors[8]; /* of the writes, one by one; 0: none */
	size_t writes;       /* so far */
	size_t write_most;   /* bytes at once; 0: all */
	int errors[128];     /* by the letters above */
	bool no_listing;
	bool no_proc;
	ino_t synced;       /* the directory that was */
	const char *status; /* the file to read in place of the one in /proc */
	uint32_t
		random[TRIES]; /* in place of real ones; the last one again and again */
	size_t randoms;        /* so far */
	bool random_given;
} world;

/* The present test is about temporary names from the beginning. */
static bool named;

static void
reset_world(void)
{
	memset(&world, 0, sizeof(world));
	if (named)
		world.errors['t'] = EOPNOTSUPP;
}

static int
note_call(char call)
{
	size_t length = strlen(world.calls);

	if (length + 1 < sizeof(world.calls))
		world.calls[length] = call;
	if (world.before)
		world.before(call);
	if (!world.errors[(unsigned char)call])
		return 0;
	errno = world.errors[(unsigned char)call];
	return -1;
}

ssize_t
write(int fd, const void *bytes, size_t size)
{
	size_t turn = world.writes++;

	if (note_call('w') < 0)
		return -1;
	if (turn < COUNT(world.write_errors) && world.write_errors[turn]) {
		errno = world.write_errors[turn];
		return -1;
	}
	if (world.write_most && size > world.write_most)
		size = world.write_most;
	return syscall(SYS_write, fd, bytes, size);
}

int
fchown(int fd, uid_t user, gid_t group)
{
	return note_call('o') < 0 ? -1 : (int)syscall(SYS_fchown, fd, user, group);
}

int
fchmod(int fd, mode_t mode)
{
	return note_call('m') < 0 ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int
fsync(int fd)
{
	struct stat status;
	bool is_directory;

	assert_int_equal(fstat(fd, &status), 0);
	is_directory = S_ISDIR(status.st_mode);
	if (note_call(is_directory ? 'd' : 'f') < 0)
		return -1;
	if (is_directory)
		world.synced = status.st_ino;
	return (int)syscall(SYS_fsync, fd);
}

int
linkat(int from_directory, const char *from, int to_directory, const char *to,
       int flags)
{
	return note_call('l') < 0 ? -1
				  : (int)syscall(SYS_linkat, from_directory, from,
						 to_directory, to, flags);
}

int
renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	return note_call('r') < 0 ? -1
				  : (int)syscall(SYS_renameat2, from_directory, from,
						 to_directory, to, 0);
}

int
unlinkat(int fd, const char *name, int flags)
{
	return note_call('u') < 0 ? -1 : (int)syscall(SYS_unlinkat, fd, name, flags);
}

int
flock(int fd, int operation)
{
	return note_call('k') < 0 ? -1 : (int)syscall(SYS_flock, fd, operation);
}

int
openat(int fd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list arguments;

	va_start(arguments, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(arguments, mode_t);
	va_end(arguments);
	if ((flags & O_TMPFILE) == O_TMPFILE && note_call('t') < 0)
		return -1;
	if (flags & O_CREAT && note_call('c') < 0)
		return -1;
	return (int)syscall(SYS_openat, fd, path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list arguments;

	va_start(arguments, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(arguments, mode_t);
	va_end(arguments);
	if (world.status && strncmp(path, "/proc/", 6) == 0)
		path = world.status;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int
access(const char *path, int mode)
{
	if (world.no_proc && strncmp(path, "/proc/", 6) == 0) {
		errno = ENOENT;
		return -1;
	}
	return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

ssize_t
getrandom(void *bytes, size_t size, unsigned int flags)
{
	size_t turn = world.randoms++;

	if (note_call('?') < 0)
		return -1;
	if (!world.random_given)
		return syscall(SYS_getrandom, bytes, size, flags);
	assert_int_equal(size, sizeof(world.random[0]));
	memcpy(bytes, &world.random[turn < TRIES ? turn : TRIES - 1], size);
	return (ssize_t)size;
}

DIR *
fdopendir(int fd)
{
	static DIR *(*real)(int fd);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fdopendir");
	if (!world.no_listing)
		return real(fd);
	errno = ENOMEM;
	return NULL;
}

/* What was called, in the order, but for random numbers. */
static void
assert_calls(const char *expected)
{
	char calls[sizeof(world.calls)];
	size_t length = 0;

	for (const char *at = world.calls; *at; at++)
		if (*at != '?')
			calls[length++] = *at;
	calls[length] = '\0';
	assert_string_equal(calls, expected);
}

/* Each test has a directory of its own, and leaves nothing open. */
static mode_t first_umask;
static unsigned int first_fds;

static int
enter(void)
{
	first_umask = umask(022);
	first_fds = count_fds(false);
	return enter_directory("file") < 0 ? -1 : chmod(".", 0755);
}

static int
enter_named(void **unused)
{
	(void)unused;
	named = true;
	reset_world();
	return enter();
}

/* Where this file system cannot do it, it is the same as above. */
static int
enter_nameless(void **unused)
{
	int fd;

	(void)unused;
	named = false;
	reset_world();
	if (enter() < 0)
		return -1;
	fd = open(".", O_TMPFILE | O_WRONLY, 0600);
	named = fd < 0;
	if (fd >= 0)
		close(fd);
	reset_world();
	return 0;
}

/* Not skip(): prove would take what cmocka says then for a failure. */
static bool
is_root(void)
{
	if (geteuid() == 0)
		return true;
	print_message("# only for root\n");
	return false;
}

static int
leave(void **unused)
{
	(void)unused;
	umask(first_umask);
	leave_directory();
	assert_int_equal(count_fds(false), first_fds);
	return 0;
}

/* The first of the entries, which is a temporary, when there is one. */
static bool
find_temporary(char temporary[NAME_MAX + 1])
{
	static const char prefix[] = ".conntap-";
	size_t length = strlen(prefix);
	char names[ENTRIES_SIZE];

	list_entries(names);
	if (strncmp(names, prefix, length) != 0)
		return false;
	assert_int_equal(strspn(names + length, "0123456789abcdef"), 8);
	length += 8;
	assert_true(names[length] == ' ' || names[length] == '\0');
	names[length] = '\0';
	strcpy(temporary, names);
	return true;
}

static void
assert_rest(int fd, const char *expected)
{
	char contents[4096];
	ssize_t length = read(fd, contents, sizeof(contents) - 1);

	assert_true(length >= 0);
	contents[length] = '\0';
	assert_string_equal(contents, expected);
}

static void
assert_contents(const char *name, const char *expected)
{
	int fd = open(name, O_RDONLY);

	assert_true(fd >= 0);
	assert_rest(fd, expected);
	close(fd);
}

/* There is nothing but this file. */
static void
assert_alone(const char *name, const char *expected)
{
	assert_contents(name, expected);
	assert_entries(name);
}

static void
assert_mode(const char *name, mode_t mode)
{
	struct stat status;

	assert_int_equal(lstat(name, &status), 0);
	assert_int_equal(status.st_mode, S_IFREG | mode);
}

static void
assert_owner(const char *name, uid_t user, gid_t group)
{
	struct stat status;

	assert_int_equal(lstat(name, &status), 0);
	assert_int_equal(status.st_uid, user);
	assert_int_equal(status.st_gid, group);
}

static ino_t
inode_of(const char *name)
{
	struct stat status;

	assert_int_equal(stat(name, &status), 0);
	return status.st_ino;
}

static struct output_file *
begin(const char *path)
{
	struct output_file *file = NULL;

	assert_int_equal(output_file_open(&file, path, &OUTPUT_FILE_USUAL), 0);
	assert_non_null(file);
	return file;
}

static int
put(struct output_file *file, const char *contents)
{
	return output_file_write(contents, strlen(contents), file);
}

/* All of it; returns the first error. */
static int
replace_so(const char *path, const char *contents, const struct output_file_how *how)
{
	struct output_file *file = (void *)&world;
	int error = output_file_open(&file, path, how);

	if (error) {
		assert_null(file);
		return error;
	}
	put(file, contents);
	return output_file_commit(file);
}

static int
replace(const char *path, const char *contents)
{
	return replace_so(path, contents, &OUTPUT_FILE_USUAL);
}

static void
new_file(void **unused)
{
	struct output_file *file;

	(void)unused;
	file = begin("metrics.prom");
	assert_int_equal(put(file, "one\n"), 0);
	assert_int_equal(put(file, ""), 0);
	assert_int_equal(put(file, "two\n"), 0);
	assert_int_equal(output_file_commit(file), 0);
	assert_contents("metrics.prom", "one\ntwo\n");
	assert_mode("metrics.prom", 0644);
	assert_entries("metrics.prom");
}

static void
nothing_written(void **unused)
{
	(void)unused;
	assert_int_equal(output_file_commit(begin("empty")), 0);
	assert_alone("empty", "");
}

/* Who has the old file open goes on reading it. */
static void
old_reader(void **unused)
{
	int fd;

	(void)unused;
	make_file("metrics.prom", "the old");
	fd = open("metrics.prom", O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(replace("metrics.prom", "the new"), 0);
	assert_rest(fd, "the old");
	close(fd);
	assert_alone("metrics.prom", "the new");
}

/* Until then there is nothing more, or one file that is hidden, private, of no known
 * suffix, and locked. */
static void
nothing_seen_before_commit(void **unused)
{
	char name[NAME_MAX + 1];
	struct output_file *file;

	(void)unused;
	make_file("metrics.prom", "the old");
	file = begin("metrics.prom");
	assert_int_equal(put(file, "the new"), 0);
	assert_contents("metrics.prom", "the old");
	if (named) {
		int fd;

		assert_true(find_temporary(name));
		assert_mode(name, 0600);
		fd = open(name, O_RDONLY);
		assert_true(fd >= 0);
		assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
		close(fd);
	} else {
		assert_entries("metrics.prom");
	}
	assert_int_equal(output_file_commit(file), 0);
	assert_alone("metrics.prom", "the new");
}

static void
aborted(void **unused)
{
	struct output_file *file;

	(void)unused;
	output_file_abort(NULL);
	file = begin("metrics.prom");
	put(file, "the new");
	output_file_abort(file);
	assert_entries("");
	make_file("metrics.prom", "the old");
	file = begin("metrics.prom");
	put(file, "the new");
	output_file_abort(file);
	assert_alone("metrics.prom", "the old");
}

/* By whatever path; two at a time for the same place do not meet. */
static void
paths(void **unused)
{
	struct output_file *a, *b;
	char path[PATH_MAX + 8];

	(void)unused;
	snprintf(path, sizeof(path), "%s/a", directory);
	assert_int_equal(replace(path, "a"), 0);
	assert_int_equal(replace("./b", "b"), 0);
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(replace("d//c", "c"), 0);
	assert_int_equal(world.synced, inode_of("d"));
	assert_contents("a", "a");
	assert_contents("b", "b");
	assert_contents("d/c", "c");
	assert_int_equal(unlink("d/c"), 0);
	assert_int_equal(rmdir("d"), 0);
	a = begin("a");
	b = begin("a");
	put(a, "first");
	put(b, "second");
	assert_int_equal(output_file_commit(b), 0);
	assert_contents("a", "second");
	assert_int_equal(output_file_commit(a), 0);
	assert_contents("a", "first");
	assert_entries("a b");
}

/* Up to what a directory can hold. */
static void
long_names(void **unused)
{
	struct output_file *file;
	char name[NAME_MAX + 2];

	(void)unused;
	for (size_t length = NAME_MAX - 20; length <= NAME_MAX; length++) {
		memset(name, 'x', sizeof(name));
		name[length] = '\0';
		make_file(".conntap-00c0ffee", "litter");
		assert_int_equal(replace(name, "long"), 0);
		assert_contents(name, "long");
		assert_entries(name);
		assert_int_equal(unlink(name), 0);
	}
	memset(name, 'x', sizeof(name) - 1);
	name[NAME_MAX + 1] = '\0';
	assert_int_equal(output_file_open(&file, name, &OUTPUT_FILE_USUAL),
			 -ENAMETOOLONG);
	assert_null(file);
	assert_entries("");
}

/* The longest path that there can be. */
static void
long_paths(void **unused)
{
	char path[PATH_MAX + 2];

	(void)unused;
	for (size_t length = PATH_MAX - 20; length <= PATH_MAX + 1; length++) {
		for (size_t i = 0; i < length; i++)
			path[i] = i % 2 ? '/' : '.';
		path[length - 2] = '/';
		path[length - 1] = 'x';
		path[length] = '\0';
		assert_int_equal(replace(path, "x"),
				 length < PATH_MAX ? 0 : -ENAMETOOLONG);
		assert_entries(length < PATH_MAX ? "x" : "");
		unlink("x");
	}
}

static void
refused(void **unused)
{
	unsigned int fds = count_fds(false);
	int error;

	(void)unused;
	make_file("file", "file");
	assert_int_equal(mkdir("dir", 0755), 0);
	assert_int_equal(symlink("dir", "link"), 0);
	assert_int_equal(symlink("/dev/null", "null"), 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	if (mknod("device", S_IFCHR | 0666, 1 << 8 | 3) == 0) { /* /dev/null */
		assert_int_equal(replace("device", "x"), -ENOTSUP);
		assert_int_equal(unlink("device"), 0);
	}
	assert_int_equal(replace("/dev/null", "x"), -ENOTSUP);
	assert_int_equal(replace("", "x"), -ENOENT);
	assert_int_equal(replace("none/file", "x"), -ENOENT);
	assert_int_equal(replace("file/file", "x"), -ENOTDIR);
	assert_int_equal(replace("dir", "x"), -EISDIR);
	assert_int_equal(replace("dir/", "x"), -EISDIR);
	assert_int_equal(replace("new/", "x"), -EISDIR);
	assert_int_equal(replace("link", "x"), -ELOOP);
	assert_int_equal(replace(".", "x"), -EISDIR);
	assert_int_equal(replace("dir/..", "x"), -EISDIR);
	assert_int_equal(replace("/", "x"), -EISDIR);
	assert_int_equal(replace("pipe", "x"), -ENOTSUP);
	assert_int_equal(replace("null", "x"), -ELOOP);
	refused_from = allocations;
	error = replace("file", "x");
	refused_from = SIZE_MAX;
	assert_int_equal(error, -ENOMEM);
	assert_contents("file", "file");
	assert_entries("dir file link null pipe");
	assert_int_equal(count_fds(false), fds);
}

/* Neither a link nor what it points to is touched: it may be /dev/stdout. */
static void
links(void **unused)
{
	struct stat status;

	(void)unused;
	make_file("target", "target");
	assert_int_equal(symlink("target", "link"), 0);
	assert_int_equal(symlink("none", "dangling"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(link("target", "other"), 0);
	assert_int_equal(replace("link", "1"), -ELOOP);
	assert_int_equal(replace("dangling", "2"), -ELOOP);
	assert_int_equal(replace("loop", "3"), -ELOOP);
	assert_int_equal(replace("other", "4"), 0);
	assert_contents("target", "target");
	assert_contents("other", "4");
	assert_int_equal(lstat("link", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_entries("dangling link loop other target");
}

static void
umasks(void **unused)
{
	static const mode_t masks[] = { 0, 022, 027, 077, 02, 0137, 0777 };

	(void)unused;
	for (size_t i = 0; i < COUNT(masks); i++) {
		umask(masks[i]);
		assert_int_equal(replace("file", "x"), 0);
		assert_int_equal(umask(022), masks[i]);
		assert_mode("file", 0666 & ~masks[i]);
		/* What the old file allows does not matter. */
		assert_int_equal(chmod("file", i % 2 ? 0777 : 0), 0);
	}
}

/* Old kernels do not tell it, and /proc may be missing. */
static void
unknown_umask(void **unused)
{
	(void)unused;
	umask(077);
	world.status = "none";
	assert_int_equal(replace("file", "x"), 0);
	assert_mode("file", 0644);
	make_file("status", "Name:\tUmask:\nState:\tR (running)\n");
	world.status = "status";
	assert_int_equal(replace("file", "x"), 0);
	assert_mode("file", 0644);
	make_file("status", "");
	assert_int_equal(replace("file", "x"), 0);
	assert_mode("file", 0644);
	world.status = directory;
	assert_int_equal(replace("file", "x"), 0);
	assert_mode("file", 0644);
	assert_int_equal(unlink("status"), 0);
	assert_entries("file");
}

static void
descriptors(void **unused)
{
	unsigned int before = count_fds(false), inherited = count_fds(true);
	struct output_file *file;

	(void)unused;
	file = begin("file");
	assert_int_equal(count_fds(false), before + 2);
	assert_int_equal(count_fds(true), inherited);
	output_file_abort(file);
	assert_int_equal(count_fds(false), before);
	assert_int_equal(replace("file", "x"), 0);
	assert_int_equal(count_fds(false), before);
	make_file(".conntap-01234567", "litter");
	assert_int_equal(replace("file", "x"), 0);
	assert_int_equal(count_fds(false), before);
}

/* Nothing is renamed that is not on the disk, nor before others may read it, nor named
 * before it is locked. */
static void
order(void **unused)
{
	const struct output_file_how how = { .mode = 0600,
					     .user = geteuid(),
					     .group = getegid() };

	(void)unused;
	assert_int_equal(replace_so("file", "x", &how), 0);
	assert_calls(named ? "tckwomfrd" : "tkwomflrd");
	assert_int_equal(world.synced, inode_of("."));
	reset_world();
	assert_int_equal(replace("file", "x"), 0);
	assert_calls(named ? "tckwmfrd" : "tkwmflrd");
	reset_world();
	output_file_abort(begin("file"));
	assert_calls(named ? "tcku" : "tk");
}

static void
partial_writes(void **unused)
{
	struct output_file *file;

	(void)unused;
	world.write_most = 3;
	world.write_errors[0] = EINTR;
	world.write_errors[2] = EINTR;
	world.write_errors[3] = EINTR;
	file = begin("file");
	assert_int_equal(put(file, "in many small pieces"), 0);
	assert_int_equal(world.writes, 3 + 7);
	assert_int_equal(put(file, ", and more"), 0);
	assert_int_equal(output_file_commit(file), 0);
	assert_alone("file", "in many small pieces, and more");
}

/* Whichever it is of them: nothing more is written, and no other call is made. */
static void
first_write_error_sticks(void **unused)
{
	enum { WRITES = 5 };
	struct output_file *file;

	(void)unused;
	make_file("file", "the old");
	for (size_t turn = 0; turn < WRITES; turn++) {
		reset_world();
		world.write_errors[turn] = ENOSPC;
		world.write_errors[turn + 1] = EIO;
		file = begin("file");
		for (size_t i = 0; i < WRITES; i++)
			assert_int_equal(put(file, "some"), i < turn ? 0 : -ENOSPC);
		assert_int_equal(put(file, ""), -ENOSPC);
		assert_int_equal(world.writes, turn + 1);
		memset(world.calls, 0, sizeof(world.calls));
		assert_int_equal(output_file_commit(file), -ENOSPC);
		assert_calls(named ? "u" : "");
		assert_alone("file", "the old");
	}
}

/* The same within one piece, after a part of it. */
static void
partial_write_fails(void **unused)
{
	(void)unused;
	make_file("file", "the old");
	for (size_t turn = 0; turn < 4; turn++) {
		reset_world();
		world.write_most = 3;
		world.write_errors[turn] = ENOSPC;
		assert_int_equal(replace("file", "in some pieces"), -ENOSPC);
		assert_int_equal(world.writes, turn + 1);
		assert_alone("file", "the old");
	}
}

/* By the kernel's own means: half of it fits. */
static void
file_too_large(void **unused)
{
	struct rlimit limit, small;
	struct output_file *file;
	char contents[300];
	int written, committed;

	(void)unused;
	make_file("file", "the old");
	memset(contents, 'x', sizeof(contents));
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = sizeof(contents) / 2;
	file = begin("file");
	setrlimit(RLIMIT_FSIZE, &small);
	written = output_file_write(contents, sizeof(contents), file);
	committed = output_file_commit(file);
	setrlimit(RLIMIT_FSIZE, &limit);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(written, -EFBIG);
	assert_int_equal(committed, -EFBIG);
	assert_int_equal(world.writes, 2);
	assert_alone("file", "the old");
}

/* With an old file, and with none; `last` is what fails. */
static void
assert_fails(char last, int error)
{
	const struct output_file_how how = { .mode = 0600,
					     .user = geteuid(),
					     .group = getegid() };
	unsigned int fds = count_fds(false);
	char calls[16] = "";
	const char *at = named ? "tckwomfr" : "tkwomflr";

	for (size_t i = 0; i == 0 || at[i - 1] != last; i++)
		calls[i] = at[i];
	strcat(calls, named && last != 'c' ? "u" : last == 'r' ? "u" : "");
	for (int old = 0; old < 2; old++) {
		reset_world();
		world.errors[(unsigned char)last] = error;
		if (old)
			make_file("file", "the old");
		assert_int_equal(replace_so("file", "the new", &how), -error);
		assert_calls(calls);
		assert_int_equal(count_fds(false), fds);
		if (old)
			assert_contents("file", "the old");
		assert_entries(old ? "file" : "");
		unlink("file");
	}
}

static void
failures_before_the_rename(void **unused)
{
	(void)unused;
	assert_fails('o', EPERM);
	assert_fails('m', EPERM);
	assert_fails('f', EIO);
	assert_fails('f', EINVAL);
	assert_fails('r', EROFS);
	assert_fails('r', ENOSPC);
	if (named) {
		assert_fails('c', ENOSPC);
		return;
	}
	assert_fails('t', EACCES);
	assert_fails('t', ENOSPC);
	assert_fails('t', EROFS);
	assert_fails('t', EMFILE);
	assert_fails('l', EDQUOT);
	assert_fails('l', ENOENT);
	assert_fails('l', EXDEV);
}

/* There are no numbers for names. */
static void
no_random_numbers(void **unused)
{
	(void)unused;
	make_file("file", "the old");
	world.errors['?'] = ENOSYS;
	assert_int_equal(replace("file", "the new"), -EIO);
	assert_alone("file", "the old");
}

/* Then another one is tried, but not for ever; whose name it is keeps its file, and no
 * link is followed. */
static void
taken_names(void **unused)
{
	int fd;

	(void)unused;
	make_file("target", "somebody's");
	assert_int_equal(symlink("target", ".conntap-0000002b"), 0);
	make_file(".conntap-0000002a", "somebody's");
	fd = open(".conntap-0000002a", O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	world.random_given = true;
	for (int i = 0; i < TRIES; i++)
		world.random[i] = i == 3 ? 0xfe : 0x2a + i % 2;
	assert_int_equal(replace("file", "the new"), 0);
	assert_int_equal(world.randoms, 4);
	assert_contents("file", "the new");
	world.random[3] = 0x2a;
	world.randoms = 0;
	assert_int_equal(replace("file", "the newest"), -EEXIST);
	assert_int_equal(world.randoms, TRIES);
	assert_contents("file", "the new");
	assert_contents("target", "somebody's");
	assert_contents(".conntap-0000002a", "somebody's");
	assert_entries(".conntap-0000002a .conntap-0000002b file target");
	close(fd);
}

/* Old kernels and other file systems say each of these, and there may be no /proc. */
static void
fallbacks(void **unused)
{
	static const int errors[] = { EOPNOTSUPP, EISDIR, EINVAL };

	(void)unused;
	for (size_t i = 0; i < COUNT(errors); i++) {
		reset_world();
		world.errors['t'] = errors[i];
		assert_int_equal(replace("file", "x"), 0);
		assert_calls("tckwmfrd");
		assert_entries("file");
	}
	reset_world();
	world.no_proc = true;
	assert_int_equal(replace("file", "y"), 0);
	assert_calls("ckwmfrd");
	assert_alone("file", "y");
}

static void
no_proc(void **unused)
{
	int error;

	(void)unused;
	umask(027);
	if (!cover("/proc", NULL))
		return;
	error = replace("file", "x");
	assert_int_equal(umount("/proc"), 0);
	assert_int_equal(error, 0);
	assert_mode("file", 0644);
	assert_entries("file");
}

/* Some file systems have none; then there is no telling litter from work either. */
static void
no_locks(void **unused)
{
	static const int errors[] = { ENOLCK, EOPNOTSUPP, EINVAL };

	(void)unused;
	make_file(".conntap-01234567", "litter or work");
	for (size_t i = 0; i < COUNT(errors); i++) {
		reset_world();
		world.errors['k'] = errors[i];
		assert_int_equal(replace("file", "x"), 0);
		assert_contents("file", "x");
		assert_entries(".conntap-01234567 file");
	}
}

/* Somebody who cleans up finds the file before it is locked, and takes it for litter:
 * has the lock first, or even has removed it. */
static int cleaner = -1;
static bool cleaner_is_quick;

static void
clean_up(char call)
{
	char name[NAME_MAX + 1];

	if (call != 'k' || !find_temporary(name))
		return;
	if (cleaner >= 0) {
		/* It comes to itself at the second try, the first file is gone. */
		world.before = NULL;
		return;
	}
	cleaner = open(name, O_RDONLY);
	assert_true(cleaner >= 0);
	assert_int_equal(syscall(SYS_flock, cleaner, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(unlink(name), 0);
	if (cleaner_is_quick)
		assert_int_equal(syscall(SYS_flock, cleaner, LOCK_UN), 0);
}

static void
cleaned_too_soon(void **unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++) {
		reset_world();
		cleaner_is_quick = i;
		world.before = clean_up;
		assert_int_equal(replace("file", "x"), 0);
		assert_true(cleaner >= 0);
		close(cleaner);
		cleaner = -1;
		assert_calls("tckckwmfrd");
		assert_alone("file", "x");
	}
}

/* Of a process that is no more. */
static void
litter(void **unused)
{
	(void)unused;
	make_file(".conntap-01234567", "litter");
	make_file(".conntap-89abcdef", "litter");
	make_file(".conntap-00000000", "");
	assert_int_equal(chmod(".conntap-00000000", 0400), 0);
	output_file_abort(begin("file"));
	assert_entries("");
	make_file(".conntap-01234567", "litter");
	assert_int_equal(mkdir("d", 0755), 0);
	make_file("d/.conntap-01234567", "litter");
	assert_int_equal(replace("d/file", "x"), 0);
	assert_int_equal(unlink("d/file"), 0);
	assert_int_equal(rmdir("d"), 0);
	assert_entries(".conntap-01234567");
}

/* What only looks like it is somebody else's.  A pipe must not keep us waiting. */
static void
no_litter(void **unused)
{
	static const char *const names[] = {
		".conntap-0123456",        ".conntap-012345678",
		".conntap-0123456G",       ".conntap-0123456A",
		".conntap-01234567.bak",   ".conntap-",
		".conntap_01234567",       ".conntap-0123 567",
		"conntap-01234567",        "..conntap-01234567",
		".conntaq-01234567",       ".xconntap-01234567",
		".File.conntap-01234567",  ".fil.conntap-01234567",
		".file2.conntap-01234567", ".file.01234567",
	};
	struct stat status;
	char before[ENTRIES_SIZE], after[ENTRIES_SIZE];

	(void)unused;
	for (size_t i = 0; i < COUNT(names); i++)
		make_file(names[i], "work");
	assert_int_equal(mkdir(".conntap-00000001", 0755), 0);
	assert_int_equal(mkfifo(".conntap-00000002", 0666), 0);
	assert_int_equal(symlink(names[0], ".conntap-00000003"), 0);
	assert_int_equal(symlink("none", ".conntap-00000004"), 0);
	assert_int_equal(symlink(".", ".conntap-00000005"), 0);
	make_file("file", "the old");
	list_entries(before);
	assert_int_equal(replace("file", "the new"), 0);
	list_entries(after);
	assert_string_equal(before, after);
	for (size_t i = 0; i < COUNT(names); i++)
		assert_contents(names[i], "work");
	assert_int_equal(lstat(".conntap-00000001", &status), 0);
	assert_true(S_ISDIR(status.st_mode));
}

/* Cleaning up is a kindness: without it, everything else is as ever. */
static void
litter_stays(void **unused)
{
	unsigned int fds = count_fds(false);

	(void)unused;
	make_file(".conntap-01234567", "litter");
	world.no_listing = true;
	assert_int_equal(replace("file", "x"), 0);
	assert_entries(".conntap-01234567 file");
	reset_world();
	assert_int_equal(count_fds(false), fds);
	if (named)
		return;
	world.errors['u'] = EPERM;
	assert_int_equal(replace("file", "y"), 0);
	assert_contents("file", "y");
	assert_entries(".conntap-01234567 file");
}

/* A living one's, of another process, in all its stages. */
static int told, telling; /* pipes' ends of a child */

static void
stop_before_renaming(char call)
{
	char byte = call;

	if (call != 'r' && call != 'w')
		return;
	if (syscall(SYS_write, telling, &byte, 1) != 1 || read(told, &byte, 1) != 1)
		_exit(99);
}

static void
living(void **unused)
{
	int to[2], from[2], status;
	pid_t child;
	char byte, name[NAME_MAX + 1];

	(void)unused;
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	told = to[0];
	telling = from[1];
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(to[1]);
		close(from[0]);
		world.before = stop_before_renaming;
		_exit(-replace("file", "the child's"));
	}
	close(to[0]);
	close(from[1]);
	for (const char *stage = "wr"; *stage; stage++) {
		assert_int_equal(read(from[0], &byte, 1), 1);
		assert_int_equal(byte, *stage);
		assert_int_equal(find_temporary(name), named || *stage == 'r');
		assert_int_equal(replace("file", "the parent's"), 0);
		assert_int_equal(find_temporary(name), named || *stage == 'r');
		assert_int_equal(syscall(SYS_write, to[1], "", 1), 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_alone("file", "the child's");
	close(to[1]);
	close(from[0]);
}

static int calls_to_live;

static void
die_in_time(char call)
{
	if (call != '?' && --calls_to_live == 0)
		kill(getpid(), SIGKILL);
}

/* Killed before each of the calls: the file is whole, there is litter where there was
 * a name, and the next one takes it away. */
static void
killed(void **unused)
{
	/* Which of the calls, from the first on, are made with litter about. */
	const char *littered = named ? "--lllll-" : "------l-";
	int status = -1;
	size_t lives;

	(void)unused;
	for (lives = 1; status != 0; lives++) {
		char name[NAME_MAX + 1];
		pid_t child;

		make_file("file", "the old");
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			calls_to_live = (int)lives;
			world.before = die_in_time;
			_exit(-replace("file", "the new"));
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_contents("file",
				status == 0 || lives == 8 ? "the new" : "the old");
		if (status == 0)
			break;
		assert_int_equal(status, SIGKILL);
		assert_in_range(lives, 1, 8);
		assert_int_equal(find_temporary(name), littered[lives - 1] == 'l');
		assert_int_equal(replace("file", "the next"), 0);
		assert_alone("file", "the next");
	}
	assert_int_equal(lives, 9);
}

/* What became a directory after the beginning is not replaced. */
static void
late_directory(void **unused)
{
	struct output_file *file;

	(void)unused;
	file = begin("file");
	assert_int_equal(mkdir("file", 0755), 0);
	put(file, "the new");
	assert_int_equal(output_file_commit(file), -EISDIR);
	assert_entries("file");
}

/* It is the directory of the beginning, by whatever name. */
static void
directory_moved(void **unused)
{
	struct output_file *file;

	(void)unused;
	assert_int_equal(mkdir("d", 0755), 0);
	file = begin("d/file");
	put(file, "x");
	assert_int_equal(rename("d", "e"), 0);
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(output_file_commit(file), 0);
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(rmdir("d"), 0);
	assert_contents("e/file", "x");
	assert_int_equal(unlink("e/file"), 0);
	assert_int_equal(rmdir("e"), 0);
}

static void
directory_removed(void **unused)
{
	char name[NAME_MAX + 1];
	struct output_file *file;

	(void)unused;
	for (int commit = 0; commit < 2; commit++) {
		assert_int_equal(mkdir("d", 0755), 0);
		assert_int_equal(chdir("d"), 0);
		file = begin("file");
		put(file, "x");
		if (find_temporary(name))
			assert_int_equal(unlink(name), 0);
		assert_int_equal(chdir(".."), 0);
		assert_int_equal(rmdir("d"), 0);
		if (commit)
			assert_int_equal(output_file_commit(file), -ENOENT);
		else
			output_file_abort(file);
		assert_entries("");
		assert_int_equal(replace("d/file", "x"), -ENOENT);
	}
}

/* The new file is there then; a system that cannot do it at all is no error. */
static void
directory_not_synced(void **unused)
{
	(void)unused;
	make_file("file", "the old");
	world.errors['d'] = EIO;
	assert_int_equal(replace("file", "the new"), -EIO);
	assert_alone("file", "the new");
	world.errors['d'] = EINVAL;
	assert_int_equal(replace("file", "the newest"), 0);
	assert_alone("file", "the newest");
}

/* Root may write everywhere, so it has to be somebody else. */
static int
replace_as_nobody(const char *path, const struct output_file_how *how)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct output_file *file;
		int error;

		if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 ||
				       setuid(NOBODY) < 0))
			_exit(255);
		/* Who was somebody else may not look into its own /proc. */
		if (!named)
			prctl(PR_SET_DUMPABLE, 1);
		error = output_file_open(&file, path, how);
		if (!error)
			error = output_file_commit(file);
		_exit(-error);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void
unwritable_directory(void **unused)
{
	const struct output_file_how *usual = &OUTPUT_FILE_USUAL;

	(void)unused;
	make_file("file", "the old");
	assert_int_equal(chmod("file", 0666), 0);
	assert_int_equal(chmod(".", 0555), 0);
	assert_int_equal(replace_as_nobody("file", usual), -EACCES);
	assert_int_equal(replace_as_nobody("new", usual), -EACCES);
	assert_alone("file", "the old");
	/* Not to be read is not to be synced. */
	assert_int_equal(chmod(".", 0333), 0);
	assert_int_equal(replace_as_nobody("file", usual), -EACCES);
	assert_int_equal(chmod(".", 0777), 0);
	assert_alone("file", "the old");
	assert_int_equal(replace_as_nobody("file", usual), 0);
	assert_alone("file", "");
}

/* Somebody else's litter that cannot be opened stays. */
static void
private_litter(void **unused)
{
	(void)unused;
	if (!is_root())
		return;
	assert_int_equal(chmod(".", 0777), 0);
	make_file(".conntap-01234567", "litter");
	assert_int_equal(chmod(".conntap-01234567", 0600), 0);
	assert_int_equal(replace_as_nobody("file", &OUTPUT_FILE_USUAL), 0);
	assert_entries(".conntap-01234567 file");
	assert_int_equal(replace("file", "x"), 0);
	assert_entries("file");
}

/* Whatever the umask, and the old file, say. */
static void
modes(void **unused)
{
	static const int given[] = { 0, 0600, 0640, 0644, 0666, 0222, 0755 };
	struct output_file_how how = OUTPUT_FILE_USUAL;

	(void)unused;
	umask(077);
	for (size_t i = 0; i < COUNT(given); i++) {
		how.mode = given[i];
		assert_int_equal(replace_so("file", "x", &how), 0);
		assert_mode("file", (mode_t)given[i]);
	}
	assert_owner("file", geteuid(), getegid());
	assert_entries("file");
}

static void
owners(void **unused)
{
	struct output_file_how how = { .mode = -1, .user = 1234, .group = 2345 };

	(void)unused;
	if (!is_root())
		return;
	assert_int_equal(replace_so("file", "x", &how), 0);
	assert_owner("file", 1234, 2345);
	assert_mode("file", 0644);
	how.user = (uid_t)-1;
	assert_int_equal(replace_so("file", "x", &how), 0);
	assert_owner("file", 0, 2345);
	how = (struct output_file_how){ .mode = 0604, .user = 77, .group = (gid_t)-1 };
	assert_int_equal(replace_so("file", "x", &how), 0);
	assert_owner("file", 77, 0);
	assert_mode("file", 0604);
	/* A change of the owner would take these bits away. */
	how.mode = 06755;
	assert_int_equal(replace_so("file", "x", &how), 0);
	assert_mode("file", 06755);
	assert_int_equal(replace("file", "x"), 0);
	assert_owner("file", 0, 0);
	assert_mode("file", 0644);
	assert_entries("file");
}

/* Only root may give files away. */
static void
owner_refused(void **unused)
{
	struct output_file_how how = { .mode = 0600, .user = 0, .group = (gid_t)-1 };
	gid_t group = geteuid() == 0 ? NOBODY : getegid();
	uid_t user = geteuid() == 0 ? NOBODY : geteuid();

	(void)unused;
	assert_int_equal(chmod(".", 0777), 0);
	make_file("file", "the old");
	assert_int_equal(replace_as_nobody("file", &how), -EPERM);
	how.user = (uid_t)-1;
	how.group = 0;
	assert_int_equal(replace_as_nobody("file", &how), -EPERM);
	assert_alone("file", "the old");
	how.user = user;
	how.group = group;
	assert_int_equal(replace_as_nobody("file", &how), 0);
	assert_owner("file", user, group);
	assert_mode("file", 0600);
	assert_entries("file");
}

enum { PIECE = 1000, PIECES = 10 };

/* Until `stop` is there, each look at the file has to find all of one version. */
static int
watch(void)
{
	static char contents[PIECE * PIECES + 1];

	while (access("stop", F_OK) < 0) {
		int fd = open("file", O_RDONLY);
		ssize_t length;

		if (fd < 0)
			return 1;
		length = read(fd, contents, sizeof(contents));
		close(fd);
		if (length != PIECE * PIECES)
			return 2;
		for (ssize_t i = 1; i < length; i++)
			if (contents[i] != contents[0])
				return 3;
	}
	return 0;
}

static int
write_version(char letter)
{
	struct output_file *file;
	char piece[PIECE];
	int error = output_file_open(&file, "file", &OUTPUT_FILE_USUAL);

	if (error)
		return error;
	memset(piece, letter, sizeof(piece));
	for (int i = 0; i < PIECES; i++)
		output_file_write(piece, sizeof(piece), file);
	return output_file_commit(file);
}

static pid_t
start_watching(void)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(watch());
	return child;
}

static void
assert_good_end(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
readers_see_it_whole(void **unused)
{
	pid_t child;

	(void)unused;
	assert_int_equal(write_version('a'), 0);
	child = start_watching();
	for (int i = 1; i <= 40; i++)
		assert_int_equal(write_version((char)('a' + i % 26)), 0);
	make_file("stop", "");
	assert_good_end(child);
	assert_entries("file stop");
}

static int
write_versions(char letter)
{
	int error = 0;

	for (int i = 0; i < 40 && !error; i++)
		error = write_version(letter);
	return error;
}

/* All get through, whole, and clean away nothing of each other's. */
static void
writers_at_one_time(void **unused)
{
	pid_t reader, writers[3];

	(void)unused;
	assert_int_equal(write_version('a'), 0);
	reader = start_watching();
	for (size_t i = 0; i < COUNT(writers); i++) {
		writers[i] = fork();
		assert_true(writers[i] >= 0);
		if (writers[i] == 0)
			_exit(-write_versions((char)('b' + i)));
	}
	for (size_t i = 0; i < COUNT(writers); i++)
		assert_good_end(writers[i]);
	make_file("stop", "");
	assert_good_end(reader);
	assert_entries("file stop");
}

#define NAMED(test)                                            \
	{                                                      \
#test "_named", test, enter_named, leave, NULL \
	}
#define NAMELESS(test)                                   \
	{                                                \
#test, test, enter_nameless, leave, NULL \
	}
#define BOTH(test) NAMELESS(test), NAMED(test)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(new_file),
		BOTH(nothing_written),
		BOTH(old_reader),
		BOTH(nothing_seen_before_commit),
		BOTH(aborted),
		BOTH(paths),
		BOTH(long_names),
		BOTH(long_paths),
		BOTH(refused),
		BOTH(links),
		BOTH(umasks),
		BOTH(unknown_umask),
		BOTH(modes),
		BOTH(owners),
		BOTH(owner_refused),
		BOTH(descriptors),
		BOTH(order),
		BOTH(partial_writes),
		BOTH(first_write_error_sticks),
		BOTH(partial_write_fails),
		BOTH(file_too_large),
		BOTH(failures_before_the_rename),
		BOTH(no_random_numbers),
		BOTH(taken_names),
		NAMELESS(fallbacks),
		NAMELESS(no_proc),
		BOTH(no_locks),
		NAMED(cleaned_too_soon),
		BOTH(litter),
		BOTH(no_litter),
		BOTH(litter_stays),
		BOTH(private_litter),
		BOTH(living),
		BOTH(killed),
		BOTH(late_directory),
		BOTH(directory_moved),
		BOTH(directory_removed),
		BOTH(directory_not_synced),
		BOTH(unwritable_directory),
		BOTH(readers_see_it_whole),
		BOTH(writers_at_one_time),
	};

	/* Rather than wait for ever, at a pipe or for a lock. */
	alarm(PATIENCE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
