/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_BEHIND_H
#define EXPORT_BEHIND_H
/*
 * A thread that writes behind the one that formats: full buffers go to it, empty ones
 * come back, so that formatting, compressing and writing go on at the same time.
 */
#include "common/text.h"

struct output_behind;

/*
 * Starts the thread, which hands every buffer to `next`.  Returns 0, -ENOMEM or
 * -EAGAIN.  `free` takes NULL, and waits until `next` has returned.
 */
int output_behind_new(struct output_behind **behind, ct_text_flush_fn next, void *data);
void output_behind_free(struct output_behind *behind);

/* What is to be written to.  An error of `next` comes to be its sticky error. */
struct ct_text *output_behind_text(struct output_behind *behind);

/* Waits until all is handed on.  Returns the text's error. */
int output_behind_flush(struct output_behind *behind);

#endif
