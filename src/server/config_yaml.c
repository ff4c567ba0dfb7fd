#include "server/config_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/bytes.h"

struct builder {
	yaml_parser_t parser;
	size_t values;
	struct config_syntax_error *error;
};

static bool no_memory(struct builder *b)
{
	*b->error = (struct config_syntax_error){.text = "out of memory"};
	return false;
}

static bool refuse(struct builder *b, yaml_mark_t mark, const char *what)
{
	*b->error = (struct config_syntax_error){.line = (int)mark.line + 1, .column = (int)mark.column + 1};
	snprintf(b->error->text, sizeof b->error->text, "%s", what);
	return false;
}

/* What libyaml found wrong. */
static bool refuse_syntax(struct builder *b)
{
	const yaml_parser_t *parser = &b->parser;
	char text[sizeof b->error->text];
	if (parser->error == YAML_MEMORY_ERROR)
		return no_memory(b);
	snprintf(text, sizeof text, "%s%s%s", parser->problem ? parser->problem : "it ends too early", parser->context ? " " : "",
		parser->context ? parser->context : "");
	/* The reader knows no lines: it fails on bytes that are no text. */
	yaml_mark_t mark = parser->error == YAML_READER_ERROR ? parser->mark : parser->problem_mark;
	return refuse(b, mark, text);
}

/* The event is to be given back by forget(). */
static bool next(struct builder *b, yaml_event_t *ret_event)
{
	return yaml_parser_parse(&b->parser, ret_event) != 0 || refuse_syntax(b);
}

static void forget(yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		bytes_wipe(event->data.scalar.value, event->data.scalar.length);
	yaml_event_delete(event);
}

/* False: it is one too many, or carries what a configuration has no use for. */
static bool is_sober(struct builder *b, const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (++b->values > CONFIG_VALUES_MAX)
		return refuse(b, event->start_mark, "there are too many values");
	if (anchor != NULL)
		return refuse(b, event->start_mark, "anchors (&) are not understood: remove it, and write out what stands for it");
	if (tag != NULL)
		return refuse(b, event->start_mark, "tags (!) are not understood: remove it; quotes make a string");
	return true;
}

static char *copy_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t size = event->data.scalar.length;
	if (memchr(text, '\0', size) != NULL) {
		refuse(b, event->start_mark, "a NUL character is no part of a text");
		return NULL;
	}
	char *copy = strndup(text, size);
	if (copy == NULL)
		no_memory(b);
	return copy;
}

static bool build_scalar(struct builder *b, const yaml_event_t *event, struct config_value *value)
{
	if (!is_sober(b, event, event->data.scalar.anchor, event->data.scalar.tag))
		return false;
	value->text = copy_scalar(b, event);
	if (value->text == NULL)
		return false;
	value->kind = VALUE_TEXT;
	value->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (value->plain)
		config_value_resolve(value);
	return true;
}

/* Room for one more item, zeroed; NULL: no memory. */
static struct config_value *add_item(struct builder *b, struct config_value *value)
{
	size_t count = value->count;
	if ((count & (count - 1)) == 0) {
		struct config_value *items = realloc(value->items, (count == 0 ? 1 : 2 * count) * sizeof *items);
		if (items == NULL) {
			no_memory(b);
			return NULL;
		}
		value->items = items;
	}
	value->items[count] = (struct config_value){0};
	value->count++;
	return &value->items[count];
}

static bool build(struct builder *b, const yaml_event_t *event, unsigned depth, struct config_value *value);

static bool build_list(struct builder *b, const yaml_event_t *start, unsigned depth, struct config_value *value)
{
	value->kind = VALUE_LIST;
	if (!is_sober(b, start, start->data.sequence_start.anchor, start->data.sequence_start.tag))
		return false;
	for (;;) {
		yaml_event_t event;
		if (!next(b, &event))
			return false;
		bool ended = event.type == YAML_SEQUENCE_END_EVENT;
		struct config_value *item = ended ? NULL : add_item(b, value);
		bool good = ended || (item != NULL && build(b, &event, depth, item));
		forget(&event);
		if (ended || !good)
			return good;
	}
}

