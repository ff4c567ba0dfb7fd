/*
 * fuzz_turn_session - the input is a script: requests (signed as they are sent), data in both directions, time, sockets that open
 * late or not at all, new configurations. After every step the rig checks all invariants; at the end, that everything was given
 * back.
 */
#include "crypto/integrity.h"
#include "fuzz_rig.h"
#include "turn_rig.h"
#include "turn_state.h"
#include "wire/channel_data.h"

enum { SCRIPT_CLIENTS = 6, SCRIPT_STEPS_MAX = 300 };

struct script {
	const uint8_t *position, *end;
};

static uint8_t take(struct script *script)
{
	return script->position < script->end ? *script->position++ : 0;
}

static struct bytes take_bytes(struct script *script, size_t size)
{
	size_t left = (size_t)(script->end - script->position);
	struct bytes bytes = bytes_of(script->position, size < left ? size : left);
	script->position += bytes.size;
	return bytes;
}

static struct rig_client *take_client(struct rig *rig, struct script *script)
{
	return &rig->clients[1 + take(script) % SCRIPT_CLIENTS];
}

static struct addr take_peer(struct rig *rig, struct script *script)
{
	uint8_t n = take(script);
	switch (take(script) % 8) {
	case 0:
	case 1:
		return rig_peer(n);
	case 2:
		return rig_peer_ipv6(n);
	case 3:
		return addr_ipv4(198, 18, 0, n, (uint16_t)(4990 + take(script) * 8));
	case 4:
		return addr_ipv4(127, 0, 0, 1, n);
	case 5:
		return addr_with_port(rig_peer(n), take(script));
	default:
		return rig->clients[1 + n % SCRIPT_CLIENTS].relayed;
	}
}

