/*
 * fuzz_capture - any bytes as a capture: it ends with one line, or with a script that keeps its contract.
 *
 * The first byte of the input chooses: a whole file; frames of some link type; UDP payloads between a few endpoints, of which the
 * headers need not be found by chance.
 */
#include <pcap/dlt.h>

#include "capture/link.h"
#include "capture/read.h"
#include "exact_copy.h"
#include "fuzz_rig.h"
#include "wire/cursor.h"

static void check_script(const struct script *s)
{
	unsigned allocations = 0;
	FUZZ_CHECK(s->packet_count > 0 && s->path_count > 0 && s->path_count <= SCRIPT_PATHS_MAX);
	for (size_t i = 0; i < s->path_count; i++) {
		FUZZ_CHECK(s->paths[i].allocation <= allocations);
		allocations += s->paths[i].allocation == allocations;
	}
	FUZZ_CHECK(allocations == s->allocations);
	for (size_t i = 0; i < s->packet_count; i++) {
		const struct script_packet *p = &s->packets[i];
		FUZZ_CHECK(p->path < s->path_count && p->direction < DIRECTIONS && (i > 0 || p->at_ns == 0));
		FUZZ_CHECK(i == 0 || p->at_ns >= s->packets[i - 1].at_ns);
		FUZZ_CHECK(!p->indication || (p->direction == UP && s->paths[p->path].channel));
	}
	FUZZ_CHECK(s->length_ns > s->packets[s->packet_count - 1].at_ns);
}

static void check_counts(const struct capture *c)
{
	uint64_t left_out = 0, packets = 0, payloads = 0;
	for (int i = 0; i < CAPTURE_REASONS; i++)
		left_out += c->reasons[i];
	for (size_t i = 0; i < c->script.path_count * DIRECTIONS; i++) {
		const struct capture_stream *s = &c->paths[i / DIRECTIONS].streams[i % DIRECTIONS];
		packets += s->packets;
		for (int k = 0; k < CAPTURE_PAYLOADS; k++)
			payloads += s->payloads[k];
		FUZZ_CHECK(s->size_p50 <= s->size_p90 && s->size_p90 <= s->size_max);
		FUZZ_CHECK(s->follows_1ms_same_size <= s->follows_1ms && s->follows_1ms <= 1);
	}
	FUZZ_CHECK(
		c->left_out == left_out && packets == c->media_packets && payloads == packets && packets == c->script.packet_count);
	FUZZ_CHECK(c->aggregates > 0 || c->packets_read == c->media_packets + c->stun_packets + c->left_out);
}

static void check_use(const struct capture *c)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	FUZZ_CHECK(out != NULL);
	capture_print(c, "file", out);
	fclose(out);
	FUZZ_CHECK(size > 0);
	free(text);
	const struct capture twice[] = {*c, *c};
	struct script joined;
	struct failure failure;
	if (!capture_join(twice, 2, &joined, &failure)) {
		FUZZ_CHECK(c->script.path_count * 2 > SCRIPT_PATHS_MAX);
		return;
	}
	check_script(&joined);
	script_free(&joined);
}

static void check_result(bool done, struct capture *c, const struct failure *failure)
{
	if (!done) {
		FUZZ_CHECK(strncmp(failure->text, "file: ", 6) == 0 && strchr(failure->text, '\n') == NULL);
		return;
	}
	check_script(&c->script);
	check_counts(c);
	check_use(c);
	capture_done(c);
}

static void read_file(struct bytes bytes)
{
	struct bytes copy = exact_copy(bytes.data, bytes.size);
	struct capture c;
	struct failure failure;
	/* fmemopen refuses to open nothing. */
	FILE *file = bytes.size > 0 ? fmemopen((void *)(uintptr_t)copy.data, copy.size, "rb") : NULL;
	if (file != NULL) {
		bool done = capture_read_file(file, "file", 0, &c, &failure);
		check_result(done, &c, &failure);
	}
	exact_copy_free(copy);
}

static bool add_frame(struct traffic *t, int link_type, uint64_t at_ns, struct bytes frame, size_t wire_size)
{
	struct failure failure;
	struct bytes copy = exact_copy(frame.data, frame.size);
	bool done = traffic_add(t, link_type, at_ns, copy, wire_size, &failure);
	exact_copy_free(copy);
	return done;
}

static struct bytes take(struct reader *r, size_t size)
{
	return reader_bytes(r, size < reader_left(r) ? size : reader_left(r));
}

/* Each: time in microseconds after, or with the top bit set before, the one before; how much is missing; size; bytes. */
static void add_frames(struct traffic *t, struct reader *r)
{
	static const int links[] = {DLT_EN10MB, DLT_RAW, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL, DLT_LOOP, DLT_IPV4, DLT_IPV6};
	int link_type = links[reader_u8(r) % (sizeof links / sizeof links[0])];
	uint64_t at_ns = UINT64_C(1000000000);
	while (reader_left(r) > 4) {
		uint16_t step = reader_u16(r);
		at_ns += step < 0x8000 ? (uint64_t)step * 1000 : (uint64_t)0 - (uint64_t)(step & 0x7fff);
		size_t missing = reader_u8(r);
		struct bytes frame = take(r, reader_u8(r));
		if (!add_frame(t, link_type, at_ns, frame, frame.size + missing))
			return;
	}
}

/* Each: time; a byte for both endpoints; how much is missing; size; bytes of the payload. */
static void add_payloads(struct traffic *t, struct reader *r)
{
	static const uint16_t ports[] = {3478, 443, 40000, 50000};
	uint64_t at_ns = 0;
	while (reader_left(r) > 5) {
		uint8_t frame[28 + UINT8_MAX];
		at_ns += (uint64_t)reader_u8(r) << 16;
		uint8_t ends = reader_u8(r);
		uint16_t missing = reader_u16(r) % 1500;
		struct bytes payload = take(r, reader_u8(r));
		struct writer w = writer_of(frame, sizeof frame);
		uint16_t size = (uint16_t)(payload.size + missing);
		writer_u16(&w, 0x4500);
		writer_u16(&w, (uint16_t)(28 + size));
		writer_zeros(&w, 4);
		writer_u32(&w, 0x40110000);
		writer_u32(&w, 0xc0000200u + (ends & 3));
		writer_u32(&w, 0xc0000200u + (ends >> 2 & 3));
		writer_u16(&w, ports[ends >> 4 & 3]);
		writer_u16(&w, ports[ends >> 6]);
		writer_u16(&w, (uint16_t)(8 + size));
		writer_u16(&w, 0);
		writer_bytes(&w, payload);
		if (!add_frame(t, DLT_RAW, at_ns, bytes_of(frame, writer_size(&w)), (size_t)28 + size))
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(bytes_of(data, size));
	uint8_t choice = reader_u8(&r);
	if (choice % 3 == 0) {
		read_file(bytes_of(r.position, reader_left(&r)));
		return 0;
	}
	struct traffic t;
	struct capture c;
	struct failure failure;
	traffic_init(&t);
	if (choice % 3 == 1)
		add_frames(&t, &r);
	else
		add_payloads(&t, &r);
	bool done = capture_make(&t, "file", choice / 3 % 4, &c, &failure);
	check_result(done, &c, &failure);
	traffic_done(&t);
	return 0;
}
