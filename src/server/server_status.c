#include "server/server_status.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ops/json_writer.h"

static const char content_type[] = "application/json; charset=utf-8";

/* {"status":503,"message":"…"} and a newline, as stunnerd ends it. */
static void answer(struct http_reply *reply, int status, const char *message)
{
	struct json_writer j;
	json_write_init(&j, reply->body);
	json_write_begin(&j, NULL, '{');
	json_write_number(&j, "status", (uint64_t)status);
	json_write_text(&j, "message", message);
	json_write_end(&j, '}');
	evbuffer_add(reply->body, "\n", 1);
	reply->status = status;
	reply->content_type = content_type;
}

void server_status_live(void *context, const struct http_request *request, struct http_reply *reply)
{
	(void)request;
	const struct server_view *view = context;
	/* The loops' clock may be an accelerated one; the bound is in real seconds. */
	const uint64_t bound_ns = LIVENESS_S * NS_PER_S * UTURN_CLOCK_RATE;
	uint64_t now_ns = clock_mono_ns();
	for (unsigned i = 0; i < view->shard_count; i++) {
		uint64_t heartbeat_ns = shard_heartbeat_ns(view->shards[i]);
		if (heartbeat_ns + bound_ns >= now_ns)
			continue;
		char message[64];
		snprintf(message, sizeof message, "shard %u has not moved for %u s or more", i, LIVENESS_S);
		answer(reply, 503, message);
		return;
	}
	evbuffer_add_printf(reply->body, "{}\n");
	reply->content_type = content_type;
}

static bool is_ready(const struct server_view *view)
{
	return view->ready && (!view->draining || view->config->admin.ready_while_draining);
}

void server_status_ready(void *view, const struct http_request *request, struct http_reply *reply)
{
	(void)request;
	if (is_ready(view))
		answer(reply, 200, "READY");
	else
		answer(reply, 503, "stunnerd not ready");
}

static void write_endpoint_url(struct json_writer *j, const char *key, const struct config_http *http)
{
	char host[ADDR_TEXT_SIZE] = "", url[ADDR_TEXT_SIZE + CONFIG_PATH_SIZE + 32] = "";
	if (http->ip.family != ADDR_NONE)
		addr_format_ip(&http->ip, host);
	bool brackets = http->ip.family == ADDR_IPV6, root = strcmp(http->path, "/") == 0;
	if (http->enabled)
		snprintf(url, sizeof url, "http://%s%s%s:%u%s", brackets ? "[" : "", host, brackets ? "]" : "", http->port,
			root ? "" : http->path);
	json_write_text(j, key, url);
}

static void write_admin(struct json_writer *j, const struct config_admin *admin)
{
	char quota[16], offload[sizeof admin->offload_engine + 8];
	snprintf(quota, sizeof quota, "%u", admin->user_quota);
	snprintf(offload, sizeof offload, "%s[all]", admin->offload_engine[0] == '\0' ? "None" : admin->offload_engine);
	json_write_begin(j, "admin", '{');
	json_write_text(j, "name", admin->name);
	json_write_text(j, "loglevel", admin->loglevel);
	write_endpoint_url(j, "metrics_endpoint", &admin->metrics);
	write_endpoint_url(j, "healthcheck_endpoint", &admin->health);
	if (admin->ice.enabled)
		write_endpoint_url(j, "ice_endpoint", &admin->ice);
	json_write_text(j, "quota", quota);
	json_write_text(j, "offload", offload);
	json_write_text(j, "licensing_info", "<MISSING>");
	json_write_end(j, '}');
}

static void write_auth(struct json_writer *j, const struct config_auth *auth)
{
	static const struct {
		const char *type;
		const char *credentials[2];
	} forms[] = {
		[AUTH_STATIC] = {"static", {"username", "password"}},
		[AUTH_EPHEMERAL] = {"ephemeral", {"secret"}},
		[AUTH_NONE] = {"none", {NULL}},
	};
	json_write_begin(j, "auth", '{');
	json_write_text(j, "type", forms[auth->type].type);
	json_write_text(j, "realm", auth->realm);
	json_write_begin(j, "credentials", '{');
	for (size_t i = 0; i < 2 && forms[auth->type].credentials[i] != NULL; i++)
		json_write_text(j, forms[auth->type].credentials[i], "<redacted>");
	json_write_end(j, '}');
	json_write_end(j, '}');
}

