#include "ops/json_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static void put(struct json_writer *j, const char *text, size_t size)
{
	if (evbuffer_add(j->out, text, size) != 0)
		j->failed = true;
}

/*
 * How many bytes the character at `text` takes, 0 if it is not UTF-8 (RFC 3629 Section 4: no overlong forms, no surrogates, nothing
 * past U+10FFFF). The NUL at the end is no continuation byte, so nothing past it is read.
 */
static size_t utf8_size(const uint8_t *text)
{
	static const struct {
		uint8_t first_min, first_max, second_min, second_max, size;
	} forms[] = {
		{0x00, 0x7F, 0x00, 0x00, 1},
		{0xC2, 0xDF, 0x80, 0xBF, 2},
		{0xE0, 0xE0, 0xA0, 0xBF, 3},
		{0xE1, 0xEC, 0x80, 0xBF, 3},
		{0xED, 0xED, 0x80, 0x9F, 3},
		{0xEE, 0xEF, 0x80, 0xBF, 3},
		{0xF0, 0xF0, 0x90, 0xBF, 4},
		{0xF1, 0xF3, 0x80, 0xBF, 4},
		{0xF4, 0xF4, 0x80, 0x8F, 4},
	};
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (text[0] < forms[i].first_min || text[0] > forms[i].first_max)
			continue;
		if (forms[i].size > 1 && (text[1] < forms[i].second_min || text[1] > forms[i].second_max))
			return 0;
		for (size_t k = 2; k < forms[i].size; k++) {
			if ((text[k] & 0xC0) != 0x80)
				return 0;
		}
		return forms[i].size;
	}
	return 0;
}

bool json_text_is_kept(const char *text)
{
	size_t size = 1;
	while (*text != '\0' && size > 0) {
		size = utf8_size((const uint8_t *)text);
		text += size;
	}
	return size > 0;
}

static void put_escaped(struct json_writer *j, const char *text)
{
	put(j, "\"", 1);
	while (*text != '\0') {
		size_t size = utf8_size((const uint8_t *)text);
		if (size == 0) {
			put(j, "\xEF\xBF\xBD", 3);
			size = 1;
		} else if (*text == '"' || *text == '\\') {
			put(j, (const char[]){'\\', *text}, 2);
		} else if ((uint8_t)*text < 0x20) {
			char escape[8];
			snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*text);
			put(j, escape, 6);
		} else {
			put(j, text, size);
		}
		text += size;
	}
	put(j, "\"", 1);
}

static void put_key(struct json_writer *j, const char *key)
{
	if (j->comma)
		put(j, ",", 1);
	j->comma = true;
	if (key == NULL)
		return;
	put_escaped(j, key);
	put(j, ":", 1);
}

void json_write_init(struct json_writer *j, struct evbuffer *out)
{
	*j = (struct json_writer){.out = out};
}

void json_write_begin(struct json_writer *j, const char *key, char bracket)
{
	assert(bracket == '{' || bracket == '[');
	put_key(j, key);
	put(j, &bracket, 1);
	j->comma = false;
}

void json_write_end(struct json_writer *j, char bracket)
{
	assert(bracket == '}' || bracket == ']');
	put(j, &bracket, 1);
	j->comma = true;
}

void json_write_text(struct json_writer *j, const char *key, const char *text)
{
	put_key(j, key);
	put_escaped(j, text);
}

void json_write_number(struct json_writer *j, const char *key, uint64_t number)
{
	char text[24];
	int size = snprintf(text, sizeof text, "%" PRIu64, number);
	put_key(j, key);
	put(j, text, (size_t)size);
}

void json_write_bool(struct json_writer *j, const char *key, bool value)
{
	put_key(j, key);
	put(j, value ? "true" : "false", value ? 4 : 5);
}
