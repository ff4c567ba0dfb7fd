#include "capture/traffic.h"

#include <stdlib.h>

#include "capture/link.h"

enum { CAPACITY_FIRST = 256, BINDINGS_BACK_MAX = 256 };

void traffic_init(struct traffic *t)
{
	*t = (struct traffic){0};
	key_index_init(&t->endpoints, sizeof(struct addr));
	key_index_init(&t->flow_keys, 2 * sizeof(uint32_t));
	key_index_init(&t->relayed, sizeof(struct addr));
}

void traffic_done(struct traffic *t)
{
	key_index_done(&t->endpoints);
	key_index_done(&t->flow_keys);
	key_index_done(&t->relayed);
	free(t->flows);
	free(t->records);
	free(t->bindings);
	*t = (struct traffic){0};
}

/* Makes room for one more. Returns the array, moved perhaps; NULL when there is no memory: the old one then stays as it was. */
static void *with_room(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	size_t larger = *capacity == 0 ? CAPACITY_FIRST : *capacity * 2;
	void *moved = reallocarray(array, larger, size);
	if (moved != NULL)
		*capacity = larger;
	return moved;
}

/* The flow of two endpoints; *ret_from tells which of its ends `from` is. */
static struct flow *find_flow(struct traffic *t, const struct addr *from, const struct addr *to, uint8_t *ret_from)
{
	uint32_t a = key_index_number(&t->endpoints, from), b = key_index_number(&t->endpoints, to);
	if (a == KEY_INDEX_FULL || b == KEY_INDEX_FULL)
		return NULL;
	uint32_t key[2] = {a < b ? a : b, a < b ? b : a};
	uint32_t known = t->flow_keys.count, number = key_index_number(&t->flow_keys, key);
	if (number == KEY_INDEX_FULL)
		return NULL;
	if (number == known) {
		struct flow *flows = with_room(t->flows, number, &t->flow_capacity, sizeof *flows);
		if (flows == NULL)
			return NULL;
		t->flows = flows;
		flows[number] = (struct flow){.ends = {key[0], key[1]}};
	}
	*ret_from = a == key[0] ? 0 : 1;
	return &t->flows[number];
}

static bool only_turn(uint16_t method)
{
	return method == STUN_ALLOCATE || method == STUN_REFRESH || method == STUN_CREATE_PERMISSION ||
	       method == STUN_CHANNEL_BIND || method == STUN_SEND || method == STUN_DATA;
}

static void count_message(struct flow *f, const struct message *m, uint8_t from)
{
	bool stun = m->kind == MESSAGE_STUN || m->kind == MESSAGE_INDICATION, turn = stun && only_turn(m->method);
	f->datagrams++;
	f->unseen += m->kind == MESSAGE_UNSEEN;
	f->turn_like += m->kind == MESSAGE_CHANNEL_DATA || turn;
	f->turn_sure += turn && m->sure;
	f->stun += stun && !turn;
	f->media_like += m->kind == MESSAGE_OTHER && m->payload != PAYLOAD_OTHER;
	if (!turn && !(m->kind == MESSAGE_STUN && m->method == STUN_BINDING))
		return;
	bool to_server = m->class == STUN_REQUEST || (m->class == STUN_INDICATION && m->method == STUN_SEND);
	uint8_t server = to_server ? !from : from;
	if (turn)
		f->server_votes[server]++;
	else if (m->class != STUN_INDICATION)
		f->binding_votes[server]++;
}

/* An error response, too, names its request by the transaction ID; it comes soon. */
static void refuse_binding(struct traffic *t, uint32_t flow, const uint8_t *transaction_id)
{
	for (size_t i = t->binding_count, last = i > BINDINGS_BACK_MAX ? i - BINDINGS_BACK_MAX : 0; i > last; i--) {
		struct binding *b = &t->bindings[i - 1];
		if (b->flow == flow && memcmp(b->transaction_id, transaction_id, sizeof b->transaction_id) == 0)
			b->refused = true;
	}
}

static bool note_binding(struct traffic *t, const struct message *m, const struct record *r)
{
	if (m->kind != MESSAGE_STUN || m->method != STUN_CHANNEL_BIND || m->transaction_id == NULL)
		return true;
	if (m->class == STUN_ERROR_RESPONSE)
		refuse_binding(t, r->flow, m->transaction_id);
	if (m->class != STUN_REQUEST || m->channel == 0 || r->peer == TRAFFIC_NONE)
		return true;
	struct binding *bindings = with_room(t->bindings, t->binding_count, &t->binding_capacity, sizeof *bindings);
	if (bindings == NULL)
		return false;
	t->bindings = bindings;
	struct binding *b = &bindings[t->binding_count++];
	*b = (struct binding){.flow = r->flow, .peer = r->peer, .channel = m->channel, .sequence = r->sequence, .at_ns = r->at_ns};
	memcpy(b->transaction_id, m->transaction_id, sizeof b->transaction_id);
	return true;
}

