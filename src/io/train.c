/* Per packet: one hash, one lookup, no copy of the payload; at most three I/O vectors. */
#include "io/train.h"

#include <assert.h>
#include <netinet/udp.h>
#include <sys/mman.h>

#include "train_private.h"

enum {
	INDEX_BITS = 8,
	INDEX_SIZE = 1 << INDEX_BITS,
	HEADERS_SIZE = 256 * 1024,
	INDEX_EMPTY = UINT16_MAX,
};

/*
 * The index finds the newest train of a key. Two keys may fall into one place: the older one is then forgotten and its next packet
 * starts a new train, which costs a send and keeps the order. So is what an attacker gains who finds such keys.
 */
struct trains {
	unsigned count;
	size_t headers_used;
	uint64_t seed;
	uint16_t index[INDEX_SIZE];
	struct train trains[TRAINS_MAX];
	uint8_t headers[HEADERS_SIZE];
};
_Static_assert((int)TRAINS_MAX < (int)INDEX_EMPTY, "the index holds numbers of trains");

static const uint8_t zeroes[4];

struct trains *trains_create(void)
{
	struct trains *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t == MAP_FAILED)
		return NULL;
	/* The kernel places mappings at random: good enough for a table in which a collision costs no more than a send. */
	t->seed = (uintptr_t)t >> 12;
	trains_clear(t);
	return t;
}

void trains_free(struct trains *t)
{
	if (t != NULL)
		munmap(t, sizeof *t);
}

static unsigned index_of(const struct trains *t, const struct departure *departure)
{
	uint64_t words[2];
	memcpy(words, departure->to.ip, sizeof words);
	uint64_t hash = t->seed ^ ((uint64_t)departure->socket << 16 | departure->to.port);
	hash = (hash ^ words[0]) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 32 ^ words[1]) * UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(hash >> (64 - INDEX_BITS));
}

static bool same_flow(const struct train *train, const struct departure *departure)
{
	return train->socket == departure->socket && addr_equal(&train->to, &departure->to) &&
	       addr_ip_equal(&train->from, &departure->from);
}

static bool joins(const struct train *train, const struct departure *departure, size_t size)
{
	return !train->closed && train->tos == departure->tos && train->dont_fragment == departure->dont_fragment && size > 0 &&
	       size <= train->segment_size && train->bytes + size <= TRAIN_BYTES_MAX;
}

static struct train *start(struct trains *t, const struct departure *departure, size_t size)
{
	struct train *train = &t->trains[t->count++];
	train->socket = departure->socket;
	train->segment_size = size <= UINT16_MAX ? (uint16_t)size : UINT16_MAX;
	train->segments = 0;
	train->bytes = 0;
	train->iov_count = 0;
	train->tos = departure->tos;
	train->dont_fragment = departure->dont_fragment;
	train->closed = size == 0 || size >= TRAIN_BYTES_MAX;
	train->to = departure->to;
	train->from = departure->from;
	return train;
}

/* A part that continues the previous one in memory needs no vector of its own. */
static void add_part(struct train *train, const uint8_t *data, size_t size)
{
	if (size == 0)
		return;
	if (train->iov_count > 0) {
		struct iovec *last = &train->iov[train->iov_count - 1];
		if ((const uint8_t *)last->iov_base + last->iov_len == data) {
			last->iov_len += size;
			return;
		}
	}
	assert(train->iov_count < TRAIN_IOV_MAX);
	train->iov[train->iov_count++] = (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = size};
}

/* The packet's own copy of the header, which those behind it share. */
static const uint8_t *keep_header(struct trains *t, const struct departure *departure)
{
	uint8_t *header = t->headers + t->headers_used;
	memcpy(header, departure->header, departure->header_size);
	t->headers_used += departure->header_size;
	return header;
}

/* The header goes in front of the payload where there is room. */
static void add_first(struct train *train, const struct departure *departure)
{
	size_t header_size = departure->header_size;
	assert(departure->headroom_end == departure->payload.data);
	uint8_t *header = departure->headroom_end - header_size;
	memcpy(header, departure->header, header_size);
	add_part(train, header, header_size + departure->payload.size);
	add_part(train, zeroes, departure->padding);
}

/* Packets from number `from` on, `count` of them. */
static void add_packets(struct trains *t, struct train *train, const struct departure *departure, unsigned from, unsigned count)
{
	assert(departure->padding < sizeof zeroes);
	unsigned next = from;
	if (from == 0 && departure->header_size > 0 && departure->headroom_end != NULL) {
		add_first(train, departure);
		next++;
	}
	if (next == from + count)
		return;
	const uint8_t *header = departure->header_size > 0 ? keep_header(t, departure) : NULL;
	for (; next < from + count; next++) {
		add_part(train, header, departure->header_size);
		add_part(train, departure->payload.data + (size_t)next * departure->stride, departure->payload.size);
		add_part(train, zeroes, departure->padding);
	}
}

static unsigned segments_that_fit(const struct train *train, size_t size, unsigned wanted)
{
	/* The train was chosen because one fits: no division for single packets. */
	if (wanted == 1)
		return 1;
	unsigned segments = TRAIN_SEGMENTS_MAX - train->segments;
	unsigned room = size == 0 ? 1 : (TRAIN_BYTES_MAX - train->bytes) / (unsigned)size;
	/* A packet too large for any train leaves alone, and is refused by the kernel. */
	room = room > 0 ? room : 1;
	segments = segments < room ? segments : room;
	return segments < wanted ? segments : wanted;
}

