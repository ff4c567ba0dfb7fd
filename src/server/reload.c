/*
 * reload - a new configuration while calls go on: the first one, and every later one. All that may fail comes first; then it takes
 * effect, in each shard between two turns of its loop. A configuration that cannot be taken up changes nothing.
 */
#include <sched.h>
#include <time.h>

#include "base/log.h"
#include "server/config_streams.h"
#include "server/config_turn.h"
#include "server/reload_diff.h"
#include "server_state.h"

static void log_problems(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->kept; i++) {
		if (problems->list[i].warning)
			log_warn(LOG_CONFIG, "%s", problems->list[i].text);
		else
			log_error(LOG_CONFIG, "%s", problems->list[i].text);
	}
	size_t total = problems->errors + problems->warnings;
	if (total > problems->kept)
		log_warn(LOG_CONFIG, "and %zu more", total - problems->kept);
}

/* --- what is made of a configuration before it takes effect ------------------------------------------------------------------ */

struct prospect {
	struct config *config;
	struct machine_budget budget;
	struct turn_config *turn;
	struct stream_config *streams;
	struct server_orders orders;
	struct reload_diff diff;
};

static void prospect_done(struct prospect *p)
{
	server_orders_free(&p->orders);
	turn_config_unref(p->turn);
	stream_config_unref(p->streams);
	config_free(p->config);
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* How the machine is divided among what these listeners bring. */
static bool plan(const struct server *server, const struct config *config, struct machine_budget *ret_budget)
{
	struct config_streams_needs needs = config_streams_needs(config);
	const struct machine_wish wish = {
		.shards = server->shard_count,
		.listeners = (unsigned)(config->listener_count + config->retiring_count),
		.allocations = config->admin.allocations_max,
		.connections_max = config->admin.connections_max,
		.handshakes_wanted = config->admin.streams.handshakes,
		.connections = needs.connections,
		.sockets = needs.sockets,
		.handshakes = needs.handshakes,
	};
	machine_plan(&server->machine, &wish, ret_budget);
	ret_budget->allocations = lesser(ret_budget->allocations, server->capacity.allocations);
	ret_budget->connections = lesser(ret_budget->connections, server->capacity.connections);
	if (ret_budget->allocations > 0 && (!needs.connections || ret_budget->connections > 0))
		return true;
	log_error(LOG_SERVER, "too few descriptors to relay anything: raise the limit (ulimit -n) to 1024 or more");
	return false;
}

/* Each listener takes a few descriptors, which is not worth a line. */
static bool differs(uint32_t before, uint32_t now)
{
	uint32_t by = before > now ? before - now : now - before;
	return by > now / 8;
}

static void log_budget(const struct machine_budget *before, const struct machine_budget *now)
{
	if (differs(before->allocations, now->allocations))
		log_info(LOG_SERVER, "up to %u allocations, bounded by %s", now->allocations, now->allocations_bound);
	if (now->connections > 0 && differs(before->connections, now->connections))
		log_info(LOG_SERVER, "up to %u connections, bounded by %s", now->connections, now->connections_bound);
}

static bool make_streams(struct server *server, struct prospect *p, struct config_problems *problems)
{
	if (config_streams_needs(p->config).handshakes && !server_open_tickets(server)) {
		config_error(problems, "", "out of memory");
		return false;
	}
	const struct config_streams_params params = {
		.config = p->config,
		.running = server->awaits ? NULL : server->config,
		.running_streams = server->streams,
		.world = server->world,
		.tickets = server->tickets,
		.now_s = clock_now().wall_s,
		.handshakes_max = p->budget.handshakes_max,
		/* Divided evenly, so that the bound holds for all of them together. */
		.connections_max = (p->budget.connections + server->shard_count - 1) / server->shard_count,
	};
	p->streams = config_streams_create(&params, problems);
	return p->streams != NULL;
}

static struct turn_config *make_turn(const struct server *server, const struct config *config)
{
	struct turn_config *turn = config_turn_create(config, server->registry, server->cluster_names, server->world);
	if (turn == NULL)
		log_error(LOG_CONFIG, "not enough memory for the configuration's tables");
	return turn;
}

bool server_orders_create(const struct server *server, const struct config *config, struct turn_config *turn,
	struct stream_config *streams, struct server_orders *ret_orders)
{
	/* Of relay sockets, those of a few that are flooded are full. */
	enum { RELAYS_FLOODED = 4 };
	const struct machine *machine = &server->machine;
	*ret_orders = (struct server_orders){.list = {NULL}};
	for (unsigned i = 0; i < server->shard_count; i++) {
		struct shard_order *order = shard_order_create();
		if (order == NULL) {
			log_error(LOG_CONFIG, "not enough memory for orders to the shards");
			server_orders_free(ret_orders);
			return false;
		}
		order->config = turn_config_ref(turn);
		order->streams = stream_config_ref(streams);
		order->relay_receive_buffer =
			(int)machine_socket_buffer(machine, config->admin.relay_receive_buffer, RELAYS_FLOODED);
		order->relay_send_buffer = (int)machine_socket_buffer(machine, config->admin.relay_send_buffer, RELAYS_FLOODED);
		ret_orders->list[i] = order;
	}
	return true;
}

void server_orders_free(struct server_orders *orders)
{
	for (unsigned i = 0; i < SHARDS_MAX; i++)
		shard_order_free(orders->list[i]);
	*orders = (struct server_orders){.list = {NULL}};
}

void server_orders_give(struct server *server, struct server_orders *orders)
{
	for (unsigned i = 0; i < server->shard_count; i++) {
		/* A full mailbox empties within a turn of the loop. */
		while (!shard_give_order(server->shards[i], orders->list[i]))
			sched_yield();
		orders->list[i] = NULL;
	}
	server->orders_given++;
}

static void log_certificate(const struct config_listener *listener, const struct tls_context *context, size_t identity)
{
	char date[32] = "?";
	time_t expiry_s = (time_t)tls_context_identity_expiry_s(context, identity);
	struct tm tm;
	if (gmtime_r(&expiry_s, &tm) != NULL)
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
	log_info(LOG_CONFIG, "listener %s: certificate \"%s\", good until %s", listener->name,
		tls_context_identity_name(context, identity), date);
}

/* Those that the running configuration has not. */
static void log_certificates(const struct server *server, const struct config *config, const struct stream_config *streams)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		uint8_t slot = config->listeners[i].slot;
		const struct tls_context *context = streams->listeners[slot].tls;
		if (context == NULL || server->streams->listeners[slot].tls == context)
			continue;
		for (size_t identity = 0; identity < tls_context_identity_count(context); identity++)
			log_certificate(&config->listeners[i], context, identity);
	}
}

