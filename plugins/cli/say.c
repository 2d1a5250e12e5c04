/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person is told, on stderr, and what stdout's errors mean. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

void
cli_say(const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	fprintf(stderr, "conntap: %s\n", line);
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
cli_write(const char *bytes, size_t size, void *unused)
{
	(void)unused;
	while (size > 0) {
		ssize_t written = write(STDOUT_FILENO, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
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

int
cli_stopped(void)
{
	return 128 + cli_stop;
}
