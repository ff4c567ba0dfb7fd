/*
 * connection - made, watched, ended.
 */
#include "connection.h"

#include <errno.h>

#include "shard_state.h"

/* Memory that slow readers have needed goes back when it is quiet. */
#define TRIM_INTERVAL_NS NS_PER_S

/* Connections that end in one turn: each costs a few system calls, and when a whole office hangs up the packets of others go on. */
enum { CLOSES_MAX = 32 };

#define QUEUE_EMPTY ((struct connection_queue){CONNECTION_NONE, CONNECTION_NONE})

int streams_init(struct shard *shard)
{
	struct streams *streams = &shard->streams;
	/* Where there may be none, the tables are there all the same. */
	uint32_t most = shard->params.connections_max == 0 ? 1 : shard->params.connections_max;
	streams->flush = streams->closing = streams->lingering = QUEUE_EMPTY;
	streams->handshakes = streams->idle = streams->waiting = streams->waiting_crowd = QUEUE_EMPTY;
	wheel_init(&streams->wheel, shard->now.mono_ns);
	struct stream_config *given = shard->params.streams;
	streams->config = given == NULL ? stream_config_create() : stream_config_ref(given);
	if (streams->config == NULL)
		return -ENOMEM;
	random_bytes(&shard->random, &streams->key, sizeof streams->key);
	random_bytes(&shard->random, streams->cookie_key, sizeof streams->cookie_key);
	int error = pool_init(&streams->connections, sizeof(struct connection), most);
	if (error == 0)
		error = map_init(&streams->by_address, most);
	if (error == 0)
		error = sources_init(&streams->sources, most, &streams->key);
	if (error == 0)
		error = stream_buffers_init(&streams->buffers, shard->params.stream_buffers);
	return error;
}

void streams_done(struct shard *shard)
{
	struct streams *streams = &shard->streams;
	stream_config_unref(streams->config);
	streams->config = NULL;
	stream_buffers_done(&streams->buffers);
	sources_done(&streams->sources);
	map_done(&streams->by_address);
	pool_done(&streams->connections);
}

void streams_configure(struct shard *shard, struct stream_config *config)
{
	stream_config_unref(shard->streams.config);
	shard->streams.config = config;
}

struct connection *connection_at(const struct shard *shard, uint32_t number)
{
	return pool_at(&shard->streams.connections, number);
}

uint32_t connection_number(const struct connection *c)
{
	return c->flow.connection - 1;
}

uint64_t connection_tag(const struct shard *shard, const struct connection *c)
{
	uint32_t number = connection_number(c);
	return (uint64_t)pool_generation(&shard->streams.connections, number) << 32 | number;
}

struct connection *connection_of_tag(const struct shard *shard, uint64_t tag)
{
	uint32_t number = (uint32_t)tag;
	if (pool_generation(&shard->streams.connections, number) != tag >> 32)
		return NULL;
	struct connection *c = connection_at(shard, number);
	return c->state == CONNECTION_CLOSING ? NULL : c;
}

static uint64_t address_hash(const struct shard *shard, unsigned listener, const struct addr *via)
{
	struct {
		struct addr via;
		uint32_t listener;
	} key = {*via, listener};
	return siphash(&shard->streams.key, &key, sizeof key);
}

struct connection *connection_by_address(const struct shard *shard, unsigned listener, const struct addr *via)
{
	const struct map *map = &shard->streams.by_address;
	uint64_t hash = address_hash(shard, listener, via);
	uint32_t it;
	for (uint32_t n = map_first(map, hash, &it); n != MAP_NONE; n = map_next(map, hash, &it)) {
		struct connection *c = connection_at(shard, n);
		if (c->flow.listener == listener && addr_equal(&c->via, via) && c->state != CONNECTION_CLOSING)
			return c;
	}
	return NULL;
}

bool connection_share_socket(struct shard *shard, struct connection *c)
{
	return map_insert(&shard->streams.by_address, address_hash(shard, c->flow.listener, &c->via), connection_number(c));
}

static void refuse(struct shard *shard, enum stream_refusal refusal)
{
	counter_add(&shard->counters->streams.refused[refusal], 1);
}

static bool room_for_one(const struct shard *shard)
{
	uint32_t used = shard->streams.connections.used, most = shard->streams.config->connections_max;
	return used < shard->params.connections_max && (most == 0 || used < most);
}

