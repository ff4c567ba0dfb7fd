/*
 * effects - does what the core decided: answers, relay sockets, claims.
 */
#include <assert.h>

#include "shard_state.h"

static void reply(struct shard *shard, const struct turn_effect *effect)
{
	uint8_t *copy = shard_arena(shard, effect->reply.size);
	memcpy(copy, effect->reply.data, effect->reply.size);

	struct departure departure = {.payload = bytes_of(copy, effect->reply.size)};
	send_to_client(shard, &effect->flow, &departure);
}

void shard_log_auth_failure(struct shard *shard, const struct flow *flow)
{
	enum auth_failure failure = shard->out.auth_failure;
	uint32_t suppressed;
	char text[ADDR_TEXT_SIZE];
	/* Every client's first request lacks credentials, and every long call's nonce grows old. */
	if (failure == AUTH_FAILURE_COUNT || failure == AUTH_FAIL_MISSING || failure == AUTH_FAIL_STALE_NONCE)
		return;
	if (log_limit_pass(&shard->auth_failure_log, shard->now.mono_ns, 10 * NS_PER_S, &suppressed))
		log_info(LOG_AUTH, "client %s: %s (%u more since the last such line)", addr_format(&flow->client, text),
			auth_failure_help(failure), suppressed);
}

/* What the core still wants done, in its order: a slot that is closed may be opened again by the next effect. A reaction to an
 * effect may bring more; the core's own limit on tries bounds them. */
enum { BACKLOG_MAX = 4 * TURN_EFFECTS_MAX };

struct backlog {
	unsigned head, count;
	struct turn_effect effects[BACKLOG_MAX];
};

static void take_effects(struct shard *shard, struct backlog *backlog)
{
	for (unsigned i = 0; i < shard->out.effect_count; i++) {
		const struct turn_effect *effect = &shard->out.effects[i];
		/* Replies go first: they lie in the memory that the core's next answer overwrites. */
		if (effect->kind == EFFECT_REPLY) {
			reply(shard, effect);
			continue;
		}
		assert(backlog->count < BACKLOG_MAX);
		backlog->effects[(backlog->head + backlog->count++) % BACKLOG_MAX] = *effect;
	}
	shard->out.effect_count = 0;
}

static void perform(struct shard *shard, const struct turn_effect *effect)
{
	switch (effect->kind) {
	case EFFECT_OPEN_RELAY:
		relay_open(shard, effect);
		break;
	case EFFECT_CLOSE_RELAY:
		relay_close(shard, effect->relay);
		break;
	case EFFECT_CLAIM_RESERVATION:
		shard_claim(shard, effect);
		break;
	case EFFECT_REPLY:
		break;
	}
}

void shard_perform(struct shard *shard)
{
	struct backlog backlog;
	backlog.head = backlog.count = 0;
	take_effects(shard, &backlog);
	while (backlog.count > 0) {
		struct turn_effect effect = backlog.effects[backlog.head];
		backlog.head = (backlog.head + 1) % BACKLOG_MAX;
		backlog.count--;
		perform(shard, &effect);
		take_effects(shard, &backlog);
	}
}
