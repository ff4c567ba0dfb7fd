#include "server/server_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/server_allocations.h"
#include "server/server_metrics.h"
#include "server/server_status.h"

struct server_ops {
	struct http_endpoint *health, *metrics; /* NULL: not asked for */
	char metrics_path[CONFIG_PATH_SIZE];    /* outlives the configuration it came from */
};

static bool open_endpoint(struct event_base *base, const struct config_http *http, const char *setting,
	const struct http_route *routes, size_t route_count, struct http_endpoint **ret_endpoint)
{
	if (!http->enabled)
		return true;
	struct http_params params = {
		.base = base,
		.local = addr_with_port(http->ip, http->port),
		.setting = setting,
		.routes = routes,
		.route_count = route_count,
	};
	char error[HTTP_ERROR_SIZE];
	if (http_endpoint_open(&params, ret_endpoint, error) == 0)
		return true;
	log_error(LOG_OPS, "%s", error);
	return false;
}

struct server_ops *server_ops_start(struct event_base *base, struct server_view *view)
{
	const struct config_admin *admin = &view->config->admin;
	struct server_ops *ops = calloc(1, sizeof *ops);
	if (ops == NULL) {
		log_error(LOG_OPS, "not enough memory for the HTTP endpoints");
		return NULL;
	}
	memcpy(ops->metrics_path, admin->metrics.path, sizeof ops->metrics_path);
	const struct http_route health[] = {
		{"/live", server_status_live, view},
		{"/ready", server_status_ready, view},
		{"/status", server_status_serve, view},
		{"/status/allocations", server_allocations_serve, view},
	};
	const struct http_route metrics[] = {{ops->metrics_path, server_metrics_serve, view}};
	if (!open_endpoint(base, &admin->health, "admin.healthcheck_endpoint", health, 4, &ops->health) ||
		!open_endpoint(base, &admin->metrics, "admin.metrics_endpoint", metrics, 1, &ops->metrics)) {
		server_ops_stop(ops);
		return NULL;
	}
	return ops;
}

void server_ops_stop(struct server_ops *ops)
{
	if (ops == NULL)
		return;
	http_endpoint_close(ops->health);
	http_endpoint_close(ops->metrics);
	free(ops);
}
