#include "relay_rig.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <unistd.h>

#include "load/script.h"
#include "wire/channel_data.h"
#include "wire/classify.h"
#include "wire/stun_build.h"
#include "wire/stun_view.h"

static int open_socket(struct addr *ret_addr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = 4 << 20;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	struct addr addr = addr_ipv4(127, 0, 0, 1, 0);
	struct sockaddr_storage sa;
	socklen_t sa_size = addr_to_sockaddr(&addr, &sa);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sa_size), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &sa_size), 0);
	*ret_addr = addr_from_sockaddr((struct sockaddr *)&sa);
	return fd;
}

static void put(int fd, const struct addr *to, const uint8_t *data, size_t size)
{
	struct sockaddr_storage sa;
	socklen_t sa_size = addr_to_sockaddr(to, &sa);
	(void)!sendto(fd, data, size, 0, (struct sockaddr *)&sa, sa_size);
}

static bool is_time(unsigned count, unsigned every)
{
	return every != 0 && count % every == 0;
}

/* A packet that changes its place goes out after the next one. */
static void relay(struct relay_rig *r, enum direction direction, int fd, const struct addr *to, uint8_t *data, size_t size)
{
	struct relay_lane *lane = &r->lanes[direction];
	unsigned count = ++lane->count;
	r->packets++;
	if (is_time(count, r->drop_every))
		return;
	if (is_time(count, r->corrupt_every))
		data[size - 1] ^= 0x10;
	if (!lane->holds && is_time(count, r->swap_every)) {
		lane->holds = true;
		memcpy(lane->held, data, size);
		lane->held_size = size;
		lane->held_to = *to;
		lane->held_fd = fd;
		return;
	}
	put(fd, to, data, size);
	if (is_time(count, r->duplicate_every))
		put(fd, to, data, size);
	if (lane->holds)
		put(lane->held_fd, &lane->held_to, lane->held, lane->held_size);
	lane->holds = false;
}

static void record(struct relay_rig *r, enum direction direction, size_t size, bool indication)
{
	if (r->recorded[direction] == RELAY_RECORD_MAX)
		return;
	if (direction == UP)
		r->indications[r->recorded[direction]] = indication;
	r->sizes[direction][r->recorded[direction]++] = (uint16_t)size;
}

static struct relay_allocation *allocation_of(struct relay_rig *r, const struct addr *client)
{
	for (unsigned i = 0; i < r->allocation_count; i++)
		if (addr_equal(&r->allocations[i].client, client))
			return &r->allocations[i];
	return NULL;
}

static void answer_request(struct relay_rig *r, const struct addr *from, const struct stun_view *view)
{
	struct relay_allocation *a = allocation_of(r, from);
	struct addr addr;
	uint8_t buffer[256];
	struct stun_builder b =
		stun_build(buffer, sizeof buffer, (enum stun_method)view->method, STUN_SUCCESS, stun_view_transaction_id(view));
	if (view->method == STUN_ALLOCATE) {
		cr_assert_lt(r->allocation_count, RELAY_ALLOCATIONS_MAX);
		a = &r->allocations[r->allocation_count++];
		a->client = *from;
		a->fd = open_socket(&addr);
		stun_build_xor_addr(&b, STUN_ATTR_XOR_RELAYED_ADDRESS, &addr);
		stun_build_u32(&b, STUN_ATTR_LIFETIME, 600);
	} else if (view->method == STUN_REFRESH) {
		r->refreshes++;
		stun_build_u32(&b, STUN_ATTR_LIFETIME, 0);
	} else {
		struct relay_peer *peer = &a->peers[a->peer_count++];
		stun_attribute_xor_addr(view, stun_view_find(view, STUN_ATTR_XOR_PEER_ADDRESS), &peer->addr);
		const struct stun_attribute *channel = stun_view_find(view, STUN_ATTR_CHANNEL_NUMBER);
		if (channel != NULL)
			stun_attribute_channel(view, channel, &peer->channel);
	}
	struct bytes answer = stun_build_end(&b);
	put(r->fd, from, answer.data, answer.size);
}