static bool note_relayed(struct traffic *t, const struct message *m)
{
	return m->kind != MESSAGE_STUN || m->relayed.family == ADDR_NONE ||
	       key_index_number(&t->relayed, &m->relayed) != KEY_INDEX_FULL;
}

static bool add_message(struct traffic *t, const struct datagram *d, const struct message *m, size_t udp_size, uint64_t at_ns)
{
	uint8_t from = 0;
	struct flow *f = find_flow(t, &d->from, &d->to, &from);
	struct record *records = with_room(t->records, t->record_count, &t->record_capacity, sizeof *records);
	if (records != NULL)
		t->records = records;
	uint32_t peer = m->peer.family == ADDR_NONE ? TRAFFIC_NONE : key_index_number(&t->endpoints, &m->peer);
	if (f == NULL || records == NULL || (m->peer.family != ADDR_NONE && peer == KEY_INDEX_FULL))
		return false;
	count_message(f, m, from);
	t->disordered += t->record_count > 0 && at_ns < records[t->record_count - 1].at_ns;
	struct record *r = &records[t->record_count];
	*r = (struct record){
		.at_ns = at_ns,
		.sequence = (uint32_t)t->record_count++,
		.flow = (uint32_t)(f - t->flows),
		.peer = peer,
		.udp_size = (uint16_t)udp_size,
		.size = m->size,
		.channel = m->channel,
		.kind = (uint8_t)m->kind,
		.payload = (uint8_t)m->payload,
		.from = from,
		.send = m->kind == MESSAGE_INDICATION && m->method == STUN_SEND,
		.estimated = m->estimated,
	};
	return note_binding(t, m, r) && note_relayed(t, m);
}

/* One datagram, or each of those that an aggregate holds; of one that was not captured it is known that it is like the first. */
static bool add_datagram(struct traffic *t, const struct datagram *d, uint64_t at_ns, struct failure *failure)
{
	size_t segment = message_segment_size(d->captured, d->size), offset = 0;
	t->aggregates += segment < d->size;
	struct message first = {0}, m;
	do {
		size_t size = d->size - offset < segment ? d->size - offset : segment;
		size_t captured = offset >= d->captured.size ? 0 : d->captured.size - offset;
		if (t->record_count == SCRIPT_PACKETS_MAX)
			return fail(failure, "more than %d UDP packets; cut the file, for instance with editcap -c",
				SCRIPT_PACKETS_MAX);
		if (offset > 0 && captured == 0 && first.size >= segment - size) {
			m = first;
			m.size = (uint16_t)(first.size - (segment - size));
		} else {
			struct bytes bytes =
				bytes_of(captured > 0 ? d->captured.data + offset : NULL, captured < size ? captured : size);
			message_read(bytes, size, (enum addr_family)d->from.family, &m);
		}
		if (offset == 0)
			first = m;
		if (!add_message(t, d, &m, size, at_ns))
			return fail(failure, "not enough memory after %zu UDP packets", t->record_count);
		offset += size;
	} while (offset < d->size);
	return true;
}

bool traffic_add(struct traffic *t, int link_type, uint64_t at_ns, struct bytes frame, size_t wire_size, struct failure *failure)
{
	static const enum capture_reason reasons[] = {
		[FRAME_TCP] = LEFT_TCP,
		[FRAME_OTHER_IP] = LEFT_OTHER_IP,
		[FRAME_NOT_IP] = LEFT_NOT_IP,
		[FRAME_FRAGMENT] = LEFT_FRAGMENT,
		[FRAME_CUT] = LEFT_CUT,
		[FRAME_MALFORMED] = LEFT_MALFORMED,
	};
	struct datagram d;
	t->frames++;
	t->frames_truncated += frame.size < wire_size;
	enum frame_kind kind = link_read(link_type, frame, &d);
	if (kind == FRAME_UDP)
		return add_datagram(t, &d, at_ns, failure);
	t->left_out[reasons[kind]]++;
	return true;
}

static int compare_records(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

void traffic_sort(struct traffic *t)
{
	if (t->disordered > 0)
		qsort(t->records, t->record_count, sizeof *t->records, compare_records);
}
