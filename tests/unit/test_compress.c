/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is compressed comes out again, by other means than ours; and what can fail. */
#include "refuse_malloc.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "plugins/export/compress.h"

#define MEGABYTE ((size_t)1 << 20)

static const struct output_compress_how plain = { OUTPUT_PLAIN, 0 };
static const struct output_compress_how gzip_1 = { OUTPUT_GZIP, 1 };
static const struct output_compress_how zstd_1 = { OUTPUT_ZSTD, 1 };
static const struct output_compress_how *const kinds[] = { &plain, &gzip_1, &zstd_1 };

/* Takes what comes out. */
struct sink {
	char *bytes;
	size_t size;
	size_t room;
	size_t calls;
	size_t fail_at; /* from this call on; 0: never */
	size_t most;    /* in one call */
	bool empty;     /* some call had nothing to hand on */
};

static int
take(const char *bytes, size_t size, void *data)
{
	struct sink *sink = data;

	sink->empty |= size == 0;
	if (++sink->calls >= sink->fail_at && sink->fail_at)
		return sink->calls == sink->fail_at ? -ENOSPC : -EIO;
	if (!sink->bytes || size > sink->room - sink->size) {
		sink->room = 2 * (sink->size + size) + 1;
		sink->bytes = realloc(sink->bytes, sink->room);
		assert_non_null(sink->bytes);
	}
	memcpy(sink->bytes + sink->size, bytes, size);
	sink->size += size;
	sink->most = size > sink->most ? size : sink->most;
	return 0;
}

static struct output_compressor *
begin(const struct output_compress_how *how, struct sink *sink)
{
	struct output_compressor *compressor = NULL;

	assert_int_equal(output_compressor_new(&compressor, how, take, sink), 0);
	assert_non_null(compressor);
	return compressor;
}

/* In pieces of random sizes, none of them among them; `most` 0: at once. */
static void
compress_all(const struct output_compress_how *how, const char *bytes, size_t size,
	     uint32_t most, struct sink *sink)
{
	struct output_compressor *compressor = begin(how, sink);

	for (size_t at = 0; at < size;) {
		size_t step = most ? random_below(most + 1) : size;

		step = step < size - at ? step : size - at;
		assert_int_equal(output_compressor_write(bytes + at, step, compressor),
				 0);
		at += step;
	}
	assert_int_equal(output_compressor_end(compressor), 0);
	output_compressor_free(compressor);
	assert_false(how->kind != OUTPUT_PLAIN && sink->empty);
}

/* To exactly `size` bytes, out of one member with its check sum. */
static void
gunzip(const struct sink *sink, char *bytes, size_t size)
{
	z_stream stream = { .next_in = (Bytef *)sink->bytes,
			    .avail_in = (uInt)sink->size,
			    .next_out = (Bytef *)bytes,
			    .avail_out = (uInt)size + 1 };

	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.total_out, size);
	assert_int_equal(stream.avail_in, 0);
	assert_int_equal(inflateEnd(&stream), Z_OK);
}

static void
unzstd(const struct sink *sink, char *bytes, size_t size)
{
	assert_int_equal(ZSTD_findFrameCompressedSize(sink->bytes, sink->size),
			 sink->size);
	assert_int_equal(ZSTD_decompress(bytes, size + 1, sink->bytes, sink->size),
			 size);
}

static void
assert_comes_out(const struct output_compress_how *how, const struct sink *sink,
		 const char *bytes, size_t size)
{
	char *again = malloc(size + 1);

	assert_non_null(again);
	if (how->kind == OUTPUT_GZIP) {
		gunzip(sink, again, size);
	} else if (how->kind == OUTPUT_ZSTD) {
		unzstd(sink, again, size);
	} else {
		assert_int_equal(sink->size, size);
		memcpy(again, sink->bytes ? sink->bytes : "", size);
	}
	assert_memory_equal(again, bytes, size);
	free(again);
}

static void
assert_round_trip(const struct output_compress_how *how, const char *bytes, size_t size,
		  uint32_t most)
{
	struct sink sink = { 0 };

	compress_all(how, bytes, size, most, &sink);
	assert_comes_out(how, &sink, bytes, size);
	free(sink.bytes);
}

