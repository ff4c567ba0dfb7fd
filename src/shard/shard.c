/*
 * shard - birth and end. The thread opens its engine itself, because a ring belongs to the thread that made it.
 */
#include "shard/shard.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "query.h"
#include "shard_state.h"

static void hook_random(void *context, void *out, size_t size)
{
	struct shard *shard = context;
	random_bytes(&shard->random, out, size);
}

static enum quota_result hook_quota_acquire(void *context, uint64_t user)
{
	struct shard *shard = context;
	return shared_quota_acquire(shard->params.shared, user);
}

static void hook_quota_release(void *context, uint64_t user)
{
	struct shard *shard = context;
	shared_quota_release(shard->params.shared, user);
}

static int create_core(struct shard *shard)
{
	const struct shard_params *params = &shard->params;
	struct turn_params turn_params = {
		.shard = params->index,
		.allocations_max = params->allocations_max,
		.user_key = params->shared->user_key,
		.ports = params->shared->ports,
		.limiter = params->shared->limiter,
		.hooks =
			{
				.context = shard,
				.random = hook_random,
				.quota_acquire = hook_quota_acquire,
				.quota_release = hook_quota_release,
			},
	};
	shard->turn = turn_create(&turn_params, params->config, shard->now);
	if (shard->turn == NULL)
		return -ENOMEM;
	shard->relays = calloc(turn_relay_capacity(shard->turn), sizeof shard->relays[0]);
	shard->replies = malloc(REPLY_ARENA_SIZE);
	shard->counters = calloc(1, sizeof *shard->counters);
	if (shard->relays == NULL || shard->replies == NULL || shard->counters == NULL)
		return -ENOMEM;
	return streams_init(shard);
}

/* Sockets that are only reserved are not the engine's. */
static uint32_t sockets_max(const struct shard_params *params)
{
	uint64_t most = (uint64_t)params->allocations_max + params->connections_max + RELAY_FAMILIES * LIMIT_LISTENERS;
	return params->descriptors != 0 && most > params->descriptors ? params->descriptors : (uint32_t)most;
}

static void *shard_main(void *context)
{
	struct shard *shard = context;
	char name[16];
	snprintf(name, sizeof name, "shard-%u", shard->params.index);
	(void)pthread_setname_np(pthread_self(), name);

	struct engine_params engine = shard->params.engine;
	engine.sockets_max = sockets_max(&shard->params);
	shard->open_result = engine_open(&engine, &shard->engine, shard->open_reason);
	bool opened = shard->open_result == 0;
	sem_post(&shard->opened);
	sem_wait(&shard->released);
	if (!opened)
		return NULL;
	if (!shard->stopping)
		shard_loop(shard);
	/* Other shards may still wake this engine until all have stopped; then it is closed by the thread that opened it. */
	sem_post(&shard->opened);
	sem_wait(&shard->released);
	engine_close(shard->engine);
	return NULL;
}

/* Reservations that nobody claimed: their sockets are ours, not the engine's. */
static void close_reserved(struct shard *shard)
{
	for (uint32_t i = 0; shard->relays != NULL && i < turn_relay_capacity(shard->turn); i++)
		if (shard->relays[i].state == RELAY_RESERVED)
			close(shard->relays[i].fd);
}

static void refuse_mail(struct shard *shard)
{
	struct message message;
	while (mailbox_take(&shard->mailbox, &message)) {
		if (message.kind == MESSAGE_ORDER)
			shard_order_free(message.order);
		else if (message.kind == MESSAGE_FIND)
			query_release(message.find);
		else if (message.kind == MESSAGE_CLAIMED)
			close(message.claim.fd);
	}
}

struct shard *shard_free(struct shard *shard)
{
	if (shard == NULL)
		return NULL;
	if (shard->open_result == 0 && shard->engine != NULL) {
		sem_post(&shard->released);
		pthread_join(shard->thread, NULL);
	}
	refuse_mail(shard);
	if (shard->turn != NULL) {
		close_reserved(shard);
		turn_free(shard->turn);
	}
	streams_done(shard);
	mailbox_done(&shard->mailbox);
	sem_destroy(&shard->opened);
	sem_destroy(&shard->released);
	free(shard->relays);
	free(shard->replies);
	free(shard->counters);
	free(shard);
	return NULL;
}

int shard_start(const struct shard_params *params, struct shard **ret_shard, char ret_reason[static ENGINE_REASON_SIZE])
{
	struct shard *shard = calloc(1, sizeof *shard);
	if (shard == NULL)
		return -ENOMEM;
	shard->params = *params;
	shard->now = clock_now();
	shard->open_reason = ret_reason;
	listeners_init(shard);
	mailbox_init(&shard->mailbox);
	sem_init(&shard->opened, 0, 0);
	sem_init(&shard->released, 0, 0);
	atomic_init(&shard->heartbeat_ns, shard->now.mono_ns);
	atomic_init(&shard->orders_taken, 0);
	snprintf(ret_reason, ENGINE_REASON_SIZE, "not enough memory");

	int result = create_core(shard);
	if (result == 0)
		result = -pthread_create(&shard->thread, NULL, shard_main, shard);
	if (result < 0) {
		shard_free(shard);
		return result;
	}
	sem_wait(&shard->opened);
	if (shard->open_result < 0) {
		result = shard->open_result;
		sem_post(&shard->released);
		pthread_join(shard->thread, NULL);
		shard_free(shard);
		return result;
	}
	*ret_shard = shard;
	return 0;
}

void shard_run(struct shard *shard, struct shard *const *shards)
{
	shard->shards = shards;
	sem_post(&shard->released);
}

void shard_stop(struct shard *shard)
{
	if (shard == NULL)
		return;
	if (shard->shards == NULL) {
		/* It never ran. */
		shard->stopping = true;
		sem_post(&shard->released);
	} else {
		/* A full mailbox empties within a turn of the loop. */
		while (!shard_tell(shard, &(struct message){.kind = MESSAGE_STOP}))
			sched_yield();
	}
	sem_wait(&shard->opened);
}

const struct shard_counters *shard_counters(const struct shard *shard)
{
	return shard->counters;
}

uint64_t shard_orders_taken(const struct shard *shard)
{
	return atomic_load_explicit(&shard->orders_taken, memory_order_acquire);
}

const struct turn_counters *shard_turn_counters(const struct shard *shard)
{
	return turn_counters(shard->turn);
}

const struct engine_counters *shard_engine_counters(const struct shard *shard)
{
	return engine_counters(shard->engine);
}

enum engine_kind shard_engine_kind(const struct shard *shard)
{
	return engine_kind(shard->engine);
}

uint64_t shard_heartbeat_ns(const struct shard *shard)
{
	return atomic_load_explicit(&shard->heartbeat_ns, memory_order_relaxed);
}
