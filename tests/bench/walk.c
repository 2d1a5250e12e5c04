/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk: asks an SNMP agent at 127.0.0.1, in version 2c and the community "bench", one
 * question after another, and tells how long the answers took.
 *
 *	walk bulk [--repetitions R] [--limit ROWS] [--start INDEX] [--seconds S]
 *		  PORT COLUMN...
 *
 * goes through these columns side by side by GETBULK, from the index on, to their ends
 * or until there were so many rows; or, for S seconds, again and again.  Prints
 * the objects, the rows (of the first column), the seconds, the requests, and of their
 * times in milliseconds the median, the 95th of a hundred, and the greatest.
 *
 *	walk ask [--seconds S] [--pid PID] PORT OBJECT
 *
 * asks for one object every 20 ms, for so long, or until that process has ended; prints
 * the requests and the same three times.
 *
 *	walk get PORT OBJECT
 *	walk set PORT OBJECT NUMBER
 *
 * print the value: a number, or octets in hexadecimal; to be set is an Unsigned32.
 *
 * Names are kept as they are in messages: nothing is decoded that is only to be sent
 * back.  Exit status: 0, 1 without an answer or with one that is none, 2 usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
	INTEGER = 0x02,
	OCTETS = 0x04,
	NOTHING = 0x05,
	OBJECT = 0x06,
	SEQUENCE = 0x30,
	GAUGE = 0x42,
	NO_SUCH_OBJECT = 0x80,
	END_OF_VIEW = 0x82,
	GET = 0xa0,
	SET = 0xa3,
	BULK = 0xa5,
};

enum {
	NAME_BYTES = 200,
	COLUMNS_MAX = 32,
	MESSAGE_BYTES = 65536,
	PATIENCE = 10, /* seconds */
	PACE_NS = 20 * 1000 * 1000,
};

/* The inside of an OBJECT IDENTIFIER. */
struct name {
	size_t size;
	unsigned char bytes[NAME_BYTES];
};

struct column {
	struct name root, last;
};

/* What is still to be read. */
struct cursor {
	const unsigned char *at, *end;
};

struct times {
	double *seconds;
	size_t count, room;
};

static int udp;
static uint32_t request_id;
static unsigned char question[MESSAGE_BYTES], answer[MESSAGE_BYTES];