static void from_client(struct relay_rig *r, const struct addr *from, uint8_t *data, size_t size)
{
	struct stun_view view;
	struct bytes payload;
	struct addr to = {0};
	struct relay_allocation *a = allocation_of(r, from);
	uint16_t channel;
	if (wire_classify(bytes_of(data, size)) == WIRE_CHANNEL_DATA) {
		cr_assert(channel_data_read(bytes_of(data, size), &channel, &payload));
		for (unsigned i = 0; i < a->peer_count; i++)
			if (a->peers[i].channel == channel)
				to = a->peers[i].addr;
	} else {
		cr_assert_eq(stun_view_parse(bytes_of(data, size), &view), STUN_PARSED);
		if (view.class == STUN_REQUEST) {
			answer_request(r, from, &view);
			return;
		}
		cr_assert_eq(view.method, STUN_SEND);
		stun_attribute_xor_addr(&view, stun_view_find(&view, STUN_ATTR_XOR_PEER_ADDRESS), &to);
		payload = stun_attribute_value(&view, stun_view_find(&view, STUN_ATTR_DATA));
	}
	record(r, UP, payload.size, wire_classify(bytes_of(data, size)) == WIRE_STUN);
	relay(r, UP, a->fd, &to, data + (payload.data - data), payload.size);
}

static void from_peer(
	struct relay_rig *r, const struct relay_allocation *a, const struct addr *from, const uint8_t *data, size_t size)
{
	static const uint8_t id[STUN_TRANSACTION_ID_SIZE];
	uint8_t packet[RELAY_PACKET_MAX] = {0};
	size_t header_size = 0, padding = 0;
	for (unsigned i = 0; i < a->peer_count; i++) {
		if (!addr_equal(&a->peers[i].addr, from))
			continue;
		if (a->peers[i].channel != 0) {
			channel_data_write(packet, a->peers[i].channel, (uint16_t)size);
			header_size = CHANNEL_DATA_HEADER_SIZE;
		} else {
			header_size = stun_data_indication_header(packet, from, (uint16_t)size, id);
			padding = (4 - size % 4) % 4;
		}
	}
	cr_assert_gt(header_size, 0);
	memcpy(packet + header_size, data, size);
	record(r, DOWN, size, false);
	/* What is corrupted must not be padding, which nobody looks at. */
	if (padding > 0 && r->corrupt_every != 0)
		cr_assert_fail("corruption is for channels");
	relay(r, DOWN, r->fd, &a->client, packet, header_size + size + padding);
}

static bool read_socket(struct relay_rig *r, int fd, const struct relay_allocation *a)
{
	uint8_t data[RELAY_PACKET_MAX];
	struct sockaddr_storage sa;
	socklen_t sa_size = sizeof sa;
	ssize_t size = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&sa, &sa_size);
	if (size < 0)
		return false;
	struct addr from = addr_from_sockaddr((struct sockaddr *)&sa);
	if (a == NULL)
		from_client(r, &from, data, (size_t)size);
	else
		from_peer(r, a, &from, data, (size_t)size);
	return true;
}

static void close_all(struct relay_rig *r)
{
	for (unsigned i = 0; i < r->allocation_count; i++)
		close(r->allocations[i].fd);
	close(r->fd);
}

static void *run(void *argument)
{
	struct relay_rig *r = argument;
	while (!atomic_load(&r->stop) && (r->end_after == 0 || r->packets < r->end_after)) {
		struct pollfd fds[RELAY_ALLOCATIONS_MAX + 1] = {{.fd = r->fd, .events = POLLIN}};
		for (unsigned i = 0; i < r->allocation_count; i++)
			fds[i + 1] = (struct pollfd){.fd = r->allocations[i].fd, .events = POLLIN};
		unsigned count = r->allocation_count;
		poll(fds, count + 1, 5);
		while (read_socket(r, r->fd, NULL))
			;
		for (unsigned i = 0; i < count; i++)
			while (fds[i + 1].revents != 0 && read_socket(r, r->allocations[i].fd, &r->allocations[i]))
				;
	}
	close_all(r);
	return NULL;
}

void relay_rig_start(struct relay_rig *r)
{
	r->fd = open_socket(&r->addr);
	cr_assert_eq(pthread_create(&r->thread, NULL, run, r), 0);
}

void relay_rig_stop(struct relay_rig *r)
{
	atomic_store(&r->stop, true);
	pthread_join(r->thread, NULL);
}
