/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that are refused before the kernel hears of them. */
#include <errno.h>
#include <sys/socket.h>

#include "common/change.h"
#include "support.h"

/* Cut to its width, each of these numbers would be another zone, or all of them. */
static void
no_such_zone(void **unused)
{
	static const int zones[] = { -2, -7, 65536, 65541, INT32_MIN, INT32_MAX };

	(void)unused;
	for (size_t i = 0; i < COUNT(zones); i++)
		assert_int_equal(ct_flush(NULL, AF_UNSPEC, zones[i]), -EINVAL);
}

static void
no_such_family(void **unused)
{
	(void)unused;
	for (int family = 0; family < 256; family++)
		if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6)
			assert_int_equal(ct_flush(NULL, (uint8_t)family, -1), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_such_zone),
		cmocka_unit_test(no_such_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
