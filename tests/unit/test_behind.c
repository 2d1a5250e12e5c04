/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread that writes behind: nothing is lost, and nobody waits for nothing. */
#include "refuse_malloc.h"
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plugins/export/behind.h"

#define SLOTS 4
#define SLOT ((size_t)128 * 1024)
#define PATIENCE 100 /* seconds, for all */

/* What is at each place of all that is written. */
static char
byte_at(uint64_t place)
{
	uint64_t z = place * UINT64_C(0x9e3779b97f4a7c15);

	return (char)(z >> 56 ^ z >> 32);
}

static void
fill(char *bytes, size_t size, uint64_t place)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(place + i);
}

/* Takes it in the other thread, where nothing can be asserted. */
struct sink {
	atomic_size_t size;
	atomic_size_t calls;
	atomic_size_t wrong; /* bytes */
	atomic_bool inside;
	size_t fail_at; /* this call, and what comes after; 0: none */
	bool waits;     /* each call, for `go` */
	bool yields;
	sem_t go;
};

static int
take(const char *bytes, size_t size, void *data)
{
	struct sink *sink = data;
	size_t calls = ++sink->calls;

	sink->inside = true;
	if (sink->waits)
		sem_wait(&sink->go);
	if (sink->yields && calls % 2)
		usleep(50);
	if (sink->fail_at && calls >= sink->fail_at) {
		sink->inside = false;
		return calls == sink->fail_at ? -ENOSPC : -EIO;
	}
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != byte_at(sink->size + i))
			sink->wrong++;
	sink->size += size;
	sink->inside = false;
	return 0;
}

static struct output_behind *
begin(struct sink *sink)
{
	struct output_behind *behind = NULL;

	assert_int_equal(sem_init(&sink->go, 0, 0), 0);
	assert_int_equal(output_behind_new(&behind, take, sink), 0);
	assert_non_null(behind);
	return behind;
}

/* So many bytes, from `place` on, in pieces of up to `most`. */
static void
put(struct output_behind *behind, uint64_t place, size_t size, size_t most)
{
	struct ct_text *text = output_behind_text(behind);
	static char piece[3 * SLOT];

	while (size > 0) {
		size_t step = 1 + random_below((uint32_t)most);

		step = step < size ? step : size;
		fill(piece, step, place);
		ct_text_bytes(text, piece, step);
		place += step;
		size -= step;
	}
}

static void
assert_taken(const struct sink *sink, size_t size)
{
	assert_int_equal(sink->size, size);
	assert_int_equal(sink->wrong, 0);
}

/* Until the thread, of this process, sleeps: several looks in turn find it so. */
static void
wait_until_asleep(pid_t thread)
{
	char path[64], line[512];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
	for (int seen = 0; seen < 5; usleep(2000)) {
		FILE *stream = fopen(path, "r");
		const char *state;

		if (!stream)
			return;
		state = fgets(line, sizeof(line), stream) ? strrchr(line, ')') : NULL;
		seen = state && strncmp(state, ") S", 3) == 0 ? seen + 1 : 0;
		fclose(stream);
	}
}

