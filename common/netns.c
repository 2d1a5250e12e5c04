/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setns(2), there and back. */
#include "netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define HOME_NONE (-1)
#define HERE "/proc/thread-self/ns/net"

static int
path_of(const char *name, char path[PATH_MAX])
{
	int length = snprintf(path, PATH_MAX, "%s%s",
			      strchr(name, '/') ? "" : CT_NETNS_DIR "/", name);

	return length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int
open_namespace(const char *name)
{
	char path[PATH_MAX];
	int error = path_of(name, path), fd;

	if (error)
		return error;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int
ct_netns_identify(const char *name, struct ct_netns_id *id)
{
	char path[PATH_MAX] = HERE;
	struct stat status;
	int error = name ? path_of(name, path) : 0;

	if (error)
		return error;
	if (stat(path, &status) < 0)
		return -errno;
	id->device = status.st_dev;
	id->inode = status.st_ino;
	return 0;
}

int
ct_netns_enter(const char *name, int *home)
{
	int there, error = 0;

	*home = HOME_NONE;
	if (!name)
		return 0;
	there = open_namespace(name);
	if (there < 0)
		return there;
	*home = open(HERE, O_RDONLY | O_CLOEXEC);
	if (*home < 0 || setns(there, CLONE_NEWNET) < 0) {
		error = -errno;
		if (*home >= 0)
			close(*home);
		*home = HOME_NONE;
	}
	close(there);
	return error;
}

int
ct_netns_leave(int home)
{
	int error = 0;

	if (home == HOME_NONE)
		return 0;
	if (setns(home, CLONE_NEWNET) < 0)
		error = -errno;
	close(home);
	return error;
}

/* What `ip netns delete` could not remove is an ordinary empty file. */
static int
is_namespace(const struct dirent *entry)
{
	char path[sizeof(CT_NETNS_DIR) + 1 + NAME_MAX];
	struct statfs fs;

	if (entry->d_name[0] == '.')
		return 0;
	snprintf(path, sizeof(path), CT_NETNS_DIR "/%s", entry->d_name);
	return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

int
ct_netns_each(int (*name_fn)(const char *name, void *data), void *data)
{
	struct dirent **entries;
	int count = scandir(CT_NETNS_DIR, &entries, is_namespace, alphasort);
	int status = 0;

	if (count < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		if (status == 0)
			status = name_fn(entries[i]->d_name, data);
		free(entries[i]);
	}
	free(entries);
	return status;
}

static int
take_nsid(const struct nlattr *attr, void *data)
{
	int *nsid = data;

	if (mnl_attr_get_type(attr) == NETNSA_NSID &&
	    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		*nsid = (int)mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int
take_answer(const struct nlmsghdr *message, void *data)
{
	if (message->nlmsg_type == RTM_NEWNSID)
		mnl_attr_parse(message, sizeof(struct rtgenmsg), take_nsid, data);
	return MNL_CB_OK;
}

static int
ask_nsid(struct mnl_socket *socket, int fd, int *nsid)
{
	_Alignas(struct nlmsghdr) char bytes[512];
	struct nlmsghdr *request = mnl_nlmsg_put_header(bytes);
	struct rtgenmsg *head;
	ssize_t size;

	request->nlmsg_type = RTM_GETNSID;
	request->nlmsg_flags = NLM_F_REQUEST;
	head = mnl_nlmsg_put_extra_header(request, sizeof(*head));
	head->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(request, NETNSA_FD, (uint32_t)fd);
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	size = mnl_socket_recvfrom(socket, bytes, sizeof(bytes));
	*nsid = NETNSA_NSID_NOT_ASSIGNED;
	if (size < 0 || mnl_cb_run(bytes, (size_t)size, 0, 0, take_answer, nsid) < 0)
		return -errno;
	return *nsid == NETNSA_NSID_NOT_ASSIGNED ? -ENOENT : 0;
}

int
ct_netns_nsid(const char *name, int *nsid)
{
	int fd = open_namespace(name), error;
	struct mnl_socket *socket;

	if (fd < 0)
		return fd;
	socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		error = -errno;
	else
		error = ask_nsid(socket, fd, nsid);
	if (socket)
		mnl_socket_close(socket);
	close(fd);
	return error;
}
