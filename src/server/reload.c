/*
 * reload - a new configuration while calls go on. What can change live does, what cannot is named and stays; a bad configuration
 * changes nothing.
 */
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "server/config_streams.h"
#include "server/config_turn.h"
#include "server/reload_diff.h"
#include "server_state.h"

void log_problems(const struct config_problems *problems)
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

struct turn_config *server_turn_config(struct server *server, const struct config *config)
{
	struct turn_config *turn = config_turn_create(config, server->registry, server->world);
	if (turn == NULL)
		log_error(LOG_CONFIG, "not enough memory for the configuration's tables");
	return turn;
}

struct stream_config *server_stream_config(
	struct server *server, const struct config *config, const struct config *running, struct config_problems *problems)
{
	const struct config_streams_params params = {
		.config = config,
		.running = running,
		.running_streams = server->streams,
		.world = server->world,
		.tickets = server->tickets,
		.now_s = clock_now().wall_s,
		.handshakes_max = server->budget.handshakes_max,
	};
	return config_streams_create(&params, problems);
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

void log_certificates(const struct server *server, const struct config *config, const struct stream_config *streams)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct tls_context *context = streams->listeners[i].tls;
		if (context == NULL || (server->streams != NULL && server->streams->listeners[i].tls == context))
			continue;
		for (size_t identity = 0; identity < tls_context_identity_count(context); identity++)
			log_certificate(&config->listeners[i], context, identity);
	}
}

void server_set_quota(struct server *server, const struct config *config)
{
	/* A limit beyond what the machine holds is none: the machine's is reached first, and answered with 508 and not 486. */
	uint32_t total = config->admin.allocations_max;
	shard_shared_set_quota(server->shared, config->admin.user_quota, total > server->allocations_capacity ? 0 : total);
}

static void refuse(struct server *server, const char *cause)
{
	server->view.reloads_failed++;
	server->view.last_reload_ok = false;
	log_error(LOG_CONFIG, "the configuration was not taken up (%s); the running one stays", cause);
}

/* Takes over `config` and `streams`. */
static void take_up(struct server *server, struct config *config, struct turn_config *turn, struct stream_config *streams)
{
	for (unsigned i = 0; i < server->shard_count; i++)
		while (!shard_configure(server->shards[i], turn, streams, config->revoke))
			sched_yield();
	stream_config_unref(server->streams);
	server->streams = streams;
	server->view.streams = streams;
	server_set_quota(server, config);
	log_configure(config->admin.loglevel, config->admin.log_format, NULL);
	config_free(server->config);
	server->config = config;
	server->view.config = config;
	watch_update(server->watch);
}

static void take_up_or_not(struct server *server, struct config *merged, struct turn_config *turn, struct stream_config *streams,
	const struct config_problems *problems, const struct reload_diff *diff, const char *cause)
{
	server->view.reloads_ok++;
	server->view.last_reload_ok = true;
	server->view.last_reload_wall_s = clock_now().wall_s;
	if (!diff->changed && diff->kept.warnings == 0) {
		config_free(merged);
		stream_config_unref(streams);
		log_debug(LOG_CONFIG, "configuration unchanged (%s)", cause);
		return;
	}
	log_problems(problems);
	log_problems(&diff->kept);
	log_certificates(server, merged, streams);
	bool revoke = merged->revoke;
	take_up(server, merged, turn, streams);
	log_info(LOG_CONFIG, "configuration taken up (%s)%s", cause, revoke ? "; what it no longer allows is cut" : "");
}

void server_offer(struct server *server, struct config *incoming, struct config_problems *problems, const char *cause)
{
	if (incoming == NULL) {
		log_problems(problems);
		refuse(server, cause);
		return;
	}
	struct reload_diff diff = {0};
	struct config *merged = reload_diff(server->config, incoming, server->allocations_capacity, &diff);
	struct turn_config *turn = merged == NULL ? NULL : server_turn_config(server, merged);
	struct stream_config *streams = turn == NULL ? NULL : server_stream_config(server, merged, server->config, problems);
	if (streams == NULL) {
		log_problems(problems);
		config_free(merged);
		refuse(server, turn == NULL ? "no memory" : cause);
	} else {
		take_up_or_not(server, merged, turn, streams, problems, &diff, cause);
	}
	turn_config_unref(turn);
}

void server_reload(struct server *server, const char *cause)
{
	struct config_problems problems = {0};
	struct config *incoming = options_load(server->options, server->world, &problems);
	server_offer(server, incoming, &problems, cause);
}