/* What the shards get by p->config, apart from sockets. False after log lines. */
static bool derive(struct server *server, struct prospect *p, struct config_problems *problems)
{
	if (!plan(server, p->config, &p->budget))
		return false;
	p->turn = make_turn(server, p->config);
	if (p->turn == NULL)
		return false;
	if (!make_streams(server, p, problems)) {
		log_problems(problems);
		return false;
	}
	return server_orders_create(server, p->config, p->turn, p->streams, &p->orders);
}

/* All of it, or false after log lines. HTTP last: it has moved when this returns true. */
static bool prepare(struct server *server, struct prospect *p, struct config_problems *problems)
{
	return derive(server, p, problems) && listeners_open(server, p->config, &p->diff.listeners, &p->orders) &&
	       server_ops_move(server->ops, &p->config->admin);
}

/* --- it takes effect --------------------------------------------------------------------------------------------------------- */

static void set_quota(struct server *server)
{
	/* A limit beyond what the machine holds is none: the machine's is reached first, and answered with 508 and not 486. */
	uint32_t total = server->config->admin.allocations_max, most = server->budget.allocations;
	shard_shared_set_quota(server->shared, server->config->admin.user_quota, total > most ? 0 : total, most);
}

static bool retires_now(const struct server *server, const struct config_listener *listener)
{
	for (size_t i = 0; i < server->config->listener_count; i++)
		if (server->config->listeners[i].slot == listener->slot)
			return true;
	return false;
}

static void log_retiring(const struct server *server, const struct config *config)
{
	for (size_t i = config->listener_count; i < config->listener_count + config->retiring_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		if (retires_now(server, listener))
			log_info(LOG_IO, "listener %s: %s port %u is %s; the clients that it has go on", listener->name,
				config_protocol_name(listener->protocol), listener->port,
				config_listener_is_replaced(config, listener) ? "replaced" : "removed");
	}
}