static _Noreturn void __attribute__((format(printf, 2, 3)))
die(int status, const char *format, ...)
{
	va_list arguments;

	fputs("walk: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(status);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Names. */

static void
put_number(struct name *name, unsigned long number)
{
	int shift = 28;

	while (shift > 0 && number >> shift == 0)
		shift -= 7;
	for (; shift >= 0; shift -= 7) {
		if (name->size == NAME_BYTES)
			die(2, "a name is too long");
		name->bytes[name->size++] =
			(unsigned char)((number >> shift & 0x7f) | (shift ? 0x80 : 0));
	}
}

/* Appends numbers with dots between them; a whole name begins with 1.3. */
static void
parse_name(struct name *name, const char *text)
{
	bool whole = name->size == 0;
	char *end;

	if (whole && strncmp(text, "1.3.", 4) != 0)
		die(2, "%s: not a name that begins with 1.3", text);
	if (whole)
		put_number(name, 43);
	for (text += whole ? 4 : 0; *text; text = *end ? end + 1 : end) {
		unsigned long number = strtoul(text, &end, 10);

		if (end == text || (*end && *end != '.') || number > UINT32_MAX)
			die(2, "%s: not numbers with dots between them", text);
		put_number(name, number);
	}
}

static bool
is_below(const struct name *name, const struct name *root)
{
	return name->size > root->size &&
	       memcmp(name->bytes, root->bytes, root->size) == 0;
}

static bool
is_same(const struct name *a, const struct name *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* Writing a message, from its end to its beginning: a length is known in time. */

static void
put(unsigned char **at, const void *bytes, size_t size)
{
	*at -= size;
	memcpy(*at, bytes, size);
}

static void
put_byte(unsigned char **at, size_t byte)
{
	*--*at = (unsigned char)byte;
}

/* What was written before `end` becomes the inside. */
static void
put_header(unsigned char **at, const unsigned char *end, unsigned char tag)
{
	size_t size = (size_t)(end - *at);

	if (size >= 0x80) {
		put_byte(at, size & 0xff);
		put_byte(at, size >> 8);
	}
	put_byte(at, size >= 0x80 ? 0x82 : size);
	put_byte(at, tag);
}

static void
put_integer(unsigned char **at, unsigned char tag, uint32_t number)
{
	unsigned char *end = *at;

	do {
		put_byte(at, number & 0xff);
		number >>= 8;
	} while (number > 0);
	if (**at & 0x80)
		put_byte(at, 0);
	put_header(at, end, tag);
}

/* Without a value, as in all questions but SET. */
static void
put_variable(unsigned char **at, const struct name *name, const uint32_t *value)
{
	unsigned char *end = *at, *name_end;

	if (value)
		put_integer(at, GAUGE, *value);
	else
		put_header(at, end, NOTHING);
	name_end = *at;
	put(at, name->bytes, name->size);
	put_header(at, name_end, OBJECT);
	put_header(at, end, SEQUENCE);
}

/* Reading one. */

/* Sets `inside`, and returns the tag. */
static unsigned int
take(struct cursor *from, struct cursor *inside)
{
	const unsigned char *at = from->at;
	unsigned int tag;
	size_t size;

	if (from->end - at < 2)
		die(1, "an answer that is cut short");
	tag = *at++;
	size = *at++;
	if (size > 0x80) {
		size_t more = size & 0x7f;

		if (more > 4 || (size_t)(from->end - at) < more)
			die(1, "an answer that is cut short");
		for (size = 0; more > 0; more--)
			size = size << 8 | *at++;
	}
	if ((size_t)(from->end - at) < size)
		die(1, "an answer that is cut short");
	*inside = (struct cursor){ at, at + size };
	from->at = at + size;
	return tag;
}

static uint64_t
number_in(const struct cursor *inside)
{
	uint64_t number = 0;

	for (const unsigned char *at = inside->at; at < inside->end; at++)
		number = number << 8 | *at;
	return number;
}

static uint64_t
take_number(struct cursor *from)
{
	struct cursor inside;

	take(from, &inside);
	return number_in(&inside);
}

/* The next variable's name and value; the value's tag, or 0: there is no more. */
static unsigned int
take_variable(struct cursor *list, struct name *name, struct cursor *value)
{
	struct cursor variable, inside;

	if (list->at == list->end)
		return 0;
	take(list, &variable);
	take(&variable, &inside);
	name->size = (size_t)(inside.end - inside.at);
	if (name->size > NAME_BYTES)
		die(1, "a name is too long");
	memcpy(name->bytes, inside.at, name->size);
	return take(&variable, value);
}

/* Asking. */

static void
connect_to(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port =
					  htons((uint16_t)strtoul(port, NULL, 10)) };
	struct timeval patience = { .tv_sec = PATIENCE };

	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (udp < 0 || connect(udp, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    setsockopt(udp, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		die(1, "a socket: %s", strerror(errno));
}

/* The list of variables in the message; false when it answers another question. */
static bool
open_answer(size_t size, struct cursor *list)
{
	struct cursor all = { answer, answer + size }, message, pdu, inside;
	uint64_t error;

	take(&all, &message);
	take(&message, &inside);
	take(&message, &inside);
	take(&message, &pdu);
	if (take_number(&pdu) != request_id)
		return false;
	error = take_number(&pdu);
	if (error)
		die(1, "the answer is error %" PRIu64, error);
	take_number(&pdu);
	take(&pdu, list);
	return true;
}

/* The PDU's end is written from `at` on, the rest is put before it. */
static struct cursor
ask(unsigned char *at, unsigned char kind, uint32_t repetitions)
{
	unsigned char *end = question + sizeof(question);
	struct cursor list;
	ssize_t got;

	put_header(&at, end, SEQUENCE);
	put_integer(&at, INTEGER, repetitions);
	put_integer(&at, INTEGER, 0);
	put_integer(&at, INTEGER, ++request_id);
	put_header(&at, end, kind);
	put(&at,
	    "\x04\x05"
	    "bench",
	    7);
	put_integer(&at, INTEGER, 1);
	put_header(&at, end, SEQUENCE);
	if (send(udp, at, (size_t)(end - at), 0) < 0)
		die(1, "%s", strerror(errno));
	do {
		got = recv(udp, answer, sizeof(answer), 0);
		if (got < 0)
			die(1, "no answer: %s", strerror(errno));
	} while (!open_answer((size_t)got, &list));
	return list;
}

static struct cursor
ask_one(unsigned char kind, const struct name *name, const uint32_t *value)
{
	unsigned char *at = question + sizeof(question);

	put_variable(&at, name, value);
	return ask(at, kind, 0);
}

/* Times. */

static void
note_time(struct times *times, double seconds)
{
	if (times->count == times->room) {
		times->room = times->room * 2 + 4096;
		times->seconds = reallocarray(times->seconds, times->room,
					      sizeof(*times->seconds));
		if (!times->seconds)
			die(1, "no memory");
	}
	times->seconds[times->count++] = seconds;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print_times(struct times *times)
{
	size_t n = times->count;

	if (n == 0)
		die(1, "nothing was asked");
	qsort(times->seconds, n, sizeof(*times->seconds), compare);
	printf("%zu %.3f %.3f %.3f\n", n, times->seconds[n / 2] * 1e3,
	       times->seconds[n * 95 / 100] * 1e3, times->seconds[n - 1] * 1e3);
	free(times->seconds);
}

/* What is to be done. */

struct plan {
	uint32_t repetitions;
	uint64_t limit;
	const char *start;
	double seconds;
	int pidfd;
};

struct totals {
	uint64_t objects, rows;
	struct times times;
};

/* One question; of the columns those stay that go on.  Returns how many. */
static size_t
step(struct column *columns, size_t count, uint32_t repetitions, struct totals *totals,
     bool first_goes_on)
{
	unsigned char *at = question + sizeof(question);
	bool ended[COLUMNS_MAX] = { false };
	struct cursor list, value;
	struct name name;
	size_t kept = 0, i = 0;
	unsigned int tag;
	double begun = now();

	for (size_t c = count; c > 0; c--)
		put_variable(&at, &columns[c - 1].last, NULL);
	list = ask(at, BULK, repetitions);
	note_time(&totals->times, now() - begun);
	for (; (tag = take_variable(&list, &name, &value)); i = (i + 1) % count) {
		struct column *column = &columns[i];

		if (ended[i])
			continue;
		if (tag == END_OF_VIEW || !is_below(&name, &column->root)) {
			ended[i] = true;
			continue;
		}
		if (is_same(&name, &column->last))
			die(1, "the walk does not go on");
		column->last = name;
		totals->objects++;
		totals->rows += i == 0 && first_goes_on;
	}
	for (size_t c = 0; c < count; c++)
		if (!ended[c])
			columns[kept++] = columns[c];
	return kept;
}

static void
bulk_once(const struct plan *plan, const struct column *roots, size_t count,
	  double end_time, struct totals *totals)
{
	struct column columns[COLUMNS_MAX];
	uint64_t end = totals->rows + plan->limit;
	bool first = true;

	memcpy(columns, roots, count * sizeof(*roots));
	while (count > 0 && totals->rows < end && now() < end_time) {
		count = step(columns, count, plan->repetitions, totals, first);
		first = first && count > 0 && is_same(&columns[0].root, &roots[0].root);
	}
}

static void
bulk(const struct plan *plan, char **names, size_t count)
{
	struct column roots[COLUMNS_MAX] = { 0 };
	struct totals totals = { 0 };
	double begun = now(), seconds;
	double end_time = plan->seconds > 0 ? begun + plan->seconds : begun + 1e9;

	if (count < 1 || count > COLUMNS_MAX)
		die(2, "from 1 to %d columns", COLUMNS_MAX);
	for (size_t i = 0; i < count; i++) {
		parse_name(&roots[i].root, names[i]);
		roots[i].last = roots[i].root;
		parse_name(&roots[i].last, plan->start);
	}
	do
		bulk_once(plan, roots, count, end_time, &totals);
	while (plan->seconds > 0 && now() < end_time && totals.rows > 0);
	seconds = now() - begun;
	printf("%" PRIu64 " %" PRIu64 " %.3f ", totals.objects, totals.rows, seconds);
	print_times(&totals.times);
}

/* True: that process has ended, before there was to be another question. */
static bool
pause_until(double when, int pidfd)
{
	struct pollfd poll_for = { .fd = pidfd, .events = POLLIN };
	double left = when - now();
	struct timespec timeout = { 0 };

	if (left > 0)
		timeout.tv_nsec = (long)(left * 1e9);
	return ppoll(&poll_for, 1, &timeout, NULL) > 0;
}

static void
ask_often(const struct plan *plan, const struct name *name)
{
	double begun = now(), next = begun;
	struct times times = { 0 };

	do {
		double asked = now();

		ask_one(GET, name, NULL);
		note_time(&times, now() - asked);
		/* Late: now, and not as often as was missed. */
		next = next + PACE_NS / 1e9 > now() ? next + PACE_NS / 1e9 : now();
	} while ((plan->seconds == 0 || now() - begun < plan->seconds) &&
		 !pause_until(next, plan->pidfd));
	print_times(&times);
}

static void
print_value(struct cursor list)
{
	struct cursor value;
	struct name name;
	unsigned int tag = take_variable(&list, &name, &value);

	if (tag >= NO_SUCH_OBJECT)
		die(1, "there is no such object");
	if (tag != OCTETS)
		printf("%" PRIu64, number_in(&value));
	else
		for (; value.at < value.end; value.at++)
			printf("%02x", *value.at);
	putchar('\n');
}

static _Noreturn void
usage(void)
{
	die(2, "usage: walk bulk [--repetitions R] [--limit ROWS] [--start INDEX] "
	       "[--seconds S] PORT COLUMN...\n"
	       "       walk ask [--seconds S] [--pid PID] PORT OBJECT\n"
	       "       walk get PORT OBJECT\n"
	       "       walk set PORT OBJECT NUMBER");
}

static void
parse_options(struct plan *plan, int argc, char **argv)
{
	static const struct option options[] = {
		{ "repetitions", required_argument, NULL, 'r' },
		{ "limit", required_argument, NULL, 'l' },
		{ "start", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "pid", required_argument, NULL, 'p' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			plan->repetitions = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'l')
			plan->limit = strtoul(optarg, NULL, 10);
		else if (c == 's')
			plan->start = optarg;
		else if (c == 't')
			plan->seconds = strtod(optarg, NULL);
		else if (c == 'p')
			plan->pidfd = (int)syscall(SYS_pidfd_open,
						   (pid_t)strtol(optarg, NULL, 10), 0);
		else
			usage();
		if (c == 'p' && plan->pidfd < 0)
			die(1, "--pid %s: %s", optarg, strerror(errno));
	}
}

int
main(int argc, char **argv)
{
	struct plan plan = {
		.repetitions = 10, .limit = UINT32_MAX, .start = "", .pidfd = -1
	};
	const char *what = argc > 1 ? argv[1] : "";
	struct name name = { 0 };
	uint32_t value;

	if (argc < 2)
		usage();
	parse_options(&plan, --argc, ++argv);
	argc -= optind;
	argv += optind;
	if (argc < 2)
		usage();
	connect_to(argv[0]);
	if (strcmp(what, "bulk") == 0) {
		bulk(&plan, argv + 1, (size_t)argc - 1);
		return EXIT_SUCCESS;
	}
	parse_name(&name, argv[1]);
	if (strcmp(what, "ask") == 0 && argc == 2) {
		ask_often(&plan, &name);
	} else if (strcmp(what, "get") == 0 && argc == 2) {
		print_value(ask_one(GET, &name, NULL));
	} else if (strcmp(what, "set") == 0 && argc == 3) {
		value = (uint32_t)strtoul(argv[2], NULL, 10);
		print_value(ask_one(SET, &name, &value));
	} else {
		usage();
	}
	return EXIT_SUCCESS;
}