static bool build_name(struct builder *b, const yaml_event_t *event, struct config_value *object)
{
	if (event->type != YAML_SCALAR_EVENT)
		return refuse(b, event->start_mark, "the name of a field is a string");
	if (!is_sober(b, event, event->data.scalar.anchor, event->data.scalar.tag))
		return false;
	if (object->count == CONFIG_YAML_MEMBERS_MAX)
		return refuse(b, event->start_mark, "there are too many fields in one object");
	char *name = copy_scalar(b, event);
	bool twice = name != NULL && config_value_member(object, name, false) != NULL;
	struct config_value *item = name == NULL || twice ? NULL : add_item(b, object);
	if (item == NULL) {
		free(name);
		return twice ? refuse(b, event->start_mark, "this field is there twice") : false;
	}
	item->name = name;
	return true;
}

static bool build_member(struct builder *b, const yaml_event_t *name, unsigned depth, struct config_value *object)
{
	yaml_event_t event;
	if (!build_name(b, name, object) || !next(b, &event))
		return false;
	bool good = build(b, &event, depth, &object->items[object->count - 1]);
	forget(&event);
	return good;
}

static bool build_object(struct builder *b, const yaml_event_t *start, unsigned depth, struct config_value *value)
{
	value->kind = VALUE_OBJECT;
	if (!is_sober(b, start, start->data.mapping_start.anchor, start->data.mapping_start.tag))
		return false;
	for (;;) {
		yaml_event_t event;
		if (!next(b, &event))
			return false;
		bool ended = event.type == YAML_MAPPING_END_EVENT;
		bool good = ended || build_member(b, &event, depth, value);
		forget(&event);
		if (ended || !good)
			return good;
	}
}

/* The value that begins with `event`, `depth` levels down. On false it is half built, and still can be cleared. */
static bool build(struct builder *b, const yaml_event_t *event, unsigned depth, struct config_value *value)
{
	if (event->type == YAML_SCALAR_EVENT)
		return build_scalar(b, event, value);
	if (event->type == YAML_ALIAS_EVENT)
		return refuse(b, event->start_mark, "aliases (*) are not understood: write out what it stands for, or quote it");
	if (depth == CONFIG_YAML_DEPTH_MAX)
		return refuse(b, event->start_mark, "this is too deep: there are more levels than any configuration has");
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return build_list(b, event, depth + 1, value);
	return build_object(b, event, depth + 1, value);
}

/* False, with the text's mistake, unless the next event is of this type. */
static bool expect(struct builder *b, yaml_event_type_t type, const char *otherwise)
{
	yaml_event_t event;
	if (!next(b, &event))
		return false;
	bool good = event.type == type || refuse(b, event.start_mark, otherwise);
	forget(&event);
	return good;
}

static bool build_document(struct builder *b, struct config_value *root)
{
	yaml_event_t event;
	if (!expect(b, YAML_STREAM_START_EVENT, "") || !expect(b, YAML_DOCUMENT_START_EVENT, "there is nothing in it"))
		return false;
	if (!next(b, &event))
		return false;
	bool good = build(b, &event, 0, root);
	forget(&event);
	return good && expect(b, YAML_DOCUMENT_END_EVENT, "") &&
	       expect(b, YAML_STREAM_END_EVENT, "a second document begins here: use one");
}

/* Libyaml frees its buffers as they are, and parts of a secret may be in them. */
static void wipe_buffers(yaml_parser_t *parser)
{
	if (parser->buffer.start != NULL)
		bytes_wipe(parser->buffer.start, (size_t)(parser->buffer.end - parser->buffer.start));
	if (parser->raw_buffer.start != NULL)
		bytes_wipe(parser->raw_buffer.start, (size_t)(parser->raw_buffer.end - parser->raw_buffer.start));
}

struct config_value *config_yaml_parse(const char *text, size_t size, struct config_syntax_error *ret_error)
{
	struct builder b = {.error = ret_error};
	struct config_value *root = calloc(1, sizeof *root);
	if (root == NULL || yaml_parser_initialize(&b.parser) == 0) {
		no_memory(&b);
		free(root);
		return NULL;
	}
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, size);
	if (!build_document(&b, root)) {
		config_value_free(root);
		root = NULL;
	}
	wipe_buffers(&b.parser);
	yaml_parser_delete(&b.parser);
	return root;
}
