#include "trials/allocate.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "clients/endpoint.h"
#include "clients/establish.h"
#include "clients/setup.h"
#include "interrupt.h"
#include "trials/addresses.h"

/* A client's socket holds an answer or two; a peer's nothing at all. */
enum { BUFFER_BYTES = 16 * 1024, HELD_SETTLE_MS = 100, AFTER_SETTLE_MS = 500 };
static const double BUSY = 0.95;

struct held {
	const struct allocate_plan *plan;
	const struct load_target *target;
	struct setup_client *clients;
	struct turn_client *turn;
	struct tls_context *tls;
	struct connection_plan common;
	struct connection *connections; /* NULL: UDP */
	unsigned opened;
	int peer;
	struct addr peer_addr;
	struct failure *failure;
};

static bool socket_open(struct held *h, const struct addr *ip, int *ret_fd)
{
	struct addr local;
	int fd = endpoint_open(ip, false, BUFFER_BYTES, &local, h->failure);
	if (fd < 0)
		return false;
	*ret_fd = fd;
	return endpoint_connect(fd, &h->target->server, h->failure);
}

/* All of them are up before the first allocation is made, as sockets are open. */
static bool connections_open(struct held *h, const struct addr *ip, unsigned parallel)
{
	const struct transport *t = &h->target->transport;
	const struct establish_plan plan = {.count = h->plan->held, .parallel = parallel};
	struct establish_figures figures;
	if (transport_is_secure(t->kind) && (h->tls = tls_context_create(t, true, false, h->failure)) == NULL)
		return false;
	h->common = (struct connection_plan){
		.transport = t, .tls = h->tls, .local = *ip, .server = h->target->server, .buffer_bytes = BUFFER_BYTES};
	h->connections = calloc(h->plan->held, sizeof *h->connections);
	if (h->connections == NULL)
		return fail(h->failure, "out of memory for %u connections", h->plan->held);
	for (unsigned i = 0; i < h->plan->held; i++)
		connection_init(&h->connections[i], &h->common);
	return establish(h->connections, &plan, &figures, h->failure);
}

static bool clients_open(struct held *h, unsigned parallel)
{
	struct addresses addresses;
	if (!endpoint_make_room(h->plan->held + 1, h->failure) || !addresses_choose(h->target, &addresses, h->failure))
		return false;
	h->peer = endpoint_open(&addresses.peer, false, BUFFER_BYTES, &h->peer_addr, h->failure);
	if (h->peer < 0)
		return false;
	h->clients = calloc(h->plan->held, sizeof *h->clients);
	h->turn = calloc(h->plan->held, sizeof *h->turn);
	if (h->clients == NULL || h->turn == NULL)
		return fail(h->failure, "out of memory for %u clients", h->plan->held);
	if (h->target->transport.kind != TRANSPORT_UDP && !connections_open(h, &addresses.local, parallel))
		return false;
	for (unsigned i = 0; i < h->plan->held; i++) {
		struct setup_client *client = &h->clients[i];
		*client = (struct setup_client){.fd = -1, .client = &h->turn[i]};
		turn_client_init(&h->turn[i], h->target->username, h->target->password, NULL, 0);
		h->turn[i].family = h->peer_addr.family;
		h->opened++;
		if (h->connections != NULL) {
			client->connection = &h->connections[i];
			client->fd = client->connection->fd;
		} else if (!socket_open(h, &addresses.local, &client->fd)) {
			return false;
		}
	}
	return true;
}

static void clients_close(struct held *h)
{
	for (unsigned i = 0; h->connections != NULL && i < h->plan->held; i++)
		connection_close(&h->connections[i]);
	for (unsigned i = 0; i < h->opened; i++) {
		if (h->connections == NULL && h->clients[i].fd >= 0)
			close(h->clients[i].fd);
		turn_client_done(&h->turn[i]);
	}
	free(h->clients);
	free(h->turn);
	free(h->connections);
	tls_context_free(h->tls);
	if (h->peer >= 0)
		close(h->peer);
}

static bool server_sample(const struct held *h, struct server_sample *ret_sample)
{
	if (h->target->pid == 0 || server_watch_sample(h->target->pid, &h->target->cores, ret_sample) == 0)
		return true;
	return fail(h->failure, "the server (process %d) has ended", (int)h->target->pid);
}

static bool interrupted(const struct held *h)
{
	if (interrupt_requested())
		fail(h->failure, "interrupted");
	return interrupt_requested();
}

