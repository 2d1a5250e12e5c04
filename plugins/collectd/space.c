/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A linked list of namespaces, and what is said of them in the log. */
#include "space.h"

#include <errno.h>

#include "common/netns.h"

static bool
is_called(const struct tap_space *space, const char *netns)
{
	if (!space->netns || !netns)
		return space->netns == netns;
	return strcmp(space->netns, netns) == 0;
}

static void
space_free(const struct tap_spaces *spaces, struct tap_space *space)
{
	if (space->data && spaces->done)
		spaces->done(space->data);
	free(space->netns);
	free(space);
}

static struct tap_space *
space_new(const struct tap_spaces *spaces, const char *netns)
{
	struct tap_space *space = calloc(1, sizeof(*space));

	if (!space)
		return NULL;
	C_COMPLAIN_INIT(&space->complaint);
	if (netns)
		space->netns = strdup(netns);
	if (spaces->make)
		space->data = spaces->make(space);
	if ((netns && !space->netns) || (spaces->make && !space->data)) {
		space_free(spaces, space);
		return NULL;
	}
	return space;
}

/* Finds the namespace, or puts it at the end if there is room. */
static int
want(const char *netns, void *data)
{
	struct tap_spaces *spaces = data;
	struct tap_space **at = &spaces->first;
	size_t count = 0;

	for (; *at && !is_called(*at, netns); at = &(*at)->next)
		count++;
	if (!*at && count < TAP_NETNS_MAX)
		*at = space_new(spaces, netns);
	if (*at)
		(*at)->present = true;
	else
		spaces->left_out++;
	return 0;
}

static void
tell_what_is_left_out(struct tap_spaces *spaces)
{
	if (spaces->left_out)
		c_complain_once(LOG_WARNING, &spaces->complaint,
				TAP_PLUGIN " plugin: namespaces that are not watched: "
					   "%zu (at most %d are, or memory is short)",
				spaces->left_out, TAP_NETNS_MAX);
	else
		c_release(LOG_INFO, &spaces->complaint,
			  TAP_PLUGIN " plugin: all namespaces are watched again");
}

static void
drop_absent(struct tap_spaces *spaces)
{
	struct tap_space **at = &spaces->first;

	while (*at) {
		struct tap_space *space = *at;

		if (space->present) {
			at = &space->next;
			continue;
		}
		*at = space->next;
		space_free(spaces, space);
	}
}

void
tap_spaces_update(struct tap_spaces *spaces, const struct tap_settings *settings)
{
	for (struct tap_space *space = spaces->first; space; space = space->next)
		space->present = false;
	spaces->left_out = 0;
	if (settings->netns_count == 0 || settings->all_netns)
		want(NULL, spaces);
	for (size_t i = 0; i < settings->netns_count; i++)
		want(settings->netns[i], spaces);
	if (settings->all_netns)
		ct_netns_each(want, spaces);
	drop_absent(spaces);
	if (spaces->tells)
		tell_what_is_left_out(spaces);
}

void
tap_spaces_free(struct tap_spaces *spaces)
{
	while (spaces->first) {
		struct tap_space *space = spaces->first;

		spaces->first = space->next;
		space_free(spaces, space);
	}
}

const char *
tap_space_label(const struct tap_space *space, char buffer[128])
{
	buffer[0] = '\0';
	if (space->netns)
		snprintf(buffer, 128, " (namespace %.100s)", space->netns);
	return buffer;
}

static const char *
advice(const struct tap_space *space, int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		if (space->netns)
			return ": collectd needs CAP_SYS_ADMIN, to enter it, and "
			       "CAP_NET_ADMIN (CapabilityBoundingSet= in its unit; "
			       "see collectd-conntap(5))";
		return ": collectd needs CAP_NET_ADMIN (CapabilityBoundingSet= in its "
		       "unit; see collectd-conntap(5))";
	case -EPROTONOSUPPORT:
		return ": modprobe nf_conntrack_netlink";
	case -ENOENT:
		return ": no such namespace, or no conntrack in the kernel";
	default:
		return "";
	}
}

void
tap_space_failed(struct tap_space *space, const char *what, int error)
{
	char label[128];

	space->failures++;
	c_complain_once(LOG_WARNING, &space->complaint,
			TAP_PLUGIN " plugin%s: %s: %s%s", tap_space_label(space, label),
			what, STRERROR(-error), advice(space, error));
}

void
tap_space_works(struct tap_space *space)
{
	char label[128];

	c_release(LOG_INFO, &space->complaint, TAP_PLUGIN " plugin%s: it works again",
		  tap_space_label(space, label));
}

int
tap_space_look(struct tap_space *space, bool *another)
{
	struct ct_netns_id id = { 0 };
	int error = space->netns ? ct_netns_identify(space->netns, &id) : 0;

	*another =
		error || id.device != space->id.device || id.inode != space->id.inode;
	if (!error)
		space->id = id;
	return error;
}
