#include <assert.h>
#include <stdlib.h>

#include "crypto/integrity.h"
#include "exact_copy.h"
#include "turn_rig.h"
#include "wire/channel_data.h"

struct rig_client *rig_client(struct rig *rig, unsigned n)
{
	assert(n < RIG_CLIENTS);
	struct rig_client *client = &rig->clients[n];
	if (client->username == NULL) {
		client->username = "user";
		client->password = "pass";
		client->core = n % rig->core_count;
		client->flow.client = addr_ipv4(203, 0, 113, (uint8_t)n, (uint16_t)(40000 + n));
		client->flow.local = addr_ipv4(192, 0, 2, 1, 3478);
		client->transactions = (uint64_t)n << 32;
	}
	return client;
}

struct addr rig_peer(unsigned n)
{
	return addr_ipv4(198, 51, 100, (uint8_t)n, (uint16_t)(7000 + n));
}

struct addr rig_peer_ipv6(unsigned n)
{
	struct addr peer;
	bool valid = addr_parse_ip("2001:db8:1::", &peer);
	assert(valid);
	(void)valid;
	peer.ip[14] = (uint8_t)(n >> 8);
	peer.ip[15] = (uint8_t)n;
	return addr_with_port(peer, (uint16_t)(7000 + n));
}

void rig_begin(struct rig_message *message, struct rig_client *client, enum stun_method method)
{
	uint8_t id[STUN_TRANSACTION_ID_SIZE] = {0};
	client->transactions++;
	memcpy(id, &client->transactions, sizeof client->transactions);
	message->builder = stun_build(message->bytes, sizeof message->bytes, method, STUN_REQUEST, id);
}

void rig_add_u8_24(struct rig_message *message, uint16_t type, uint8_t value)
{
	stun_build_u32(&message->builder, type, (uint32_t)value << 24);
}

static const char *realm_of(const struct rig_client *client)
{
	return client->realm != NULL ? client->realm : client->challenged_realm;
}

static void key_of(const struct rig_client *client, uint8_t ret_key[static LONG_TERM_KEY_SIZE])
{
	credentials_key(
		bytes_of_string(client->username), bytes_of_string(realm_of(client)), bytes_of_string(client->password), ret_key);
}

static void learn_challenge(struct rig *rig, struct rig_client *client)
{
	const struct stun_attribute *realm = stun_view_find(&rig->reply, STUN_ATTR_REALM);
	const struct stun_attribute *nonce = stun_view_find(&rig->reply, STUN_ATTR_NONCE);
	if (rig->replies == 0 || realm == NULL || nonce == NULL)
		return;
	assert(realm->size <= REALM_SIZE_MAX && nonce->size == NONCE_SIZE);
	memset(client->challenged_realm, 0, sizeof client->challenged_realm);
	memcpy(client->challenged_realm, stun_attribute_value(&rig->reply, realm).data, realm->size);
	memcpy(client->nonce, stun_attribute_value(&rig->reply, nonce).data, NONCE_SIZE);
	client->challenged = true;
}

static void ask_for_challenge(struct rig *rig, struct rig_client *client)
{
	struct rig_message message;
	rig_begin(&message, client, STUN_ALLOCATE);
	rig_datagram(rig, client, stun_build_end(&message.builder));
	learn_challenge(rig, client);
}

