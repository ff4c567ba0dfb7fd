#include "server/config_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_env.h"
#include "server/config_json.h"
#include "server/config_yaml.h"

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
		if (value->plain)
			config_value_resolve(value);
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

/* Stunnerd takes credentials as they are written, and so its "v1" can hold a password with a '$'; "v1alpha1" could not. */
static const struct config_value *literal_part(const struct config_value *root, enum config_dialect dialect)
{
	if (dialect == CONFIG_V1ALPHA1)
		return NULL;
	const struct config_value *auth = config_value_member(root, "auth", dialect != CONFIG_NATIVE);
	return auth ? config_value_member(auth, "credentials", dialect != CONFIG_NATIVE) : NULL;
}

static void report_syntax(
	const char *source, const char *language, const struct config_syntax_error *error, struct config_problems *problems)
{
	char place[CONFIG_PROBLEM_SIZE / 2];
	if (error->line == 0) {
		config_error(problems, "", "%s", error->text);
		return;
	}
	snprintf(place, sizeof place, "%s:%d:%d", source, error->line, error->column);
	problems->source = place;
	config_error(problems, "", "is not %s: %s", language, error->text);
	problems->source = source;
}

static struct config_value *parse_json(
	const char *text, size_t size, const struct config_world *world, struct config_syntax_error *ret_error)
{
	size_t expanded_size = 0;
	char *expanded = config_env_expand_json(world, text, size, &expanded_size);
	if (expanded == NULL) {
		*ret_error = (struct config_syntax_error){.text = "out of memory"};
		return NULL;
	}
	struct config_value *root = config_json_parse(expanded, expanded_size, ret_error);
	bytes_wipe(expanded, expanded_size);
	free(expanded);
	return root;
}

bool config_document_parse(const char *source, const char *text, size_t size, const struct config_world *world,
	struct config_problems *problems, struct config_document *ret_document)
{
	size_t blank = 0;
	while (blank < size && strchr(" \t\r\n", text[blank]) && text[blank])
		blank++;
	if (blank == size) {
		config_error(problems, "", "is empty: write a configuration into it");
		return false;
	}
	struct config_syntax_error error;
	struct config_document document;
	bool json = text[blank] == '{' || text[blank] == '[';
	document.root = json ? parse_json(text, size, world, &error) : config_yaml_parse(text, size, &error);
	if (document.root == NULL) {
		report_syntax(source, json ? "JSON" : "YAML", &error, problems);
		return false;
	}
	bool good = find_dialect(document.root, problems, &document.dialect);
	if (good && !expand(world, document.root, literal_part(document.root, document.dialect))) {
		config_error(problems, "", "out of memory");
		good = false;
	}
	if (good)
		*ret_document = document;
	else
		config_document_free(&document);
	return good;
}

void config_document_free(struct config_document *document)
{
	config_value_free(document->root);
	document->root = NULL;
}

bool config_document_is_zero(const struct config_document *document)
{
	static const char *const lists[] = {"listeners", "clusters", "static"};
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		const struct config_value *list = config_value_member(document->root, lists[i], true);
		if (list != NULL && list->count > 0)
			return false;
	}
	return true;
}
