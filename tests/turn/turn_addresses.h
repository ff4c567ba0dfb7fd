/*
 * turn_addresses - addresses in tests, as text.
 */
#ifndef UTURN_TESTS_TURN_ADDRESSES_H
#define UTURN_TESTS_TURN_ADDRESSES_H

#include <criterion/criterion.h>

#include "base/addr.h"

static inline struct addr ip(const char *text)
{
	struct addr addr;
	cr_assert(addr_parse_ip(text, &addr), "%s", text);
	return addr;
}

#endif
