#include <criterion/criterion.h>
#include <time.h>

#include "tls_rig.h"

static struct rig_cert cert;
static struct tls_tickets *tickets;
static uint64_t now_s;

static void setup(void)
{
	now_s = (uint64_t)time(NULL);
	cert = rig_cert_make(&(struct rig_cert_params){0});
	tickets = tls_tickets_create(now_s);
	cr_assert_not_null(tickets);
}

static void teardown(void)
{
	tls_tickets_free(tickets);
	rig_cert_free(&cert);
}

TestSuite(resumption, .init = setup, .fini = teardown);

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION, DTLS1_2_VERSION};
enum { VERSIONS = sizeof versions / sizeof *versions, TURN_S = 8 * 3600, KEY_NAME_SIZE = 16 };

static struct tls_context *context_for(int version, struct tls_tickets *of)
{
	return rig_context(version == DTLS1_2_VERSION, of, &cert, 1);
}

/* A handshake, with a ticket or without. Returns what the client would resume after it. */
static SSL_SESSION *meet(struct tls_context *context, int version, SSL_SESSION *ticket, bool *ret_resumed)
{
	struct rig *rig = rig_new(context,
		&(struct rig_client_params){.datagrams = version == DTLS1_2_VERSION, .version = version, .session = ticket});
	rig_run(rig);
	cr_assert(rig_done(rig), "failure %s", tls_failure_name(rig->failure));
	cr_expect_leq(rig->tickets, 1, "one is enough for a client with one connection");
	*ret_resumed = tls_session_resumed(rig->server);
	cr_expect_eq(*ret_resumed, SSL_session_reused(rig->client));
	rig_open_records(rig);
	cr_expect(rig_talks(rig));
	SSL_SESSION *result = rig->ticket ? rig->ticket : SSL_get1_session(rig->client);
	rig->ticket = NULL;
	rig_free(rig);
	return result;
}

Test(resumption, works_with_a_ticket_of_another_context)
{
	for (size_t i = 0; i < VERSIONS; i++) {
		struct tls_context *first = context_for(versions[i], tickets), *second = context_for(versions[i], tickets);
		bool resumed;
		SSL_SESSION *ticket = meet(first, versions[i], NULL, &resumed);
		cr_expect_not(resumed);
		tls_context_unref(first);
		SSL_SESSION *next = meet(second, versions[i], ticket, &resumed);
		cr_expect(resumed, "version %x", versions[i]);
		tls_context_unref(second);
		SSL_SESSION_free(ticket);
		SSL_SESSION_free(next);
	}
}

Test(resumption, leaves_data_that_shares_a_datagram_with_the_last_flight)
{
	struct tls_context *context = context_for(DTLS1_2_VERSION, tickets);
	bool resumed;
	SSL_SESSION *ticket = meet(context, DTLS1_2_VERSION, NULL, &resumed);
	struct rig *rig = rig_new(context, &(struct rig_client_params){.datagrams = true, .session = ticket});
	while (!SSL_is_init_finished(rig->client)) {
		rig_server(rig);
		rig_client(rig);
	}
	size_t flight_size = rig->up.sizes[0];
	cr_assert_eq(rig->up.count, 1);
	cr_assert_eq(SSL_write(rig->client, "early", 5), 5);
	memcpy(rig->up.pieces[0] + flight_size, rig->up.pieces[1], rig->up.sizes[1]);
	size_t left = rig_deliver_up(rig, bytes_of(rig->up.pieces[0], flight_size + rig->up.sizes[1]));
	cr_assert_eq(rig->progress, TLS_SESSION_DONE);
	cr_assert_eq(left, rig->up.sizes[1]);
	rig_open_records(rig);
	memcpy(rig->up.pieces[0], rig->up.pieces[1], left);
	rig->up.sizes[0] = left;
	cr_expect(rig_hears(rig, "early"));
	rig_free(rig);
	SSL_SESSION_free(ticket);
	tls_context_unref(context);
}

