/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A SET in the flow table: a flow is deleted, or gets another mark or timeout.
 *
 * It is done in ACTION, as Net-SNMP loses errors of COMMIT: the syntax is looked at
 * first, then the kernel is asked whether the flow is there, and which one it is, and
 * then that one is changed, not one that took its place meanwhile.
 */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <errno.h>
#include <limits.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "common/change.h"
#include "common/text.h"
#include "index.h"
#include "log.h"
#include "regions.h"
#include "space.h"

#define CHANGE "conntap change"

/* What one variable of a request is to do; it goes with the request through the modes.
 */
struct change {
	unsigned int column;
	uint32_t number;
	struct ct_table_key key;
	struct ct_flow flow; /* as it was before */
	bool done;
};

/* RESERVE1: may it, and does it make sense? */

static int
check_column(const struct agx_options *options, unsigned int column)
{
	if (column == AGX_FLOW_ACTION && options->allow_delete)
		return SNMP_ERR_NOERROR;
	if ((column == AGX_FLOW_MARK || column == AGX_FLOW_TIMEOUT) &&
	    options->allow_write)
		return SNMP_ERR_NOERROR;
	return SNMP_ERR_NOTWRITABLE;
}

static int
check_value(unsigned int column, const netsnmp_variable_list *variable)
{
	u_char type = column == AGX_FLOW_ACTION ? ASN_INTEGER : ASN_UNSIGNED;

	if (variable->type != type)
		return SNMP_ERR_WRONGTYPE;
	if (variable->val_len != sizeof(long))
		return SNMP_ERR_WRONGLENGTH;
	if (column == AGX_FLOW_ACTION && *variable->val.integer != AGX_DELETE)
		return SNMP_ERR_WRONGVALUE;
	/* 0 would be a deletion, and that has rules of its own. */
	if (column == AGX_FLOW_TIMEOUT &&
	    (*variable->val.integer < 1 || *variable->val.integer > INT_MAX))
		return SNMP_ERR_WRONGVALUE;
	return SNMP_ERR_NOERROR;
}

static int
begin(const struct agx_space *space, netsnmp_request_info *request)
{
	struct change *change;
	struct ct_table_key key;
	unsigned int column;
	const agx_id *index;
	size_t length;
	int error;

	if (!agx_request_name(request, &column, &index, &length))
		return SNMP_ERR_NOTWRITABLE;
	error = check_column(space->options, column);
	if (!error)
		error = check_value(column, request->requestvb);
	if (error)
		return error;
	if (!agx_index_key(index, length, &key))
		return SNMP_ERR_NOCREATION;
	change = calloc(1, sizeof(*change));
	if (!change)
		return SNMP_ERR_RESOURCEUNAVAILABLE;
	change->column = column;
	change->key = key;
	change->number = (uint32_t)*request->requestvb->val.integer;
	netsnmp_request_add_list_data(request,
				      netsnmp_create_data_list(CHANGE, change, free));
	return SNMP_ERR_NOERROR;
}

/* RESERVE2: is the flow there, and are there not too many? */

/* Of all namespaces together: it is the machine that is to be spared. */
static bool
is_within_limit(const struct agx_options *options)
{
	static uint64_t second;
	static uint32_t count;
	uint64_t now = agx_milliseconds() / 1000;

	if (now != second)
		count = 0;
	second = now;
	return count++ < options->delete_limit;
}

static int
find(struct agx_space *space, struct change *change)
{
	int error = agx_space_get(space, &change->key, &change->flow);

	if (error == -ENOENT)
		return SNMP_ERR_NOCREATION;
	if (error)
		return SNMP_ERR_RESOURCEUNAVAILABLE;
	if (change->column == AGX_FLOW_ACTION && !is_within_limit(space->options)) {
		space->delete_failures++;
		return SNMP_ERR_RESOURCEUNAVAILABLE;
	}
	return SNMP_ERR_NOERROR;
}

/* ACTION. */

static void
put_end(struct ct_text *text, const struct ct_flow *flow, bool source)
{
	const struct ct_tuple *tuple = &flow->orig;

	ct_text_addr(text, tuple->family, source ? &tuple->src : &tuple->dst);
	if (ct_proto_has_ports(tuple->proto))
		ct_text_printf(text, ":%u", source ? tuple->sport : tuple->dport);
}

/* For the log: whoever misses it shall find what it was. */
static void
describe(const struct ct_flow *flow, char line[CT_TEXT_MIN])
{
	char number[CT_PROTO_NUMBER];
	struct ct_text text;

	ct_text_init(&text, line, CT_TEXT_MIN - 1, NULL, NULL);
	ct_text_str(&text, ct_proto_label(flow->orig.proto, number));
	ct_text_char(&text, ' ');
	put_end(&text, flow, true);
	ct_text_str(&text, " > ");
	put_end(&text, flow, false);
	if (flow->orig.has & CT_TUPLE_ICMP_ID)
		ct_text_printf(&text, " type %u code %u id %u", flow->orig.icmp_type,
			       flow->orig.icmp_code, flow->orig.icmp_id);
	if (ct_flow_zone(flow, CT_ORIG))
		ct_text_printf(&text, " zone %u", ct_flow_zone(flow, CT_ORIG));
	if (flow->mark)
		ct_text_printf(&text, " mark %#x", flow->mark);
	ct_text_printf(&text, " id %u", flow->id);
	*text.at = '\0';
}

