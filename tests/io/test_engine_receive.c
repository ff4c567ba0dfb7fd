/* Messages as the kernel might deliver them, played: what is unusable is dropped, counted, and costs no buffer. */
#include <criterion/criterion.h>
#include <netinet/udp.h>

#include "engine_private.h"
#include "io_rig.h"

struct receive_rig {
	struct engine *engine;
	uint32_t socket;
	uint32_t free_before;
	uint16_t buffer;
};

static struct receive_rig receive_rig(void)
{
	struct receive_rig rig = {.engine = rig_engine(ENGINE_EPOLL, 4, 16)};
	struct addr local;
	rig.socket = rig_add(rig.engine, &rig_loopback4, SOCKET_RELAY, 42, &local);
	rig.free_before = rig.engine->buffers.free_count;
	rig.buffer = receive_buffers_take(&rig.engine->buffers);
	struct sockaddr_storage name;
	struct addr from = addr_ipv4(192, 0, 2, 7, 4000);
	addr_to_sockaddr(&from, &name);
	memcpy(receive_buffer_at(&rig.engine->buffers, rig.buffer) + BUFFER_NAME, &name, sizeof(struct sockaddr_in));
	return rig;
}

static size_t put_segment_size(struct receive_rig *rig, int segment_size)
{
	struct cmsghdr *cmsg = (struct cmsghdr *)(void *)(receive_buffer_at(&rig->engine->buffers, rig->buffer) + BUFFER_CONTROL);
	cmsg->cmsg_level = IPPROTO_UDP;
	cmsg->cmsg_type = UDP_GRO;
	cmsg->cmsg_len = CMSG_LEN(sizeof segment_size);
	memcpy(CMSG_DATA(cmsg), &segment_size, sizeof segment_size);
	return CMSG_SPACE(sizeof segment_size);
}

Test(engine_receive, drops_and_counts_what_was_cut_off)
{
	static const struct {
		int flags;
		size_t control_size;
	} cases[] = {{MSG_TRUNC, 0}, {MSG_CTRUNC, 0}, {0, BUFFER_CONTROL_SIZE + 1}};
	for (unsigned i = 0; i < 3; i++) {
		struct receive_rig rig = receive_rig();
		cr_expect(!engine_deliver(rig.engine, rig.socket, rig.buffer, cases[i].control_size, 100, cases[i].flags));
		cr_expect_eq(rig.engine->batch_count, 0u);
		cr_expect_eq(rig.engine->buffers.free_count, rig.free_before);
		cr_expect_eq(counter_read(&engine_counters(rig.engine)->receive_truncated), 1u);
		cr_expect_eq(counter_read(&engine_counters(rig.engine)->received_packets[SOCKET_RELAY]), 0u);
		engine_close(rig.engine);
	}
}

Test(engine_receive, counts_the_packets_of_an_aggregate)
{
	static const struct {
		size_t size;
		int segment_size;
		uint16_t reported;
		uint64_t packets, aggregates;
	} cases[] = {
		{9677, 1200, 1200, 9, 1},
		{9600, 1200, 1200, 8, 1},
		{1201, 1200, 1200, 2, 1},
		{1200, 1200, 1200, 1, 0},
		{700, 1200, 700, 1, 0}, /* one packet, whatever the kernel calls its segments */
		{0, 1200, 0, 1, 0},
		{500, 0, 500, 1, 0},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct receive_rig rig = receive_rig();
		size_t control_size = put_segment_size(&rig, cases[i].segment_size);
		cr_assert(engine_deliver(rig.engine, rig.socket, rig.buffer, control_size, cases[i].size, 0));
		const struct received *r = &rig.engine->batch[0];
		struct addr from = addr_ipv4(192, 0, 2, 7, 4000);
		cr_expect(addr_equal(&r->from, &from));
		cr_expect_eq(r->tag, 42u);
		cr_expect_eq(r->data.size, cases[i].size);
		cr_expect_eq(r->segment_size, cases[i].reported, "case %u", i);
		const struct engine_counters *counters = engine_counters(rig.engine);
		cr_expect_eq(counter_read(&counters->received_packets[SOCKET_RELAY]), cases[i].packets, "case %u", i);
		cr_expect_eq(counter_read(&counters->received_aggregates[SOCKET_RELAY]), cases[i].aggregates, "case %u", i);
		engine_close(rig.engine);
	}
}
