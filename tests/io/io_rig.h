/*
 * io_rig - what the tests of the engines share: every test runs on each engine, over loopback.
 */
#ifndef UTURN_TESTS_IO_RIG_H
#define UTURN_TESTS_IO_RIG_H

#include "io/engine.h"
#include "io/udp_socket.h"

#define ENGINE_TEST(suite, name)                                                                                                   \
	static void suite##_##name(enum engine_kind kind);                                                                         \
	Test(suite, name##_on_io_uring, .timeout = 60)                                                                             \
	{                                                                                                                          \
		suite##_##name(ENGINE_IO_URING);                                                                                   \
	}                                                                                                                          \
	Test(suite, name##_on_epoll, .timeout = 60)                                                                                \
	{                                                                                                                          \
		suite##_##name(ENGINE_EPOLL);                                                                                      \
	}                                                                                                                          \
	static void suite##_##name(enum engine_kind kind)

/* An engine of this kind; the test is skipped, with the reason, where the kernel does not offer it. */
struct engine *rig_engine(enum engine_kind kind, uint32_t sockets_max, uint32_t receive_buffers);

/* A socket on an address of loopback, port chosen by the kernel, added to the engine. */
uint32_t rig_add(struct engine *engine, const struct addr *local, enum socket_kind kind, uint64_t tag, struct addr *ret_local);

/* A plain blocking socket outside the engine, with a receive time-out of two seconds. */
int rig_plain_socket(const struct addr *local, struct addr *ret_local);
void rig_plain_send(int fd, const struct addr *to, const void *data, size_t size);
/* The size, or a negative errno. */
int rig_plain_receive(int fd, uint8_t *data, size_t size);

/* Bytes that depend on the seed and the position. */
void rig_fill(uint8_t *data, size_t size, uint32_t seed);
bool rig_filled(const uint8_t *data, size_t size, uint32_t seed);

/* One turn after the other, until one returns packets or `ms` have passed. */
unsigned rig_turn(struct engine *engine, unsigned ms, const struct received **ret_batch);

uint64_t rig_now_ms(void);

extern const struct addr rig_loopback4, rig_loopback6;

#endif
