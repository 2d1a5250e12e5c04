/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All the stages together, in all their combinations. */
#include "refuse_malloc.h"
#include "support_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "plugins/export/sink.h"

#define LARGE ((size_t)2 << 20)
#define PATIENCE 100 /* seconds, for all */

/* What goes wrong, instead of the C library's. */
static size_t write_most; /* bytes at once; 0: all */
static size_t interrupts; /* of so many writes */

ssize_t
write(int fd, const void *bytes, size_t size)
{
	if (interrupts > 0) {
		interrupts--;
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_write, fd, bytes,
		       write_most && size > write_most ? write_most : size);
}

static unsigned int first_fds;
static char *contents; /* large, hard to compress, the same for all */

static int
enter(void **unused)
{
	(void)unused;
	if (!contents) {
		contents = malloc(LARGE);
		random_bytes(contents, LARGE);
		fflush(stdout);
	}
	first_fds = count_fds(false);
	return enter_directory("sink");
}

static int
leave(void **unused)
{
	(void)unused;
	leave_directory();
	assert_int_equal(count_fds(false), first_fds);
	return 0;
}

static char *
read_file(const char *name, size_t *size)
{
	int fd = open(name, O_RDONLY);
	struct stat status;
	char *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	*size = (size_t)status.st_size;
	bytes = malloc(*size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *size + 1), *size);
	close(fd);
	return bytes;
}

static void
assert_text(const char *name, const char *expected)
{
	size_t size;
	char *bytes = read_file(name, &size);

	assert_int_equal(size, strlen(expected));
	assert_memory_equal(bytes, expected, size);
	free(bytes);
}

static size_t
gunzip(char *bytes, size_t size, char *out, size_t room)
{
	z_stream stream = { .next_in = (Bytef *)bytes,
			    .avail_in = (uInt)size,
			    .next_out = (Bytef *)out,
			    .avail_out = (uInt)room };

	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.avail_in, 0);
	inflateEnd(&stream);
	return stream.total_out;
}

/* The file has the first `size` of the contents. */
static void
assert_file(const char *name, enum output_compression kind, size_t size)
{
	size_t length;
	char *bytes = read_file(name, &length), *out = malloc(size + 1);

	assert_non_null(out);
	if (kind == OUTPUT_GZIP) {
		length = gunzip(bytes, length, out, size + 1);
	} else if (kind == OUTPUT_ZSTD) {
		length = ZSTD_decompress(out, size + 1, bytes, length);
	} else {
		assert_true(length <= size);
		memcpy(out, bytes, length);
	}
	assert_int_equal(length, size);
	assert_memory_equal(out, contents, size);
	free(out);
	free(bytes);
}

/* Of the two or three things to be chosen, all combinations. */
static const struct output_sink_how ways[] = {
	{ .path = "file", .compress = { OUTPUT_PLAIN, 0 } },
	{ .path = "file", .compress = { OUTPUT_PLAIN, 0 }, .prompt = true },
	{ .path = "file", .compress = { OUTPUT_GZIP, 1 } },
	{ .path = "file", .compress = { OUTPUT_GZIP, 1 }, .prompt = true },
	{ .path = "file", .compress = { OUTPUT_ZSTD, 1 } },
	{ .path = "file", .compress = { OUTPUT_ZSTD, 1 }, .prompt = true },
	{ .path = NULL, .compress = { OUTPUT_PLAIN, 0 } },
	{ .path = NULL, .compress = { OUTPUT_PLAIN, 0 }, .prompt = true },
	{ .path = NULL, .compress = { OUTPUT_GZIP, 1 } },
	{ .path = NULL, .compress = { OUTPUT_GZIP, 1 }, .prompt = true },
	{ .path = NULL, .compress = { OUTPUT_ZSTD, 1 } },
	{ .path = NULL, .compress = { OUTPUT_ZSTD, 1 }, .prompt = true },
};

static struct output_sink_how
way(size_t i)
{
	struct output_sink_how how = ways[i];

	how.file = OUTPUT_FILE_USUAL;
	return how;
}

/* stdout goes there until restore_stdout(). */
static int real_stdout = -1;

