#include "allocation.h"
#include "on.h"
#include "opening.h"
#include "reservation.h"
#include "respond.h"

struct allocate_ask {
	enum addr_family family;
	uint8_t unserved_family; /* on the wire; 0: none */
	bool even_port, reserve_next;
	bool has_token;
	uint8_t token[RESERVATION_TOKEN_SIZE];
	uint32_t lifetime_s;
};

enum stun_error read_lifetime(const struct request *request, uint32_t *ret_lifetime_s, bool *ret_zero)
{
	const struct turn_config *config = request->t->config;
	uint32_t asked_s = config->lifetime_default_s;
	const struct stun_attribute *attribute = stun_view_find(request->view, STUN_ATTR_LIFETIME);
	if (attribute != NULL && !stun_attribute_u32(request->view, attribute, &asked_s))
		return STUN_BAD_REQUEST;
	*ret_zero = asked_s == 0;
	if (asked_s > config->lifetime_max_s)
		asked_s = config->lifetime_max_s;
	*ret_lifetime_s = asked_s < config->lifetime_default_s ? config->lifetime_default_s : asked_s;
	return STUN_OK;
}

enum stun_error read_family(const struct stun_view *view, uint16_t type, enum addr_family *ret_family)
{
	const struct stun_attribute *attribute = stun_view_find(view, type);
	uint32_t value;
	*ret_family = ADDR_NONE;
	if (attribute == NULL)
		return STUN_OK;
	if (!stun_attribute_u32(view, attribute, &value))
		return STUN_BAD_REQUEST;
	/* RFC 8656 Section 18.6: the lower 24 bits are ignored. */
	if (value >> 24 == STUN_FAMILY_IPV4)
		*ret_family = ADDR_IPV4;
	else if (value >> 24 == STUN_FAMILY_IPV6)
		*ret_family = ADDR_IPV6;
	else
		return STUN_ADDRESS_FAMILY_NOT_SUPPORTED;
	return STUN_OK;
}

/* RFC 8656 Section 7.2, rule 3 */
static enum stun_error read_transport(const struct stun_view *view)
{
	const struct stun_attribute *attribute = stun_view_find(view, STUN_ATTR_REQUESTED_TRANSPORT);
	uint32_t value;
	if (attribute == NULL || !stun_attribute_u32(view, attribute, &value))
		return STUN_BAD_REQUEST;
	return value >> 24 == STUN_TRANSPORT_UDP ? STUN_OK : STUN_UNSUPPORTED_TRANSPORT;
}

/* Rule 5, as far as the token can be judged here. */
static enum stun_error read_token(const struct stun_view *view, struct allocate_ask *ask)
{
	const struct stun_attribute *attribute = stun_view_find(view, STUN_ATTR_RESERVATION_TOKEN);
	if (attribute == NULL)
		return STUN_OK;
	if (attribute->size != RESERVATION_TOKEN_SIZE || stun_view_find(view, STUN_ATTR_EVEN_PORT) != NULL ||
		stun_view_find(view, STUN_ATTR_REQUESTED_ADDRESS_FAMILY) != NULL ||
		stun_view_find(view, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY) != NULL)
		return STUN_BAD_REQUEST;
	ask->has_token = true;
	memcpy(ask->token, stun_attribute_value(view, attribute).data, RESERVATION_TOKEN_SIZE);
	return STUN_OK;
}

static bool offers(const struct request *request, enum addr_family family)
{
	struct addr bind, advertised;
	const struct turn_listener *listener = &request->t->config->listeners[request->flow->listener];
	return opening_address(listener, family, request->flow, &bind, &advertised);
}

/* Rules 6 and 7. This server makes one relayed address per allocation: with ADDITIONAL-ADDRESS-FAMILY the client gets the one and
 * learns that there is not the other (Section 18.12). */
static enum stun_error read_families(const struct request *request, struct allocate_ask *ask)
{
	enum addr_family requested, additional;
	enum stun_error error = read_family(request->view, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, &requested);
	if (error != STUN_OK && error != STUN_ADDRESS_FAMILY_NOT_SUPPORTED)
		return error;
	bool has_additional = stun_view_find(request->view, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY) != NULL;
	if (has_additional && stun_view_find(request->view, STUN_ATTR_REQUESTED_ADDRESS_FAMILY) != NULL)
		return STUN_BAD_REQUEST;
	if (error != STUN_OK)
		return error;
	/* Section 18.11: IPv6 is the only value there is. */
	if (read_family(request->view, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, &additional) != STUN_OK ||
		(has_additional && additional != ADDR_IPV6))
		return STUN_BAD_REQUEST;

