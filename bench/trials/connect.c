#include "trials/connect.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "clients/endpoint.h"
#include "clients/establish.h"
#include "interrupt.h"
#include "trials/addresses.h"

/* A socket holds an answer or two, and a certificate. */
enum { BUFFER_BYTES = 16 * 1024, HELD_SETTLE_MS = 200, AFTER_SETTLE_MS = 500 };
static const double BUSY = 0.95;

struct held {
	const struct connect_plan *plan;
	const struct load_target *target;
	struct tls_context *tls;
	struct connection_plan common;
	struct connection *connections;
	struct failure *failure;
};

static bool prepare(struct held *h)
{
	const struct transport *t = &h->target->transport;
	struct addresses addresses;
	if (!endpoint_make_room(h->plan->held, h->failure) || !addresses_choose(h->target, &addresses, h->failure))
		return false;
	if (transport_is_secure(t->kind) && (h->tls = tls_context_create(t, true, false, h->failure)) == NULL)
		return false;
	h->common = (struct connection_plan){
		.transport = t, .tls = h->tls, .local = addresses.local, .server = h->target->server, .buffer_bytes = BUFFER_BYTES};
	h->connections = calloc(h->plan->held, sizeof *h->connections);
	if (h->connections == NULL)
		return fail(h->failure, "out of memory for %u connections", h->plan->held);
	for (unsigned i = 0; i < h->plan->held; i++)
		connection_init(&h->connections[i], &h->common);
	return true;
}

static bool server_sample(const struct held *h, struct server_sample *ret_sample)
{
	*ret_sample = (struct server_sample){0};
	if (h->target->pid == 0 || server_watch_sample(h->target->pid, &h->target->cores, ret_sample) == 0)
		return true;
	return fail(h->failure, "the server (process %d) has ended", (int)h->target->pid);
}

static bool settle(const struct held *h, unsigned ms)
{
	struct timespec pause = {.tv_nsec = (long)(ms * NS_PER_MS)};
	/* A signal cuts it short. */
	nanosleep(&pause, NULL);
	return !interrupt_requested() || fail(h->failure, "interrupted");
}

static bool connect_some(struct held *h, unsigned count, struct establish_figures *ret_figures)
{
	const struct establish_plan plan = {
		.count = count,
		.parallel = h->plan->parallel > 0 ? h->plan->parallel : CONNECT_PARALLEL_DEFAULT,
		.binding = true,
	};
	return establish(h->connections, &plan, ret_figures, h->failure);
}

static void close_all(struct held *h)
{
	for (unsigned i = 0; h->connections != NULL && i < h->plan->held; i++)
		connection_close(&h->connections[i]);
}

/* The first connection makes what a server makes once. */
static bool warm_up(struct held *h)
{
	struct establish_figures figures;
	if (!connect_some(h, 1, &figures))
		return false;
	connection_close(&h->connections[0]);
	return settle(h, HELD_SETTLE_MS);
}

static void figures_add(const struct held *h, const struct establish_figures *figures, const struct server_sample *before,
	const struct server_sample *after, struct connect_result *result)
{
	result->held = figures->done;
	memcpy(result->tls_version, figures->version, sizeof result->tls_version);
	memcpy(result->cipher, figures->cipher, sizeof result->cipher);
	result->seconds = figures->seconds;
	result->connections_per_s = figures->done / figures->seconds;
	result->loader_busy = figures->busy;
	result->server_known = h->target->pid != 0;
	if (result->server_known) {
		struct server_sample spent = server_watch_difference(before, after);
		int cores = CPU_COUNT(&h->target->cores);
		result->run_ns_per_connection = (double)spent.run_ns / figures->done;
		result->server_busy = (double)spent.run_ns / (double)NS_PER_S / figures->seconds / (cores > 0 ? cores : 1);
	}
	result->loader_bound = figures->busy > BUSY && !(result->server_known && result->server_busy >= BUSY);
}

static bool measure(struct held *h, struct connect_result *result)
{
	struct server_sample before, connected, held, after;
	struct establish_figures figures;
	if (!prepare(h) || !warm_up(h) || !server_sample(h, &before) || !connect_some(h, h->plan->held, &figures) ||
		!server_sample(h, &connected))
		return false;
	figures_add(h, &figures, &before, &connected, result);
	if (!settle(h, HELD_SETTLE_MS) || !server_sample(h, &held))
		return false;
	close_all(h);
	if (!settle(h, AFTER_SETTLE_MS) || !server_sample(h, &after))
		return false;
	result->rss_idle_bytes = before.rss_bytes;
	result->rss_held_bytes = held.rss_bytes;
	result->rss_after_bytes = after.rss_bytes;
	result->rss_bytes_per_connection = ((double)held.rss_bytes - (double)before.rss_bytes) / figures.done;
	return true;
}

bool connect_run(const struct connect_plan *plan, const struct load_target *target, struct connect_result *ret_result,
	struct failure *failure)
{
	if (plan->held == 0 || plan->held > CONNECT_HELD_MAX)
		return fail(failure, "%u connections cannot be held: give 1 to %d", plan->held, CONNECT_HELD_MAX);
	if (target->transport.kind == TRANSPORT_UDP)
		return fail(failure, "UDP has no connections: give --transport tcp, tls or dtls");
	struct held h = {.plan = plan, .target = target, .failure = failure};
	cpu_set_t before;
	bool pinned = CPU_COUNT(&plan->cores) > 0 && sched_getaffinity(0, sizeof before, &before) == 0;
	if (pinned && sched_setaffinity(0, sizeof plan->cores, &plan->cores) != 0)
		return fail(failure, "cannot run on the loader's cores: %s", strerror(errno));
	struct connect_result result = {0};
	bool done = measure(&h, &result);
	close_all(&h);
	free(h.connections);
	tls_context_free(h.tls);
	if (pinned)
		sched_setaffinity(0, sizeof before, &before);
	if (done)
		*ret_result = result;
	return done;
}
