#include "server/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_check.h"
#include "server/config_cluster.h"
#include "server/config_document.h"
#include "server/config_env.h"
#include "server/config_file.h"
#include "server/config_listener.h"
#include "server/config_schema.h"

const char *config_dialect_name(enum config_dialect dialect)
{
	static const char *const names[] = {
		[CONFIG_NATIVE] = "uturn/v1",
		[CONFIG_V1] = "v1",
		[CONFIG_V1ALPHA1] = "v1alpha1",
		[CONFIG_URI] = "URI",
		[CONFIG_EMBEDDED] = "embedded default",
	};
	return names[dialect];
}

void config_set_text(char *field, size_t size, const char *text)
{
	size_t length = strlen(text);
	assert(length < size);
	memcpy(field, text, length);
	memset(field + length, 0, size - length);
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config->cluster_count; i++)
		config_cluster_done(&config->clusters[i]);
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++)
		config_listener_done(&config->listeners[i]);
	free(config->clusters);
	bytes_wipe(config, sizeof *config);
	free(config);
}

unsigned config_datagram_sockets(const struct config *config)
{
	unsigned sockets = 0;
	for (size_t i = 0; i < config->listener_count; i++)
		for (int family = 0; family < RELAY_FAMILIES; family++)
			sockets += !config_listener_is_stream(&config->listeners[i]) &&
				   config->listeners[i].bind[family].family != ADDR_NONE;
	return sockets;
}

bool config_listener_is_replaced(const struct config *config, const struct config_listener *retiring)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (strcmp(config->listeners[i].name, retiring->name) == 0)
			return true;
	return false;
}

/* The first form lists a listener of each transport, which STUNner's documents have variables to turn off. */
static void leave_out_disabled(struct config *config, const struct config_world *world, struct config_problems *problems)
{
	bool wanted[] = {
		[PROTOCOL_UDP] = config_env_switch(world, "STUNNER_TRANSPORT_UDP_ENABLE", true),
		[PROTOCOL_TCP] = config_env_switch(world, "STUNNER_TRANSPORT_TCP_ENABLE", true),
		[PROTOCOL_TLS] = true,
		[PROTOCOL_DTLS] = true,
	};
	size_t kept = 0, count = config->listener_count;
	for (size_t i = 0; i < count; i++) {
		if (wanted[config->listeners[i].protocol])
			config->listeners[kept++] = config->listeners[i];
		else
			config_listener_done(&config->listeners[i]);
	}
	config->listener_count = kept;
	if (kept == 0 && count > 0)
		config_error(problems, "static.listeners",
			"none is left: STUNNER_TRANSPORT_UDP_ENABLE and STUNNER_TRANSPORT_TCP_ENABLE turn them off: set one to 1");
}

static void read_document(struct config_reader *r, const struct config_value *root)
{
	const struct config_value *early = r->config->dialect == CONFIG_V1ALPHA1 ? config_value_member(root, "static", true) : NULL;
	if (early == NULL) {
		config_read_fields(r, root, config_schema, r->config);
		return;
	}
	if (config_value_member(root, "clusters", true) == NULL) {
		config_warning(r->problems, "static",
			"names no clusters: peers are limited to public addresses; to reach others add clusters");
		r->routes_to_all = true;
		if (!config_cluster_add_any(r->config, "allow-any"))
			config_error(r->problems, "", "out of memory");
	}
	config_read_fields(r, root, config_schema_early, r->config);
	leave_out_disabled(r->config, r->world, r->problems);
}

/* Files that a document names are looked for beside it. */
static void set_folder(struct config_reader *r, const char *source)
{
	const char *slash = strrchr(source, '/');
	/* Too long a name has not been opened either. */
	if (slash != NULL && (size_t)(slash - source) < sizeof r->folder)
		snprintf(r->folder, sizeof r->folder, "%.*s", (int)(slash == source ? 1 : slash - source), source);
}

struct config *config_load_document(const char *source, const struct config_document *document, const struct config_world *world,
	struct config_problems *problems)
{
	size_t errors = problems->errors;
	struct config_reader r = {.config = config_create(document->dialect, world), .world = world, .problems = problems};
	problems->source = source;
	set_folder(&r, source);
	if (r.config)
		read_document(&r, document->root);
	return config_check(r.config, world, problems, errors);
}

struct config *config_load_text(
	const char *source, const char *text, size_t size, const struct config_world *world, struct config_problems *problems)
{
	struct config_document document;
	problems->source = source;
	if (!config_document_parse(source, text, size, world, problems, &document))
		return NULL;
	struct config *config = config_load_document(source, &document, world, problems);
	config_document_free(&document);
	return config;
}

struct config *config_load_file(const char *path, const struct config_world *world, struct config_problems *problems)
{
	size_t size = 0;
	int error = 0;
	char *text = config_file_read(path, CONFIG_FILE_SIZE_MAX, &size, &error);
	if (text == NULL) {
		problems->source = path;
		config_error(problems, "", "cannot be read: %s: name a readable file of YAML or JSON", strerror(error));
		return NULL;
	}
	struct config *config = config_load_text(path, text, size, world, problems);
	bytes_wipe(text, size);
	free(text);
	return config;
}
