#include "server/config_env.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *config_env_system(void *context, const char *name)
{
	(void)context;
	return getenv(name);
}

static bool is_number(const char *text)
{
	return text && *text && text[strspn(text, "0123456789")] == '\0';
}

/* STUNner's first documents and its code call some by different names. */
static const char *other_name(const char *name)
{
	static const char *const pairs[][2] = {
		{"STUNNER_PUBLIC_ADDR", "STUNNER_PUBLIC_IP"}, {"STUNNER_SHARED_SECRET", "STUNNER_SECRET"}};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		for (size_t n = 0; n < 2; n++)
			if (strcmp(name, pairs[i][n]) == 0)
				return pairs[i][1 - n];
	return NULL;
}

const char *config_env_get(const struct config_world *world, const char *name)
{
	const char *value = world->getenv(world->context, name), *other = other_name(name);
	if ((value == NULL || *value == '\0') && other != NULL)
		value = world->getenv(world->context, other);
	if (value && *value)
		return value;
	if (strcmp(name, "STUNNER_PORT") != 0)
		return NULL;
	/* The early stunnerd's rule. */
	const char *public_port = world->getenv(world->context, "STUNNER_PUBLIC_PORT");
	return is_number(public_port) ? public_port : "3478";
}

bool config_env_switch(const struct config_world *world, const char *name, bool if_unset)
{
	static const char *const offs[] = {"", "0", "false", "no", "off"};
	const char *value = world->getenv(world->context, name);
	if (value == NULL)
		return if_unset;
	for (size_t i = 0; i < sizeof offs / sizeof offs[0]; i++)
		if (strcasecmp(value, offs[i]) == 0)
			return false;
	return true;
}

struct expansion {
	const struct config_world *world;
	FILE *out;
};

static size_t name_length(const char *text, size_t size)
{
	size_t length = 0;
	if (size == 0 || isdigit((unsigned char)text[0]))
		return 0;
	while (length < size && (isalnum((unsigned char)text[length]) || text[length] == '_'))
		length++;
	return length;
}

/* `text` starts with '$'. Writes what it stands for and returns how much of `text` that was. */
static size_t expand_one(struct expansion *e, const char *text, size_t size, const char *if_empty)
{
	bool braces = size > 1 && text[1] == '{';
	size_t start = braces ? 2 : 1;
	size_t length = size > start ? name_length(text + start, size - start) : 0;
	bool closed = !braces || (size > start + length && text[start + length] == '}');
	char name[256];
	if (length == 0 || !closed || length >= sizeof name) {
		fputc('$', e->out);
		return 1;
	}
	memcpy(name, text + start, length);
	name[length] = '\0';
	const char *value = config_env_get(e->world, name);
	fputs(value ? value : if_empty, e->out);
	return start + length + braces;
}

char *config_env_expand(const struct config_world *world, const char *text)
{
	char *result = NULL;
	size_t result_size = 0, size = strlen(text);
	struct expansion e = {.world = world, .out = open_memstream(&result, &result_size)};
	if (e.out == NULL)
		return NULL;
	for (size_t i = 0; i < size;) {
		if (text[i] == '$') {
			i += expand_one(&e, text + i, size - i, "");
			continue;
		}
		fputc(text[i++], e.out);
	}
	if (fclose(e.out) == 0)
		return result;
	free(result);
	return NULL;
}

char *config_env_expand_json(const struct config_world *world, const char *text, size_t size, size_t *ret_size)
{
	char *result = NULL;
	size_t result_size = 0;
	struct expansion e = {.world = world, .out = open_memstream(&result, &result_size)};
	if (e.out == NULL)
		return NULL;
	bool in_string = false;
	for (size_t i = 0; i < size;) {
		if (text[i] == '$' && !in_string) {
			i += expand_one(&e, text + i, size - i, "null");
			continue;
		}
		if (in_string && text[i] == '\\' && i + 1 < size)
			fputc(text[i++], e.out);
		else if (text[i] == '"')
			in_string = !in_string;
		fputc(text[i++], e.out);
	}
	if (fclose(e.out) != 0) {
		free(result);
		return NULL;
	}
	*ret_size = result_size;
	return result;
}
