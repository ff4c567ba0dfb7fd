#include "kubernetes/kube_api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"

struct kube_api {
	struct event_base *base;
	struct evdns_base *dns; /* NULL: the host is an address */
	SSL_CTX *context;
	const char *host, *folder;
	uint16_t port;
	bool ipv6; /* the host is an IPv6 address, which stands in brackets */
};

/* One request on its way. */
struct exchange {
	struct kube_api *api;
	struct kube_answer *answer;
	bool answered;
	enum evhttp_request_error error;
	bool broken; /* `error` says how */
	long verify_error;
};

static bool is_ip(const char *host, int family)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	return inet_pton(family, host, bytes) == 1;
}

/* The last entry of OpenSSL's queue, in words. */
static const char *openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	ERR_clear_error();
	return reason == NULL ? "unknown" : reason;
}

static bool load_authority(struct kube_api *api, char ret_error[static KUBE_ERROR_SIZE])
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/ca.crt", api->folder);
	api->context = SSL_CTX_new(TLS_client_method());
	if (api->context == NULL) {
		snprintf(ret_error, KUBE_ERROR_SIZE, "not enough memory for TLS");
		return false;
	}
	SSL_CTX_set_min_proto_version(api->context, TLS1_2_VERSION);
	SSL_CTX_set_verify(api->context, SSL_VERIFY_PEER, NULL);
	/* Whatever stands in the file is trusted, an intermediate authority too: so do Kubernetes' own clients. */
	X509_STORE_set_flags(SSL_CTX_get_cert_store(api->context), X509_V_FLAG_PARTIAL_CHAIN);
	if (SSL_CTX_load_verify_locations(api->context, path, NULL) == 1)
		return true;
	snprintf(ret_error, KUBE_ERROR_SIZE,
		"%.200s: no certificate authority can be read from it (%s): run in a pod with a service account "
		"(automountServiceAccountToken)",
		path, openssl_reason());
	return false;
}

static bool parse_address(struct kube_api *api, const struct kube_api_params *params, char ret_error[static KUBE_ERROR_SIZE])
{
	if (params->host == NULL || *params->host == '\0') {
		snprintf(ret_error, KUBE_ERROR_SIZE, "KUBERNETES_SERVICE_HOST is not set: this runs in a pod of a cluster");
		return false;
	}
	api->port = 443;
	if (params->port != NULL && !addr_parse_port(params->port, &api->port)) {
		snprintf(ret_error, KUBE_ERROR_SIZE, "KUBERNETES_SERVICE_PORT is \"%.20s\": use 1 to 65535", params->port);
		return false;
	}
	api->host = params->host;
	api->folder = params->folder;
	api->ipv6 = is_ip(api->host, AF_INET6);
	return true;
}

static bool open_loop(struct kube_api *api, char ret_error[static KUBE_ERROR_SIZE])
{
	api->base = event_base_new();
	if (api->base != NULL && !api->ipv6 && !is_ip(api->host, AF_INET)) {
		api->dns = evdns_base_new(api->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
		if (api->dns == NULL) {
			snprintf(ret_error, KUBE_ERROR_SIZE, "%.200s: cannot be looked up: /etc/resolv.conf names no DNS server",
				api->host);
			return false;
		}
	}
	if (api->base == NULL)
		snprintf(ret_error, KUBE_ERROR_SIZE, "not enough memory for an event loop");
	return api->base != NULL;
}

struct kube_api *kube_api_open(const struct kube_api_params *params, char ret_error[static KUBE_ERROR_SIZE])
{
	struct kube_api *api = calloc(1, sizeof *api);
	if (api == NULL) {
		snprintf(ret_error, KUBE_ERROR_SIZE, "not enough memory");
		return NULL;
	}
	if (parse_address(api, params, ret_error) && load_authority(api, ret_error) && open_loop(api, ret_error))
		return api;
	kube_api_close(api);
	return NULL;
}

void kube_api_close(struct kube_api *api)
{
	if (api == NULL)
		return;
	if (api->dns != NULL)
		evdns_base_free(api->dns, 0);
	if (api->base != NULL)
		event_base_free(api->base);
	SSL_CTX_free(api->context);
	free(api);
}

/* "Bearer …", to be freed; NULL and an error line otherwise. */
static char *read_token(const struct kube_api *api, char ret_error[static KUBE_ERROR_SIZE])
{
	static const char scheme[] = "Bearer ";
	enum { SCHEME_SIZE = sizeof scheme - 1 };
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/token", api->folder);
	char *text = calloc(1, SCHEME_SIZE + KUBE_TOKEN_SIZE_MAX + 1);
	int fd = text == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text + SCHEME_SIZE, KUBE_TOKEN_SIZE_MAX);
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (size <= 0) {
		snprintf(ret_error, KUBE_ERROR_SIZE, "%.200s: no token can be read from it: %s", path,
			size < 0 ? strerror(error) : "it is empty");
		free(text);
		return NULL;
	}
	memcpy(text, scheme, SCHEME_SIZE);
	/* A header ends where its line does. */
	text[strcspn(text, "\r\n")] = '\0';
	return text;
}

static void on_error(enum evhttp_request_error error, void *context)
{
	struct exchange *exchange = context;
	exchange->error = error;
	exchange->broken = true;
}

