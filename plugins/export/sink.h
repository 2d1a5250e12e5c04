/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_SINK_H
#define EXPORT_SINK_H
/*
 * Where a document goes: to stdout or into a file, compressed or not; the stages that
 * this takes, one behind the other.
 */
#include <stdbool.h>

#include "common/text.h"
#include "compress.h"
#include "file.h"

struct output_sink_how {
	const char *path; /* NULL: stdout */
	struct output_file_how file;
	struct output_compress_how compress;
	/* Little is written, or somebody watches: what is flushed can be read. */
	bool prompt;
};

struct output_sink;

/* Errors: those of output_file_open(), output_compressor_new(), output_behind_new(). */
int output_sink_open(struct output_sink **sink, const struct output_sink_how *how);

/* What is to be written to. */
struct ct_text *output_sink_text(struct output_sink *sink);

/*
 * Writes what is left, puts the file in its place, and frees `sink`.  Returns 0 or the
 * first error; then there is no new file.
 */
int output_sink_commit(struct output_sink *sink);

/*
 * Frees `sink`; there is no new file, and what has not gone to stdout yet does not go
 * there.  Takes NULL.
 */
void output_sink_abort(struct output_sink *sink);

/* A ct_text_flush_fn: all of it to stdout, or -errno. */
int output_stdout(const char *bytes, size_t size, void *unused);

#endif
