#include "load/sender.h"

#include <errno.h>
#include <netinet/udp.h>

#include "base/clock.h"
#include "load/wall_clock.h"
#include "wire/channel_data.h"

void sender_init(struct sender *s, bool gso, const struct window *window, struct tally tallies[static DIRECTIONS])
{
	s->gso = gso;
	s->window = window;
	for (unsigned direction = 0; direction < DIRECTIONS; direction++)
		s->tallies[direction] = &tallies[direction];
	for (unsigned i = 0; i < SENDER_PACKETS_MAX; i++) {
		struct cmsghdr *c = (struct cmsghdr *)(void *)s->control[i];
		*c = (struct cmsghdr){.cmsg_level = IPPROTO_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof(uint16_t))};
	}
}

/* RFC 8656, sections 11.1 and 12.5. The header of a Send indication is that of a Data indication but for the method. */
static size_t write_framing(struct sender *s, uint8_t *header, const struct path *path, size_t size, bool indication)
{
	if (s->direction == DOWN)
		return 0;
	if (!indication) {
		channel_data_write(header, path->channel, (uint16_t)size);
		return CHANNEL_DATA_HEADER_SIZE;
	}
	uint8_t id[STUN_TRANSACTION_ID_SIZE] = {0};
	uint64_t number = ++s->indications * UINT64_C(0x9e3779b97f4a7c15);
	memcpy(id, &number, sizeof number);
	memcpy(id + sizeof number, &path->streams[UP].key, sizeof path->streams[UP].key);
	unsigned header_size = stun_data_indication_header(header, &path->peer, (uint16_t)size, id);
	_Static_assert(STUN_SEND < 0x10 && STUN_DATA < 0x10, "the low four bits of the method stand in the second byte");
	header[1] = (uint8_t)((header[1] & 0xf0) | STUN_SEND);
	return header_size;
}

static bool joins(const struct sender *s, size_t size)
{
	if (!s->gso || s->message_count == 0 || s->connection != NULL)
		return false;
	const struct sender_message *m = &s->messages[s->message_count - 1];
	return !m->closed && size > 0 && size <= m->segment_size && m->bytes + size <= SENDER_GSO_BYTES_MAX;
}

static struct sender_message *message_for(struct sender *s, size_t size)
{
	if (joins(s, size))
		return &s->messages[s->message_count - 1];
	unsigned index = s->message_count++;
	struct sender_message *m = &s->messages[index];
	*m = (struct sender_message){
		.packet_first = (uint16_t)s->packet_count,
		.segment_size = (uint32_t)size,
		.closed = size == 0 || size > SENDER_GSO_SEGMENT_MAX,
	};
	s->headers[index].msg_hdr = (struct msghdr){.msg_iov = &s->iov[s->iov_count]};
	return m;
}

static void add_part(struct sender *s, const void *data, size_t size)
{
	if (size > 0)
		s->iov[s->iov_count++] = (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = size};
}

/* RFC 8489, section 5: attributes are padded to four bytes; RFC 8656, section 12.5: so is ChannelData in streams. */
static bool is_padded(const struct sender *s, bool indication)
{
	const struct connection *c = s->connection;
	return s->direction == UP && (indication || (c != NULL && transport_is_stream(c->plan->transport->kind)));
}

void sender_add(struct sender *s, struct path *path, size_t size, bool indication, uint64_t due_ns)
{
	static const uint8_t zeroes[4];
	unsigned index = s->packet_count;
	struct stream *stream = &path->streams[s->direction];
	uint8_t *header = s->bytes[index];
	size_t framing_size = write_framing(s, header, path, size, indication), probe_size = probe_header_size(size);
	size_t padding = is_padded(s, indication) ? (4 - size % 4) % 4 : 0;
	size_t whole = framing_size + size + padding;
	struct sender_message *m = message_for(s, whole);
	s->packets[index] = (struct sender_packet){
		.stream = stream,
		.due_ns = due_ns,
		.sequence = stream->next++,
		.size = (uint16_t)size,
		.framing_size = (uint8_t)framing_size,
	};
	unsigned before = s->iov_count;
	add_part(s, header, framing_size + probe_size);
	add_part(s, probe_body(s->packets[index].sequence), size - probe_size);
	add_part(s, zeroes, padding);
	s->headers[s->message_count - 1].msg_hdr.msg_iovlen += s->iov_count - before;
	m->packet_count++;
	m->bytes += (uint32_t)whole;
	m->closed |= whole < m->segment_size;
	s->packet_count++;
}