static void add_known_attribute(struct rig *rig, struct script *script, struct stun_builder *b)
{
	static const uint16_t words[] = {STUN_ATTR_REQUESTED_TRANSPORT, STUN_ATTR_LIFETIME, STUN_ATTR_REQUESTED_ADDRESS_FAMILY,
		STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY};
	uint8_t kind = take(script) % 10;
	struct addr peer;
	uint8_t even;
	switch (kind) {
	case 0:
	case 1:
	case 2:
	case 3:
		stun_build_u32(b, words[kind], (uint32_t)(kind == 0 ? 17 : take(script)) << (kind == 1 ? 4 : 24));
		return;
	case 4:
		stun_build_u32(b, STUN_ATTR_CHANNEL_NUMBER, (uint32_t)(0x4000 + take(script)) << 16);
		return;
	case 5:
		even = take(script);
		stun_build_bytes(b, STUN_ATTR_EVEN_PORT, bytes_of(&even, 1));
		return;
	case 6:
		stun_build_bytes(b, STUN_ATTR_RESERVATION_TOKEN, bytes_of(take_client(rig, script)->token, RESERVATION_TOKEN_SIZE));
		return;
	case 7:
		stun_build_bytes(b, STUN_ATTR_DONT_FRAGMENT, bytes_of(NULL, 0));
		return;
	default:
		peer = take_peer(rig, script);
		if (peer.family != ADDR_NONE)
			stun_build_xor_addr(b, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
		return;
	}
}

static void add_attribute(struct rig *rig, struct script *script, struct stun_builder *b)
{
	if (take(script) % 8 != 0) {
		add_known_attribute(rig, script, b);
		return;
	}
	uint16_t type = (uint16_t)(take(script) << 8);
	type |= take(script);
	stun_build_bytes(b, type, take_bytes(script, take(script) % 24));
}

/* Nothing is past its time and still there, which any packet might sweep away. */
static bool quiet(const struct rig *rig)
{
	for (unsigned i = 0; i < rig->core_count; i++)
		if (turn_deadline_ns(rig->cores[i]) <= rig->now.mono_ns + WHEEL_TICK_NS)
			return false;
	return true;
}

static void step_request(struct rig *rig, struct script *script)
{
	static const enum stun_method methods[] = {STUN_ALLOCATE, STUN_ALLOCATE, STUN_REFRESH, STUN_CREATE_PERMISSION,
		STUN_CHANNEL_BIND, STUN_CHANNEL_BIND, STUN_BINDING, STUN_SEND};
	struct rig_client *client = take_client(rig, script);
	uint8_t shape = take(script);
	enum stun_method method = methods[shape % 8];
	client->password = shape & 0x80 ? "changed" : "pass";
	client->fingerprint = shape & 0x40;
	struct rig_message message;
	rig_begin(&message, client, method);
	if (method == STUN_ALLOCATE && !(shape & 0x20))
		rig_add_u8_24(&message, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	for (unsigned n = take(script) % 6; n > 0; n--)
		add_attribute(rig, script, &message.builder);

	bool was_quiet = quiet(rig);
	uint64_t before = rig_digest(rig);
	int code = shape & 0x10 ? rig_request_unsigned(rig, client, &message) : rig_request(rig, client, &message);
	FUZZ_CHECK(code == STUN_OK || code == RIG_NO_ANSWER || !was_quiet || rig_digest(rig) == before);
	if (rig->replies > 0 && !rig_reply_has(rig, STUN_ATTR_MESSAGE_INTEGRITY))
		FUZZ_CHECK(rig->reply_bytes.size * 10 <= rig->sent.size * 36);
	if (code == STUN_STALE_NONCE)
		client->challenged = false;
}

/* Whatever a stranger sends: an answer goes back under the request's own ID, is small, and is nobody's signature. */
static void step_bytes(struct rig *rig, struct rig_client *client, struct bytes datagram)
{
	rig_datagram(rig, client, datagram);
	if (rig->replies == 0)
		return;
	FUZZ_CHECK(memcmp(rig->reply_bytes.data + 4, datagram.data + 4, STUN_CLASSIC_ID_SIZE) == 0);
	FUZZ_CHECK(rig->reply_bytes.size * 10 <= datagram.size * 36 && !rig_reply_has(rig, STUN_ATTR_MESSAGE_INTEGRITY));
}

static void step_data(struct rig *rig, struct script *script)
{
	struct rig_client *client = take_client(rig, script);
	uint8_t datagram[300];
	struct rig_message message;
	uint8_t id[STUN_TRANSACTION_ID_SIZE] = {0};
	struct addr peer;
	switch (take(script) % 4) {
	case 0:
		step_bytes(rig, client, take_bytes(script, take(script)));
		return;
	case 1:
		channel_data_write(datagram, (uint16_t)(0x4000 + take(script)), take(script) % 32);
		memset(datagram + 4, 0x55, 32);
		rig_datagram(rig, client, bytes_of(datagram, 4 + take(script) % 32));
		return;
	case 2:
		peer = take_peer(rig, script);
		message.builder = stun_build(message.bytes, sizeof message.bytes, STUN_SEND, STUN_INDICATION, id);
		if (peer.family != ADDR_NONE)
			stun_build_xor_addr(&message.builder, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
		stun_build_bytes(&message.builder, STUN_ATTR_DATA, take_bytes(script, take(script) % 32));
		rig_datagram(rig, client, stun_build_end(&message.builder));
		return;
	default:
		peer = take_peer(rig, script);
		rig_from_peer(rig, client, peer, take_bytes(script, take(script) % 32));
		return;
	}
}

static void step_configure(struct rig *rig, struct script *script)
{
	uint8_t what = take(script);
	struct turn_config *config = rig_config_copy(rig);
	credentials_key(bytes_of_string("user"), bytes_of_string(config->auth.realm),
		bytes_of_string(what & 1 ? "changed" : "pass"), config->auth.key);
	config->auth.type = what & 2 && what & 4 ? AUTH_NONE : AUTH_STATIC;
	config->listeners[0].port_max = what & 8 ? 10005 : 20000;
	if (what & 16) {
		peer_policy_unref(config->listeners[0].policy);
		config->listeners[0].policy = rig_policy(what & 32);
	}
	rig_configure(rig, config, what & 64);
}

static void step_kernel(struct rig *rig, struct script *script)
{
	uint8_t what = take(script);
	switch (what % 4) {
	case 0:
		rig->hold = true;
		return;
	case 1:
		rig->hold = false;
		rig_report(rig);
		return;
	case 2:
		rig_fail(rig, take(script) % 3, 1 + what / 16, (enum relay_failure)(take(script) % 3));
		return;
	default:
		memset(rig->taken, what & 4, sizeof rig->taken);
		rig->taken[10002] = 0;
		return;
	}
}

static void step(struct rig *rig, struct script *script)
{
	static const uint16_t seconds[] = {0, 1, 29, 31, 100, 299, 301, 600, 601, 3601};
	uint8_t what = take(script);
	if (rig->held_count > RIG_EFFECTS / 2)
		rig_report(rig);
	switch (what % 16) {
	case 0:
	case 1:
	case 2:
		rig_pass_s(rig, seconds[take(script) % 10]);
		return;
	case 3:
		rig_pass_ns(rig, (uint64_t)take(script) << 22);
		return;
	case 4:
		step_configure(rig, script);
		return;
	case 5:
		step_kernel(rig, script);
		return;
	case 6:
		if (rig->sent.data != NULL)
			rig_retransmit(rig, take_client(rig, script));
		return;
	case 7:
		if (what >= 0xF0)
			turn_drain(rig->cores[0]);
		return;
	case 8:
	case 9:
	case 10:
	case 11:
		step_data(rig, script);
		return;
	default:
		step_request(rig, script);
		return;
	}
}

static void edit(struct turn_config *config)
{
	config->listeners[0].relay[RELAY_IPV4].advertised = addr_ipv4(192, 0, 2, 200, 0);
	config->unauth.burst = 20;
	config->unauth.per_s = 1;
	config->unauth.spare_s = 60;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = {.position = data, .end = data + size};
	struct rig *rig = rig_create_with(
		&(struct rig_options){.cores = 2, .allocations_max = 3, .user_max = 5, .total_max = 5, .edit = edit});
	for (unsigned n = 1; n <= SCRIPT_CLIENTS; n++)
		rig_client(rig, n);
	rig_client(rig, SCRIPT_CLIENTS)->flow.client = rig_peer_ipv6(99);
	for (unsigned n = 0; n < SCRIPT_STEPS_MAX && script.position < script.end; n++)
		step(rig, &script);
	rig_free(rig);
	return 0;
}
