#include "turn_rig.h"

#include <stdlib.h>

#include "exact_copy.h"
#include "turn_state.h"

/* xorshift64*: the same in every run. */
static void rig_random(void *context, void *out, size_t size)
{
	struct rig *rig = context;
	uint8_t *bytes = out;
	for (size_t i = 0; i < size; i++) {
		rig->random_state ^= rig->random_state >> 12;
		rig->random_state ^= rig->random_state << 25;
		rig->random_state ^= rig->random_state >> 27;
		bytes[i] = (uint8_t)(rig->random_state * UINT64_C(0x2545F4914F6CDD1D) >> 56);
	}
}

static enum quota_result rig_quota_acquire(void *context, uint64_t user)
{
	struct rig *rig = context;
	enum quota_result result = quota_acquire(rig->quota, user);
	rig->held_quota += result == QUOTA_OK;
	return result;
}

static void rig_quota_release(void *context, uint64_t user)
{
	struct rig *rig = context;
	assert(rig->held_quota > 0);
	rig->held_quota--;
	quota_release(rig->quota, user);
}

static void rig_binding(void *context, enum binding_event event, const struct turn_binding *binding)
{
	struct rig *rig = context;
	rig->bindings[event]++;
	rig->binding = *binding;
}

static void must(int error)
{
	assert(error == 0);
	(void)error;
}

static struct addr parse(const char *text)
{
	struct addr addr = {.family = ADDR_NONE};
	bool valid = addr_parse_ip(text, &addr);
	assert(valid);
	(void)valid;
	return addr;
}

struct peer_policy *rig_policy(bool without_ipv4)
{
	struct peer_policy *policy = peer_policy_create();
	assert(policy != NULL);
	struct addr peers4 = parse("198.51.100.0"), peers6 = parse("2001:db8:1::"), narrow = parse("198.18.0.0");
	if (!without_ipv4)
		must(peer_policy_allow(policy, &peers4, 24, 1, 65535, 7));
	must(peer_policy_allow(policy, &peers6, 48, 1, 65535, 7));
	must(peer_policy_allow(policy, &narrow, 16, 5000, 6000, 8));
	must(peer_policy_allow(policy, &narrow, 16, 7000, 7000, 9));
	peer_policy_seal(policy);
	return policy;
}

static struct turn_config *config_default(void)
{
	struct turn_config *config = turn_config_create();
	assert(config != NULL);
	config->auth.type = AUTH_STATIC;
	strcpy(config->auth.realm, "stunner.l7mp.io");
	strcpy(config->auth.username, "user");
	credentials_key(bytes_of_string("user"), bytes_of_string(config->auth.realm), bytes_of_string("pass"), config->auth.key);
	strcpy(config->auth.secrets[0], "secret");
	memset(config->nonce_secret, 0x5A, sizeof config->nonce_secret);
	config->unauth.per_s = 0;
	config->listener_count = 1;
	struct turn_listener *listener = &config->listeners[0];
	listener->policy = rig_policy(false);
	listener->relay[RELAY_IPV4].bind = parse("192.0.2.1");
	listener->relay[RELAY_IPV6].bind = parse("2001:db8::1");
	listener->port_min = 10000;
	listener->port_max = 20000;
	return config;
}

struct turn_config *rig_config_copy(const struct rig *rig)
{
	struct turn_config *copy = turn_config_create();
	assert(copy != NULL);
	uint32_t references = copy->references;
	*copy = *rig->config;
	copy->references = references;
	for (unsigned i = 0; i < copy->listener_count; i++)
		copy->listeners[i].policy = peer_policy_ref(copy->listeners[i].policy);
	return copy;
}

static void cores_create(struct rig *rig, uint32_t allocations_max)
{
	for (unsigned i = 0; i < rig->core_count; i++) {
		struct turn_params params = {
			.shard = (uint8_t)i,
			.allocations_max = allocations_max,
			.user_key = {.k0 = 1, .k1 = 2},
			.ports = rig->ports,
			.limiter = rig->limiter,
			.hooks = {.context = rig,
				.random = rig_random,
				.quota_acquire = rig_quota_acquire,
				.quota_release = rig_quota_release,
				.binding = rig_binding},
		};
		rig->cores[i] = turn_create(&params, rig->config, rig->now);
		assert(rig->cores[i] != NULL);
		turn_check(rig->cores[i]);
	}
}

