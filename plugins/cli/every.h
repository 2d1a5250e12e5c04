/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_EVERY_H
#define CLI_EVERY_H
/*
 * What a command that runs on and on needs: periods, signals, and to tell whoever has
 * started it (systemd, by sd_notify's protocol) how it is.
 *
 * Periods begin at multiples of their length since 1970, in UTC: every 60 s is at each
 * full minute.
 */
#include <stdbool.h>
#include <stdint.h>

#include "cli.h"

/* What has come up: bits. */
enum {
	CLI_TICK = 1 << 0,   /* a new period */
	CLI_REOPEN = 1 << 1, /* SIGHUP */
	CLI_NOW = 1 << 2,    /* SIGUSR1 */
};

struct cli_schedule {
	uint64_t period; /* seconds */
	uint64_t next;   /* when the next one begins: seconds since 1970 */
	int timer;
	int signals;
};

/*
 * From now on SIGHUP and SIGUSR1 do not end the program.  Returns CLI_OK, or CLI_FAILED
 * after saying why.
 */
int cli_schedule_open(struct cli_schedule *schedule, uint64_t period);
void cli_schedule_close(struct cli_schedule *schedule);

/* When the present period began: seconds since 1970. */
uint64_t cli_period(const struct cli_schedule *schedule);

/*
 * Leaves out the periods that have begun since the last tick, if what began at that
 * time (of CLOCK_MONOTONIC) has taken a whole one; returns how many.  Otherwise the
 * next one only begins a little late.
 */
uint64_t cli_schedule_skip(struct cli_schedule *schedule, uint64_t begun);

/*
 * Waits until something comes up, or one of `fds` is readable, or cli_stop is set;
 * `timeout` is in milliseconds, -1 for none.  Returns the bits of what has come up.
 */
struct pollfd;
unsigned int cli_schedule_wait(struct cli_schedule *schedule, struct pollfd *fds,
			       size_t count, int timeout);

/* Tells the service manager; nothing happens where there is none. */
void cli_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* To be called often: tells it, now and then, that all is well. */
void cli_alive(void);

/*
 * What is tried again and again: counts, says what has changed, and tells the manager.
 */
struct cli_record {
	uint64_t done;    /* documents */
	uint64_t failed;  /* in all */
	uint64_t in_turn; /* failures since the last time that it worked */
	uint64_t lost;    /* events */
	uint64_t skipped; /* periods */
	bool slow;        /* the last one took longer than its period */
	bool ready;       /* there was a first one, and the manager knows */
};

/* Of one time: so many documents were written, and so many not. */
void cli_record_take(struct cli_record *record, unsigned int done, unsigned int failed);

/* There has been a first attempt: the manager is told, once. */
void cli_record_ready(struct cli_record *record);

void cli_record_skip(struct cli_record *record, const struct cli_schedule *schedule,
		     uint64_t skipped);

#endif