	/* A client that names no family is given what there is: IPv4 by the RFC, IPv6 from a relay that has no other (decision
	 * 0009). */
	bool only_ipv6 = requested == ADDR_NONE && !offers(request, ADDR_IPV4);
	ask->family = requested != ADDR_NONE ? requested : only_ipv6 ? ADDR_IPV6 : ADDR_IPV4;
	if (has_additional) {
		bool ipv4 = offers(request, ADDR_IPV4);
		ask->family = ipv4 ? ADDR_IPV4 : ADDR_IPV6;
		ask->unserved_family = ipv4 ? STUN_FAMILY_IPV6 : STUN_FAMILY_IPV4;
	}
	return offers(request, ask->family) ? STUN_OK : STUN_ADDRESS_FAMILY_NOT_SUPPORTED;
}

/* Rules 8 and 9 */
static enum stun_error read_even_port(const struct stun_view *view, struct allocate_ask *ask)
{
	const struct stun_attribute *attribute = stun_view_find(view, STUN_ATTR_EVEN_PORT);
	if (attribute == NULL)
		return STUN_OK;
	if (attribute->size != 1)
		return STUN_BAD_REQUEST;
	ask->even_port = true;
	ask->reserve_next = (stun_attribute_value(view, attribute).data[0] & 0x80) != 0;
	if (ask->reserve_next && stun_view_find(view, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY) != NULL)
		return STUN_BAD_REQUEST;
	return STUN_OK;
}

static enum stun_error read_ask(const struct request *request, struct allocate_ask *ask)
{
	bool zero; /* Zero asks for what everybody gets. */
	enum stun_error error = read_transport(request->view);
	if (error == STUN_OK)
		error = read_token(request->view, ask);
	if (error == STUN_OK && !ask->has_token)
		error = read_families(request, ask);
	if (error == STUN_OK)
		error = read_even_port(request->view, ask);
	if (error == STUN_OK)
		error = read_lifetime(request, &ask->lifetime_s, &zero);
	return error;
}

static bool takes_allocations(const struct request *request)
{
	return !request->t->draining && !request->t->config->listeners[request->flow->listener].retiring;
}

/* RFC 8489 Section 10: only to a server that the client can reach over the family that it came by. */
static enum stun_error send_away(const struct request *request)
{
	const struct addr *alternate = &request->t->config->alternate_server;
	return alternate->family == request->flow->client.family ? STUN_TRY_ALTERNATE : STUN_INSUFFICIENT_CAPACITY;
}

static bool capacity(const struct turn *t, const struct allocate_ask *ask)
{
	return t->allocations.used < t->allocations.capacity && (!ask->reserve_next || reservation_room(t));
}

static enum stun_error refuse_capacity(struct turn *t)
{
	counter_add(&t->counters.allocations_refused_capacity, 1);
	return STUN_INSUFFICIENT_CAPACITY;
}

/* RFC 8656 Section 7.2 */
enum stun_error on_allocate(struct request *request)
{
	struct turn *t = request->t;
	struct allocation *a = request->allocation;
	if (a != NULL) {
		if (memcmp(a->made_by.id, request->transaction.id, sizeof a->made_by.id) != 0)
			return STUN_ALLOCATION_MISMATCH;
		if (a->state == ALLOCATION_LIVE)
			respond_allocated(t, a, request->out);
		else
			request->verdict = DROP_IN_PROGRESS;
		return STUN_OK;
	}
	struct allocate_ask ask = {.family = ADDR_NONE};
	enum stun_error error = read_ask(request, &ask);
	if (error != STUN_OK)
		return error;
	if (!takes_allocations(request))
		return send_away(request);
	if (!capacity(t, &ask))
		return refuse_capacity(t);
	enum quota_result quota = t->hooks.quota_acquire(t->hooks.context, request->user);
	if (quota == QUOTA_CAPACITY_REACHED)
		return refuse_capacity(t);
	if (quota != QUOTA_OK)
		return STUN_ALLOCATION_QUOTA_REACHED;

	a = allocation_create(t, request);
	a->family = (uint8_t)ask.family;
	a->lifetime_s = ask.lifetime_s;
	a->unserved_family = ask.unserved_family;
	a->even_port = ask.even_port;
	if (ask.reserve_next)
		a->reservation = reservation_keep(t);
	if (ask.has_token ? opening_claim(t, a, ask.token, request->out) : opening_start(t, a, request->out))
		return STUN_OK;
	allocation_end(t, a, request->out);
	return refuse_capacity(t);
}
