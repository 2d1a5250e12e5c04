/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGX_REGION_H
#define AGX_REGION_H
/*
 * A part of the MIB that is registered with Net-SNMP as one: a table, or a group of
 * scalars, which is a table with one row, 0.  A region knows columns and rows; what a
 * request is, and in which order names come, is known here alone.
 */
#include <stdbool.h>
#include <stddef.h>

#include "index.h"
#include "value.h"

struct agx_space;
struct netsnmp_request_info_s;

/* The name of a row, as a walk goes on from it. */
struct agx_row {
	size_t length;
	agx_id ids[AGX_INDEX_MAX];
};

#define AGX_PLACE_MAX 4

struct agx_region {
	const char *name;
	agx_id place[AGX_PLACE_MAX]; /* below the root of the MIB */
	size_t place_length;
	unsigned int first_column; /* that can be read */
	unsigned int last_column;

	/* Before a request is answered; may be NULL. */
	void (*prepare)(struct agx_space *space);

	/*
	 * Rows with a single number, as scalars have 0: the first that is greater than
	 * `after`, -1 when there is none, and the value in a row; false: there is no
	 * such instance.
	 */
	int64_t (*row_after)(struct agx_space *space, int64_t after);
	bool (*value)(struct agx_space *space, unsigned int column, uint32_t row,
		      struct agx_value *value);

	/*
	 * Or rows with longer names: the value of an object, and the first object of
	 * the column behind an index of any length, with any numbers, and 0 long for
	 * the first of all; false: there is none.
	 */
	bool (*get)(struct agx_space *space, unsigned int column, const agx_id *index,
		    size_t length, struct agx_value *value);
	bool (*next)(struct agx_space *space, unsigned int column, const agx_id *index,
		     size_t length, struct agx_row *row, struct agx_value *value);

	/*
	 * One of the modes of a SET, for all variables of a request; NULL: nothing
	 * can be set.  An error goes into the request.
	 */
	void (*set)(struct agx_space *space, int mode,
		    struct netsnmp_request_info_s *requests);
};

/* Rows of scalars. */
int64_t agx_scalar_after(struct agx_space *space, int64_t after);

/* The column and the index in the name that a request has; false: too short. */
bool agx_request_name(const struct netsnmp_request_info_s *request,
		      unsigned int *column, const agx_id **index, size_t *length);

/*
 * Registers regions that stand in one another: the place of the first, which is that of
 * the registration, is the beginning of the places of all others, and they are in the
 * order of their names; NULL is behind the last.  (Net-SNMP would register them one by
 * one, too, but tells snmpd so several times.)  Below `base`, in the context `context`;
 * "" is the default one.  False: refused, which has been logged.
 */
bool agx_regions_register(const struct agx_region *const *regions,
			  struct agx_space *space, const char *context,
			  const agx_id *base, size_t base_length);

#endif