struct rig *rig_create_with(const struct rig_options *options)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert(rig != NULL);
	rig->random_state = UINT64_C(0x9E3779B97F4A7C15);
	rig->now = (struct moment){.mono_ns = 1000 * NS_PER_S, .wall_s = 1700000000};
	rig->core_count = options->cores == 0 ? 1 : options->cores;
	assert(rig->core_count <= RIG_CORES);
	rig->ports = port_table_create();
	rig->quota = quota_create(options->total_max == 0 ? 1000 : options->total_max);
	rig->limiter = unauth_limiter_create(&(struct siphash_key){.k0 = 3, .k1 = 4});
	assert(rig->ports != NULL && rig->quota != NULL && rig->limiter != NULL);
	quota_set_total_max(rig->quota, options->total_max);
	quota_set_user_max(rig->quota, options->user_max);
	rig->config = config_default();
	if (options->edit != NULL)
		options->edit(rig->config);
	cores_create(rig, options->allocations_max == 0 ? 16 : options->allocations_max);
	return rig;
}

struct rig *rig_create(void)
{
	return rig_create_with(&(struct rig_options){.cores = 1});
}

void rig_free(struct rig *rig)
{
	rig->hold = false;
	rig_report(rig);
	for (unsigned i = 0; i < rig->core_count; i++)
		turn_free(rig->cores[i]);
	assert(rig->held_quota == 0);
	assert(quota_total(rig->quota) == 0);
	assert(rig_ports_live(rig) == 0);
	turn_config_unref(rig->config);
	unauth_limiter_free(rig->limiter);
	quota_free(rig->quota);
	port_table_free(rig->ports);
	if (rig->reply_bytes.data != NULL)
		exact_copy_free(rig->reply_bytes);
	if (rig->sent.data != NULL)
		exact_copy_free(rig->sent);
	free(rig);
}

void rig_configure(struct rig *rig, struct turn_config *config, bool revoke)
{
	for (unsigned i = 0; i < rig->core_count; i++) {
		turn_configure(rig->cores[i], config, revoke, &rig->now);
		turn_check(rig->cores[i]);
	}
	turn_config_unref(rig->config);
	rig->config = config;
}

/* --- the fake kernel --- */

static struct rig_socket *socket_find(struct rig *rig, unsigned core, struct relay_ref ref)
{
	for (unsigned i = 0; i < RIG_SOCKETS; i++) {
		struct rig_socket *s = &rig->sockets[i];
		if (s->open && s->core == core && s->ref.index == ref.index && s->ref.generation == ref.generation)
			return s;
	}
	return NULL;
}

const struct rig_socket *rig_socket_at(const struct rig *rig, const struct addr *bound)
{
	for (unsigned i = 0; i < RIG_SOCKETS; i++)
		if (rig->sockets[i].open && addr_equal(&rig->sockets[i].bound, bound))
			return &rig->sockets[i];
	return NULL;
}

static void socket_add(struct rig *rig, struct rig_socket socket)
{
	unsigned i = 0;
	while (rig->sockets[i].open)
		i++;
	assert(i < RIG_SOCKETS);
	rig->sockets[i] = socket;
}

unsigned rig_sockets_open(const struct rig *rig)
{
	unsigned count = 0;
	for (unsigned i = 0; i < RIG_SOCKETS; i++)
		count += rig->sockets[i].open;
	return count;
}

unsigned rig_ports_live(const struct rig *rig)
{
	unsigned count = 0;
	for (unsigned family = 0; family < 2; family++)
		for (unsigned port = 0; port < 65536; port++)
			count += rig->ports->live[family][port] != 0;
	return count;
}