struct connection *connection_create(struct shard *shard, const struct flow *came)
{
	struct streams *streams = &shard->streams;
	uint32_t number = room_for_one(shard) ? pool_take(&streams->connections) : POOL_NONE;
	if (number == POOL_NONE) {
		refuse(shard, REFUSED_CONNECTIONS);
		return NULL;
	}
	struct connection *c = connection_at(shard, number);
	c->flow = *came;
	c->flow.connection = number + 1;
	c->via = came->client;
	c->socket = SOCKET_NONE;
	c->state = CONNECTION_PROXY;
	c->record.buffer = c->frame.buffer = c->output.buffer = STREAM_BUFFER_NONE;
	c->successor = CONNECTION_NONE;
	c->source = SOURCE_NONE;
	c->resend_ns = WHEEL_NEVER;
	c->created_ns = c->active_ns = shard->now.mono_ns;
	struct stream_counters *counters = &shard->counters->streams;
	counter_add(&counters->connections_total[came->listener], 1);
	counter_set(&counters->connections[came->listener], counter_read(&counters->connections[came->listener]) + 1);
	connection_watch(shard, c);
	return c;
}

bool connection_count_source(struct shard *shard, struct connection *c)
{
	struct streams *streams = &shard->streams;
	c->source = sources_acquire(&streams->sources, &c->flow.client, streams->config->limits.per_source);
	if (c->source != SOURCE_NONE)
		return true;
	refuse(shard, REFUSED_SOURCE);
	connection_end(shard, c, END_REFUSED);
	return false;
}

bool connection_may_hold(const struct shard *shard, const struct connection *c)
{
	return !stream_buffers_are_scarce(&shard->streams.buffers) || turn_client_holds(shard->turn, &c->flow);
}

void connection_succeed(struct shard *shard, struct connection *successor)
{
	struct connection *c = connection_by_address(shard, successor->flow.listener, &successor->via);
	if (c == NULL || c == successor)
		return;
	c->successor = CONNECTION_NONE;
	connection_end(shard, c, END_BY_CLIENT);
	if (!connection_share_socket(shard, successor))
		connection_end(shard, successor, END_REFUSED);
}

void connection_queue_push(struct shard *shard, struct connection_queue *queue, struct connection *c, uint32_t *next)
{
	size_t link = (size_t)((char *)next - (char *)c);
	uint32_t number = connection_number(c);
	*next = CONNECTION_NONE;
	if (queue->last == CONNECTION_NONE)
		queue->first = number;
	else
		*(uint32_t *)(void *)((char *)connection_at(shard, queue->last) + link) = number;
	queue->last = number;
}

void connection_end(struct shard *shard, struct connection *c, enum stream_end end)
{
	if (c->state == CONNECTION_CLOSING)
		return;
	c->state = CONNECTION_CLOSING;
	c->end = (uint8_t)end;
	counter_add(&shard->counters->streams.ended[end], 1);
	connection_queue_push(shard, &shard->streams.closing, c, &c->closing_next);
}

