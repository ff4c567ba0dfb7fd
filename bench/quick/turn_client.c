#include "turn_client.h"

#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { TRIES = 3 };

struct exchange {
	uint8_t request[1024], answer[1500];
	struct stun_builder builder;
	struct stun_view view;
};

static void begin(struct exchange *e, enum stun_method method)
{
	uint8_t id[STUN_TRANSACTION_ID_SIZE];
	(void)!getrandom(id, sizeof id, 0);
	e->builder = stun_build(e->request, sizeof e->request, method, STUN_REQUEST, id);
}

static bool transact(struct turn_client *c, struct exchange *e)
{
	if (c->nonce[0] != '\0') {
		stun_build_bytes(&e->builder, STUN_ATTR_USERNAME, bytes_of_string(c->username));
		stun_build_bytes(&e->builder, STUN_ATTR_REALM, bytes_of_string(c->realm));
		stun_build_bytes(&e->builder, STUN_ATTR_NONCE, bytes_of_string(c->nonce));
		integrity_append(&e->builder, INTEGRITY_SHA1, bytes_of(c->key, sizeof c->key));
	}
	struct bytes request = stun_build_end(&e->builder);
	struct timeval second = {.tv_sec = 1};
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
	for (int try = 0; try < TRIES; try++) {
		if (send(c->fd, request.data, request.size, 0) < 0)
			continue;
		ssize_t size = recv(c->fd, e->answer, sizeof e->answer, 0);
		if (size > 0 && stun_view_parse(bytes_of(e->answer, (size_t)size), &e->view) == STUN_PARSED &&
			memcmp(e->request + 8, e->answer + 8, STUN_TRANSACTION_ID_SIZE) == 0)
			return true;
	}
	return false;
}

static bool succeeded(struct turn_client *c, struct exchange *e, const char *what)
{
	if (!transact(c, e)) {
		fprintf(stderr, "%s: no answer\n", what);
		return false;
	}
	if (e->view.class == STUN_SUCCESS)
		return true;
	const struct stun_attribute *error = stun_view_find(&e->view, STUN_ATTR_ERROR_CODE);
	struct bytes value = error == NULL ? bytes_of(NULL, 0) : stun_attribute_value(&e->view, error);
	fprintf(stderr, "%s: refused with %d\n", what, value.size < 4 ? 0 : value.data[2] * 100 + value.data[3]);
	return false;
}

static void copy_text(const struct stun_view *view, uint16_t type, char *text, size_t size)
{
	const struct stun_attribute *attribute = stun_view_find(view, type);
	struct bytes value = attribute == NULL ? bytes_of(NULL, 0) : stun_attribute_value(view, attribute);
	snprintf(text, size, "%.*s", (int)value.size, (const char *)value.data);
}

bool turn_client_allocate(struct turn_client *c)
{
	struct exchange e;
	c->nonce[0] = '\0';
	begin(&e, STUN_ALLOCATE);
	stun_build_u32(&e.builder, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP << 24);
	if (!transact(c, &e) || e.view.class != STUN_ERROR_RESPONSE) {
		fprintf(stderr, "Allocate: expected to be asked for credentials\n");
		return false;
	}
	copy_text(&e.view, STUN_ATTR_REALM, c->realm, sizeof c->realm);
	copy_text(&e.view, STUN_ATTR_NONCE, c->nonce, sizeof c->nonce);
	credentials_key(bytes_of_string(c->username), bytes_of_string(c->realm), bytes_of_string(c->password), c->key);
	begin(&e, STUN_ALLOCATE);
	stun_build_u32(&e.builder, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP << 24);
	if (!succeeded(c, &e, "Allocate"))
		return false;
	const struct stun_attribute *relayed = stun_view_find(&e.view, STUN_ATTR_XOR_RELAYED_ADDRESS);
	return relayed != NULL && stun_attribute_xor_addr(&e.view, relayed, &c->relayed);
}

bool turn_client_permit(struct turn_client *c, const struct addr *peer)
{
	struct exchange e;
	begin(&e, STUN_CREATE_PERMISSION);
	stun_build_xor_addr(&e.builder, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	return succeeded(c, &e, "CreatePermission");
}

bool turn_client_bind(struct turn_client *c, uint16_t channel, const struct addr *peer)
{
	struct exchange e;
	begin(&e, STUN_CHANNEL_BIND);
	stun_build_u32(&e.builder, STUN_ATTR_CHANNEL_NUMBER, (uint32_t)channel << 16);
	stun_build_xor_addr(&e.builder, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	return succeeded(c, &e, "ChannelBind");
}