static int
ask_for(struct agx_space *space, enum ct_change what, const struct ct_flow *flow)
{
	int result = 0, error;

	agx_space_look(space);
	if (!space->netlink)
		return -EPERM;
	error = ct_change(space->netlink, what, flow, 1, NULL, &result);
	return error ? error : result;
}

/* One that is gone by now is what was wanted; so is one that came in its place. */
static int delete (struct agx_space *space, struct change *change)
{
	int error = ask_for(space, CT_DELETE, &change->flow);
	char line[CT_TEXT_MIN], label[300];

	if (error == -ENOENT)
		return 0;
	describe(&change->flow, line);
	agx_space_label(space, label);
	if (error) {
		space->delete_failures++;
		agx_log(LOG_WARNING, "%scannot delete %s: %s", label, line,
			strerror(-error));
		return error;
	}
	space->deleted++;
	change->done = true;
	agx_log(LOG_NOTICE, "%sdeleted %s", label, line);
	return 0;
}

/* Only what is to be changed, and what says of which flow. */
static int
update(struct agx_space *space, const struct change *change, uint32_t number)
{
	struct ct_flow flow;

	ct_table_key_flow(&change->key, &flow);
	if (change->column == AGX_FLOW_MARK) {
		flow.mark = number;
		flow.has |= CT_MARK;
	} else {
		flow.timeout = number;
		flow.has |= CT_TIMEOUT;
	}
	return ask_for(space, CT_UPDATE, &flow);
}

static uint32_t
old_number(const struct change *change)
{
	return change->column == AGX_FLOW_MARK ? change->flow.mark
					       : change->flow.timeout;
}

static void
put_number(const struct change *change, uint32_t number, char text[16])
{
	snprintf(text, 16, change->column == AGX_FLOW_MARK ? "%#x" : "%u s", number);
}

/* As a deletion is; the flow is described as it was before. */
static void
log_number(const struct agx_space *space, const struct change *change, bool back,
	   int error)
{
	const char *what = change->column == AGX_FLOW_MARK ? "mark" : "timeout";
	char line[CT_TEXT_MIN], label[300], from[16], to[16];

	describe(&change->flow, line);
	agx_space_label(space, label);
	put_number(change, old_number(change), from);
	put_number(change, back ? old_number(change) : change->number, to);
	if (error)
		agx_log(LOG_WARNING, "%scannot set the %s of %s%s to %s: %s", label,
			what, line, back ? " back" : "", to,
			error == -ENOENT ? "it has ended" : strerror(-error));
	else if (back)
		agx_log(LOG_NOTICE, "%sset the %s of %s back to %s", label, what, line,
			to);
	else
		agx_log(LOG_NOTICE, "%sset the %s of %s from %s to %s", label, what,
			line, from, to);
}

/* Is it the flow that RESERVE2 found, or another that has its tuple by now? */
static bool
is_the_same(struct agx_space *space, const struct change *change)
{
	struct ct_flow now;

	space->asked = false;
	return agx_space_get(space, &change->key, &now) == 0 &&
	       now.id == change->flow.id && now.start == change->flow.start;
}

static int
set_number(struct agx_space *space, struct change *change)
{
	int error = is_the_same(space, change) ? update(space, change, change->number)
					       : -ENOENT;

	change->done = error == 0;
	log_number(space, change, false, error);
	return error;
}

static int
act(struct agx_space *space, struct change *change)
{
	int error = change->column == AGX_FLOW_ACTION ? delete (space, change)
						      : set_number(space, change);

	agx_space_touch(space, &change->key);
	return error ? SNMP_ERR_COMMITFAILED : SNMP_ERR_NOERROR;
}

/* UNDO: what has been deleted is. */

static int
undo(struct agx_space *space, struct change *change)
{
	int error;

	if (!change->done)
		return SNMP_ERR_NOERROR;
	if (change->column == AGX_FLOW_ACTION)
		return SNMP_ERR_UNDOFAILED;
	error = update(space, change, old_number(change));
	log_number(space, change, true, error);
	agx_space_touch(space, &change->key);
	return error ? SNMP_ERR_UNDOFAILED : SNMP_ERR_NOERROR;
}

static int
step(struct agx_space *space, int mode, netsnmp_request_info *request)
{
	struct change *change = netsnmp_request_get_list_data(request, CHANGE);

	if (mode == MODE_SET_RESERVE1)
		return begin(space, request);
	if (!change)
		return SNMP_ERR_NOERROR;
	switch (mode) {
	case MODE_SET_RESERVE2:
		return find(space, change);
	case MODE_SET_ACTION:
		return act(space, change);
	case MODE_SET_UNDO:
		return undo(space, change);
	default:
		return SNMP_ERR_NOERROR;
	}
}

void
agx_flows_set(struct agx_space *space, int mode, netsnmp_request_info *requests)
{
	for (netsnmp_request_info *at = requests; at; at = at->next) {
		int error = step(space, mode, at);

		if (error)
			netsnmp_request_set_error(at, error);
		if (error && mode != MODE_SET_UNDO)
			return;
	}
}
