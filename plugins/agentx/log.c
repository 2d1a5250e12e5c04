/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stderr, the journal, syslog. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define NAME "conntap-agentx"

static bool to_syslog;

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

void
agx_log_to_syslog(void)
{
	openlog(NAME, LOG_PID, LOG_DAEMON);
	to_syslog = true;
}

void
agx_log(int level, const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (to_syslog)
		syslog(level, "%s", line);
	else if (is_journal())
		fprintf(stderr, "<%d>%s\n", level, line);
	else
		fprintf(stderr, NAME ": %s\n", line);
}

const char *
agx_advice(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return ": the agent needs CAP_NET_ADMIN (and, to enter another "
		       "namespace, CAP_SYS_ADMIN)";
	case -EPROTONOSUPPORT:
		return ": the kernel has no conntrack netlink; as root: modprobe "
		       "nf_conntrack_netlink";
	case -ENOENT:
		return ": no such namespace, or no conntrack in the kernel";
	default:
		return "";
	}
}
