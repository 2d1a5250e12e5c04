/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of Net-SNMP → columns and rows. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <string.h>
#include <syslog.h>

#include "log.h"
#include "region.h"
#include "space.h"

_Static_assert(sizeof(oid) == sizeof(agx_id), "one can be read as the other");

/* What a registration is for. */
struct binding {
	const struct agx_region *const *regions;
	struct agx_space *space;
	size_t base_length;
};

static const struct binding *
binding_of(const netsnmp_request_info *request)
{
	const netsnmp_mib_handler *handler = request->subtree->reginfo->handler;

	/* The last one is ours, behind helpers of Net-SNMP's. */
	while (handler->next)
		handler = handler->next;
	return handler->myvoid;
}

/* The name of the region's place.  Returns its length. */
static size_t
root_of(const struct binding *binding, const struct agx_region *region, const oid *base,
	oid root[MAX_OID_LEN])
{
	memcpy(root, base, binding->base_length * sizeof(*root));
	memcpy(root + binding->base_length, region->place,
	       region->place_length * sizeof(*root));
	return binding->base_length + region->place_length;
}

/*
 * Where a name is: before the region, in it, or behind it (<0, 0, >0); and if in it, at
 * which column and index.
 */
struct spot {
	agx_id column; /* 0: before the first */
	const agx_id *index;
	size_t length;
};

static int
locate(const netsnmp_variable_list *variable, const oid *root, size_t root_length,
       struct spot *spot)
{
	*spot = (struct spot){ 0 };
	if (variable->name_length <= root_length ||
	    memcmp(variable->name, root, root_length * sizeof(*root)) != 0)
		return snmp_oid_compare(variable->name, variable->name_length, root,
					root_length) > 0
			       ? 1
			       : -1;
	spot->column = variable->name[root_length];
	spot->index = variable->name + root_length + 1;
	spot->length = variable->name_length - root_length - 1;
	return 0;
}

static void
answer(netsnmp_request_info *request, const struct agx_value *value)
{
	if (!agx_value_put(value, request->requestvb))
		netsnmp_request_set_error(request, SNMP_ERR_GENERR);
}

int64_t
agx_scalar_after(struct agx_space *space, int64_t after)
{
	(void)space;
	return after < 0 ? 0 : -1;
}

/* Has this row one number, does it exist, and has it a value? */
static bool
numbered_get(const struct agx_region *region, struct agx_space *space,
	     const struct spot *spot, struct agx_value *value)
{
	agx_id row = spot->length == 1 ? spot->index[0] : UINT64_MAX;

	return row <= UINT32_MAX &&
	       region->row_after(space, (int64_t)row - 1) == (int64_t)row &&
	       region->value(space, (unsigned int)spot->column, (uint32_t)row, value);
}

static bool
numbered_next(const struct agx_region *region, struct agx_space *space,
	      const struct spot *spot, struct agx_row *row, struct agx_value *value)
{
	int64_t at = -1;

	if (spot->length > 0)
		at = spot->index[0] <= UINT32_MAX ? (int64_t)spot->index[0]
						  : UINT32_MAX;
	while ((at = region->row_after(space, at)) >= 0)
		if (region->value(space, (unsigned int)spot->column, (uint32_t)at,
				  value)) {
			*row = (struct agx_row){ .length = 1, .ids = { (agx_id)at } };
			return true;
		}
	return false;
}

static bool
get_in(const struct agx_region *region, struct agx_space *space,
       const struct spot *spot, struct agx_value *value)
{
	if (spot->column < region->first_column || spot->column > region->last_column)
		return false;
	if (region->value)
		return numbered_get(region, space, spot, value);
	return region->get(space, (unsigned int)spot->column, spot->index, spot->length,
			   value);
}

/* From the spot on, in this column and the following; the spot becomes the object's. */
static bool
next_in(const struct agx_region *region, struct agx_space *space, struct spot *spot,
	struct agx_row *row, struct agx_value *value)
{
	if (spot->column < region->first_column)
		*spot = (struct spot){ .column = region->first_column };
	for (; spot->column <= region->last_column; spot->column++, spot->length = 0) {
		unsigned int column = (unsigned int)spot->column;

		if (region->value ? numbered_next(region, space, spot, row, value)
				  : region->next(space, column, spot->index,
						 spot->length, row, value))
			return true;
	}
	return false;
}

