/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of the options about files. */
#include "set_file.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
cli_set_output(struct cli *cli, const char *value, struct ct_why *why)
{
	if (strcmp(value, "-") == 0)
		return ct_parse_failed(why, "- is no file (without --output it goes to "
					    "stdout)");
	cli->path = value;
	return 0;
}

int
cli_set_keep(struct cli *cli, const char *value, struct ct_why *why)
{
	int error = ct_parse_number(value, UINT32_MAX, "a number of files", &cli->keep,
				    why);

	if (!error && cli->keep == 0)
		return ct_parse_failed(why, "0 is no number of files (1 or more)");
	return error;
}

int
cli_set_compress(struct cli *cli, const char *value, struct ct_why *why)
{
	return output_compress_parse(value, &cli->compress, why);
}

int
cli_set_mode(struct cli *cli, const char *value, struct ct_why *why)
{
	size_t digits = strspn(value, "01234567");

	if (digits == 0 || digits > 4 || value[digits])
		return ct_parse_failed(why, "%.100s is not a mode (0600, 0640, 644, …)",
				       value);
	cli->file.mode = (int)strtol(value, NULL, 8);
	if (cli->file.mode & ~0666)
		return ct_parse_failed(
			why, "%.100s is not a mode of a file that is read (0-0666)",
			value);
	return 0;
}

static int
find_user(const char *name, struct cli *cli, struct ct_why *why)
{
	const struct passwd *user = getpwnam(name);
	uint64_t number;

	if (user) {
		cli->file.user = user->pw_uid;
		return 0;
	}
	if (ct_parse_number(name, UINT32_MAX - 1, "a user", &number, why) < 0)
		return ct_parse_failed(why, "there is no user %.100s", name);
	cli->file.user = (uid_t)number;
	return 0;
}

static int
find_group(const char *name, struct cli *cli, struct ct_why *why)
{
	const struct group *group = getgrnam(name);
	uint64_t number;

	if (group) {
		cli->file.group = group->gr_gid;
		return 0;
	}
	if (ct_parse_number(name, UINT32_MAX - 1, "a group", &number, why) < 0)
		return ct_parse_failed(why, "there is no group %.100s", name);
	cli->file.group = (gid_t)number;
	return 0;
}

/* "user", "user:group", ":group". */
int
cli_set_owner(struct cli *cli, const char *value, struct ct_why *why)
{
	char user[128];
	const char *colon = strchrnul(value, ':');
	int error = 0;

	if ((size_t)(colon - value) >= sizeof(user) || strcmp(value, ":") == 0 ||
	    !*value)
		return ct_parse_failed(why, "%.100s is not an owner (USER, USER:GROUP)",
				       value);
	snprintf(user, sizeof(user), "%.*s", (int)(colon - value), value);
	if (*user)
		error = find_user(user, cli, why);
	if (!error && *colon && colon[1])
		error = find_group(colon + 1, cli, why);
	return error;
}
