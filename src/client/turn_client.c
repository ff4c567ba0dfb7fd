#include "client/turn_client.h"

#include <stdlib.h>

#include "base/clock.h"
#include "crypto/integrity.h"
#include "crypto/random.h"
#include "turn_refusal.h"

enum { TRIES_MAX = 7, LAST_WAIT_FACTOR = 16, STALE_MAX = 3 };
enum { LIFETIME_DEFAULT_S = 600, PERMISSION_LIFETIME_S = 300 };
static const uint64_t RETRANSMIT_NS = 500 * NS_PER_MS;
/* RFC 8489, section 6.2.2: as long as all retransmissions would take. */
static const uint64_t RELIABLE_WAIT_NS = 39500 * NS_PER_MS;

void turn_client_init(
	struct turn_client *c, const char *username, const char *password, struct turn_client_peer *peers, unsigned peer_count)
{
	*c = (struct turn_client){.username = username, .password = password, .family = ADDR_IPV4};
	turn_client_set_peers(c, peers, peer_count);
}

void turn_client_done(struct turn_client *c)
{
	free(c->peers);
	c->peers = NULL;
	c->peer_count = 0;
	bytes_wipe(c->key, sizeof c->key);
}

void turn_client_set_peers(struct turn_client *c, struct turn_client_peer *peers, unsigned peer_count)
{
	c->peers = peers;
	c->peer_count = peer_count;
	for (unsigned i = 0; i < peer_count; i++) {
		peers[i].made = false;
		peers[i].refresh_ns = 0;
	}
	if (peer_count > 0) {
		c->family = peers[0].addr.family;
		if (c->state == TURN_CLIENT_READY)
			c->state = TURN_CLIENT_WORKING;
	}
}

void turn_client_restart(struct turn_client *c)
{
	struct turn_client fresh = {.username = c->username,
		.password = c->password,
		.server = c->server,
		.family = c->family,
		.reliable = c->reliable};
	struct turn_client_peer *peers = c->peers;
	unsigned peer_count = c->peer_count;
	*c = fresh;
	turn_client_set_peers(c, peers, peer_count);
}

static uint64_t two_thirds_later(uint64_t now_ns, uint64_t lifetime_s)
{
	return now_ns + lifetime_s * NS_PER_S * 2 / 3;
}

static void begin(struct turn_client *c, enum stun_method method, unsigned peer, uint64_t now_ns)
{
	static _Thread_local struct random_source ids;
	c->request = (struct turn_client_request){.pending = true,
		.method = (uint16_t)method,
		.peer = peer,
		.first_ns = now_ns,
		.resend_ns = now_ns,
		.interval_ns = RETRANSMIT_NS};
	random_bytes(&ids, c->request.id, sizeof c->request.id);
}

/* Begins what is to be done now, if there is anything; otherwise *ret_wake_ns is when there will be. */
static bool begin_next(struct turn_client *c, uint64_t now_ns, uint64_t *ret_wake_ns)
{
	if (!c->allocated) {
		begin(c, STUN_ALLOCATE, 0, now_ns);
		return true;
	}
	uint64_t wake_ns = c->refresh_ns;
	if (now_ns >= wake_ns) {
		begin(c, STUN_REFRESH, 0, now_ns);
		return true;
	}
	for (unsigned i = 0; i < c->peer_count; i++) {
		const struct turn_client_peer *peer = &c->peers[i];
		if (!peer->made || now_ns >= peer->refresh_ns) {
			begin(c, peer->channel != 0 ? STUN_CHANNEL_BIND : STUN_CREATE_PERMISSION, i, now_ns);
			return true;
		}
		if (peer->refresh_ns < wake_ns)
			wake_ns = peer->refresh_ns;
	}
	*ret_wake_ns = wake_ns;
	return false;
}

static void append_credentials(const struct turn_client *c, struct stun_builder *b)
{
	if (!c->authenticated)
		return;
	stun_build_bytes(b, STUN_ATTR_USERNAME, bytes_of_string(c->username));
	stun_build_bytes(b, STUN_ATTR_REALM, bytes_of_string(c->realm));
	stun_build_bytes(b, STUN_ATTR_NONCE, bytes_of_string(c->nonce));
	integrity_append(b, INTEGRITY_SHA1, bytes_of(c->key, sizeof c->key));
}

