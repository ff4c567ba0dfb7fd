#include "load/receiver.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>

#include "load/wall_clock.h"
#include "wire/channel_data.h"
#include "wire/classify.h"

bool receiver_init(struct receiver *r, struct path *paths, _Atomic uint64_t *refused, struct tally tallies[static DIRECTIONS])
{
	r->paths = paths;
	r->refused = refused;
	for (unsigned direction = 0; direction < DIRECTIONS; direction++)
		r->tallies[direction] = &tallies[direction];
	r->buffers = malloc((size_t)RECEIVER_MESSAGES * RECEIVER_BUFFER_SIZE);
	if (r->buffers == NULL)
		return false;
	for (size_t i = 0; i < RECEIVER_MESSAGES; i++) {
		r->iov[i] = (struct iovec){.iov_base = r->buffers + i * RECEIVER_BUFFER_SIZE, .iov_len = RECEIVER_BUFFER_SIZE};
		r->headers[i].msg_hdr = (struct msghdr){
			.msg_iov = &r->iov[i],
			.msg_iovlen = 1,
			.msg_control = r->control[i],
			.msg_controllen = sizeof r->control[i],
		};
	}
	return true;
}

void receiver_done(struct receiver *r)
{
	free(r->buffers);
	r->buffers = NULL;
}

/* One message that arrived: one datagram, or several of one size but for the last. */
struct arrived {
	struct bytes bytes;
	size_t segment_size;
	uint64_t at_ns; /* CLOCK_REALTIME */
};

static struct arrived arrived_of(struct receiver *r, unsigned index)
{
	struct msghdr *header = &r->headers[index].msg_hdr;
	struct arrived arrived = {.bytes = bytes_of(r->iov[index].iov_base, r->headers[index].msg_len)};
	arrived.segment_size = arrived.bytes.size;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
			struct timespec stamp;
			memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
			arrived.at_ns = wall_clock_of(&stamp);
		} else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int size;
			memcpy(&size, CMSG_DATA(c), sizeof size);
			if (size > 0)
				arrived.segment_size = (size_t)size;
		}
	}
	if (arrived.at_ns == 0)
		arrived.at_ns = wall_clock_ns();
	header->msg_controllen = sizeof r->control[index];
	return arrived;
}

/* The next segment. An empty datagram is one segment, too. */
static bool next_segment(struct arrived *arrived, struct bytes *ret_segment)
{
	if (arrived->bytes.data == NULL)
		return false;
	size_t size = arrived->bytes.size < arrived->segment_size ? arrived->bytes.size : arrived->segment_size;
	*ret_segment = bytes_of(arrived->bytes.data, size);
	arrived->bytes = bytes_of(arrived->bytes.data + size, arrived->bytes.size - size);
	if (arrived->bytes.size == 0)
		arrived->bytes.data = NULL;
	return true;
}

/* How many messages were read; 0 when there is nothing, or an error of a packet that was sent. */
static unsigned read_some(struct receiver *r, int fd, bool client)
{
	int count = recvmmsg(fd, r->headers, RECEIVER_MESSAGES, MSG_DONTWAIT, NULL);
	if (count > 0)
		return (unsigned)count;
	if (client && errno == ECONNREFUSED)
		tally_count(r->refused, 1);
	return 0;
}

void receiver_read_peer(struct receiver *r, struct path *path)
{
	struct stream *stream = &path->streams[UP];
	unsigned count = RECEIVER_MESSAGES;
	for (unsigned round = 0; round < RECEIVER_ROUNDS_MAX && count == RECEIVER_MESSAGES; round++) {
		uint64_t fresh = 0;
		count = read_some(r, path->peer_fd, false);
		for (unsigned i = 0; i < count; i++) {
			struct arrived arrived = arrived_of(r, i);
			struct bytes segment;
			while (next_segment(&arrived, &segment))
				fresh += stream_arrive(stream, segment.data, segment.size, arrived.at_ns, r->tallies[UP]);
		}
		tally_count(&r->delivered, fresh);
	}
}

static struct path *path_of_channel(struct receiver *r, const struct allocation *a, uint16_t channel)
{
	uint32_t index = (uint32_t)channel - TURN_CLIENT_CHANNEL_MIN;
	if (index >= a->path_count || r->paths[a->path_first + index].channel != channel)
		return NULL;
	return &r->paths[a->path_first + index];
}

