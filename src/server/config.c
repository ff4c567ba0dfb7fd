#include "server/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_check.h"
#include "server/config_cluster.h"
#include "server/config_env.h"
#include "server/config_file.h"
#include "server/config_json.h"
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
		free(config->clusters[i].endpoints);
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++)
		config_listener_done(&config->listeners[i]);
	free(config->clusters);
	bytes_wipe(config, sizeof *config);
	free(config);
}

bool config_listener_is_replaced(const struct config *config, const struct config_listener *retiring)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (strcmp(config->listeners[i].name, retiring->name) == 0)
			return true;
	return false;
}

/* Replaces the variables in every string below `value`, but for `spared` and what is below it. False: no memory. */
static bool expand(const struct config_world *world, struct config_value *value, const struct config_value *spared)
{
	if (value == spared)
		return true;
	if (value->kind == VALUE_TEXT && strchr(value->text, '$')) {
		char *expanded = config_env_expand(world, value->text);
		if (expanded == NULL)
			return false;
		bytes_wipe(value->text, strlen(value->text));
		free(value->text);
		value->text = expanded;
	}
	for (size_t i = 0; i < value->count; i++)
		if (!expand(world, &value->items[i], spared))
			return false;
	return true;
}

static bool find_dialect(const struct config_value *root, struct config_problems *problems, enum config_dialect *ret_dialect)
{
	static const enum config_dialect dialects[] = {CONFIG_NATIVE, CONFIG_V1, CONFIG_V1ALPHA1};
	const struct config_value *version = config_value_member(root, "version", true);
	if (root->kind != VALUE_OBJECT) {
		config_error(problems, "", "%s is not a configuration: use an object, { … }", config_value_kind_name(root->kind));
		return false;
	}
	if (version == NULL) {
		config_error(
			problems, "version", "is missing: add \"version\": \"uturn/v1\" (or \"v1\" or \"v1alpha1\", stunnerd's)");
		return false;
	}
	for (size_t i = 0; version->kind == VALUE_TEXT && i < sizeof dialects / sizeof dialects[0]; i++)
		if (strcmp(version->text, config_dialect_name(dialects[i])) == 0) {
			*ret_dialect = dialects[i];
			return true;
		}
	config_error(problems, "version", "%s%s%s is not known: use \"uturn/v1\", or \"v1\" or \"v1alpha1\", stunnerd's",
		version->text ? "\"" : "", version->text ? version->text : config_value_kind_name(version->kind),
		version->text ? "\"" : "");
	return false;
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
}

/* Stunnerd takes credentials as they are written, and so its "v1" can hold a password with a '$'; "v1alpha1" could not. */
static const struct config_value *literal_part(const struct config_value *root, enum config_dialect dialect)
{
	if (dialect == CONFIG_V1ALPHA1)
		return NULL;
	const struct config_value *auth = config_value_member(root, "auth", dialect != CONFIG_NATIVE);
	return auth ? config_value_member(auth, "credentials", dialect != CONFIG_NATIVE) : NULL;
}

/* Files that a document names are looked for beside it. */
static void set_folder(struct config_reader *r, const char *source)
{
	const char *slash = strrchr(source, '/');
	/* Too long a name has not been opened either. */
	if (slash != NULL && (size_t)(slash - source) < sizeof r->folder)
		snprintf(r->folder, sizeof r->folder, "%.*s", (int)(slash == source ? 1 : slash - source), source);
}

static struct config *load_tree(struct config_value *root, const char *source, const struct config_world *world,
	struct config_problems *problems, size_t errors)
{
	enum config_dialect dialect;
	if (!find_dialect(root, problems, &dialect))
		return NULL;
	struct config_reader r = {.config = config_create(dialect, world), .world = world, .problems = problems};
	set_folder(&r, source);
	if (r.config && !expand(world, root, literal_part(root, dialect)))
		config_error(problems, "", "out of memory");
	else if (r.config)
		read_document(&r, root);
	return config_check(r.config, world, problems, errors);
}

static void report_syntax(
	const char *source, const char *text, size_t size, const struct config_json_error *error, struct config_problems *problems)
{
	char place[CONFIG_PROBLEM_SIZE / 2];
	size_t blank = 0;
	while (blank < size && strchr(" \t\r\n", text[blank]) && text[blank])
		blank++;
	if (blank == size) {
		config_error(problems, "", "is empty: write a configuration into it");
		return;
	}
	if (text[blank] != '{' && text[blank] != '[') {
		config_error(problems, "", "is not JSON (YAML?): this version reads JSON, which starts with {");
		return;
	}
	snprintf(place, sizeof place, "%s:%d:%d", source, error->line, error->column);
	problems->source = place;
	config_error(problems, "", "is not JSON: %s", error->text);
	problems->source = source;
}

struct config *config_load_text(
	const char *source, const char *text, size_t size, const struct config_world *world, struct config_problems *problems)
{
	struct config_json_error error;
	struct config *config = NULL;
	size_t errors = problems->errors, expanded_size = 0;
	problems->source = source;
	char *expanded = config_env_expand_json(world, text, size, &expanded_size);
	struct config_value *root = expanded ? config_json_parse(expanded, expanded_size, &error) : NULL;
	if (root)
		config = load_tree(root, source, world, problems, errors);
	else if (expanded && error.line > 0)
		report_syntax(source, text, size, &error, problems);
	else
		config_error(problems, "", "out of memory");
	config_json_free(root);
	if (expanded)
		bytes_wipe(expanded, expanded_size);
	free(expanded);
	return config;
}

struct config *config_load_file(const char *path, const struct config_world *world, struct config_problems *problems)
{
	size_t size = 0;
	int error = 0;
	char *text = config_file_read(path, CONFIG_FILE_SIZE_MAX, &size, &error);
	if (text == NULL) {
		problems->source = path;
		config_error(problems, "", "cannot be read: %s: name a readable file of JSON", strerror(error));
		return NULL;
	}
	struct config *config = config_load_text(path, text, size, world, problems);
	bytes_wipe(text, size);
	free(text);
	return config;
}