static void
redirect_stdout(int fd)
{
	assert_true(fd >= 0);
	fflush(stdout);
	real_stdout = dup(STDOUT_FILENO);
	assert_true(real_stdout >= 0);
	assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	close(fd);
}

static void
restore_stdout(void)
{
	dup2(real_stdout, STDOUT_FILENO);
	close(real_stdout);
}

static int
open_stdout(const struct output_sink_how *how, struct output_sink **sink)
{
	if (!how->path)
		redirect_stdout(open("file", O_CREAT | O_TRUNC | O_WRONLY, 0644));
	return output_sink_open(sink, how);
}

static void
put(struct output_sink *sink, size_t from, size_t size)
{
	struct ct_text *text = output_sink_text(sink);

	for (size_t step; size > 0; from += step, size -= step) {
		step = 1 + random_below(100000);
		step = step < size ? step : size;
		ct_text_bytes(text, contents + from, step);
	}
}

static void
all_ways(void **unused)
{
	static const size_t sizes[] = { 0, 1, 10, 131071, 131072, 131073, LARGE };

	(void)unused;
	for (size_t i = 0; i < COUNT(ways); i++) {
		for (size_t j = 0; j < COUNT(sizes); j++) {
			struct output_sink_how how = way(i);
			struct output_sink *sink;
			int opened = open_stdout(&how, &sink), committed = -1;

			if (!opened) {
				put(sink, 0, sizes[j]);
				committed = output_sink_commit(sink);
			}
			if (!how.path)
				restore_stdout();
			assert_int_equal(opened, 0);
			assert_int_equal(committed, 0);
			assert_file("file", how.compress.kind, sizes[j]);
			assert_entries("file");
			assert_int_equal(count_fds(false), first_fds);
		}
	}
}

/* In whatever bits the kernel takes it. */
static void
partial_writes(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct output_sink_how how = way(i);
		struct output_sink *sink;
		int opened = open_stdout(&how, &sink), committed = -1;

		if (!opened) {
			write_most = 1000;
			interrupts = 3;
			put(sink, 0, 300000);
			committed = output_sink_commit(sink);
			write_most = 0;
		}
		if (!how.path)
			restore_stdout();
		assert_int_equal(opened, 0);
		assert_int_equal(committed, 0);
		assert_file("file", how.compress.kind, 300000);
		assert_int_equal(interrupts, 0);
	}
}

/* There is nothing of it, of the file or on stdout, unless it was much. */
static void
aborted(void **unused)
{
	(void)unused;
	output_sink_abort(NULL);
	for (size_t i = 0; i < COUNT(ways); i++) {
		for (int large = 0; large < 2; large++) {
			struct output_sink_how how = way(i);
			struct output_sink *sink;
			int opened;

			make_file("file", how.path ? "the old" : "");
			opened = open_stdout(&how, &sink);
			if (!opened) {
				put(sink, 0, large ? LARGE : 5000);
				output_sink_abort(sink);
			}
			if (!how.path)
				restore_stdout();
			assert_int_equal(opened, 0);
			if (how.path || !large)
				assert_text("file", how.path ? "the old" : "");
			assert_entries("file");
			assert_int_equal(count_fds(false), first_fds);
			if (!how.path)
				continue;
			assert_int_equal(unlink("file"), 0);
			assert_int_equal(output_sink_open(&sink, &how), 0);
			put(sink, 0, large ? LARGE : 5000);
			output_sink_abort(sink);
			assert_entries("");
		}
	}
}

/* Into a stdout that takes nothing: the error of writing, and of the end. */
static void
assert_stdout_fails(int fd, size_t i, size_t size, int expected)
{
	struct output_sink_how how = way(i);
	struct output_sink *sink;
	int opened, error = 0, committed = 0;

	redirect_stdout(fd);
	opened = output_sink_open(&sink, &how);
	if (!opened) {
		put(sink, 0, size);
		error = output_sink_text(sink)->error;
		committed = output_sink_commit(sink);
	}
	restore_stdout();
	assert_int_equal(opened, 0);
	assert_int_equal(committed, expected);
	/* Not after the end only, where there is more than all buffers hold. */
	assert_int_equal(error, size == LARGE ? expected : 0);
	assert_int_equal(count_fds(false), first_fds);
}

