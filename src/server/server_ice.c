#include "server/server_ice.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/credentials.h"
#include "ops/json_writer.h"
#include "server/config_public.h"

/* What a request asks for. Texts are inside its query; NULL: not given. */
struct wish {
	const char *user;
	uint32_t ttl_s;
	const char *namespace, *gateway, *listener;
	const char *host;
	const char *policy;
};

struct credentials {
	char username[STUN_USERNAME_SIZE_MAX + 1];
	char password[CONFIG_PASSWORD_SIZE];
};

static void refuse(struct http_reply *reply, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void refuse(struct http_reply *reply, int status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	evbuffer_add_vprintf(reply->body, format, args);
	va_end(args);
	evbuffer_add(reply->body, "\n", 1);
	reply->status = status;
}

/* Without control characters, and the same again after it has been through JSON. */
static bool is_user(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			return false;
	return strlen(text) <= ICE_USER_SIZE_MAX && json_text_is_kept(text);
}

static bool is_host(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:";
	size_t size = strlen(text);
	return size > 0 && size < CONFIG_HOST_SIZE && strspn(text, allowed) == size;
}

static bool read_ttl(const char *text, uint32_t *ret_ttl_s)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return false;
	unsigned long long ttl_s = strtoull(text, NULL, 10);
	*ret_ttl_s = ttl_s > ICE_TTL_MAX_S ? ICE_TTL_MAX_S : (uint32_t)ttl_s;
	return ttl_s > 0;
}

static bool is_key(const char *wanted, const char *given)
{
	size_t size = strlen(wanted);
	return given != NULL && strlen(given) == size &&
	       bytes_equal_constant_time((const uint8_t *)wanted, (const uint8_t *)given, size);
}

static bool is_policy(const char *text)
{
	return strcmp(text, "all") == 0 || strcmp(text, "public") == 0 || strcmp(text, "relay") == 0;
}

/* False, and the request is answered. */
static bool read_wish(const struct evkeyvalq *query, struct wish *wish, struct http_reply *reply)
{
	const char *service = evhttp_find_header(query, "service"), *ttl = evhttp_find_header(query, "ttl");
	*wish = (struct wish){
		.user = evhttp_find_header(query, "username"),
		.ttl_s = ICE_TTL_DEFAULT_S,
		.namespace = evhttp_find_header(query, "namespace"),
		.gateway = evhttp_find_header(query, "gateway"),
		.listener = evhttp_find_header(query, "listener"),
		.host = evhttp_find_header(query, "public-addr"),
		.policy = evhttp_find_header(query, "iceTransportPolicy"),
	};
	if (wish->host == NULL)
		wish->host = evhttp_find_header(query, "public-ip");
	const char *wrong = NULL;
	if (service == NULL || strcmp(service, "turn") != 0)
		wrong = "\"service\" must be \"turn\"";
	else if (ttl != NULL && !read_ttl(ttl, &wish->ttl_s))
		wrong = "\"ttl\" must be a number of seconds, 1 or more";
	else if (wish->user != NULL && !is_user(wish->user))
		wrong = "\"username\" must be UTF-8 without control characters, 480 bytes at most";
	else if (wish->host != NULL && !is_host(wish->host))
		wrong = "\"public-addr\" must be an IP address or a host name";
	else if (wish->policy != NULL && !is_policy(wish->policy))
		wrong = "\"iceTransportPolicy\" must be all, public or relay";
	if (wrong != NULL)
		refuse(reply, 400, "%s", wrong);
	return wrong == NULL;
}

/* Is `*rest` up to the next slash, or to the end, this text? Moves behind it. */
static bool part_is(const char **rest, const char *wanted)
{
	size_t size = strcspn(*rest, "/");
	bool equal = strlen(wanted) == size && strncmp(*rest, wanted, size) == 0;
	*rest += size + ((*rest)[size] == '/');
	return equal;
}

static bool is_wanted(const struct config_listener *listener, const struct wish *wish)
{
	const char *rest = listener->name;
	size_t slashes = 0;
	for (const char *p = rest; *p != '\0'; p++)
		slashes += *p == '/';
	if (wish->namespace == NULL)
		return true;
	if (slashes != 2 || !part_is(&rest, wish->namespace))
		return false;
	if (wish->gateway == NULL)
		return true;
	if (!part_is(&rest, wish->gateway))
		return false;
	return wish->listener == NULL || strcmp(rest, wish->listener) == 0;
}

static const char *uri_of(const struct server_view *view, const struct config_listener *listener, const struct wish *wish,
	char text[static CONFIG_URI_SIZE])
{
	const char *host = wish->host;
	if (host == NULL) {
		host = view->world->getenv(view->world->context, "STUNNER_PUBLIC_ADDR");
		host = host != NULL && is_host(host) ? host : NULL;
	}
	return host != NULL ? config_turn_uri_at(listener, host, text) : config_turn_uri(listener, view->world, text);
}

