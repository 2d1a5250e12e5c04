/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users and capabilities. */
#include "privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#include "log.h"

/* What is there of what the work takes; without it, what everybody may read is shown.
 */
static void
keep(const struct agx_options *options)
{
	const struct {
		unsigned int capability;
		bool needed;
	} wanted[] = {
		{ CAP_NET_ADMIN, true },
		{ CAP_SYS_ADMIN, options->netns_count > 0 },
		/* Whoever stays root shall reach snmpd's socket in its closed
		   directory. */
		{ CAP_DAC_OVERRIDE, !options->user },
	};
	bool kept[3];

	for (size_t i = 0; i < 3; i++)
		kept[i] = wanted[i].needed &&
			  capng_have_capability(CAPNG_PERMITTED, wanted[i].capability);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < 3; i++)
		if (kept[i])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED |
					     CAPNG_BOUNDING_SET,
				     wanted[i].capability);
}

static int
become(const struct agx_options *options)
{
	const struct passwd *user = getpwnam(options->user);
	int status;

	if (!user) {
		agx_log(LOG_ERR, "--user: there is no user %s", options->user);
		return -1;
	}
	status = capng_change_id((int)user->pw_uid, (int)user->pw_gid,
				 CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	if (status < 0) {
		agx_log(LOG_ERR, "--user: cannot become %s (%d): %s", options->user,
			status, strerror(errno));
		return -1;
	}
	return 0;
}

int
agx_privileges_drop(const struct agx_options *options)
{
	/* Nobody gets more by starting a program. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (geteuid() != 0 && !options->user)
		return 0;
	capng_get_caps_process();
	keep(options);
	if (options->user)
		return become(options);
	if (capng_apply(CAPNG_SELECT_BOTH) < 0) {
		agx_log(LOG_ERR, "cannot give up capabilities: %s", strerror(errno));
		return -1;
	}
	return 0;
}
