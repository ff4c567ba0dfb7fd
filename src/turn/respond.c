#include "respond.h"

#include "authenticate.h"

static const char software[] = "uturn";

const uint16_t turn_error_codes[] = {
	STUN_TRY_ALTERNATE,
	STUN_BAD_REQUEST,
	STUN_UNAUTHENTICATED,
	STUN_FORBIDDEN,
	STUN_UNKNOWN_ATTRIBUTE,
	STUN_ALLOCATION_MISMATCH,
	STUN_STALE_NONCE,
	STUN_ADDRESS_FAMILY_NOT_SUPPORTED,
	STUN_WRONG_CREDENTIALS,
	STUN_UNSUPPORTED_TRANSPORT,
	STUN_PEER_ADDRESS_FAMILY_MISMATCH,
	STUN_ALLOCATION_QUOTA_REACHED,
	STUN_SERVER_ERROR,
	STUN_INSUFFICIENT_CAPACITY,
	0,
};
_Static_assert(sizeof turn_error_codes / sizeof *turn_error_codes <= sizeof((struct turn_counters *)0)->errors / sizeof(counter),
	"every code has its counter");

/* In the order of turn_error_codes. */
static const char *const reasons[] = {
	"Try Alternate",
	"Bad Request",
	"Unauthenticated",
	"Forbidden",
	"Unknown Attribute",
	"Allocation Mismatch",
	"Stale Nonce",
	"Address Family not Supported",
	"Wrong Credentials",
	"Unsupported Transport Protocol",
	"Peer Address Family Mismatch",
	"Allocation Quota Reached",
	"Server Error",
	"Insufficient Capacity",
};
_Static_assert(
	sizeof reasons / sizeof *reasons == sizeof turn_error_codes / sizeof *turn_error_codes - 1, "a phrase for every code");

static unsigned error_index(enum stun_error error)
{
	unsigned i = 0;
	while (turn_error_codes[i] != error) {
		assert(turn_error_codes[i] != 0);
		i++;
	}
	return i;
}

static struct stun_builder begin(struct turn_out *out, const struct transaction *transaction, enum stun_class class)
{
	return stun_build_answer(out->reply, sizeof out->reply, transaction->method, class, transaction->id);
}

struct stun_builder respond_begin(struct turn_out *out, const struct transaction *transaction)
{
	return begin(out, transaction, STUN_SUCCESS);
}

void respond_end(struct turn_out *out, const struct flow *flow, const struct transaction *transaction, struct stun_builder *b)
{
	if (transaction->integrity != INTEGRITY_NONE) {
		stun_build_bytes(b, STUN_ATTR_SOFTWARE, bytes_of_string(software));
		integrity_append(b, transaction->integrity, bytes_of(transaction->key, sizeof transaction->key));
	}
	if (transaction->fingerprint)
		stun_build_fingerprint(b);
	struct bytes reply = stun_build_end(b);
	assert(reply.data != NULL); /* TURN_REPLY_SIZE_MAX holds the longest answer that the attributes can make */
	struct turn_effect *effect = turn_effect_add(out, EFFECT_REPLY);
	effect->flow = *flow;
	effect->reply = reply;
}

static struct stun_builder begin_error(
	struct turn *t, struct turn_out *out, const struct transaction *transaction, enum stun_error error)
{
	unsigned index = error_index(error);
	counter_add(&t->counters.errors[index], 1);
	struct stun_builder b = begin(out, transaction, STUN_ERROR_RESPONSE);
	const char *reason = transaction->integrity == INTEGRITY_NONE ? "" : reasons[index];
	stun_build_error_code(&b, error, bytes_of_string(reason));
	return b;
}

/* RFC 3489 Section 11.2.4: two flags that ask for an answer from elsewhere. Old clients send them unset, which says nothing. */
static bool asks_no_change(const struct stun_view *view, const struct stun_attribute *attribute)
{
	enum { CHANGE_IP = 4, CHANGE_PORT = 2 };
	uint32_t flags;
	return view->classic && attribute->type == STUN_ATTR_CHANGE_REQUEST && stun_attribute_u32(view, attribute, &flags) &&
	       (flags & (CHANGE_IP | CHANGE_PORT)) == 0;
}

