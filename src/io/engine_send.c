#include <assert.h>
#include <errno.h>

#include "engine_private.h"
#include "train_private.h"

static unsigned append(struct engine *engine, const struct departure *departure, unsigned from)
{
	size_t size = departure->header_size + departure->payload.size + departure->padding;
	if (routes_refuse(&engine->routes, departure->socket, &departure->to, size, engine->now_ns))
		return trains_append_alone(engine->trains, departure, from);
	return trains_append(engine->trains, departure, from);
}

void engine_send(struct engine *engine, const struct departure *departure)
{
	assert(engine_socket(engine, departure->socket)->state == SOCKET_OPEN);
	unsigned next = append(engine, departure, 0);
	if (next > departure->repeats)
		return;
	if (engine->ops->flush(engine))
		next = append(engine, departure, next);
	if (next <= departure->repeats)
		counter_add(&engine->counters.send_again, 1u + departure->repeats - next);
}

void engine_send_begun(struct engine *engine, const struct train *train)
{
	engine->pending_packets += train->segments;
	engine->pending_bytes += train->bytes;
	engine->pending_trains += train->segments > 1;
	engine->pending_segments += train->segments > 1 ? train->segments : 0;
}

static void send_undone(struct engine *engine, const struct train *train)
{
	engine->pending_packets -= train->segments;
	engine->pending_bytes -= train->bytes;
	engine->pending_trains -= train->segments > 1;
	engine->pending_segments -= train->segments > 1 ? train->segments : 0;
}

void engine_flushed(struct engine *engine)
{
	struct engine_counters *counters = &engine->counters;
	gather_sent(&engine->gather, trains_count(engine->trains));
	counter_add(&counters->sent_packets, engine->pending_packets);
	counter_add(&counters->sent_bytes, engine->pending_bytes);
	counter_add(&counters->sent_trains, engine->pending_trains);
	counter_add(&counters->train_segments, engine->pending_segments);
	engine->pending_packets = engine->pending_bytes = engine->pending_trains = engine->pending_segments = 0;
	trains_clear(engine->trains);
}

static void count_failure(struct engine *engine, int error, unsigned packets)
{
	struct engine_counters *counters = &engine->counters;
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		counter_add(&counters->send_again, packets);
		break;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EPERM:
	case EACCES:
		counter_add(&counters->send_unreachable, packets);
		break;
	default:
		counter_add(&counters->send_other, packets);
	}
}

/* Sends the packets of a train one by one; true if at least one of them left. */
static bool send_singly(struct engine *engine, struct train *train)
{
	uint16_t segments = train->segments;
	struct train_message message;
	train->segments = 1;
	train_message(train, &message);
	train->segments = segments;

	int fd = engine_socket(engine, train->socket)->fd;
	struct segment_walk walk = {.train = train};
	struct iovec iov[SEGMENT_IOV_MAX];
	bool any_left = false;
	message.header.msg_iov = iov;
	while ((message.header.msg_iovlen = segment_next(&walk, iov)) > 0) {
		counter_add(&engine->counters.system_calls, 1);
		ssize_t sent = sendmsg(fd, &message.header, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0) {
			count_failure(engine, errno, 1);
			continue;
		}
		any_left = true;
		engine->pending_packets++;
		engine->pending_bytes += (uint64_t)sent;
	}
	return any_left;
}

void engine_send_failed(struct engine *engine, struct train *train, int error)
{
	send_undone(engine, train);
	bool may_split = error == EIO || error == EMSGSIZE || error == EINVAL;
	if (train->segments == 1 || !may_split) {
		count_failure(engine, error, train->segments);
		return;
	}
	counter_add(&engine->counters.trains_split, 1);
	/* Where the packets fail singly as well, the train was not at fault. */
	if (send_singly(engine, train))
		routes_learn_failure(&engine->routes, train, error, engine->now_ns);
}

ssize_t engine_stream_send(struct engine *engine, uint32_t socket, struct bytes data)
{
	counter_add(&engine->counters.system_calls, 1);
	ssize_t sent = send(engine_socket(engine, socket)->fd, data.data, data.size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM ? 0 : -errno;
	gather_sent(&engine->gather, 1);
	counter_add(&engine->counters.stream_sends, 1);
	counter_add(&engine->counters.stream_sent_bytes, (uint64_t)sent);
	return sent;
}

void engine_await_writable(struct engine *engine, uint32_t socket)
{
	struct engine_socket *s = engine_socket(engine, socket);
	if (s->awaits_writable || s->ended)
		return;
	s->awaits_writable = true;
	engine->ops->await_writable(engine, socket);
}
