/* HOT: every packet passes here. */
#include "turncat/inbox.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>

enum { BUFFER_BYTES = 64 * 1024, CONTROL_BYTES = 256 };

struct inbox {
	struct mmsghdr messages[INBOX_MESSAGES];
	struct iovec parts[INBOX_MESSAGES];
	struct sockaddr_storage names[INBOX_MESSAGES];
	_Alignas(struct cmsghdr) uint8_t controls[INBOX_MESSAGES][CONTROL_BYTES];
	uint8_t data[INBOX_MESSAGES][BUFFER_BYTES];
};

struct inbox *inbox_create(void)
{
	return calloc(1, sizeof(struct inbox));
}

void inbox_free(struct inbox *inbox)
{
	free(inbox);
}

static void prepare(struct inbox *inbox, bool named)
{
	for (unsigned i = 0; i < INBOX_MESSAGES; i++) {
		inbox->parts[i] = (struct iovec){.iov_base = inbox->data[i], .iov_len = BUFFER_BYTES};
		inbox->messages[i].msg_hdr = (struct msghdr){.msg_iov = &inbox->parts[i],
			.msg_iovlen = 1,
			.msg_name = named ? &inbox->names[i] : NULL,
			.msg_namelen = named ? sizeof inbox->names[i] : 0,
			.msg_control = inbox->controls[i],
			.msg_controllen = CONTROL_BYTES};
	}
}

static void read_destination(const struct cmsghdr *c, struct addr *ret_to)
{
	struct in_pktinfo ipv4;
	struct in6_pktinfo ipv6;
	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&ipv4, CMSG_DATA(c), sizeof ipv4);
		*ret_to = (struct addr){.family = ADDR_IPV4};
		memcpy(ret_to->ip, &ipv4.ipi_addr, sizeof ipv4.ipi_addr);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&ipv6, CMSG_DATA(c), sizeof ipv6);
		*ret_to = (struct addr){.family = ADDR_IPV6};
		memcpy(ret_to->ip, &ipv6.ipi6_addr, sizeof ipv6.ipi6_addr);
	}
}

/* Of an aggregate the size of its datagrams; of others their own. */
static size_t read_control(struct msghdr *message, size_t size, struct addr *ret_to)
{
	size_t segment = size;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int value;
			memcpy(&value, CMSG_DATA(c), sizeof value);
			segment = value > 0 ? (size_t)value : size;
		} else {
			read_destination(c, ret_to);
		}
	}
	return segment;
}

static void hand_over(struct inbox *inbox, unsigned i, bool named, inbox_datagram_fn *take, void *context)
{
	struct msghdr *message = &inbox->messages[i].msg_hdr;
	size_t size = inbox->messages[i].msg_len, at = 0;
	struct inbox_datagram datagram = {.from = {.family = ADDR_NONE}, .to = {.family = ADDR_NONE}};
	size_t segment = read_control(message, size, &datagram.to);
	if (named)
		datagram.from = addr_from_sockaddr((struct sockaddr *)&inbox->names[i]);
	do {
		size_t length = size - at < segment ? size - at : segment;
		datagram.data = bytes_of(inbox->data[i] + at, length);
		take(context, &datagram);
		at += length;
	} while (at < size);
}

int inbox_receive(struct inbox *inbox, int fd, bool named, inbox_datagram_fn *take, void *context)
{
	prepare(inbox, named);
	int count;
	do
		count = recvmmsg(fd, inbox->messages, INBOX_MESSAGES, MSG_DONTWAIT, NULL);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	for (int i = 0; i < count; i++)
		hand_over(inbox, (unsigned)i, named, take, context);
	return count;
}
