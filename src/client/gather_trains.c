#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include "client/gather.h"

enum { TRAIN_SEGMENTS_MAX = 64 /* what every kernel since 4.18 takes */, TRAIN_BYTES_MAX = 65507 };

struct message {
	struct msghdr header;
	struct iovec part;
	struct sockaddr_storage name;
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
};

static void add_control(struct message *m, int level, int type, const void *value, size_t size)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)(m->control + m->header.msg_controllen);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), value, size);
	m->header.msg_controllen += CMSG_SPACE(size);
}

static void add_source(struct message *m, const struct addr *from)
{
	struct in_pktinfo ipv4 = {0};
	struct in6_pktinfo ipv6 = {0};
	if (from->family == ADDR_IPV4) {
		memcpy(&ipv4.ipi_spec_dst, from->ip, sizeof ipv4.ipi_spec_dst);
		add_control(m, IPPROTO_IP, IP_PKTINFO, &ipv4, sizeof ipv4);
	} else if (from->family == ADDR_IPV6) {
		memcpy(&ipv6.ipi6_addr, from->ip, sizeof ipv6.ipi6_addr);
		add_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &ipv6, sizeof ipv6);
	}
}

static size_t record_start(const struct gather *g, unsigned record)
{
	return record == 0 ? 0 : g->ends[record - 1];
}

static size_t record_size(const struct gather *g, unsigned record)
{
	return g->ends[record] - record_start(g, record);
}

/* How many records from `first` on leave as one. */
static unsigned run_length(const struct gather *g, unsigned first)
{
	size_t size = record_size(g, first), bytes = size;
	unsigned count = 1;
	while (size > 0 && first + count < g->records && count < TRAIN_SEGMENTS_MAX) {
		size_t next = record_size(g, first + count);
		if (next > size || next == 0 || bytes + next > TRAIN_BYTES_MAX)
			break;
		count++;
		bytes += next;
		if (next < size)
			break;
	}
	return count;
}

/* False: errno. */
static bool send_run(struct gather *g, int fd, const struct gather_way *way, unsigned first, unsigned count)
{
	size_t start = record_start(g, first);
	struct message m = {.part = {.iov_base = g->bytes + start, .iov_len = g->ends[first + count - 1] - start}};
	m.header = (struct msghdr){.msg_iov = &m.part, .msg_iovlen = 1, .msg_control = m.control};
	if (way != NULL) {
		m.header.msg_name = &m.name;
		m.header.msg_namelen = addr_to_sockaddr(&way->to, &m.name);
		add_source(&m, &way->from);
	}
	uint16_t segment = (uint16_t)record_size(g, first);
	if (count > 1)
		add_control(&m, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
	if (m.header.msg_controllen == 0)
		m.header.msg_control = NULL;
	ssize_t sent;
	do
		sent = sendmsg(fd, &m.header, MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

unsigned gather_send_trains(struct gather *g, int fd, const struct gather_way *way, int *ret_error)
{
	unsigned lost = 0, whole = UINT32_MAX;
	for (unsigned first = 0, count; first < g->records; first += count) {
		count = run_length(g, first);
		count = count < whole ? count : whole;
		if (send_run(g, fd, way, first, count))
			continue;
		/* Segments longer than the path's MTU, or a device that cannot: one by one, which IP may fragment. */
		if (count > 1 && (errno == EINVAL || errno == EMSGSIZE || errno == EIO)) {
			whole = 1;
			count = 0;
			continue;
		}
		*ret_error = errno;
		lost += count;
	}
	return lost;
}
