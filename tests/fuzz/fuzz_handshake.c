/*
 * fuzz_handshake - hostile bytes as a client's first and later flights, in TLS and DTLS: whatever comes, a session ends with a
 * failure that has a name, reads no more than it was given, and sends datagrams within the MTU.
 *
 * Input: a byte that says which protocol and how many flights an honest client sends first, one that says what becomes of its next
 * (see `damage`), and then the pieces: two bytes of length each.
 */
#include <openssl/err.h>

#include "exact_copy.h"
#include "fuzz_rig.h"
#include "tls_rig.h"

enum { PIECE_MAX = 18000, PIECES_MAX = 24 };
enum { DATAGRAMS = 1, OLD = 2, WITH_RSA = 4, FLIGHTS_SHIFT = 3, FLIGHTS = 4 };
enum { SEND_AS_IT_IS, FLIP, CUT, WITHHOLD, DAMAGES };

struct input {
	const uint8_t *data;
	size_t size;
};

static unsigned take(struct input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

static struct tls_context *context_of(unsigned choice)
{
	static struct tls_context *contexts[4];
	static struct tls_tickets *tickets;
	struct tls_context **context = &contexts[(choice & DATAGRAMS) + (choice & WITH_RSA ? 2 : 0)];
	if (tickets == NULL)
		tickets = tls_tickets_create(RIG_NOW_S);
	if (*context == NULL) {
		struct rig_cert cert = rig_cert_make(
			&(struct rig_cert_params){.kind = choice & WITH_RSA ? "RSA-2048" : "P-256", .names = "DNS:a.example"});
		*context = rig_context(choice & DATAGRAMS, tickets, &cert, 1);
		rig_cert_free(&cert);
	}
	return *context;
}

static void check_state(const struct rig *rig)
{
	FUZZ_CHECK(rig->failure < TLS_FAIL_TIMEOUT);
	FUZZ_CHECK((rig->progress == TLS_SESSION_FAILED) == (rig->failure != TLS_FAIL_NONE));
	FUZZ_CHECK(!rig->datagrams || rig->largest_down <= RIG_MTU);
	FUZZ_CHECK(ERR_peek_error() == 0);
}

/* One piece, or what is left of it with the next one behind. */
static size_t deliver(struct rig *rig, const uint8_t *data, size_t size)
{
	if (rig->server == NULL)
		rig->server = tls_session_create(rig->context, RIG_MTU);
	size_t left = rig_deliver_up(rig, bytes_of(data, size));
	check_state(rig);
	if (rig->datagrams && rig->progress == TLS_SESSION_CONTINUES)
		FUZZ_CHECK(left == 0);
	rig_drop(&rig->down);
	return rig->datagrams ? 0 : left;
}

static void damage(struct rig *rig, struct input *in)
{
	unsigned kind = take(in) % DAMAGES;
	for (size_t i = 0; i < rig->up.count; i++) {
		size_t *size = &rig->up.sizes[i];
		size_t at = (take(in) << 8 | take(in)) % *size;
		if (kind == FLIP)
			rig->up.pieces[i][at] ^= (uint8_t)take(in);
		else if (kind == CUT)
			*size = at + 1;
	}
	if (kind == WITHHOLD)
		rig_drop(&rig->up);
}

static void finish(struct rig *rig)
{
	struct tls_sink sink = rig_sink(rig);
	struct tls_keys keys;
	if (rig->server == NULL || rig->progress == TLS_SESSION_FAILED)
		return;
	if (rig->progress == TLS_SESSION_DONE)
		FUZZ_CHECK(tls_session_keys(rig->server, &keys));
	if (rig->datagrams && rig->progress == TLS_SESSION_CONTINUES) {
		rig_pass_ms(1000);
		tls_session_timeout(rig->server, &sink, &rig->failure);
	}
	if (rig->datagrams)
		FUZZ_CHECK(rig->largest_down <= RIG_MTU);
}

static void send_pieces(struct rig *rig, struct input *in)
{
	static uint8_t held[2 * PIECE_MAX];
	size_t left = 0;
	struct tls_sink sink = rig_sink(rig);
	for (unsigned i = 0; i < PIECES_MAX && in->size > 0 && rig->progress != TLS_SESSION_FAILED; i++) {
		size_t size = take(in) << 8 | take(in);
		if (size > in->size)
			size = in->size;
		if (size > PIECE_MAX || left > PIECE_MAX)
			return;
		memcpy(held + left, in->data, size);
		in->data += size;
		in->size -= size;
		if (rig->progress == TLS_SESSION_CONTINUES) {
			size_t all = left + size;
			left = deliver(rig, held, all);
			memmove(held, held + all - left, left);
		} else if (rig->datagrams) {
			tls_session_resend(rig->server, bytes_of(held, size), &sink);
			rig_drop(&rig->down);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	unsigned choice = take(&in), flights = choice >> FLIGHTS_SHIFT & (FLIGHTS - 1);
	bool datagrams = choice & DATAGRAMS;
	struct rig *rig = rig_new(context_of(choice), &(struct rig_client_params){.datagrams = datagrams,
							      .version = datagrams      ? 0
									 : choice & OLD ? TLS1_2_VERSION
											: 0});
	for (unsigned i = 0; i < flights + datagrams && flights > 0; i++) {
		rig_client(rig);
		rig_server(rig);
	}
	check_state(rig);
	rig_client(rig);
	damage(rig, &in);
	rig_server(rig);
	check_state(rig);
	send_pieces(rig, &in);
	finish(rig);
	rig_free(rig);
	return 0;
}