static pid_t
own_id(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static void
everything_arrives(void **unused)
{
	static const size_t most[] = {
		1, 100, 5000, SLOT - 1, SLOT, SLOT + 1, 3 * SLOT
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(most); i++) {
		struct sink sink = { .yields = i % 2 };
		struct output_behind *behind = begin(&sink);
		size_t size = most[i] < 100 ? 2 * SLOT : 9 * SLOT;

		size += random_below(SLOT);
		put(behind, 0, size, most[i]);
		assert_int_equal(output_behind_flush(behind), 0);
		assert_taken(&sink, size);
		assert_int_equal(sink.calls, (size + SLOT - 1) / SLOT);
		output_behind_free(behind);
	}
}

static void
whole_slots(void **unused)
{
	(void)unused;
	for (size_t slots = 0; slots <= 2 * SLOTS; slots++) {
		for (size_t more = 0; more < 3; more++) {
			struct sink sink = { .size = 0 };
			struct output_behind *behind = begin(&sink);
			size_t size = slots * SLOT + more;

			size -= size > 0;
			put(behind, 0, size, SLOT / 2);
			assert_int_equal(output_behind_flush(behind), 0);
			assert_taken(&sink, size);
			assert_int_equal(sink.calls, (size + SLOT - 1) / SLOT);
			output_behind_free(behind);
		}
	}
}

/* Short puts of all kinds, the same as in one large buffer. */
struct copy {
	const char *expected;
	size_t size;
	atomic_bool wrong;
};

static int
compare(const char *bytes, size_t size, void *data)
{
	struct copy *copy = data;

	if (memcmp(bytes, copy->expected + copy->size, size) != 0)
		copy->wrong = true;
	copy->size += size;
	return 0;
}

static void
mixed_text(void **unused)
{
	static char buffer[6 * SLOT];
	struct copy copy = { .expected = buffer };
	struct output_behind *behind;
	struct ct_text all;

	(void)unused;
	assert_int_equal(output_behind_new(&behind, compare, &copy), 0);
	ct_text_init(&all, buffer, sizeof(buffer), NULL, NULL);
	while ((size_t)(all.end - all.at) > CT_TEXT_MIN) {
		struct ct_text *texts[] = { &all, output_behind_text(behind) };
		uint64_t number = random_u64() >> random_below(64);
		uint32_t kind = random_below(5);

		for (size_t i = 0; i < COUNT(texts); i++) {
			if (kind == 0)
				ct_text_u64(texts[i], number);
			else if (kind == 1)
				ct_text_str(texts[i], "<a literal of some length/>\n");
			else if (kind == 2)
				ct_text_xml(texts[i], "a<b>&\"c\" and so on");
			else if (kind == 3)
				ct_text_char(texts[i], 'x');
			else
				ct_text_printf(texts[i], "%0*d", (int)(number % 400),
					       1);
		}
	}
	assert_int_equal(output_behind_flush(behind), 0);
	assert_int_equal(copy.size, all.at - all.start);
	assert_false(copy.wrong);
	output_behind_free(behind);
}

static void
nothing_written(void **unused)
{
	struct sink sink = { .size = 0 };
	struct output_behind *behind = begin(&sink);

	(void)unused;
	assert_int_equal(output_behind_flush(behind), 0);
	assert_int_equal(output_behind_flush(behind), 0);
	output_behind_free(behind);
	output_behind_free(begin(&sink));
	output_behind_free(NULL);
	assert_int_equal(sink.calls, 0);
}

/* After each of them all has arrived, whatever has been written before. */
static void
flushes(void **unused)
{
	struct sink sink = { .yields = true };
	struct output_behind *behind = begin(&sink);
	size_t size = 0;

	(void)unused;
	for (int i = 0; i < 60; i++) {
		size_t step = random_below(i % 3 ? 1000 : 6 * SLOT);

		put(behind, size, step, 50000);
		size += step;
		assert_int_equal(output_behind_flush(behind), 0);
		assert_taken(&sink, size);
		assert_false(sink.inside);
	}
	output_behind_free(behind);
}

/* Another thread of the test's: writes, or flushes. */
struct writer {
	struct output_behind *behind;
	size_t size;
	bool flushes;
	int error;
	atomic_size_t written;
	atomic_int id;
	atomic_bool done;
	pthread_t thread;
};

static void *
write_much(void *data)
{
	struct writer *writer = data;
	struct ct_text *text = output_behind_text(writer->behind);
	char piece[1024];

	writer->id = own_id();
	while (writer->written < writer->size && !text->error) {
		fill(piece, sizeof(piece), writer->written);
		ct_text_bytes(text, piece, sizeof(piece));
		writer->written += sizeof(piece);
	}
	writer->error = text->error;
	if (writer->flushes)
		writer->error = output_behind_flush(writer->behind);
	writer->done = true;
	return NULL;
}

/* Returns when it can write no more, and the thread behind it has something to do. */
static void
start_writing(struct writer *writer, const struct sink *sink)
{
	assert_int_equal(pthread_create(&writer->thread, NULL, write_much, writer), 0);
	while (!writer->id || !sink->inside)
		usleep(100);
	wait_until_asleep(writer->id);
}

/* Who writes comes no further ahead than the buffers go, and then goes on. */
static void
slow_next(void **unused)
{
	struct sink sink = { .waits = true };
	struct writer writer = { .behind = begin(&sink), .size = 12 * SLOT };

	(void)unused;
	start_writing(&writer, &sink);
	assert_false(writer.done);
	assert_int_equal(sink.calls, 1);
	assert_in_range(writer.written, SLOTS * SLOT - 1024, SLOTS * SLOT);
	for (size_t given = 1; given <= 3; given++) {
		sem_post(&sink.go);
		while (sink.calls < 1 + given)
			usleep(100);
		wait_until_asleep(writer.id);
		assert_false(writer.done);
		assert_in_range(writer.written, (SLOTS + given) * SLOT - 1024,
				(SLOTS + given) * SLOT);
	}
	for (int i = 0; i < 12; i++)
		sem_post(&sink.go);
	assert_int_equal(pthread_join(writer.thread, NULL), 0);
	assert_int_equal(output_behind_flush(writer.behind), 0);
	assert_taken(&sink, 12 * SLOT);
	output_behind_free(writer.behind);
}

/* It is a flush when the last one is through. */
static void
flush_waits(void **unused)
{
	struct sink sink = { .waits = true };
	struct writer writer = { .behind = begin(&sink),
				 .size = 2 * SLOT + 1024,
				 .flushes = true };

	(void)unused;
	start_writing(&writer, &sink);
	for (size_t call = 1; call <= 3; call++) {
		while (sink.calls < call)
			usleep(100);
		wait_until_asleep(writer.id);
		assert_false(writer.done);
		sem_post(&sink.go);
	}
	assert_int_equal(pthread_join(writer.thread, NULL), 0);
	assert_int_equal(writer.error, 0);
	assert_taken(&sink, writer.size);
	output_behind_free(writer.behind);
}

/* The first one is what it stays, `next` is not called any more, and soon nothing is
 * written any more. */
static void
errors(void **unused)
{
	(void)unused;
	for (size_t fail_at = 1; fail_at <= 7; fail_at++) {
		struct sink sink = { .fail_at = fail_at };
		struct output_behind *behind = begin(&sink);
		struct ct_text *text = output_behind_text(behind);
		size_t written = 0;
		const char *at;

		while (!text->error) {
			put(behind, written, 1000, 1000);
			written += 1000;
			assert_true(written <= (fail_at + SLOTS) * SLOT + 1000);
		}
		assert_int_equal(text->error, -ENOSPC);
		at = text->at;
		put(behind, written, 20 * SLOT, SLOT);
		ct_text_u64(text, 7);
		assert_ptr_equal(text->at, at);
		assert_int_equal(output_behind_flush(behind), -ENOSPC);
		assert_int_equal(output_behind_flush(behind), -ENOSPC);
		assert_int_equal(sink.calls, fail_at);
		assert_taken(&sink, (fail_at - 1) * SLOT);
		output_behind_free(behind);
	}
}

/* There is nothing more to be written when it comes. */
static void
last_error(void **unused)
{
	(void)unused;
	for (size_t fail_at = 1; fail_at <= 4; fail_at++) {
		struct sink sink = { .fail_at = fail_at };
		struct output_behind *behind = begin(&sink);

		put(behind, 0, 3 * SLOT + 5, 5000);
		assert_int_equal(output_behind_flush(behind), -ENOSPC);
		assert_int_equal(output_behind_flush(behind), -ENOSPC);
		assert_int_equal(sink.calls, fail_at);
		output_behind_free(behind);
	}
}

static void
freed_after_error(void **unused)
{
	(void)unused;
	for (size_t slots = 1; slots < 10; slots++) {
		struct sink sink = { .fail_at = 1 };
		struct output_behind *behind = begin(&sink);

		put(behind, 0, slots * SLOT + 1, 5000);
		output_behind_free(behind);
		assert_true(sink.calls <= 1);
		assert_false(sink.inside);
	}
}

/* As soon as the main thread waits for the other one. */
struct release {
	struct sink *sink;
	pid_t id;
	bool was_inside;
};

static void *
release_later(void *data)
{
	struct release *release = data;

	wait_until_asleep(release->id);
	release->was_inside = release->sink->inside;
	sem_post(&release->sink->go);
	return NULL;
}

/* It waits for `next`, once; what is not handed on by then is forgotten. */
static void
freed_without_flush(void **unused)
{
	struct sink sink = { .waits = true };
	struct output_behind *behind = begin(&sink);
	struct release release = { .sink = &sink, .id = own_id() };
	pthread_t thread;

	(void)unused;
	put(behind, 0, 3 * SLOT + 1000, 5000);
	while (!sink.inside)
		usleep(100);
	assert_int_equal(pthread_create(&thread, NULL, release_later, &release), 0);
	output_behind_free(behind);
	assert_int_equal(sink.calls, 1);
	assert_false(sink.inside);
	assert_taken(&sink, SLOT);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(release.was_inside);
}

/* What is in the text only has not been handed on, either. */
static void
freed_early(void **unused)
{
	struct sink sink = { .size = 0 };
	struct output_behind *behind = begin(&sink);

	(void)unused;
	put(behind, 0, SLOT - 1, 5000);
	output_behind_free(behind);
	assert_int_equal(sink.calls, 0);
}

static pid_t signalled;
static volatile sig_atomic_t signals, elsewhere;

static void
on_signal(int number)
{
	(void)number;
	signals++;
	elsewhere += own_id() != signalled;
}

struct mask {
	struct sink sink;
	sigset_t set;
	int broken; /* the error of a pipe that nobody reads */
};

static int
look_at_signals(const char *bytes, size_t size, void *data)
{
	struct mask *mask = data;
	int ends[2];

	pthread_sigmask(SIG_BLOCK, NULL, &mask->set);
	if (pipe(ends) == 0) {
		close(ends[0]);
		mask->broken = write(ends[1], "x", 1) < 0 ? errno : 0;
		close(ends[1]);
	}
	return take(bytes, size, &mask->sink);
}

/* They are for the main thread. */
static void
signals_go_elsewhere(void **unused)
{
	static const int numbers[] = { SIGINT,  SIGTERM, SIGHUP,  SIGALRM,
				       SIGUSR1, SIGPIPE, SIGCHLD, SIGXFSZ };
	struct sigaction action = { .sa_handler = on_signal }, before;
	struct mask mask = { .sink = { .waits = true } };
	struct output_behind *behind;
	sigset_t own, again;

	(void)unused;
	signalled = own_id();
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	assert_int_equal(sem_init(&mask.sink.go, 0, 0), 0);
	pthread_sigmask(SIG_BLOCK, NULL, &own);
	assert_int_equal(output_behind_new(&behind, look_at_signals, &mask), 0);
	pthread_sigmask(SIG_BLOCK, NULL, &again);
	for (int i = 1; i < SIGRTMIN; i++)
		assert_int_equal(sigismember(&own, i), sigismember(&again, i));
	put(behind, 0, SLOT + 1, 5000);
	while (!mask.sink.inside)
		usleep(100);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(kill(getpid(), SIGUSR1), 0);
		if (i % 50 == 0)
			usleep(1000);
	}
	sem_post(&mask.sink.go);
	sem_post(&mask.sink.go);
	assert_int_equal(output_behind_flush(behind), 0);
	output_behind_free(behind);
	assert_true(signals > 0);
	assert_int_equal(elsewhere, 0);
	for (size_t i = 0; i < COUNT(numbers); i++)
		assert_int_equal(sigismember(&mask.set, numbers[i]), 1);
	assert_int_equal(mask.broken, EPIPE);
	assert_taken(&mask.sink, SLOT + 1);
	sigaction(SIGUSR1, &before, NULL);
}