/* A retransmission is the same message again: all that goes into it stays until the answer. */
static size_t write_request(const struct turn_client *c, uint8_t *buffer)
{
	const struct turn_client_request *r = &c->request;
	struct stun_builder b = stun_build(buffer, TURN_CLIENT_MESSAGE_MAX, (enum stun_method)r->method, STUN_REQUEST, r->id);
	if (r->method == STUN_ALLOCATE) {
		stun_build_u32(&b, STUN_ATTR_REQUESTED_TRANSPORT, (uint32_t)STUN_TRANSPORT_UDP << 24);
		if (c->family == ADDR_IPV6)
			stun_build_u32(&b, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)STUN_FAMILY_IPV6 << 24);
	} else if (r->method == STUN_CHANNEL_BIND) {
		stun_build_u32(&b, STUN_ATTR_CHANNEL_NUMBER, (uint32_t)c->peers[r->peer].channel << 16);
	}
	if (r->method == STUN_CHANNEL_BIND || r->method == STUN_CREATE_PERMISSION)
		stun_build_xor_addr(&b, STUN_ATTR_XOR_PEER_ADDRESS, &c->peers[r->peer].addr);
	append_credentials(c, &b);
	return stun_build_end(&b).size;
}

size_t turn_client_poll(struct turn_client *c, uint64_t now_ns, uint8_t *buffer, uint64_t *ret_wake_ns)
{
	struct turn_client_request *r = &c->request;
	*ret_wake_ns = UINT64_MAX;
	if (c->state == TURN_CLIENT_FAILED)
		return 0;
	if (!r->pending && !begin_next(c, now_ns, ret_wake_ns))
		return 0;
	*ret_wake_ns = r->resend_ns;
	if (now_ns < r->resend_ns)
		return 0;
	if (r->tries == (c->reliable ? 1 : TRIES_MAX)) {
		turn_client_give_up(c, now_ns);
		*ret_wake_ns = UINT64_MAX;
		return 0;
	}
	r->tries++;
	/* RFC 8489, section 6.2.1: after the last one, 16 times the first interval. */
	r->resend_ns = now_ns + (c->reliable                    ? RELIABLE_WAIT_NS
					: r->tries == TRIES_MAX ? LAST_WAIT_FACTOR * RETRANSMIT_NS
								: r->interval_ns);
	r->interval_ns *= 2;
	*ret_wake_ns = r->resend_ns;
	size_t size = write_request(c, buffer);
	if (size == 0)
		turn_client_end(c, "cannot be asked: the user name is too long for a request");
	return size;
}

void turn_client_give_up(struct turn_client *c, uint64_t now_ns)
{
	const struct turn_client_request *r = &c->request;
	double seconds = (double)(now_ns - r->first_ns) / (double)NS_PER_S;
	turn_client_end(c, "does not answer %s requests (%u tries in %.1f s)", turn_method_name(r->method), r->tries, seconds);
}

/* False where the text does not fit. */
static bool copy_text(const struct stun_view *view, uint16_t type, char *text, size_t size)
{
	const struct stun_attribute *attribute = stun_view_find(view, type);
	if (attribute == NULL || attribute->size >= size)
		return false;
	struct bytes value = stun_attribute_value(view, attribute);
	/* The requests repeat it as a string. */
	if (memchr(value.data, '\0', value.size) != NULL)
		return false;
	memcpy(text, value.data, value.size);
	text[value.size] = '\0';
	return true;
}

/* 401 before credentials were shown, or 438: the same request goes out again, with the server's realm and nonce. */
static void authenticate(struct turn_client *c, const struct stun_view *view)
{
	if (!copy_text(view, STUN_ATTR_REALM, c->realm, sizeof c->realm) ||
		!copy_text(view, STUN_ATTR_NONCE, c->nonce, sizeof c->nonce)) {
		turn_client_end(c, "asks for credentials without a usable realm (up to %zu bytes) and nonce (up to %zu)",
			sizeof c->realm - 1, sizeof c->nonce - 1);
		return;
	}
	credentials_key(bytes_of_string(c->username), bytes_of_string(c->realm), bytes_of_string(c->password), c->key);
	c->authenticated = true;
	c->request.pending = false;
}

/* RFC 8489, section 14.1: a reserved byte, the family, the port, the address; ALTERNATE-SERVER (section 14.15) is not xored. */
static struct addr plain_address(struct bytes value)
{
	struct addr addr = {.family = ADDR_NONE};
	bool ipv6 = value.size == 20 && value.data[1] == STUN_FAMILY_IPV6;
	if (!ipv6 && !(value.size == 8 && value.data[1] == STUN_FAMILY_IPV4))
		return addr;
	addr.family = ipv6 ? ADDR_IPV6 : ADDR_IPV4;
	addr.port = (uint16_t)(value.data[2] << 8 | value.data[3]);
	memcpy(addr.ip, value.data + 4, value.size - 4);
	return addr;
}