Test(resumption, is_not_offered_without_tickets)
{
	for (size_t i = 0; i < VERSIONS; i++) {
		struct tls_context *context = context_for(versions[i], NULL);
		bool resumed;
		SSL_SESSION *session = meet(context, versions[i], NULL, &resumed);
		cr_expect_not(SSL_SESSION_has_ticket(session), "version %x", versions[i]);
		SSL_SESSION_free(session);
		tls_context_unref(context);
	}
}

Test(resumption, falls_back_to_a_full_handshake_with_a_ticket_of_another_process)
{
	struct tls_tickets *others = tls_tickets_create(now_s);
	for (size_t i = 0; i < VERSIONS; i++) {
		struct tls_context *theirs = context_for(versions[i], others), *ours = context_for(versions[i], tickets);
		bool resumed;
		SSL_SESSION *ticket = meet(theirs, versions[i], NULL, &resumed);
		SSL_SESSION *next = meet(ours, versions[i], ticket, &resumed);
		cr_expect_not(resumed);
		SSL_SESSION_free(ticket);
		SSL_SESSION_free(next);
		tls_context_unref(theirs);
		tls_context_unref(ours);
	}
	tls_tickets_free(others);
}

static bool same_key(const SSL_SESSION *a, const SSL_SESSION *b)
{
	const unsigned char *of_a, *of_b;
	size_t size_a, size_b;
	SSL_SESSION_get0_ticket(a, &of_a, &size_a);
	SSL_SESSION_get0_ticket(b, &of_b, &size_b);
	cr_assert(size_a > KEY_NAME_SIZE && size_b > KEY_NAME_SIZE);
	return memcmp(of_a, of_b, KEY_NAME_SIZE) == 0;
}

static void resume_after(struct tls_context *context, int version, unsigned turns, bool at_once)
{
	bool resumed;
	SSL_SESSION *ticket = meet(context, version, NULL, &resumed);
	for (unsigned i = 0; i < turns; i++) {
		now_s += TURN_S;
		if (!at_once || i == turns - 1)
			cr_expect(tls_tickets_renew(tickets, now_s));
	}
	SSL_SESSION *next = meet(context, version, ticket, &resumed);
	cr_expect_eq(resumed, turns < 3, "version %x, %u turns", version, turns);
	cr_expect_eq(same_key(ticket, next), turns == 0, "version %x, %u turns: the newest issues", version, turns);
	SSL_SESSION_free(ticket);
	SSL_SESSION_free(next);
}

Test(resumption, takes_tickets_of_the_two_keys_before_and_renews_them)
{
	for (size_t i = 0; i < VERSIONS; i++) {
		struct tls_context *context = context_for(versions[i], tickets);
		for (unsigned turns = 0; turns < 4; turns++)
			resume_after(context, versions[i], turns, false);
		tls_context_unref(context);
		tls_tickets_free(tickets);
		tickets = tls_tickets_create((uint64_t)time(NULL));
		now_s = (uint64_t)time(NULL);
	}
}

Test(resumption, forgets_keys_whose_time_went_by_unnoticed)
{
	struct tls_context *context = context_for(TLS1_2_VERSION, tickets);
	for (unsigned turns = 2; turns < 4; turns++)
		resume_after(context, TLS1_2_VERSION, turns, true);
	tls_context_unref(context);
}

Test(resumption, of_tls_1_3_gives_no_early_data_and_no_ticket_that_outlives_its_key)
{
	struct tls_context *context = context_for(TLS1_3_VERSION, tickets);
	bool resumed;
	SSL_SESSION *ticket = meet(context, TLS1_3_VERSION, NULL, &resumed);
	cr_expect_eq(SSL_SESSION_get_max_early_data(ticket), 0);
	cr_expect_eq(SSL_SESSION_get_ticket_lifetime_hint(ticket), 2 * TURN_S);
	SSL_SESSION_free(ticket);
	tls_context_unref(context);
}