static void add_traffic(struct traffic_counters *sum, const struct traffic_counters *traffic)
{
	counter_add(&sum->rx_packets, counter_read(&traffic->rx_packets));
	counter_add(&sum->rx_bytes, counter_read(&traffic->rx_bytes));
	counter_add(&sum->tx_packets, counter_read(&traffic->tx_packets));
	counter_add(&sum->tx_bytes, counter_read(&traffic->tx_bytes));
}

/* stunnerd's timestamp is that of the last packet seen by its offload engine: 0, there is none here. */
static void write_direction(struct json_writer *j, const char *key, uint64_t packets, uint64_t bytes)
{
	json_write_begin(j, key, '{');
	json_write_number(j, "pkts", packets);
	json_write_number(j, "bytes", bytes);
	json_write_number(j, "timestamp", 0);
	json_write_end(j, '}');
}

static void write_stats(struct json_writer *j, const struct traffic_counters *traffic)
{
	json_write_begin(j, "stats", '{');
	write_direction(j, "rx", traffic->rx_packets.value, traffic->rx_bytes.value);
	write_direction(j, "tx", traffic->tx_packets.value, traffic->tx_bytes.value);
	json_write_end(j, '}');
}

/* "expires" as in 2027-01-31T12:00:00Z. */
static void write_certificates(struct json_writer *j, const struct tls_context *context)
{
	json_write_begin(j, "certificates", '[');
	for (size_t i = 0; i < tls_context_identity_count(context); i++) {
		char date[32] = "";
		time_t expiry_s = (time_t)tls_context_identity_expiry_s(context, i);
		struct tm tm;
		if (gmtime_r(&expiry_s, &tm) != NULL)
			strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
		json_write_begin(j, NULL, '{');
		json_write_text(j, "name", tls_context_identity_name(context, i));
		json_write_text(j, "expires", date);
		json_write_end(j, '}');
	}
	json_write_end(j, ']');
}

static uint64_t connections_of(const struct server_view *view, unsigned slot)
{
	uint64_t connections = 0;
	for (unsigned i = 0; i < view->shard_count; i++)
		connections += counter_read(&shard_counters(view->shards[i])->streams.connections[slot]);
	return connections;
}

static uint64_t allocations_of(const struct server_view *view, unsigned slot)
{
	uint64_t allocations = 0;
	for (unsigned i = 0; i < view->shard_count; i++)
		allocations += counter_read(&shard_turn_counters(view->shards[i])->listener_allocations[slot]);
	return allocations;
}

static void write_listener(struct json_writer *j, const struct server_view *view, size_t index)
{
	const struct config_listener *listener = &view->config->listeners[index];
	char protocol[16], address[ADDR_TEXT_SIZE] = "0.0.0.0";
	snprintf(protocol, sizeof protocol, "TURN-%s", config_protocol_name(listener->protocol));
	if (listener->address.family != ADDR_NONE)
		addr_format_ip(&listener->address, address);
	json_write_begin(j, NULL, '{');
	json_write_text(j, "name", listener->name);
	json_write_text(j, "protocol", protocol);
	if (listener->public_address[0] != '\0')
		json_write_text(j, "public_address", listener->public_address);
	if (listener->public_port != 0)
		json_write_number(j, "public_port", listener->public_port);
	json_write_text(j, "address", address);
	json_write_number(j, "port", listener->port);
	json_write_begin(j, "routes", '[');
	for (size_t i = 0; i < listener->route_count && i < STATUS_CLUSTERS_MAX; i++)
		json_write_text(j, NULL, view->config->clusters[listener->routes[i]].name);
	json_write_end(j, ']');

	write_stats(j, &(struct traffic_counters){
			       .rx_packets.value = listener_accounts_of_name(view->accounts, listener->name, ACCOUNT_RX_PACKETS),
			       .rx_bytes.value = listener_accounts_of_name(view->accounts, listener->name, ACCOUNT_RX_BYTES),
			       .tx_packets.value = listener_accounts_of_name(view->accounts, listener->name, ACCOUNT_TX_PACKETS),
			       .tx_bytes.value = listener_accounts_of_name(view->accounts, listener->name, ACCOUNT_TX_BYTES),
		       });
	if (config_listener_connects(listener))
		json_write_number(j, "connections", connections_of(view, listener->slot));
	const struct tls_context *tls = view->streams->listeners[listener->slot].tls;
	if (tls != NULL)
		write_certificates(j, tls);
	json_write_end(j, '}');
}

