/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A condition that is waited for with a time limit. */
#include "pause.h"

void
tap_pause_init(struct tap_pause *pause)
{
	pthread_condattr_t attributes;

	pause->over = 0;
	pthread_mutex_init(&pause->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pause->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

void
tap_pause_done(struct tap_pause *pause)
{
	pthread_cond_destroy(&pause->changed);
	pthread_mutex_destroy(&pause->mutex);
}

cdtime_t
tap_pause_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return TIMESPEC_TO_CDTIME_T(&now);
}

bool
tap_pause_wait(struct tap_pause *pause, cdtime_t begun, cdtime_t interval)
{
	cdtime_t passed = (tap_pause_now() - begun) / interval;
	const struct timespec next =
		CDTIME_T_TO_TIMESPEC(begun + (passed + 1) * interval);
	int error = 0;

	pthread_mutex_lock(&pause->mutex);
	while (!pause->over && error == 0)
		error = pthread_cond_timedwait(&pause->changed, &pause->mutex, &next);
	pthread_mutex_unlock(&pause->mutex);
	return !pause->over;
}

void
tap_pause_end(struct tap_pause *pause)
{
	pthread_mutex_lock(&pause->mutex);
	pause->over = 1;
	pthread_cond_signal(&pause->changed);
	pthread_mutex_unlock(&pause->mutex);
}