/* Lines such as are written, which tell something new now and then. */
static void
fill_with_lines(char *bytes, size_t size)
{
	char line[128];

	for (size_t at = 0; at < size;) {
		size_t length = (size_t)snprintf(
			line, sizeof(line),
			"<flow type=\"new\"><src>10.0.%u.%u</src><sport>%u</sport>\n",
			random_below(256), random_below(256), random_below(65536));

		length = length < size - at ? length : size - at;
		memcpy(bytes + at, line, length);
		at += length;
	}
}

static int
last_level(enum output_compression kind)
{
	return kind == OUTPUT_GZIP ? 9 : kind == OUTPUT_ZSTD ? 19 : 1;
}

/* The high levels take much memory: fewer of these. */
static void
assert_round_trips(const struct output_compress_how *how, const char *lines,
		   const char *random, size_t size)
{
	assert_round_trip(how, lines, size, (uint32_t)size);
	assert_round_trip(how, random, how->level % 2 ? 1 : 0, 1);
	if (how->level > 9 && how->level < 19)
		return;
	assert_round_trip(how, random, how->level % 2 ? 0 : 1, 0);
	assert_round_trip(how, random, size, (uint32_t)size / 2);
	assert_round_trip(how, lines, size / 50, 50);
}

/* How much can be read of what has come out so far. */
static size_t
readable(const struct output_compress_how *how, const struct sink *sink, char *bytes,
	 size_t room)
{
	z_stream stream = { .next_in = (Bytef *)sink->bytes,
			    .avail_in = (uInt)sink->size,
			    .next_out = (Bytef *)bytes,
			    .avail_out = (uInt)room };
	ZSTD_inBuffer in = { .src = sink->bytes, .size = sink->size };
	ZSTD_outBuffer out = { .dst = bytes, .size = room };
	ZSTD_DStream *zstd;

	if (how->kind == OUTPUT_PLAIN) {
		memcpy(bytes, sink->bytes, sink->size);
		return sink->size;
	}
	if (how->kind == OUTPUT_GZIP) {
		assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
		inflate(&stream, Z_SYNC_FLUSH);
		assert_int_equal(inflateEnd(&stream), Z_OK);
		return stream.total_out;
	}
	zstd = ZSTD_createDStream();
	assert_non_null(zstd);
	while (in.pos < in.size)
		assert_false(ZSTD_isError(ZSTD_decompressStream(zstd, &out, &in)));
	ZSTD_freeDStream(zstd);
	return out.pos;
}

/* What was flushed can be read, and what is written on is not hurt by it. */
static void
flushes(void **unused)
{
	enum { SIZE = 400000, STEPS = 12 };
	char *lines = malloc(SIZE), *read = malloc(SIZE + 1);

	(void)unused;
	fill_with_lines(lines, SIZE);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct sink sink = { 0 };
		struct output_compressor *compressor = begin(kinds[i], &sink);
		size_t at = 0;

		for (int step = 0; step < STEPS; step++) {
			size_t size = step % 4 == 0 ? 1 : random_below(SIZE / STEPS);

			assert_int_equal(
				output_compressor_write(lines + at, size, compressor),
				0);
			at += size;
			assert_int_equal(output_compressor_flush(compressor), 0);
			assert_int_equal(readable(kinds[i], &sink, read, SIZE + 1), at);
			assert_memory_equal(read, lines, at);
		}
		assert_int_equal(output_compressor_end(compressor), 0);
		output_compressor_free(compressor);
		assert_comes_out(kinds[i], &sink, lines, at);
		free(sink.bytes);
	}
	free(read);
	free(lines);
}

static void
round_trips(void **unused)
{
	enum { SIZE = 200000 };
	char *random = malloc(SIZE), *lines = malloc(SIZE), *zeros = calloc(1, SIZE);

	(void)unused;
	random_bytes(random, SIZE);
	fill_with_lines(lines, SIZE);
	for (int kind = OUTPUT_PLAIN; kind <= OUTPUT_ZSTD; kind++) {
		for (int level = 1; level <= last_level(kind); level++) {
			const struct output_compress_how how = { kind, level };

			assert_round_trips(&how, lines, random, SIZE);
		}
	}
	assert_round_trip(&plain, zeros, SIZE, 60000);
	assert_round_trip(&gzip_1, zeros, SIZE, 60000);
	assert_round_trip(&zstd_1, zeros, SIZE, 60000);
	free(random);
	free(lines);
	free(zeros);
}

