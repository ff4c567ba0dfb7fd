#include "capture/paths.h"

#include <inttypes.h>
#include <stdlib.h>

enum naming { NAME_FLOW, NAME_PEER, NAME_CHANNEL, NAME_NONE };

struct path { /* one more than the key says */
	uint32_t flow, peer;
	uint64_t packets;
	uint16_t channel;
	bool channel_data; /* was seen on it */
	uint32_t number;   /* in the script; TRAFFIC_NONE: left out, or not met yet */
};

struct maker {
	struct traffic *t;
	struct capture *c;
	struct key_index keys; /* flow, naming, value */
	struct path *paths;
	size_t path_capacity;
	uint32_t *best_paths;  /* of each flow: the path with the most packets */
	uint32_t *allocations; /* of each flow */
	uint64_t first_ns;
};

static int compare_bindings(const void *a, const void *b)
{
	const struct binding *x = a, *y = b;
	if (x->flow != y->flow)
		return x->flow < y->flow ? -1 : 1;
	if (x->channel != y->channel)
		return x->channel < y->channel ? -1 : 1;
	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* The first of the sorted bindings of that flow and channel, or the place where it would stand. */
static size_t first_binding(const struct traffic *t, uint32_t flow, uint16_t channel)
{
	const struct binding wanted = {.flow = flow, .channel = channel};
	size_t low = 0, high = t->binding_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_bindings(&t->bindings[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The endpoint number of the peer that a channel leads to; TRAFFIC_NONE when the capture does not tell. */
static uint32_t peer_of_channel(const struct traffic *t, const struct record *r)
{
	uint32_t peer = TRAFFIC_NONE;
	for (size_t i = first_binding(t, r->flow, r->channel); i < t->binding_count; i++) {
		const struct binding *b = &t->bindings[i];
		if (b->flow != r->flow || b->channel != r->channel)
			break;
		if (b->refused)
			continue;
		if (peer != TRAFFIC_NONE && b->at_ns > r->at_ns)
			break;
		peer = b->peer;
	}
	return peer;
}

static uint32_t path_number(struct maker *m, uint32_t flow, enum naming naming, uint32_t value)
{
	const uint32_t key[3] = {flow, naming, value};
	uint32_t known = m->keys.count, number = key_index_number(&m->keys, key);
	if (number != known)
		return number;
	if (number == m->path_capacity) {
		size_t capacity = m->path_capacity == 0 ? 64 : m->path_capacity * 2;
		struct path *paths = reallocarray(m->paths, capacity, sizeof *paths);
		if (paths == NULL)
			return KEY_INDEX_FULL;
		m->paths = paths;
		m->path_capacity = capacity;
	}
	m->paths[number] = (struct path){
		.flow = flow,
		.peer = naming == NAME_PEER ? value : TRAFFIC_NONE,
		.number = TRAFFIC_NONE,
	};
	return number;
}

static void count_on_path(struct maker *m, const struct record *r, uint32_t number)
{
	struct path *p = &m->paths[number];
	p->packets++;
	if (m->t->flows[r->flow].role == FLOW_PLAIN || r->kind == MESSAGE_CHANNEL_DATA)
		p->channel_data = true;
	if (p->channel == 0 && r->kind == MESSAGE_CHANNEL_DATA)
		p->channel = r->channel;
	uint32_t *best = &m->best_paths[r->flow];
	if (*best == TRAFFIC_NONE || m->paths[*best].packets < p->packets)
		*best = number;
}

/* True for what a relay would relay, in the direction that it has. */
static bool is_media(const struct traffic *t, const struct record *r)
{
	const struct flow *f = &t->flows[r->flow];
	if (f->role == FLOW_PLAIN)
		return true;
	if (f->role != FLOW_TURN)
		return false;
	return r->kind == MESSAGE_CHANNEL_DATA || (r->kind == MESSAGE_INDICATION && r->send == (r->from == f->client));
}

static void leave_out(struct maker *m, const struct record *r)
{
	static const enum capture_reason reasons[] = {
		[FLOW_RELAYED] = LEFT_RELAYED,
		[FLOW_STUN] = LEFT_STUN,
		[FLOW_UNSEEN] = LEFT_UNSEEN,
		[FLOW_DNS] = LEFT_DNS,
		[FLOW_NO_MEDIA] = LEFT_NO_MEDIA,
	};
	uint8_t role = m->t->flows[r->flow].role;
	if (role != FLOW_TURN)
		m->c->reasons[reasons[role]]++;
	else if (r->kind == MESSAGE_STUN)
		m->c->stun_packets++;
	else
		m->c->reasons[r->kind == MESSAGE_UNSEEN ? LEFT_UNSEEN : LEFT_NOT_TURN]++;
}

/* The path of what names one; TRAFFIC_NONE for what does not. False: no memory. */
static bool name_path(struct maker *m, const struct record *r, uint32_t *ret_path)
{
	uint32_t peer = r->peer;
	*ret_path = TRAFFIC_NONE;
	if (m->t->flows[r->flow].role == FLOW_PLAIN) {
		*ret_path = path_number(m, r->flow, NAME_FLOW, 0);
		return *ret_path != KEY_INDEX_FULL;
	}
	if (r->kind == MESSAGE_CHANNEL_DATA && r->channel != 0)
		peer = peer_of_channel(m->t, r);
	if (peer != TRAFFIC_NONE)
		*ret_path = path_number(m, r->flow, NAME_PEER, peer);
	else if (r->kind == MESSAGE_CHANNEL_DATA && r->channel != 0)
		*ret_path = path_number(m, r->flow, NAME_CHANNEL, r->channel);
	else
		return true;
	return *ret_path != KEY_INDEX_FULL;
}

/* Every packet of media finds its path; what is none is counted. */
static bool assign_paths(struct maker *m)
{
	struct traffic *t = m->t;
	for (size_t i = 0; i < t->record_count; i++) {
		struct record *r = &t->records[i];
		if (!is_media(t, r)) {
			leave_out(m, r);
			continue;
		}
		uint32_t path;
		if (!name_path(m, r, &path))
			return false;
		r->peer = path;
		if (path != TRAFFIC_NONE)
			count_on_path(m, r, path);
	}
	for (size_t i = 0; i < t->record_count; i++) {
		struct record *r = &t->records[i];
		if (!is_media(t, r) || r->peer != TRAFFIC_NONE)
			continue;
		r->peer = m->best_paths[r->flow] != TRAFFIC_NONE ? m->best_paths[r->flow] : path_number(m, r->flow, NAME_NONE, 0);
		if (r->peer == KEY_INDEX_FULL)
			return false;
		count_on_path(m, r, r->peer);
	}
	return true;
}

static void describe_path(struct maker *m, const struct path *p)
{
	const struct traffic *t = m->t;
	const struct flow *f = &t->flows[p->flow];
	const struct addr *other = traffic_endpoint(t, f->ends[!f->client]);
	bool plain = f->role == FLOW_PLAIN;
	struct capture_path *described = &m->c->paths[p->number];
	*described = (struct capture_path){.client = *traffic_endpoint(t, f->ends[f->client]), .channel = p->channel};
	if (plain)
		described->peer = *other;
	else
		described->server = *other;
	if (p->peer != TRAFFIC_NONE)
		described->peer = *traffic_endpoint(t, p->peer);
	struct script *s = &m->c->script;
	if (m->allocations[p->flow] == TRAFFIC_NONE)
		m->allocations[p->flow] = s->allocations++;
	s->paths[p->number] = (struct script_path){.allocation = (uint16_t)m->allocations[p->flow], .channel = p->channel_data};
}

static void add_packet(struct maker *m, const struct record *r, const struct path *p)
{
	struct capture *c = m->c;
	const struct flow *f = &m->t->flows[r->flow];
	bool plain = f->role == FLOW_PLAIN, indication = !plain && r->kind == MESSAGE_INDICATION;
	enum direction direction = r->from == f->client ? UP : DOWN;
	uint16_t size = plain ? r->udp_size : r->size;
	/* ChannelData and indications that go through no relay are none. */
	bool framed = r->kind == MESSAGE_CHANNEL_DATA || r->kind == MESSAGE_INDICATION;
	struct capture_stream *stream = &c->paths[p->number].streams[direction];
	stream->packets++;
	stream->payload_bytes += size;
	stream->indications += indication;
	stream->payloads[plain && framed ? PAYLOAD_OTHER : r->payload]++;
	c->estimated += !plain && r->estimated;
	c->media_packets++;
	c->script.packets[c->script.packet_count++] = (struct script_packet){
		.at_ns = r->at_ns - m->first_ns,
		.path = (uint16_t)p->number,
		.size = size,
		.direction = (uint8_t)direction,
		.indication = indication && direction == UP && p->channel_data,
	};
}

/* Paths are numbered in the order of their first packets, allocations as well. */
static void fill_script(struct maker *m, uint64_t packets_min)
{
	struct traffic *t = m->t;
	struct script *s = &m->c->script;
	for (size_t i = 0; i < t->record_count; i++) {
		const struct record *r = &t->records[i];
		if (!is_media(t, r))
			continue;
		struct path *p = &m->paths[r->peer];
		if (p->packets < packets_min) {
			m->c->reasons[LEFT_FEW]++;
			continue;
		}
		if (p->number == TRAFFIC_NONE) {
			p->number = (uint32_t)s->path_count++;
			describe_path(m, p);
		}
		if (s->packet_count == 0)
			m->first_ns = r->at_ns;
		add_packet(m, r, p);
	}
}

static bool make_script(struct maker *m, uint64_t packets_min, struct failure *failure)
{
	size_t paths = 0;
	uint64_t packets = 0, largest = 0;
	for (uint32_t i = 0; i < m->keys.count; i++) {
		const struct path *p = &m->paths[i];
		largest = p->packets > largest ? p->packets : largest;
		paths += p->packets >= packets_min;
		packets += p->packets >= packets_min ? p->packets : 0;
	}
	if (m->keys.count > 0 && paths == 0)
		return fail(failure, "no media flow of at least %" PRIu64 " packets (--packets-min); the largest has %" PRIu64,
			packets_min, largest);
	if (paths > SCRIPT_PATHS_MAX)
		return fail(failure, "%zu media flows, more than %d; leave small ones out with a larger --packets-min", paths,
			SCRIPT_PATHS_MAX);
	m->c->script.paths = calloc(paths + 1, sizeof *m->c->script.paths);
	m->c->script.packets = calloc(packets + 1, sizeof *m->c->script.packets);
	m->c->paths = calloc(paths + 1, sizeof *m->c->paths);
	if (m->c->script.paths == NULL || m->c->script.packets == NULL || m->c->paths == NULL)
		return fail(failure, "not enough memory for a script of %" PRIu64 " packets", packets);
	fill_script(m, packets_min);
	return true;
}

static bool maker_init(struct maker *m)
{
	size_t flows = m->t->flow_keys.count;
	key_index_init(&m->keys, 3 * sizeof(uint32_t));
	m->best_paths = malloc((flows + 1) * sizeof *m->best_paths);
	m->allocations = malloc((flows + 1) * sizeof *m->allocations);
	if (m->best_paths == NULL || m->allocations == NULL)
		return false;
	memset(m->best_paths, 0xff, (flows + 1) * sizeof *m->best_paths);
	memset(m->allocations, 0xff, (flows + 1) * sizeof *m->allocations);
	return true;
}

bool paths_make(struct traffic *t, uint64_t packets_min, struct capture *ret_capture, struct failure *failure)
{
	struct maker m = {.t = t, .c = ret_capture};
	if (t->binding_count > 0)
		qsort(t->bindings, t->binding_count, sizeof *t->bindings, compare_bindings);
	bool done = maker_init(&m) && assign_paths(&m);
	if (!done)
		fail(failure, "not enough memory for the paths of this capture");
	done = done && make_script(&m, packets_min, failure);
	key_index_done(&m.keys);
	free(m.paths);
	free(m.best_paths);
	free(m.allocations);
	return done;
}
