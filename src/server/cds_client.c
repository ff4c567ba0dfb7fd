/*
 * What stunnerd and its operator agree on, beside RFC 6455: a text message is a whole configuration; the client pings every five
 * seconds, and takes eight without a sign of life for the end.
 */
#include "cds_client.h"

#include <libwebsockets.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"

enum {
	ANSWER_S = 10, /* until a connection is open, or a GET is answered */
	SILENCE_S = 8,
	PING_S = 5,
	WRITE_S = 2,
	FIRST_ROOM = 16 << 10,
	HANDLES_MAX = 16,
};
#define US_PER_S ((lws_usec_t)1000000)

static const char ping[] = "keepalive";

struct cds_client {
	const struct cds_source *source;
	const struct cds_listener *listener;
	struct lws_context *context;
	atomic_bool interrupted;

	/* Of the present connection. */
	uintptr_t number; /* it carries it, so that what comes late of one before is known */
	bool watch, open, ended;
	lws_usec_t deadline_us; /* it ends, unless a sign of life comes before */
	lws_usec_t ping_due_us;
	lws_usec_t write_since_us; /* a ping waits to be written; 0: none */
	char *text;                /* what has arrived of a message */
	size_t size, room;
	char why[CDS_ERROR_SIZE]; /* "": nothing has gone wrong yet */
};

/* What libwebsockets has said of the present connection: of certificates it says why only there. */
static _Thread_local char complaint[CDS_ERROR_SIZE];