/* To be freed. */
static char *
random_megabyte(void)
{
	char *bytes = malloc(MEGABYTE);

	assert_non_null(bytes);
	random_bytes(bytes, MEGABYTE);
	return bytes;
}

/* Whatever of the buffers' sizes is met. */
static void
sizes_around_the_buffer(void **unused)
{
	enum { ROOM = 300 * 1024 };
	char *random = random_megabyte();

	(void)unused;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		for (size_t size = 131072 - 40; size < 131072 + 10; size++)
			assert_round_trip(kinds[i], random, size, 0);
		for (int j = 0; j < 15; j++)
			assert_round_trip(kinds[i], random, random_below(ROOM),
					  1 + random_below(ROOM));
	}
	free(random);
}

/* A higher level is worth its while, and without one it is the first. */
static void
levels(void **unused)
{
	char *lines = malloc(MEGABYTE);
	static const struct output_compress_how best[] = { { OUTPUT_GZIP, 9 },
							   { OUTPUT_ZSTD, 19 } };
	static const struct output_compress_how *const fast[] = { &gzip_1, &zstd_1 };

	(void)unused;
	fill_with_lines(lines, MEGABYTE);
	for (size_t i = 0; i < COUNT(best); i++) {
		struct sink small = { 0 }, large = { 0 };

		compress_all(&best[i], lines, MEGABYTE, 0, &small);
		compress_all(fast[i], lines, MEGABYTE, 0, &large);
		assert_true(small.size < large.size - large.size / 20);
		assert_true(large.size < MEGABYTE / 3);
		free(small.bytes);
		free(large.bytes);
	}
	free(lines);
}

/* Damage is noticed, by a check sum. */
static void
check_sums(void **unused)
{
	char bytes[1000], again[sizeof(bytes)];
	struct sink sink = { 0 };
	z_stream stream = { .next_out = (Bytef *)again, .avail_out = sizeof(again) };

	(void)unused;
	random_bytes(bytes, sizeof(bytes));
	compress_all(&zstd_1, bytes, sizeof(bytes), 0, &sink);
	sink.bytes[sink.size / 2] ^= 1;
	assert_true(ZSTD_isError(
		ZSTD_decompress(again, sizeof(again), sink.bytes, sink.size)));
	sink.size = 0;
	compress_all(&gzip_1, bytes, sizeof(bytes), 0, &sink);
	sink.bytes[sink.size / 2] ^= 1;
	stream.next_in = (Bytef *)sink.bytes;
	stream.avail_in = (uInt)sink.size;
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_DATA_ERROR);
	inflateEnd(&stream);
	free(sink.bytes);
}

/* What is not compressed is handed on as it comes. */
static void
nothing_is_done(void **unused)
{
	struct sink sink = { 0 };
	struct output_compressor *compressor = begin(&plain, &sink);

	(void)unused;
	assert_int_equal(output_compressor_write("one", 3, compressor), 0);
	assert_int_equal(sink.calls, 1);
	assert_int_equal(sink.size, 3);
	assert_int_equal(output_compressor_write("two", 3, compressor), 0);
	assert_int_equal(output_compressor_end(compressor), 0);
	assert_int_equal(sink.calls, 2);
	assert_memory_equal(sink.bytes, "onetwo", 6);
	output_compressor_free(compressor);
	output_compressor_free(NULL);
	free(sink.bytes);
}

/* The programs, which are stricter than their libraries.  0, or an exit status. */
static int
run_program(const char *program, const char *option, const char *path)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		int nowhere = open("/dev/null", O_RDWR);

		dup2(nowhere, STDOUT_FILENO);
		dup2(nowhere, STDERR_FILENO);
		execlp(program, program, option, path, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
assert_program_takes(const char *program, const struct output_compress_how *how,
		     const char *suffix, const char *bytes, size_t size)
{
	const char *top = getenv("TMPDIR");
	struct sink sink = { 0 };
	char path[PATH_MAX];
	int fd, status;

	compress_all(how, bytes, size, 5000, &sink);
	snprintf(path, sizeof(path), "%s/conntap-compress.XXXXXX%s", top ? top : "/tmp",
		 suffix);
	fd = mkstemps(path, (int)strlen(suffix));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, sink.bytes, sink.size), sink.size);
	close(fd);
	status = run_program(program, "-t", path);
	unlink(path);
	free(sink.bytes);
	if (status == 127)
		print_message("# there is no %s here\n", program);
	else
		assert_int_equal(status, 0);
}

