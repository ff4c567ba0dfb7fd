#include "server/server_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/server_allocations.h"
#include "server/server_ice.h"
#include "server/server_metrics.h"
#include "server/server_status.h"

enum { HEALTH, METRICS, ICE, ENDPOINTS };

struct server_ops {
	struct event_base *base;
	struct server_view *view;
	struct config_http settings[ENDPOINTS];
	struct http_endpoint *endpoints[ENDPOINTS]; /* NULL: not asked for */
	char metrics_path[CONFIG_PATH_SIZE];        /* outlives the configuration it came from */
};

bool server_view_named_before(const struct server_view *view, size_t index, bool of_protocol)
{
	const struct config_listener *listeners = view->config->listeners;
	for (size_t i = 0; i < index; i++) {
		bool alike = !of_protocol || listeners[i].protocol == listeners[index].protocol;
		if (alike && strcmp(listeners[i].name, listeners[index].name) == 0)
			return true;
	}
	return false;
}

struct server_ops *server_ops_create(struct event_base *base, struct server_view *view)
{
	struct server_ops *ops = calloc(1, sizeof *ops);
	if (ops == NULL) {
		log_error(LOG_OPS, "not enough memory for the HTTP endpoints");
		return NULL;
	}
	ops->base = base;
	ops->view = view;
	return ops;
}

void server_ops_free(struct server_ops *ops)
{
	if (ops == NULL)
		return;
	for (unsigned i = 0; i < ENDPOINTS; i++)
		http_endpoint_close(ops->endpoints[i]);
	free(ops);
}

static bool open_endpoint(
	struct server_ops *ops, unsigned which, const struct config_http *http, struct http_endpoint **ret_endpoint)
{
	const struct http_route health[] = {
		{"/live", server_status_live, ops->view},
		{"/ready", server_status_ready, ops->view},
		{"/status", server_status_serve, ops->view},
		{"/status/allocations", server_allocations_serve, ops->view},
	};
	const struct http_route metrics[] = {{ops->metrics_path, server_metrics_serve, ops->view}};
	const struct http_route ice[] = {{"/", server_ice_serve_turn, ops->view}, {"/ice", server_ice_serve, ops->view}};
	const struct {
		const char *setting;
		const struct http_route *routes;
		size_t count;
	} endpoints[ENDPOINTS] = {
		[HEALTH] = {"admin.healthcheck_endpoint", health, sizeof health / sizeof health[0]},
		[METRICS] = {"admin.metrics_endpoint", metrics, sizeof metrics / sizeof metrics[0]},
		[ICE] = {"admin.ice_endpoint", ice, sizeof ice / sizeof ice[0]},
	};
	struct http_params params = {
		.base = ops->base,
		.local = addr_with_port(http->ip, http->port),
		.setting = endpoints[which].setting,
		.routes = endpoints[which].routes,
		.route_count = endpoints[which].count,
	};
	char error[HTTP_ERROR_SIZE];
	if (http_endpoint_open(&params, ret_endpoint, error) == 0)
		return true;
	log_error(LOG_OPS, "%s", error);
	return false;
}

static bool same_socket(const struct config_http *a, const struct config_http *b)
{
	if (!a->enabled || !b->enabled)
		return a->enabled == b->enabled;
	return a->port == b->port && addr_equal(&a->ip, &b->ip);
}

/* What moves away makes room for what comes where it was. */
static void make_room(struct server_ops *ops, const struct config_http *next, const bool moves[ENDPOINTS])
{
	for (unsigned i = 0; i < ENDPOINTS; i++) {
		if (!moves[i] || !config_http_collides(&ops->settings[i], next))
			continue;
		http_endpoint_close(ops->endpoints[i]);
		ops->endpoints[i] = NULL;
	}
}

static void go_back(struct server_ops *ops, struct http_endpoint *opened[ENDPOINTS])
{
	for (unsigned i = 0; i < ENDPOINTS; i++)
		http_endpoint_close(opened[i]);
	for (unsigned i = 0; i < ENDPOINTS; i++)
		if (ops->settings[i].enabled && ops->endpoints[i] == NULL)
			(void)open_endpoint(ops, i, &ops->settings[i], &ops->endpoints[i]);
}

bool server_ops_move(struct server_ops *ops, const struct config_admin *admin)
{
	const struct config_http *next[ENDPOINTS] = {[HEALTH] = &admin->health, [METRICS] = &admin->metrics, [ICE] = &admin->ice};
	struct http_endpoint *opened[ENDPOINTS] = {NULL};
	bool moves[ENDPOINTS];
	for (unsigned i = 0; i < ENDPOINTS; i++)
		moves[i] = !same_socket(&ops->settings[i], next[i]);
	for (unsigned i = 0; i < ENDPOINTS; i++) {
		if (!moves[i] || !next[i]->enabled)
			continue;
		make_room(ops, next[i], moves);
		if (!open_endpoint(ops, i, next[i], &opened[i])) {
			go_back(ops, opened);
			return false;
		}
	}
	memcpy(ops->metrics_path, admin->metrics.path, sizeof ops->metrics_path);
	for (unsigned i = 0; i < ENDPOINTS; i++) {
		ops->settings[i] = *next[i];
		if (!moves[i])
			continue;
		http_endpoint_close(ops->endpoints[i]);
		ops->endpoints[i] = opened[i];
	}
	return true;
}
