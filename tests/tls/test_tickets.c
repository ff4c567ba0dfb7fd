#include <criterion/criterion.h>

#include "tls/context.h"
#include "tls_rig.h"

enum { TURN_S = 8 * 3600 };

Test(tickets, get_a_new_key_when_the_newest_is_eight_hours_old)
{
	struct tls_tickets *tickets = tls_tickets_create(RIG_NOW_S);
	cr_expect_not(tls_tickets_renew(tickets, RIG_NOW_S));
	cr_expect_not(tls_tickets_renew(tickets, RIG_NOW_S + TURN_S - 1));
	cr_expect(tls_tickets_renew(tickets, RIG_NOW_S + TURN_S));
	cr_expect_not(tls_tickets_renew(tickets, RIG_NOW_S + TURN_S));
	cr_expect(tls_tickets_renew(tickets, RIG_NOW_S + 50 * TURN_S));
	cr_expect_not(tls_tickets_renew(tickets, RIG_NOW_S + 50 * TURN_S));
	tls_tickets_free(tickets);
}

Test(tickets, turn_on_after_a_clock_that_was_set_back)
{
	struct tls_tickets *tickets = tls_tickets_create(RIG_NOW_S);
	cr_expect_not(tls_tickets_renew(tickets, 1000));
	cr_expect(tls_tickets_renew(tickets, 1000 + TURN_S));
	tls_tickets_free(tickets);
	tls_tickets_free(NULL);
}

Test(tickets, turn_with_a_new_context_too)
{
	struct tls_tickets *tickets = tls_tickets_create(RIG_NOW_S);
	struct rig_cert cert = rig_cert_make(&(struct rig_cert_params){.from_days = -1, .until_days = 9});
	struct tls_identity_pem pem = rig_pem(&cert);
	char error[TLS_TEXT_SIZE];
	size_t place;
	struct tls_context *context =
		tls_context_create(&(struct tls_context_params){.identities = &pem, .identity_count = 1, .tickets = tickets},
			RIG_NOW_S + TURN_S, &place, error);
	cr_assert_not_null(context, "%s", error);
	cr_expect_not(tls_tickets_renew(tickets, RIG_NOW_S + TURN_S), "done already");
	tls_context_unref(context);
	rig_cert_free(&cert);
	tls_tickets_free(tickets);
}
