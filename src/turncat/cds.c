#include "turncat/cds.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>

#include "turncat/environment.h"

enum { TIMEOUT_S = 5, BODY_MAX = 4 << 20, HEADERS_MAX = 64 * 1024, HTTP_GOOD = 200, HTTP_UNKNOWN = 404 };

static const char service[] = "stunner-config-discovery";

bool cds_init(struct cds *c, struct resolver *resolver, const struct spec_server *wanted, const struct cds_place *place,
	struct failure *failure)
{
	char own_namespace[SPEC_NAME_SIZE], address[2 * SPEC_NAME_SIZE];
	bool in_cluster = environment_in_cluster(own_namespace);
	*c = (struct cds){.resolver = resolver, .wanted = *wanted};
	if (wanted->namespace[0] == '\0')
		snprintf(c->wanted.namespace, sizeof c->wanted.namespace, "%s",
			place->current_namespace != NULL ? place->current_namespace : own_namespace);
	if (place->address == NULL && !in_cluster)
		return fail(failure,
			"where is the config discovery service? Outside of a cluster: 'kubectl -n stunner-system port-forward "
			"svc/%s %d', and --cds-server-address 127.0.0.1:%d",
			service, CDS_PORT, CDS_PORT);
	snprintf(address, sizeof address, "%s.%s", service, place->namespace != NULL ? place->namespace : "stunner-system");
	unsigned long port = place->port != NULL ? strtoul(place->port, NULL, 10) : CDS_PORT;
	const char *text = place->address != NULL ? place->address : address;
	text += strncmp(text, "http://", 7) == 0 ? 7 : 0;
	if (port >= 1 && port <= 65535 && spec_parse_host(text, (uint16_t)port, &c->host) && c->host.name[0] != '\0')
		return true;
	return fail(failure, "%.200s: no address of a config discovery service: use HOST:PORT", text);
}

static void failed(struct cds *c, const char *what, const char *why)
{
	struct failure failure;
	fail(&failure, "the config discovery service at %s:%u %s %s/%s: %s", c->host.name, c->host.port, what, c->wanted.namespace,
		c->wanted.gateway, why);
	c->done(c->owner, NULL, failure.text);
}

static void take(struct cds *c, struct evbuffer *body)
{
	struct cds_server server;
	struct failure failure;
	size_t size = evbuffer_get_length(body);
	const uint8_t *data = size > 0 ? evbuffer_pullup(body, -1) : NULL;
	if (cds_config_parse(bytes_of(data, size), &c->wanted, &server, &failure)) {
		c->done(c->owner, &server, NULL);
		bytes_wipe(&server, sizeof server);
		return;
	}
	failed(c, "is no help with", failure.text);
}

static void on_answer(struct evhttp_request *request, void *context)
{
	struct cds *c = context;
	char status[32];
	int code = request != NULL ? evhttp_request_get_response_code(request) : 0;
	if (code == HTTP_GOOD) {
		take(c, evhttp_request_get_input_buffer(request));
		return;
	}
	snprintf(status, sizeof status, "HTTP status %d", code);
	if (code == 0)
		failed(c, "cannot be asked for", "it does not answer");
	else if (code == HTTP_UNKNOWN)
		failed(c, "knows no gateway", status);
	else
		failed(c, "is no help with", status);
}

static bool request(struct cds *c, const struct addr *addr)
{
	char ip[ADDR_TEXT_SIZE], host[SPEC_HOST_SIZE + 8], path[3 * SPEC_NAME_SIZE];
	addr_format_ip(addr, ip);
	c->connection = evhttp_connection_base_new(c->resolver->base, NULL, ip, addr->port);
	struct evhttp_request *request = c->connection != NULL ? evhttp_request_new(on_answer, c) : NULL;
	if (request == NULL)
		return false;
	evhttp_connection_set_timeout(c->connection, TIMEOUT_S);
	evhttp_connection_set_max_body_size(c->connection, BODY_MAX);
	evhttp_connection_set_max_headers_size(c->connection, HEADERS_MAX);
	bool ipv6 = strchr(c->host.name, ':') != NULL;
	snprintf(host, sizeof host, ipv6 ? "[%s]:%u" : "%s:%u", c->host.name, c->host.port);
	snprintf(path, sizeof path, "/api/v1/configs/%s/%s", c->wanted.namespace, c->wanted.gateway);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Host", host);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
	/* From here on the request is the library's, also on failure; then it is not answered. */
	return evhttp_make_request(c->connection, request, EVHTTP_REQ_GET, path) == 0;
}

static void on_addresses(void *owner, const struct addr *addrs, unsigned count, const char *why)
{
	struct cds *c = owner;
	if (why == NULL && count > 0 && request(c, &addrs[0]))
		return;
	failed(c, "cannot be asked for", why != NULL ? why : "no connection can be made");
}

static void disconnect(struct cds *c)
{
	if (c->connection != NULL)
		evhttp_connection_free(c->connection);
	c->connection = NULL;
}

void cds_done(struct cds *c)
{
	lookup_cancel(&c->lookup);
	disconnect(c);
}

void cds_ask(struct cds *c, void (*done)(void *owner, const struct cds_server *server, const char *why), void *owner)
{
	/* Not earlier: from within its own answer a connection cannot be freed. */
	disconnect(c);
	c->done = done;
	c->owner = owner;
	lookup_start(&c->lookup, c->resolver, &c->host, on_addresses, c);
}