/* `request` is NULL, or without a status, where there was no answer. */
static void on_done(struct evhttp_request *request, void *context)
{
	struct exchange *exchange = context;
	event_base_loopbreak(exchange->api->base);
	int status = request == NULL ? 0 : evhttp_request_get_response_code(request);
	if (status == 0)
		return;
	struct evbuffer *body = evhttp_request_get_input_buffer(request);
	size_t size = evbuffer_get_length(body);
	char *text = malloc(size + 1);
	if (text == NULL)
		return;
	evbuffer_remove(body, text, size);
	text[size] = '\0';
	*exchange->answer = (struct kube_answer){.status = status, .body = text, .size = size};
	exchange->answered = true;
}

static void describe_failure(const struct exchange *exchange, const char *path, char ret_error[static KUBE_ERROR_SIZE])
{
	static const char *const reasons[] = {
		[EVREQ_HTTP_TIMEOUT] = "no answer in time",
		[EVREQ_HTTP_EOF] = "it closed the connection",
		[EVREQ_HTTP_INVALID_HEADER] = "what it answers is not HTTP",
		[EVREQ_HTTP_BUFFER_ERROR] = "the connection broke",
		[EVREQ_HTTP_REQUEST_CANCEL] = "cancelled",
		[EVREQ_HTTP_DATA_TOO_LONG] = "the answer is too long",
	};
	const struct kube_api *api = exchange->api;
	char where[280], why[180];
	snprintf(where, sizeof where, "%s%.250s%s:%u", api->ipv6 ? "[" : "", api->host, api->ipv6 ? "]" : "", api->port);
	if (exchange->verify_error != X509_V_OK)
		snprintf(why, sizeof why, "its certificate is not trusted: %s (authority: %.80s/ca.crt)",
			X509_verify_cert_error_string(exchange->verify_error), api->folder);
	else
		snprintf(why, sizeof why, "%s", exchange->broken ? reasons[exchange->error] : "no connection");
	snprintf(ret_error, KUBE_ERROR_SIZE, "the API server at %.240s: %.60s: %s", where, path, why);
}

/* An SSL that accepts the certificate of this host only; NULL: no memory. */
static SSL *new_ssl(const struct kube_api *api)
{
	SSL *ssl = SSL_new(api->context);
	if (ssl == NULL)
		return NULL;
	bool ip = api->ipv6 || api->dns == NULL;
	int good = ip ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), api->host)
		      : SSL_set1_host(ssl, api->host) && SSL_set_tlsext_host_name(ssl, api->host);
	if (good == 1)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

static void add_headers(const struct kube_api *api, struct evhttp_request *request, const char *token, const char *body)
{
	char host[300], size[24];
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	snprintf(host, sizeof host, "%s%.250s%s:%u", api->ipv6 ? "[" : "", api->host, api->ipv6 ? "]" : "", api->port);
	evhttp_add_header(headers, "Host", host);
	evhttp_add_header(headers, "Authorization", token);
	evhttp_add_header(headers, "Accept", "application/json");
	/*
	 * No "Connection: close", though there is one request a connection: libevent tells of a TLS connection's end before it
	 * hands over what came right before it, and an answer whose end arrives with it would be lost.
	 */
	if (body == NULL)
		return;
	/* evhttp knows this of POST and PUT only. */
	snprintf(size, sizeof size, "%zu", strlen(body));
	evhttp_add_header(headers, "Content-Length", size);
	evhttp_add_header(headers, "Content-Type", "application/merge-patch+json");
	evbuffer_add(evhttp_request_get_output_buffer(request), body, strlen(body));
}

/* Sends, and waits until there is an answer or none will come. False: no memory. */
static bool converse(struct exchange *exchange, enum kube_method method, const char *path, const char *token, const char *body)
{
	struct kube_api *api = exchange->api;
	SSL *ssl = new_ssl(api);
	struct bufferevent *stream =
		ssl == NULL ? NULL
			    : bufferevent_openssl_socket_new(api->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (stream == NULL) {
		SSL_free(ssl);
		return false;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
	struct evhttp_connection *connection =
		evhttp_connection_base_bufferevent_new(api->base, api->dns, stream, api->host, api->port);
	struct evhttp_request *request = connection == NULL ? NULL : evhttp_request_new(on_done, exchange);
	if (request == NULL) {
		if (connection != NULL)
			evhttp_connection_free(connection);
		else
			bufferevent_free(stream);
		return false;
	}
	evhttp_connection_set_timeout(connection, KUBE_TIMEOUT_S);
	evhttp_connection_set_max_body_size(connection, KUBE_BODY_SIZE_MAX);
	evhttp_request_set_error_cb(request, on_error);
	add_headers(api, request, token, body);
	/* The request is the connection's now, also on failure. */
	if (evhttp_make_request(connection, request, method == KUBE_GET ? EVHTTP_REQ_GET : EVHTTP_REQ_PATCH, path) == 0)
		event_base_dispatch(api->base);
	exchange->verify_error = SSL_get_verify_result(ssl);
	evhttp_connection_free(connection);
	ERR_clear_error();
	return true;
}

bool kube_api_ask(struct kube_api *api, enum kube_method method, const char *path, const char *body, struct kube_answer *ret_answer,
	char ret_error[static KUBE_ERROR_SIZE])
{
	struct exchange exchange = {.api = api, .answer = ret_answer};
	char *token = read_token(api, ret_error);
	if (token == NULL)
		return false;
	bool tried = converse(&exchange, method, path, token, body);
	OPENSSL_cleanse(token, strlen(token));
	free(token);
	if (!tried)
		snprintf(ret_error, KUBE_ERROR_SIZE, "not enough memory to ask the API server");
	else if (!exchange.answered)
		describe_failure(&exchange, path, ret_error);
	return exchange.answered;
}
