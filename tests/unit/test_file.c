/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are whole or absent, whatever fails, and no litter beside them. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/export/file.h"

#define NOBODY 65534
#define FDS 1024 /* more than there ever are */

/* What goes wrong; the functions below replace the C library's to see to it. */
static struct {
	char calls[64]; /* w: write, m: fchmod, f, d: fsync, r: rename; repeated: once
			 */
	int write_errors[8]; /* of the writes, one by one; 0: none */
	size_t writes;       /* so far */
	size_t write_most;   /* bytes at once; 0: all */
	int file_sync_error;
	int directory_sync_error;
	int chmod_error;
	int rename_error;
	bool no_memory;
	ino_t synced;       /* the directory that was */
	const char *status; /* the file to read in place of the one in /proc */
} world;

static void
note_call(char call)
{
	size_t length = strlen(world.calls);

	if (length + 1 < sizeof(world.calls))
		world.calls[length] = call;
}

static int
fail_with(int error)
{
	errno = error;
	return -1;
}

ssize_t
write(int fd, const void *bytes, size_t size)
{
	size_t turn = world.writes++;

	note_call('w');
	if (turn < COUNT(world.write_errors) && world.write_errors[turn])
		return fail_with(world.write_errors[turn]);
	if (world.write_most && size > world.write_most)
		size = world.write_most;
	return syscall(SYS_write, fd, bytes, size);
}

int
fchmod(int fd, mode_t mode)
{
	note_call('m');
	if (world.chmod_error)
		return fail_with(world.chmod_error);
	return (int)syscall(SYS_fchmod, fd, mode);
}

int
fsync(int fd)
{
	struct stat status;
	int error;

	assert_int_equal(fstat(fd, &status), 0);
	note_call(S_ISDIR(status.st_mode) ? 'd' : 'f');
	error = S_ISDIR(status.st_mode) ? world.directory_sync_error
					: world.file_sync_error;
	if (error)
		return fail_with(error);
	if (S_ISDIR(status.st_mode))
		world.synced = status.st_ino;
	return (int)syscall(SYS_fsync, fd);
}

