#include "capture/flows.h"

#include <stdlib.h>

enum { TURN_PORT = 3478, END_UNKNOWN = 2 };

/* Ports whose services start their messages with bytes that look like media now and then. */
static bool is_dns(uint16_t port)
{
	return port == 53 || port == 5353 || port == 5355;
}

static bool is_service(uint16_t port)
{
	static const uint16_t services[] = {67, 68, 69, 123, 137, 138, 161, 162, 500, 514, 546, 547, 1900, 4500};
	for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
		if (services[i] == port)
			return true;
	return false;
}

static bool is_group(const struct addr *a)
{
	return a->family == ADDR_IPV4 ? a->ip[0] >= 224 : a->ip[0] == 0xff;
}

static bool is_turn(const struct flow *f)
{
	return f->turn_sure > 0 || (f->turn_like > 0 && (uint64_t)f->turn_like * 2 >= f->datagrams - f->unseen);
}

static uint8_t more(uint64_t end_0, uint64_t end_1)
{
	return end_0 > end_1 ? 0 : end_1 > end_0 ? 1 : END_UNKNOWN;
}

struct judge {
	struct traffic *t;
	bool *servers;        /* of each endpoint: it is a server by its messages */
	uint32_t *turn_flows; /* of each endpoint: how many TURN flows have it */
	uint8_t *first;       /* of each flow: the end that sent first; END_UNKNOWN when none has yet */
	struct key_index server_ips;
};

static uint8_t find_server(const struct judge *j, uint32_t number)
{
	const struct flow *f = &j->t->flows[number];
	uint16_t port_0 = traffic_endpoint(j->t, f->ends[0])->port, port_1 = traffic_endpoint(j->t, f->ends[1])->port;
	const uint8_t answers[] = {
		more(f->server_votes[0], f->server_votes[1]),
		more(j->servers[f->ends[0]], j->servers[f->ends[1]]),
		more(port_0 == TURN_PORT, port_1 == TURN_PORT),
		more(f->binding_votes[0], f->binding_votes[1]),
		more(j->turn_flows[f->ends[0]], j->turn_flows[f->ends[1]]),
		more(port_1, port_0),
	};
	for (size_t i = 0; i < sizeof answers; i++)
		if (answers[i] != END_UNKNOWN)
			return answers[i];
	return !j->first[number];
}

static bool judge_turn(struct judge *j)
{
	struct traffic *t = j->t;
	for (uint32_t i = 0; i < t->flow_keys.count; i++) {
		const struct flow *f = &t->flows[i];
		if (!is_turn(f))
			continue;
		uint8_t server = more(f->server_votes[0], f->server_votes[1]);
		if (server != END_UNKNOWN)
			j->servers[f->ends[server]] = true;
		j->turn_flows[f->ends[0]]++;
		j->turn_flows[f->ends[1]]++;
	}
	for (uint32_t i = 0; i < t->flow_keys.count; i++) {
		struct flow *f = &t->flows[i];
		if (!is_turn(f))
			continue;
		f->role = FLOW_TURN;
		f->client = !find_server(j, i);
		struct addr server = addr_with_port(*traffic_endpoint(t, f->ends[!f->client]), 0);
		if (key_index_number(&j->server_ips, &server) == KEY_INDEX_FULL)
			return false;
	}
	return true;
}

/* At an address of a server, or one that a server relays from: these may lie apart. */
static bool at_server(struct judge *j, const struct addr *a)
{
	struct addr ip = addr_with_port(*a, 0);
	return key_index_find(&j->server_ips, &ip) != KEY_INDEX_FULL || key_index_find(&j->t->relayed, a) != KEY_INDEX_FULL;
}

static enum flow_role role_of(struct judge *j, const struct flow *f)
{
	const struct addr *a = traffic_endpoint(j->t, f->ends[0]), *b = traffic_endpoint(j->t, f->ends[1]);
	uint32_t seen = f->datagrams - f->unseen;
	if (is_dns(a->port) || is_dns(b->port))
		return FLOW_DNS;
	if (is_service(a->port) || is_service(b->port) || is_group(a) || is_group(b))
		return FLOW_NO_MEDIA;
	if (seen == 0)
		return FLOW_UNSEEN;
	if (f->stun == seen)
		return FLOW_STUN;
	if (f->media_like == 0 || ((uint64_t)f->media_like + f->stun) * 2 < seen)
		return FLOW_NO_MEDIA;
	return at_server(j, a) || at_server(j, b) ? FLOW_RELAYED : FLOW_PLAIN;
}

static bool judge(struct judge *j)
{
	struct traffic *t = j->t;
	memset(j->first, END_UNKNOWN, t->flow_keys.count);
	for (size_t i = 0; i < t->record_count; i++)
		if (j->first[t->records[i].flow] == END_UNKNOWN)
			j->first[t->records[i].flow] = t->records[i].from;
	if (!judge_turn(j))
		return false;
	for (uint32_t i = 0; i < t->flow_keys.count; i++) {
		struct flow *f = &t->flows[i];
		if (is_turn(f))
			continue;
		f->role = (uint8_t)role_of(j, f);
		f->client = j->first[i];
	}
	return true;
}

bool flows_judge(struct traffic *t)
{
	struct judge j = {.t = t};
	if (t->flow_keys.count == 0)
		return true;
	key_index_init(&j.server_ips, sizeof(struct addr));
	j.servers = calloc(t->endpoints.count, sizeof *j.servers);
	j.turn_flows = calloc(t->endpoints.count, sizeof *j.turn_flows);
	j.first = malloc(t->flow_keys.count);
	bool done = j.servers != NULL && j.turn_flows != NULL && j.first != NULL && judge(&j);
	free(j.servers);
	free(j.turn_flows);
	free(j.first);
	key_index_done(&j.server_ips);
	return done;
}
