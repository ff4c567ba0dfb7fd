/*
 * server - start and end of the process. Each step of the start either succeeds or says in one line what is wrong and what to do.
 */
#include "server/server.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/config_check.h"
#include "server/config_print.h"
#include "server_state.h"

/* How often the keys of session tickets are asked whether they are old. */
enum { TICKETS_INTERVAL_S = 3600 };

static int fail(const char *what)
{
	log_error(LOG_SERVER, "%s", what);
	return -1;
}

/* How much of the machine to use. Listeners of any kind may come: where one kind takes room from another only once it is there, the
 * tables are made for each as if it came alone. What is not used is address space. */
static int size_up(struct server *server, const struct config_admin *admin)
{
	machine_raise_descriptors();
	machine_read("", &server->machine);
	server->shard_count = admin->shards != 0 ? admin->shards : machine_shards(&server->machine);
	if (server->shard_count > SHARDS_MAX)
		server->shard_count = SHARDS_MAX;
	if (server->options->shards_max != 0 && server->shard_count > server->options->shards_max)
		server->shard_count = server->options->shards_max;
	struct machine_wish wish = {
		.shards = server->shard_count,
		.listeners = 1,
		.allocations = admin->allocations_max,
		.connections_max = admin->connections_max,
		.handshakes_wanted = admin->streams.handshakes,
	};
	machine_plan(&server->machine, &wish, &server->capacity);
	uint32_t allocations = server->capacity.allocations;
	wish.connections = true;
	machine_plan(&server->machine, &wish, &server->capacity);
	server->capacity.allocations = allocations;
	if (allocations == 0)
		return fail("too few descriptors to relay anything: raise the limit (ulimit -n) to 1024 or more");
	return 0;
}

/* Clients are spread over the shards by chance, so each can hold more than its even share; the quota bounds all of them
 * together. */
static uint32_t allocations_of_shard(const struct server *server)
{
	uint32_t even = server->capacity.allocations / server->shard_count;
	uint32_t most = even + even / 2 + 64;
	/* One more than there can be, so that it is the quota that refuses: it knows whose limit was reached. */
	uint32_t all = server->capacity.allocations + 1;
	return server->shard_count == 1 || most > all ? all : most;
}

static uint32_t connections_of_shard(const struct server *server)
{
	return (server->capacity.connections + server->shard_count - 1) / server->shard_count;
}

static int start_shards(struct server *server)
{
	enum engine_kind engine = server->config->admin.engine;
	for (unsigned i = 0; i < server->shard_count; i++) {
		const struct shard_params params = {
			.index = (uint8_t)i,
			.count = (uint8_t)server->shard_count,
			.engine = {.kind = engine,
				.receive_buffers = machine_receive_buffers(&server->machine, server->shard_count)},
			.allocations_max = allocations_of_shard(server),
			.shared = server->shared,
			.config = server->turn,
			.streams = server->streams,
			.connections_max = connections_of_shard(server),
			.stream_buffers = server->capacity.stream_buffers,
			.descriptors = server->machine.descriptors,
		};
		char reason[ENGINE_REASON_SIZE];
		int result = shard_start(&params, &server->shards[i], reason);
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
	bool second_choice = server->config->admin.engine == ENGINE_AUTO && engine == ENGINE_EPOLL;
	log_write(LOG_IO, second_choice ? LOG_WARN : LOG_INFO, "engine %s: %s%s", engine_name(engine), server->engine_reason,
		second_choice ? ": goes on without io_uring, at a higher cost per packet (docs/SECURITY.md)" : "");
	return 0;
}

static int open_tables(struct server *server)
{
	server->registry = cluster_registry_create();
	server->shared = shard_shared_create(server->capacity.allocations);
	server->events = event_base_new();
	server->turn = turn_config_create();
	server->streams = stream_config_create();
	if (server->registry == NULL || server->shared == NULL || server->events == NULL || server->turn == NULL ||
		server->streams == NULL || !retirement_init(server) || !names_start(server))
		return fail("not enough memory to start");
	return 0;
}

static void on_tickets_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct server *server = context;
	tls_tickets_renew(server->tickets, clock_now().wall_s);
}

bool server_open_tickets(struct server *server)
{
	struct timeval interval = {.tv_sec = TICKETS_INTERVAL_S};
	if (server->tickets != NULL)
		return true;
	server->tickets = tls_tickets_create(clock_now().wall_s);
	if (server->tickets_timer == NULL)
		server->tickets_timer = event_new(server->events, -1, EV_PERSIST, on_tickets_timer, server);
	return server->tickets != NULL && server->tickets_timer != NULL && event_add(server->tickets_timer, &interval) == 0;
}

/* What SIGHUP is for. */
static void load_again(struct server *server)
{
	const struct options *options = server->options;
	if (options->file != NULL)
		server_reload(server, "SIGHUP");
	else if (options->discovers && !options->awaits)
		discovery_ask(server);
	else if (options->discovers)
		log_info(
			LOG_CONFIG, "SIGHUP: %s is followed, and what it sends is taken up as it comes", server->view.source.place);
	else
		log_warn(LOG_CONFIG,
			"SIGHUP: nothing is read again, as the configuration comes from no file: to change it, restart, or name a "
			"file with -c");
}

