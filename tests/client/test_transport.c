#include "client/transport.h"

#include <criterion/criterion.h>

Test(transport, names_are_found)
{
	for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
		enum transport_kind found = TRANSPORT_KINDS;
		cr_expect(transport_find(transport_name((enum transport_kind)kind), &found));
		cr_expect_eq(found, (enum transport_kind)kind);
	}
	enum transport_kind untouched = TRANSPORT_DTLS;
	cr_expect_not(transport_find("sctp", &untouched));
	cr_expect_not(transport_find("", &untouched));
	cr_expect_eq(untouched, TRANSPORT_DTLS);
}

Test(transport, streams_and_secrets)
{
	cr_expect(transport_is_stream(TRANSPORT_TCP) && transport_is_stream(TRANSPORT_TLS));
	cr_expect(!transport_is_stream(TRANSPORT_UDP) && !transport_is_stream(TRANSPORT_DTLS));
	cr_expect(transport_is_secure(TRANSPORT_TLS) && transport_is_secure(TRANSPORT_DTLS));
	cr_expect(!transport_is_secure(TRANSPORT_UDP) && !transport_is_secure(TRANSPORT_TCP));
}
