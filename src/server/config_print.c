#include "server/config_print.h"

#include "server/config_public.h"

static const char *const family_names[RELAY_FAMILIES] = {"IPv4", "IPv6"};

/* A JSON and JavaScript string. */
static void print_quoted(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if ((unsigned char)*text < 0x20)
			fprintf(out, "\\u%04x", (unsigned char)*text);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

/* `everywhere` is the host to show for a server on all addresses. */
static void print_http(const struct config_http *http, const char *everywhere, const char *behind, FILE *out)
{
	char text[ADDR_TEXT_SIZE];
	struct addr address = addr_with_port(http->ip, http->port);
	if (!http->enabled)
		fputs("off\n", out);
	else if (http->ip.family == ADDR_NONE)
		fprintf(out, "http://%s:%u%s\n", everywhere, http->port, behind);
	else
		fprintf(out, "http://%s%s\n", addr_format(&address, text), behind);
}

static void print_operations(const struct config *config, const char *everywhere, FILE *out)
{
	fputs("metrics: ", out);
	print_http(&config->admin.metrics, everywhere, config->admin.metrics.path, out);
	fputs("health:  ", out);
	print_http(&config->admin.health, everywhere, " (/live, /ready, /status)", out);
	if (!config->admin.ice.enabled)
		return;
	fputs("ice:     ", out);
	print_http(&config->admin.ice, everywhere, " (/, /ice: credentials)", out);
}

static void print_credentials(const struct config *config, const char *uri, FILE *out)
{
	const struct config_auth *auth = &config->auth;
	if (auth->type == AUTH_EPHEMERAL) {
		fputs("User names are \"EXPIRY:NAME\" (EXPIRY in seconds of UNIX time); their password is base64(HMAC-SHA1(secret, "
		      "user name)).\n",
			out);
		return;
	}
	if (auth->type == AUTH_NONE) {
		fputs("Authentication is off, and with it relaying: only STUN Binding is answered.\n", out);
		return;
	}
	fputs("\nnew RTCPeerConnection({\n  iceServers: [{ urls: ", out);
	print_quoted(uri, out);
	fputs(", username: ", out);
	print_quoted(auth->username, out);
	fputs(", credential: ", out);
	print_quoted(auth->generated ? auth->password : "(the password)", out);
	fputs(" }],\n  iceTransportPolicy: \"relay\"\n});\n\n", out);
}

void config_print_greeting(const struct config *config, const struct config_world *world, FILE *out)
{
	char uri[CONFIG_URI_SIZE];
	config_turn_uri(&config->listeners[0], world, uri);
	fprintf(out, "%s\n", uri);
	print_credentials(config, uri, out);
	print_operations(config, "127.0.0.1", out);
	fputs("peers:   any public address; private, loopback and cloud metadata addresses are refused. To open a private network, "
	      "name it in a\n"
	      "         configuration (uturn -c FILE):\n"
	      "         {\"version\": \"uturn/v1\", \"auth\": {\"credentials\": {\"username\": \"USER\", \"password\": "
	      "\"PASSWORD\"}},\n"
	      "          \"listeners\": [{\"name\": \"udp\", \"routes\": [\"private\"]}],\n"
	      "          \"clusters\": [{\"name\": \"private\", \"endpoints\": [\"10.0.0.0/8\"]}]}\n",
		out);
	fflush(out);
}

static void print_relay(const struct config_listener *listener, int family, FILE *out)
{
	char text[ADDR_TEXT_SIZE];
	const struct relay_address *relay = &listener->relay[family];
	fprintf(out, "  relayed %s: ", family_names[family]);
	if (relay->bind.family == ADDR_NONE) {
		fputs("not offered\n", out);
		return;
	}
	if (!addr_is_any(&relay->bind) || relay->bind_wildcard)
		fprintf(out, "bound to %s", addr_format_ip(&relay->bind, text));
	else
		fputs("the address that the client came to", out);
	if (relay->fallback.family != ADDR_NONE)
		fprintf(out, ", or %s", addr_format_ip(&relay->fallback, text));
	if (relay->advertised.family != ADDR_NONE)
		fprintf(out, ", told to clients as %s", addr_format_ip(&relay->advertised, text));
	fprintf(out, ", ports %u-%u\n", listener->port_min, listener->port_max);
}

static void print_streams(const struct config_listener *listener, FILE *out)
{
	char text[ADDR_TEXT_SIZE];
	if (config_listener_is_secure(listener) && listener->identities == NULL)
		fputs("  certificate: a self-signed one, made at the start\n", out);
	else if (listener->identities != NULL)
		fprintf(out, "  certificates: %zu\n", listener->identities->count);
	if (!listener->proxy_protocol)
		return;
	fputs("  behind proxies:", out);
	for (size_t i = 0; i < listener->proxy_trusted_count; i++)
		fprintf(out, "%s %s/%u", i ? "," : "", addr_format_ip(&listener->proxy_trusted[i].ip, text),
			listener->proxy_trusted[i].bits);
	fputc('\n', out);
}

static void print_listener(const struct config *config, const struct config_listener *listener, FILE *out)
{
	char text[ADDR_TEXT_SIZE];
	fprintf(out, "listener \"%s\": %s", listener->name, config_protocol_name(listener->protocol));
	for (int family = 0; family < RELAY_FAMILIES; family++)
		if (listener->bind[family].family != ADDR_NONE)
			fprintf(out, " %s", addr_format(&listener->bind[family], text));
	fputc('\n', out);
	print_streams(listener, out);
	for (int family = 0; family < RELAY_FAMILIES; family++)
		print_relay(listener, family, out);
	fputs("  routes:", out);
	for (size_t i = 0; i < listener->route_count; i++)
		fprintf(out, "%s \"%s\"", i ? "," : "", config->clusters[listener->routes[i]].name);
	fputs(listener->route_count ? "\n" : " none: no peer can be reached\n", out);
}

static void print_cluster(const struct config_cluster *cluster, FILE *out)
{
	enum { SHOWN_MAX = 16 };
	char text[ADDR_TEXT_SIZE];
	fprintf(out, "cluster \"%s\":", cluster->name);
	for (size_t i = 0; i < cluster->endpoint_count && i < SHOWN_MAX; i++) {
		const struct config_endpoint *endpoint = &cluster->endpoints[i];
		fprintf(out, "%s %s/%u", i ? "," : "", addr_format_ip(&endpoint->ip, text), endpoint->bits);
		if (endpoint->port_min > 1 || endpoint->port_max < UINT16_MAX)
			fprintf(out, ":<%u-%u>", endpoint->port_min, endpoint->port_max);
	}
	if (cluster->endpoint_count > SHOWN_MAX)
		fprintf(out, " and %zu more", cluster->endpoint_count - SHOWN_MAX);
	for (size_t i = 0; i < cluster->domain_count; i++) {
		const struct config_domain *domain = &cluster->domains[i];
		fprintf(out, "%s %s", i || cluster->endpoint_count ? "," : "", domain->name);
		if (domain->port_min > 1 || domain->port_max < UINT16_MAX)
			fprintf(out, ":<%u-%u>", domain->port_min, domain->port_max);
	}
	if (cluster->domain_count)
		fputs(" (looked up every 5 s)", out);
	fputs(cluster->protocol == PROTOCOL_UDP ? "\n" : " (TCP: not relayed to)\n", out);
}

static void print_bound(const char *name, uint32_t value, const char *none, FILE *out)
{
	if (value)
		fprintf(out, "%s %u", name, value);
	else
		fprintf(out, "%s %s", name, none);
}

void config_print_plan(const struct config *config, FILE *out)
{
	static const char *const auth_names[] = {
		[AUTH_STATIC] = "static", [AUTH_EPHEMERAL] = "ephemeral", [AUTH_NONE] = "none (Binding only)"};
	const struct config_admin *admin = &config->admin;
	fprintf(out, "configuration: %s\n", config_dialect_name(config->dialect));
	fprintf(out, "engine:  %s, ", engine_name(admin->engine));
	print_bound("shards", admin->shards, "as many as there are processors", out);
	fprintf(out, "\nauth:    %s, realm \"%s\"\n", auth_names[config->auth.type], config->auth.realm);
	print_bound("limits:  allocations", admin->allocations_max, "as memory allows", out);
	print_bound(", per user", admin->user_quota, "unbounded", out);
	fprintf(out, ", lifetime %u to %u s\n", admin->lifetime_default_s, admin->lifetime_max_s);
	print_bound("streams: connections", admin->connections_max, "as memory allows", out);
	print_bound(", per source and shard", admin->streams.per_source, "unbounded", out);
	fprintf(out, ", handshakes per shard %u\n", admin->streams.handshakes);
	print_bound("drain:   seconds", admin->drain_timeout_s, "unbounded", out);
	fprintf(out, ", /ready %s meanwhile\n", admin->ready_while_draining ? "200" : "503");
	print_operations(config, "", out);
	for (size_t i = 0; i < config->listener_count; i++)
		print_listener(config, &config->listeners[i], out);
	for (size_t i = 0; i < config->cluster_count; i++)
		print_cluster(&config->clusters[i], out);
	fflush(out);
}
