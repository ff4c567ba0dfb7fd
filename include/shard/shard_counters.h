/*
 * shard_counters - what a shard counts besides its TURN core and its engine. Written by the shard, read by anyone.
 */
#ifndef UTURN_SHARD_SHARD_COUNTERS_H
#define UTURN_SHARD_SHARD_COUNTERS_H

#include "base/counter.h"
#include "shard/stream_counters.h"
#include "turn/limits.h"

/* rx: received by the relay on that side (from clients; from peers). tx: sent by it. As in stunnerd's metrics. */
struct traffic_counters {
	counter rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* Upper bounds of the turn time buckets, in nanoseconds; the last bucket is everything beyond. */
enum { TURN_TIME_BUCKETS = 14 };
extern const uint64_t turn_time_bounds_ns[TURN_TIME_BUCKETS - 1]; /* 2 us, 5 us, 10 us … 10 ms, 20 ms */

struct shard_counters {
	struct traffic_counters listeners[LIMIT_LISTENERS];
	struct traffic_counters clusters[LIMIT_CLUSTERS];
	counter turn_time_buckets[TURN_TIME_BUCKETS]; /* not cumulative */
	counter turn_time_sum_ns;
	counter mailbox_full;  /* messages that found no room */
	counter relay_sockets; /* gauge */
	counter relay_open_failures;
	struct stream_counters streams;
};

#endif