static void
full_stdout(void **unused)
{
	(void)unused;
	if (access("/dev/full", W_OK) < 0) {
		print_message("# there is no /dev/full\n");
		return;
	}
	for (size_t i = COUNT(ways) / 2; i < COUNT(ways); i++) {
		assert_stdout_fails(open("/dev/full", O_WRONLY), i, LARGE, -ENOSPC);
		assert_stdout_fails(open("/dev/full", O_WRONLY), i, 100, -ENOSPC);
	}
	assert_entries("");
}

static int
unread_pipe(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	return ends[1];
}

static void
broken_stdout(void **unused)
{
	(void)unused;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = COUNT(ways) / 2; i < COUNT(ways); i++) {
		assert_stdout_fails(unread_pipe(), i, LARGE, -EPIPE);
		assert_stdout_fails(unread_pipe(), i, 100, -EPIPE);
		assert_stdout_fails(open("/dev/null", O_RDONLY), i, LARGE, -EBADF);
	}
	signal(SIGPIPE, SIG_DFL);
	assert_entries("");
}

/* A disk of our own, if that may be; the test stands in it then. */
static bool
enter_disk(const char *options)
{
	return cover(directory, options) && chdir(directory) == 0;
}

static void
leave_disk(void)
{
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(umount(directory), 0);
	assert_int_equal(chdir(directory), 0);
}

static void
full_disk(void **unused)
{
	(void)unused;
	if (!enter_disk("size=300k"))
		return;
	make_file("file", "the old");
	for (size_t i = 0; i < COUNT(ways) / 2; i++) {
		struct output_sink_how how = way(i);
		struct output_sink *sink;

		assert_int_equal(output_sink_open(&sink, &how), 0);
		put(sink, 0, LARGE);
		assert_int_equal(output_sink_text(sink)->error, -ENOSPC);
		assert_int_equal(output_sink_commit(sink), -ENOSPC);
		assert_text("file", "the old");
		assert_entries("file");
		/* It is noticed at the end only. */
		assert_int_equal(output_sink_open(&sink, &how), 0);
		put(sink, 0, 350000);
		assert_int_equal(output_sink_commit(sink), -ENOSPC);
		assert_text("file", "the old");
		assert_entries("file");
		/* All of it is free again. */
		assert_int_equal(output_sink_open(&sink, &how), 0);
		put(sink, 0, 200000);
		assert_int_equal(output_sink_commit(sink), 0);
		assert_file("file", how.compress.kind, 200000);
		assert_entries("file");
		make_file("file", "the old");
		assert_int_equal(count_fds(false), first_fds);
	}
	leave_disk();
}

static void
no_inodes(void **unused)
{
	(void)unused;
	if (!enter_disk("nr_inodes=2"))
		return;
	make_file("file", "the old");
	for (size_t i = 0; i < COUNT(ways) / 2; i++) {
		struct output_sink_how how = way(i);
		struct output_sink *sink = (void *)&how;

		assert_int_equal(output_sink_open(&sink, &how), -ENOSPC);
		assert_null(sink);
		assert_text("file", "the old");
		assert_entries("file");
	}
	leave_disk();
}

static void
refused_paths(void **unused)
{
	static const struct {
		const char *path;
		int error;
	} cases[] = {
		{ "", -ENOENT },           { "none/file", -ENOENT },
		{ ".", -EISDIR },          { "dir/", -EISDIR },
		{ "link", -ELOOP },        { "/dev/null", -ENOTSUP },
		{ "link/file", -ENOTDIR },
	};

	(void)unused;
	make_file("target", "the old");
	assert_int_equal(symlink("target", "link"), 0);
	for (size_t i = 0; i < COUNT(ways) / 2; i++) {
		for (size_t j = 0; j < COUNT(cases); j++) {
			struct output_sink_how how = way(i);
			struct output_sink *sink = (void *)&how;

			how.path = cases[j].path;
			assert_int_equal(output_sink_open(&sink, &how), cases[j].error);
			assert_null(sink);
		}
	}
	assert_text("target", "the old");
	assert_entries("link target");
}

