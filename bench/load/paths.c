#include "load/paths.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/tls_context.h"
#include "clients/endpoint.h"
#include "clients/establish.h"

enum { SETUP_PARALLEL = 64, BUFFER_BYTES = 4 << 20 };

/* Where each path of the script comes to lie, so that those of one allocation lie together. */
static void place_script(struct paths *p, const struct script *script)
{
	uint32_t place = 0;
	for (unsigned allocation = 0; allocation < script->allocations; allocation++)
		for (size_t i = 0; i < script->path_count; i++)
			if (script->paths[i].allocation == allocation)
				p->places[i] = place++;
}

static bool prepare(struct paths *p, const struct load_plan *plan, struct failure *failure)
{
	bool script = plan->kind == LOAD_SCRIPT;
	p->units = script ? plan->calls : plan->flood.flows;
	p->unit_allocations = script ? plan->script->allocations : 1;
	p->unit_paths = script ? (unsigned)plan->script->path_count : 1;
	p->allocation_count = p->units * p->unit_allocations;
	p->path_count = p->units * p->unit_paths;
	p->places = calloc(p->unit_paths, sizeof *p->places);
	p->allocations = calloc(p->allocation_count, sizeof *p->allocations);
	p->turn_clients = calloc(p->allocation_count, sizeof *p->turn_clients);
	p->clients = calloc(p->allocation_count, sizeof *p->clients);
	p->paths = calloc(p->path_count, sizeof *p->paths);
	if (p->places == NULL || p->allocations == NULL || p->turn_clients == NULL || p->clients == NULL || p->paths == NULL)
		return fail(failure, "out of memory for %u allocations with %u paths", p->allocation_count, p->path_count);
	for (unsigned i = 0; i < p->allocation_count; i++) {
		p->allocations[i].fd = -1;
		p->clients[i] = (struct setup_client){.fd = -1, .client = &p->turn_clients[i]};
	}
	for (unsigned i = 0; i < p->path_count; i++)
		p->paths[i].peer_fd = -1;
	if (script)
		place_script(p, plan->script);
	return true;
}

/* Writes where a unit's paths belong, as the script has them or the flood. */
static void lay_out(struct paths *p, const struct load_plan *plan, unsigned unit)
{
	struct allocation *allocations = p->allocations + (size_t)unit * p->unit_allocations;
	uint32_t path_first = unit * p->unit_paths;
	for (unsigned i = 0; i < p->unit_paths; i++) {
		struct path *path = &p->paths[path_first + p->places[i]];
		unsigned in_unit = plan->kind == LOAD_SCRIPT ? plan->script->paths[i].allocation : 0;
		path->allocation = unit * p->unit_allocations + in_unit;
		bool channel = plan->kind == LOAD_SCRIPT ? plan->script->paths[i].channel : !plan->flood.indications;
		path->channel = channel ? turn_client_channel(allocations[in_unit].path_count) : 0;
		allocations[in_unit].path_count++;
	}
	for (unsigned i = 0; i < p->unit_allocations; i++) {
		allocations[i].path_first = path_first;
		path_first += allocations[i].path_count;
	}
}

static bool open_peers(struct paths *p, const struct load_plan *plan, const struct addr *ip, struct failure *failure)
{
	for (uint32_t i = 0; i < p->path_count; i++) {
		struct path *path = &p->paths[i];
		path->peer_fd = endpoint_open(ip, true, BUFFER_BYTES, &path->peer, failure);
		if (path->peer_fd < 0)
			return false;
		for (unsigned direction = 0; direction < DIRECTIONS; direction++)
			stream_init(&path->streams[direction], plan->seed, i, direction);
	}
	return true;
}

static bool open_socket(struct paths *p, unsigned index, struct failure *failure)
{
	struct addr bound;
	struct allocation *a = &p->allocations[index];
	a->fd = endpoint_open(&p->local, true, BUFFER_BYTES, &bound, failure);
	p->clients[index].fd = a->fd;
	return a->fd >= 0 && endpoint_connect(a->fd, &p->target->server, failure);
}

/* It is brought up with all others. */
static bool open_connection(struct paths *p, unsigned index)
{
	struct connection *c = &p->connections[index];
	connection_init(c, &p->plan);
	p->allocations[index].connection = c;
	p->clients[index].connection = c;
	return true;
}

/* What all connections have in common. */
static bool prepare_connections(struct paths *p, struct failure *failure)
{
	const struct transport *t = &p->target->transport;
	if (t->kind == TRANSPORT_UDP)
		return true;
	if (transport_is_secure(t->kind) && (p->tls = tls_context_create(t, false, false, failure)) == NULL)
		return false;
	p->plan = (struct connection_plan){
		.transport = t, .tls = p->tls, .local = p->local, .server = p->target->server, .buffer_bytes = BUFFER_BYTES};
	p->connections = calloc(p->allocation_count, sizeof *p->connections);
	return p->connections != NULL || fail(failure, "out of memory for %u connections", p->allocation_count);
}