static struct path *path_of_peer(struct receiver *r, const struct allocation *a, const struct addr *peer)
{
	for (uint32_t i = 0; i < a->path_count; i++)
		if (addr_equal(&r->paths[a->path_first + i].peer, peer))
			return &r->paths[a->path_first + i];
	return NULL;
}

/* RFC 8656, section 11.4. */
static struct path *read_indication(struct receiver *r, const struct allocation *a, struct bytes message, struct bytes *ret_data)
{
	struct stun_view view;
	if (stun_view_parse(message, &view) != STUN_PARSED || view.method != STUN_DATA || view.class != STUN_INDICATION)
		return NULL;
	const struct stun_attribute *peer = stun_view_find(&view, STUN_ATTR_XOR_PEER_ADDRESS);
	const struct stun_attribute *data = stun_view_find(&view, STUN_ATTR_DATA);
	struct addr addr;
	if (peer == NULL || data == NULL || !stun_attribute_xor_addr(&view, peer, &addr))
		return NULL;
	*ret_data = stun_attribute_value(&view, data);
	return path_of_peer(r, a, &addr);
}

static bool take_from_server(
	struct receiver *r, const struct allocation *a, struct turn_client *client, struct bytes segment, uint64_t arrived_ns)
{
	struct path *path = NULL;
	struct bytes data = {0};
	uint16_t channel;
	if (wire_classify(segment) == WIRE_CHANNEL_DATA) {
		if (channel_data_read(segment, &channel, &data))
			path = path_of_channel(r, a, channel);
	} else if (turn_client_takes(segment)) {
		turn_client_receive(client, segment, clock_mono_ns());
		r->answered = client;
		return false;
	} else {
		path = read_indication(r, a, segment, &data);
	}
	if (path == NULL) {
		stream_arrive_garbage(&r->paths[a->path_first].streams[DOWN], r->tallies[DOWN]);
		return false;
	}
	return stream_arrive(&path->streams[DOWN], data.data, data.size, arrived_ns, r->tallies[DOWN]);
}

/* What a connection's frames are handed to. */
struct arrival_sink {
	struct receiver *receiver;
	const struct allocation *allocation;
	struct turn_client *client;
	uint64_t at_ns, fresh;
};

static void take_frame(void *context, struct bytes frame)
{
	struct arrival_sink *sink = context;
	sink->fresh += take_from_server(sink->receiver, sink->allocation, sink->client, frame, sink->at_ns);
}

static unsigned read_connection(struct receiver *r, struct connection *c)
{
	int count = recvmmsg(c->fd, r->headers, RECEIVER_MESSAGES, MSG_DONTWAIT, NULL);
	if (count > 0)
		return (unsigned)count;
	if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		connection_fail(c, errno);
	return 0;
}

static void receive_connection(struct receiver *r, const struct allocation *allocation, struct turn_client *client)
{
	struct connection *c = allocation->connection;
	struct arrival_sink sink = {.receiver = r, .allocation = allocation, .client = client};
	unsigned count = RECEIVER_MESSAGES;
	connection_writable(c);
	for (unsigned round = 0; round < RECEIVER_ROUNDS_MAX && count == RECEIVER_MESSAGES; round++) {
		count = read_connection(r, c);
		for (unsigned i = 0; i < count && c->state == CONNECTION_OPEN; i++) {
			struct arrived arrived = arrived_of(r, i);
			struct bytes segment;
			sink.at_ns = arrived.at_ns;
			while (next_segment(&arrived, &segment))
				connection_take(c, segment, take_frame, &sink);
		}
	}
	tally_count(&r->delivered, sink.fresh);
	if (c->state == CONNECTION_ENDED && atomic_load_explicit(&r->ended, memory_order_relaxed) == NULL)
		atomic_store_explicit(&r->ended, c, memory_order_release);
}

void receiver_read_client(struct receiver *r, const struct allocation *allocation, struct turn_client *client)
{
	if (allocation->connection != NULL) {
		receive_connection(r, allocation, client);
		return;
	}
	unsigned count = RECEIVER_MESSAGES;
	for (unsigned round = 0; round < RECEIVER_ROUNDS_MAX && count == RECEIVER_MESSAGES; round++) {
		uint64_t fresh = 0;
		count = read_some(r, allocation->fd, true);
		for (unsigned i = 0; i < count; i++) {
			struct arrived arrived = arrived_of(r, i);
			struct bytes segment;
			while (next_segment(&arrived, &segment))
				fresh += take_from_server(r, allocation, client, segment, arrived.at_ns);
		}
		tally_count(&r->delivered, fresh);
	}
}
