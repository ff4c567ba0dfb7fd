#include "measure/probe.h"

#include <string.h>

/*
 * Bodies begin at multiples of PLACE_SIZE at the front of the pattern: few enough that what is sent and compared stays in
 * the first cache, many enough that a body under another packet's header is seen. Every place begins with the same ANONYMOUS_MAX
 * bytes, so that packets too short to say their sequence number can be compared, too.
 */
enum {
	PLACE_SIZE = 16,
	PLACES = 512,
	PLACE_STEP = 197,
	ANONYMOUS_MAX = PROBE_SHORT_SIZE - 1,
	PATTERN_SIZE = PLACES * PLACE_SIZE + (PROBE_PAYLOAD_MAX + PLACE_SIZE) / PLACE_SIZE * PLACE_SIZE,
};

static uint8_t pattern[PATTERN_SIZE] __attribute__((aligned(64)));

void probe_pattern_init(uint64_t seed)
{
	for (size_t i = 0; i < PATTERN_SIZE; i += sizeof seed) {
		/* splitmix64, of the public domain: every seed is a good one. */
		seed += UINT64_C(0x9e3779b97f4a7c15);
		uint64_t word = (seed ^ seed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
		word ^= word >> 31;
		memcpy(pattern + i, &word, sizeof word);
	}
	for (size_t i = PLACE_SIZE; i < PATTERN_SIZE; i += PLACE_SIZE)
		memcpy(pattern + i, pattern, ANONYMOUS_MAX);
}

/* From the low bits only: a short probe carries no more than 16. Different for as many packets in a row as there are places. */
const uint8_t *probe_body(uint32_t sequence)
{
	return pattern + (size_t)(sequence * PLACE_STEP % PLACES) * PLACE_SIZE;
}

/*
 * A change of the time alone, or of the sequence number and size alone, always changes the 64 bits of which these are the upper
 * half.
 */
static uint32_t checksum(const struct probe *probe, size_t size, uint32_t key)
{
	uint64_t time = (probe->sent_ns + key * UINT64_C(0xd6e8feb86659fd93)) * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t rest = ((uint64_t)probe->sequence << 32 | (uint32_t)size) * UINT64_C(0xbf58476d1ce4e5b9);
	uint64_t mixed = time ^ (rest << 32 | rest >> 32);
	mixed = (mixed ^ mixed >> 32) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(mixed >> 32);
}

/* One to one in the sequence number: of 16 bits none is left to chance. */
static uint16_t checksum_short(uint16_t sequence, size_t size, uint32_t key)
{
	uint64_t mixed = ((uint64_t)key << 32 | (uint32_t)size) * UINT64_C(0x9e3779b97f4a7c15);
	mixed = (mixed ^ mixed >> 32) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint16_t)(sequence * UINT32_C(0x6487) ^ mixed >> 48);
}

void probe_write(uint8_t header[static PROBE_SIZE], size_t payload_size, uint32_t stream_key, const struct probe *probe)
{
	if (payload_size >= PROBE_SIZE) {
		uint32_t sum = checksum(probe, payload_size, stream_key);
		memcpy(header, &sum, sizeof sum);
		memcpy(header + 4, &probe->sequence, sizeof probe->sequence);
		memcpy(header + 8, &probe->sent_ns, sizeof probe->sent_ns);
	} else if (payload_size >= PROBE_SHORT_SIZE) {
		uint16_t sequence = (uint16_t)probe->sequence;
		uint16_t sum = checksum_short(sequence, payload_size, stream_key);
		memcpy(header, &sum, sizeof sum);
		memcpy(header + 2, &sequence, sizeof sequence);
	}
}

static bool body_is_good(const uint8_t *payload, size_t size, uint32_t sequence)
{
	size_t header_size = probe_header_size(size);
	return memcmp(payload + header_size, probe_body(sequence), size - header_size) == 0;
}

static enum probe_verdict check_short(const uint8_t *payload, size_t size, uint32_t key, struct probe *ret_probe)
{
	uint16_t sum, sequence;
	memcpy(&sum, payload, sizeof sum);
	memcpy(&sequence, payload + 2, sizeof sequence);
	if (sum != checksum_short(sequence, size, key) || !body_is_good(payload, size, sequence))
		return PROBE_CORRUPT;
	*ret_probe = (struct probe){.sequence = sequence};
	return PROBE_SHORT;
}

enum probe_verdict probe_check(const uint8_t *payload, size_t size, uint32_t stream_key, struct probe *ret_probe)
{
	if (size > PROBE_PAYLOAD_MAX)
		return PROBE_CORRUPT;
	if (size < PROBE_SHORT_SIZE)
		return size == 0 || memcmp(payload, pattern, size) == 0 ? PROBE_ANONYMOUS : PROBE_CORRUPT;
	if (size < PROBE_SIZE)
		return check_short(payload, size, stream_key, ret_probe);
	struct probe probe;
	uint32_t sum;
	memcpy(&sum, payload, sizeof sum);
	memcpy(&probe.sequence, payload + 4, sizeof probe.sequence);
	memcpy(&probe.sent_ns, payload + 8, sizeof probe.sent_ns);
	if (sum != checksum(&probe, size, stream_key) || !body_is_good(payload, size, probe.sequence))
		return PROBE_CORRUPT;
	*ret_probe = probe;
	return PROBE_GOOD;
}