static void reply_capture(struct rig *rig, const struct turn_effect *effect)
{
	if (rig->reply_bytes.data != NULL)
		exact_copy_free(rig->reply_bytes);
	rig->reply_bytes = exact_copy(effect->reply.data, effect->reply.size);
	rig->reply_flow = effect->flow;
	rig->replies++;
	enum stun_parse parsed = stun_view_parse(rig->reply_bytes, &rig->reply);
	if (parsed == STUN_NOT_STUN)
		parsed = stun_view_parse_classic(rig->reply_bytes, &rig->reply);
	assert(parsed == STUN_PARSED);
	(void)parsed;
}

/* What the core wants done goes into the queue; answers are read at once, as their memory is used again. */
static void effects_take(struct rig *rig, unsigned core)
{
	turn_check(rig->cores[core]);
	for (unsigned i = 0; i < rig->out.effect_count; i++) {
		const struct turn_effect *effect = &rig->out.effects[i];
		if (effect->kind == EFFECT_REPLY) {
			reply_capture(rig, effect);
			continue;
		}
		assert(rig->task_count < RIG_EFFECTS);
		rig->tasks[rig->task_count++] = (struct rig_task){.core = core, .effect = *effect};
	}
	rig->out.effect_count = 0;
}

static void task_open(struct rig *rig, const struct rig_task *task)
{
	const struct turn_effect *effect = &task->effect;
	struct turn *t = rig->cores[task->core];
	unsigned attempt = rig->opens++;
	assert(effect->address.port != 0);
	if (attempt >= rig->fail_from && attempt < rig->fail_from + rig->fail_count) {
		turn_relay_failed(t, effect->relay, rig->failure, &rig->now, &rig->out);
	} else if (rig->taken[effect->address.port] || rig_socket_at(rig, &effect->address) != NULL) {
		turn_relay_failed(t, effect->relay, RELAY_PORT_TAKEN, &rig->now, &rig->out);
	} else {
		socket_add(rig, (struct rig_socket){.open = true,
					.receiving = effect->receive,
					.core = task->core,
					.ref = effect->relay,
					.bound = effect->address});
		turn_relay_opened(t, effect->relay, &effect->address, &rig->now, &rig->out);
	}
	effects_take(rig, task->core);
}

static void task_claim(struct rig *rig, const struct rig_task *task)
{
	const struct turn_effect *effect = &task->effect;
	unsigned owner = effect->token[0];
	struct relay_ref old;
	struct addr bound;
	if (owner < rig->core_count && turn_reservation_take(rig->cores[owner], effect->token, &old, &bound)) {
		turn_check(rig->cores[owner]);
		struct rig_socket *socket = socket_find(rig, owner, old);
		assert(socket != NULL);
		assert(addr_equal(&socket->bound, &bound));
		socket->core = task->core;
		socket->ref = effect->relay;
		socket->receiving = true;
		turn_relay_opened(rig->cores[task->core], effect->relay, &bound, &rig->now, &rig->out);
	} else {
		turn_relay_failed(rig->cores[task->core], effect->relay, RELAY_NO_RESERVATION, &rig->now, &rig->out);
	}
	effects_take(rig, task->core);
}

static void task_close(struct rig *rig, const struct rig_task *task)
{
	struct rig_socket *socket = socket_find(rig, task->core, task->effect.relay);
	rig->closes++;
	if (socket != NULL)
		socket->open = false;
}

static void tasks_perform(struct rig *rig)
{
	while (rig->task_count > 0) {
		struct rig_task task = rig->tasks[0];
		memmove(rig->tasks, rig->tasks + 1, --rig->task_count * sizeof *rig->tasks);
		if (task.effect.kind == EFFECT_CLOSE_RELAY) {
			task_close(rig, &task);
		} else if (rig->hold) {
			assert(rig->held_count < RIG_EFFECTS);
			rig->held[rig->held_count++] = task;
		} else if (task.effect.kind == EFFECT_OPEN_RELAY) {
			task_open(rig, &task);
		} else {
			task_claim(rig, &task);
		}
	}
}

