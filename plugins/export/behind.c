/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring of buffers.  The text writes into one of them; when it is full, the text is
 * moved on to the next one, and the thread takes the full ones in turn.
 */
#include "behind.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define SLOTS 4
#define SLOT_SIZE (128 * 1024)

struct output_behind {
	struct ct_text text;
	ct_text_flush_fn next;
	void *data;
	pthread_t thread;
	pthread_mutex_t mutex; /* of all that follows */
	pthread_cond_t changed;
	unsigned int filled;  /* slots that were, ever */
	unsigned int emptied; /* likewise, by the thread */
	bool ending;
	int error; /* the first of `next` */
	size_t sizes[SLOTS];
	char slots[SLOTS][SLOT_SIZE];
};

static void
move_text(struct output_behind *behind)
{
	char *slot = behind->slots[behind->filled % SLOTS];

	behind->text.start = slot;
	behind->text.at = slot;
	behind->text.end = slot + SLOT_SIZE;
}

/* The text's buffer is full: it gets another one, as soon as there is one. */
static int
hand_over(const char *bytes, size_t size, void *data)
{
	struct output_behind *behind = data;
	int error;

	(void)bytes; /* which are in the slot */
	pthread_mutex_lock(&behind->mutex);
	behind->sizes[behind->filled++ % SLOTS] = size;
	pthread_cond_broadcast(&behind->changed);
	while (behind->filled - behind->emptied == SLOTS)
		pthread_cond_wait(&behind->changed, &behind->mutex);
	error = behind->error;
	pthread_mutex_unlock(&behind->mutex);
	move_text(behind);
	return error;
}

static void *
write_on(void *data)
{
	struct output_behind *behind = data;
	int error = 0;

	pthread_mutex_lock(&behind->mutex);
	for (;;) {
		unsigned int slot = behind->emptied % SLOTS;

		while (behind->filled == behind->emptied && !behind->ending)
			pthread_cond_wait(&behind->changed, &behind->mutex);
		if (behind->ending)
			break;
		pthread_mutex_unlock(&behind->mutex);
		if (!error)
			error = behind->next(behind->slots[slot], behind->sizes[slot],
					     behind->data);
		pthread_mutex_lock(&behind->mutex);
		behind->error = error;
		behind->emptied++;
		pthread_cond_broadcast(&behind->changed);
	}
	pthread_mutex_unlock(&behind->mutex);
	return NULL;
}

/* Signals are for the thread that formats. */
static int
start(struct output_behind *behind)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&behind->thread, NULL, write_on, behind);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

int
output_behind_new(struct output_behind **result, ct_text_flush_fn next, void *data)
{
	struct output_behind *behind = malloc(sizeof(*behind));
	int error;

	*result = NULL;
	if (!behind)
		return -ENOMEM;
	memset(behind, 0, offsetof(struct output_behind, slots));
	behind->next = next;
	behind->data = data;
	ct_text_init(&behind->text, behind->slots[0], SLOT_SIZE, hand_over, behind);
	pthread_mutex_init(&behind->mutex, NULL);
	pthread_cond_init(&behind->changed, NULL);
	error = start(behind);
	if (error) {
		free(behind);
		return error;
	}
	*result = behind;
	return 0;
}

void
output_behind_free(struct output_behind *behind)
{
	if (!behind)
		return;
	pthread_mutex_lock(&behind->mutex);
	behind->ending = true;
	pthread_cond_broadcast(&behind->changed);
	pthread_mutex_unlock(&behind->mutex);
	pthread_join(behind->thread, NULL);
	pthread_cond_destroy(&behind->changed);
	pthread_mutex_destroy(&behind->mutex);
	free(behind);
}

struct ct_text *
output_behind_text(struct output_behind *behind)
{
	return &behind->text;
}

int
output_behind_flush(struct output_behind *behind)
{
	int error = ct_text_flush(&behind->text);

	pthread_mutex_lock(&behind->mutex);
	while (behind->filled != behind->emptied)
		pthread_cond_wait(&behind->changed, &behind->mutex);
	if (!error)
		error = behind->error;
	pthread_mutex_unlock(&behind->mutex);
	return error;
}
