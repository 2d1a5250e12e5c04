/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sd_notify(3)'s protocol: a datagram to a socket whose name is in the environment. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "every.h"

void
cli_notify(const char *format, ...)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = name ? strlen(name) : 0;
	char message[512];
	va_list arguments;
	int fd, size;

	if (length < 2 || length >= sizeof(address.sun_path))
		return;
	va_start(arguments, format);
	size = vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	memcpy(address.sun_path, name, length);
	if (name[0] == '@') /* has no place in the file system */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody there is nobody to tell, and who does not listen is not waited for. */
	(void)!sendto(fd, message, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT,
		      (const struct sockaddr *)&address,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}
