/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values, and how Net-SNMP wants them. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "value.h"

static bool
number(struct agx_value *value, unsigned char type, uint64_t n)
{
	value->type = type;
	value->number = n;
	return true;
}

bool
agx_gauge(struct agx_value *value, uint64_t n)
{
	return number(value, ASN_GAUGE, n > UINT32_MAX ? UINT32_MAX : n);
}

bool
agx_integer(struct agx_value *value, int32_t n)
{
	return number(value, ASN_INTEGER, (uint64_t)(int64_t)n);
}

bool
agx_counter32(struct agx_value *value, uint64_t n)
{
	return number(value, ASN_COUNTER, (uint32_t)n);
}

bool
agx_counter64(struct agx_value *value, uint64_t n)
{
	return number(value, ASN_COUNTER64, n);
}

bool
agx_truth(struct agx_value *value, bool truth)
{
	return agx_integer(value, truth ? 1 : 2);
}

bool
agx_octets(struct agx_value *value, const void *octets, size_t size)
{
	value->type = ASN_OCTET_STR;
	value->size = size < AGX_OCTETS_MAX ? size : AGX_OCTETS_MAX;
	memcpy(value->octets, octets, value->size);
	return true;
}

bool
agx_string(struct agx_value *value, const char *string)
{
	return agx_octets(value, string, strlen(string));
}

bool
agx_bits(struct agx_value *value, uint32_t bits, unsigned int count)
{
	unsigned char octets[4] = { 0 };

	for (unsigned int i = 0; i < count; i++)
		if (bits >> i & 1)
			octets[i / 8] |= (unsigned char)(0x80 >> i % 8);
	return agx_octets(value, octets, (count + 7) / 8);
}

bool
agx_date(struct agx_value *value, uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;
	int year;

	if (!gmtime_r(&seconds, &tm))
		return false;
	year = tm.tm_year + 1900;
	const unsigned char octets[] = {
		(unsigned char)(year >> 8),
		(unsigned char)year,
		(unsigned char)(tm.tm_mon + 1),
		(unsigned char)tm.tm_mday,
		(unsigned char)tm.tm_hour,
		(unsigned char)tm.tm_min,
		(unsigned char)tm.tm_sec,
		(unsigned char)(ns / 100000000 % 10),
		'+',
		0,
		0,
	};
	return agx_octets(value, octets, sizeof(octets));
}

bool
agx_addr_type(struct agx_value *value, uint8_t family)
{
	return agx_integer(value, family == AF_INET ? 1 : 2);
}

bool
agx_addr(struct agx_value *value, uint8_t family, const struct ct_addr *addr)
{
	return agx_octets(value, addr, family == AF_INET ? 4 : 16);
}

bool
agx_value_put(const struct agx_value *value, struct variable_list *variable)
{
	struct counter64 wide = { value->number >> 32, value->number & 0xffffffff };
	long narrow = (long)value->number;
	int error;

	if (value->type == ASN_OCTET_STR)
		error = snmp_set_var_typed_value(variable, value->type, value->octets,
						 value->size);
	else if (value->type == ASN_COUNTER64)
		error = snmp_set_var_typed_value(variable, value->type, &wide,
						 sizeof(wide));
	else
		error = snmp_set_var_typed_value(variable, value->type, &narrow,
						 sizeof(narrow));
	return error == 0;
}