size_t unknown_attributes(const struct stun_view *view, uint16_t ret_types[static STUN_VIEW_ATTRIBUTES])
{
	size_t count = 0;
	for (unsigned i = 0; i < view->attribute_count; i++) {
		uint16_t type = view->attributes[i].type;
		bool known = !stun_comprehension_required(type) || stun_attribute_known(type) ||
			     asks_no_change(view, &view->attributes[i]);
		for (size_t j = 0; j < count && !known; j++)
			known = ret_types[j] == type;
		if (!known)
			ret_types[count++] = type;
	}
	return count;
}

static void add_challenge(struct stun_builder *b, const struct request *request)
{
	const struct turn_config *config = request->t->config;
	char nonce[NONCE_SIZE];
	nonce_make(config->nonce_secret, &request->flow->client, request->now->wall_s, nonce);
	stun_build_bytes(b, STUN_ATTR_REALM, bytes_of_string(authenticate_realm(request->t, request->allocation)));
	stun_build_bytes(b, STUN_ATTR_NONCE, bytes_of(nonce, sizeof nonce));
}

static void add_unknown_attributes(struct stun_builder *b, const struct stun_view *view)
{
	uint16_t types[STUN_VIEW_ATTRIBUTES];
	_Static_assert(STUN_VIEW_ATTRIBUTES % 2 == 0, "an odd number leaves room for one more");
	size_t count = unknown_attributes(view, types);
	/* RFC 3489 Section 11.2.10: there is no padding, so an odd list names one type twice. */
	if (view->classic && count % 2 != 0) {
		types[count] = types[0];
		count++;
	}
	stun_build_unknown_attributes(b, types, count);
}

enum verdict respond_refusal(struct request *request, enum stun_error error)
{
	struct turn *t = request->t;
	const struct transaction *transaction = &request->transaction;
	/* Nobody can make us answer a third party over a connection, and a client there does not ask again. */
	if (transaction->integrity == INTEGRITY_NONE && !flow_is_proven(request->flow) &&
		!unauth_limiter_pass(t->limiter, &t->config->unauth, &request->flow->client, request->now->mono_ns))
		return DROP_UNAUTH_LIMIT;

	struct stun_builder b = begin_error(t, request->out, transaction, error);
	switch (error) {
	case STUN_UNAUTHENTICATED:
	case STUN_STALE_NONCE:
		add_challenge(&b, request);
		break;
	case STUN_UNKNOWN_ATTRIBUTE:
		add_unknown_attributes(&b, request->view);
		break;
	case STUN_TRY_ALTERNATE:
		stun_build_addr(&b, STUN_ATTR_ALTERNATE_SERVER, &t->config->alternate_server);
		break;
	default:
		break;
	}
	respond_end(request->out, request->flow, transaction, &b);
	return ANSWERED;
}

/* RFC 8656 Section 18.12 */
static void add_address_error(struct stun_builder *b, uint8_t family)
{
	uint8_t value[4] = {family, 0, STUN_ADDRESS_FAMILY_NOT_SUPPORTED / 100, STUN_ADDRESS_FAMILY_NOT_SUPPORTED % 100};
	stun_build_bytes(b, STUN_ATTR_ADDRESS_ERROR_CODE, bytes_of(value, sizeof value));
}

void respond_allocated(struct turn *t, const struct allocation *a, struct turn_out *out)
{
	struct stun_builder b = respond_begin(out, &a->made_by);
	stun_build_xor_addr(&b, STUN_ATTR_XOR_RELAYED_ADDRESS, &relay_at(t, a->relay.index)->advertised);
	stun_build_u32(&b, STUN_ATTR_LIFETIME, a->lifetime_s);
	if (a->has_token)
		stun_build_bytes(&b, STUN_ATTR_RESERVATION_TOKEN, bytes_of(a->token, sizeof a->token));
	stun_build_xor_addr(&b, STUN_ATTR_XOR_MAPPED_ADDRESS, &a->flow.client);
	if (a->unserved_family != 0)
		add_address_error(&b, a->unserved_family);
	respond_end(out, &a->flow, &a->made_by, &b);
}

void respond_allocate_failed(struct turn *t, const struct allocation *a, struct turn_out *out)
{
	struct stun_builder b = begin_error(t, out, &a->made_by, STUN_INSUFFICIENT_CAPACITY);
	respond_end(out, &a->flow, &a->made_by, &b);
}
