/*
 * reload - a new configuration while calls go on. What can change live does, what cannot is named and stays; a bad configuration
 * changes nothing.
 */
#include <sched.h>
#include <time.h>

#include "base/log.h"
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

static void take_up(struct server *server, struct config *config, struct turn_config *turn)
{
	for (unsigned i = 0; i < server->shard_count; i++)
		while (!shard_configure(server->shards[i], turn, config->revoke))
			sched_yield();
	server_set_quota(server, config);
	log_configure(config->admin.loglevel, config->admin.log_format, NULL);
	config_free(server->config);
	server->config = config;
	server->view.config = config;
}

void server_reload(struct server *server, const char *cause)
{
	struct config_problems problems = {0};
	struct config *incoming = options_load(server->options, server->world, &problems);
	if (incoming == NULL) {
		log_problems(&problems);
		refuse(server, cause);
		return;
	}
	struct reload_diff diff = {0};
	struct config *merged = reload_diff(server->config, incoming, server->allocations_capacity, &diff);
	struct turn_config *turn = merged == NULL ? NULL : server_turn_config(server, merged);
	if (turn == NULL) {
		config_free(merged);
		refuse(server, "no memory");
		return;
	}
	server->view.reloads_ok++;
	server->view.last_reload_ok = true;
	server->view.last_reload_wall_s = clock_now().wall_s;
	if (diff.changed || diff.kept.warnings > 0) {
		log_problems(&problems);
		log_problems(&diff.kept);
		bool revoke = merged->revoke;
		take_up(server, merged, turn);
		log_info(LOG_CONFIG, "configuration taken up (%s)%s", cause, revoke ? "; what it no longer allows is cut" : "");
	} else {
		config_free(merged);
		log_debug(LOG_CONFIG, "configuration unchanged (%s)", cause);
	}
	turn_config_unref(turn);
}
