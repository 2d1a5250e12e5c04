/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_COMPRESS_H
#define EXPORT_COMPRESS_H
/*
 * A stage between what is written and where it goes, that makes it smaller: gzip or
 * zstd, by their libraries.
 */
#include <stddef.h>

#include "common/parse.h"
#include "common/text.h"

enum output_compression {
	OUTPUT_PLAIN, /* nothing is done */
	OUTPUT_GZIP,
	OUTPUT_ZSTD,
};

struct output_compress_how {
	enum output_compression kind;
	int level; /* 1 is the fastest */
};

/*
 * Reads "gzip", "zstd:19", "none".  The levels are 1 to 9, and 1 to 19; without one it
 * is what costs little more time than the rest of an export.  Returns 0, or -EINVAL and
 * why.
 */
int output_compress_parse(const char *word, struct output_compress_how *how,
			  struct ct_why *why);

struct output_compressor;

/* What comes out is handed to `next`.  Returns 0 or -ENOMEM; `free` takes NULL. */
int output_compressor_new(struct output_compressor **compressor,
			  const struct output_compress_how *how, ct_text_flush_fn next,
			  void *data);
void output_compressor_free(struct output_compressor *compressor);

/* A ct_text_flush_fn; returns what `next` does when that is an error. */
int output_compressor_write(const char *bytes, size_t size, void *compressor);

/* Hands on all that was written, so that it can be read, which makes it larger. */
int output_compressor_flush(struct output_compressor *compressor);

/* Hands on what is left.  Nothing may be written after it.  Likewise. */
int output_compressor_end(struct output_compressor *compressor);

#endif
