/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text → the thread behind, or a buffer → compression → a file, or stdout. */
#include "sink.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "behind.h"

#define BUFFER (128 * 1024)

struct output_sink {
	struct output_file *file; /* NULL: stdout */
	struct output_compressor *compressor;
	struct output_behind *behind; /* NULL: prompt */
	struct ct_text text;          /* where there is no thread */
	char *buffer;
};

int
output_stdout(const char *bytes, size_t size, void *unused)
{
	(void)unused;
	while (size > 0) {
		ssize_t written = write(STDOUT_FILENO, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
}

static int
write_promptly(const char *bytes, size_t size, void *data)
{
	int error = output_compressor_write(bytes, size, data);

	return error ? error : output_compressor_flush(data);
}

static int
open_text(struct output_sink *sink, bool prompt)
{
	if (!prompt)
		return output_behind_new(&sink->behind, output_compressor_write,
					 sink->compressor);
	sink->buffer = malloc(BUFFER);
	if (!sink->buffer)
		return -ENOMEM;
	ct_text_init(&sink->text, sink->buffer, BUFFER, write_promptly,
		     sink->compressor);
	return 0;
}

/* All but the file. */
static void
release(struct output_sink *sink)
{
	output_behind_free(sink->behind);
	output_compressor_free(sink->compressor);
	free(sink->buffer);
	free(sink);
}

int
output_sink_open(struct output_sink **result, const struct output_sink_how *how)
{
	struct output_sink *sink = calloc(1, sizeof(*sink));
	int error = 0;

	*result = NULL;
	if (!sink)
		return -ENOMEM;
	if (how->path)
		error = output_file_open(&sink->file, how->path, &how->file);
	if (!error)
		error = output_compressor_new(
			&sink->compressor, &how->compress,
			how->path ? output_file_write : output_stdout, sink->file);
	if (!error)
		error = open_text(sink, how->prompt);
	if (error)
		output_sink_abort(sink);
	else
		*result = sink;
	return error;
}

struct ct_text *
output_sink_text(struct output_sink *sink)
{
	return sink->behind ? output_behind_text(sink->behind) : &sink->text;
}

int
output_sink_commit(struct output_sink *sink)
{
	struct output_file *file = sink->file;
	int error = sink->behind ? output_behind_flush(sink->behind)
				 : ct_text_flush(&sink->text);

	if (!error)
		error = output_compressor_end(sink->compressor);
	release(sink);
	if (!file)
		return error;
	if (!error)
		return output_file_commit(file);
	output_file_abort(file);
	return error;
}

void
output_sink_abort(struct output_sink *sink)
{
	struct output_file *file;

	if (!sink)
		return;
	file = sink->file;
	release(sink);
	output_file_abort(file);
}