static void on_signal(evutil_socket_t signal, short what, void *context)
{
	(void)what;
	struct server *server = context;
	if (signal == SIGHUP)
		load_again(server);
	else
		server_drain(server);
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
	server->accounts.shards = server->shards;
	server->accounts.shard_count = server->shard_count;
	server->view = (struct server_view){
		.shards = server->shards,
		.shard_count = server->shard_count,
		.config = server->config,
		.registry = server->registry,
		.accounts = &server->accounts,
		.cluster_names = server->cluster_names,
		.world = server->world,
		.shared = server->shared,
		.engine = shard_engine_kind(server->shards[0]),
		.engine_reason = server->engine_reason,
		.lockdown = &server->lockdown,
		.streams = server->streams,
		.started = clock_now(),
		.last_reload_ok = true,
		.last_reload_wall_s = clock_now().wall_s,
	};
	discovery_describe(server->options, &server->view.source);
}

/* What runs before there is any configuration: nothing, on the threads that `first` asks for. */
static struct config *nothing(const struct server *server, const struct config *first)
{
	struct config *config = config_create(first->dialect, server->world);
	if (config == NULL)
		return NULL;
	config->admin.engine = first->admin.engine;
	config->admin.shards = first->admin.shards;
	config->admin.lockdown = first->admin.lockdown;
	config->admin.health.enabled = config->admin.metrics.enabled = false;
	return config;
}

/* `first` is taken over once it has begun. */
static int start(struct server *server, struct config **first)
{
	server->config = nothing(server, *first);
	if (server->config == NULL)
		return fail("not enough memory to start");
	if (size_up(server, &(*first)->admin) < 0 || open_tables(server) < 0 || start_shards(server) < 0)
		return -1;
	fill_view(server);
	server->ops = server_ops_create(server->events, &server->view);
	if (server->ops == NULL || catch_signals(server) < 0)
		return -1;
	struct config *config = *first;
	*first = NULL;
	if (!server_begin(server, config))
		return -1;
	if (server->options->file != NULL)
		server->watch = watch_start(server, server->options->file);
	if (server->options->discovers && server->options->awaits) {
		server->discovery = discovery_start(server);
		if (server->discovery == NULL)
			return -1;
	}
	for (unsigned i = 0; i < server->shard_count; i++)
		shard_run(server->shards[i], server->shards);
	lockdown_end(&server->lockdown, server->view.engine == ENGINE_IO_URING);
	return 0;
}

static void stop(struct server *server)
{
	discovery_stop(server->discovery);
	watch_stop(server->watch);
	for (size_t i = 0; i < sizeof server->signals / sizeof server->signals[0]; i++)
		if (server->signals[i] != NULL)
			event_free(server->signals[i]);
	if (server->drain_poll != NULL)
		event_free(server->drain_poll);
	if (server->tickets_timer != NULL)
		event_free(server->tickets_timer);
	if (server->retirement != NULL)
		event_free(server->retirement);
	server_ops_free(server->ops);
	names_stop(server);
	for (unsigned i = 0; i < server->shard_count; i++)
		shard_stop(server->shards[i]);
	for (unsigned i = 0; i < server->shard_count; i++)
		server->shards[i] = shard_free(server->shards[i]);
	if (server->events != NULL)
		event_base_free(server->events);
	turn_config_unref(server->turn);
	stream_config_unref(server->streams);
	tls_tickets_free(server->tickets);
	shard_shared_free(server->shared);
	cluster_registry_free(server->registry);
	config_free(server->config);
}

/* Nothing to serve, and where that can be asked. */
static struct config *zero_config(const struct options *options)
{
	struct config *config = config_create(CONFIG_V1, config_world_system());
	if (config != NULL)
		options_apply(options, config);
	return config;
}

static void greet(const struct server *server)
{
	const struct config *config = server->config;
	log_info(LOG_SERVER, "uturn " UTURN_VERSION " %s with %u shard%s",
		server->awaits ? "waits for its configuration" : "relays", server->shard_count,
		server->shard_count == 1 ? "" : "s");
	if (config->dialect == CONFIG_EMBEDDED || config->dialect == CONFIG_URI)
		config_print_greeting(config, server->world, stdout);
	fflush(stdout);
}

int server_run(struct config *config, const struct options *options)
{
	struct server server = {.options = options, .world = config_world_system(), .awaits = true};
	struct config *first = config == NULL ? zero_config(options) : config;
	if (first == NULL) {
		fail("not enough memory to start");
		return 1;
	}
	log_configure(first->admin.loglevel, first->admin.log_format, NULL);
	int status = 1;
	lockdown_begin(first->admin.lockdown, options, first, &server.lockdown);
	if (start(&server, &first) == 0) {
		server.awaits = config == NULL;
		server.view.ready = config != NULL;
		greet(&server);
		/* It may have come before it was watched. */
		if (server.awaits && options->file != NULL && access(options->file, R_OK) == 0)
			server_reload(&server, "start");
		event_base_dispatch(server.events);
		status = 0;
	}
	stop(&server);
	config_free(first);
	return status;
}
