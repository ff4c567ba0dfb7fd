/*
 * loop - one turn after the other: send, wait, receive, relay. HOT.
 *
 * Per packet: 0 allocations, 0 locks, 0 log lines, 0 copies of the payload; with io_uring one system call per turn.
 */
#include "shard_state.h"

/* So that liveness shows within a second even when nothing happens. */
#define WAIT_MAX_NS NS_PER_S

/* clang-format off */
const uint64_t turn_time_bounds_ns[TURN_TIME_BUCKETS - 1] = {
	   2000,    5000,    10000,    20000,    50000,   100000,  200000,
	 500000, 1000000,  2000000,  5000000, 10000000, 20000000,
};
/* clang-format on */

static uint64_t wait_ns(const struct shard *shard)
{
	uint64_t deadline_ns = turn_deadline_ns(shard->turn), connections_ns = connections_deadline_ns(shard);
	if (connections_ns < deadline_ns)
		deadline_ns = connections_ns;
	uint64_t wait = clock_wait_ns(deadline_ns, shard->now.mono_ns);
	return wait < WAIT_MAX_NS ? wait : WAIT_MAX_NS;
}

void shard_from_listener(struct shard *shard, const struct received *received, enum listener_way way)
{
	/* Most is plain UDP: no jump through a table for it. */
	if (way == LISTENER_PLAIN) {
		shard_from_client(shard, received);
		return;
	}
	switch (way) {
	case LISTENER_PLAIN:
		break;
	case LISTENER_DTLS:
		shard_from_dtls(shard, received);
		break;
	case LISTENER_PROXIED:
		shard_from_proxied(shard, received);
		break;
	case LISTENER_STREAM:
		shard_accept(shard, received);
		break;
	case LISTENER_SHARED:
		shard_from_shared(shard, received);
		break;
	}
}

static void receive(struct shard *shard, const struct received *batch, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (tag_is_listener(batch[i].tag))
			shard_from_listener(shard, &batch[i], (enum listener_way)shard->listener_ways[tag_listener(batch[i].tag)]);
		else if (batch[i].kind == RECEIVED_DATAGRAM)
			shard_from_peer(shard, &batch[i]);
		else
			shard_from_stream(shard, &batch[i]);
	}
}

/* What this turn brought for connections leaves with one send each; then those that have ended go. */
static void serve_connections(struct shard *shard)
{
	handshakes_run(shard);
	connections_expire(shard);
	outputs_flush(shard);
	connections_close(shard);
}

static void expire(struct shard *shard)
{
	bool more;
	do {
		more = turn_expire(shard->turn, &shard->now, &shard->out);
		shard_perform(shard);
	} while (more);
}

static void account(struct shard *shard, uint64_t started_ns)
{
	uint64_t took_ns = clock_mono_ns() - started_ns;
	unsigned bucket = 0;
	while (bucket < TURN_TIME_BUCKETS - 1 && took_ns > turn_time_bounds_ns[bucket])
		bucket++;
	counter_add(&shard->counters->turn_time_buckets[bucket], 1);
	counter_add(&shard->counters->turn_time_sum_ns, took_ns);
}

void shard_loop(struct shard *shard)
{
	while (!shard->stopping) {
		const struct received *batch;
		unsigned count = engine_turn(shard->engine, wait_ns(shard), &batch);
		shard->now = clock_now();
		shard->replies_used = 0;
		stream_buffers_reuse(&shard->streams.buffers);
		atomic_store_explicit(&shard->heartbeat_ns, shard->now.mono_ns, memory_order_relaxed);
		receive(shard, batch, count);
		expire(shard);
		shard_read_mailbox(shard);
		if (shard->connects)
			serve_connections(shard);
		account(shard, shard->now.mono_ns);
	}
	connections_close_all(shard);
	engine_flush(shard->engine);
}
