/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Relative paths, and what is a path in an address. */
#include "paths.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX "unix:"
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

int
agx_path_settle(const char **path, struct ct_why *why)
{
	char *here, *whole;
	int length;

	if (!*path || **path == '/')
		return 0;
	here = getcwd(NULL, 0);
	if (!here)
		return ct_parse_failed(why, "%.100s: where is that? %s", *path,
				       strerror(errno));
	length = asprintf(&whole, "%s/%s", here, *path);
	free(here);
	if (length < 0)
		return ct_parse_failed(why, "%s", strerror(ENOMEM));
	*path = whole;
	return 0;
}

/* As Net-SNMP reads it: other transports have a name and a colon. */
static const char *
path_of(const char *address)
{
	if (strncmp(address, UNIX, strlen(UNIX)) == 0)
		return address + strlen(UNIX);
	return address[strcspn(address, "/:")] == ':' ? NULL : address;
}

int
agx_address_settle(const char **address, bool relative, struct ct_why *why)
{
	const char *given = path_of(*address), *path = given;

	if (!path)
		return 0;
	if (!relative && agx_path_settle(&path, why) < 0)
		return -EINVAL;
	/* An absolute one needs no "unix:". */
	if (path != given)
		*address = path;
	if (strlen(path) > SOCKET_PATH_MAX)
		return ct_parse_failed(why,
				       "%.255s is longer than the %zu letters that the "
				       "path of a socket may have",
				       path, SOCKET_PATH_MAX);
	return 0;
}