/* Writes the list; how many there are. */
static size_t write_uris(struct json_writer *j, const char *key, const struct server_view *view, const struct wish *wish)
{
	char text[CONFIG_URI_SIZE];
	size_t count = 0;
	json_write_begin(j, key, '[');
	for (size_t i = 0; i < view->config->listener_count; i++) {
		const struct config_listener *listener = &view->config->listeners[i];
		if (!is_wanted(listener, wish))
			continue;
		json_write_text(j, NULL, uri_of(view, listener, wish, text));
		count++;
	}
	json_write_end(j, ']');
	return count;
}

static void make_credentials(const struct config_auth *auth, const struct wish *wish, struct credentials *ret_credentials)
{
	struct credentials *c = ret_credentials;
	if (auth->type == AUTH_STATIC) {
		snprintf(c->username, sizeof c->username, "%s", auth->username);
		snprintf(c->password, sizeof c->password, "%s", auth->password);
		return;
	}
	snprintf(c->username, sizeof c->username, "%llu:%s", (unsigned long long)(clock_now().wall_s + wish->ttl_s),
		wish->user == NULL ? "" : wish->user);
	credentials_ephemeral_password(bytes_of_string(c->username), bytes_of_string(auth->secrets[0]), c->password);
}

typedef size_t write_function(
	struct json_writer *j, const struct server_view *view, const struct wish *wish, const struct credentials *credentials);

/* Members stand in the order in which the auth service's encoder puts them. */
static size_t write_turn(
	struct json_writer *j, const struct server_view *view, const struct wish *wish, const struct credentials *credentials)
{
	json_write_begin(j, NULL, '{');
	json_write_text(j, "password", credentials->password);
	json_write_number(j, "ttl", wish->ttl_s);
	size_t count = write_uris(j, "uris", view, wish);
	json_write_text(j, "username", credentials->username);
	json_write_end(j, '}');
	return count;
}

static size_t write_ice(
	struct json_writer *j, const struct server_view *view, const struct wish *wish, const struct credentials *credentials)
{
	json_write_begin(j, NULL, '{');
	json_write_begin(j, "iceServers", '[');
	json_write_begin(j, NULL, '{');
	json_write_text(j, "credential", credentials->password);
	size_t count = write_uris(j, "urls", view, wish);
	json_write_text(j, "username", credentials->username);
	json_write_end(j, '}');
	json_write_end(j, ']');
	json_write_text(j, "iceTransportPolicy", wish->policy == NULL ? "all" : wish->policy);
	json_write_end(j, '}');
	return count;
}

static void answer(const struct server_view *view, const struct wish *wish, write_function *write, struct http_reply *reply)
{
	struct credentials credentials = {0};
	struct json_writer j;
	json_write_init(&j, reply->body);
	make_credentials(&view->config->auth, wish, &credentials);
	size_t count = write(&j, view, wish, &credentials);
	bytes_wipe(&credentials, sizeof credentials);
	evbuffer_add(reply->body, "\n", 1);
	if (j.failed || count == 0) {
		evbuffer_drain(reply->body, evbuffer_get_length(reply->body));
		refuse(reply, j.failed ? 500 : 404, j.failed ? "not enough memory" : "there is no such listener");
		return;
	}
	reply->content_type = "application/json; charset=UTF-8";
}

static void serve(
	const struct server_view *view, const struct http_request *request, write_function *write, struct http_reply *reply)
{
	struct evkeyvalq query;
	struct wish wish;
	if (view->config->listener_count == 0) {
		refuse(reply, 500, "no STUNner configuration available");
		return;
	}
	if (evhttp_parse_query_str(request->query, &query) != 0) {
		refuse(reply, 400, "the query cannot be read: use service=turn");
		return;
	}
	const char *key = view->config->admin.ice_key;
	bool allowed = key[0] == '\0' || is_key(key, evhttp_find_header(&query, "key"));
	bool fine = allowed && read_wish(&query, &wish, reply);
	if (!allowed)
		refuse(reply, 403, "\"key\" is missing or wrong: it must be the relay's admin.ice_key");
	else if (fine && view->config->auth.type == AUTH_NONE)
		refuse(reply, 404, "there is nothing to hand out: auth.type is none, so nothing is relayed");
	else if (fine)
		answer(view, &wish, write, reply);
	evhttp_clear_headers(&query);
}

void server_ice_serve_turn(void *view, const struct http_request *request, struct http_reply *reply)
{
	serve(view, request, write_turn, reply);
}

void server_ice_serve(void *view, const struct http_request *request, struct http_reply *reply)
{
	serve(view, request, write_ice, reply);
}
