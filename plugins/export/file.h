/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPORT_FILE_H
#define EXPORT_FILE_H
/*
 * Files that are whole or absent: written beside their place, synced, renamed.  Whoever
 * reads the file sees the old one or the new one, never a part; after a failure it is
 * the old one, and nothing else is left.  Where a process was killed at the wrong
 * moment, the next one that writes into the same directory cleans up.
 */
#include <stddef.h>
#include <sys/types.h>

struct output_file;

/* How the file is to be; what is -1 is left to the umask and to the process. */
struct output_file_how {
	int mode;
	uid_t user;
	gid_t group;
};

#define OUTPUT_FILE_USUAL \
	((struct output_file_how){ .mode = -1, .user = (uid_t)-1, .group = (gid_t)-1 })

/*
 * Begins to write what is to become `path`.  The directory must exist, and be readable
 * too, to be synced.  Errors, nothing being left behind and `file` being NULL: -EISDIR
 * when `path` is a directory, -ELOOP when it is a symbolic link, -ENOTSUP when it is a
 * device or the like, -ENOTUNIQ when its name is one that incomplete files have;
 * -ENOENT, -EACCES, -ENOMEM, …
 */
int output_file_open(struct output_file **file, const char *path,
		     const struct output_file_how *how);

/* A ct_text_flush_fn; `file` is a struct output_file.  The first error sticks. */
int output_file_write(const char *bytes, size_t size, void *file);

/*
 * Puts it in its place, with the mode and the owner that were asked for (or else
 * readable for everybody as far as the umask lets it), and frees `file`.  Returns 0, or
 * -errno, and then the place is as it was; but where no more than the directory's sync
 * failed, the new file is there, for as long as the power is.
 */
int output_file_commit(struct output_file *file);

/* Forgets what was written, and frees `file`; takes NULL. */
void output_file_abort(struct output_file *file);

#endif