static void
programs(void **unused)
{
	enum { SIZE = 300000 };
	char *lines = malloc(SIZE);

	(void)unused;
	fill_with_lines(lines, SIZE);
	for (size_t size = 0; size <= SIZE; size += SIZE / 2) {
		assert_program_takes("gzip", &gzip_1, ".gz", lines, size);
		assert_program_takes("zstd", &zstd_1, ".zst", lines, size);
	}
	free(lines);
}

/* Returns the first error; nothing else is asked to take anything then. */
static int
compress_into(const struct output_compress_how *how, const char *bytes, size_t size,
	      struct sink *sink)
{
	struct output_compressor *compressor = begin(how, sink);
	int error = 0;

	for (int part = 0; part < 4 && !error; part++)
		error = output_compressor_write(bytes, size / 4, compressor);
	if (!error)
		error = output_compressor_end(compressor);
	output_compressor_free(compressor);
	return error;
}

/* At whichever of the calls. */
static void
errors_come_back(void **unused)
{
	char *random = random_megabyte();

	(void)unused;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		size_t fail_at = 1;
		int error = -ENOSPC;

		for (; error; fail_at++) {
			struct sink sink = { .fail_at = fail_at };

			error = compress_into(kinds[i], random, MEGABYTE, &sink);
			assert_int_equal(error, sink.calls < fail_at ? 0 : -ENOSPC);
			assert_true(sink.calls <= fail_at);
			free(sink.bytes);
		}
		assert_true(fail_at > 5);
	}
	free(random);
}

/* They can be left at any moment. */
static void
left_alone(void **unused)
{
	char *random = random_megabyte();

	(void)unused;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct sink sink = { 0 };

		output_compressor_free(begin(kinds[i], &sink));
		assert_int_equal(sink.calls, 0);
		for (size_t size = 1; size <= MEGABYTE; size *= 32) {
			struct output_compressor *compressor = begin(kinds[i], &sink);

			assert_int_equal(
				output_compressor_write(random, size, compressor), 0);
			output_compressor_free(compressor);
		}
		free(sink.bytes);
	}
	free(random);
}

/* As much as of a small one: nothing is asked for on the way. */
static void
huge(void **unused)
{
	static const struct output_compress_how hows[] = { { OUTPUT_GZIP, 1 },
							   { OUTPUT_ZSTD, 1 } };
	char *zeros = calloc(1, MEGABYTE);

	(void)unused;
	for (size_t i = 0; i < COUNT(hows); i++) {
		struct sink sink = { .bytes = malloc(MEGABYTE), .room = MEGABYTE };
		struct output_compressor *compressor = begin(&hows[i], &sink);
		size_t before = 0;

		for (int j = 0; j < 100; j++) {
			assert_int_equal(
				output_compressor_write(zeros, MEGABYTE, compressor),
				0);
			if (j == 1)
				before = allocations;
		}
		assert_int_equal(output_compressor_end(compressor), 0);
		assert_int_equal(allocations, before);
		assert_in_range(sink.size, 100, MEGABYTE);
		assert_true(sink.most <= 131072);
		output_compressor_free(compressor);
		free(sink.bytes);
	}
	free(zeros);
}

/* Whichever of the allocations it is that fails. */
static int
compress_with(const struct output_compress_how *how, size_t granted, struct sink *sink)
{
	struct output_compressor *compressor = (void *)sink;
	int error;

	refused_from = allocations + granted;
	error = output_compressor_new(&compressor, how, take, sink);
	if (error) {
		refused_from = SIZE_MAX;
		assert_null(compressor);
		return error;
	}
	error = output_compressor_write("text", 4, compressor);
	if (!error)
		error = output_compressor_end(compressor);
	refused_from = SIZE_MAX;
	output_compressor_free(compressor);
	return error;
}

static void
no_memory(void **unused)
{
	static const struct output_compress_how hows[] = { { OUTPUT_PLAIN, 0 },
							   { OUTPUT_GZIP, 1 },
							   { OUTPUT_GZIP, 9 },
							   { OUTPUT_ZSTD, 1 },
							   { OUTPUT_ZSTD, 19 } };

	(void)unused;
	for (size_t i = 0; i < COUNT(hows); i++) {
		size_t granted = 0;
		int error = -ENOMEM;

		for (; error; granted++) {
			struct sink sink = { .bytes = realloc(NULL, 1000),
					     .room = 1000 };

			error = compress_with(&hows[i], granted, &sink);
			if (error)
				assert_int_equal(error, -ENOMEM);
			else
				assert_comes_out(&hows[i], &sink, "text", 4);
			free(sink.bytes);
			assert_in_range(granted, 0, 50);
		}
		/* At least this one, and the libraries' own. */
		assert_true(granted > (hows[i].kind == OUTPUT_PLAIN ? 1 : 2));
	}
}

