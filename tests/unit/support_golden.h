/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SUPPORT_GOLDEN_H
#define SUPPORT_GOLDEN_H
/* What formats write, held against files, against JSON and against decency. */

/*
 * Compares `text` with the file of that name in golden/, which CONNTAP_GOLDEN=update
 * writes anew.
 */
void assert_golden(const char *name, const char *text);

/* Each line is one JSON object (RFC 8259), in printable ASCII. */
void assert_json(const char *name, const char *text);

/*
 * Neither characters outside of printable ASCII, nor markup that is not closed:
 * elements are counted, quotes must be even.
 */
void assert_xml(const char *name, const char *text);

/* Lines of printable ASCII. */
void assert_printable(const char *name, const char *text);

#endif