static bool open_client(struct paths *p, unsigned index, struct failure *failure)
{
	const struct load_target *target = p->target;
	struct allocation *a = &p->allocations[index];
	if (!(p->connections != NULL ? open_connection(p, index) : open_socket(p, index, failure)))
		return false;
	struct turn_client_peer *peers = calloc(a->path_count, sizeof *peers);
	if (peers == NULL)
		return fail(failure, "out of memory for the clients' peers");
	for (uint32_t i = 0; i < a->path_count; i++) {
		const struct path *path = &p->paths[a->path_first + i];
		peers[i].addr = path->peer;
		peers[i].channel = path->channel;
	}
	turn_client_init(&p->turn_clients[index], target->username, target->password, peers, a->path_count);
	return true;
}

bool paths_open(struct paths *p, const struct load_plan *plan, const struct load_target *target, struct failure *failure)
{
	*p = (struct paths){.target = target, .local = target->local};
	if (!prepare(p, plan, failure) || !endpoint_make_room(p->allocation_count + p->path_count, failure))
		return false;
	for (unsigned unit = 0; unit < p->units; unit++)
		lay_out(p, plan, unit);
	if (p->local.family == ADDR_NONE && !endpoint_local_address(&target->server, &p->local, failure))
		return false;
	if (!open_peers(p, plan, target->peer.family == ADDR_NONE ? &p->local : &target->peer, failure))
		return false;
	if (!prepare_connections(p, failure))
		return false;
	for (unsigned i = 0; i < p->allocation_count; i++)
		if (!open_client(p, i, failure))
			return false;
	return true;
}

static bool connect_all(struct paths *p, struct failure *failure)
{
	const struct establish_plan plan = {.count = p->allocation_count, .parallel = SETUP_PARALLEL};
	struct establish_figures figures;
	if (p->connections == NULL)
		return true;
	if (!establish(p->connections, &plan, &figures, failure))
		return false;
	memcpy(p->tls_version, figures.version, sizeof p->tls_version);
	memcpy(p->cipher, figures.cipher, sizeof p->cipher);
	for (unsigned i = 0; i < p->allocation_count; i++)
		p->clients[i].fd = p->connections[i].fd;
	return true;
}

bool paths_set_up(struct paths *p, double *ret_seconds, struct failure *failure)
{
	if (!connect_all(p, failure) || !setup_clients(p->clients, p->allocation_count, SETUP_PARALLEL, ret_seconds, failure))
		return false;
	for (unsigned i = 0; i < p->allocation_count; i++)
		p->allocations[i].fd = p->clients[i].fd;
	for (unsigned i = 0; i < p->path_count; i++)
		if (!endpoint_connect(p->paths[i].peer_fd, &p->turn_clients[p->paths[i].allocation].relayed, failure))
			return false;
	return true;
}

bool paths_port_taken(const struct paths *p)
{
	for (unsigned i = 0; i < p->allocation_count; i++)
		if (p->turn_clients[i].port_taken)
			return true;
	return false;
}

bool paths_announce(const struct paths *p, const struct load_plan *plan, struct failure *failure)
{
	if (plan->ready == NULL)
		return true;
	struct addr *relayed = calloc(p->allocation_count, sizeof *relayed);
	if (relayed == NULL)
		return fail(failure, "out of memory for the relayed addresses");
	for (unsigned i = 0; i < p->allocation_count; i++)
		relayed[i] = p->turn_clients[i].relayed;
	plan->ready(plan->ready_context, relayed, p->allocation_count);
	free(relayed);
	return true;
}

void paths_close(struct paths *p)
{
	if (p->clients != NULL && p->turn_clients != NULL && p->allocations != NULL)
		setup_farewell(p->clients, p->allocation_count);
	for (unsigned i = 0; p->connections != NULL && i < p->allocation_count; i++)
		connection_close(&p->connections[i]);
	for (unsigned i = 0; p->connections == NULL && p->allocations != NULL && i < p->allocation_count; i++)
		if (p->allocations[i].fd >= 0)
			close(p->allocations[i].fd);
	for (unsigned i = 0; p->turn_clients != NULL && i < p->allocation_count; i++)
		turn_client_done(&p->turn_clients[i]);
	for (unsigned i = 0; p->paths != NULL && i < p->path_count; i++)
		if (p->paths[i].peer_fd >= 0)
			close(p->paths[i].peer_fd);
	free(p->places);
	free(p->allocations);
	free(p->turn_clients);
	free(p->clients);
	free(p->paths);
	free(p->connections);
	tls_context_free(p->tls);
	*p = (struct paths){0};
}