static void
assert_parsed(const char *word, enum output_compression kind, int level)
{
	struct output_compress_how how = { OUTPUT_ZSTD, 77 };
	struct ct_why why = { "" };

	if (output_compress_parse(word, &how, &why) != 0)
		fail_msg("%s: %s", word, why.text);
	assert_int_equal(how.kind, kind);
	assert_int_equal(how.level, level);
}

static void
good_words(void **unused)
{
	char word[32];

	(void)unused;
	assert_parsed("none", OUTPUT_PLAIN, 0);
	assert_parsed("gzip", OUTPUT_GZIP, 1);
	assert_parsed("zstd", OUTPUT_ZSTD, 1);
	assert_parsed("GZIP", OUTPUT_GZIP, 1);
	assert_parsed("Zstd:0x10", OUTPUT_ZSTD, 16);
	for (int level = 1; level <= 19; level++) {
		snprintf(word, sizeof(word), "zstd:%d", level);
		assert_parsed(word, OUTPUT_ZSTD, level);
		snprintf(word, sizeof(word), "gzip:%d", level);
		if (level <= 9)
			assert_parsed(word, OUTPUT_GZIP, level);
	}
}

static void
assert_wrong(const char *word, const char *expected)
{
	struct output_compress_how how;
	struct ct_why why = { "" };

	assert_int_equal(output_compress_parse(word, &how, &why), -EINVAL);
	assert_string_equal(why.text, expected);
}

#define FORMS " is no compression (gzip, zstd, none; gzip:9, zstd:19)"

static void
wrong_words(void **unused)
{
	char word[200], expected[300];

	(void)unused;
	assert_wrong("", FORMS);
	assert_wrong(":", ":" FORMS);
	assert_wrong(":1", ":1" FORMS);
	assert_wrong("xz", "xz" FORMS);
	assert_wrong("gz", "gz" FORMS);
	assert_wrong("gzi", "gzi" FORMS);
	assert_wrong("gzip ", "gzip " FORMS);
	assert_wrong(" gzip", " gzip" FORMS);
	assert_wrong("gzip9", "gzip9" FORMS);
	assert_wrong("gzip,9", "gzip,9" FORMS);
	assert_wrong("gzipx:9", "gzipx:9" FORMS);
	assert_wrong("gzip:", " is not a level (0-9)");
	assert_wrong("gzip:0", "gzip:0: a level is 1 to 9");
	assert_wrong("gzip:10", "10 is not a level (0-9)");
	assert_wrong("gzip:-1", "-1 is not a level (0-9)");
	assert_wrong("gzip:fast", "fast is not a level (0-9)");
	assert_wrong("gzip:9:9", "9:9 is not a level (0-9)");
	assert_wrong("gzip:9 ", "9  is not a level (0-9)");
	assert_wrong("zstd:", " is not a level (0-19)");
	assert_wrong("zstd:0", "zstd:0: a level is 1 to 19");
	assert_wrong("zstd:20", "20 is not a level (0-19)");
	assert_wrong("zstd:4294967297", "4294967297 is not a level (0-19)");
	assert_wrong("zstd:18446744073709551617",
		     "18446744073709551617 is not a level (0-19)");
	assert_wrong("none:", "none:: none has no levels");
	assert_wrong("none:0", "none:0: none has no levels");
	assert_wrong("none:1", "none:1: none has no levels");
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	snprintf(expected, sizeof(expected), "%.100s" FORMS, word);
	assert_wrong(word, expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_words),
		cmocka_unit_test(wrong_words),
		cmocka_unit_test(nothing_is_done),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(flushes),
		cmocka_unit_test(sizes_around_the_buffer),
		cmocka_unit_test(levels),
		cmocka_unit_test(check_sums),
		cmocka_unit_test(programs),
		cmocka_unit_test(errors_come_back),
		cmocka_unit_test(left_alone),
		cmocka_unit_test(huge),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