void rig_report(struct rig *rig)
{
	bool hold = rig->hold;
	rig->hold = false;
	memcpy(rig->tasks, rig->held, rig->held_count * sizeof *rig->held);
	rig->task_count = rig->held_count;
	rig->held_count = 0;
	tasks_perform(rig);
	rig->hold = hold;
}

void rig_fail(struct rig *rig, unsigned first, unsigned count, enum relay_failure failure)
{
	rig->opens = 0;
	rig->fail_from = first;
	rig->fail_count = count;
	rig->failure = failure;
}

/* --- packets and time --- */

static void forward_capture(struct rig *rig)
{
	rig->forward = rig->out.forward;
	assert(rig->forward.payload.size <= sizeof rig->payload);
	if (rig->forward.payload.size > 0)
		memcpy(rig->payload, rig->forward.payload.data, rig->forward.payload.size);
	rig->forward.payload.data = rig->payload;
}

static int answer_code(const struct rig *rig)
{
	if (rig->replies == 0)
		return RIG_NO_ANSWER;
	if (rig->reply.class == STUN_SUCCESS)
		return STUN_OK;
	const struct stun_attribute *attribute = stun_view_find(&rig->reply, STUN_ATTR_ERROR_CODE);
	assert(rig->reply.class == STUN_ERROR_RESPONSE && attribute != NULL);
	struct bytes value = stun_attribute_value(&rig->reply, attribute);
	assert(value.size >= 4);
	return value.data[2] * 100 + value.data[3];
}

int rig_datagram(struct rig *rig, struct rig_client *client, struct bytes datagram)
{
	struct bytes copy = exact_copy(datagram.data, datagram.size);
	rig->replies = 0;
	rig->closes = 0;
	rig->verdict = turn_from_client(rig->cores[client->core], &client->flow, copy, &rig->now, &rig->out);
	if (rig->verdict == FORWARD_TO_PEER)
		forward_capture(rig);
	exact_copy_free(copy);
	effects_take(rig, client->core);
	tasks_perform(rig);
	return answer_code(rig);
}

enum verdict rig_from_peer(struct rig *rig, struct rig_client *client, struct addr peer, struct bytes datagram)
{
	const struct rig_socket *socket = NULL;
	struct relay_ref ref = {.index = 0, .generation = UINT32_MAX};
	for (unsigned i = 0; i < RIG_SOCKETS && socket == NULL; i++)
		if (rig->sockets[i].open && rig->sockets[i].bound.port == client->relayed.port &&
			rig->sockets[i].bound.family == client->relayed.family)
			socket = &rig->sockets[i];
	if (socket != NULL)
		ref = socket->ref;
	struct bytes copy = exact_copy(datagram.data, datagram.size);
	rig->verdict = turn_from_peer(rig->cores[client->core], ref, &peer, copy, &rig->now, &rig->out);
	if (rig->verdict == FORWARD_TO_CLIENT)
		forward_capture(rig);
	exact_copy_free(copy);
	effects_take(rig, client->core);
	tasks_perform(rig);
	return rig->verdict;
}

void rig_gone(struct rig *rig, struct rig_client *client)
{
	rig->closes = 0;
	turn_client_gone(rig->cores[client->core], &client->flow, &rig->out);
	effects_take(rig, client->core);
	tasks_perform(rig);
}

void rig_pass_ns(struct rig *rig, uint64_t ns)
{
	uint64_t seconds_before = rig->now.mono_ns / NS_PER_S;
	rig->now.mono_ns += ns;
	rig->now.wall_s += rig->now.mono_ns / NS_PER_S - seconds_before;
	for (unsigned i = 0; i < rig->core_count; i++) {
		bool more;
		do {
			more = turn_expire(rig->cores[i], &rig->now, &rig->out);
			effects_take(rig, i);
			tasks_perform(rig);
		} while (more);
	}
}

void rig_pass_s(struct rig *rig, uint64_t seconds)
{
	rig_pass_ns(rig, seconds * NS_PER_S);
}