static uint64_t after_s(uint64_t from_ns, uint32_t seconds)
{
	return from_ns + seconds * NS_PER_S;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t deadline_of(const struct shard *shard, const struct connection *c)
{
	const struct stream_limits *limits = &shard->streams.config->limits;
	if (c->state != CONNECTION_OPEN)
		return earlier(after_s(c->created_ns, limits->handshake_timeout_s), c->resend_ns);
	uint64_t idle_ns = after_s(c->active_ns, limits->idle_timeout_s);
	return c->output.blocked ? earlier(idle_ns, after_s(c->blocked_ns, limits->stuck_timeout_s)) : idle_ns;
}

void connection_watch(struct shard *shard, struct connection *c)
{
	wheel_start(&shard->streams.wheel, &c->timer, deadline_of(shard, c));
}

static void expire_open(struct shard *shard, struct connection *c)
{
	const struct stream_limits *limits = &shard->streams.config->limits;
	uint64_t now_ns = shard->now.mono_ns;
	/* Whoever sends nothing for so long does not wait for our last flight. */
	handshake_release(shard, c);
	if (c->output.blocked && now_ns >= after_s(c->blocked_ns, limits->stuck_timeout_s)) {
		connection_end(shard, c, END_STUCK);
		return;
	}
	bool idle = now_ns >= after_s(c->active_ns, limits->idle_timeout_s);
	/* Where no new allocation can be made, messages alone keep nothing open. */
	if (idle || shard->streams.config->listeners[c->flow.listener].retiring) {
		/* An allocation ends by its own time. */
		if (!turn_client_holds(shard->turn, &c->flow)) {
			connection_end(shard, c, END_IDLE);
			return;
		}
		c->active_ns = now_ns;
	}
	connection_watch(shard, c);
}

static void expire_one(struct shard *shard, struct connection *c)
{
	const struct stream_limits *limits = &shard->streams.config->limits;
	if (c->state == CONNECTION_OPEN) {
		expire_open(shard, c);
	} else if (shard->now.mono_ns < after_s(c->created_ns, limits->handshake_timeout_s)) {
		handshake_resend(shard, c);
	} else {
		handshake_time_out(shard, c);
	}
}

void connections_expire(struct shard *shard)
{
	struct streams *streams = &shard->streams;
	struct timer *timer;
	while ((timer = wheel_expired(&streams->wheel, shard->now.mono_ns)) != NULL) {
		struct connection *c = (struct connection *)(void *)((char *)timer - offsetof(struct connection, timer));
		if (c->state != CONNECTION_CLOSING)
			expire_one(shard, c);
	}
	if (streams->buffers.count > 0 && shard->now.mono_ns - streams->trim_ns >= TRIM_INTERVAL_NS) {
		streams->trim_ns = shard->now.mono_ns;
		stream_buffers_trim(&streams->buffers);
	}
}

uint64_t connections_deadline_ns(const struct shard *shard)
{
	uint64_t deadline_ns = earlier(wheel_deadline_ns(&shard->streams.wheel), handshakes_deadline_ns(shard));
	return shard->streams.closing.first == CONNECTION_NONE ? deadline_ns : 0;
}

/* The last word, where there is somebody to hear it. */
static void say_goodbye(struct shard *shard, struct connection *c)
{
	uint8_t alert[RECORD_CONTROL_SIZE_MAX];
	if (c->end == END_RESET || c->end == END_STUCK || c->end == END_ANSWERS)
		return;
	if (c->socket != SOCKET_NONE)
		output_flush(shard, c);
	if (c->records.write == NULL || c->output.blocked)
		return;
	size_t size = record_close(&c->records, (enum record_reason)c->fault, alert);
	if (c->socket == SOCKET_NONE) {
		connection_send_datagram(shard, c, bytes_of(alert, size));
	} else {
		output_append_sealed(shard, c, bytes_of(alert, size));
		output_flush(shard, c);
	}
}

/* The address that it shared is another's, or nobody's. */
static void leave_address(struct shard *shard, struct connection *c)
{
	map_remove(&shard->streams.by_address, address_hash(shard, c->flow.listener, &c->via), connection_number(c));
	struct connection *other = connection_by_address(shard, c->flow.listener, &c->via);
	if (other != NULL && other->successor == connection_number(c))
		other->successor = CONNECTION_NONE;
	if (c->successor == CONNECTION_NONE)
		return;
	other = connection_at(shard, c->successor);
	if (other->state != CONNECTION_CLOSING && !connection_share_socket(shard, other))
		connection_end(shard, other, END_REFUSED);
}

static void close_one(struct shard *shard, struct connection *c)
{
	struct streams *streams = &shard->streams;
	say_goodbye(shard, c);
	turn_client_gone(shard->turn, &c->flow, &shard->out);
	shard_perform(shard);
	if (c->socket != SOCKET_NONE)
		engine_remove(shard->engine, c->socket);
	else
		leave_address(shard, c);
	handshake_release(shard, c);
	record_done(&c->records);
	piece_finish(shard, &c->record);
	piece_finish(shard, &c->frame);
	output_release(shard, c);
	sources_release(&streams->sources, c->source);
	wheel_stop(&streams->wheel, &c->timer);
	counter *gauge = &shard->counters->streams.connections[c->flow.listener];
	counter_set(gauge, counter_read(gauge) - 1);
	uint32_t number = connection_number(c);
	c->flow.connection = 0;
	pool_give(&streams->connections, number);
}

bool connections_close(struct shard *shard)
{
	struct connection_queue *closing = &shard->streams.closing;
	for (unsigned n = 0; n < CLOSES_MAX && closing->first != CONNECTION_NONE; n++) {
		struct connection *c = connection_at(shard, closing->first);
		closing->first = c->closing_next;
		if (closing->first == CONNECTION_NONE)
			closing->last = CONNECTION_NONE;
		close_one(shard, c);
	}
	return closing->first != CONNECTION_NONE;
}

void connections_close_all(struct shard *shard)
{
	struct pool *pool = &shard->streams.connections;
	for (uint32_t number = 0; number < pool->fresh; number++) {
		struct connection *c = connection_at(shard, number);
		if (c->flow.connection == number + 1)
			connection_end(shard, c, END_SERVER);
	}
	while (connections_close(shard))
		engine_flush(shard->engine);
}
