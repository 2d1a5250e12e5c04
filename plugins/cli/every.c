/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A timer of the clock on the wall, and signals as something to read. */
#include "every.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <syslog.h>
#include <unistd.h>

#define POLLS_MAX (CLI_NETNS_MAX + 2)

static uint64_t
seconds_now(void)
{
	return cli_clock(CLOCK_REALTIME) / 1000000000;
}

uint64_t
cli_period(const struct cli_schedule *schedule)
{
	uint64_t now = seconds_now();

	return now - now % schedule->period;
}

/* The kernel says so when somebody sets the clock, and then it is wound up again. */
static int
wind_up(struct cli_schedule *schedule)
{
	struct itimerspec at = { 0 };

	schedule->next = cli_period(schedule) + schedule->period;
	at.it_value.tv_sec = (time_t)schedule->next;
	if (timerfd_settime(schedule->timer,
			    TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at,
			    NULL) < 0 &&
	    errno != ECANCELED)
		return -errno;
	return 0;
}

int
cli_schedule_open(struct cli_schedule *schedule, uint64_t period)
{
	sigset_t set;
	int error = 0;

	*schedule = (struct cli_schedule){ .period = period };
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	schedule->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	schedule->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (schedule->signals < 0 || schedule->timer < 0)
		error = -errno;
	else
		error = wind_up(schedule);
	if (!error)
		return CLI_OK;
	cli_schedule_close(schedule);
	return cli_failed("cannot keep time", error);
}

void
cli_schedule_close(struct cli_schedule *schedule)
{
	if (schedule->signals >= 0)
		close(schedule->signals);
	if (schedule->timer >= 0)
		close(schedule->timer);
}

static unsigned int
take_signals(const struct cli_schedule *schedule)
{
	struct signalfd_siginfo info;
	unsigned int bits = 0;

	while (read(schedule->signals, &info, sizeof(info)) == sizeof(info))
		bits |= info.ssi_signo == SIGHUP ? CLI_REOPEN : CLI_NOW;
	return bits;
}

/* A clock that is set back makes no new period, and one set forward at most one. */
static unsigned int
take_timer(struct cli_schedule *schedule)
{
	uint64_t times, due = schedule->next;

	if (read(schedule->timer, &times, sizeof(times)) < 0 && errno == EAGAIN)
		return 0;
	wind_up(schedule);
	return seconds_now() < due ? 0 : CLI_TICK;
}

uint64_t
cli_schedule_skip(struct cli_schedule *schedule, uint64_t begun)
{
	uint64_t now = seconds_now(), due = schedule->next;
	uint64_t took = cli_clock(CLOCK_MONOTONIC) - begun;

	if (now < due || took < schedule->period * 1000000000)
		return 0;
	wind_up(schedule);
	return (now - due) / schedule->period + 1;
}

/* How long one may be silent; 0: for ever. */
static uint64_t
watchdog_ns(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!text || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(text, NULL, 10) * 1000;
}

void
cli_alive(void)
{
	static uint64_t limit = UINT64_MAX, last;
	uint64_t now;

	if (limit == UINT64_MAX)
		limit = watchdog_ns();
	if (limit == 0)
		return;
	now = cli_clock(CLOCK_MONOTONIC);
	if (now < last + limit / 4)
		return;
	last = now;
	cli_notify("WATCHDOG=1");
}

/* TERM and INT can come only while it waits, so none is missed before. */
static void
wait_for(struct pollfd *polls, nfds_t count, int timeout)
{
	const struct timespec time = {
		.tv_sec = timeout / 1000,
		.tv_nsec = timeout % 1000 * 1000000L,
	};
	sigset_t ends, before;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, &before);
	if (cli_stop || ppoll(polls, count, timeout < 0 ? NULL : &time, &before) < 0)
		for (nfds_t i = 0; i < count; i++)
			polls[i].revents = 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
}

unsigned int
cli_schedule_wait(struct cli_schedule *schedule, struct pollfd *fds, size_t count,
		  int timeout)
{
	struct pollfd polls[POLLS_MAX] = {
		{ .fd = schedule->timer, .events = POLLIN },
		{ .fd = schedule->signals, .events = POLLIN },
	};
	int watchdog = (int)(watchdog_ns() / 1000000 / 2);
	unsigned int bits = 0;

	if (watchdog && (timeout < 0 || timeout > watchdog))
		timeout = watchdog;
	for (size_t i = 0; i < count; i++)
		polls[i + 2] = fds[i];
	wait_for(polls, count + 2, timeout);
	for (size_t i = 0; i < count; i++)
		fds[i].revents = polls[i + 2].revents;
	cli_alive();
	if (polls[0].revents)
		bits |= take_timer(schedule);
	if (polls[1].revents)
		bits |= take_signals(schedule);
	return bits;
}

static void
notify_status(const struct cli_record *record)
{
	char lost[64] = "";

	if (record->lost)
		snprintf(lost, sizeof(lost), ", %llu event(s) lost",
			 (unsigned long long)record->lost);
	cli_notify("STATUS=%llu document(s), %llu failure(s)%s%s",
		   (unsigned long long)record->done, (unsigned long long)record->failed,
		   record->in_turn ? ", the last one too" : "", lost);
}

void
cli_record_take(struct cli_record *record, unsigned int done, unsigned int failed)
{
	if (cli_stop)
		return;
	record->done += done;
	record->failed += failed;
	if (failed == 0) {
		if (record->in_turn)
			cli_log(LOG_NOTICE, "it works again, after %llu failure(s)",
				(unsigned long long)record->in_turn);
		/* Not before: a warning is no failure, and comes each time. */
		if (record->in_turn)
			cli_forget_said();
		record->in_turn = 0;
	} else {
		record->in_turn++;
	}
	notify_status(record);
	cli_record_ready(record);
}

void
cli_record_ready(struct cli_record *record)
{
	if (!record->ready)
		cli_notify("READY=1");
	record->ready = true;
}

void
cli_record_skip(struct cli_record *record, const struct cli_schedule *schedule,
		uint64_t skipped)
{
	record->skipped += skipped;
	if (skipped && !record->slow)
		cli_log(LOG_WARNING,
			"it takes longer than the %llu s of --every: %llu period(s) "
			"skipped, and so from now on",
			(unsigned long long)schedule->period,
			(unsigned long long)skipped);
	else if (!skipped && record->slow)
		cli_log(LOG_NOTICE, "it is within its period again, after %llu skipped",
			(unsigned long long)record->skipped);
	record->slow = skipped > 0;
}
