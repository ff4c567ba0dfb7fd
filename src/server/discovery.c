#include "discovery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "crypto/mac.h"
#include "server/cds.h"
#include "server/config_document.h"
#include "server_state.h"

struct discovery {
	struct server *server;
	struct cds_watch *watch;
	struct event *news;
	char place[CDS_TEXT_SIZE];
	bool once;          /* asked by a signal, and not followed: it ends with the answer */
	bool answered;      /* with a configuration */
	bool running_known; /* of the text that runs: */
	uint8_t running[SHA256_SIZE];
};

static void drop_text(char *text, size_t size)
{
	bytes_wipe(text, size);
	free(text);
}

struct config *discovery_load(const struct options *options, const struct config_world *world, struct config_problems *problems)
{
	char place[CDS_TEXT_SIZE], error[CDS_ERROR_SIZE];
	size_t size = 0;
	config_origin_text(&options->cds, place);
	problems->source = place;
	char *text = cds_fetch(&options->cds, &size, error);
	struct config *config = NULL;
	if (text != NULL) {
		config = config_load_text(place, text, size, world, problems);
		drop_text(text, size);
	} else {
		config_error(problems, "", "config discovery service: %s", error);
	}
	problems->source = NULL;
	if (config != NULL)
		options_apply(options, config);
	return config;
}

/* To know a text again without keeping it: there are secrets in it. */
static void digest_of(const char *text, size_t size, uint8_t ret_digest[static SHA256_SIZE])
{
	hmac_sha256(bytes_of_string("uturn config discovery"), bytes_of(text, size), ret_digest);
}

static const char on_signal[] = "SIGHUP";

static void take_up(struct discovery *discovery, const char *text, size_t size)
{
	struct server *server = discovery->server;
	struct config_problems problems = {.source = discovery->place};
	struct config_document document;
	struct config *config = NULL;
	uint8_t digest[SHA256_SIZE];
	digest_of(text, size, digest);
	if (discovery->running_known && memcmp(digest, discovery->running, sizeof digest) == 0) {
		log_debug(LOG_CONFIG, "%s: the configuration that runs came again", discovery->place);
		return;
	}
	if (config_document_parse(discovery->place, text, size, server->world, &problems, &document)) {
		bool zero = config_document_is_zero(&document);
		if (!zero)
			config = config_load_document(discovery->place, &document, server->world, &problems);
		config_document_free(&document);
		if (zero) {
			log_info(LOG_CONFIG, "%s: a configuration without listeners and clusters is ignored; what runs stays",
				discovery->place);
			return;
		}
	}
	if (config != NULL)
		options_apply(server->options, config);
	uint64_t failed = server->view.reloads_failed;
	server_offer(server, config, &problems, discovery->once ? on_signal : "config discovery service");
	discovery->running_known = server->view.reloads_failed == failed;
	memcpy(discovery->running, digest, sizeof digest);
	if (!discovery->running_known)
		server->view.source.refused++;
}

static void end_question(struct discovery *discovery, const char *why)
{
	struct server *server = discovery->server;
	struct config_problems problems = {.source = discovery->place};
	if (!discovery->answered) {
		config_error(&problems, "", "config discovery service: %s", why);
		server_offer(server, NULL, &problems, on_signal);
	}
	server->discovery = NULL;
	discovery_stop(discovery);
}

static void on_news(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct discovery *discovery = context;
	struct source_view *view = &discovery->server->view.source;
	struct cds_news news = cds_watch_take(discovery->watch);
	view->connected = news.connected;
	view->connects = news.connects;
	view->messages = news.messages;
	memcpy(view->problem, news.problem, sizeof view->problem);
	if (news.text != NULL) {
		discovery->answered = true;
		/* Who leaves takes up nothing more, as stunnerd. */
		if (!discovery->server->view.draining)
			take_up(discovery, news.text, news.size);
		drop_text(news.text, news.size);
	}
	if (news.over)
		end_question(discovery, news.problem);
}

void discovery_describe(const struct options *options, struct source_view *ret_view)
{
	char place[CDS_TEXT_SIZE];
	const char *text = options->uri != NULL ? "URI" : "embedded default";
	if (options->file != NULL)
		text = options->file;
	if (options->discovers)
		text = config_origin_text(&options->cds, place);
	*ret_view = (struct source_view){.id = options->discovers && options->awaits ? options->cds.id : NULL};
	snprintf(ret_view->place, sizeof ret_view->place, "%s", text);
}

static struct discovery *begin(struct server *server, bool once)
{
	struct discovery *discovery = calloc(1, sizeof *discovery);
	if (discovery != NULL) {
		discovery->server = server;
		discovery->once = once;
		config_origin_text(&server->options->cds, discovery->place);
		discovery->watch = cds_watch_start(&server->options->cds, once);
	}
	if (discovery != NULL && discovery->watch != NULL)
		discovery->news =
			event_new(server->events, cds_watch_fd(discovery->watch), EV_READ | EV_PERSIST, on_news, discovery);
	if (discovery != NULL && discovery->news != NULL && event_add(discovery->news, NULL) == 0)
		return discovery;
	log_error(LOG_CONFIG, "cannot %s the config discovery service: %s (not enough memory, or /dev/urandom cannot be read?)",
		once ? "ask" : "follow", strerror(errno));
	discovery_stop(discovery);
	return NULL;
}

struct discovery *discovery_start(struct server *server)
{
	struct discovery *discovery = begin(server, false);
	if (discovery != NULL)
		log_info(LOG_CONFIG, "%s: following the configuration of %s", discovery->place, server->options->cds.id);
	return discovery;
}

void discovery_ask(struct server *server)
{
	if (server->discovery != NULL) {
		log_info(LOG_CONFIG, "%s: is being asked already", server->discovery->place);
		return;
	}
	server->discovery = begin(server, true);
	if (server->discovery != NULL)
		log_info(LOG_CONFIG, "%s: asked again for the configuration of %s", server->discovery->place,
			server->options->cds.id);
}

void discovery_stop(struct discovery *discovery)
{
	if (discovery == NULL)
		return;
	if (discovery->news != NULL)
		event_free(discovery->news);
	cds_watch_stop(discovery->watch);
	bytes_wipe(discovery->running, sizeof discovery->running);
	free(discovery);
}
