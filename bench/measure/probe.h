/*
 * probe - what the loader's packets carry: a header that identifies and times a packet, and a body that shows every changed byte.
 *
 * A payload of at least PROBE_SIZE bytes begins with
 *
 *     0     4: checksum of the 12 bytes that follow, the payload's size and the stream's key
 *     4     4: sequence number within the stream
 *     8     8: when it was sent, CLOCK_REALTIME in ns (the kernel stamps arrivals with that clock)
 *
 * and goes on with a body cut from one pattern, at an offset that follows from the sequence number: the sender gathers it from
 * there without touching it, the receiver compares all of it. A shorter payload (media has some of 8 bytes) of at least
 * PROBE_SHORT_SIZE bytes carries 2 bytes of checksum and the low 16 bits of the sequence number, and no time; what is shorter still
 * is pattern only and can be counted but not told apart. The stream's key is different for every stream and direction, so a packet
 * that comes out at the wrong place counts as corrupted.
 *
 * Threads: none; the pattern is constant after probe_pattern_init.
 */
#ifndef UTURN_BENCH_MEASURE_PROBE_H
#define UTURN_BENCH_MEASURE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROBE_SIZE = 16, PROBE_SHORT_SIZE = 4, PROBE_PAYLOAD_MAX = 65507 };

struct probe {
	uint32_t sequence; /* in a short probe: only the low 16 bits */
	uint64_t sent_ns;  /* 0 in a short probe */
};

enum probe_verdict {
	PROBE_GOOD,
	PROBE_SHORT,     /* good, without time, sequence & 0xffff */
	PROBE_ANONYMOUS, /* good, under PROBE_SHORT_SIZE bytes: nothing to identify it by */
	PROBE_CORRUPT,   /* a byte differs, the size is not what was sent, or it belongs to another stream */
};

/* Fills the pattern from the run's seed. Once, before any other call. */
void probe_pattern_init(uint64_t seed);

/* The size of the header of a payload of `payload_size` bytes: 16, 4 or 0. */
static inline size_t probe_header_size(size_t payload_size)
{
	return payload_size >= PROBE_SIZE ? PROBE_SIZE : payload_size >= PROBE_SHORT_SIZE ? PROBE_SHORT_SIZE : 0;
}

/* Writes probe_header_size(payload_size) bytes to `header`. */
void probe_write(uint8_t header[static PROBE_SIZE], size_t payload_size, uint32_t stream_key, const struct probe *probe);

/* The body of a packet: payload_size - probe_header_size(payload_size) bytes from here. Lives as long as the process. */
const uint8_t *probe_body(uint32_t sequence);

/* Judges a payload as it arrived. ret_probe is written for PROBE_GOOD and PROBE_SHORT. */
enum probe_verdict probe_check(const uint8_t *payload, size_t size, uint32_t stream_key, struct probe *ret_probe);

#endif