static void refuse(struct turn_client *c, const struct stun_view *view, unsigned code, struct bytes reason)
{
	const struct stun_attribute *alternate = stun_view_find(view, STUN_ATTR_ALTERNATE_SERVER);
	if (code == STUN_TRY_ALTERNATE && alternate != NULL)
		c->alternate = plain_address(stun_attribute_value(view, alternate));
	c->refusal = code;
	turn_client_refused(c, code, reason);
}

static void receive_error(struct turn_client *c, const struct stun_view *view)
{
	const struct stun_attribute *attribute = stun_view_find(view, STUN_ATTR_ERROR_CODE);
	struct bytes value = attribute == NULL ? bytes_of(NULL, 0) : stun_attribute_value(view, attribute);
	/* RFC 8489, section 14.8: two reserved bytes, the hundreds, the rest, the reason. */
	if (value.size < 4)
		return;
	unsigned code = (value.data[2] & 7u) * 100 + value.data[3];
	if (code == STUN_UNAUTHENTICATED && !c->authenticated)
		authenticate(c, view);
	else if (code == STUN_STALE_NONCE && c->authenticated && c->stale++ < STALE_MAX)
		authenticate(c, view);
	else
		refuse(c, view, code, bytes_of(value.data + 4, value.size - 4));
}

static void take_lifetime(struct turn_client *c, const struct stun_view *view, uint64_t now_ns)
{
	const struct stun_attribute *lifetime = stun_view_find(view, STUN_ATTR_LIFETIME);
	if (lifetime == NULL || !stun_attribute_u32(view, lifetime, &c->lifetime_s))
		c->lifetime_s = LIFETIME_DEFAULT_S;
	c->refresh_ns = two_thirds_later(now_ns, c->lifetime_s);
	/* It would be asked again without an end. */
	if (c->lifetime_s == 0)
		turn_client_end(c, "grants allocations of no lifetime (%s)", turn_method_name(c->request.method));
}

static void receive_success(struct turn_client *c, const struct stun_view *view, uint64_t now_ns)
{
	struct turn_client_request *r = &c->request;
	if (r->method == STUN_ALLOCATE) {
		const struct stun_attribute *relayed = stun_view_find(view, STUN_ATTR_XOR_RELAYED_ADDRESS);
		if (relayed == NULL || !stun_attribute_xor_addr(view, relayed, &c->relayed)) {
			turn_client_end(c, "answers Allocate with a success that tells no relayed address");
			return;
		}
		c->allocated = true;
	}
	if (r->method == STUN_ALLOCATE || r->method == STUN_REFRESH) {
		take_lifetime(c, view, now_ns);
	} else {
		struct turn_client_peer *peer = &c->peers[r->peer];
		peer->made = true;
		/* RFC 8656, section 12: a channel lives for 600 s, the permission that it brings for 300 s. */
		peer->refresh_ns = two_thirds_later(now_ns, PERMISSION_LIFETIME_S);
	}
	if (c->state == TURN_CLIENT_FAILED)
		return;
	r->pending = false;
	c->stale = 0;
	/* Peers are made in their order: with the last one, all are. */
	if (c->peer_count == 0 || c->peers[c->peer_count - 1].made)
		c->state = TURN_CLIENT_READY;
}

void turn_client_receive(struct turn_client *c, struct bytes message, uint64_t now_ns)
{
	struct stun_view view;
	if (c->state == TURN_CLIENT_FAILED || !c->request.pending || stun_view_parse(message, &view) != STUN_PARSED ||
		view.method != c->request.method ||
		memcmp(stun_view_transaction_id(&view), c->request.id, sizeof c->request.id) != 0)
		return;
	if (view.class == STUN_ERROR_RESPONSE) {
		receive_error(c, &view);
	} else if (view.class == STUN_SUCCESS) {
		/* RFC 8489, section 9.2.5: a success without the right MESSAGE-INTEGRITY counts as none. */
		if (!c->authenticated || integrity_verify(&view, INTEGRITY_SHA1, bytes_of(c->key, sizeof c->key)))
			receive_success(c, &view, now_ns);
	}
}

size_t turn_client_farewell(struct turn_client *c, uint8_t *buffer)
{
	/* An Allocate whose answer never came may have made an allocation, too. */
	if (!c->allocated && !c->authenticated)
		return 0;
	begin(c, STUN_REFRESH, 0, 0);
	struct stun_builder b = stun_build(buffer, TURN_CLIENT_MESSAGE_MAX, STUN_REFRESH, STUN_REQUEST, c->request.id);
	stun_build_u32(&b, STUN_ATTR_LIFETIME, 0);
	append_credentials(c, &b);
	turn_client_end(c, "was told to end the allocation");
	return stun_build_end(&b).size;
}
