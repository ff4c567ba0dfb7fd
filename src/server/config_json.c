#include "server/config_json.h"

#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static bool convert(const json_t *json, struct config_value *ret_value);

static bool convert_list(const json_t *json, struct config_value *value)
{
	size_t size = json_array_size(json);
	value->kind = VALUE_LIST;
	value->items = calloc(size + 1, sizeof *value->items);
	if (value->items == NULL)
		return false;
	for (; value->count < size; value->count++)
		if (!convert(json_array_get(json, value->count), &value->items[value->count])) {
			value->count++;
			return false;
		}
	return true;
}

static bool convert_object(json_t *json, struct config_value *value)
{
	value->kind = VALUE_OBJECT;
	value->items = calloc(json_object_size(json) + 1, sizeof *value->items);
	if (value->items == NULL)
		return false;
	const char *name;
	json_t *member;
	json_object_foreach(json, name, member)
	{
		struct config_value *item = &value->items[value->count++];
		item->name = strdup(name);
		if (item->name == NULL || !convert(member, item))
			return false;
	}
	return true;
}

/* On false the value is half built, and still can be cleared. */
static bool convert(const json_t *json, struct config_value *value)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return convert_object((json_t *)(uintptr_t)json, value);
	case JSON_ARRAY:
		return convert_list(json, value);
	case JSON_STRING:
		value->kind = VALUE_TEXT;
		value->text = strdup(json_string_value(json));
		return value->text != NULL;
	case JSON_INTEGER:
		value->kind = VALUE_INTEGER;
		value->integer = json_integer_value(json);
		return true;
	case JSON_REAL:
		value->kind = VALUE_REAL;
		value->real = json_real_value(json);
		return true;
	case JSON_TRUE:
	case JSON_FALSE:
		value->kind = VALUE_BOOL;
		value->boolean = json_is_true(json);
		return true;
	case JSON_NULL:
		break;
	}
	value->kind = VALUE_NULL;
	return true;
}

static void no_memory(struct config_syntax_error *ret_error)
{
	*ret_error = (struct config_syntax_error){.text = "out of memory"};
}

/* Jansson takes some failed allocations for mistakes in the text. One document at a time is parsed, by one thread. */
static bool allocation_failed;

static void *allocate(size_t size)
{
	void *block = malloc(size);
	allocation_failed |= block == NULL;
	return block;
}

/* What jansson frees may have been a key. */
static void wipe_and_free(void *block)
{
	if (block != NULL)
		bytes_wipe(block, malloc_usable_size(block));
	free(block);
}

/* More values than one document has? Told before anything is made of them, by the characters that stand in front of each, and so
 * with those inside of strings. *ret_error names the one that is too many. */
static bool has_too_many(const char *text, size_t size, struct config_syntax_error *ret_error)
{
	size_t count = 0, line_start = 0;
	int line = 1;
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n') {
			line++;
			line_start = i + 1;
		}
		if ((text[i] == ',' || text[i] == '[' || text[i] == '{') && ++count > CONFIG_VALUES_MAX) {
			*ret_error = (struct config_syntax_error){
				.line = line, .column = (int)(i - line_start) + 1, .text = "there are too many values"};
			return true;
		}
	}
	return false;
}

struct config_value *config_json_parse(const char *text, size_t size, struct config_syntax_error *ret_error)
{
	json_error_t error;
	if (has_too_many(text, size, ret_error))
		return NULL;
	json_set_alloc_funcs(allocate, wipe_and_free);
	allocation_failed = false;
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (json == NULL && allocation_failed) {
		no_memory(ret_error);
		return NULL;
	}
	if (json == NULL) {
		*ret_error = (struct config_syntax_error){.line = error.line, .column = error.column > 0 ? error.column : 1};
		snprintf(ret_error->text, sizeof ret_error->text, "%s", error.text);
		return NULL;
	}
	struct config_value *root = calloc(1, sizeof *root);
	if (root == NULL || !convert(json, root)) {
		config_value_free(root);
		root = NULL;
		no_memory(ret_error);
	}
	json_decref(json);
	return root;
}
