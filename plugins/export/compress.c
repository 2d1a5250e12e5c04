/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zlib and libzstd behind one face. */
#include "compress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define BUFFER (128 * 1024)
#define GZIP_WINDOW (15 + 16) /* the largest, and gzip's header instead of zlib's */
#define GZIP_MEMORY 8

static const struct {
	const char *name;
	int level; /* unless one is asked for */
	int levels;
} kinds[] = {
	[OUTPUT_PLAIN] = { "none", 0, 0 },
	[OUTPUT_GZIP] = { "gzip", 1, 9 },
	[OUTPUT_ZSTD] = { "zstd", 1, 19 },
};

struct output_compressor {
	enum output_compression kind;
	ct_text_flush_fn next;
	void *data;
	z_stream gzip;
	ZSTD_CCtx *zstd;
	char buffer[BUFFER];
};

int
output_compress_parse(const char *word, struct output_compress_how *how,
		      struct ct_why *why)
{
	const char *colon = strchrnul(word, ':');
	char name[16];
	uint64_t level;
	size_t kind = 0;

	snprintf(name, sizeof(name), "%.*s", (int)(colon - word), word);
	while (kind < sizeof(kinds) / sizeof(kinds[0]) &&
	       !ct_same_word(name, kinds[kind].name))
		kind++;
	if (kind == sizeof(kinds) / sizeof(kinds[0]))
		return ct_parse_failed(why,
				       "%.100s is no compression (gzip, zstd, none; "
				       "gzip:9, zstd:19)",
				       word);
	how->kind = (enum output_compression)kind;
	how->level = kinds[kind].level;
	if (!*colon)
		return 0;
	if (kinds[kind].levels == 0)
		return ct_parse_failed(why, "%.100s: %s has no levels", word,
				       kinds[kind].name);
	if (ct_parse_number(colon + 1, (uint64_t)kinds[kind].levels, "a level", &level,
			    why) < 0)
		return -EINVAL;
	if (level == 0)
		return ct_parse_failed(why, "%.100s: a level is 1 to %d", word,
				       kinds[kind].levels);
	how->level = (int)level;
	return 0;
}

static bool
begin(struct output_compressor *compressor, int level)
{
	if (compressor->kind == OUTPUT_GZIP)
		return deflateInit2(&compressor->gzip, level, Z_DEFLATED, GZIP_WINDOW,
				    GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
	if (compressor->kind != OUTPUT_ZSTD)
		return true;
	compressor->zstd = ZSTD_createCCtx();
	return compressor->zstd &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(compressor->zstd,
						    ZSTD_c_compressionLevel, level)) &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(compressor->zstd,
						    ZSTD_c_checksumFlag, 1));
}

int
output_compressor_new(struct output_compressor **result,
		      const struct output_compress_how *how, ct_text_flush_fn next,
		      void *data)
{
	struct output_compressor *compressor = calloc(1, sizeof(*compressor));

	*result = NULL;
	if (!compressor)
		return -ENOMEM;
	compressor->kind = how->kind;
	compressor->next = next;
	compressor->data = data;
	if (!begin(compressor, how->level)) {
		output_compressor_free(compressor);
		return -ENOMEM;
	}
	*result = compressor;
	return 0;
}

void
output_compressor_free(struct output_compressor *compressor)
{
	if (!compressor)
		return;
	if (compressor->kind == OUTPUT_GZIP)
		deflateEnd(&compressor->gzip);
	ZSTD_freeCCtx(compressor->zstd);
	free(compressor);
}

/* Both take their input by and by, and are done when all of it is out. */

static int
gzip(struct output_compressor *compressor, const char *bytes, size_t size, int flush)
{
	z_stream *stream = &compressor->gzip;
	int error = 0;

	/* zlib does not write there, but has no word for it. */
	stream->next_in = (Bytef *)(uintptr_t)bytes;
	stream->avail_in = (uInt)size;
	do {
		stream->next_out = (Bytef *)compressor->buffer;
		stream->avail_out = BUFFER;
		if (deflate(stream, flush) == Z_STREAM_ERROR)
			return -EIO;
		if (stream->avail_out < BUFFER)
			error = compressor->next(compressor->buffer,
						 BUFFER - stream->avail_out,
						 compressor->data);
	} while (!error && stream->avail_out == 0);
	return error;
}

static int
zstd(struct output_compressor *compressor, const char *bytes, size_t size,
     ZSTD_EndDirective end)
{
	ZSTD_inBuffer in = { .src = bytes, .size = size };
	bool done;
	int error = 0;

	do {
		ZSTD_outBuffer out = { .dst = compressor->buffer, .size = BUFFER };
		size_t left = ZSTD_compressStream2(compressor->zstd, &out, &in, end);

		/* Most of its memory is taken when the first bytes come. */
		if (ZSTD_isError(left))
			return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation
				       ? -ENOMEM
				       : -EIO;
		if (out.pos > 0)
			error = compressor->next(compressor->buffer, out.pos,
						 compressor->data);
		done = end == ZSTD_e_continue ? in.pos == in.size : left == 0;
	} while (!error && !done);
	return error;
}

int
output_compressor_write(const char *bytes, size_t size, void *data)
{
	struct output_compressor *compressor = data;

	if (compressor->kind == OUTPUT_GZIP)
		return gzip(compressor, bytes, size, Z_NO_FLUSH);
	if (compressor->kind == OUTPUT_ZSTD)
		return zstd(compressor, bytes, size, ZSTD_e_continue);
	return compressor->next(bytes, size, compressor->data);
}

static int
hand_on(struct output_compressor *compressor, int gzip_how, ZSTD_EndDirective zstd_how)
{
	if (compressor->kind == OUTPUT_GZIP)
		return gzip(compressor, NULL, 0, gzip_how);
	if (compressor->kind == OUTPUT_ZSTD)
		return zstd(compressor, NULL, 0, zstd_how);
	return 0;
}

int
output_compressor_flush(struct output_compressor *compressor)
{
	return hand_on(compressor, Z_SYNC_FLUSH, ZSTD_e_flush);
}

int
output_compressor_end(struct output_compressor *compressor)
{
	return hand_on(compressor, Z_FINISH, ZSTD_e_end);
}
