/*
 * server - start and end of the process. Each step of the start either succeeds or says in one line what is wrong and what to do.
 */
#include "server/server.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/config_print.h"
#include "server/config_streams.h"
#include "server_state.h"

/* How often the keys of session tickets are asked whether they are old. */
enum { TICKETS_INTERVAL_S = 3600 };

static int fail(const char *what)
{
	log_error(LOG_SERVER, "%s", what);
	return -1;
}

/* How much of the machine to use. */
static int size_up(struct server *server)
{
	machine_raise_descriptors();
	machine_read("", &server->machine);
	uint32_t shards = server->config->admin.shards;
	server->shard_count = shards != 0 ? shards : server->machine.processors;
	if (server->shard_count > SHARDS_MAX)
		server->shard_count = SHARDS_MAX;
	const struct config_admin *admin = &server->config->admin;
	struct config_streams_needs needs = config_streams_needs(server->config);
	const struct machine_wish wish = {
		.shards = server->shard_count,
		.listeners = (unsigned)server->config->listener_count,
		.allocations = admin->allocations_max,
		.connections_max = admin->connections_max,
		.handshakes_wanted = admin->streams.handshakes,
		.connections = needs.connections,
		.sockets = needs.sockets,
		.handshakes = needs.handshakes,
	};
	struct machine_budget *budget = &server->budget;
	machine_plan(&server->machine, &wish, budget);
	if (budget->allocations == 0 || (needs.connections && budget->connections == 0))
		return fail("too few descriptors to relay anything: raise the limit (ulimit -n) to 1024 or more");
	server->allocations_capacity = budget->allocations;
	log_info(LOG_SERVER, "up to %u allocations, bounded by %s", budget->allocations, budget->allocations_bound);
	if (needs.connections)
		log_info(LOG_SERVER, "up to %u connections, bounded by %s", budget->connections, budget->connections_bound);
	return 0;
}

/* Clients are spread over the shards by chance, so each can hold more than its even share; the quota bounds all of them
 * together. */
static uint32_t allocations_of_shard(const struct server *server)
{
	uint32_t even = server->allocations_capacity / server->shard_count;
	uint32_t most = even + even / 2 + 64;
	/* One more than there can be, so that it is the quota that refuses: it knows whose limit was reached. */
	uint32_t all = server->allocations_capacity + 1;
	return server->shard_count == 1 || most > all ? all : most;
}

/* Divided evenly, so that the bound holds for all of them together. */
static uint32_t connections_of_shard(const struct server *server)
{
	return (server->budget.connections + server->shard_count - 1) / server->shard_count;
}

static int start_shards(struct server *server, struct shard_params params[], struct turn_config *turn)
{
	enum engine_kind engine = server->config->admin.engine;
	for (unsigned i = 0; i < server->shard_count; i++) {
		struct shard_params *p = &params[i];
		p->index = (uint8_t)i;
		p->count = (uint8_t)server->shard_count;
		p->engine.kind = engine;
		p->engine.receive_buffers = machine_receive_buffers(&server->machine, server->shard_count);
		p->allocations_max = allocations_of_shard(server);
		p->relay_receive_buffer = (int)server->config->admin.relay_receive_buffer;
		p->relay_send_buffer = (int)server->config->admin.relay_send_buffer;
		p->shared = server->shared;
		p->config = turn;
		p->streams = server->streams;
		p->connections_max = connections_of_shard(server);
		p->stream_buffers = server->budget.stream_buffers;
		char reason[ENGINE_REASON_SIZE];
		int result = shard_start(p, &server->shards[i], reason);
		if (result < 0) {
			server->shard_count = i;
			log_error(LOG_IO, "engine %s cannot start: %s: %s", engine_name(engine), reason,
				engine == ENGINE_IO_URING ? "allow io_uring, or set admin.engine to auto"
							  : "check the limits on memory and descriptors");
			return -1;
		}
		if (i == 0)
			memcpy(server->engine_reason, reason, sizeof reason);
		/* What the first shard found to work, all use. */
		engine = shard_engine_kind(server->shards[i]);
	}
	log_info(LOG_IO, "engine %s: %s", engine_name(engine), server->engine_reason);
	return 0;
}

static int open_tables(struct server *server)
{
	server->registry = cluster_registry_create();
	server->shared = shard_shared_create(server->allocations_capacity);
	server->events = event_base_new();
	if (server->registry == NULL || server->shared == NULL || server->events == NULL)
		return fail("not enough memory to start");
	server_set_quota(server, server->config);
	return 0;
}

static void on_tickets_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct server *server = context;
	tls_tickets_renew(server->tickets, clock_now().wall_s);
}

