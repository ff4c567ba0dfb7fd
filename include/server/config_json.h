/*
 * config_json - a JSON document as a tree of plain values: what the schema reads. The only part of the configuration that knows
 * jansson.
 *
 * Owns:   the whole tree, on the heap, until config_json_free.
 * Bounds: duplicate names, NUL characters and numbers past 64 bits are syntax errors.
 */
#ifndef UTURN_SERVER_CONFIG_JSON_H
#define UTURN_SERVER_CONFIG_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_value_kind { VALUE_NULL, VALUE_BOOL, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT, VALUE_LIST, VALUE_OBJECT };

struct config_value {
	enum config_value_kind kind;
	char *name; /* in an object; NULL elsewhere */
	bool boolean;
	int64_t integer;
	double real;
	char *text;
	struct config_value *items; /* of a list or an object */
	size_t count;
};

struct config_json_error {
	int line, column; /* from 1; 0 when the fault is not in the text (no memory) */
	char text[160];
};

/* NULL: *ret_error says what is wrong and where. */
struct config_value *config_json_parse(const char *text, size_t size, struct config_json_error *ret_error);
void config_json_free(struct config_value *root); /* NULL is fine */

/* The member of this name: exactly so, or else (any_case) in another spelling of it. NULL: none, or not an object. */
const struct config_value *config_value_member(const struct config_value *object, const char *name, bool any_case);

/* "a string", "a list", … for messages. */
const char *config_value_kind_name(enum config_value_kind kind);

#endif
