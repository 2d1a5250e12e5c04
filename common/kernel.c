/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table's size by netlink, the settings from /proc/sys. */
#include "kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "change.h"

#define SYSCTL_DIR "/proc/sys/net/netfilter/"
/* Younger (Linux 5.12) than some headers that this is built with. */
#define ATTR_STATS_MAX_ENTRIES 2

static const struct {
	const char *file; /* of SYSCTL_DIR; NULL: not told there */
	uint32_t has;
	size_t offset;
} settings[] = {
	{ "nf_conntrack_count", CT_KERNEL_COUNT, offsetof(struct ct_kernel, count) },
	{ "nf_conntrack_max", CT_KERNEL_MAX, offsetof(struct ct_kernel, max) },
	{ "nf_conntrack_buckets", CT_KERNEL_BUCKETS,
	  offsetof(struct ct_kernel, buckets) },
	{ "nf_conntrack_acct", CT_KERNEL_ACCT, offsetof(struct ct_kernel, acct) },
	{ "nf_conntrack_timestamp", CT_KERNEL_TIMESTAMP,
	  offsetof(struct ct_kernel, timestamp) },
	{ "nf_conntrack_events", CT_KERNEL_EVENTS, offsetof(struct ct_kernel, events) },
	{ "nf_conntrack_expect_max", CT_KERNEL_EXPECT_MAX,
	  offsetof(struct ct_kernel, expect_max) },
	{ NULL, CT_KERNEL_EXPECTS, offsetof(struct ct_kernel, expects) },
};

bool
ct_kernel_value(const struct ct_kernel *kernel, uint32_t which, uint32_t *value)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (settings[i].has == which && kernel->has & which) {
			memcpy(value, (const char *)kernel + settings[i].offset,
			       sizeof(*value));
			return true;
		}
	return false;
}

static int
take_stat(const struct nlattr *attr, void *data)
{
	struct ct_kernel *kernel = data;

	if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return MNL_CB_OK;
	switch (mnl_attr_get_type(attr)) {
	case CTA_STATS_GLOBAL_ENTRIES:
		kernel->count = ntohl(mnl_attr_get_u32(attr));
		kernel->has |= CT_KERNEL_COUNT;
		break;
	case ATTR_STATS_MAX_ENTRIES:
		kernel->max = ntohl(mnl_attr_get_u32(attr));
		kernel->has |= CT_KERNEL_MAX;
		break;
	}
	return MNL_CB_OK;
}

static int
take_stats(const struct nlmsghdr *message, void *data)
{
	mnl_attr_parse(message, sizeof(struct nfgenmsg), take_stat, data);
	return 0;
}

int
ct_kernel_count(struct ct_netlink *netlink, struct ct_kernel *kernel)
{
	_Alignas(struct nlmsghdr) char bytes[64];
	struct nlmsghdr *request = ct_netlink_request(
		netlink, bytes, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, 0);
	int error;

	memset(kernel, 0, sizeof(*kernel));
	error = ct_netlink_ask(netlink, request, take_stats, kernel);
	/* nfnetlink's answer when there is nobody to hand the request to. */
	return error == -EINVAL || error == -EOPNOTSUPP ? -EPROTONOSUPPORT : error;
}

static int
read_setting(const char *file, uint32_t *value)
{
	char path[sizeof(SYSCTL_DIR) + 32], text[32];
	ssize_t size;
	char *end;
	int fd;

	snprintf(path, sizeof(path), SYSCTL_DIR "%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0)
		return -EIO;
	text[size] = '\0';
	*value = (uint32_t)strtoul(text, &end, 10);
	return end == text ? -EBADMSG : 0;
}

static int
count_expect(const struct ct_expect *expect, void *count)
{
	(void)expect;
	++*(uint32_t *)count;
	return 0;
}

void
ct_kernel_read_expects(struct ct_netlink *netlink, struct ct_kernel *kernel)
{
	kernel->expects = 0;
	kernel->has &= ~(uint32_t)CT_KERNEL_EXPECTS;
	if (netlink && ct_expect_dump(netlink, count_expect, &kernel->expects) == 0)
		kernel->has |= CT_KERNEL_EXPECTS;
}

int
ct_kernel_read(struct ct_netlink *netlink, struct ct_kernel *kernel)
{
	if (!netlink || ct_kernel_count(netlink, kernel) < 0)
		memset(kernel, 0, sizeof(*kernel));
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		uint32_t value = 0;

		if (!settings[i].file || kernel->has & settings[i].has ||
		    read_setting(settings[i].file, &value) < 0)
			continue;
		memcpy((char *)kernel + settings[i].offset, &value, sizeof(value));
		kernel->has |= settings[i].has;
	}
	return kernel->has & CT_KERNEL_COUNT ? 0 : -ENOENT;
}

int
ct_kernel_load_module(void)
{
	char modprobe[] = "modprobe", quiet[] = "-q", module[] = "nf_conntrack_netlink";
	char *const arguments[] = { modprobe, quiet, module, NULL };
	char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
	char *const environment[] = { path, NULL };
	static const char *const places[] = { "/usr/sbin/modprobe", "/sbin/modprobe" };
	int error = ENOENT, status;
	pid_t child;

	for (size_t i = 0; error == ENOENT && i < sizeof(places) / sizeof(places[0]);
	     i++)
		error = posix_spawn(&child, places[i], NULL, NULL, arguments,
				    environment);
	if (error)
		return -error;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOTSUP;
}
