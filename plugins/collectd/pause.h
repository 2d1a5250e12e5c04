/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TAP_PAUSE_H
#define TAP_PAUSE_H
/*
 * How a thread of the plugin's waits for its next turn, and is told to end: for those
 * that read by themselves.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "host.h"

struct tap_pause {
	volatile sig_atomic_t over; /* for a pass that looks at it now and then */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
};

void tap_pause_init(struct tap_pause *pause);
void tap_pause_done(struct tap_pause *pause);

/*
 * Waits for the next whole number of intervals after `begun`, by the clock that nobody
 * sets (CLOCK_MONOTONIC); those that have passed meanwhile are left out.  Returns false
 * when the thread is to end, at once.
 */
bool tap_pause_wait(struct tap_pause *pause, cdtime_t begun, cdtime_t interval);

/* The time by that clock. */
cdtime_t tap_pause_now(void);

/* The thread is to end. */
void tap_pause_end(struct tap_pause *pause);

#endif