static void on_log(int level, const char *line)
{
	static const char technical[] = " (preverify_ok";
	const char *end = strstr(line, technical);
	size_t length = end != NULL ? (size_t)(end - line) : strcspn(line, "\n");
	if (level == LLL_ERR)
		snprintf(complaint, sizeof complaint, "%.*s", (int)length, line);
	log_debug(LOG_CONFIG, "libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

static void forget_text(struct cds_client *client)
{
	if (client->text != NULL)
		bytes_wipe(client->text, client->room);
	free(client->text);
	client->text = NULL;
	client->size = client->room = 0;
}

/* -1, which closes the connection when a callback returns it. The first reason stays. */
__attribute__((format(printf, 2, 3))) static int give_up(struct cds_client *client, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (client->why[0] == '\0')
		vsnprintf(client->why, sizeof client->why, format, args);
	va_end(args);
	return -1;
}

/* A sign of life. */
static void heard(struct cds_client *client)
{
	if (client->watch && client->open)
		client->deadline_us = lws_now_usecs() + SILENCE_S * US_PER_S;
}

static void set_timer(struct cds_client *client, struct lws *socket)
{
	lws_usec_t next = client->deadline_us, now = lws_now_usecs();
	if (client->watch && client->open && client->ping_due_us < next)
		next = client->ping_due_us;
	if (client->write_since_us != 0 && client->write_since_us + WRITE_S * US_PER_S < next)
		next = client->write_since_us + WRITE_S * US_PER_S;
	lws_set_timer_usecs(socket, next > now ? next - now : 1);
}

static int on_timer(struct cds_client *client, struct lws *socket)
{
	lws_usec_t now = lws_now_usecs();
	if (now >= client->deadline_us)
		return give_up(client, "it has been silent for %d s", client->open ? SILENCE_S : ANSWER_S);
	if (client->write_since_us != 0 && now >= client->write_since_us + WRITE_S * US_PER_S)
		return give_up(client, "it has taken nothing for %d s", WRITE_S);
	if (client->watch && client->open && now >= client->ping_due_us) {
		client->ping_due_us = now + PING_S * US_PER_S;
		client->write_since_us = now;
		lws_callback_on_writable(socket);
	}
	set_timer(client, socket);
	return 0;
}

static int on_open(struct cds_client *client, struct lws *socket)
{
	client->open = true;
	client->ping_due_us = lws_now_usecs() + PING_S * US_PER_S;
	heard(client);
	set_timer(client, socket);
	client->listener->opened(client->listener->context);
	return 0;
}

static int on_writable(struct cds_client *client, struct lws *socket)
{
	unsigned char frame[LWS_PRE + sizeof ping];
	if (client->write_since_us == 0)
		return 0;
	client->write_since_us = 0;
	memcpy(frame + LWS_PRE, ping, sizeof ping - 1);
	if (lws_write(socket, frame + LWS_PRE, sizeof ping - 1, LWS_WRITE_PING) < 0)
		return give_up(client, "it takes nothing any more");
	return 0;
}

/* Room for `added` more bytes and a NUL. */
static bool make_room(struct cds_client *client, size_t added)
{
	size_t room = client->room == 0 ? FIRST_ROOM : client->room;
	while (room <= client->size + added)
		room *= 2;
	if (room == client->room)
		return true;
	char *larger = malloc(room);
	if (larger == NULL)
		return false;
	size_t size = client->size;
	if (size > 0)
		memcpy(larger, client->text, size);
	forget_text(client);
	client->text = larger;
	client->size = size;
	client->room = room;
	return true;
}

static int append(struct cds_client *client, const void *piece, size_t size)
{
	if (size > CONFIG_FILE_SIZE_MAX - client->size)
		return give_up(client, "it sends a configuration of more than %d bytes", CONFIG_FILE_SIZE_MAX);
	if (!make_room(client, size))
		return give_up(client, "not enough memory for what it sends");
	if (size > 0)
		memcpy(client->text + client->size, piece, size);
	client->size += size;
	client->text[client->size] = '\0';
	return 0;
}

static void hand_over(struct cds_client *client)
{
	char *text = client->text;
	size_t size = client->size;
	if (size == 0) {
		log_debug(LOG_CONFIG, "an empty message of the config discovery service is ignored");
		forget_text(client);
		return;
	}
	client->text = NULL;
	client->size = client->room = 0;
	client->listener->arrived(client->listener->context, text, size);
}

/* A piece of a message, which may be a piece of a fragment. */
static int on_message(struct cds_client *client, struct lws *socket, const void *piece, size_t size)
{
	heard(client);
	if (lws_frame_is_binary(socket))
		return give_up(client, "it sends something that is no text");
	if (append(client, piece, size) < 0)
		return -1;
	if (lws_is_final_fragment(socket))
		hand_over(client);
	return 0;
}

static int on_http_answer(struct cds_client *client, struct lws *socket)
{
	unsigned status = lws_http_client_http_response(socket);
	if (status == (client->watch ? 101 : 200))
		return 0;
	return give_up(client, status == 404 ? "it has no configuration for %s (404)" : "it has none for %s: its answer is %u",
		client->source->id, status);
}

static int on_http_readable(struct lws *socket)
{
	char buffer[LWS_PRE + 4096], *start = buffer + LWS_PRE;
	int room = sizeof buffer - LWS_PRE;
	return lws_http_client_read(socket, &start, &room) < 0 ? -1 : 0;
}

static int on_end(struct cds_client *client, const char *why)
{
	give_up(client, "%s", why);
	client->ended = true;
	/* Where a timer has ended it, nothing else would wake the loop of cds_client_run. */
	lws_cancel_service(client->context);
	return 0;
}

/* `what` is as versions of libwebsockets have it; NULL: nothing is said. */
static int on_failure(struct cds_client *client, const char *what)
{
	int error;
	if (complaint[0] != '\0')
		give_up(client, "%s", complaint);
	else if (what != NULL && sscanf(what, "conn fail: %d", &error) == 1)
		give_up(client, "it cannot be reached: %s", strerror(error));
	return on_end(client, what == NULL || strcmp(what, "Unable to connect") == 0 ? "it cannot be reached" : what);
}

static int on_event(struct lws *socket, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
	struct cds_client *client = lws_context_user(lws_get_context(socket));
	if (client == NULL || client->ended || lws_get_opaque_user_data(socket) != (void *)client->number)
		return lws_callback_http_dummy(socket, reason, user, in, size);
	switch (reason) {
	case LWS_CALLBACK_TIMER:
		return on_timer(client, socket);
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		return on_open(client, socket);
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return on_message(client, socket, in, size);
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		heard(client);
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return on_writable(client, socket);
	case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
		return on_http_answer(client, socket);
	case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
		return on_http_readable(socket);
	case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
		return append(client, in, size);
	case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
		hand_over(client);
		return on_end(client, "it sent nothing");
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		return on_failure(client, in);
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
		return on_end(client, "it closed the connection");
	default:
		return lws_callback_http_dummy(socket, reason, user, in, size);
	}
}

/* Known to libwebsockets alone: no subprotocol is spoken. */
static const char protocol_name[] = "cds";
static const struct lws_protocols protocols[] = {
	{.name = protocol_name, .callback = on_event},
	{.name = NULL},
};

struct cds_client *cds_client_create(const struct cds_source *source, const struct cds_listener *listener)
{
	struct cds_client *client = calloc(1, sizeof *client);
	if (client == NULL)
		return NULL;
	client->source = source;
	client->listener = listener;
	const struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.gid = -1,
		.uid = -1,
		.user = client,
		.options = source->secure ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0,
		.client_ssl_ca_filepath = source->secure ? source->ca_file : NULL,
		.timeout_secs = ANSWER_S,
		.connect_timeout_secs = ANSWER_S,
		/* Its tables would have a place for each descriptor that the process may open. */
		.fd_limit_per_thread = HANDLES_MAX,
		/* A service inside the cluster is not behind a proxy, whatever http_proxy says. */
		.http_proxy_address = ":0",
	};
	lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
	client->context = lws_create_context(&info);
	if (client->context != NULL)
		return client;
	free(client);
	return NULL;
}

void cds_client_free(struct cds_client *client)
{
	if (client == NULL)
		return;
	client->ended = true;
	lws_context_destroy(client->context);
	forget_text(client);
	free(client);
}

static void connect_to(struct cds_client *client)
{
	const struct cds_source *source = client->source;
	char path[CDS_PATH_SIZE], host[CDS_TEXT_SIZE];
	config_origin_text(source, host);
	const struct lws_client_connect_info info = {
		.context = client->context,
		.address = source->host,
		.port = source->port,
		.path = config_origin_path(source, client->watch, path),
		.host = strstr(host, "://") + 3,
		.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT | (source->secure ? LCCSCF_USE_SSL : 0),
		.method = client->watch ? NULL : "GET",
		.alpn = "http/1.1",
		.local_protocol_name = protocol_name,
		.opaque_user_data = (void *)client->number,
	};
	client->deadline_us = lws_now_usecs() + ANSWER_S * US_PER_S;
	struct lws *socket = lws_client_connect_via_info(&info);
	if (socket != NULL)
		set_timer(client, socket);
	else if (!client->ended)
		on_end(client, "it cannot be reached");
}

void cds_client_run(struct cds_client *client, bool watch, char ret_why[static CDS_ERROR_SIZE])
{
	client->watch = watch;
	client->open = client->ended = false;
	client->number++;
	client->write_since_us = 0;
	client->why[0] = complaint[0] = '\0';
	forget_text(client);
	if (!atomic_load(&client->interrupted))
		connect_to(client);
	while (!client->ended && !atomic_load(&client->interrupted))
		if (lws_service(client->context, 0) < 0)
			on_end(client, "libwebsockets has failed");
	memcpy(ret_why, client->why, CDS_ERROR_SIZE);
}

void cds_client_interrupt(struct cds_client *client)
{
	atomic_store(&client->interrupted, true);
	lws_cancel_service(client->context);
}