/* "10.0.0.0/8:<10000-20000>", as in a configuration. */
static void write_endpoint(struct json_writer *j, const struct config_endpoint *endpoint)
{
	char ip[ADDR_TEXT_SIZE], bits[8] = "", ports[24] = "";
	addr_format_ip(&endpoint->ip, ip);
	if (endpoint->bits < addr_ip_size(&endpoint->ip) * 8)
		snprintf(bits, sizeof bits, "/%u", endpoint->bits);
	if (endpoint->port_min > 1 || endpoint->port_max < 65535)
		snprintf(ports, sizeof ports, ":<%u-%u>", endpoint->port_min, endpoint->port_max);
	char text[sizeof ip + sizeof bits + sizeof ports];
	snprintf(text, sizeof text, "%s%s%s", ip, bits, ports);
	json_write_text(j, NULL, text);
}

/* "media.example.org:<10000-20000>", as in a configuration. */
static void write_domain(struct json_writer *j, const struct config_domain *domain)
{
	char ports[24] = "", text[CONFIG_DOMAIN_SIZE + sizeof ports];
	if (domain->port_min > 1 || domain->port_max < 65535)
		snprintf(ports, sizeof ports, ":<%u-%u>", domain->port_min, domain->port_max);
	snprintf(text, sizeof text, "%s%s", domain->name, ports);
	json_write_text(j, NULL, text);
}

/* What its domain names stand for now. True when something was left out. */
static bool write_resolved(struct json_writer *j, const struct named_cluster *cluster, size_t *addresses_left)
{
	char text[ADDR_TEXT_SIZE];
	json_write_begin(j, "resolved", '{');
	json_write_begin(j, "addresses", '[');
	for (size_t i = 0; i < cluster->count; i++)
		for (int family = 0; family < RELAY_FAMILIES; family++) {
			const struct address_list *list = &cluster->names[i].addresses[family];
			for (size_t k = 0; k<list->count && * addresses_left> 0; k++, (*addresses_left)--)
				json_write_text(j, NULL, addr_format_ip(&list->list[k], text));
		}
	json_write_end(j, ']');
	json_write_number(j, "last_success", cluster->resolved_wall_s);
	json_write_number(j, "successes", cluster->resolved);
	json_write_number(j, "failures", cluster->failed);
	json_write_end(j, '}');
	return *addresses_left == 0;
}

static struct traffic_counters cluster_traffic(const struct server_view *view, const char *name)
{
	struct traffic_counters sum = {0};
	for (uint16_t id = 0; id < LIMIT_CLUSTERS; id++) {
		const char *known = cluster_registry_name(view->registry, id);
		if (known == NULL || strcmp(known, name) != 0)
			continue;
		for (unsigned i = 0; i < view->shard_count; i++)
			add_traffic(&sum, &shard_counters(view->shards[i])->clusters[id]);
		break;
	}
	return sum;
}

/* `endpoints_left` is how many more may be listed. True when something was left out. */
static bool write_cluster(
	struct json_writer *j, const struct server_view *view, const struct config_cluster *cluster, size_t *endpoints_left)
{
	const struct named_cluster *named = cluster_names_find(view->cluster_names, cluster->name);
	bool truncated = false;
	json_write_begin(j, NULL, '{');
	json_write_text(j, "name", cluster->name);
	json_write_text(j, "type", cluster->type == CLUSTER_STRICT_DNS ? "STRICT_DNS" : "STATIC");
	json_write_text(j, "protocol", config_protocol_name(cluster->protocol));
	json_write_begin(j, "endpoints", '[');
	for (size_t k = 0; k<cluster->endpoint_count && * endpoints_left> 0; k++, (*endpoints_left)--)
		write_endpoint(j, &cluster->endpoints[k]);
	for (size_t k = 0; k<cluster->domain_count && * endpoints_left> 0; k++, (*endpoints_left)--)
		write_domain(j, &cluster->domains[k]);
	truncated = *endpoints_left == 0 && cluster->endpoint_count + cluster->domain_count > 0;
	json_write_end(j, ']');
	if (named != NULL)
		truncated |= write_resolved(j, named, endpoints_left);
	struct traffic_counters traffic = cluster_traffic(view, cluster->name);
	write_stats(j, &traffic);
	json_write_end(j, '}');
	return truncated;
}

/* True when something was left out. */
static bool write_clusters(struct json_writer *j, const struct server_view *view)
{
	size_t endpoints_left = STATUS_ENDPOINTS_MAX;
	bool truncated = view->config->cluster_count > STATUS_CLUSTERS_MAX;
	json_write_begin(j, "clusters", '[');
	for (size_t i = 0; i < view->config->cluster_count && i < STATUS_CLUSTERS_MAX; i++)
		truncated |= write_cluster(j, view, &view->config->clusters[i], &endpoints_left);
	json_write_end(j, ']');
	return truncated;
}