int
rename(const char *from, const char *to)
{
	note_call('r');
	if (world.rename_error)
		return fail_with(world.rename_error);
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
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

void *
calloc(size_t count, size_t size)
{
	volatile char *bytes;

	if (world.no_memory || (size && count > SIZE_MAX / size))
		return NULL;
	bytes = malloc(count * size);
	/* Volatile, lest the compiler makes a call of calloc() of it. */
	for (size_t i = 0; bytes && i < count * size; i++)
		bytes[i] = 0;
	return (void *)(uintptr_t)bytes;
}

/* Those that are open, or only those that a program started from here would have. */
static unsigned int
count_fds(bool inherited)
{
	unsigned int count = 0;

	for (int fd = 0; fd < FDS; fd++) {
		int flags = fcntl(fd, F_GETFD);

		count += flags >= 0 && !(inherited && flags & FD_CLOEXEC);
	}
	return count;
}

/* Each test has a directory of its own, in which it stands, and leaves nothing open. */
static char directory[PATH_MAX];
static mode_t first_umask;
static unsigned int first_fds;

static int
enter_directory(void **unused)
{
	const char *top = getenv("TMPDIR");

	(void)unused;
	memset(&world, 0, sizeof(world));
	first_umask = umask(022);
	first_fds = count_fds(false);
	snprintf(directory, sizeof(directory), "%s/conntap-file.XXXXXX",
		 top ? top : "/tmp");
	if (!mkdtemp(directory) || chmod(directory, 0755) < 0)
		return -1;
	return chdir(directory);
}

static int
is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int
leave_directory(void **unused)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, is_entry, alphasort);

	(void)unused;
	for (int i = 0; i < count; i++) {
		if (unlink(entries[i]->d_name) < 0)
			rmdir(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	umask(first_umask);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(count_fds(false), first_fds);
	return 0;
}

/* All that is in the directory, sorted, with a blank between two names. */
static void
assert_entries(const char *expected)
{
	char names[4096] = "";
	struct dirent **entries;
	int count = scandir(directory, &entries, is_entry, alphasort);

	for (int i = 0; i < count; i++) {
		if (i > 0)
			strcat(names, " ");
		strcat(names, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	assert_string_equal(names, expected);
}

/* A file by ordinary means. */
static void
make_file(const char *name, const char *contents)
{
	FILE *stream = fopen(name, "w");

	assert_non_null(stream);
	assert_true(fputs(contents, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
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

static void
assert_mode(const char *name, mode_t mode)
{
	struct stat status;

	assert_int_equal(lstat(name, &status), 0);
	assert_int_equal(status.st_mode, S_IFREG | mode);
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

	assert_int_equal(output_file_open(&file, path), 0);
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
replace(const char *path, const char *contents)
{
	struct output_file *file = (void *)&world;
	int error = output_file_open(&file, path);

	if (error) {
		assert_null(file);
		return error;
	}
	put(file, contents);
	return output_file_commit(file);
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
	assert_contents("empty", "");
	assert_entries("empty");
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
	assert_contents("metrics.prom", "the new");
	assert_entries("metrics.prom");
}

/* Until then there is one file more, hidden, private, and of no known suffix. */
static void
nothing_seen_before_commit(void **unused)
{
	struct dirent **entries;
	struct output_file *file;
	const char *name;

	(void)unused;
	make_file("metrics.prom", "the old");
	file = begin("metrics.prom");
	assert_int_equal(put(file, "the new"), 0);
	assert_contents("metrics.prom", "the old");
	assert_int_equal(scandir(".", &entries, is_entry, alphasort), 2);
	name = entries[0]->d_name;
	assert_memory_equal(name, ".metrics.prom.", 14);
	assert_int_equal(strlen(name), strlen(".metrics.prom.XXXXXX"));
	assert_null(strchr(name + 14, '.'));
	assert_mode(name, 0600);
	free(entries[0]);
	free(entries[1]);
	free(entries);
	assert_int_equal(output_file_commit(file), 0);
	assert_contents("metrics.prom", "the new");
	assert_entries("metrics.prom");
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
	assert_contents("metrics.prom", "the old");
	assert_entries("metrics.prom");
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

static void
long_names(void **unused)
{
	struct output_file *file;
	char name[NAME_MAX + 2];

	(void)unused;
	for (size_t length = NAME_MAX - 20; length <= NAME_MAX; length++) {
		memset(name, 'x', sizeof(name));
		name[length] = '\0';
		assert_int_equal(replace(name, "long"), 0);
		assert_contents(name, "long");
		assert_entries(name);
		assert_int_equal(unlink(name), 0);
	}
	memset(name, 'x', sizeof(name) - 1);
	name[NAME_MAX + 1] = '\0';
	assert_int_equal(output_file_open(&file, name), -ENAMETOOLONG);
	assert_entries("");
}

/* The longest path that there can be, and the longest for which there is room. */
static void
long_paths(void **unused)
{
	char path[PATH_MAX + 1];

	(void)unused;
	for (size_t length = PATH_MAX - 20; length <= PATH_MAX; length++) {
		for (size_t i = 0; i < length; i++)
			path[i] = i % 2 ? '/' : '.';
		path[length - 2] = '/';
		path[length - 1] = 'x';
		path[length] = '\0';
		/* ".x.XXXXXX" in the place of "x", and the '\0'. */
		assert_int_equal(replace(path, "x"),
				 length + 8 < PATH_MAX ? 0 : -ENAMETOOLONG);
		assert_entries(length + 8 < PATH_MAX ? "x" : "");
		unlink("x");
	}
}

static void
refused(void **unused)
{
	unsigned int fds = count_fds(false);

	(void)unused;
	make_file("file", "file");
	assert_int_equal(mkdir("dir", 0755), 0);
	assert_int_equal(symlink("dir", "link"), 0);
	assert_int_equal(symlink("/dev/null", "null"), 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);
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
	world.no_memory = true;
	assert_int_equal(replace("file", "x"), -ENOMEM);
	world.no_memory = false;
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
	assert_true(count_fds(false) > before);
	assert_int_equal(count_fds(true), inherited);
	output_file_abort(file);
	assert_int_equal(count_fds(false), before);
	assert_int_equal(replace("file", "x"), 0);
	assert_int_equal(count_fds(false), before);
	world.rename_error = EIO;
	assert_int_equal(replace("file", "x"), -EIO);
	assert_int_equal(count_fds(false), before);
}

/* Nothing is renamed that is not on the disk, nor before others may read it. */
static void
order(void **unused)
{
	(void)unused;
	assert_int_equal(replace("file", "x"), 0);
	assert_string_equal(world.calls, "wmfrd");
	assert_int_equal(world.synced, inode_of("."));
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
	assert_contents("file", "in many small pieces, and more");
	assert_entries("file");
}

static void
first_write_error_sticks(void **unused)
{
	struct output_file *file;

	(void)unused;
	make_file("file", "the old");
	world.write_errors[1] = ENOSPC;
	world.write_errors[2] = EIO;
	file = begin("file");
	assert_int_equal(put(file, "one"), 0);
	assert_int_equal(put(file, "two"), -ENOSPC);
	assert_int_equal(put(file, "three"), -ENOSPC);
	assert_int_equal(put(file, ""), -ENOSPC);
	assert_int_equal(world.writes, 2);
	assert_int_equal(output_file_commit(file), -ENOSPC);
	assert_string_equal(world.calls, "ww");
	assert_contents("file", "the old");
	assert_entries("file");
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
	assert_contents("file", "the old");
	assert_entries("file");
}

/* With an old file, and with none. */
static void
assert_fails(int error, const char *calls)
{
	assert_int_equal(replace("file", "the new"), -error);
	assert_string_equal(world.calls, calls);
	assert_entries("");
	make_file("file", "the old");
	assert_int_equal(replace("file", "the new"), -error);
	assert_contents("file", "the old");
	assert_entries("file");
	assert_int_equal(unlink("file"), 0);
	memset(&world, 0, sizeof(world));
}

static void
failures_before_the_rename(void **unused)
{
	(void)unused;
	world.chmod_error = EPERM;
	assert_fails(EPERM, "wm");
	world.file_sync_error = EIO;
	assert_fails(EIO, "wmf");
	world.file_sync_error = EINVAL;
	assert_fails(EINVAL, "wmf");
	world.rename_error = EROFS;
	assert_fails(EROFS, "wmfr");
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

/* The new file is there then; a system that cannot do it at all is no error. */
static void
directory_not_synced(void **unused)
{
	(void)unused;
	make_file("file", "the old");
	world.directory_sync_error = EIO;
	assert_int_equal(replace("file", "the new"), -EIO);
	assert_contents("file", "the new");
	assert_entries("file");
	world.directory_sync_error = EINVAL;
	assert_int_equal(replace("file", "the newest"), 0);
	assert_contents("file", "the newest");
	assert_entries("file");
}

/* Root may write everywhere, so it has to be somebody else. */
static int
replace_as_nobody(const char *path)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct output_file *file;
		int error;

		if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(255);
		error = output_file_open(&file, path);
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
	(void)unused;
	make_file("file", "the old");
	assert_int_equal(chmod("file", 0666), 0);
	assert_int_equal(chmod(".", 0555), 0);
	assert_int_equal(replace_as_nobody("file"), -EACCES);
	assert_int_equal(replace_as_nobody("new"), -EACCES);
	assert_contents("file", "the old");
	assert_entries("file");
	/* Not to be read is not to be synced. */
	assert_int_equal(chmod(".", 0333), 0);
	assert_int_equal(replace_as_nobody("file"), -EACCES);
	assert_int_equal(chmod(".", 0777), 0);
	assert_contents("file", "the old");
	assert_entries("file");
	assert_int_equal(replace_as_nobody("file"), 0);
	assert_contents("file", "");
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

static void
write_version(char letter)
{
	struct output_file *file = begin("file");
	char piece[PIECE];

	memset(piece, letter, sizeof(piece));
	for (int i = 0; i < PIECES; i++)
		assert_int_equal(output_file_write(piece, sizeof(piece), file), 0);
	assert_int_equal(output_file_commit(file), 0);
}

static void
readers_see_it_whole(void **unused)
{
	pid_t child;
	int status;

	(void)unused;
	write_version('a');
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(watch());
	for (int i = 1; i <= 40; i++)
		write_version((char)('a' + i % 26));
	make_file("stop", "");
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_entries("file stop");
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, enter_directory, leave_directory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_file),
		TEST(nothing_written),
		TEST(old_reader),
		TEST(nothing_seen_before_commit),
		TEST(aborted),
		TEST(paths),
		TEST(long_names),
		TEST(long_paths),
		TEST(refused),
		TEST(links),
		TEST(umasks),
		TEST(unknown_umask),
		TEST(descriptors),
		TEST(order),
		TEST(partial_writes),
		TEST(first_write_error_sticks),
		TEST(file_too_large),
		TEST(failures_before_the_rename),
		TEST(late_directory),
		TEST(directory_not_synced),
		TEST(unwritable_directory),
		TEST(readers_see_it_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