/* A message of one segment goes without the option: some kernels refuse it there. */
static void finish_messages(struct sender *s)
{
	for (unsigned i = 0; i < s->message_count; i++) {
		if (s->messages[i].packet_count < 2)
			continue;
		uint16_t segment_size = (uint16_t)s->messages[i].segment_size;
		memcpy(CMSG_DATA((struct cmsghdr *)(void *)s->control[i]), &segment_size, sizeof segment_size);
		s->headers[i].msg_hdr.msg_control = s->control[i];
		s->headers[i].msg_hdr.msg_controllen = sizeof s->control[i];
	}
}

/* The clock of the stamps is read last, right before the system call that follows. */
static void finish_packets(struct sender *s)
{
	uint64_t start_ns = atomic_load_explicit(&s->window->start_ns, memory_order_relaxed);
	uint64_t end_ns = atomic_load_explicit(&s->window->end_ns, memory_order_relaxed);
	s->now_ns = clock_mono_ns();
	for (unsigned i = 0; i < s->packet_count; i++) {
		struct sender_packet *p = &s->packets[i];
		p->inside = stream_mark(p->stream, p->sequence, s->now_ns, start_ns, end_ns);
		p->stream->anonymous_sent += p->size < PROBE_SHORT_SIZE;
	}
	uint64_t sent_ns = wall_clock_ns();
	for (unsigned i = 0; i < s->packet_count; i++) {
		const struct sender_packet *p = &s->packets[i];
		struct probe probe = {.sequence = p->sequence, .sent_ns = sent_ns};
		probe_write(s->bytes[i] + p->framing_size, p->size, p->stream->key, &probe);
	}
}

static void count_lateness(struct sender *s, struct tally *tally, const struct sender_packet *p)
{
	uint64_t late_ns = s->now_ns > p->due_ns ? s->now_ns - p->due_ns : 0;
	histogram_record(&tally->lateness, late_ns);
	if (late_ns > SENDER_LATE_NS)
		tally_count(&s->late, 1);
}

static void count_sent(struct sender *s, unsigned first, unsigned count)
{
	struct tally *tally = s->tallies[s->direction];
	const struct sender_packet *p = &s->packets[s->messages[first].packet_first];
	const struct sender_message *last = &s->messages[first + count - 1];
	const struct sender_packet *end = &s->packets[last->packet_first + last->packet_count];
	uint64_t measured = 0, bytes = 0;
	tally_count(&s->sent, (uint64_t)(end - p));
	for (; p < end; p++) {
		if (!p->inside)
			continue;
		measured++;
		bytes += p->size;
		if (p->due_ns != 0)
			count_lateness(s, tally, p);
	}
	tally_count(&tally->sent, measured);
	tally_count(&tally->sent_bytes, bytes);
}

static void count_unsent(struct sender *s, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++)
		for (unsigned k = 0; k < s->messages[i].packet_count; k++)
			if (s->packets[s->messages[i].packet_first + k].inside)
				tally_count(&s->tallies[s->direction]->unsent, 1);
}

/* Which errors concern all that waits; others belong to a message, or to one before it that an ICMP message answers. */
static bool is_full(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ENOMEM;
}

static void send_messages(struct sender *s)
{
	unsigned done = 0;
	while (done < s->message_count) {
		int sent = sendmmsg(s->fd, s->headers + done, s->message_count - done, MSG_DONTWAIT);
		unsigned count = sent > 0 ? (unsigned)sent : is_full(errno) ? s->message_count - done : 1;
		if (sent > 0) {
			count_sent(s, done, count);
		} else if (errno == EINTR) {
			continue;
		} else {
			if (errno == ECONNREFUSED && s->direction == UP)
				tally_count(&s->refused, 1);
			count_unsent(s, done, count);
		}
		done += count;
	}
}

/* Each packet is a message of its own there. What the socket of a stream has not taken yet leaves later, but it leaves. */
static void send_frames(struct sender *s)
{
	if (!connection_begin(s->connection)) {
		count_unsent(s, 0, s->message_count);
		return;
	}
	for (unsigned i = 0; i < s->message_count; i++)
		connection_put(s->connection, s->headers[i].msg_hdr.msg_iov, s->headers[i].msg_hdr.msg_iovlen);
	unsigned lost = connection_flush(s->connection), sent = s->message_count - lost;
	if (sent > 0)
		count_sent(s, 0, sent);
	count_unsent(s, sent, lost);
}

void sender_flush(struct sender *s)
{
	if (s->packet_count == 0)
		return;
	if (s->connection != NULL) {
		finish_packets(s);
		send_frames(s);
	} else {
		finish_messages(s);
		finish_packets(s);
		send_messages(s);
	}
	s->packet_count = 0;
	s->message_count = 0;
	s->iov_count = 0;
}
