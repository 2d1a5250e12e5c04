/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program `conntap-agentx`.  The first thread talks to the master agent and
 * answers; it alone uses Net-SNMP.  A second makes snapshots, a third listens.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "builder.h"
#include "common/kernel.h"
#include "common/netlink.h"
#include "listener.h"
#include "log.h"
#include "master.h"
#include "notifications.h"
#include "options.h"
#include "privileges.h"
#include "space.h"

/* So long the first snapshots are waited for before the master agent is told; and so
 * long a signal may have to wait meanwhile. */
#define FIRST_MS 10000
#define SIGNAL_MS 100
/* So long the end may take. */
#define END_SECONDS 2

struct agent {
	struct agx_options options;
	struct agx_builder *builder;
	struct agx_listener *listener;
	struct agx_space *spaces[AGX_NETNS_MAX + 1];
	struct agx_told told[AGX_NETNS_MAX + 1];
	size_t count;
};

static int stop_fd;
static volatile sig_atomic_t stopped;
static const char *pid_path; /* what is to be removed at the end; NULL: nothing */

static void
stop(int number)
{
	uint64_t one = 1;
	int error = errno;

	(void)number;
	if (!stopped)
		alarm(END_SECONDS);
	stopped = 1;
	(void)!write(stop_fd, &one, sizeof(one));
	errno = error;
}

static void
remove_pid_file(void)
{
	/* Where that is still allowed. */
	if (pid_path)
		unlink(pid_path);
}

/* Nobody hears our goodbye: snmpd hangs, and Net-SNMP waits for it. */
static void
give_up(int number)
{
	(void)number;
	remove_pid_file();
	_exit(EXIT_SUCCESS);
}

static int
catch_signals(void)
{
	struct sigaction action = { .sa_handler = stop };

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return -1;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	action.sa_handler = give_up;
	sigaction(SIGALRM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	return 0;
}

static void
look_around(struct agent *agent)
{
	const struct agx_options *options = &agent->options;

	for (size_t i = 0; i < agent->count; i++)
		if (agx_master_has(agent->spaces[i]))
			agx_notify(agent->spaces[i], &agent->told[i], options->base,
				   options->base_length);
}

static void
run(struct agent *agent)
{
	uint64_t looked = 0;

	while (!stopped) {
		uint64_t now = agx_milliseconds();

		if (now >= looked + 1000) {
			look_around(agent);
			looked = now;
		}
		agx_master_serve(stop_fd);
	}
}

/* The parts. */

static int
add_space(struct agent *agent, const struct agx_netns *netns)
{
	struct agx_space *space =
		agx_space_new(&agent->options, netns, agent->builder, agent->listener);

	if (!space)
		return -ENOMEM;
	agent->spaces[agent->count++] = space;
	return 0;
}

static int
start(struct agent *agent)
{
	const struct agx_options *options = &agent->options;
	int error;

	agent->builder = agx_builder_new(options);
	agent->listener = agx_listener_new(options->events);
	if (!agent->builder || !agent->listener)
		return -ENOMEM;
	error = add_space(agent, NULL);
	for (size_t i = 0; !error && i < options->netns_count; i++)
		error = add_space(agent, &options->netns[i]);
	return error;
}

/* Whoever asks first shall not find a table that is not made yet. */
static void
wait_for_snapshots(struct agent *agent)
{
	uint64_t until = agx_milliseconds() + FIRST_MS;

	for (size_t i = 0; i < agent->count && !stopped; i++) {
		while (!stopped && agx_milliseconds() < until &&
		       !agx_order_wait(agent->spaces[i]->order, SIGNAL_MS))
			;
		agx_space_look(agent->spaces[i]);
		agx_space_snapshot(agent->spaces[i]);
	}
}

static void
end(struct agent *agent)
{
	agx_builder_free(agent->builder);
	agx_listener_free(agent->listener);
	for (size_t i = 0; i < agent->count; i++)
		agx_space_free(agent->spaces[i]);
}

/* A kernel without conntrack netlink may have it as a module. */
static void
load_module(void)
{
	struct ct_netlink *netlink = NULL;
	struct ct_kernel kernel = { 0 };
	int error = ct_netlink_open(&netlink, NULL);

	if (!error)
		error = ct_kernel_count(netlink, &kernel);
	ct_netlink_free(netlink);
	if (error == -EPROTONOSUPPORT && geteuid() == 0)
		ct_kernel_load_module();
}

/* While it may still be; the number is known when there is no other process to come. */
static int
open_pid_file(const struct agx_options *options, FILE **file)
{
	*file = NULL;
	if (!options->pid_file)
		return 0;
	*file = fopen(options->pid_file, "we");
	if (*file)
		return 0;
	agx_log(LOG_ERR, "--pid-file %s: %s", options->pid_file, strerror(errno));
	return -1;
}

static int
write_pid_file(const struct agx_options *options, FILE *file)
{
	if (!file)
		return 0;
	pid_path = options->pid_file;
	fprintf(file, "%ld\n", (long)getpid());
	if (fclose(file) == 0)
		return 0;
	agx_log(LOG_ERR, "--pid-file %s: %s", options->pid_file, strerror(errno));
	return -1;
}

/* What goes wrong before is said where the agent was started. */
static int
go_to_background(const struct agx_options *options)
{
	if (options->foreground)
		return 0;
	if (daemon(0, 0) < 0) {
		agx_log(LOG_ERR, "cannot go to the background: %s", strerror(errno));
		return -1;
	}
	agx_log_to_syslog();
	return 0;
}

static int
prepare(const struct agx_options *options)
{
	FILE *pid_file;

	if (catch_signals() < 0 || open_pid_file(options, &pid_file) < 0)
		return -1;
	load_module();
	if (agx_privileges_drop(options) < 0 || go_to_background(options) < 0)
		return -1;
	return write_pid_file(options, pid_file);
}

/* Until a signal comes.  Returns false when it could not begin. */
static bool
work(struct agent *agent)
{
	int error = start(agent);

	if (error) {
		agx_log(LOG_ERR, "cannot start: %s", strerror(-error));
		return false;
	}
	wait_for_snapshots(agent);
	agx_master_set_up(&agent->options);
	for (size_t i = 0; i < agent->count; i++)
		if (!agx_master_register(agent->spaces[i]))
			return false;
	agx_master_connect();
	run(agent);
	agx_master_leave();
	return true;
}

/* A file that we open is not to become stdout or stderr, where these were closed. */
static void
occupy_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	static struct agent agent;
	int status;
	bool good;

	occupy_standard_streams();
	status = agx_options_read(&agent.options, argc, argv);
	if (status >= 0)
		return status;
	if (prepare(&agent.options) < 0)
		return EXIT_FAILURE;
	good = work(&agent);
	end(&agent);
	remove_pid_file();
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