static int send_message(struct rig *rig, struct rig_client *client, struct rig_message *message)
{
	if (client->fingerprint)
		stun_build_fingerprint(&message->builder);
	struct bytes datagram = stun_build_end(&message->builder);
	assert(datagram.data != NULL);
	if (rig->sent.data != NULL)
		exact_copy_free(rig->sent);
	rig->sent = exact_copy(datagram.data, datagram.size);
	int code = rig_datagram(rig, client, datagram);
	if (code == STUN_OK && rig->reply.method == STUN_ALLOCATE) {
		client->relayed = rig_reply_addr(rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
		const struct stun_attribute *token = stun_view_find(&rig->reply, STUN_ATTR_RESERVATION_TOKEN);
		client->has_token = token != NULL;
		if (token != NULL)
			memcpy(client->token, stun_attribute_value(&rig->reply, token).data, RESERVATION_TOKEN_SIZE);
	}
	return code;
}

int rig_request(struct rig *rig, struct rig_client *client, struct rig_message *message)
{
	uint8_t key[LONG_TERM_KEY_SIZE];
	if (!client->challenged)
		ask_for_challenge(rig, client);
	stun_build_bytes(&message->builder, STUN_ATTR_USERNAME, bytes_of_string(client->username));
	stun_build_bytes(&message->builder, STUN_ATTR_REALM, bytes_of_string(realm_of(client)));
	stun_build_bytes(&message->builder, STUN_ATTR_NONCE, bytes_of_string(client->nonce));
	key_of(client, key);
	integrity_append(&message->builder, INTEGRITY_SHA1, bytes_of(key, sizeof key));
	return send_message(rig, client, message);
}

int rig_request_unsigned(struct rig *rig, struct rig_client *client, struct rig_message *message)
{
	return send_message(rig, client, message);
}

int rig_retransmit(struct rig *rig, struct rig_client *client)
{
	return rig_datagram(rig, client, rig->sent);
}

static int allocate_with(struct rig *rig, struct rig_client *client, uint16_t type, struct bytes value)
{
	struct rig_message message;
	rig_begin(&message, client, STUN_ALLOCATE);
	rig_add_u8_24(&message, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	if (type != 0)
		stun_build_bytes(&message.builder, type, value);
	return rig_request(rig, client, &message);
}

int rig_allocate(struct rig *rig, struct rig_client *client)
{
	return allocate_with(rig, client, 0, bytes_of(NULL, 0));
}

int rig_allocate_even(struct rig *rig, struct rig_client *client, bool reserve)
{
	uint8_t value = reserve ? 0x80 : 0;
	return allocate_with(rig, client, STUN_ATTR_EVEN_PORT, bytes_of(&value, 1));
}

int rig_allocate_reserved(struct rig *rig, struct rig_client *client, const uint8_t token[static RESERVATION_TOKEN_SIZE])
{
	return allocate_with(rig, client, STUN_ATTR_RESERVATION_TOKEN, bytes_of(token, RESERVATION_TOKEN_SIZE));
}

int rig_allocate_family(struct rig *rig, struct rig_client *client, uint8_t family)
{
	uint8_t value[4] = {family, 0, 0, 0};
	return allocate_with(rig, client, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, bytes_of(value, sizeof value));
}

int rig_refresh(struct rig *rig, struct rig_client *client, uint32_t lifetime_s)
{
	struct rig_message message;
	rig_begin(&message, client, STUN_REFRESH);
	stun_build_u32(&message.builder, STUN_ATTR_LIFETIME, lifetime_s);
	return rig_request(rig, client, &message);
}

int rig_create_permission(struct rig *rig, struct rig_client *client, struct addr peer)
{
	struct rig_message message;
	rig_begin(&message, client, STUN_CREATE_PERMISSION);
	stun_build_xor_addr(&message.builder, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	return rig_request(rig, client, &message);
}

int rig_channel_bind(struct rig *rig, struct rig_client *client, uint16_t number, struct addr peer)
{
	struct rig_message message;
	rig_begin(&message, client, STUN_CHANNEL_BIND);
	stun_build_u32(&message.builder, STUN_ATTR_CHANNEL_NUMBER, (uint32_t)number << 16);
	stun_build_xor_addr(&message.builder, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	return rig_request(rig, client, &message);
}

enum verdict rig_send(struct rig *rig, struct rig_client *client, struct addr peer, const char *text)
{
	struct rig_message message;
	uint8_t id[STUN_TRANSACTION_ID_SIZE] = {1};
	message.builder = stun_build(message.bytes, sizeof message.bytes, STUN_SEND, STUN_INDICATION, id);
	stun_build_xor_addr(&message.builder, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	stun_build_bytes(&message.builder, STUN_ATTR_DATA, bytes_of_string(text));
	rig_datagram(rig, client, stun_build_end(&message.builder));
	return rig->verdict;
}

enum verdict rig_channel_data(struct rig *rig, struct rig_client *client, uint16_t number, const char *text)
{
	uint8_t datagram[2048];
	size_t size = strlen(text);
	assert(size <= sizeof datagram - CHANNEL_DATA_HEADER_SIZE);
	channel_data_write(datagram, number, (uint16_t)size);
	memcpy(datagram + CHANNEL_DATA_HEADER_SIZE, text, size);
	rig_datagram(rig, client, bytes_of(datagram, CHANNEL_DATA_HEADER_SIZE + size));
	return rig->verdict;
}

enum verdict rig_from_peer_text(struct rig *rig, struct rig_client *client, struct addr peer, const char *text)
{
	return rig_from_peer(rig, client, peer, bytes_of_string(text));
}

bool rig_reply_has(const struct rig *rig, uint16_t type)
{
	return rig->replies > 0 && stun_view_find(&rig->reply, type) != NULL;
}

uint32_t rig_reply_u32(const struct rig *rig, uint16_t type)
{
	uint32_t value = UINT32_MAX;
	const struct stun_attribute *attribute = stun_view_find(&rig->reply, type);
	if (rig->replies > 0 && attribute != NULL)
		stun_attribute_u32(&rig->reply, attribute, &value);
	return value;
}

struct addr rig_reply_addr(const struct rig *rig, uint16_t type)
{
	struct addr addr = {.family = ADDR_NONE};
	const struct stun_attribute *attribute = stun_view_find(&rig->reply, type);
	if (rig->replies > 0 && attribute != NULL)
		stun_attribute_xor_addr(&rig->reply, attribute, &addr);
	return addr;
}

bool rig_reply_signed(const struct rig *rig, const struct rig_client *client)
{
	uint8_t key[LONG_TERM_KEY_SIZE];
	key_of(client, key);
	return rig->replies > 0 && integrity_verify(&rig->reply, INTEGRITY_SHA1, bytes_of(key, sizeof key));
}
