#include <criterion/criterion.h>

#include "wire/stun_format.h"

Test(stun_format, knows_the_attributes_of_rfc_8489_and_rfc_8656_that_the_relay_handles)
{
	static const uint16_t known[] = {
		0x01, 0x06, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1c, 0x20, 0x22};
	size_t next = 0;
	for (unsigned type = 0; type <= 0xffff; type++) {
		bool wanted = next < sizeof known / sizeof *known && known[next] == type;
		cr_assert_eq(stun_attribute_known(type), wanted, "%#x", type);
		next += wanted;
	}
}

Test(stun_format, the_lower_half_of_the_types_must_be_understood)
{
	cr_assert(stun_comprehension_required(0));
	cr_assert(stun_comprehension_required(0x7fff));
	cr_assert_not(stun_comprehension_required(0x8000));
	cr_assert_not(stun_comprehension_required(0xffff));
}