/* The caller ends it. */
static void begin_listener(struct json_writer *j, const struct config_listener *listener)
{
	json_write_begin(j, NULL, '{');
	json_write_text(j, "name", listener->name);
	json_write_text(j, "protocol", config_protocol_name(listener->protocol));
	json_write_number(j, "port", listener->port);
}

/* Those that a reload has removed or replaced, while they have clients. */
static void write_retiring(struct json_writer *j, const struct server_view *view)
{
	const struct config *config = view->config;
	json_write_begin(j, "retiring", '[');
	for (size_t i = config->listener_count; i < config->listener_count + config->retiring_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		begin_listener(j, listener);
		json_write_number(j, "allocations", allocations_of(view, listener->slot));
		json_write_number(j, "connections", connections_of(view, listener->slot));
		json_write_end(j, '}');
	}
	json_write_end(j, ']');
}

/* Those that have no socket yet, or not of both families, because one that retires, or another process, has its port. */
static void write_waiting(struct json_writer *j, const struct server_view *view)
{
	json_write_begin(j, "waiting", '[');
	for (size_t i = 0; i < view->config->listener_count; i++) {
		const struct config_listener *listener = &view->config->listeners[i];
		if (!config_listener_waits(listener))
			continue;
		begin_listener(j, listener);
		json_write_end(j, '}');
	}
	json_write_end(j, ']');
}

static void write_lockdown(struct json_writer *j, const struct lockdown *lockdown)
{
	json_write_begin(j, "lockdown", '{');
	json_write_text(j, "mode", config_lockdown_name(lockdown->mode));
	json_write_bool(j, "no_new_privileges", lockdown->no_new_privileges);
	json_write_text(j, "capabilities", lockdown->capabilities);
	json_write_number(j, "landlock", lockdown->landlock);
	json_write_number(j, "system_calls", lockdown->system_calls);
	json_write_end(j, '}');
}

static void write_source(struct json_writer *j, const struct source_view *source)
{
	json_write_begin(j, "source", '{');
	json_write_text(j, "place", source->place);
	if (source->id != NULL) {
		json_write_text(j, "id", source->id);
		json_write_bool(j, "connected", source->connected);
		json_write_text(j, "problem", source->problem);
		json_write_number(j, "messages", source->messages);
		json_write_number(j, "refused", source->refused);
	}
	json_write_end(j, '}');
}

static void write_uturn(struct json_writer *j, const struct server_view *view, bool truncated)
{
	json_write_begin(j, "uturn", '{');
	json_write_text(j, "version", UTURN_VERSION);
	json_write_text(j, "engine", engine_name(view->engine));
	json_write_text(j, "engine_reason", view->engine_reason);
	write_lockdown(j, view->lockdown);
	json_write_number(j, "shards", view->shard_count);
	json_write_number(j, "allocations_max", view->allocations_max);
	json_write_number(j, "connections_max", view->connections_max);
	json_write_bool(j, "draining", view->draining);
	json_write_number(j, "uptime_s", (clock_mono_ns() - view->started.mono_ns) / NS_PER_S / UTURN_CLOCK_RATE);
	json_write_bool(j, "last_reload_ok", view->last_reload_ok);
	write_source(j, &view->source);
	write_retiring(j, view);
	write_waiting(j, view);
	json_write_bool(j, "truncated", truncated);
	json_write_end(j, '}');
}

void server_status_serve(void *context, const struct http_request *request, struct http_reply *reply)
{
	(void)request;
	const struct server_view *view = context;
	struct json_writer j;
	json_write_init(&j, reply->body);
	json_write_begin(&j, NULL, '{');
	json_write_text(&j, "version", "v1");
	write_admin(&j, &view->config->admin);
	write_auth(&j, &view->config->auth);
	json_write_begin(&j, "listeners", '[');
	for (size_t i = 0; i < view->config->listener_count; i++)
		write_listener(&j, view, i);
	json_write_end(&j, ']');
	bool truncated = write_clusters(&j, view);
	json_write_number(&j, "allocationCount", shard_shared_allocations(view->shared));
	json_write_text(&j, "status", view->draining ? "TERMINATING" : view->ready ? "READY" : "NOT-READY");
	write_uturn(&j, view, truncated);
	json_write_end(&j, '}');
	evbuffer_add(reply->body, "\n", 1);
	reply->content_type = content_type;
	if (j.failed)
		reply->status = 500;
}