/* The object of that very name. */
static bool
get(const struct binding *binding, const oid *base, netsnmp_request_info *request)
{
	struct agx_value value;
	oid root[MAX_OID_LEN];
	struct spot spot;

	for (size_t i = 0; binding->regions[i]; i++) {
		const struct agx_region *region = binding->regions[i];

		if (locate(request->requestvb, root,
			   root_of(binding, region, base, root), &spot) == 0 &&
		    get_in(region, binding->space, &spot, &value)) {
			answer(request, &value);
			return true;
		}
	}
	return false;
}

/*
 * The first object behind the name, which may be that of a column, of a region, or of
 * something before it.
 */
static void
next(const struct binding *binding, const oid *base, netsnmp_request_info *request)
{
	struct agx_value value;
	oid name[MAX_OID_LEN];
	struct agx_row row;
	struct spot spot;

	for (size_t i = 0; binding->regions[i]; i++) {
		const struct agx_region *region = binding->regions[i];
		size_t length = root_of(binding, region, base, name);

		if (locate(request->requestvb, name, length, &spot) > 0 ||
		    !next_in(region, binding->space, &spot, &row, &value))
			continue;
		name[length++] = spot.column;
		memcpy(name + length, row.ids, row.length * sizeof(*name));
		snmp_set_var_objid(request->requestvb, name, length + row.length);
		answer(request, &value);
		return;
	}
}

static void
look_up(const struct binding *binding, int mode, const oid *base,
	netsnmp_request_info *requests)
{
	for (netsnmp_request_info *at = requests; at; at = at->next) {
		if (at->processed)
			continue;
		if (mode != MODE_GET && !at->inclusive)
			next(binding, base, at);
		else if (get(binding, base, at))
			continue;
		else if (mode != MODE_GET)
			next(binding, base, at);
		else
			netsnmp_set_request_error(at->agent_req_info, at,
						  SNMP_NOSUCHINSTANCE);
	}
}

/* Only what stands alone can be set, so that a request is one region's. */
static int
handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
       netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	const struct binding *binding = handler->myvoid;
	const struct agx_region *first = binding->regions[0];

	agx_space_begin(binding->space);
	for (size_t i = 0; binding->regions[i]; i++)
		if (binding->regions[i]->prepare)
			binding->regions[i]->prepare(binding->space);
	if (info->mode == MODE_GET || info->mode == MODE_GETNEXT)
		look_up(binding, info->mode, registration->rootoid, requests);
	else if (first->set)
		first->set(binding->space, info->mode, requests);
	return SNMP_ERR_NOERROR;
}

bool
agx_request_name(const netsnmp_request_info *request, unsigned int *column,
		 const agx_id **index, size_t *length)
{
	const struct binding *binding = binding_of(request);
	struct spot spot;
	oid root[MAX_OID_LEN];
	size_t root_length = root_of(binding, binding->regions[0],
				     request->subtree->reginfo->rootoid, root);

	if (locate(request->requestvb, root, root_length, &spot) != 0)
		return false;
	*column = (unsigned int)spot.column;
	*index = spot.index;
	*length = spot.length;
	return true;
}

bool
agx_regions_register(const struct agx_region *const *regions, struct agx_space *space,
		     const char *context, const agx_id *base, size_t base_length)
{
	struct binding *binding = calloc(1, sizeof(*binding));
	netsnmp_handler_registration *registration = NULL;
	oid root[MAX_OID_LEN];
	size_t length;

	if (binding) {
		*binding = (struct binding){ regions, space, base_length };
		length = root_of(binding, regions[0], base, root);
		registration = netsnmp_create_handler_registration(
			regions[0]->name, handle, root, length,
			regions[0]->set ? HANDLER_CAN_RWRITE : HANDLER_CAN_RONLY);
	}
	if (!registration) {
		free(binding);
		agx_log(LOG_ERR, "no memory");
		return false;
	}
	/* Not the registration's own pointer: Net-SNMP makes copies without it. */
	registration->handler->myvoid = binding;
	if (*context)
		registration->contextName = strdup(context);
	if (netsnmp_register_handler(registration) == MIB_REGISTERED_OK)
		return true;
	agx_log(LOG_ERR, "cannot register %s", regions[0]->name);
	return false;
}