static void
no_thread(void **unused)
{
	struct sink sink = { .size = 0 };
	struct output_behind *behind = (void *)&sink;
	pthread_attr_t attributes;
	size_t usual;

	(void)unused;
	/* A stack that there is no room for. */
	assert_int_equal(pthread_getattr_default_np(&attributes), 0);
	assert_int_equal(pthread_attr_getstacksize(&attributes, &usual), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, SIZE_MAX / 4), 0);
	if (pthread_setattr_default_np(&attributes) != 0) {
		print_message("# stacks are never too large here\n");
		return;
	}
	assert_int_equal(output_behind_new(&behind, take, &sink), -EAGAIN);
	assert_null(behind);
	assert_int_equal(pthread_attr_setstacksize(&attributes, usual), 0);
	assert_int_equal(pthread_setattr_default_np(&attributes), 0);
	pthread_attr_destroy(&attributes);
	output_behind_free(begin(&sink));
}

static void
no_room(void **unused)
{
	struct output_behind *behind = (void *)&refused_from;
	int error;

	(void)unused;
	refused_from = allocations;
	error = output_behind_new(&behind, take, NULL);
	refused_from = SIZE_MAX;
	assert_int_equal(error, -ENOMEM);
	assert_null(behind);
}

/* All that can be different in turn. */
static void
many_times(void **unused)
{
	(void)unused;
	for (int i = 0; i < 300; i++) {
		struct sink sink = { .fail_at =
					     random_below(3) ? 0 : 1 + random_below(6),
				     .yields = random_below(2) };
		struct output_behind *behind = begin(&sink);
		size_t size = random_below(random_below(4) ? 2 * SLOT : 7 * SLOT);
		bool fails = sink.fail_at && size > (sink.fail_at - 1) * SLOT;
		int flushing = (int)random_below(4);

		put(behind, 0, size, 3 * SLOT);
		for (int j = 0; j < flushing; j++)
			assert_int_equal(output_behind_flush(behind),
					 fails ? -ENOSPC : 0);
		output_behind_free(behind);
		assert_int_equal(sink.wrong, 0);
		assert_true(sink.size <= size);
		if (flushing && !fails)
			assert_taken(&sink, size);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_arrives),
		cmocka_unit_test(whole_slots),
		cmocka_unit_test(mixed_text),
		cmocka_unit_test(nothing_written),
		cmocka_unit_test(flushes),
		cmocka_unit_test(slow_next),
		cmocka_unit_test(flush_waits),
		cmocka_unit_test(errors),
		cmocka_unit_test(last_error),
		cmocka_unit_test(freed_after_error),
		cmocka_unit_test(freed_without_flush),
		cmocka_unit_test(freed_early),
		cmocka_unit_test(signals_go_elsewhere),
		cmocka_unit_test(no_thread),
		cmocka_unit_test(no_room),
		cmocka_unit_test(many_times),
	};

	/* Rather than wait for ever. */
	alarm(PATIENCE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