/* What the shards were given, and how the machine is divided now. What there was before is in *p then. */
static void install(struct server *server, struct prospect *p)
{
	log_budget(&server->budget, &p->budget);
	server_orders_give(server, &p->orders);
	struct turn_config *turn = server->turn;
	struct stream_config *streams = server->streams;
	server->turn = p->turn;
	server->streams = p->streams;
	server->budget = p->budget;
	p->turn = turn;
	p->streams = streams;
	set_quota(server);
	server->view.streams = server->streams;
	server->view.allocations_max = server->budget.allocations;
	server->view.connections_max = server->budget.connections;
}

static void take_up(struct server *server, struct prospect *p)
{
	for (unsigned i = 0; i < server->shard_count; i++)
		p->orders.list[i]->revoke = p->config->revoke;
	listeners_log(p->config, &p->diff.listeners, &p->orders);
	log_retiring(server, p->config);
	log_certificates(server, p->config, p->streams);
	struct config *before = server->config;
	server->config = p->config;
	p->config = before;
	install(server, p);
	server->awaits = false;
	listener_accounts_update(&server->accounts, server->config);
	server->view.config = server->config;
	log_configure(server->config->admin.loglevel, server->config->admin.log_format, NULL);
	retirement_watch(server);
	watch_update(server->watch);
	names_update(server);
}

/* True: it runs, changed or not. Takes over `incoming`. `cause` is NULL at the start. */
static bool adopt(struct server *server, struct config *incoming, struct config_problems *problems, const char *cause)
{
	struct prospect p = {0};
	const struct reload_running running = {
		.config = server->config,
		.allocations_capacity = server->capacity.allocations,
		.connections_capacity = server->capacity.connections,
		.closing = server->closing,
	};
	p.config = reload_diff(&running, incoming, &p.diff);
	if (p.config != NULL && !server->awaits && !p.diff.changed && p.diff.kept.warnings == 0) {
		log_debug(LOG_CONFIG, "configuration unchanged (%s)", cause);
		prospect_done(&p);
		return true;
	}
	bool good = p.config != NULL && prepare(server, &p, problems);
	if (good)
		log_problems(problems);
	log_problems(&p.diff.kept);
	if (good) {
		bool revoke = p.config->revoke;
		take_up(server, &p);
		if (cause != NULL)
			log_info(LOG_CONFIG, "configuration taken up (%s)%s", cause,
				revoke ? "; what it no longer allows is cut" : "");
	}
	prospect_done(&p);
	return good;
}

bool server_begin(struct server *server, struct config *config)
{
	struct config_problems problems = {0};
	return adopt(server, config, &problems, NULL);
}

void server_offer(struct server *server, struct config *incoming, struct config_problems *problems, const char *cause)
{
	if (incoming == NULL) {
		log_problems(problems);
		lockdown_explain(&server->lockdown, problems);
	}
	if (incoming == NULL || !adopt(server, incoming, problems, cause)) {
		server->view.reloads_failed++;
		server->view.last_reload_ok = false;
		log_error(LOG_CONFIG, "the configuration was not taken up (%s); %s", cause,
			server->view.ready ? "the running one stays" : "there is none yet");
		return;
	}
	server->view.ready = true;
	server->view.reloads_ok++;
	server->view.last_reload_ok = true;
	server->view.last_reload_wall_s = clock_now().wall_s;
}

void server_reload(struct server *server, const char *cause)
{
	struct config_problems problems = {0};
	struct config *incoming = options_load(server->options, server->world, &problems);
	server_offer(server, incoming, &problems, cause);
}

void server_divide_anew(struct server *server)
{
	struct config_problems problems = {0};
	struct prospect p = {.config = server->config};
	if (derive(server, &p, &problems)) {
		log_problems(&problems);
		install(server, &p);
	}
	p.config = NULL;
	prospect_done(&p);
}

bool server_clusters_changed(struct server *server)
{
	struct server_orders orders;
	struct turn_config *turn = make_turn(server, server->config);
	if (turn == NULL)
		return false;
	if (!server_orders_create(server, server->config, turn, server->streams, &orders)) {
		turn_config_unref(turn);
		return false;
	}
	server_orders_give(server, &orders);
	turn_config_unref(server->turn);
	server->turn = turn;
	return true;
}