static bool settle(const struct held *h, unsigned ms)
{
	struct timespec pause = {.tv_nsec = (long)(ms * NS_PER_MS)};
	/* A signal cuts it short. */
	nanosleep(&pause, NULL);
	return !interrupted(h);
}

static bool channels_bind(struct held *h)
{
	for (unsigned i = 0; i < h->opened; i++) {
		struct turn_client_peer *peer = calloc(1, sizeof *peer);
		if (peer == NULL)
			return fail(h->failure, "out of memory for %u peers", h->opened);
		*peer = (struct turn_client_peer){.addr = h->peer_addr, .channel = turn_client_channel(0)};
		turn_client_set_peers(&h->turn[i], peer, 1);
	}
	return true;
}

static void figures_add(const struct held *h, const struct setup_figures *figures, const struct server_sample *before,
	const struct server_sample *after, struct allocate_result *result)
{
	result->held = h->opened;
	result->seconds = figures->seconds;
	result->allocations_per_s = h->opened / figures->seconds;
	result->loader_busy = figures->busy;
	result->server_known = h->target->pid != 0;
	if (result->server_known) {
		struct server_sample spent = server_watch_difference(before, after);
		int cores = CPU_COUNT(&h->target->cores);
		result->run_ns_per_allocation = (double)spent.run_ns / h->opened;
		result->server_busy = (double)spent.run_ns / (double)NS_PER_S / figures->seconds / (cores > 0 ? cores : 1);
	}
	result->loader_bound = figures->busy > BUSY && !(result->server_known && result->server_busy >= BUSY);
}

static bool allocations_measure(struct held *h, unsigned parallel, struct allocate_result *result)
{
	struct server_sample before = {0}, after = {0};
	struct setup_figures figures;
	if (!server_sample(h, &before) || !setup_clients_timed(h->clients, h->opened, parallel, &figures, h->failure) ||
		!server_sample(h, &after))
		return false;
	figures_add(h, &figures, &before, &after, result);
	result->rss_idle_bytes = before.rss_bytes;
	return true;
}

static bool memory_measure(struct held *h, unsigned parallel, struct allocate_result *result)
{
	struct server_sample held = {0}, after = {0};
	if (h->plan->channels && (!channels_bind(h) || !setup_clients(h->clients, h->opened, parallel, NULL, h->failure)))
		return false;
	if (!settle(h, HELD_SETTLE_MS) || !server_sample(h, &held))
		return false;
	setup_farewell(h->clients, h->opened);
	if (!settle(h, AFTER_SETTLE_MS) || !server_sample(h, &after))
		return false;
	result->rss_held_bytes = held.rss_bytes;
	result->rss_after_bytes = after.rss_bytes;
	result->rss_bytes_per_allocation = ((double)held.rss_bytes - (double)result->rss_idle_bytes) / h->opened;
	return true;
}

static bool measure(struct held *h, struct allocate_result *result)
{
	unsigned parallel = h->plan->parallel > 0 ? h->plan->parallel : ALLOCATE_PARALLEL_DEFAULT;
	bool done = clients_open(h, parallel) && allocations_measure(h, parallel, result) && memory_measure(h, parallel, result);
	/* Those that said farewell already say it once more: nobody minds. */
	if (!done)
		setup_farewell(h->clients, h->opened);
	clients_close(h);
	return done;
}

bool allocate_run(const struct allocate_plan *plan, const struct load_target *target, struct allocate_result *ret_result,
	struct failure *failure)
{
	if (plan->held == 0 || plan->held > ALLOCATE_HELD_MAX)
		return fail(failure, "%u allocations cannot be held: give 1 to %d", plan->held, ALLOCATE_HELD_MAX);
	struct held h = {.plan = plan, .target = target, .peer = -1, .failure = failure};
	cpu_set_t before;
	bool pinned = CPU_COUNT(&plan->cores) > 0 && sched_getaffinity(0, sizeof before, &before) == 0;
	if (pinned && sched_setaffinity(0, sizeof plan->cores, &plan->cores) != 0)
		return fail(failure, "cannot run on the loader's cores: %s", strerror(errno));
	struct allocate_result result = {0};
	bool done = measure(&h, &result);
	if (pinned)
		sched_setaffinity(0, sizeof before, &before);
	if (done)
		*ret_result = result;
	return done;
}
