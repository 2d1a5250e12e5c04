/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person is told, on stderr, and what stdout's errors mean. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "cli.h"

/* Lines that were said, by their sums, so that they are said once. */
#define REMEMBERED 64
static struct {
	bool wanted;
	size_t count;
	uint64_t sums[REMEMBERED];
} said;

void
cli_say_once(void)
{
	said.wanted = true;
}

void
cli_forget_said(void)
{
	said.count = 0;
}

static uint64_t
sum_of(const char *line)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *line; line++)
		sum = (sum ^ (unsigned char)*line) * UINT64_C(0x100000001b3);
	return sum;
}

static bool
was_said(const char *line)
{
	uint64_t sum = sum_of(line);

	if (!said.wanted)
		return false;
	for (size_t i = 0; i < said.count; i++)
		if (said.sums[i] == sum)
			return true;
	if (said.count < REMEMBERED)
		said.sums[said.count++] = sum;
	return false;
}

/* Is stderr the journal's?  It says so by device and inode. */
static bool
is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

static void
write_line(int level, const char *line)
{
	if (is_journal())
		fprintf(stderr, "<%d>%s\n", level, line);
	else
		fprintf(stderr, "conntap: %s\n", line);
}

static void
say(int level, const char *format, va_list arguments)
{
	char line[1024];

	vsnprintf(line, sizeof(line), format, arguments);
	if (!was_said(line))
		write_line(level, line);
}

void
cli_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(LOG_ERR, format, arguments);
	va_end(arguments);
}

void
cli_warn(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(LOG_WARNING, format, arguments);
	va_end(arguments);
}

void
cli_log(int level, const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	write_line(level, line);
}

/* What helps; NULL when we know nothing better than the error itself. */
static const char *
advice(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return "run it as root, or with CAP_NET_ADMIN";
	case -EPROTONOSUPPORT:
		return "the kernel has no conntrack netlink; as root: "
		       "modprobe nf_conntrack_netlink";
	case -ENOENT:
		return "the kernel tracks no connections; as root: modprobe "
		       "nf_conntrack";
	case -ENOBUFS:
		return "the kernel had to drop answers; try again";
	case -ETIMEDOUT:
		return "the kernel did not answer in time; try again";
	default:
		return NULL;
	}
}

int
cli_failed(const char *what, int error)
{
	const char *help = advice(error);

	cli_say("%s: %s%s%s", what, strerror(-error), help ? ": " : "",
		help ? help : "");
	return CLI_FAILED;
}

int
cli_written(int error)
{
	if (error == 0)
		return CLI_OK;
	if (error == -EPIPE)
		return 128 + SIGPIPE;
	return cli_failed("cannot write the output", error);
}

static const char *
not_written_why(int error)
{
	switch (error) {
	case -ELOOP:
		return "is a symbolic link, name what it points to";
	case -ENOTUNIQ:
		return "is a name of files that are not complete, which are removed";
	default:
		return strerror(-error);
	}
}

int
cli_not_written(const char *path, int error)
{
	if (!path || error == 0)
		return cli_written(error);
	cli_say("--output %s: %s", path, not_written_why(error));
	return CLI_FAILED;
}

int
cli_stopped(void)
{
	return 128 + cli_stop;
}
