/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_LOG_H
#define AGX_LOG_H
/*
 * What the agent says to a person: on stderr, graded where that is the journal, or, in
 * the background, to syslog(3).  Any thread may.
 */

/* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO of syslog.h; the line has no end of line.
 */
void agx_log(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* From now on to syslog. */
void agx_log_to_syslog(void);

/* What helps against an -errno of the core's: ": modprobe …", or "". */
const char *agx_advice(int error);

#endif