/* Whichever of the allocations it is that fails, on the way or at the end. */
static void
no_memory(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct output_sink_how how = way(i);
		int opened = -1, committed = -1;

		for (size_t granted = 0; opened || committed; granted++) {
			struct output_sink *sink = (void *)&how;

			make_file("file", "the old");
			if (!how.path)
				redirect_stdout(open("file", O_TRUNC | O_WRONLY));
			refused_from = allocations + granted;
			opened = output_sink_open(&sink, &how);
			if (!opened) {
				ct_text_bytes(output_sink_text(sink), contents, 1000);
				committed = output_sink_commit(sink);
			}
			refused_from = SIZE_MAX;
			if (!how.path)
				restore_stdout();
			if (opened) {
				assert_null(sink);
				assert_true(opened == -ENOMEM || opened == -EAGAIN);
			} else if (committed) {
				assert_int_equal(committed, -ENOMEM);
			}
			if (opened || committed)
				assert_text("file", how.path ? "the old" : "");
			assert_entries("file");
			assert_int_equal(count_fds(false), first_fds);
			assert_in_range(granted, 0, 100);
		}
		assert_file("file", how.compress.kind, 1000);
	}
}

static unsigned int
count_threads(void)
{
	struct dirent **entries;
	int count = scandir("/proc/self/task", &entries, NULL, NULL);

	assert_true(count > 2);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return (unsigned int)count - 2; /* neither "." nor ".." */
}

/* Who watches sees it at once; and there is a thread only where it is wanted. */
static void
prompt(void **unused)
{
	struct output_sink_how how = { .prompt = true };
	struct output_sink *sink;
	unsigned int threads = count_threads();
	int error = 0;

	(void)unused;
	redirect_stdout(open("file", O_CREAT | O_WRONLY, 0644));
	error |= output_sink_open(&sink, &how);
	ct_text_str(output_sink_text(sink), "one\n");
	error |= ct_text_flush(output_sink_text(sink));
	restore_stdout();
	assert_int_equal(error, 0);
	assert_text("file", "one\n");
	assert_int_equal(count_threads(), threads);
	redirect_stdout(open("file", O_APPEND | O_WRONLY));
	ct_text_str(output_sink_text(sink), "two\n");
	error |= output_sink_commit(sink);
	restore_stdout();
	assert_int_equal(error, 0);
	assert_text("file", "one\ntwo\n");
	how.prompt = false;
	assert_int_equal(output_sink_open(&sink, &how), 0);
	assert_int_equal(count_threads(), threads + 1);
	output_sink_abort(sink);
	assert_int_equal(count_threads(), threads);
}

static void
mode(void **unused)
{
	struct stat status;

	(void)unused;
	for (size_t i = 0; i < COUNT(ways) / 2; i++) {
		struct output_sink_how how = way(i);
		struct output_sink *sink;

		how.file.mode = 0604;
		if (geteuid() == 0)
			how.file.group = 1234;
		assert_int_equal(output_sink_open(&sink, &how), 0);
		assert_int_equal(output_sink_commit(sink), 0);
		assert_int_equal(lstat("file", &status), 0);
		assert_int_equal(status.st_mode, S_IFREG | 0604);
		if (geteuid() == 0)
			assert_int_equal(status.st_gid, 1234);
	}
}

/* The file's own failures, at the very end. */
static void
late_directory(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < COUNT(ways) / 2; i++) {
		struct output_sink_how how = way(i);
		struct output_sink *sink;

		assert_int_equal(output_sink_open(&sink, &how), 0);
		put(sink, 0, 5000);
		assert_int_equal(mkdir("file", 0755), 0);
		assert_int_equal(output_sink_commit(sink), -EISDIR);
		assert_entries("file");
		assert_int_equal(rmdir("file"), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_ways),    TEST(partial_writes), TEST(aborted),
		TEST(full_stdout), TEST(broken_stdout),  TEST(full_disk),
		TEST(no_inodes),   TEST(refused_paths),  TEST(no_memory),
		TEST(prompt),      TEST(mode),           TEST(late_directory),
	};
	int failed;

	/* Rather than wait for ever. */
	alarm(PATIENCE);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(contents);
	return failed;
}