/* As many of the packets as go into one train; 0: no room. */
static unsigned append(struct trains *t, const struct departure *departure, unsigned from, bool alone)
{
	size_t size = departure->header_size + departure->payload.size + departure->padding;
	if (t->headers_used + departure->header_size > HEADERS_SIZE)
		return 0;
	uint16_t *place = &t->index[index_of(t, departure)];
	struct train *train = *place == INDEX_EMPTY ? NULL : &t->trains[*place];
	if (train == NULL || alone || !same_flow(train, departure) || !joins(train, departure, size)) {
		if (t->count == TRAINS_MAX)
			return 0;
		*place = (uint16_t)t->count;
		train = start(t, departure, size);
	}
	bool single = alone || size < train->segment_size;
	unsigned count = segments_that_fit(train, size, single ? 1 : 1 + departure->repeats - from);
	add_packets(t, train, departure, from, count);
	train->segments += (uint16_t)count;
	train->bytes += (uint32_t)(count * size);
	train->closed |= single || train->segments == TRAIN_SEGMENTS_MAX;
	return count;
}

static unsigned append_all(struct trains *t, const struct departure *departure, unsigned from, bool alone)
{
	unsigned count;
	while (from <= departure->repeats && (count = append(t, departure, from, alone)) > 0)
		from += count;
	return from;
}

unsigned trains_append(struct trains *t, const struct departure *departure, unsigned from)
{
	return append_all(t, departure, from, false);
}

unsigned trains_append_alone(struct trains *t, const struct departure *departure, unsigned from)
{
	return append_all(t, departure, from, true);
}

unsigned trains_count(const struct trains *t)
{
	return t->count;
}

struct train *trains_at(struct trains *t, unsigned index)
{
	assert(index < t->count);
	return &t->trains[index];
}

void trains_close_all(struct trains *t)
{
	memset(t->index, 0xff, sizeof t->index);
}

void trains_clear(struct trains *t)
{
	trains_close_all(t);
	t->count = 0;
	t->headers_used = 0;
}

bool trains_use(const struct trains *t, uint32_t socket)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->trains[i].socket == socket)
			return true;
	return false;
}

static void put_control(struct train_message *message, int level, int type, const void *data, size_t size)
{
	size_t used = message->header.msg_controllen;
	assert(used + CMSG_SPACE(size) <= sizeof message->control);
	struct cmsghdr *cmsg = (struct cmsghdr *)(void *)(message->control + used);
	/* The padding too: it is part of what the kernel copies. */
	memset(cmsg, 0, CMSG_SPACE(size));
	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(cmsg), data, size);
	message->header.msg_controllen = used + CMSG_SPACE(size);
}

static void put_ipv4_controls(const struct train *train, struct train_message *message)
{
	if (train->tos != 0) {
		int tos = train->tos;
		put_control(message, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
	}
	if (train->from.family == ADDR_IPV4) {
		struct in_pktinfo info = {0};
		memcpy(&info.ipi_spec_dst, train->from.ip, 4);
		put_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	}
}

static void put_ipv6_controls(const struct train *train, struct train_message *message)
{
	if (train->tos != 0) {
		int traffic_class = train->tos;
		put_control(message, IPPROTO_IPV6, IPV6_TCLASS, &traffic_class, sizeof traffic_class);
	}
	if (train->from.family == ADDR_IPV6) {
		struct in6_pktinfo info = {0};
		memcpy(&info.ipi6_addr, train->from.ip, 16);
		put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	}
}

void train_message(struct train *train, struct train_message *ret_message)
{
	struct train_message *message = ret_message;
	message->header = (struct msghdr){
		.msg_name = &message->name,
		.msg_namelen = addr_to_sockaddr(&train->to, &message->name),
		.msg_iov = train->iov,
		.msg_iovlen = train->iov_count,
		.msg_control = message->control,
	};
	if (train->to.family == ADDR_IPV4)
		put_ipv4_controls(train, message);
	else
		put_ipv6_controls(train, message);
	/* Never on a single packet: some kernels and devices answer EIO, or send a wrong checksum. */
	if (train->segments > 1)
		put_control(message, IPPROTO_UDP, UDP_SEGMENT, &train->segment_size, sizeof train->segment_size);
	if (message->header.msg_controllen == 0)
		message->header.msg_control = NULL;
}

unsigned segment_next(struct segment_walk *walk, struct iovec iov[static SEGMENT_IOV_MAX])
{
	const struct train *train = walk->train;
	size_t left = train->bytes - walk->bytes;
	if (left > train->segment_size)
		left = train->segment_size;
	unsigned count = 0;
	while (left > 0) {
		const struct iovec *from = &train->iov[walk->iov];
		size_t size = from->iov_len - walk->iov_offset;
		if (size > left)
			size = left;
		assert(count < SEGMENT_IOV_MAX);
		iov[count++] = (struct iovec){.iov_base = (uint8_t *)from->iov_base + walk->iov_offset, .iov_len = size};
		left -= size;
		walk->bytes += (uint32_t)size;
		walk->iov_offset += size;
		if (walk->iov_offset == from->iov_len) {
			walk->iov++;
			walk->iov_offset = 0;
		}
	}
	return count;
}