static int open_tickets(struct server *server)
{
	struct timeval interval = {.tv_sec = TICKETS_INTERVAL_S};
	server->tickets = tls_tickets_create(clock_now().wall_s);
	server->tickets_timer = event_new(server->events, -1, EV_PERSIST, on_tickets_timer, server);
	if (server->tickets == NULL || server->tickets_timer == NULL || event_add(server->tickets_timer, &interval) != 0)
		return fail("not enough memory to start");
	return 0;
}

/* Certificates, above all. */
static int open_streams(struct server *server)
{
	struct config_problems problems = {.source = server->options->file};
	if (config_streams_needs(server->config).handshakes && open_tickets(server) < 0)
		return -1;
	struct stream_config *streams = server_stream_config(server, server->config, NULL, &problems);
	log_problems(&problems);
	if (streams == NULL)
		return -1;
	log_certificates(server, server->config, streams);
	server->streams = streams;
	return 0;
}

static void on_signal(evutil_socket_t signal, short what, void *context)
{
	(void)what;
	struct server *server = context;
	if (signal != SIGHUP)
		server_drain(server);
	else if (server->options->file != NULL)
		server_reload(server, "SIGHUP");
	else
		log_info(LOG_CONFIG, "SIGHUP: there is no configuration file to read again");
}

static int catch_signals(struct server *server)
{
	static const int signals[] = {SIGHUP, SIGTERM, SIGINT};
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		server->signals[i] = evsignal_new(server->events, signals[i], on_signal, server);
		if (server->signals[i] == NULL || event_add(server->signals[i], NULL) != 0)
			return fail("cannot catch signals");
	}
	return 0;
}

static void fill_view(struct server *server)
{
	server->view = (struct server_view){
		.shards = server->shards,
		.shard_count = server->shard_count,
		.config = server->config,
		.registry = server->registry,
		.shared = server->shared,
		.engine = shard_engine_kind(server->shards[0]),
		.engine_reason = server->engine_reason,
		.allocations_max = server->allocations_capacity,
		.connections_max = server->budget.connections,
		.streams = server->streams,
		.started = clock_now(),
		.last_reload_ok = true,
		.last_reload_wall_s = clock_now().wall_s,
	};
}

static int start(struct server *server)
{
	static struct shard_params params[SHARDS_MAX];
	if (size_up(server) < 0 || open_tables(server) < 0 || open_streams(server) < 0)
		return -1;
	struct turn_config *turn = server_turn_config(server, server->config);
	if (turn == NULL)
		return -1;
	int result = listeners_open(server, params);
	if (result == 0)
		result = start_shards(server, params, turn);
	turn_config_unref(turn);
	if (result < 0)
		return -1;
	fill_view(server);
	server->ops = server_ops_start(server->events, &server->view);
	if (server->ops == NULL || catch_signals(server) < 0)
		return -1;
	if (server->options->file != NULL)
		server->watch = watch_start(server, server->options->file);
	for (unsigned i = 0; i < server->shard_count; i++)
		shard_run(server->shards[i], server->shards);
	server->view.ready = true;
	return 0;
}

static void stop(struct server *server)
{
	watch_stop(server->watch);
	for (size_t i = 0; i < sizeof server->signals / sizeof server->signals[0]; i++)
		if (server->signals[i] != NULL)
			event_free(server->signals[i]);
	if (server->drain_poll != NULL)
		event_free(server->drain_poll);
	if (server->tickets_timer != NULL)
		event_free(server->tickets_timer);
	server_ops_stop(server->ops);
	for (unsigned i = 0; i < server->shard_count; i++)
		shard_stop(server->shards[i]);
	for (unsigned i = 0; i < server->shard_count; i++)
		server->shards[i] = shard_free(server->shards[i]);
	if (server->events != NULL)
		event_base_free(server->events);
	stream_config_unref(server->streams);
	tls_tickets_free(server->tickets);
	shard_shared_free(server->shared);
	cluster_registry_free(server->registry);
	config_free(server->config);
}

int server_run(struct config *config, const struct options *options)
{
	struct server server = {.options = options, .world = config_world_system(), .config = config};
	log_configure(config->admin.loglevel, config->admin.log_format, NULL);
	int status = 1;
	if (start(&server) == 0) {
		log_info(LOG_SERVER, "uturn " UTURN_VERSION " relays with %u shard%s", server.shard_count,
			server.shard_count == 1 ? "" : "s");
		if (config->dialect == CONFIG_EMBEDDED || config->dialect == CONFIG_URI)
			config_print_greeting(config, server.world, stdout);
		fflush(stdout);
		event_base_dispatch(server.events);
		status = 0;
	}
	stop(&server);
	return status;
}
