#include <criterion/criterion.h>

#include "call_rig.h"
#include "capture/message.h"
#include "exact_copy.h"

static struct message read_start(struct bytes payload, size_t captured)
{
	struct bytes copy = exact_copy(payload.data, captured);
	struct message m;
	message_read(copy, payload.size, ADDR_IPV4, &m);
	m.transaction_id = NULL;
	cr_expect(message_segment_size(copy, payload.size) <= payload.size);
	exact_copy_free(copy);
	return m;
}

Test(message, channel_data_by_as_much_as_there_is)
{
	struct bytes payload = rig_channel_data(0x4abc, 0x80, 101);
	for (size_t captured = 0; captured <= payload.size; captured++) {
		struct message m = read_start(payload, captured);
		cr_expect_eq(m.kind, captured == 0 ? MESSAGE_UNSEEN : MESSAGE_CHANNEL_DATA, "%zu", captured);
		if (captured == 0)
			continue;
		cr_expect_eq(m.channel, captured >= 2 ? 0x4abc : 0, "%zu", captured);
		cr_expect_eq(m.size, 101, "%zu", captured);
		cr_expect_eq(m.estimated, captured < 4, "%zu", captured);
		cr_expect_eq(m.payload, captured > 4 ? PAYLOAD_RTP : PAYLOAD_OTHER, "%zu", captured);
	}
}

Test(message, indications_by_as_much_as_there_is)
{
	const struct addr peer = addr_ipv4(203, 0, 113, 7, 5000);
	struct bytes payload = rig_indication(STUN_DATA, &peer, 0x2f, 98); /* and two bytes of padding */
	for (size_t captured = 1; captured <= payload.size; captured++) {
		struct message m = read_start(payload, captured);
		cr_expect_eq(m.kind, captured >= 2 ? MESSAGE_INDICATION : MESSAGE_STUN, "%zu", captured);
		if (captured < 2)
			continue;
		cr_expect_eq(m.method, STUN_DATA);
		cr_expect_eq(m.peer.family, captured >= 32 ? ADDR_IPV4 : ADDR_NONE, "%zu", captured);
		cr_expect_eq(m.estimated, captured < 36, "%zu", captured);
		cr_expect_eq(m.size, captured < 36 ? 100 : 98, "%zu: %u", captured, m.size);
		cr_expect_eq(m.payload, captured > 36 ? PAYLOAD_DTLS : PAYLOAD_OTHER, "%zu", captured);
	}
}

Test(message, indications_with_the_data_first)
{
	const struct addr peer = addr_ipv4(203, 0, 113, 7, 5000);
	struct bytes payload = rig_indication_data_first(STUN_SEND, &peer, 0x80, 98);
	for (size_t captured = 24; captured <= payload.size; captured++) {
		struct message m = read_start(payload, captured);
		cr_expect_eq(m.kind, MESSAGE_INDICATION, "%zu", captured);
		cr_expect_eq(m.size, 98, "%zu", captured);
		cr_expect_eq(m.peer.family, captured == payload.size ? ADDR_IPV4 : ADDR_NONE, "%zu", captured);
	}
}

Test(message, indications_that_lack_something_are_none)
{
	const struct addr peer = addr_ipv4(203, 0, 113, 7, 5000);
	struct bytes only_peer = rig_stun(STUN_SEND, STUN_INDICATION, 1, 0, &peer);
	cr_expect_eq(read_start(only_peer, only_peer.size).kind, MESSAGE_OTHER);
	uint8_t bytes[200];
	struct bytes whole = rig_indication(STUN_SEND, &peer, 0x80, 100);
	memcpy(bytes, whole.data, whole.size);
	bytes[34] = 0xff; /* DATA's length */
	cr_expect_eq(read_start(bytes_of(bytes, whole.size), whole.size).kind, MESSAGE_OTHER);
	memcpy(bytes, whole.data, whole.size);
	bytes[21] = 0x20; /* no XOR-PEER-ADDRESS any more */
	cr_expect_eq(read_start(bytes_of(bytes, whole.size), whole.size).kind, MESSAGE_OTHER);
}

Test(message, payloads_by_their_first_bytes)
{
	static const struct {
		uint8_t bytes[2];
		size_t size;
		enum capture_payload payload;
	} cases[] = {
		{{0x80, 96}, 100, PAYLOAD_RTP},
		{{0xbf, 0x80 | 96}, 12, PAYLOAD_RTP},
		{{0x80, 200}, 28, PAYLOAD_RTCP},
		{{0x80, 223}, 4, PAYLOAD_RTCP},
		{{0x80, 96}, 11, PAYLOAD_OTHER},
		{{22, 0xfe}, 13, PAYLOAD_DTLS},
		{{22, 0x03}, 100, PAYLOAD_OTHER},
		{{0x2f, 0x12}, 50, PAYLOAD_DTLS},
		{{0x2f, 0x12}, 10, PAYLOAD_OTHER},
		{{0x7f, 0}, 100, PAYLOAD_OTHER},
		{{0xc0, 0}, 100, PAYLOAD_OTHER},
		{{16, 0}, 100, PAYLOAD_OTHER},
		{{0x01, 0x01}, 100, PAYLOAD_STUN},
		{{0x01, 0x01}, 101, PAYLOAD_OTHER},
		{{0x00, 0x01}, 16, PAYLOAD_OTHER},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_eq(payload_read(bytes_of(cases[i].bytes, 2), cases[i].size), cases[i].payload, "case %zu", i);
	cr_expect_eq(payload_read(bytes_of(NULL, 0), 100), PAYLOAD_OTHER);
	cr_expect_eq(payload_read(bytes_of("\x80", 1), 100), PAYLOAD_RTP);
}
