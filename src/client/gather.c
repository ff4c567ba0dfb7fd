#include "client/gather.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>

struct gather *gather_of_thread(void)
{
	static _Thread_local struct gather scratch;
	return &scratch;
}

bool gather_has_room(const struct gather *g, size_t size)
{
	return g->used + size <= sizeof g->bytes && g->records < GATHER_RECORDS;
}

void gather_append(struct gather *g, struct bytes piece)
{
	assert(gather_has_room(g, piece.size));
	memcpy(g->bytes + g->used, piece.data, piece.size);
	g->used += piece.size;
}

void gather_add_datagram(struct gather *g, struct bytes datagram)
{
	gather_append(g, datagram);
	gather_end_datagram(g);
}

void gather_end_datagram(struct gather *g)
{
	assert(g->records < GATHER_RECORDS);
	g->ends[g->records++] = g->used;
}

size_t gather_join(struct gather *g, const struct iovec *parts, size_t count)
{
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		assert(size + parts[i].iov_len <= sizeof g->plain);
		memcpy(g->plain + size, parts[i].iov_base, parts[i].iov_len);
		size += parts[i].iov_len;
	}
	return size;
}

unsigned gather_send_datagrams(struct gather *g, int fd, int *ret_error)
{
	struct mmsghdr messages[GATHER_RECORDS] = {0};
	struct iovec parts[GATHER_RECORDS];
	size_t at = 0;
	for (unsigned i = 0; i < g->records; i++) {
		parts[i] = (struct iovec){.iov_base = g->bytes + at, .iov_len = g->ends[i] - at};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
		at = g->ends[i];
	}
	unsigned done = 0;
	while (done < g->records) {
		int sent = sendmmsg(fd, messages + done, g->records - done, MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0) {
			*ret_error = errno;
			break;
		}
		done += (unsigned)sent;
	}
	return g->records - done;
}

size_t gather_segment_size(struct msghdr *message, size_t size)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
		int segment;
		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&segment, CMSG_DATA(c), sizeof segment);
		if (segment > 0)
			return (size_t)segment;
	}
	return size;
}
