#include "io_rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

const struct addr rig_loopback4 = {.ip = {127, 0, 0, 1}, .family = ADDR_IPV4};
const struct addr rig_loopback6 = {.ip = {[15] = 1}, .family = ADDR_IPV6};

struct engine *rig_engine(enum engine_kind kind, uint32_t sockets_max, uint32_t receive_buffers)
{
	struct engine_params params = {.kind = kind, .sockets_max = sockets_max, .receive_buffers = receive_buffers};
	struct engine *engine;
	char reason[ENGINE_REASON_SIZE];
	int error = engine_open(&params, &engine, reason);
	if (error == -EPERM || error == -ENOSYS)
		cr_skip_test("%s: %s", engine_name(kind), reason);
	cr_assert_eq(error, 0, "%s: %s", engine_name(kind), reason);
	cr_assert_eq(engine_kind(engine), kind);
	return engine;
}

uint32_t rig_add(struct engine *engine, const struct addr *local, enum socket_kind kind, uint64_t tag, struct addr *ret_local)
{
	struct udp_socket_options options = {
		.receive_buffer = 4 << 20, .send_buffer = 4 << 20, .listener = kind == SOCKET_LISTENER};
	int fd = udp_socket_open(local, &options, NULL);
	cr_assert_geq(fd, 0, "socket: %s", strerrorname_np(-fd));
	*ret_local = udp_socket_local(fd);
	uint32_t socket;
	cr_assert_eq(engine_add(engine, fd, kind, tag, &socket), 0);
	return socket;
}

int rig_plain_socket(const struct addr *local, struct addr *ret_local)
{
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(local, &name);
	int fd = socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&name, size), 0, "bind: %s", strerrorname_np(errno));
	struct timeval timeout = {.tv_sec = 2};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	int buffer = 8 << 20;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
	*ret_local = udp_socket_local(fd);
	return fd;
}

void rig_plain_send(int fd, const struct addr *to, const void *data, size_t size)
{
	struct sockaddr_storage name;
	socklen_t name_size = addr_to_sockaddr(to, &name);
	cr_assert_eq(sendto(fd, data, size, 0, (struct sockaddr *)&name, name_size), (ssize_t)size, "sendto: %s",
		strerrorname_np(errno));
}

int rig_plain_receive(int fd, uint8_t *data, size_t size)
{
	ssize_t got = recv(fd, data, size, 0);
	return got < 0 ? -errno : (int)got;
}

void rig_fill(uint8_t *data, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)((seed * 2654435761u >> 24) + i * 7 + (i >> 8));
}

bool rig_filled(const uint8_t *data, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != (uint8_t)((seed * 2654435761u >> 24) + i * 7 + (i >> 8)))
			return false;
	return true;
}

uint64_t rig_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

unsigned rig_turn(struct engine *engine, unsigned ms, const struct received **ret_batch)
{
	uint64_t end_ms = rig_now_ms() + ms;
	unsigned count;
	do {
		count = engine_turn(engine, 10 * 1000000, ret_batch);
	} while (count == 0 && rig_now_ms() < end_ms);
	return count;
}
